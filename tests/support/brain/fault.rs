//! What goes wrong, and with which requests.

use std::time::Duration;

use super::serve::{Asked, Operation};
use super::wire::Cut;

/// Which requests are meant.
#[derive(Debug, Clone)]
pub struct On {
    operation: Option<Operation>,
    part: String,
}

/// One thing that goes wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// What is asked is done, although the answer does not say so.
    pub(super) is_done: bool,
    pub(super) wait: Option<Wait>,
    /// What is answered in place of the answer.
    pub(super) given: Option<Given>,
    pub(super) cut: Cut,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Wait {
    For(Duration),
    UntilReleased,
}

#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// What will go wrong.
#[derive(Default)]
pub(super) struct Plan(Vec<(usize, On, Fault)>);

impl On {
    /// Writes of documents whose path has this in it; an empty text is in each.
    pub fn write(part: &str) -> Self {
        Self::of(Operation::Write, part)
    }

    pub fn read(part: &str) -> Self {
        Self::of(Operation::Read, part)
    }

    pub fn delete(part: &str) -> Self {
        Self::of(Operation::Delete, part)
    }

    /// Lists whose prefix has this in it.
    pub fn list(part: &str) -> Self {
        Self::of(Operation::List, part)
    }

    pub fn whoami() -> Self {
        Self::of(Operation::WhoAmI, "")
    }

    /// Every request.
    pub fn any() -> Self {
        Self { operation: None, part: String::new() }
    }

    fn of(operation: Operation, part: &str) -> Self {
        Self { operation: Some(operation), part: part.to_owned() }
    }

    pub(super) fn is_meant(&self, asked: &Asked) -> bool {
        self.operation.is_none_or(|operation| operation == asked.operation) && asked.path.contains(&self.part)
    }
}

impl Fault {
    /// An error of the service's own: `{"error": {"code", "message"}}`.
    pub fn status(status: u16) -> Self {
        let body =
            serde_json::json!({ "error": { "code": "made_up", "message": format!("made up {status}") } });
        Self::given(status, "application/json", &body.to_string())
    }

    /// 429 with this `retry-after`: seconds, a date, or nonsense.
    pub fn busy(retry_after: &str) -> Self {
        Self::status(429).with("retry-after", retry_after)
    }

    /// A gateway's error, in plain text.
    pub fn text(status: u16) -> Self {
        Self::given(status, "text/plain", "upstream connect error or disconnect/reset before headers")
    }

    /// A literal `null`.
    pub fn null(status: u16) -> Self {
        Self::given(status, "application/json", "null")
    }

    /// Any answer.
    pub fn given(status: u16, kind: &str, body: &str) -> Self {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Self { given: Some(Given { status, headers, body: body.to_owned() }), ..Self::none() }
    }

    /// The given answer with one more header.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.given.as_mut().unwrap().headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// It takes so long.
    pub fn slow(time: Duration) -> Self {
        Self { wait: Some(Wait::For(time)), ..Self::none() }
    }

    /// It takes until [`super::Brain::release`].
    pub fn held() -> Self {
        Self { wait: Some(Wait::UntilReleased), ..Self::none() }
    }

    /// The connection is closed without a byte of an answer.
    pub fn cut() -> Self {
        Self { cut: Cut::Whole, ..Self::none() }
    }

    /// The connection is closed in the middle of the answer's body; what was asked is done.
    pub fn half() -> Self {
        Self { cut: Cut::Half, is_done: true, ..Self::none() }
    }

    /// What was asked is done before it goes wrong: an outcome that the client cannot know.
    pub fn after_it_was_done(self) -> Self {
        Self { is_done: true, ..self }
    }

    /// What was asked is done in the end, however it goes wrong.
    pub(super) fn is_done_later(&self) -> bool {
        !self.is_done && self.given.is_none() && self.cut == Cut::None
    }

    fn none() -> Self {
        Self { is_done: false, wait: None, given: None, cut: Cut::None }
    }
}

impl Plan {
    pub(super) fn add(&mut self, count: usize, on: On, fault: Fault) {
        self.0.push((count, on, fault));
    }

    /// What goes wrong with this request.
    pub(super) fn take(&mut self, asked: &Asked) -> Option<Fault> {
        let at = self.0.iter().position(|(_, on, _)| on.is_meant(asked))?;
        let (left, _, fault) = &mut self.0[at];
        *left = left.saturating_sub(1);
        let (is_over, fault) = (*left == 0, fault.clone());
        if is_over {
            self.0.remove(at);
        }
        Some(fault)
    }
}
