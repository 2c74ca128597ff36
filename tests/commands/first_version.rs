//! Faults of the first version that take more than one command to show.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use super::{bodies, message, plant, tree};
use crate::support::home::{BCH, HOOK, Home, feed, marks, succeed};

#[test]
fn w7_a_sign_of_life_takes_no_subscription_away() {
    let home = Home::with(&["bob"]);
    let start = |arguments: &[&str]| {
        let mut command = home.command(BCH);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    };
    let mut children = Vec::new();
    for number in 0..50 {
        // `drain` notes when the agent was seen last, in the same record.
        children.push(start(&["drain"]));
        children.push(start(&["sub", &format!("#c{number}")]));
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let channels = succeed(&home.as_agent("bob", &["channels", "--json"]));
    assert_eq!(serde_json::from_str::<Vec<Value>>(&channels).unwrap().len(), 50);
}

#[test]
fn w9_what_is_too_long_is_refused_with_its_limit() {
    let home = Home::with(&["bob", "alice"]);
    let send = |stdin: Vec<u8>, options: &[&str]| -> Output {
        let mut command = home.command(BCH);
        command.env("BACKCHANNEL_AGENT", "alice").args([&["send", "@bob", "-"], options].concat());
        feed(&mut command, &stdin)
    };
    succeed(&send(vec![b'x'; 256 * 1024], &[]));
    for size in [256 * 1024 + 1, 10 << 20] {
        let output = send(vec![b'x'; size], &[]);
        assert_eq!(output.status.code(), Some(1), "{size}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("262144"), "{output:?}");
    }
    let (long_scope, long_reference) = ("s".repeat(513), "r".repeat(2049));
    for options in [vec!["--scope", &long_scope], vec!["--ref", &long_reference], ["--ref", "r"].repeat(65)] {
        let output = send(b"body".to_vec(), &options);
        assert_eq!(output.status.code(), Some(1), "{options:?}");
    }
    let channel = "#".to_owned() + &"c".repeat(65);
    let output = home.as_agent("alice", &["sub", &channel]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("longer than 64 bytes"), "{output:?}");
    assert_eq!(home.unread("bob").len(), 1);
}

#[test]
fn w11_modes_are_0700_and_0600_whatever_the_umask() {
    for umask in ["000", "022", "777"] {
        let home = Home::with(&[]);
        let payload = home.work().join("payload");
        fs::write(&payload, home.payload("UserPromptSubmit", "s", &home.work()).to_string()).unwrap();
        fs::set_permissions(&payload, fs::Permissions::from_mode(0o644)).unwrap();
        let script = "set -e; umask $0; for agent in bob ann; do BACKCHANNEL_AGENT=$agent \"$1\" init $agent; done\n\
                      \"$1\" init bob; \"$1\" sub '#team'; export BACKCHANNEL_AGENT=ann\n\
                      \"$1\" send @bob one --scope here; \"$1\" send '#team' two; export BACKCHANNEL_AGENT=bob\n\
                      \"$1\" drain --all; BACKCHANNEL_AGENT=ann \"$1\" send @bob three\n\
                      printf x >\"$BACKCHANNEL_HOME/spool/bob/new/bad.json\" 2>/dev/null || :\n\
                      \"$2\" claude-code UserPromptSubmit --agent bob --home \"$BACKCHANNEL_HOME\" <\"$3\"\n\
                      id=$(BACKCHANNEL_AGENT=ann \"$1\" send @bob four | cut -d' ' -f2); \"$1\" read --keep $id";
        let mut command = home.command("/bin/sh");
        command.env("PATH", "/usr/bin:/bin").args(["-c", script, umask, BCH, HOOK]).arg(&payload);
        marks(&mut command, "claude-code");
        let text = succeed(&command.output().unwrap());
        assert!(text.contains("three") && text.contains("four"), "{text}");
        let paths = tree(&home);
        assert!(paths.len() > 25, "{paths:?}");
        for (path, mode) in paths {
            // The shell wrote this one, and not the programs.
            if !path.contains("/bad.json") {
                let wanted = if mode & 0o170_000 == 0o040_000 { 0o700 } else { 0o600 };
                assert_eq!(mode & 0o7777, wanted, "umask {umask}: {path} has {mode:o}");
            }
        }
    }
}

#[test]
fn w13_one_watch_tells_of_each_message_once() {
    let home = Home::with(&["bob", "alice"]);
    let mut command = home.command(BCH);
    let mut watch = command.args(["watch", "--json", "--all"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut told = Vec::new();
    // Each message is followed by a change that is none of its business.
    for number in 0..20 {
        home.send("alice", "@bob", &format!("mail {number}"), &[]);
        let line: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        told.push(line["body"].as_str().unwrap().to_owned());
        plant(&home, "bob", &json!({"id": "00000000-0000-4000-8000-00000000000a", "body": number}));
    }
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert_eq!(told, (0..20).map(|number| format!("mail {number}")).collect::<Vec<_>>());
}

#[test]
fn w15_a_scope_matches_whole_segments_however_its_remote_is_written() {
    let home = Home::with(&["bob", "alice"]);
    home.send("alice", "@bob", "repo", &["--scope", "repo"]);
    home.send("alice", "@bob", "full", &["--scope", "github.com/o/r"]);
    home.send("alice", "@bob", "ssh", &["--scope", "ssh://git@github.com:22/o/r.git"]);
    home.send("alice", "@bob", "slash", &["--scope", "https://user:secret@github.com/o/r.git/"]);
    let matching = |scope: &str| {
        let output = home.as_agent("bob", &["inbox", "--json", "--match", scope]);
        let messages: Vec<Value> = serde_json::from_str(&succeed(&output)).unwrap();
        bodies(&messages).into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(matching("github.com/o/my-repository"), set(&[]));
    assert_eq!(matching("github.com/repo/other"), set(&["repo"]));
    for scope in [
        "github.com/o/r",
        "ssh://git@github.com:22/o/r.git",
        "git@github.com:o/r.git",
        "https://github.com/O/R.git/",
        "http://user:secret@github.com:8080/o/r",
    ] {
        assert_eq!(matching(scope), set(&["full", "ssh", "slash"]), "{scope}");
    }
    assert_eq!(matching("github.com/o/r-two"), set(&[]));
}

#[test]
fn w15_mail_for_other_scopes_is_counted_and_comes_after_a_week() {
    let home = Home::with(&["bob", "alice"]);
    home.send("alice", "@bob", "elsewhere", &["--scope", "org/other"]);
    let output = home.as_agent("bob", &["drain"]);
    assert_eq!(succeed(&output), "no unread mail here\n");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("note: 1 wait for other scopes: bch inbox --all"), "{told}");
    let mut old = message(7, "waited long");
    old["scope"] = json!("org/other");
    plant(&home, "bob", &old);
    assert!(succeed(&home.as_agent("bob", &["drain"])).contains("| waited long"));
    assert_eq!(bodies(&home.unread("bob")), ["elsewhere"]);
}
