//! The nightly job of docs/cron.md, run by a real cron: it takes its own mail and reports.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cron::Crontab;
use crate::support::home::succeed;

/// cron runs jobs once a minute.
const LIMIT: Duration = Duration::from_secs(75);

/// The text between two lines of the document.
fn block(begin: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cron.md");
    let text = fs::read_to_string(path).unwrap();
    let (_, rest) = text.rsplit_once(begin).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_nightly_job_of_the_document_takes_its_mail_and_reports_under_a_real_cron() {
    let Some(crontab) = Crontab::new() else { return };
    let inbox = |agent: &str| -> Vec<Value> {
        let output = crontab.as_agent(agent, &["inbox", "--all", "--json"]);
        serde_json::from_str(&succeed(&output)).unwrap()
    };
    succeed(&crontab.as_agent("alice", &["init", "alice"]));
    let job = block("```crontab\n").replace("30 2 * * *", "* * * * *");
    crontab.install(&job);
    assert!(crontab.run(&["setup", "--only", "cron", "--identity", "cron=night"]).0);
    succeed(&crontab.as_agent("bob", &["send", "@night", "look at 50% of $(touch PWNED)"]));
    for (name, text) in [
        ("bin/nightly", block("```sh\n")),
        (
            "project/run-tests",
            "#!/bin/sh\nenv >\"$HOME/environment\"; command -v bch; echo broken; exit 1\n".into(),
        ),
    ] {
        let path = crontab.home.write(name, text);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    crontab.home.give();

    let daemon = crontab.machine.start_cron();
    let start = Instant::now();
    while inbox("alice").is_empty() {
        assert!(start.elapsed() < LIMIT, "cron ran no job of ours");
        thread::sleep(Duration::from_millis(200));
    }
    drop(daemon);
    let report = &inbox("alice")[0];
    assert_eq!(report["from"], "night");
    let data = crontab.home.file(".local/share/backchannel/bin");
    assert_eq!(report["body"], format!("{}/bch\nbroken\n", data.display()));
    let taken: Vec<Value> = serde_json::from_str(&crontab.home.read("nightly.json")).unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(
        (&taken[0]["from"], &taken[0]["body"]),
        (&"bob".into(), &"look at 50% of $(touch PWNED)".into())
    );
    assert!(inbox("night").is_empty());
    let environment = crontab.home.read("environment");
    let path = format!("PATH=/usr/bin:/bin:/usr/sbin:/sbin:{}", data.display());
    assert!(environment.lines().any(|line| line == path), "{environment}");

    assert!(crontab.run(&["uninstall"]).0);
    assert_eq!(crontab.list().unwrap(), job);
}
