//! What a notification says: who to whom, the scope and the first line, on one line each, with hidden characters
//! shown and clipped to what a corner of the screen holds.
//!
//! It is plain text. Whether the desktop reads markup, and what must be escaped then, is the door's matter.

use crate::message::{Address, AgentName, Message, visible};
use crate::spool::Landed;

/// Letters of a first line that are shown.
const LINE: usize = 200;
/// Letters of a scope that are shown.
const SCOPE: usize = 80;
/// Letters of a first line that is one of several.
const SHORT: usize = 60;
/// Senders that a sum names.
const NAMED: usize = 5;
/// Marks that one letter may bear: a tower of them reaches over what stands above.
const MARKS: usize = 4;

/// A message that waits to be announced: of its body, the first line alone.
#[derive(Debug, Clone)]
pub struct Notice {
    /// Whose mailbox it is in.
    pub agent: AgentName,
    /// The message, without what is not shown.
    pub message: Message,
}

/// A notification as the desktop is to show it; plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// One line, of names and of words of ours.
    pub title: String,
    /// A few lines.
    pub body: String,
}

impl Notice {
    /// Keeps of a message what is needed to announce it.
    #[must_use]
    pub fn of(landed: Landed) -> Self {
        let Landed { agent, mut message } = landed;
        let line = message.body.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
        // Somewhat more than is shown, so that it is known whether it was clipped.
        message.body = line.chars().take(LINE * 2).collect();
        message.refs = Vec::new();
        message.unknown = Vec::new();
        message.thread = None;
        Self { agent, message }
    }

    /// `@alice → @bob`, or the channel that it came by. What the message says of another agent does not count:
    /// it lies in this one's mailbox.
    fn title(&self) -> String {
        format!("@{} → {}", self.message.from, self.reader())
    }

    fn reader(&self) -> String {
        match &self.message.to {
            Address::Agent(_) => format!("@{}", self.agent),
            Address::Channel(channel) => channel.to_string(),
        }
    }
}

/// Announces one message.
#[must_use]
pub fn one(notice: &Notice) -> Announcement {
    let line = shown(&notice.message.body, LINE);
    let body = match &notice.message.scope {
        Some(scope) => format!("{}\n{line}", shown(scope.as_str(), SCOPE)),
        None => line,
    };
    Announcement { title: notice.title(), body }
}

/// Sums up what one sender sent; `word` tells whether something of it was announced before.
fn from_one(notices: &[&Notice], word: &str) -> Announcement {
    let sender = notices.first().map(|notice| notice.message.from.to_string()).unwrap_or_default();
    let mut readers: Vec<_> = notices.iter().map(|notice| notice.reader()).collect();
    readers.sort();
    readers.dedup();
    let title = format!("{} {word} from @{sender}", notices.len());
    Announcement { title, body: format!("to {}", listed(&readers)) }
}

/// Sums up what one sender sent beyond what was announced; at least two messages.
#[must_use]
pub fn more(notices: &[&Notice]) -> Announcement {
    from_one(notices, "more urgent messages")
}

/// Sums up what several senders sent, or what waited while nothing was to be shown: a line for each sender.
#[must_use]
pub fn sum(notices: &[&Notice]) -> Announcement {
    let mut senders: Vec<(&AgentName, Vec<&Notice>)> = Vec::new();
    for notice in notices {
        match senders.iter_mut().find(|(sender, _)| **sender == notice.message.from) {
            Some((_, theirs)) => theirs.push(notice),
            None => senders.push((&notice.message.from, vec![notice])),
        }
    }
    if senders.len() == 1 {
        return from_one(notices, "urgent messages");
    }
    let line = |(sender, theirs): &(&AgentName, Vec<&Notice>)| match theirs.as_slice() {
        [only] => format!("{}: {}", only.title(), shown(&only.message.body, SHORT)),
        several => format!("@{sender}: {} messages", several.len()),
    };
    let mut lines: Vec<_> = senders.iter().take(NAMED).map(line).collect();
    if senders.len() > NAMED {
        lines.push(format!("and {} more senders", senders.len() - NAMED));
    }
    Announcement { title: format!("{} urgent messages", notices.len()), body: lines.join("\n") }
}

fn listed(names: &[String]) -> String {
    match names.len() {
        0..=NAMED => names.join(", "),
        count => format!("{} and {} more", names[..NAMED].join(", "), count - NAMED),
    }
}

/// Another's text on one line of so many letters at most, with nothing hidden in it.
fn shown(text: &str, most: usize) -> String {
    // An end of line would begin a line that looks like ours; there is none in a first line, but in a scope.
    let start: String = text.chars().take(most * 2).collect();
    let safe = visible::line(&start).replace('\t', " ");
    let (mut clipped, mut marks) = (String::new(), 0);
    for (count, letter) in safe.chars().enumerate() {
        if count >= most {
            clipped.push('…');
            break;
        }
        marks = if unicode_normalization::char::is_combining_mark(letter) { marks + 1 } else { 0 };
        if marks <= MARKS {
            clipped.push(letter);
        }
    }
    clipped
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::message::Scope;

    fn notice(from: &str, to: &str, body: &str) -> Notice {
        let message = Message::new(from.parse().unwrap(), to.parse().unwrap(), body, Timestamp::UNIX_EPOCH);
        Notice::of(Landed { agent: "bob".parse().unwrap(), message })
    }

    #[test]
    fn one_message_is_its_first_line_with_nothing_hidden() {
        let mut hostile = notice("eve", "@ceo", "\n\n  \u{1b}[2J<b>pay\u{202e}\tnow</b>\r\nsecond line");
        hostile.message.scope = Some(Scope::from("proj\n@alice → @bob".to_owned()));
        let said = one(&hostile);
        assert_eq!(said.title, "@eve → @bob");
        assert_eq!(said.body, "proj\\u{a}@alice → @bob\n\\u{1b}[2J<b>pay\\u{202e} now</b>");
        assert_eq!(one(&notice("eve", "#ops", "x")).title, "@eve → #ops");
    }

    #[test]
    fn long_lines_and_towers_of_marks_are_clipped() {
        let said = one(&notice("eve", "@bob", &"x".repeat(64 * 1024)));
        assert_eq!(said.body.chars().count(), LINE + 1);
        assert!(said.body.ends_with("x…"));
        let said = one(&notice("eve", "@bob", &format!("a{}b", "\u{301}".repeat(30))));
        assert_eq!(said.body, format!("a{}b", "\u{301}".repeat(MARKS)));
        let said = one(&notice("eve", "@bob", &"\u{202e}".repeat(300)));
        assert_eq!(said.body.chars().count(), LINE + 1);
    }

    #[test]
    fn sums_name_few_and_count_the_rest() {
        let notices: Vec<_> = (0..7).map(|number| notice(&format!("s{number}"), "@bob", "hi")).collect();
        let said = sum(&notices.iter().chain([&notices[1]]).collect::<Vec<_>>());
        assert_eq!(said.title, "8 urgent messages");
        let lines: Vec<_> = said.body.lines().collect();
        assert_eq!(lines[..2], ["@s0 → @bob: hi", "@s1: 2 messages"]);
        assert_eq!(lines[5..], ["and 2 more senders"]);
        let said = more(&[&notices[0], &notice("s0", "#ops", "x"), &notices[0]]);
        assert_eq!(said.title, "3 more urgent messages from @s0");
        assert_eq!(said.body, "to #ops, @bob");
        assert_eq!(sum(&[&notices[0], &notices[0]]).title, "2 urgent messages from @s0");
    }
}
