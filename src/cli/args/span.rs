//! A span of time, as a person writes it.

use jiff::{SignedDuration, Span, SpanRelativeTo};

/// Reads a span in which a day is 24 hours.
pub(super) fn span(text: &str) -> Result<SignedDuration, String> {
    let span: Span = text.parse().map_err(|_| "it is no span such as `7d` or `12h`".to_owned())?;
    match span.to_duration(SpanRelativeTo::days_are_24_hours()) {
        Ok(span) if span.as_secs() > 0 => Ok(span),
        Ok(_) => Err("it lasts less than a second".to_owned()),
        Err(_) => Err("a month and a year are no fixed number of days".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_weeks_are_spans_and_nothing_is_none() {
        for (text, hours) in [("7d", 7 * 24), ("12h", 12), ("1w", 7 * 24), ("1 day 1 hour", 25)] {
            assert_eq!(span(text), Ok(SignedDuration::from_hours(hours)), "{text}");
        }
        for text in ["0s", "-5m", "1mo", "1y", "soon", "", "10", "99999999999999d"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
