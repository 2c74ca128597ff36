//! `doctor`: what `--fix` mended, each check as it is made, and the command that mends what failed.

mod page;
mod screen;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::args::DoctorArguments;
use super::mail::{open_brain, open_relay};
use super::setup::{self, Site};
use super::{Silent, mistake, output};
use crate::config::Config;
use crate::credentials::Credentials;
use crate::doctor::fix::{self, Mended};
use crate::doctor::proven::Proven;
use crate::doctor::{self, Check, Prover, Status, Subject};
use crate::env::Env;
use crate::install::lock::SetupLock;
use crate::spool::Spool;
use crate::spool::local::LocalSpool;
use page::Report;
pub(super) use page::text;

pub(super) fn doctor(arguments: &DoctorArguments, json: bool, env: &Env) -> anyhow::Result<()> {
    let stop = match arguments.fix || arguments.proves() {
        true => setup::watch_for_signals()?,
        false => Arc::default(),
    };
    let (mut mended, mut page) = (Mended::default(), page::report(json, env));
    // What keeps doctor from looking is a finding, too.
    let checks = look(arguments, env, &stop, &mut mended, &mut *page).unwrap_or_else(|error| {
        let check = unseen(&error);
        page.found(&check);
        vec![check]
    });
    if stop.load(std::sync::atomic::Ordering::Relaxed) {
        return Err(mistake("doctor was stopped; what it made for its proof is gone", "bch doctor --prove"));
    }
    let is_well = doctor::is_well(&checks);
    if json {
        let mut report = json!({ "ok": is_well, "checks": checks });
        if arguments.fix {
            report["fixed"] = json!(mended.fixed);
        }
        output::print_json(&report)?;
    }
    page.end(&checks)?;
    for (what, error) in &mended.refused {
        output::remark("error", &format!("{what}: {error}"));
        if let Some(hint) = error.hint() {
            output::remark("hint", &hint);
        }
    }
    if is_well { Ok(()) } else { Err(Silent.into()) }
}

fn look(
    arguments: &DoctorArguments,
    env: &Env,
    stop: &AtomicBool,
    mended: &mut Mended,
    page: &mut dyn Report,
) -> anyhow::Result<Vec<Check>> {
    // What mends files does it under the lock of setup and uninstall, and only one drives harnesses at a time.
    let home = env.home().filter(|_| arguments.fix || arguments.live);
    let _lock = home.map(|home| SetupLock::take(&home)).transpose()?;
    let site = Site::open(env)?;
    let config = Config::load(env)?;
    let spool = LocalSpool::open_for_a_look(&config.home, env, config.settings()?.recent_minutes);
    let agent = super::agent(&config, env).ok();
    let credentials = agent.as_ref().map(|agent| Credentials::kept(&config, agent)).transpose()?.flatten();
    let (brain, relay): (Option<_>, Option<_>) =
        (credentials.clone().filter(|one| one.brain), credentials.filter(|one| !one.brain));
    let relay = relay.map(|relay| open_relay(&config, relay, env)).transpose()?;
    let brain = brain.map(|brain| open_brain(&config, brain, env)).transpose()?;
    let mail: &dyn Spool = match (&relay, &brain) {
        (Some(relay), _) => relay,
        (None, Some(brain)) => brain,
        (None, None) => &spool,
    };
    // Files that a variable moved at setup are still there when it is not set any more.
    let env = site.env.with(site.receipt.environment());
    let mut ground = site.ground(false);
    ground.env = &env;
    let mut receipt = site.receipt.clone();
    if arguments.fix {
        let programs = site.programs().ok();
        *mended = fix::fix(&ground, &mut receipt, programs.as_deref(), stop);
        page.fixed(&mended.fixed);
    }
    let prover = Prover { mail: &spool, is_live: arguments.live, stop };
    let prover = arguments.proves().then_some(&prover);
    let (ground, receipt, agent) = (&ground, &receipt, agent.as_ref());
    let mut checks: Vec<_> = relay.as_ref().map(doctor::relay::look).into_iter().collect();
    checks.extend(brain.as_ref().map(doctor::brain::look));
    checks.iter().for_each(|check| page.found(check));
    checks.extend(doctor::examine(Subject { ground, receipt, mail, agent, prover }, page));
    if prover.is_some_and(|prover| !prover.is_stopped()) {
        let mut proven = Proven::load(&ground.home);
        proven.learn(&checks, &env);
        // A disk that is full or read-only: what was proven is told, and not remembered.
        if let Err(error) = proven.save(&ground.home) {
            let hint = error.hint().unwrap_or_else(|| "df -h ~".to_owned());
            let (check, detail) = ("proven", error.to_string());
            let check =
                Check { harness: None, check, status: Status::Warn, detail, hint: Some(hint), ms: None };
            page.found(&check);
            checks.push(check);
        }
    }
    Ok(checks)
}

/// Why nothing was looked at.
fn unseen(error: &anyhow::Error) -> Check {
    Check {
        harness: None,
        check: "home",
        status: Status::Fail,
        detail: super::chain(error),
        hint: Some(super::hint(error).unwrap_or_else(|| "ls -la ~/.backchannel".to_owned())),
        ms: None,
    }
}
