//! What its person holds back: a pause, a directory in which nothing is delivered, who is muted and blocked.
//!
//! It is somebody's will: doctor tells it, and never lifts it.

use super::Sheet;
use crate::attention::Attention;
use crate::install::wishes::Ground;

pub(super) fn look(sheet: &mut Sheet<'_>, ground: &Ground<'_>) {
    let attention = match Attention::load(&ground.home) {
        Ok(attention) => attention,
        Err(error) => {
            let hint = error.hint().unwrap_or_else(|| "bch pause && bch resume".to_owned());
            sheet.fail("attention", format!("no agent is shown mail: {error}"), hint);
            return;
        }
    };
    if attention.is_paused(ground.env.now()) {
        let until = attention.paused.as_ref().and_then(|pause| pause.until);
        let until =
            until.map_or_else(|| "until somebody resumes".to_owned(), |until| format!("until {until:.0}"));
        sheet.warn("attention", format!("mail is paused {until}"), "bch resume");
    }
    if let Some(here) = ground.env.directory().filter(|here| attention.is_off(here)) {
        let detail = format!("no agent that works in {} is shown mail", here.display());
        sheet.warn("attention", detail, "bch resume --here");
    }
    let names = |list: &[crate::message::Address]| {
        list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    for (word, list) in [("muted", attention.muted.clone()), ("blocked", attention.blocked())] {
        if !list.is_empty() {
            sheet.ok("attention", format!("{word}: {}", names(&list)));
        }
    }
}
