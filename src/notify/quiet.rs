//! Quiet hours: a span of the day, in local time, in which nothing is shown.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;
use jiff::{Timestamp, ToSpan, ZonedDateTime};
use serde::Deserialize;

/// `22:00-07:00`: from the first time of day to the second, over midnight where the second is earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct QuietHours {
    from: Time,
    to: Time,
}

/// A text that is no span of the day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` are no quiet hours: write \"22:00-07:00\", two different times of the day")]
pub struct InvalidHours(String);

impl QuietHours {
    /// When the quiet in which `now` lies is over; `None` where it is not quiet.
    ///
    /// Both ends are moments: where a clock is put forward over one, it is as much later; where it is put back and
    /// shows an end twice, the first time counts.
    #[must_use]
    pub fn end(&self, now: &ZonedDateTime) -> Option<Timestamp> {
        let moment = |days: i32, time: Time| {
            let date = now.date().checked_add(days.days()).ok()?;
            Some(date.to_datetime(time).to_zoned_datetime(now.time_zone().clone()).ok()?.timestamp())
        };
        let nights = i32::from(self.to < self.from);
        let now_at = now.timestamp();
        // It may have begun today, or yesterday and go over midnight.
        [-1, 0].into_iter().find_map(|day| {
            let (begin, end) = (moment(day, self.from)?, moment(day + nights, self.to)?);
            (begin <= now_at && now_at < end).then_some(end)
        })
    }
}

impl FromStr for QuietHours {
    type Err = InvalidHours;

    fn from_str(text: &str) -> Result<Self, InvalidHours> {
        let invalid = || InvalidHours(text.chars().take(40).flat_map(char::escape_default).collect());
        let (from, to) = text.split_once('-').ok_or_else(invalid)?;
        let time = |text: &str| -> Option<Time> {
            let (hour, minute) = text.trim().split_once(':')?;
            let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
                true => text.parse::<i8>().ok(),
                false => None,
            };
            Time::new(number(hour)?, number(minute)?, 0, 0).ok()
        };
        let (from, to) = (time(from).ok_or_else(invalid)?, time(to).ok_or_else(invalid)?);
        if from == to { Err(invalid()) } else { Ok(Self { from, to }) }
    }
}

impl TryFrom<String> for QuietHours {
    type Error = InvalidHours;

    fn try_from(text: String) -> Result<Self, InvalidHours> {
        text.parse()
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.from.strftime("%H:%M"), self.to.strftime("%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    /// Central Europe, and its changes of the clock.
    fn at(text: &str) -> ZonedDateTime {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        text.parse::<Timestamp>().unwrap().to_zoned_datetime(zone)
    }

    fn end(hours: &str, now: &str) -> Option<String> {
        let end = hours.parse::<QuietHours>().unwrap().end(&at(now));
        end.map(|end| end.to_string())
    }

    #[test]
    fn quiet_goes_over_midnight() {
        let night = "22:00-07:00";
        assert_eq!(end(night, "2026-11-24T20:59:59Z"), None);
        assert_eq!(end(night, "2026-11-24T21:00:00Z").unwrap(), "2026-11-25T06:00:00Z");
        assert_eq!(end(night, "2026-11-25T05:59:59Z").unwrap(), "2026-11-25T06:00:00Z");
        assert_eq!(end(night, "2026-11-25T06:00:00Z"), None);
        let noon = "12:00-13:30";
        assert_eq!(end(noon, "2026-11-25T10:59:59Z"), None);
        assert_eq!(end(noon, "2026-11-25T11:00:00Z").unwrap(), "2026-11-25T12:30:00Z");
        assert_eq!(end(noon, "2026-11-25T12:30:00Z"), None);
    }

    #[test]
    fn quiet_follows_the_clock_when_it_is_put_forward_or_back() {
        let night = "22:00-07:00";
        // The night of 2026-03-28 lacks an hour, that of 2026-10-24 has one more.
        assert_eq!(end(night, "2026-03-28T22:00:00Z").unwrap(), "2026-03-29T05:00:00Z");
        assert_eq!(end(night, "2026-10-24T22:00:00Z").unwrap(), "2026-10-25T06:00:00Z");
        // An end that the clock leaps over, and one that it shows twice.
        assert_eq!(end("22:00-02:30", "2026-03-28T22:00:00Z").unwrap(), "2026-03-29T01:30:00Z");
        assert_eq!(end("22:00-02:30", "2026-10-24T22:00:00Z").unwrap(), "2026-10-25T00:30:00Z");
        assert_eq!(end("22:00-02:30", "2026-10-25T01:10:00Z"), None);
    }

    #[test]
    fn what_is_no_span_of_the_day_is_refused() {
        for text in
            ["", "22:00", "22-7", "22:00-24:00", "7:60-8:00", "+7:00-8:00", "9:00-9:00", "22:00-07:00 CET"]
        {
            assert!(text.parse::<QuietHours>().is_err(), "{text}");
        }
        assert_eq!(" 7:05 - 22:00 ".parse::<QuietHours>().unwrap().to_string(), "07:05-22:00");
    }
}
