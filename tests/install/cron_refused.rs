//! Crontabs that are not as setup would have them, and `crontab`s that do not do as they are told: nothing of the user's
//! is lost, and what is left says so.

use std::fs;

use super::cron::{Crontab, SETUP};
use super::result;
use crate::support::home::succeed;

#[test]
fn what_crontab_refuses_leaves_everything_as_it_is_and_says_why() {
    let Some(crontab) = Crontab::new() else { return };
    let refused = |wanted: &str| {
        let output = crontab.bch(&[&SETUP[..], &["--yes"]].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(wanted) && told.contains("\nhint: "), "{told}");
    };
    crontab.install("# >>> backchannel >>>\n0 5 * * * x\n");
    refused("crontab:1:1: the block of backchannel has no end\nhint: crontab -e   # line 1");
    crontab.install("# mine\n0 5 * * * x\r\n");
    refused("crontab:2:12: the line ends in a carriage return");
    crontab.install("# caf\u{e9}\n0 5 * * * x\n");
    crontab.wrap("[ \"$1\" = - ] && { echo 'no room' >&2; exit 1; }; exec /usr/bin/crontab \"$@\"");
    refused("could not write the crontab: no room");
    crontab.wrap("[ \"$1\" = - ] && { cat >/dev/null; exit 0; }; exec /usr/bin/crontab \"$@\"");
    refused("the crontab is not what was written to it");
    crontab.wrap("echo 'You (x) are not allowed to use this program (crontab)' >&2; exit 1");
    refused("You (x) are not allowed to use this program (crontab)\nhint: cat /etc/cron.allow");
    crontab.wrap("exec sleep 1000");
    assert_eq!(crontab.list().unwrap(), "# caf\u{e9}\n0 5 * * * x\n");
    let output = crontab.home.bch(&[&SETUP[..], &["--yes"]].concat());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("there is no program `crontab` here"),
        "{output:?}"
    );
    fs::remove_file(crontab.programs.join("crontab")).unwrap();
    assert!(crontab.run(&["uninstall"]).0);
    assert!(!crontab.home.file(".local").exists());
}

#[test]
fn a_job_between_our_marks_is_the_users() {
    let Some(crontab) = Crontab::new() else { return };
    crontab.install("0 5 * * * x\n");
    assert!(crontab.run(&SETUP).0);
    let text = crontab.list().unwrap();
    let job = "30 2 * * * nightly # mine\n";
    let inside = text.replace("# <<<", &format!("{job}# <<<"));
    crontab.install(&inside);
    assert!(crontab.run(&SETUP).0);
    assert_eq!(
        crontab.list().unwrap(),
        text.replace("# <<< backchannel <<<\n", &format!("# <<< backchannel <<<\n{job}"))
    );
    crontab.install(&inside);
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list().unwrap(), format!("{job}0 5 * * * x\n"));
}

#[test]
fn the_block_of_another_backchannel_is_left_alone_until_that_is_gone() {
    let Some(crontab) = Crontab::new() else { return };
    let other = crontab.home.file("other/bin");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("bch"), "").unwrap();
    let text =
        format!("# >>> backchannel >>>\nPATH=/bin:{}\n# <<< backchannel <<<\n0 5 * * * x\n", other.display());
    crontab.install(&text);
    let output = crontab.bch(&[&SETUP[..], &["--yes"]].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    let wanted =
        format!("the crontab has a block of another backchannel, in {}\nhint: crontab -e", other.display());
    assert!(output.status.code() == Some(1) && told.contains(&wanted), "{told}");
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list().unwrap(), text);
    fs::remove_file(other.join("bch")).unwrap();
    assert!(crontab.run(&SETUP).0);
    assert!(crontab.list().unwrap().contains("/.local/share/backchannel/bin\n"));
}

#[test]
fn without_a_receipt_programs_stay_where_nobody_can_look_into_the_crontab() {
    let Some(crontab) = Crontab::new() else { return };
    assert!(crontab.run(&SETUP).0);
    let text = crontab.list().unwrap();
    fs::remove_file(crontab.home.file(".local/share/backchannel/receipt.json")).unwrap();
    crontab.wrap("echo 'You (x) are not allowed to use this program (crontab)' >&2; exit 1");
    let (done, report) = crontab.run(&["uninstall"]);
    assert!(!done && result(&report, "cron") == "refused", "{report}");
    assert!(crontab.home.file(".local/share/backchannel/bin/bch").exists());
    assert_eq!(crontab.list().unwrap(), text);
    fs::remove_file(crontab.programs.join("crontab")).unwrap();
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list(), Some(String::new()), "who made it is not known any more");
}

#[test]
fn uninstall_ends_where_crontab_is_gone_and_says_what_is_left() {
    let Some(crontab) = Crontab::new() else { return };
    assert!(crontab.run(&SETUP).0);
    let mut ours = crontab.ours(&["uninstall", "--yes"]);
    let output = crontab.machine.command(ours.env("PATH", "/nowhere")).output().unwrap();
    let shown = succeed(&output);
    assert!(shown.contains("1. if cron comes back here: take our block out of your crontab"), "{shown}");
    assert!(!crontab.home.file(".local").exists());
}

#[test]
fn what_fails_forgets_no_agent_and_makes_none() {
    let Some(crontab) = Crontab::new() else { return };
    let refusing =
        "[ \"$1\" = - ] && { cat >/dev/null; echo 'no room' >&2; exit 1; }; exec /usr/bin/crontab \"$@\"";
    crontab.wrap(refusing);
    assert!(!crontab.run(&[&SETUP[..], &["--identity", "cron=night"]].concat()).0);
    assert!(!crontab.home.file(".backchannel/agents/night.json").exists(), "nobody reads its mail");
    fs::remove_file(crontab.programs.join("crontab")).unwrap();
    crontab.install("0 5 * * * x\n");
    assert!(crontab.run(&[&SETUP[..], &["--identity", "cron=night"]].concat()).0);
    crontab.wrap(refusing);
    assert!(!crontab.run(&["uninstall", "--only", "cron"]).0);
    fs::remove_file(crontab.programs.join("crontab")).unwrap();
    assert!(crontab.run(&SETUP).0);
    assert!(crontab.list().unwrap().contains("\nBACKCHANNEL_AGENT=night\n"));
}

#[test]
fn without_notifications_there_is_no_job_for_them() {
    let Some(crontab) = Crontab::new() else { return };
    assert!(crontab.run(&[&SETUP[..], &["--no-notify"]].concat()).0);
    let text = crontab.list().unwrap();
    assert!(text.contains("\nPATH=") && !text.contains("notify"), "{text}");
}

#[test]
fn a_crontab_that_writes_no_header_keeps_the_lines_of_the_users_that_look_like_one() {
    let Some(crontab) = Crontab::new() else { return };
    // As cronie: what is written is what is there, whatever a variable says.
    let place = crontab.home.file("cronie");
    crontab.wrap(&format!(
        "case $1 in -l) cat '{0}' 2>/dev/null || {{ echo 'no crontab for x' >&2; exit 1; }};; \
         -) cat >'{0}';; -r) rm '{0}';; esac",
        place.display()
    ));
    let before = "# DO NOT EDIT THIS FILE\n# (x)\n# (y)\n0 5 * * * x\n";
    fs::write(&place, before).unwrap();
    crontab.home.give();
    assert!(crontab.run(&SETUP).0);
    let text = fs::read_to_string(&place).unwrap();
    assert!(
        text.starts_with("# DO NOT EDIT THIS FILE\n# (x)\n# (y)\n# >>> backchannel")
            && text.ends_with("\n0 5 * * * x\n"),
        "{text}"
    );
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(fs::read_to_string(&place).unwrap(), before);
}
