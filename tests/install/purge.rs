//! `uninstall --purge` takes mail and identity, says what is unread, and touches nothing that is not ours.

use std::fs;

use super::UserHome;

fn home() -> UserHome {
    let home = UserHome::new();
    home.write(".gemini/settings.json", "{}");
    for name in ["bob", "ann"] {
        let output = home.command(&["init", name]).env("BACKCHANNEL_AGENT", name).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let send = home.command(&["send", "@bob", "unread"]).env("BACKCHANNEL_AGENT", "ann").output().unwrap();
    assert!(send.status.success(), "{send:?}");
    assert!(home.run(&["setup"]).0);
    home.write(".backchannel/proven.json", "{}");
    home.write(".backchannel/live/.gemini/settings.json", "{}");
    home
}

#[test]
fn purge_says_what_is_unread_and_leaves_nothing() {
    let home = home();
    let output = home.bch(&["uninstall", "--purge", "--dry-run"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("@bob, 1 unread") && text.contains("@ann, 0 unread"), "{text}");
    assert!(home.file(".backchannel/config.json").exists() && home.file(".local").exists());
    // Without --yes and without a terminal nothing goes.
    let output = home.bch(&["uninstall", "--purge"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(home.file(".backchannel/config.json").exists() && home.file(".local").exists());
    let output = home.bch(&["uninstall", "--purge", "--yes"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("@bob, 1 unread"), "{output:?}");
    let names: Vec<_> = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [".gemini"]);
    // With nothing there any more it is done.
    assert!(home.bch(&["uninstall", "--purge", "--yes"]).status.success());
}

#[test]
fn purge_after_uninstall_and_beside_files_of_others() {
    let home = home();
    assert!(home.run(&["uninstall"]).0);
    assert!(home.file(".backchannel/config.json").exists(), "mail is the user's");
    home.write(".backchannel/agents/notes.txt", "mine");
    home.write(".backchannel/mine/file", "mine");
    assert_eq!(home.bch(&["uninstall", "--purge"]).status.code(), Some(1), "nobody is here to ask");
    assert!(home.bch(&["uninstall", "--purge", "--yes"]).status.success());
    assert!(!home.file(".backchannel/config.json").exists() && !home.file(".backchannel/spool").exists());
    assert_eq!(home.read(".backchannel/agents/notes.txt") + &home.read(".backchannel/mine/file"), "minemine");
}

#[test]
fn mail_stays_while_a_harness_is_set_up() {
    let home = home();
    home.write(".codex/AGENTS.md", "# Mine\n");
    assert!(home.run(&["setup", "--only", "codex"]).0);
    home.write(".codex/AGENTS.md", "# Mine\n<!-- backchannel:begin -->\n");
    let output = home.bch(&["uninstall", "--purge", "--yes"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(home.file(".backchannel/spool/bob").exists());
}
