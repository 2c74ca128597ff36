//! The notifier and the block in the crontab, where setup wrote them: there as written, enabled, and running.
//!
//! Only what was set up is asked for: then `systemctl` or `crontab -l` are started, and nothing of the mail goes there.

use std::path::Path;

use super::{Sheet, word};
use crate::edit::{self, Presence};
use crate::install::receipt::{Receipt, Record};
use crate::install::service::{Kind, Manager};
use crate::install::wishes::{Ground, cron};
use crate::install::{CRON, CRONTAB, Fingerprint, NOTIFIER, Store};
use crate::spool::local::files::read_settings;

pub(super) fn look(sheet: &mut Sheet<'_>, ground: &Ground<'_>, receipt: &Receipt) {
    for record in receipt.records() {
        match record.owner.as_str() {
            NOTIFIER => service(sheet, ground, record),
            CRON => crontab(sheet, ground, record),
            _ => {}
        }
    }
}

fn service(sheet: &mut Sheet<'_>, ground: &Ground<'_>, record: &Record) {
    const AGAIN: &str = "bch setup --only notifier";
    let unit = record.path.display();
    match read_settings(&record.path) {
        Err(error) => return sheet.fail("notifier", format!("{unit}: {error}"), AGAIN),
        Ok(found) if Some(Fingerprint::of(&found)) != record.written => {
            let hint = format!("rm {} && {AGAIN}", word(&record.path));
            sheet.warn("notifier", format!("{unit} was changed since setup"), hint);
        }
        Ok(_) => {}
    }
    let kind = Kind::here();
    match Manager::find(ground.env).map(|manager| manager.state()) {
        None => {
            let detail = "no service manager answers here, so that nobody knows whether it runs";
            sheet.warn("notifier", detail, kind.status_command());
        }
        Some(Err(fault)) => sheet.warn("notifier", fault.to_string(), kind.status_command()),
        Some(Ok(state)) if !state.is_running && !state.is_enabled => {
            let detail = "it is switched off: nobody is notified of urgent mail";
            sheet.warn("notifier", detail, "bch setup --only notifier   # or: bch uninstall --only notifier");
        }
        Some(Ok(state)) if !state.is_running => {
            let hint =
                format!("{}   # and if it stops again: {}", kind.restart_command(), kind.status_command());
            sheet.fail(
                "notifier",
                "it was set up, and does not run: nobody is notified of urgent mail",
                hint,
            );
        }
        Some(Ok(state)) if !state.is_enabled => {
            sheet.warn("notifier", "it runs, and does not start at the next login", AGAIN);
        }
        Some(Ok(_)) => sheet.ok("notifier", format!("{unit} runs")),
    }
}

fn crontab(sheet: &mut Sheet<'_>, ground: &Ground<'_>, record: &Record) {
    const AGAIN: &str = "bch setup --only cron";
    let found = match Store::crontab(ground.env).bytes(Path::new(CRONTAB)) {
        Ok(found) => found.unwrap_or_default(),
        Err(error) => {
            return sheet.fail("cron", error.to_string(), error.hint().unwrap_or_else(|| AGAIN.to_owned()));
        }
    };
    let Some(ours) = &record.entries else { return };
    match edit::find(ours.format, &found, &ours.entries) {
        Err(refusal) => {
            let detail = format!("{CRONTAB}:{}:{}: {refusal}", refusal.line, refusal.column);
            sheet.fail("cron", detail, format!("crontab -e   # line {}", refusal.line));
        }
        Ok(found) if found.contains(&Presence::Absent) => {
            sheet.fail("cron", "our block is not in your crontab any more", AGAIN);
        }
        Ok(found) if found.iter().any(|found| *found != Presence::AsWritten) => {
            sheet.fail("cron", "our block in your crontab was changed", AGAIN);
        }
        Ok(_) => sheet.ok("cron", "our block is in your crontab"),
    }
    for step in cron::steps(ground) {
        sheet.warn("cron", step.what, step.how);
    }
}
