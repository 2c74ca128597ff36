//! `doctor --prove` runs what is installed on a mailbox of its own: it finds nothing on a healthy machine, each fault
//! where one was planted, and leaves nothing behind.

mod canaries;
mod faults;
mod healthy;
mod screen;

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::install::doctor::{Diagnosis, UserHome, change};

/// The lines of the hooks in a file of settings.
const HOOKS: &str = ".local/share/backchannel/bin/bch-hook";

fn prove(home: &UserHome) -> Diagnosis {
    Diagnosis::of(&home.bch(&["doctor", "--prove", "--json"]))
}

/// Leaves this machine's agent a message, of an agent that is made for it.
fn send(home: &UserHome, body: &str) {
    let alice = |words: &[&str]| {
        let output = home.command(words).env("BACKCHANNEL_AGENT", "alice").output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    alice(&["init", "alice"]);
    alice(&["send", "@bob", body]);
}

/// The bodies that are unread, and the number of those that are claimed.
fn waiting(home: &UserHome) -> (Vec<String>, usize) {
    let output = home.bch(&["inbox", "--all", "--json"]);
    let inbox: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bodies = inbox.as_array().unwrap().iter().map(|message| message["body"].as_str().unwrap().to_owned());
    let claimed = home.file(".backchannel/spool/bob/claimed");
    let leases = fs::read_dir(claimed).into_iter().flatten().flatten();
    let files = leases.flat_map(|lease| fs::read_dir(lease.path()).unwrap().flatten());
    let mail = files.filter(|file| file.file_name() != "lease.json").count();
    (bodies.collect(), mail)
}

/// What of canaries is in the mail's home.
fn canaries(home: &UserHome) -> Vec<PathBuf> {
    let places = ["agents", "spool"].map(|name| home.file(".backchannel").join(name));
    let entries = places.iter().flat_map(|place| fs::read_dir(place).unwrap().flatten());
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("canary-")).collect()
}

/// Changes the line of one hook in a file of settings.
fn change_line(home: &UserHome, file: &str, event: &str, edit: impl FnOnce(&str) -> String) {
    change(home, file, |value| {
        let line = &mut value["hooks"][event][0]["hooks"][0]["command"];
        *line = edit(line.as_str().unwrap()).into();
    });
}
