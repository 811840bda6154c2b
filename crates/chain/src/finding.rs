//! What an auditor finds.

use std::fmt;
use std::rc::Rc;

use serde::Deserialize;

/// Where a line stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of the file.
    pub file: Rc<str>,
    /// The line's number, from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file, self.line)
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Something is not proven, with a reason that may be a good one.
    Warning,
    /// Somebody changed the log, or part of it is lost.
    Finding,
}

/// Why records did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DropReason {
    /// The buffer was full.
    Overflow,
    /// They were sent in vain as often as the operator allows.
    Attempts,
    /// The server refused them.
    Rejected,
    /// Their requests were refused, because the buffer was full.
    Blocked,
    /// It is not said.
    #[default]
    #[serde(other)]
    Unknown,
}

impl DropReason {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Overflow => "dropped by overflow",
            Self::Attempts => "dropped after the last attempt to send them",
            Self::Rejected => "rejected by the server",
            Self::Blocked => "not sent, their requests were refused for want of room",
            Self::Unknown => "dropped",
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The record is not what was written, or was not written by anyone who has the key.
    Changed,
    /// A record from here to the place was changed: their signature is wrong.
    ChangedSince(u64),
    /// The record does not follow the one before it.
    Unlinked,
    /// The signature of the checkpoint is wrong, or it is that of another record.
    WrongCheckpoint,
    /// Records that were before the place are not there.
    Removed {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
    },
    /// The same from the beginning of the stream on.
    BeginningRemoved {
        /// The last.
        last: u64,
    },
    /// Records were dropped on their way here, as a gap record says.
    Dropped {
        /// The first.
        first: u64,
        /// The last.
        last: u64,
        /// Why, as the gap record says; where several gaps became one, of the first of them.
        reason: DropReason,
        /// Whether the gap record is authentic; only the key of the MACs tells.
        is_proven: bool,
    },
    /// The record stands after one with a higher number.
    Reordered,
    /// There is a record with this number already.
    Duplicated,
    /// The same record is there already, where records may stand in any order: a store that is posted to may have a batch twice.
    Repeated,
    /// The record has no seal, where others have.
    Foreign,
    /// So many records have no seal, and none before them had.
    Unsealed(u64),
    /// A part of a record, or a record whose seal is malformed.
    Broken,
    /// The stream has no last record: what came after this one, if anything, is not here.
    Endless,
}

impl Problem {
    /// How much it matters.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Dropped { is_proven: true, .. } | Self::Endless | Self::Repeated => Severity::Warning,
            _ => Severity::Finding,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Changed | Self::ChangedSince(_) => "changed",
            Self::Unlinked => "unlinked",
            Self::WrongCheckpoint => "checkpoint_wrong",
            Self::Removed { .. } => "removed",
            Self::BeginningRemoved { .. } => "beginning_removed",
            Self::Dropped { .. } => "dropped",
            Self::Reordered => "reordered",
            Self::Duplicated | Self::Repeated => "duplicated",
            Self::Foreign | Self::Unsealed(_) => "foreign",
            Self::Broken => "broken",
            Self::Endless => "no_end",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => write!(formatter, "changed: its MAC is wrong"),
            Self::ChangedSince(first) => {
                write!(formatter, "changed: a record from number {first} on is not what was signed here")
            }
            Self::Unlinked => write!(formatter, "changed: it does not follow the record before it"),
            Self::WrongCheckpoint => write!(formatter, "the signature of its checkpoint is wrong"),
            Self::Removed { first, last } => write!(formatter, "removed before it: {}", Range(*first, *last)),
            Self::BeginningRemoved { last } => {
                write!(formatter, "removed before it: the beginning of the stream, {}", Range(1, *last))
            }
            Self::Dropped { first, last, reason, is_proven } => {
                let claim = if *is_proven { "" } else { ", says a gap record that only the key of the MACs can prove" };
                let count = last.saturating_sub(*first).saturating_add(1);
                write!(formatter, "{}: {count} ({}){claim}", reason.as_str(), Range(*first, *last))
            }
            Self::Reordered => write!(formatter, "reordered: it stands after a record with a higher number"),
            Self::Duplicated => write!(formatter, "duplicated: there is a record with its number already"),
            Self::Repeated => write!(formatter, "duplicated: the same record is there already"),
            Self::Foreign => write!(formatter, "foreign: it has no seal, and others have"),
            Self::Unsealed(count) => write!(formatter, "foreign: {count} records from here on have no seal"),
            Self::Broken => write!(formatter, "broken: a part of a record, or one with a malformed seal"),
            Self::Endless => write!(formatter, "no end: what came after it, if anything, is not here"),
        }
    }
}

/// One number, or several.
struct Range(u64, u64);

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == self.1 {
            write!(formatter, "number {}", self.0)
        } else {
            write!(formatter, "numbers {} to {}", self.0, self.1)
        }
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line.
    pub place: Place,
    /// The stream, where the line tells.
    pub stream: Option<String>,
    /// The number of the record in its stream.
    pub seq: Option<u64>,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ", self.place)?;
        if let Some(stream) = &self.stream {
            write!(formatter, "stream {stream}")?;
            match self.seq {
                Some(seq) => write!(formatter, ", number {seq}: ")?,
                None => write!(formatter, ": ")?,
            }
        }
        write!(formatter, "{}", self.problem)
    }
}
