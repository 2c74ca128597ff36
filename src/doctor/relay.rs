//! The relay that a home's mail is at: whether it answers this agent, how fast, and what waits here to be sent.

use std::time::Instant;

use super::{Check, Status};
use crate::spool::Spool as _;
use crate::spool::relay::RelaySpool;

/// Looks at it.
#[must_use]
pub fn look(spool: &RelaySpool) -> Check {
    let begun = Instant::now();
    let asked = spool.channels();
    let ms = Some(begun.elapsed().as_secs_f64() * 1000.0);
    let check = Check {
        harness: None,
        check: "relay",
        status: Status::Ok,
        detail: String::new(),
        hint: None,
        ms: None,
    };
    let (url, queued) = (spool.url(), spool.queued().unwrap_or_default());
    match asked {
        Ok(_) if queued == 0 => Check { detail: format!("{url} answers and knows this agent"), ms, ..check },
        Ok(_) => Check {
            status: Status::Warn,
            detail: format!("{url} answers; waiting here to be sent: {queued}"),
            hint: Some("bch drain".to_owned()),
            ms,
            ..check
        },
        Err(error) => Check {
            status: Status::Fail,
            detail: if queued == 0 {
                error.to_string()
            } else {
                format!("{error}; waiting here to be sent: {queued}")
            },
            hint: Some(error.hint().unwrap_or_else(|| format!("curl {url}/v1/health"))),
            ..check
        },
    }
}
