//! Invites and joins that meet what is in their way: a setup that cannot be, a lost answer, an earlier relay, a file in
//! the place of the document.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use super::team::{Team, bch, failure, files, join, json};
use crate::support::earlier_relay::EarlierRelay;
use crate::support::home::{BCH, Home, feed, succeed};
use crate::support::relay::ROOM;

/// `bch invite` of the team's operator, in this home.
fn invite(team: &Team, home: &Home, more: &[&str]) -> Output {
    let (url, token) = (team.url(), team.token_file());
    bch(home, &[&["invite", "--url", &url, "--token-file", &token], more].concat())
}

fn names(team: &Team) -> Vec<String> {
    let peer = team.relay.api(Some(ROOM)).post("/v1/register", &json!({ "name": "looker" })).json();
    let agents = team.relay.api(peer["token"].as_str()).get("/v1/agents").ok();
    let name = |agent: &serde_json::Value| agent["name"].as_str().unwrap().to_owned();
    agents.as_array().unwrap().iter().map(name).filter(|name| name != "looker").collect()
}

#[test]
fn a_document_is_written_where_it_is_asked_for_and_over_nothing_else() {
    let team = Team::start();
    let home = Home::with(&[]);
    let document = home.work().join("BACKCHANNEL.md");
    let written = ["--expires", "1d", "--uses", "3", "--out", "BACKCHANNEL.md"];
    let told = invite(&team, &home, &written);
    let note = String::from_utf8_lossy(&told.stderr).into_owned();
    assert_eq!(succeed(&told), "written to BACKCHANNEL.md; whoever reads it can join\n");
    assert!(note.contains(" and for 3 agents"), "{note}");
    let first = fs::read_to_string(&document).unwrap();
    let told = json(&invite(&team, &home, &[&written[..], &["--json"]].concat()));
    assert!(told["file"] == "BACKCHANNEL.md" && told["invite"].is_null(), "{told}");
    assert_ne!(fs::read_to_string(&document).unwrap(), first);
    fs::write(&document, "# Mine\n").unwrap();
    let told = failure(&invite(&team, &home, &written), 1);
    assert!(told.contains("is no invite's document"), "{told}");
    assert_eq!(fs::read_to_string(&document).unwrap(), "# Mine\n");
    let invited = team.relay.log();
    assert_eq!(
        invited.matches("/v1/invites").count(),
        2,
        "it was refused before the relay was asked: {invited}"
    );
}

#[test]
fn an_agent_writes_to_somebody_where_the_document_names_no_channel() {
    let team = Team::start();
    let reader = team.machine("reader");
    let home = Home::with(&[]);
    succeed(&invite(&team, &home, &["--out", "BACKCHANNEL.md"]));
    let document = fs::read_to_string(home.work().join("BACKCHANNEL.md")).unwrap();
    for block in document.split("```sh").skip(1) {
        let script =
            block.split("```").next().unwrap().replace("NAME", "alone").replace("SOMEBODY", "reader");
        let path = format!("{}:/usr/bin:/bin", Path::new(BCH).parent().unwrap().display());
        let mut command: Command = home.command("/bin/sh");
        succeed(&command.env("PATH", path).args(["-ec", &script]).output().unwrap());
    }
    assert_eq!(json(&bch(&reader, &["drain", "--json"]))[0]["body"], "alone has joined.");
}

#[test]
fn what_is_wrong_with_an_invite_is_said_with_its_mend() {
    let mut team = Team::start();
    let home = Home::with(&[]);
    let (url, token) = (team.url(), team.token_file());
    let stranger = team.relay.peer("stranger");
    let cases: [(&[&str], &str, &str); 9] = [
        (&["--url", &url, "--token-file", "-"], "let", "bch room rotate"),
        (&["--url", &url], "the room's token is needed", "--token-file FILE   # or `-`"),
        (&["--url", &url, "--token-file", "/nowhere"], "could not read /nowhere", "--token-file FILE"),
        (&["--url", "ftp://x", "--token-file", &token], "begins with https://", "https://relay.example.com"),
        (
            &["--url", "http://relay.example.com", "--token-file", &token],
            "not https",
            "https://relay.example.com",
        ),
        (&["--url", &url, "--token-file", &token, "--expires", "9999d"], "holds for 1 to", "--expires 7d"),
        (
            &["--url", &url, "--token-file", &token, "--channel", "a b"],
            "could not invite to `a b`",
            "'#team'",
        ),
        (&["--url", &url, "--token-file", &token, "--room", "../x"], "is no room's id", "bch room list"),
        (&["--url", &url, "--token-file", &token, "--room", "other"], "not of the room", "bch room rotate"),
    ];
    for (arguments, problem, hint) in cases {
        let mut command = home.command(BCH);
        command.arg("invite").args(arguments);
        let told = failure(&feed(&mut command, stranger.token().as_bytes()), 1);
        assert!(told.contains(problem) && told.contains(hint), "{arguments:?}: {told}");
        assert!(!told.contains(stranger.token()), "{told}");
    }
    team.relay.kill();
    assert!(failure(&invite(&team, &home, &[]), 75).contains("could not reach the relay"));
}

#[test]
fn what_setup_would_refuse_takes_no_name() {
    let team = Team::start();
    let home = Home::with(&[]);
    let good = team.invite(&[]);
    let absent = format!("@{}", home.work().join("absent").display());
    for (given, arguments, problem) in [
        (&good, vec!["--only", "nonsense"], "there is no harness `nonsense`"),
        (&good, vec!["--only", "codex"], "not here"),
        (&good, vec!["--trust-hooks"], "could not trust hooks"),
        (&good, vec!["--identity", "codex"], "gives no harness an agent"),
        (&good, vec!["--dry-run"], "cannot be tried"),
        (&absent, vec![], "could not read the invite"),
    ] {
        let told = failure(&join(&home, given, "zoe", &arguments), 1);
        assert!(told.contains(problem), "{arguments:?}: {told}");
        assert!(!home.path().exists(), "{arguments:?}");
    }
    assert!(failure(&bch(&home, &["join", "--as", "zoe", "--yes"]), 1).contains("an invite is needed"));
    assert!(failure(&bch(&home, &["join", &good, "--as", "zoe"]), 1).contains("--as zoe --yes"));
    assert!(failure(&join(&home, &good, "Zoe", &[]), 1).contains("hint: bch join INVITE --as zoe\n"));
    assert_eq!(names(&team), Vec::<String>::new());
}

#[test]
fn the_room_token_makes_an_agent_from_a_file_the_environment_or_standard_input() {
    let mut team = Team::start();
    let (url, token) = (team.url(), team.token_file());
    let init =
        |home: &Home, name: &str, more: &[&str]| bch(home, &[&["init", name, "--url", &url], more].concat());
    let ann = Home::with(&[]);
    succeed(&init(&ann, "ann", &["--token-file", &token]));
    let bob = Home::with(&[]);
    succeed(
        &bob.command(BCH)
            .args(["init", "bob", "--url", &url])
            .env("BACKCHANNEL_TOKEN", ROOM)
            .output()
            .unwrap(),
    );
    let eve = Home::with(&[]);
    let mut command = eve.command(BCH);
    command.args(["init", "eve", "--url", &url, "--token-file", "-"]);
    succeed(&feed(&mut command, ROOM.as_bytes()));
    ann.send("ann", "@bob", "hello", &[]);
    assert_eq!(bob.unread("bob")[0]["from"], "ann");
    assert_eq!(names(&team), ["ann", "bob", "eve"]);

    let home = Home::with(&[]);
    let told = failure(&init(&home, "ann", &["--token-file", &token]), 1);
    assert!(told.contains("@ann is taken") && told.contains("bch init ann-2 --url"), "{told}");
    let told = failure(&init(&ann, "amy", &["--token-file", &token]), 1);
    assert!(
        told.contains("agent is @ann") && told.contains("BACKCHANNEL_AGENT=amy bch init amy --url"),
        "{told}"
    );
    let mut command = home.command(BCH);
    command.args(["init", "zoe", "--url", &url]).env("BACKCHANNEL_TOKEN", "a-token-of-nobody-at-all");
    let told = failure(&command.output().unwrap(), 1);
    assert!(told.contains("does not admit") && told.contains("bch room rotate"), "{told}");
    let told = failure(
        &bch(&home, &["init", "zoe", "--url", "http://relay.example.com", "--token-file", &token]),
        1,
    );
    assert!(
        told.contains("not https") && told.contains("bch init zoe --url https://relay.example.com"),
        "{told}"
    );
    assert!(failure(&init(&home, "zoe", &[]), 1).contains("the room's token is needed"));
    team.relay.kill();
    assert!(
        failure(&init(&home, "zoe", &["--token-file", &token]), 75).contains("could not reach the relay")
    );
    assert_eq!(files(&home.path()), Vec::<std::path::PathBuf>::new());
}

/// Makes what a home has of its only agent pending again, as if the answer had been lost.
fn lose_the_answer(home: &Home) -> String {
    fs::remove_file(home.path().join("config.json")).unwrap();
    let path = files(&home.path().join("credentials")).remove(0);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"agent\"", "\"pending\": true, \"agent\"")).unwrap();
    text
}

#[test]
fn a_lost_answer_costs_no_name_though_the_invite_is_dead_by_then() {
    let team = Team::start();
    let home = Home::with(&[]);
    let good: backchannel::invite::Invite = team.invite(&[]).parse().unwrap();
    let token = backchannel::secret::Secret::parse("of-an-invite-that-was-revoked").unwrap();
    let dead = backchannel::invite::Invite { token, ..good.clone() }.to_string();
    succeed(&join(&home, &good.to_string(), "zoe", &[]));
    let kept = lose_the_answer(&home);
    // The relay had done it: its own token proves that.
    succeed(&join(&home, &dead, "zoe", &[]));
    assert_eq!(fs::read_to_string(files(&home.path().join("credentials")).remove(0)).unwrap(), kept);

    // It had not: what was begun waits for an invite that holds.
    let other = Home::with(&[]);
    succeed(&join(&other, &good.to_string(), "yan", &[]));
    lose_the_answer(&other);
    team.relay.admin().delete("/v1/agents/yan?keep_token=true").ok();
    let told = failure(&join(&other, &dead, "yan", &[]), 1);
    assert!(told.contains("does not admit by this token"), "{told}");
    assert_eq!(files(&other.path().join("credentials")).len(), 1);
    // The name is nobody's any more: nothing of it stays.
    assert!(failure(&join(&other, &good.to_string(), "yan", &[]), 1).contains("@yan is taken"));
    assert_eq!(files(&other.path().join("credentials")).len(), 0);
}

#[test]
fn a_relay_of_the_first_version_is_joined_by_the_rooms_own_token() {
    let relay = EarlierRelay::start();
    let url = format!("http://{}", relay.address);
    let (ann, bob) = (Home::with(&[]), Home::with(&[]));
    let mut command = ann.command(BCH);
    command.args(["invite", "--url", &url, "--token-file", "-", "--channel", "#team"]);
    let output = feed(&mut command, b"room\n");
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(warning.starts_with("warning: this relay makes no tokens for invites"), "{warning}");
    let invite = succeed(&output).trim().to_owned();
    for (home, name) in [(&ann, "ann"), (&bob, "bob")] {
        succeed(&join(home, &invite, name, &[]));
        // Again, though this relay takes no token that a client made.
        fs::remove_dir_all(home.path().join("credentials")).unwrap();
        succeed(&join(home, &invite, name, &[]));
    }
    assert!(failure(&join(&Home::with(&[]), &invite, "bob", &[]), 1).contains("@bob is taken"));
    ann.send("ann", "#team", "hello", &[]);
    assert_eq!(json(&bch(&bob, &["drain", "--json"]))[0]["body"], "hello");
}

#[test]
fn a_harness_gets_an_agent_of_its_own_by_the_same_invite() {
    let team = Team::start();
    let home = Home::with(&[]);
    let user = home.path().parent().unwrap().to_owned();
    fs::create_dir(user.join(".codex")).unwrap();
    let invite = team.invite(&["--channel", "#team"]);
    let told = succeed(&join(&home, &invite, "bob", &["--identity", "codex=bob-codex"]));
    assert!(told.contains("you are @bob,") && told.contains("you are @bob-codex,"), "{told}");
    assert!(told.contains("Codex: done, as @bob-codex"), "{told}");
    assert_eq!(names(&team), ["bob", "bob-codex"]);
    home.send("bob", "#team", "to both", &[]);
    assert_eq!(home.unread("bob-codex").len(), 1);
    let told = failure(&bch(&home, &["setup", "--yes", "--no-notify", "--identity", "codex=amy"]), 1);
    assert!(told.contains("no token of @amy") && told.contains("bch join INVITE --as amy"), "{told}");
}

#[test]
fn the_agent_that_a_machine_is_switched_to_brings_its_token() {
    let team = Team::start();
    let old = team.relay.peer("old");
    let home = Home::with(&[]);
    fs::create_dir_all(home.path()).unwrap();
    // As the first version left it: the token stands nowhere else.
    let config = json!({ "agent": "old", "url": team.url(), "token": old.token(), "brainRoom": "kept" });
    fs::write(home.path().join("config.json"), config.to_string()).unwrap();
    let invite = team.invite(&[]);
    succeed(&home.as_agent("new", &["join", &invite, "--as", "new", "--yes", "--no-notify"]));
    succeed(&bch(&home, &["init", "new", "--switch"]));
    let config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(home.path().join("config.json")).unwrap()).unwrap();
    assert_eq!((&config["agent"], &config["brainRoom"]), (&json!("new"), &json!("kept")));
    assert_ne!(config["token"], old.token());
    home.send("new", "@old", "to the one before", &[]);
    assert_eq!(home.unread("old")[0]["from"], "new");
}

#[test]
fn a_name_is_in_one_room_of_a_relay() {
    let team = Team::start();
    let home = Home::with(&[]);
    let room = team.relay.admin().post("/v1/rooms", &json!({ "name": "other" })).ok();
    succeed(&join(&home, &team.invite(&[]), "bob", &[]));
    let mut command = home.command(BCH);
    command.args(["invite", "--url", &team.url(), "--token-file", "-"]);
    let other = succeed(&feed(&mut command, room["roomToken"].as_str().unwrap().as_bytes()));
    let told = failure(&join(&home, other.trim(), "bob", &[]), 1);
    assert!(told.contains("@bob is in room default of the same relay"), "{told}");
    let elsewhere = Home::with(&[]);
    succeed(&join(&elsewhere, other.trim(), "bob", &[]));
    home.send("bob", "@bob", "in the first", &[]);
    assert_eq!((home.unread("bob").len(), elsewhere.unread("bob").len()), (1, 0));
}
