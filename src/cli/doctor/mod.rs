//! `doctor`: what `--fix` mended, each check, and the command that mends what failed.

use serde_json::json;

use super::setup::{self, Site};
use super::{Silent, output};
use crate::config::Config;
use crate::doctor::fix::{self, Mended};
use crate::doctor::{self, Check, Status};
use crate::env::Env;
use crate::install::lock::SetupLock;
use crate::spool::local::LocalSpool;

pub(super) fn doctor(fix: bool, json: bool, env: &Env) -> anyhow::Result<()> {
    let mut mended = Mended::default();
    // What keeps doctor from looking is a finding, too.
    let checks = look(fix, env, &mut mended).unwrap_or_else(|error| vec![unseen(&error)]);
    let is_well = doctor::is_well(&checks);
    if json {
        let mut report = json!({ "ok": is_well, "checks": checks });
        if fix {
            report["fixed"] = json!(mended.fixed);
        }
        output::print_json(&report)?;
    } else {
        let fixed: String = mended.fixed.iter().map(|line| format!("fixed  {line}\n")).collect();
        output::print(&output::plain(&(fixed + &text(&checks))))?;
    }
    for (what, error) in &mended.refused {
        output::remark("error", &format!("{what}: {error}"));
        if let Some(hint) = error.hint() {
            output::remark("hint", &hint);
        }
    }
    if is_well { Ok(()) } else { Err(Silent.into()) }
}

fn look(fix: bool, env: &Env, mended: &mut Mended) -> anyhow::Result<Vec<Check>> {
    // What mends files does it under the lock of setup and uninstall.
    let home = env.home().filter(|_| fix);
    let _lock = home.map(|home| SetupLock::take(&home)).transpose()?;
    let site = Site::open(env)?;
    let config = Config::load(env)?;
    super::check_backend(&config)?;
    let spool = LocalSpool::open_for_a_look(&config.home, env, config.settings()?.recent_minutes);
    let agent = super::agent(&config, env).ok();
    // Files that a variable moved at setup are still there when it is not set any more.
    let env = site.env.with(site.receipt.environment());
    let mut ground = site.ground(false);
    ground.env = &env;
    let mut receipt = site.receipt.clone();
    if fix {
        let (programs, stop) = (site.programs().ok(), setup::watch_for_signals()?);
        *mended = fix::fix(&ground, &mut receipt, programs.as_deref(), &stop);
    }
    Ok(doctor::examine(&ground, &receipt, &spool, agent.as_ref()))
}

/// Why nothing was looked at.
fn unseen(error: &anyhow::Error) -> Check {
    Check {
        harness: None,
        check: "home",
        status: Status::Fail,
        detail: super::chain(error),
        hint: Some(super::hint(error).unwrap_or_else(|| "ls -la ~/.backchannel".to_owned())),
    }
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
