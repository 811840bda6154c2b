//! How records stand in a batch, and how the answer to a batch speaks of them. Each format has one.

use std::borrow::Cow;
use std::rc::Rc;

use serde_json::Value;

use super::record::{Gap, GapReason};
use crate::time::UnixTime;

/// What became of one record of a batch that the server took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It has it.
    Taken,
    /// It had no time for it: the same record may be sent again.
    Again(u16),
    /// It refuses it for what it is.
    Refused(u16),
}

/// What an answer with a status of success says of the records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// All were taken.
    All,
    /// All were taken but so many, and it is not said which. They are not to be sent again.
    AllBut(usize),
    /// One by one, in the order in which they stood in the batch.
    Each(Vec<Fate>),
}

impl Receipt {
    /// By the number of those that were refused, at this place in an answer of JSON; it may stand there as text.
    #[must_use]
    pub fn by_rejected(answer: &[u8], place: &str) -> Self {
        let answer = serde_json::from_slice::<Value>(answer).ok();
        let rejected = answer.as_ref().and_then(|answer| answer.pointer(place));
        let rejected = rejected.and_then(|number| number.as_u64().or_else(|| number.as_str()?.parse().ok())).unwrap_or_default();
        if rejected == 0 { Self::All } else { Self::AllBut(usize::try_from(rejected).unwrap_or(usize::MAX)) }
    }
}

/// An object without its members that are null.
pub(crate) fn without_null(mut object: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    object
}

/// How records stand in a batch.
pub trait Framing: std::fmt::Debug {
    /// The `content-type` of a batch.
    fn content_type(&self) -> &'static str;

    /// What stands before the first record.
    fn prefix(&self) -> &str {
        ""
    }

    /// What stands between two records.
    fn separator(&self) -> &str {
        ""
    }

    /// What stands behind the last record.
    fn suffix(&self) -> &str {
        ""
    }

    /// A gap as a record of the format, like those of events; `line` is its line of JSON.
    fn gap(&self, gap: &Gap, line: String) -> String;

    /// The last record of a stream as one of the format; `line` is its line of JSON. Nothing is missing where it stands.
    fn end(&self, id: &Rc<str>, time: UnixTime, line: String) -> String {
        self.gap(&Gap { dropped: 0, ..Gap::of(id, GapReason::Overflow, time) }, line)
    }

    /// The line of JSON of a record that stands so in a batch: what is written to the proxy's log where the record cannot be sent.
    fn line<'a>(&self, body: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(body)
    }

    /// What an answer with a status of success says of so many records.
    fn receipt(&self, _records: usize, _answer: &[u8]) -> Receipt {
        Receipt::All
    }
}
