//! The relay's unit, and the documents about it.

use std::fs;
use std::path::Path;
use std::process::Command;

use backchannel::relay::options::LIMITS;

use crate::support::home::BCH;
use crate::support::is_left_out;

fn text(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn systemd_finds_nothing_amiss_in_the_relays_unit() {
    const UNIT: &str = "backchannel-relay.service";
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join(UNIT);
    // The one thing of it that is not here.
    fs::write(&file, text(&format!("templates/{UNIT}")).replace("/usr/local/bin/bch", BCH)).unwrap();
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(&file).env("XDG_RUNTIME_DIR", directory.path());
    let Ok(output) = verify.output() else {
        assert!(is_left_out(Err("systemd-analyze is missing, so nobody verified the relay's unit".into())));
        return;
    };
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !told.contains(UNIT), "{told}");
    // 0 is out of reach, 100 is a service without any hardening; `ssh.service` of Debian has 96.
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager", "--threshold=15"]).arg(&file);
    let output = security.env("XDG_RUNTIME_DIR", directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn the_document_has_every_limit_and_every_flag() {
    let document = text("docs/relay.md");
    for limit in LIMITS {
        assert!(document.contains(&format!("| `{limit}` |")), "{limit}");
    }
    let output = Command::new(BCH).args(["relay", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let flags = help
        .split_whitespace()
        .filter(|word| word.starts_with("--") && !["--help", "--json", "--version"].contains(word));
    for flag in flags {
        let flag = flag.trim_matches(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        assert!(document.contains(&format!("`{flag}")), "{flag}");
    }
    for metric in ["backchannel_requests_total", "backchannel_messages_unread"] {
        assert!(document.contains(metric), "{metric}");
    }
}

#[test]
fn the_protocol_has_every_route() {
    let (routes, document) = (text("src/relay/routes/mod.rs"), text("docs/protocol.md"));
    let paths: Vec<_> = routes.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(paths.len() > 15, "{paths:?}");
    for path in paths {
        assert!(document.contains(&format!("`{path}`")), "{path}");
    }
}
