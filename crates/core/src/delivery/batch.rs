//! A batch: what is sent in one request.

use std::cell::Cell;
use std::rc::Rc;

use super::buffer::Entry;
use super::policy::Policy;
use crate::stage::FetchId;
use crate::time::UnixTime;

/// What is sent in one request.
#[derive(Debug)]
pub(super) struct Batch {
    /// The same each time that it is sent.
    pub id: Rc<str>,
    entries: Vec<Entry>,
    records: usize,
    bytes: usize,
    /// When it is to be sent.
    pub due: UnixTime,
    /// How often it was sent.
    pub attempts: u32,
    /// How often the batch was halved of which this one is a part.
    pub halvings: Rc<Cell<u32>>,
}

/// A batch that is under way.
#[derive(Debug)]
pub(super) struct Flight {
    pub id: FetchId,
    pub batch: Batch,
    pub since: UnixTime,
    /// When its outcome is not waited for any longer.
    pub until: UnixTime,
}

impl Batch {
    pub fn new(id: Rc<str>, entries: Vec<Entry>, due: UnixTime) -> Self {
        let records = entries.iter().map(Entry::records).sum();
        let bytes = entries.iter().map(Entry::bytes).sum();
        Self { id, entries, records, bytes, due, attempts: 0, halvings: Rc::default() }
    }

    /// The same as a part of another batch that was sent so often, and was halved so often.
    pub fn part_of(self, attempts: u32, halvings: Rc<Cell<u32>>) -> Self {
        Self { attempts, halvings, ..self }
    }

    /// How many records and gaps it holds.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many records it holds.
    pub const fn records(&self) -> usize {
        self.records
    }

    /// The bytes of its records.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The text that is sent.
    pub fn text(&self, policy: &Policy) -> String {
        let framing = &policy.framing;
        let separators = self.len().saturating_mul(framing.separator().len());
        let around = framing.prefix().len().saturating_add(framing.suffix().len());
        let mut text = String::with_capacity(self.bytes().saturating_add(separators).saturating_add(around));
        text.push_str(framing.prefix());
        for (index, entry) in self.entries.iter().enumerate() {
            if index > 0 {
                text.push_str(framing.separator());
            }
            match entry {
                Entry::Record(record, _) => text.push_str(&record.body),
                Entry::Gap(gap) => text.push_str(&framing.gap(gap, policy.line_of(gap))),
            }
        }
        text.push_str(framing.suffix());
        text
    }
}
