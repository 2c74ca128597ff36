//! A brain by the commands that people type.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::brain::{Brain, Fault, On};
use crate::support::home::{BCH, Home, feed, succeed};

/// A home whose agent is in the brain, made by variables alone.
pub fn machine(brain: &Brain, name: &str) -> Home {
    let home = Home::with(&[]);
    succeed(&named(&home, brain).args(["init", name]).output().unwrap());
    home
}

/// A command with what the first version's user sets.
fn named(home: &Home, brain: &Brain) -> Command {
    let mut command = home.command(BCH);
    command.env("BACKCHANNEL_BACKEND", "brain").env("BACKCHANNEL_ROOM", "team");
    command.env("UNISON_API_URL", brain.url()).env("UNISON_TOKEN", brain.token());
    command
}

pub fn bch(home: &Home, arguments: &[&str]) -> Output {
    home.command(BCH).args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&succeed(output)).unwrap()
}

#[track_caller]
fn failure(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.starts_with("error: ") && text.contains("\nhint: "), "{text}");
    assert!(!text.contains("usk_"), "{text}");
    text
}

#[test]
fn two_machines_from_variables_to_their_first_messages() {
    let brain = Brain::start();
    let (ann, bob) = (machine(&brain, "ann"), machine(&brain, "bob"));
    // What was set for `init` is kept, and the token not where the first version writes it.
    let config: Value = serde_json::from_slice(&fs::read(bob.path().join("config.json")).unwrap()).unwrap();
    assert_eq!((&config["backend"], &config["brainRoom"]), (&json!("brain"), &json!("team")));
    assert_eq!((&config["brainUrl"], &config["brainToken"]), (&json!(brain.url()), &Value::Null));
    let kept: Vec<_> =
        fs::read_dir(bob.path().join("credentials")).unwrap().map(|one| one.unwrap()).collect();
    assert_eq!((kept.len(), kept[0].metadata().unwrap().permissions().mode() & 0o777), (1, 0o600));
    let who = json(&bch(&bob, &["whoami", "--json"]));
    assert_eq!(
        (&who["backend"], &who["room"], &who["url"]),
        (&json!("brain"), &json!("team"), &json!(brain.url()))
    );
    succeed(&bch(&bob, &["sub", "#team"]));
    succeed(&bch(&ann, &["send", "@bob", "hello", "bob"]));
    succeed(&bch(&ann, &["send", "#team", "hello", "all", "--urgent"]));
    assert_eq!(json(&bch(&bob, &["inbox", "--json"])).as_array().unwrap().len(), 2);
    let read = json(&bch(&bob, &["drain", "--json"]));
    assert_eq!((&read[0]["body"], &read[1]["from"]), (&json!("hello all"), &json!("ann")));
    assert_eq!(json(&bch(&bob, &["drain", "--json"])), json!([]));
    assert_eq!(json(&bch(&bob, &["inbox", "--recent", "--json"])).as_array().unwrap().len(), 2);
    succeed(&bch(&bob, &["reply", &read[1]["id"].as_str().unwrap()[..8], "hello ann"]));
    let answer = json(&bch(&ann, &["drain", "--json"]));
    assert_eq!((&answer[0]["thread"], &answer[0]["body"]), (&read[1]["id"], &json!("hello ann")));
    let agents = json(&bch(&ann, &["agents", "--json"]));
    assert_eq!((&agents[0]["name"], &agents[1]["subscriptions"]), (&json!("ann"), &json!(["#team"])));
    assert_eq!(brain.paths("/private/backchannel/team/inbox/"), Vec::<String>::new(), "all was read");
    assert_eq!(brain.paths("/private/backchannel/team/log/").len(), 3, "the archive stays");
}

#[test]
fn a_token_comes_from_a_file_or_standard_input_and_a_further_agent_shares_it() {
    let brain = Brain::start();
    let home = Home::with(&[]);
    let mut command = home.command(BCH);
    command.env("UNISON_API_URL", brain.url());
    command.args(["init", "ann", "--brain", "--brain-room", "team", "--token-file", "-"]);
    let told = succeed(&feed(&mut command, brain.token().as_bytes()));
    assert_eq!(told, format!("you are @ann, with mail in the brain at {}, room team\n", brain.url()));
    succeed(&home.as_agent("bob", &["init", "bob"]));
    succeed(&bch(&home, &["send", "@bob", "from ann"]));
    let read: Value = serde_json::from_str(&succeed(&home.as_agent("bob", &["drain", "--json"]))).unwrap();
    assert_eq!(read[0]["body"], "from ann");
    let told = failure(&bch(&home, &["init", "cid"]));
    assert!(told.contains("this machine's agent is @ann"), "{told}");
    succeed(&bch(&home, &["init", "cid", "--switch"]));
    assert_eq!(json(&bch(&home, &["whoami", "--json"]))["agent"], "cid");
    succeed(&bch(&home, &["unregister"]));
    let names: Vec<_> = brain.paths("/private/backchannel/team/agents/");
    assert!(names.len() == 2 && names[1].ends_with("/bob.md"), "{names:?}");
}

#[test]
fn what_is_wrong_is_said_with_its_mend_and_changes_nothing() {
    let brain = Brain::start();
    let home = Home::with(&[]);
    let mut command = home.command(BCH);
    let told = failure(&command.args(["init", "ann", "--brain"]).output().unwrap());
    assert!(told.contains("the brain's token is needed") && told.contains("UNISON_TOKEN"), "{told}");
    let mut command = named(&home, &brain);
    let told = failure(&command.env("UNISON_TOKEN", "usk_unknown").args(["init", "ann"]).output().unwrap());
    assert!(told.contains("does not know this token"), "{told}");
    let mut command = named(&home, &brain);
    let told = failure(&command.args(["init", "ann", "--brain", "--brain-room", "../x"]).output().unwrap());
    assert!(told.contains("a room's name"), "{told}");
    let mut command = named(&home, &brain);
    let told = failure(
        &command.env("UNISON_API_URL", "http://brain.example.com").args(["init", "ann"]).output().unwrap(),
    );
    assert!(told.contains("is not https"), "{told}");
    let told = failure(&named(&home, &brain).args(["init", "Ann"]).output().unwrap());
    assert!(told.contains("lower case"), "{told}");
    assert!(!home.path().exists(), "nothing was changed");
    let ann = machine(&brain, "ann");
    // A repository's variables lead nobody's token elsewhere.
    let mut command = ann.command(BCH);
    let told =
        failure(&command.env("UNISON_API_URL", "https://evil.example.com").arg("inbox").output().unwrap());
    assert!(told.contains("UNISON_TOKEN is not"), "{told}");
    let local = Home::with(&["cid"]);
    let told = failure(&named(&local, &brain).args(["init", "ann"]).output().unwrap());
    assert!(told.contains("@cid is on this machine") && told.contains("BACKCHANNEL_HOME="), "{told}");
}

#[test]
fn a_home_of_the_first_version_goes_on() {
    let brain = Brain::start();
    let home = Home::with(&[]);
    fs::create_dir(home.path()).unwrap();
    let config = json!({
        "agent": "old", "backend": "brain", "brainToken": brain.token(), "brainUrl": brain.url(), "brainRoom": "team"
    });
    fs::write(home.path().join("config.json"), config.to_string()).unwrap();
    let ann = machine(&brain, "ann");
    brain.put("/private/backchannel/team/agents/old.md", "---\nsubscriptions: []\ncreatedAt: \"\"\n---\n");
    succeed(&bch(&ann, &["send", "@old", "hello"]));
    assert_eq!(json(&bch(&home, &["drain", "--json"]))[0]["body"], "hello");
}

#[test]
fn doctor_says_who_is_there_how_fast_and_what_the_first_version_ignores() {
    let brain = Brain::start();
    let ann = machine(&brain, "ann");
    let checked = |home: &Home| {
        let report: Value = serde_json::from_slice(&bch(home, &["doctor", "--json"]).stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["check"] == "brain").unwrap().clone()
    };
    let check = checked(&ann);
    let detail = check["detail"].as_str().unwrap();
    assert!(detail.contains("room team has agents: 1") && detail.contains("ignores claims"), "{detail}");
    assert!(check["status"] == "ok" && check["ms"].is_number(), "{check}");
    brain.next_times(usize::MAX, On::write(""), Fault::text(502));
    succeed(&bch(&ann, &["send", "@ann", "waits"]));
    brain.mend();
    assert_eq!(checked(&ann)["status"], "warn");
    brain.remove("/private/backchannel/team/agents/ann.md");
    let check = checked(&ann);
    assert!(
        check["status"] == "fail" && check["hint"].as_str().unwrap().starts_with("bch init ann"),
        "{check}"
    );
    brain.revoke_tokens();
    let check = checked(&ann);
    assert!(check["detail"].as_str().unwrap().contains("does not know this token"), "{check}");
}

#[test]
fn a_secret_that_is_sent_is_told_of_and_never_shown() {
    let brain = Brain::start();
    let (ann, _bob) = (machine(&brain, "ann"), machine(&brain, "bob"));
    let sent = bch(&ann, &["send", "@bob", "deploy with PASSWORD=hunter2-and-more"]);
    succeed(&sent);
    let told = String::from_utf8_lossy(&sent.stderr);
    assert!(told.contains("the archive keeps it without what looks like a secret: password"), "{told}");
    fs::write(ann.path().join("bch.toml"), "[redaction]\nexcept = [\"nothing-of-ours\"]\n").unwrap();
    let told = failure(&bch(&ann, &["send", "@bob", "anything"]));
    assert!(told.contains("nothing is sent"), "{told}");
    succeed(&bch(&ann, &["drain"]));
}
