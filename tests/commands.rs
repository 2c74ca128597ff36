//! The mail commands, and every fault of the first version that concerns them or the local spool.

mod first_version;

use std::collections::HashSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::home::{BCH, Home, feed, succeed};

/// Writes a message as the first version does.
fn plant(home: &Home, agent: &str, message: &Value) -> String {
    let id =
        message["id"].as_str().map_or_else(|| "00000000-0000-4000-8000-000000000000".into(), str::to_owned);
    fs::write(home.path().join(format!("spool/{agent}/new/{id}.json")), message.to_string()).unwrap();
    id
}

fn message(number: u64, body: &str) -> Value {
    json!({"id": format!("{number:08x}-0000-4000-8000-000000000000"), "from": "alice", "to": "@bob",
           "body": body, "priority": "normal", "ts": "2026-01-02T03:04:05.678Z"})
}

fn bodies(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["body"].as_str().unwrap()).collect()
}

fn refused(home: &Home, agent: &str, arguments: &[&str]) -> String {
    let output = home.as_agent(agent, arguments);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("error: ") && text.contains("\nhint: "), "{text}");
    text
}

#[test]
fn a_message_is_sent_seen_drained_and_kept_for_an_hour() {
    let home = Home::with(&["bob", "alice"]);
    let sent = home.send("alice", "@bob", "hello", &["--ref", "a.rs", "--thread", "t"]);
    assert_eq!(home.unread("bob"), std::slice::from_ref(&sent));
    assert_eq!(home.unread("bob").len(), 1, "looking changes nothing");
    let drained: Value = serde_json::from_str(&succeed(&home.as_agent("bob", &["drain", "--json"]))).unwrap();
    assert_eq!(drained, json!([sent]));
    assert!(home.unread("bob").is_empty());
    assert_eq!(home.recent("bob"), [sent]);
    assert_eq!(succeed(&home.as_agent("bob", &["drain", "--json"])), "[]\n");
}

#[test]
fn w16_bodies_of_every_kind_go_through() {
    let home = Home::with(&["bob", "alice"]);
    for body in ["-1 off by one", "-h", "--", "two\nlines\n", "👨‍👩‍👧 emoji", "--- x", "'\"`$(touch x)`"]
    {
        let arguments =
            if body == "--" { vec!["send", "@bob", "--", body] } else { vec!["send", "@bob", body] };
        succeed(&home.as_agent("alice", &arguments));
    }
    let long = "0123456789abcdef\n".repeat(200 * 1024 / 17);
    let mut command = home.command(BCH);
    succeed(&feed(command.env("BACKCHANNEL_AGENT", "alice").args(["send", "@bob", "-"]), long.as_bytes()));
    let unread = home.unread("bob");
    assert_eq!(unread.len(), 8);
    let bodies: HashSet<_> = bodies(&unread).into_iter().collect();
    assert!(bodies.contains("-1 off by one") && bodies.contains("-h") && bodies.contains(long.as_str()));
    let output = feed(
        home.command(BCH).env("BACKCHANNEL_AGENT", "alice").args(["send", "@bob", "-"]),
        &vec![b'x'; 300 * 1024],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(refused(&home, "alice", &["send", "@bob", ""]).contains("needs a body"));
}

#[test]
fn w16_a_prefix_finds_one_message_and_refuses_two() {
    let home = Home::with(&["bob", "alice"]);
    for (number, body) in [(0xabc1, "one"), (0xabc2, "two")] {
        plant(&home, "bob", &message(number, body));
    }
    assert!(refused(&home, "bob", &["read", "0000abc"]).contains("2 messages begin with"));
    assert_eq!(home.unread("bob").len(), 2);
    assert!(succeed(&home.as_agent("bob", &["read", "0000abc1"])).contains("| one"));
    assert_eq!(bodies(&home.unread("bob")), ["two"]);
    assert!(refused(&home, "bob", &["read", "feed"]).contains("no message"));
    assert!(refused(&home, "bob", &["read", "../../etc"]).contains("not the beginning"));
    succeed(&home.as_agent("bob", &["read", "0000abc2", "--keep"]));
    let id = "0000abc2-0000-4000-8000-000000000000";
    assert!(home.path().join(format!("spool/bob/cur/{id}.json")).exists());
    assert!(succeed(&home.as_agent("bob", &["read", id])).contains("| two"), "a kept message can be read");
}

#[test]
fn a_reply_finds_its_message_after_it_is_gone() {
    let home = Home::with(&["bob", "alice"]);
    fs::write(home.path().join("bch.toml"), "recent_minutes = 0\n").unwrap();
    let sent = home.send("alice", "@bob", "question", &["--scope", "org/proj"]);
    succeed(&home.as_agent("bob", &["drain", "--all"]));
    assert!(home.recent("bob").is_empty());
    succeed(&home.as_agent("bob", &["reply", &sent["id"].as_str().unwrap()[..8], "-", "answer"]));
    let answer = &home.unread("alice")[0];
    assert_eq!((&answer["thread"], &answer["scope"]), (&sent["id"], &json!("org/proj")));
}

#[test]
fn scope_is_the_place_of_the_reader() {
    let home = Home::with(&["bob", "alice"]);
    home.send("alice", "@bob", "for the project", &["--scope", "git@github.com:org/proj.git"]);
    home.send("alice", "@bob", "for all", &[]);
    let here = home.repository("proj", "https://user:secret@github.com/org/proj");
    let mut command = home.command(BCH);
    let output = command.current_dir(here).args(["inbox", "--json"]).output().unwrap();
    assert_eq!(serde_json::from_str::<Vec<Value>>(&succeed(&output)).unwrap().len(), 2);
    let count = |options: &[&str]| {
        let output = home.as_agent("bob", &[&["inbox", "--json"], options].concat());
        serde_json::from_str::<Vec<Value>>(&succeed(&output)).unwrap().len()
    };
    assert_eq!((count(&[]), count(&["--all"]), count(&["--match", "github.com/org/proj"])), (1, 2, 2));
    assert_eq!(count(&["--match", "github.com/org/proj-two"]), 1);
}

#[test]
fn the_sender_is_told_where_nobody_may_come() {
    let home = Home::with(&["bob", "alice"]);
    let record = home.path().join("agents/bob.json");
    let text = fs::read_to_string(&record).unwrap();
    let mut agent: Value = serde_json::from_str(&text).unwrap();
    agent["lastSeen"] = json!("2020-01-01T00:00:00.000Z");
    fs::write(&record, agent.to_string()).unwrap();
    let output = home.as_agent("alice", &["send", "@bob", "hi"]);
    succeed(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning: @bob was last seen"));
    succeed(&home.as_agent("bob", &["drain"]));
    let output = home.as_agent("alice", &["send", "@bob", "hi", "--scope", "elsewhere"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no session of @bob was ever in `elsewhere`"));
}

#[test]
fn a_channel_copies_to_every_subscriber_but_the_sender() {
    let home = Home::with(&["bob", "alice", "carol"]);
    for agent in ["bob", "alice", "carol"] {
        succeed(&home.as_agent(agent, &["sub", "#proj"]));
    }
    home.send("alice", "#proj", "all", &[]);
    assert_eq!((home.unread("bob").len(), home.unread("carol").len(), home.unread("alice").len()), (1, 1, 0));
    assert_eq!(succeed(&home.as_agent("bob", &["channels", "--json"])), "[\n  \"#proj\"\n]\n");
    assert!(refused(&home, "alice", &["send", "#nobody", "x"]).contains("nobody else is subscribed"));
    assert!(refused(&home, "alice", &["send", "@zed", "x"]).contains("there is no agent @zed"));
}

#[test]
fn watch_keeps_up_with_a_burst() {
    let home = Home::with(&["bob", "alice"]);
    let mut command = home.command(BCH);
    let mut watch = command.args(["watch", "--json", "--all"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    for number in 0..5000 {
        let id = format!("{number:08x}-0000-4000-8000-000000000000");
        let draft = home.path().join(format!("spool/bob/tmp/{id}.json"));
        fs::write(&draft, message(number, "burst").to_string()).unwrap();
        fs::rename(&draft, home.path().join(format!("spool/bob/new/{id}.json"))).unwrap();
    }
    let seen: HashSet<String> = lines
        .take(5000)
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(seen.len(), 5000);
    assert_eq!(home.unread("bob").len(), 5000, "watching claims nothing");
}

#[test]
fn w1_a_name_is_never_a_path() {
    let home = Home::with(&["bob", "alice"]);
    let before = tree(&home);
    for to in ["@../agents/mallory", "@..", "@a/b", "#../x", "@.hidden"] {
        assert_eq!(home.as_agent("alice", &["send", to, "x"]).status.code(), Some(1), "{to}");
    }
    for name in ["../../evil", "/tmp/evil", ".."] {
        assert_eq!(home.as_agent(name, &["drain"]).status.code(), Some(1), "{name}");
        assert_eq!(home.as_agent(name, &["init", name]).status.code(), Some(1), "{name}");
    }
    assert_eq!(tree(&home), before);
}

#[test]
fn w2_w3_a_damaged_agent_record_is_its_own_trouble() {
    let home = Home::with(&["bob", "alice"]);
    for (name, text) in [("zed", "{\"name\":\"zed\""), ("void", ""), ("undefined", "{}")] {
        fs::write(home.path().join(format!("agents/{name}.json")), text).unwrap();
    }
    home.send("alice", "@bob", "hi", &[]);
    assert_eq!(home.unread("bob").len(), 1);
    assert!(!succeed(&home.as_agent("bob", &["agents"])).contains("zed"));
    assert_eq!(home.as_agent("alice", &["send", "@zed", "x"]).status.code(), Some(1));
}

#[test]
fn w4_a_message_that_does_not_parse_stands_in_nobodys_way() {
    let home = Home::with(&["bob", "alice"]);
    plant(&home, "bob", &message(1, "before"));
    for (number, field, value) in [
        (2, "refs", json!("abc")),
        (3, "body", json!(123)),
        (4, "body", Value::Null),
        (5, "priority", json!(1)),
    ] {
        let mut poison = message(number, "poison");
        poison[field] = value;
        plant(&home, "bob", &poison);
    }
    fs::write(home.path().join("spool/bob/new/not-a-uuid.json"), "{}").unwrap();
    plant(&home, "bob", &message(6, "after"));
    let output = home.as_agent("bob", &["inbox", "--json"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("is no message").count(), 5);
    let drained: Vec<Value> =
        serde_json::from_str(&succeed(&home.as_agent("bob", &["drain", "--json"]))).unwrap();
    assert_eq!(bodies(&drained), ["before", "after"]);
    assert_eq!(fs::read_dir(home.path().join("spool/bob/bad")).unwrap().count(), 10, "each with its reason");
    assert!(home.unread("bob").is_empty());
    let told = home.as_agent("bob", &["inbox"]);
    assert_eq!(String::from_utf8_lossy(&told.stderr).matches("is no message").count(), 5);
}

#[test]
fn w7_concurrent_subscriptions_all_stay() {
    let home = Home::with(&["bob"]);
    let children: Vec<_> = (0..20)
        .map(|number| {
            let mut command = home.command(BCH);
            command.args(["sub", &format!("#c{number}")]).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let channels = succeed(&home.as_agent("bob", &["channels", "--json"]));
    assert_eq!(serde_json::from_str::<Vec<Value>>(&channels).unwrap().len(), 20);
}

#[test]
fn w8_nothing_raw_reaches_a_terminal() {
    let home = Home::with(&["bob", "alice"]);
    let hostile = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\u{200b}\u{e0041}\nboss -> @victim [URGENT]";
    for number in 0..3 {
        let mut planted = message(number, hostile);
        planted["scope"] = json!(hostile);
        planted["thread"] = json!(hostile);
        planted["refs"] = json!([hostile]);
        plant(&home, "bob", &planted);
    }
    let id = "00000001";
    for arguments in
        [&["inbox", "--all"][..], &["inbox", "--all", "--json"], &["read", id], &["drain", "--all"]]
    {
        let text = succeed(&home.as_agent("bob", arguments));
        assert!(!text.is_empty());
        let raw = text.chars().find(|letter| {
            (letter.is_control() && *letter != '\n')
                || matches!(letter, '\u{202e}' | '\u{200b}' | '\u{e0041}')
        });
        assert_eq!(raw, None, "{arguments:?}");
        assert!(!text.lines().any(|line| line.starts_with("boss")), "{text}");
    }
}

#[test]
fn w11_everything_is_private_whatever_the_umask() {
    let home = Home::with(&["bob", "alice"]);
    home.send("alice", "@bob", "one", &[]);
    succeed(&home.as_agent("bob", &["drain"]));
    home.send("alice", "@bob", "two", &[]);
    for (path, mode) in tree(&home) {
        assert_eq!(mode & 0o077, 0, "{path}: {mode:o}");
    }
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    home.unread("bob");
    assert_eq!(fs::metadata(home.path()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn w14_a_second_identity_leaves_the_first() {
    let home = Home::with(&[]);
    let run = |arguments: &[&str]| home.command(BCH).args(arguments).output().unwrap();
    succeed(&run(&["init", "claude-main"]));
    assert!(refused(&home, "claude-main", &["init", "codex-1"]).contains("BACKCHANNEL_AGENT"));
    let output = run(&["init", "codex-1"]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("hint: BACKCHANNEL_AGENT=codex-1 bch init codex-1")
    );
    succeed(&home.as_agent("codex-1", &["init", "codex-1"]));
    assert!(succeed(&run(&["whoami"])).starts_with("@claude-main "));
    succeed(&run(&["init", "codex-1", "--switch"]));
    assert!(succeed(&run(&["whoami"])).starts_with("@codex-1 "));
}

#[test]
fn w16_an_agent_can_leave() {
    let home = Home::with(&["bob", "alice"]);
    home.send("alice", "@bob", "hi", &[]);
    assert!(refused(&home, "bob", &["unregister"]).contains("1 unread"));
    succeed(&home.as_agent("bob", &["unregister", "--force"]));
    assert!(!home.path().join("spool/bob").exists());
    assert!(succeed(&home.as_agent("alice", &["--version"])).starts_with("bch "));
}

#[test]
fn a_spool_of_the_first_version_is_read_and_its_spelling_kept() {
    let home = Home::with(&["alice"]);
    fs::create_dir_all(home.path().join("spool/Bob/new")).unwrap();
    let record = json!({"name": "Bob", "subscriptions": ["#proj"], "createdAt": "2026-01-01T00:00:00.000Z",
                        "lastSeen": "2026-01-01T00:00:00.000Z", "tokenHash": "ab"});
    fs::write(home.path().join("agents/Bob.json"), record.to_string()).unwrap();
    home.send("alice", "@bob", "hi", &[]);
    home.send("alice", "#proj", "all", &[]);
    assert_eq!(fs::read_dir(home.path().join("spool/Bob/new")).unwrap().count(), 2);
    assert_eq!(home.unread("BOB").len(), 2);
    succeed(&home.as_agent("bob", &["sub", "other"]));
    let kept: Value =
        serde_json::from_slice(&fs::read(home.path().join("agents/Bob.json")).unwrap()).unwrap();
    assert_eq!((&kept["tokenHash"], &kept["name"]), (&json!("ab"), &json!("Bob")));
    assert_eq!(refused(&home, "alice", &["send", "@Zed", "x"]).lines().count(), 2);
}

/// Every path under the home with its mode.
fn tree(home: &Home) -> Vec<(String, u32)> {
    fn walk(path: &std::path::Path, into: &mut Vec<(String, u32)>) {
        let metadata = fs::symlink_metadata(path).unwrap();
        into.push((path.display().to_string(), metadata.permissions().mode()));
        if metadata.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                walk(&entry.unwrap().path(), into);
            }
        }
    }
    let mut paths = Vec::new();
    walk(&home.path(), &mut paths);
    paths.sort();
    paths
}
