//! `doctor`: each check, and the command that mends what failed.

use serde_json::json;

use super::setup::Site;
use super::{Silent, open_spool, output};
use crate::config::Config;
use crate::doctor::{self, Check, Status};
use crate::env::Env;

pub(super) fn doctor(json: bool, env: &Env) -> anyhow::Result<()> {
    let site = Site::open(env)?;
    let config = Config::load(env)?;
    let spool = open_spool(&config, env)?;
    let agent = super::agent(&config, env).ok();
    let env = site.env.with(site.receipt.environment());
    let mut ground = site.ground(false);
    ground.env = &env;
    let checks = doctor::examine(&ground, &site.receipt, &spool, agent.as_ref());
    let is_well = doctor::is_well(&checks);
    if json {
        output::print_json(&json!({ "ok": is_well, "checks": checks }))?;
    } else {
        output::print(&output::plain(&text(&checks)))?;
    }
    if is_well { Ok(()) } else { Err(Silent.into()) }
}

pub(super) fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    let mut place = None;
    for check in checks {
        if place != Some(&check.harness) {
            text.push_str(check.harness.as_deref().unwrap_or("this machine"));
            text.push('\n');
            place = Some(&check.harness);
        }
        let word = match check.status {
            Status::Ok => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        text.push_str(&format!("  {word}  {}: {}\n", check.check, check.detail));
        if let Some(hint) = &check.hint {
            text.push_str(&format!("        hint: {hint}\n"));
        }
    }
    let failed = checks.iter().filter(|check| check.status == Status::Fail).count();
    text.push_str(&match failed {
        0 => "all is well\n".to_owned(),
        1 => "one check failed\n".to_owned(),
        many => format!("{many} checks failed\n"),
    });
    text
}
