//! The brain that a home's mail is in: whether it knows the token, how fast it answers, who is in the room, and what waits
//! here to be sent.

use std::time::Instant;

use super::{Check, Status};
use crate::spool::brain::BrainSpool;

/// What has to be known where the first version reads along: it takes a message without looking at marks.
const MARKS: &str = "a reader of the first version in this room ignores claims, and takes what another shows";

/// Looks at it.
#[must_use]
pub fn look(spool: &BrainSpool) -> Check {
    let begun = Instant::now();
    let asked = spool.look_over();
    let ms = Some(begun.elapsed().as_secs_f64() * 1000.0);
    let (url, room, queued) = (spool.url(), spool.room(), spool.queued().unwrap_or_default());
    let made = |status, detail: String, hint: Option<String>| {
        let detail =
            if queued == 0 { detail } else { format!("{detail}; waiting here to be sent: {queued}") };
        Check { harness: None, check: "brain", status, detail, hint, ms }
    };
    let state = match asked {
        Ok(state) => state,
        Err(error) => {
            let hint = error.hint().unwrap_or_else(|| format!("curl {url}"));
            return Check { ms: None, ..made(Status::Fail, error.to_string(), Some(hint)) };
        }
    };
    let whose = state.user.map_or_else(String::new, |user| format!(" of {user}"));
    if !state.missing.is_empty() {
        let missing = state.missing.join(" and ");
        let detail = format!("{url} knows this token{whose}, which lacks the scope {missing}");
        let hint = "bch init NAME --brain --brain-room ROOM   # with a token that may read and write";
        return made(Status::Fail, detail, Some(hint.to_owned()));
    }
    let agent = spool.own_name();
    if !state.is_registered {
        let detail = format!("{url} knows this token{whose}, and room {room} has no agent @{agent}");
        return made(Status::Fail, detail, Some(format!("bch init {agent} --brain --brain-room {room}")));
    }
    let detail = format!("{url} knows this token{whose}; room {room} has agents: {}; {MARKS}", state.agents);
    match queued {
        0 => made(Status::Ok, detail, None),
        _ => made(Status::Warn, detail, Some("bch drain".to_owned())),
    }
}
