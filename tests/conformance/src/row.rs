//! One case of a suite: what its authors expect, and what we do.

use std::fmt;

use crate::gate::Answer;

/// What the authors of a suite expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Expected {
    /// It passes.
    Accepted,
    /// It is refused.
    Refused,
    /// The authors leave it to the product, which has to stay with its choice.
    Either,
}

impl Expected {
    /// Accepted or refused.
    #[must_use]
    pub const fn accepted(is_accepted: bool) -> Self {
        if is_accepted { Self::Accepted } else { Self::Refused }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Either => "either",
        })
    }
}

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name within the suite.
    pub id: String,
    /// What its authors expect.
    pub expected: Expected,
    /// What we do: `accepted`, `accepted, but …`, `refused: CODE`, `not run: …`.
    pub ours: String,
}

impl Row {
    /// A case and what we do.
    pub fn new(id: impl Into<String>, expected: Expected, ours: impl Into<String>) -> Self {
        Self { id: id.into(), expected, ours: ours.into() }
    }

    /// A case and the answer that it got.
    pub fn answered(id: impl Into<String>, expected: Expected, answer: &Answer) -> Self {
        Self::new(id, expected, answer.outcome())
    }

    /// A case that asks for something that does not exist here.
    pub fn not_run(id: impl Into<String>, expected: Expected, reason: &str) -> Self {
        Self::new(id, expected, format!("not run: {reason}"))
    }

    /// Whether we do what is expected.
    #[must_use]
    pub fn agrees(&self) -> bool {
        match self.expected {
            Expected::Accepted => self.ours == "accepted",
            Expected::Refused => self.is_refused(),
            Expected::Either => self.ours == "accepted" || self.is_refused(),
        }
    }

    /// Whether the case was left out.
    #[must_use]
    pub fn is_left_out(&self) -> bool {
        self.ours.starts_with("not run")
    }

    fn is_refused(&self) -> bool {
        self.ours.starts_with("refused: ")
    }
}
