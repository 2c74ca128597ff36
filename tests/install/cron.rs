//! Setup and uninstall of cron through Debian's own `crontab`: the user's crontab to the byte, whatever comes between.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{UserHome, result};
use crate::support::home::feed;
use crate::support::is_left_out;
use crate::support::machine::Machine;

pub(super) const SETUP: [&str; 3] = ["setup", "--only", "cron"];
const BEGIN: &str = "# >>> backchannel >>>";

/// A user with an agent, and the system's cron with nothing in its spool.
pub(super) struct Crontab {
    pub(super) home: UserHome,
    pub(super) machine: Machine,
    /// Where `crontab` is looked for first.
    pub(super) programs: PathBuf,
}

impl Crontab {
    pub(super) fn new() -> Option<Self> {
        if is_left_out(Machine::is_possible(&["/usr/sbin/cron", "/usr/bin/crontab"])) {
            return None;
        }
        let home = UserHome::unprivileged();
        home.give();
        let (machine, programs) = (Machine::new(home.path()), home.file("programs"));
        fs::create_dir(&programs).unwrap();
        let crontab = Self { home, machine, programs };
        assert!(crontab.bch(&["init", "bob"]).status.success());
        Some(crontab)
    }

    pub(super) fn ours(&self, words: &[&str]) -> Command {
        let mut command = self.home.command(words);
        command.env("PATH", format!("{}:/usr/bin:/bin", self.programs.display()));
        command
    }

    pub(super) fn bch(&self, words: &[&str]) -> Output {
        self.machine.command(&self.ours(words)).output().unwrap()
    }

    pub(super) fn as_agent(&self, agent: &str, words: &[&str]) -> Output {
        self.machine.command(self.ours(words).env("BACKCHANNEL_AGENT", agent)).output().unwrap()
    }

    #[track_caller]
    pub(super) fn run(&self, words: &[&str]) -> (bool, Value) {
        UserHome::report(words, &self.bch(&[words, &["--yes", "--json"]].concat()))
    }

    fn crontab(&self, words: &[&str]) -> Command {
        let mut command = Command::new("/usr/bin/crontab");
        command.args(words);
        self.machine.command(&command)
    }

    /// Gives the user a crontab, as they would.
    #[track_caller]
    pub(super) fn install(&self, text: &str) {
        let output = feed(&mut self.crontab(&["-"]), text.as_bytes());
        assert!(output.status.success(), "{output:?}");
    }

    /// The user's crontab; `None` where there is none.
    pub(super) fn list(&self) -> Option<String> {
        let output = self.crontab(&["-l"]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// Puts a program before the system's `crontab`.
    pub(super) fn wrap(&self, script: &str) {
        let path = self.programs.join("crontab");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn a_crontab_gets_our_block_on_top_and_uninstall_gives_back_its_bytes() {
    let Some(crontab) = Crontab::new() else { return };
    let before = "MAILTO=\"\"\n# caf\u{e9}\t\n# mine \n\n  0 5 * * *  x 'a\\r' %in\\%put\n@daily y\n\n";
    crontab.install(before);
    let shown = crontab.bch(&[&SETUP[..], &["--dry-run"]].concat());
    assert!(String::from_utf8_lossy(&shown.stdout).contains("--- crontab\n+++ crontab\n@@ -1,"), "{shown:?}");
    assert_eq!(crontab.list().as_deref(), Some(before));
    let (done, report) = crontab.run(&SETUP);
    assert!(done && result(&report, "cron") == "changed", "{report}");
    let after = crontab.list().unwrap();
    let data = crontab.home.file(".local/share/backchannel/bin");
    let (block, rest) = after.split_once("# <<< backchannel <<<\n").unwrap();
    assert_eq!(rest, before);
    let lines: Vec<_> = block.lines().collect();
    assert!(lines[0].starts_with(BEGIN));
    assert_eq!(lines[1], format!("PATH=/usr/bin:/bin:/usr/sbin:/sbin:{}", data.display()));
    assert_eq!(lines[2], "BACKCHANNEL_AGENT=bob");
    let home = crontab.home.file(".backchannel");
    let words = format!("'{}/bch' notify --once --home '{}'", data.display(), home.display());
    assert_eq!(lines[3..], [format!("* * * * * {words} >/dev/null 2>&1 || true")]);

    let receipt = crontab.home.read(".local/share/backchannel/receipt.json");
    let (done, report) = crontab.run(&SETUP);
    assert!(done && result(&report, "cron") == "unchanged", "{report}");
    assert_eq!(crontab.list().unwrap(), after);
    assert_eq!(crontab.home.read(".local/share/backchannel/receipt.json"), receipt);
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list().as_deref(), Some(before));
    assert!(!crontab.home.file(".local").exists());
}

#[test]
fn what_the_user_changes_meanwhile_stays_and_setup_puts_our_block_right() {
    let Some(crontab) = Crontab::new() else { return };
    crontab.install("0 5 * * * x\n");
    assert!(crontab.run(&SETUP).0);
    let text = crontab.list().unwrap();
    crontab.install(&format!("# first\n{}1 1 * * * later\n", text.replace("AGENT=bob", "AGENT=eve")));
    let (done, report) = crontab.run(&SETUP);
    assert!(done && result(&report, "cron") == "changed", "{report}");
    assert_eq!(crontab.list().unwrap(), format!("# first\n{text}1 1 * * * later\n"));
    assert!(crontab.run(&[&SETUP[..], &["--identity", "cron=night"]].concat()).0);
    assert_eq!(count(&crontab.list().unwrap(), "BACKCHANNEL_AGENT=night"), 1);
    assert!(crontab.run(&["uninstall", "--only", "cron"]).0);
    assert_eq!(crontab.list().unwrap(), "# first\n0 5 * * * x\n1 1 * * * later\n");

    // Without a receipt our block is known by the programs in it; that of another home is left alone.
    assert!(crontab.run(&SETUP).0);
    fs::remove_file(crontab.home.file(".local/share/backchannel/receipt.json")).unwrap();
    let other = crontab.list().unwrap().replace("/share/backchannel/bin\n", "/share/other/bin\n");
    crontab.install(&other);
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list().unwrap(), other);
    crontab.install(&other.replace("/share/other/bin\n", "/share/backchannel/bin\n"));
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list().unwrap(), "# first\n0 5 * * * x\n1 1 * * * later\n");
}

#[test]
fn where_there_was_no_crontab_none_is_left_and_an_empty_one_stays() {
    let Some(crontab) = Crontab::new() else { return };
    assert_eq!(crontab.list(), None);
    let (done, report) = crontab.run(&SETUP);
    assert!(done && report.to_string().contains("\"action\":\"made\""), "{report}");
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list(), None);
    crontab.install("");
    assert!(crontab.run(&SETUP).0);
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list().as_deref(), Some(""));
    // Setup without a name never touches it.
    fs::create_dir(crontab.home.file(".codex")).unwrap();
    crontab.home.give();
    assert!(crontab.run(&["setup"]).0);
    assert_eq!(crontab.list().as_deref(), Some(""));
}

#[test]
fn a_setting_of_the_users_below_ours_is_told() {
    let Some(crontab) = Crontab::new() else { return };
    crontab.install("# PATH=/comment\nPATH = /opt/bin\n0 5 * * * x\nBACKCHANNEL_AGENT=eve\n");
    let shown = crontab.bch(&[&SETUP[..], &["--yes"]].concat());
    let shown = String::from_utf8(shown.stdout).unwrap();
    let data = crontab.home.file(".local/share/backchannel/bin");
    assert!(shown.contains(&format!("1. line 7 of your crontab sets PATH: add `:{}` to it", data.display())));
    assert!(shown.contains("2. line 9 of your crontab sets BACKCHANNEL_AGENT"), "{shown}");
    let text = crontab.list().unwrap();
    crontab.install(&text.replace("/opt/bin\n", &format!("/opt/bin:{}\n", data.display())));
    let (done, report) = crontab.run(&SETUP);
    assert!(done && !report.to_string().contains("sets PATH"), "{report}");
}

#[test]
fn a_crontab_that_another_program_changes_just_then_is_planned_again() {
    let Some(crontab) = Crontab::new() else { return };
    crontab.install("0 5 * * * x\n");
    // Between the plan's look and the one before the write.
    crontab.wrap(
        r#"cd "${0%/*}"; [ "$1" = -l ] && echo >>looks && [ "$(grep -c ^ looks)" = 2 ] &&
{ /usr/bin/crontab -l; echo "1 1 * * * late"; } | /usr/bin/crontab -
exec /usr/bin/crontab "$@""#,
    );
    crontab.home.give();
    let (done, report) = crontab.run(&SETUP);
    assert!(done && result(&report, "cron") == "changed", "{report}");
    let text = crontab.list().unwrap();
    assert!(text.starts_with(BEGIN) && text.ends_with("0 5 * * * x\n1 1 * * * late\n"), "{text}");
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list().unwrap(), "0 5 * * * x\n1 1 * * * late\n");
}

#[test]
fn the_lines_that_a_crontab_program_writes_on_top_are_nobodys() {
    let Some(crontab) = Crontab::new() else { return };
    let header = |text: &str| count(text, "# DO NOT EDIT THIS FILE");
    crontab.install("0 5 * * * x\n");
    crontab.wrap("CRONTAB_NOHEADER=N exec env CRONTAB_NOHEADER=N /usr/bin/crontab \"$@\"");
    for words in [&SETUP[..], &["uninstall"]] {
        assert!(crontab.run(words).0);
        assert_eq!(header(&fs::read_to_string(crontab.machine.crontab()).unwrap()), 1);
    }
    assert_eq!(crontab.list().unwrap(), "0 5 * * * x\n");
    // Debian's keeps its own back: what looks like it is the user's.
    crontab.wrap("exec /usr/bin/crontab \"$@\"");
    let own = fs::read_to_string(crontab.machine.crontab()).unwrap();
    crontab.install(&own);
    assert!(crontab.run(&SETUP).0);
    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list().unwrap(), own);
}

#[test]
fn setup_that_is_killed_at_any_call_leaves_the_crontab_whole() {
    let Some(crontab) = Crontab::new() else { return };
    let version = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    if is_left_out(version.map(drop).map_err(|_| "strace is missing, so no crontab was struck".into())) {
        return;
    }
    let before = "0 5 * * * x\n";
    crontab.install(before);
    assert!(crontab.run(&SETUP).0);
    let after = crontab.list().unwrap();
    assert!(crontab.run(&["uninstall", "--only", "cron"]).0);
    let mut count = 0;
    for call in ["execve", "rename", "unlink", "write", "fsync", "pipe2"] {
        for number in 1.. {
            let place = format!("{call} {number}");
            let strike = |words: &[&str]| {
                let trace = tempfile::NamedTempFile::new().unwrap();
                let (calls, fault) =
                    (format!("trace={call}"), format!("inject={call}:signal=SIGKILL:when={number}"));
                let strace = ["-f", "-qq", "-o", trace.path().to_str().unwrap(), "-e", &calls, "-e", &fault];
                let ours = self::Crontab::ours(&crontab, &[words, &["--yes"]].concat());
                crontab.machine.traced(&strace, &ours).output().unwrap();
                let was_struck = fs::read_to_string(trace.path()).unwrap().contains("killed by SIGKILL");
                let now = crontab.list().unwrap();
                assert!(now == before || now == after, "{place}: {now}");
                was_struck
            };
            // The first call of `execve` is the one by which strace starts it.
            let is_start = call == "execve" && number <= 2;
            if !is_start && !strike(&SETUP) {
                break;
            }
            count += 1;
            assert!(crontab.run(&SETUP).0, "{place}");
            assert_eq!(crontab.list().unwrap(), after, "{place}");
            if !is_start {
                strike(&["uninstall", "--only", "cron"]);
            }
            assert!(crontab.run(&["uninstall", "--only", "cron"]).0, "{place}");
            assert_eq!(crontab.list().unwrap(), before, "{place}");
        }
    }
    println!("killed at {count} calls");
    assert!(count > 15, "{count}: too little was struck");
}
