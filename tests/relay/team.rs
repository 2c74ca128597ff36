//! People and machines over one relay, by the commands that they type.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::home::{BCH, Home, feed, succeed};
use crate::support::relay::{ROOM, Relay};

/// A relay, and a file with its room's token.
pub struct Team {
    pub relay: Relay,
    place: tempfile::TempDir,
}

impl Team {
    pub fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let token = place.path().join("room-token");
        fs::write(&token, ROOM).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        Self { relay: Relay::start(), place }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.relay.address)
    }

    pub fn token_file(&self) -> String {
        self.place.path().join("room-token").display().to_string()
    }

    pub fn invite(&self, more: &[&str]) -> String {
        let (url, token) = (self.url(), self.token_file());
        let home = Home::with(&[]);
        let arguments = [&["invite", "--url", &url, "--token-file", &token], more].concat();
        succeed(&home.command(BCH).args(arguments).output().unwrap()).trim().to_owned()
    }

    /// A machine whose agent has joined.
    pub fn machine(&self, name: &str) -> Home {
        let home = Home::with(&[]);
        succeed(&join(&home, &self.invite(&["--channel", "#team"]), name, &[]));
        home
    }
}

pub fn bch(home: &Home, arguments: &[&str]) -> Output {
    home.command(BCH).args(arguments).output().unwrap()
}

pub fn join(home: &Home, invite: &str, name: &str, more: &[&str]) -> Output {
    bch(home, &[&["join", invite, "--as", name, "--yes", "--no-notify"], more].concat())
}

/// What a failed command said; the exit status is this.
#[track_caller]
pub fn failure(output: &Output, status: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert!(text.contains("\nhint: ") && text.starts_with("error: "), "{text}");
    assert!(!text.contains(ROOM), "{text}");
    text
}

pub fn json(output: &Output) -> Value {
    serde_json::from_str(&succeed(output)).unwrap()
}

#[test]
fn two_people_from_an_invite_to_their_first_messages() {
    let team = Team::start();
    let (ann, bob) = (team.machine("ann"), team.machine("bob"));
    let who = json(&bch(&bob, &["whoami", "--json"]));
    assert_eq!((who["backend"].as_str(), who["url"].as_str()), (Some("relay"), Some(team.url().as_str())));
    succeed(&bch(&ann, &["send", "@bob", "hello", "bob"]));
    succeed(&bch(&ann, &["send", "#team", "hello", "all", "--urgent"]));
    assert_eq!(json(&bch(&bob, &["inbox", "--json"])).as_array().unwrap().len(), 2);
    let read = json(&bch(&bob, &["drain", "--json"]));
    assert_eq!((read[0]["body"].as_str(), read[1]["from"].as_str()), (Some("hello all"), Some("ann")));
    assert_eq!(json(&bch(&bob, &["drain", "--json"])), Value::Array(Vec::new()));
    assert_eq!(json(&bch(&bob, &["inbox", "--recent", "--json"])).as_array().unwrap().len(), 2);
    let id = read[1]["id"].as_str().unwrap();
    succeed(&bch(&bob, &["reply", &id[..8], "hello ann"]));
    let answer = json(&bch(&ann, &["drain", "--json"]));
    assert_eq!((answer[0]["thread"].as_str(), answer[0]["body"].as_str()), (Some(id), Some("hello ann")));
    let names: Vec<_> = json(&bch(&ann, &["agents", "--json"])).as_array().unwrap().clone();
    assert_eq!(names.iter().map(|agent| agent["name"].as_str().unwrap()).collect::<Vec<_>>(), ["ann", "bob"]);
    // Nothing of it is left at the relay.
    assert_eq!(json(&bch(&ann, &["channels", "--json"])), serde_json::json!(["#team"]));
}

#[test]
fn the_model_is_shown_a_relays_mail_and_what_it_saw_is_gone() {
    let team = Team::start();
    let (ann, bob) = (team.machine("ann"), team.machine("bob"));
    succeed(&bch(&ann, &["send", "@bob", "for the model"]));
    let event = |name: &str| bob.hook("claude-code", name, "bob", &bob.payload(name, "s", &bob.work()));
    let shown = event("UserPromptSubmit").expect("mail is shown");
    assert!(shown.contains("for the model") && shown.contains("@ann"), "{shown}");
    assert!(event("PostToolUse").is_none());
    assert!(event("Stop").is_none());
    assert!(event("UserPromptSubmit").is_none(), "it was seen");
    succeed(&bch(&ann, &["send", "@bob", "never answered"]));
    assert!(event("UserPromptSubmit").unwrap().contains("never answered"));
    assert!(event("UserPromptSubmit").unwrap().contains("shown before"), "no answer of the model proved it");
    assert!(event("SessionEnd").is_none());
    let other = bob.payload("UserPromptSubmit", "t", &bob.work());
    let shown = bob.hook("claude-code", "UserPromptSubmit", "bob", &other).expect("it went back");
    assert!(shown.contains("never answered") && shown.contains("shown before"), "{shown}");
    assert!(!bob.path().join("hook.log").exists());
}

#[test]
fn without_its_relay_a_prompt_goes_on_and_mail_waits_to_be_sent_in_order() {
    let mut team = Team::start();
    let (ann, bob) = (team.machine("ann"), team.machine("bob"));
    let address = team.relay.address;
    team.relay.kill();
    let begun = Instant::now();
    let event = bob.payload("UserPromptSubmit", "s", &bob.work());
    assert!(bob.hook("claude-code", "UserPromptSubmit", "bob", &event).is_none());
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert!(fs::read_to_string(bob.path().join("hook.log")).unwrap().contains("could not reach the relay"));
    for number in 0..3 {
        let told = succeed(&bch(&ann, &["send", "@bob", &format!("number {number}")]));
        assert!(told.starts_with("queued "), "{told}");
    }
    let text = failure(&bch(&ann, &["send", "@bob", "now", "--no-queue"]), 75);
    assert!(text.contains("could not reach the relay"), "{text}");
    failure(&bch(&bob, &["inbox"]), 75);
    failure(&bch(&bob, &["drain"]), 75);
    team.relay.restart_at(address);
    succeed(&bch(&ann, &["send", "@bob", "number 3"]));
    let bodies: Vec<_> = json(&bch(&bob, &["drain", "--json"])).as_array().unwrap().clone();
    let bodies: Vec<_> = bodies.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect();
    assert_eq!(bodies, ["number 0", "number 1", "number 2", "number 3"]);
    assert_eq!(json(&bch(&bob, &["drain", "--json"])), Value::Array(Vec::new()));
}

#[test]
fn what_nobody_takes_comes_back_and_blocks_nothing() {
    let mut team = Team::start();
    let (ann, bob) = (team.machine("ann"), team.machine("bob"));
    let address = team.relay.address;
    team.relay.kill();
    succeed(&bch(&ann, &["send", "@nobody", "into the void"]));
    succeed(&bch(&ann, &["send", "@bob", "behind it"]));
    team.relay.restart_at(address);
    succeed(&bch(&ann, &["drain"]));
    let inbox = json(&bch(&ann, &["drain", "--json"]));
    let bounce = inbox[0]["body"].as_str().unwrap_or_else(|| panic!("{inbox}"));
    assert!(bounce.contains("@nobody was not delivered: there is no agent @nobody"), "{bounce}");
    let kept = Path::new(bounce.rsplit_once(' ').unwrap().1);
    assert!(fs::read_to_string(kept).unwrap().contains("into the void"));
    assert_eq!(json(&bch(&bob, &["drain", "--json"]))[0]["body"], "behind it");
}

#[test]
fn what_cannot_join_says_why_and_leaves_nothing() {
    let team = Team::start();
    let _bob = team.machine("bob");
    let good = team.invite(&[]);
    let expired = {
        let invite: backchannel::invite::Invite = good.parse().unwrap();
        backchannel::invite::Invite { exp: Some(jiff::Timestamp::UNIX_EPOCH), ..invite }.to_string()
    };
    let with = |change: &dyn Fn(&mut backchannel::invite::Invite)| {
        let mut invite: backchannel::invite::Invite = good.parse().unwrap();
        change(&mut invite);
        invite.to_string()
    };
    let wrong = with(&|invite| {
        invite.token = backchannel::secret::Secret::parse("a-token-of-nobody-at-all").unwrap()
    });
    let away = with(&|invite| invite.url = "http://127.0.0.1:1".parse().unwrap());
    let open = with(&|invite| invite.url = "http://relay.example.com".parse().unwrap());
    let cases: [(&str, &str, i32, &str); 8] = [
        (&good, "bob", 1, "the name @bob is taken"),
        (&good, "Bob-Two", 1, "lower case"),
        (&wrong, "zoe", 1, "does not admit by this token"),
        (&away, "zoe", 75, "could not reach the relay"),
        (&expired, "zoe", 1, "expired"),
        (&good[..good.len() - 9], "zoe", 1, "damaged"),
        ("hello", "zoe", 1, "begins with `bch1-`"),
        (&open, "zoe", 1, "not https"),
    ];
    for (invite, name, status, expected) in cases {
        let home = Home::with(&[]);
        let text = failure(&join(&home, invite, name, &[]), status);
        assert!(text.contains(expected), "{expected}: {text}");
        let files = files(&home.path());
        assert!(files.is_empty(), "{expected}: {files:?}");
        assert!(home.path().parent().unwrap().join(".claude.json").symlink_metadata().is_err());
    }
    let names = json(&bch(&_bob, &["agents", "--json"]));
    assert_eq!(names.as_array().unwrap().len(), 1);
}

/// All files under a directory.
pub fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_join_that_was_cut_off_goes_on_and_joining_twice_is_once() {
    let team = Team::start();
    let home = Home::with(&[]);
    let invite = team.invite(&["--uses", "1"]);
    succeed(&join(&home, &invite, "zoe", &[]));
    let config = fs::read_to_string(home.path().join("config.json")).unwrap();
    // As if the answer had been lost: the relay knows the name, and this machine only what it had begun.
    fs::remove_file(home.path().join("config.json")).unwrap();
    let credentials = files(&home.path().join("credentials"));
    let text = fs::read_to_string(&credentials[0]).unwrap();
    fs::write(&credentials[0], text.replace("\"agent\"", "\"pending\": true, \"agent\"")).unwrap();
    succeed(&join(&home, &invite, "zoe", &[]));
    assert_eq!(fs::read_to_string(home.path().join("config.json")).unwrap(), config);
    succeed(&join(&home, &invite, "zoe", &[]));
    for path in credentials.iter().chain([&home.path().join("config.json")]) {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
    }
    let other = Home::with(&[]);
    assert!(failure(&join(&other, &invite, "yan", &[]), 1).contains("does not admit by this token"));
}

#[test]
fn an_invite_comes_by_standard_input_or_a_file_and_a_further_agent_has_a_token_of_its_own() {
    let team = Team::start();
    let home = Home::with(&[]);
    let invite = team.invite(&[]);
    let mut command = home.command(BCH);
    command.args(["join", "-", "--as", "bob", "--yes", "--no-notify"]);
    succeed(&feed(&mut command, invite.as_bytes()));
    let file = home.work().join("invite");
    fs::write(&file, &invite).unwrap();
    let at = format!("@{}", file.display());
    assert!(failure(&join(&home, &at, "bob-codex", &[]), 1).contains("this machine's agent is @bob"));
    let further = home.as_agent("bob-codex", &["join", &at, "--as", "bob-codex", "--yes", "--no-notify"]);
    succeed(&further);
    home.send("bob", "@bob-codex", "to the other one", &[]);
    assert_eq!(home.unread("bob-codex")[0]["from"], "bob");
    assert!(home.unread("bob").is_empty());
    let stranger = home.as_agent("nobody", &["inbox"]);
    assert!(failure(&stranger, 1).contains("no token of @nobody"));
}

#[test]
fn an_agent_alone_joins_by_the_document() {
    let team = Team::start();
    let _reader = team.machine("reader");
    let home = Home::with(&[]);
    let file = home.work().join("BACKCHANNEL.md");
    team.invite(&["--channel", "#team", "--out", file.to_str().unwrap()]);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let document = fs::read_to_string(&file).unwrap();
    let mut ran = 0;
    for block in document.split("```sh").skip(1) {
        let script = block.split("```").next().unwrap().replace("NAME", "alone");
        let path = format!("{}:/usr/bin:/bin", Path::new(BCH).parent().unwrap().display());
        let mut command: Command = home.command("/bin/sh");
        let output = command.env("PATH", path).args(["-ec", &script]).output().unwrap();
        assert!(output.status.success(), "{script}\n{output:?}");
        ran += 1;
    }
    assert_eq!(ran, 3, "{document}");
    let mail = json(&bch(&_reader, &["drain", "--json"]));
    assert_eq!(mail[0]["body"], "alone has joined.");
}

#[test]
fn a_home_of_the_first_version_goes_on_with_its_token() {
    let team = Team::start();
    let peer = team.relay.peer("old");
    let home = Home::with(&[]);
    fs::create_dir_all(home.path()).unwrap();
    let token = peer.api.token.as_deref().unwrap();
    let config = serde_json::json!({ "agent": "old", "url": team.url(), "token": token });
    fs::write(home.path().join("config.json"), config.to_string()).unwrap();
    let ann = team.machine("ann");
    succeed(&bch(&ann, &["send", "@old", "welcome"]));
    assert_eq!(json(&bch(&home, &["drain", "--json"]))[0]["body"], "welcome");
    assert_eq!(fs::read_to_string(home.path().join("config.json")).unwrap(), config.to_string());
}
