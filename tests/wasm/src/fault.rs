//! What a hostile proxy does: calls that fail, and calls that succeed with an answer that no proxy should give.

use std::collections::{BTreeMap, BTreeSet};

use crate::status::Status;

/// How a host call misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and returns this status.
    Status(Status),
    /// It returns OK with a null pointer and the size 0, or leaves the place of a number as it was.
    NullData,
    /// It returns OK with an address outside of the module's memory.
    WildPointer,
    /// It returns OK with bytes whose first word, the count of pairs or the first length, is far beyond the end.
    HugeCount,
    /// It returns OK with bytes that are neither UTF-8 nor of the shape that the interface says, or with the greatest number.
    Garbage,
}

impl Fault {
    /// Every fault, with every status.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let statuses = Status::failures().into_iter().map(Self::Status);
        statuses.chain([Self::NullData, Self::WildPointer, Self::HugeCount, Self::Garbage]).collect()
    }

    /// The bytes that a call returns in place of `bytes`.
    pub(crate) fn spoil_bytes(self, bytes: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Status(_) | Self::WildPointer => bytes,
            Self::NullData => Vec::new(),
            Self::HugeCount => {
                let mut spoiled = u32::MAX.to_le_bytes().to_vec();
                spoiled.extend(bytes.into_iter().skip(4));
                spoiled
            }
            Self::Garbage => vec![0xff; 37],
        }
    }

    /// The number that a call returns in place of `number`; `None` when it writes none.
    pub(crate) const fn spoil_number(self, number: u64) -> Option<u64> {
        match self {
            Self::Status(_) => Some(number),
            Self::NullData => None,
            Self::WildPointer | Self::HugeCount | Self::Garbage => Some(u64::MAX),
        }
    }
}

/// The faults that are in force, and the calls whose faults a module has met.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    planned: BTreeMap<String, Fault>,
    met: BTreeSet<String>,
}

impl Faults {
    pub(crate) fn plan(&mut self, call: &str, fault: Fault) {
        self.planned.insert(call.to_owned(), fault);
    }

    pub(crate) fn clear(&mut self) {
        self.planned.clear();
    }

    pub(crate) fn has_met(&self, call: &str) -> bool {
        self.met.contains(call)
    }

    /// The fault of this call, if it has one.
    pub(crate) fn of(&self, call: &str) -> Option<Fault> {
        self.planned.get(call).copied()
    }

    /// A module got a wrong answer to this call.
    pub(crate) fn meet(&mut self, call: &str) {
        self.met.insert(call.to_owned());
    }

    pub(crate) fn describe(&self) -> String {
        if self.planned.is_empty() { "no fault".to_owned() } else { format!("{:?}", self.planned) }
    }
}
