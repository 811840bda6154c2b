//! What is delivered: a record, or a word on those that are missing.

use std::rc::Rc;

use serde::Serialize;

use crate::audit::Timestamp;
use crate::time::UnixTime;

/// The name and version of the form of a gap record.
pub const GAP_SCHEMA: &str = "portcullis.audit.gap/1";

/// A record on its way to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What tells it from all others.
    pub id: Rc<str>,
    /// When what it tells of happened.
    pub time: UnixTime,
    /// Its part of a batch.
    pub body: String,
}

/// Why records are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GapReason {
    /// The buffer was full.
    Overflow,
    /// The server did not take them, however often they were sent.
    Attempts,
    /// The server refuses them for what they are.
    Rejected,
    /// Their requests were refused, because the buffer was full.
    Blocked,
}

/// What stands in the place of records that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// How many.
    pub dropped: u64,
    /// Why the first of them is.
    pub reason: GapReason,
    /// The id of the first.
    pub first: Rc<str>,
    /// The id of the last. Where there are fewer than these two say, others of that range were delivered.
    pub last: Rc<str>,
    /// Since when it is known.
    pub since: UnixTime,
}

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    id: &'a str,
    time: Timestamp,
    dropped: u64,
    reason: GapReason,
    first: &'a str,
    last: &'a str,
}

impl Gap {
    /// The gap of a single record.
    #[must_use]
    pub fn of(id: &Rc<str>, reason: GapReason, since: UnixTime) -> Self {
        Self { dropped: 1, reason, first: Rc::clone(id), last: Rc::clone(id), since }
    }

    /// Makes it reach over another one too, which may tell of records before it: batches are given up in any order.
    pub fn extend(&mut self, other: &Self) {
        self.dropped = self.dropped.saturating_add(other.dropped);
        if number(&other.first) < number(&self.first) {
            self.first = Rc::clone(&other.first);
        }
        if number(&other.last) >= number(&self.last) {
            self.last = Rc::clone(&other.last);
        }
    }

    /// Its id: the same each time that it is sent.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-gap", self.first)
    }

    /// Its line of JSON.
    #[must_use]
    pub fn to_line(&self) -> String {
        let (id, time) = (self.id(), Timestamp(self.since));
        let line = Line {
            schema: GAP_SCHEMA,
            id: &id,
            time,
            dropped: self.dropped,
            reason: self.reason,
            first: &self.first,
            last: &self.last,
        };
        serde_json::to_string(&line).unwrap_or_default()
    }
}

/// The number at the end of an id.
fn number(id: &str) -> Option<u64> {
    id.rsplit('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_reaches_over_what_is_before_it_too() {
        let of = |id: &str| Gap::of(&id.into(), GapReason::Attempts, UnixTime::from_secs(0));
        let mut gap = of("s-11");
        for id in ["s-9", "s-10", "s-12"] {
            gap.extend(&of(id));
        }
        assert_eq!((&*gap.first, &*gap.last, gap.dropped), ("s-9", "s-12", 4));
    }

    #[test]
    fn a_gap_says_how_many_are_missing_and_which() {
        let mut gap = Gap::of(&"s-7".into(), GapReason::Overflow, UnixTime::from_secs(0));
        gap.extend(&Gap::of(&"s-8".into(), GapReason::Overflow, UnixTime::from_secs(9)));
        assert_eq!(
            gap.to_line(),
            "{\"schema\":\"portcullis.audit.gap/1\",\"id\":\"s-7-gap\",\"time\":\"1970-01-01T00:00:00.000Z\",\
             \"dropped\":2,\"reason\":\"overflow\",\"first\":\"s-7\",\"last\":\"s-8\"}"
        );
    }
}
