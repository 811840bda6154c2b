//! What is told of a group of failures.

use super::fault::Fault;
use super::group::{Count, News};
use crate::audit::Timestamp;
use crate::time::UnixTime;

/// How a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is new.
    First,
    /// It goes on.
    Repeated,
    /// It has been quiet.
    Resolved,
}

impl State {
    /// All of them, each at its [place](Self::place).
    pub const ALL: [Self; 3] = [Self::First, Self::Repeated, Self::Resolved];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
        }
    }

    pub(super) const fn place(self) -> usize {
        match self {
            Self::First => 0,
            Self::Repeated => 1,
            Self::Resolved => 2,
        }
    }
}

/// What is told of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What the failures have in common.
    pub fault: Fault,
    /// The group's fingerprint: 16 hexadecimal digits.
    pub fingerprint: String,
    /// How the group stands.
    pub state: State,
    /// How many failures there were since it was told of last.
    pub count: u64,
    /// How many there were at all.
    pub total: u64,
    /// When the first of all was.
    pub first: Timestamp,
    /// When the last was.
    pub last: Timestamp,
    /// When this is told.
    pub time: UnixTime,
}

impl Report {
    pub(super) fn new(fault: &Fault, fingerprint: &str, news: News, time: UnixTime) -> Self {
        let (state, count) = match news {
            News::First(count) => (State::First, count),
            News::Repeated(count) => (State::Repeated, count),
            News::Resolved(count) => (State::Resolved, count),
        };
        let Count { count, total, first, last, .. } = count;
        let at = |seconds| Timestamp(UnixTime::from_secs(seconds));
        let fault = fault.clone();
        Self { fault, fingerprint: fingerprint.to_owned(), state, count, total, first: at(first), last: at(last), time }
    }

    /// Its own id.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}-{}", self.fingerprint, self.state.as_str(), self.time.as_secs())
    }

    /// It in one line of text.
    #[must_use]
    pub fn summary(&self) -> String {
        let title = self.fault.title();
        let Self { count, total, .. } = self;
        match self.state {
            State::First => format!("Upstream failure: {title}"),
            State::Repeated => format!("Upstream failure, {count} more times: {title}"),
            State::Resolved => format!("Resolved after {total} failures: {title}"),
        }
    }
}
