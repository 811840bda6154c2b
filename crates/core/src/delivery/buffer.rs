//! The records that wait to be put into a batch, oldest first, and what stands in the place of those that are missing.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::policy::Policy;
use super::record::{Gap, GapReason, Record};
use crate::time::UnixTime;

/// The most gaps that stand before the oldest record; beyond, they become one.
const MAX_LEADING_GAPS: usize = 64;

/// A place in the buffer or in a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A record, with the time since when it waits.
    Record(Record, UnixTime),
    /// Some that are missing.
    Gap(Gap),
}

impl Entry {
    /// How many records it holds: one or none.
    pub fn records(&self) -> usize {
        usize::from(matches!(self, Self::Record(..)))
    }

    /// The bytes of the record that it holds.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Record(record, _) => record.body.len(),
            Self::Gap(_) => 0,
        }
    }

    /// Its line of JSON.
    pub fn to_line(&self, policy: &Policy) -> String {
        match self {
            Self::Record(record, _) => policy.framing.line(&record.body).into_owned(),
            Self::Gap(gap) => policy.line_of(gap),
        }
    }

    fn since(&self) -> UnixTime {
        match self {
            Self::Record(_, since) => *since,
            Self::Gap(gap) => gap.since,
        }
    }

    fn into_gap(self, reason: GapReason, now: UnixTime) -> Gap {
        match self {
            Self::Record(record, _) => Gap::of(&record.id, reason, now),
            Self::Gap(gap) => gap,
        }
    }
}

/// The records that wait.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    entries: VecDeque<Entry>,
    records: usize,
    bytes: usize,
}

impl Buffer {
    pub fn push(&mut self, record: Record, now: UnixTime) {
        self.records = self.records.saturating_add(1);
        self.bytes = self.bytes.saturating_add(record.body.len());
        self.entries.push_back(Entry::Record(record, now));
    }

    /// Notes that a record is not there, behind those that are.
    pub fn skip(&mut self, id: &Rc<str>, now: UnixTime) {
        let gap = Gap::of(id, GapReason::Blocked, now);
        match self.entries.back_mut() {
            Some(Entry::Gap(last)) if last.reason == GapReason::Blocked => last.extend(&gap),
            _ => self.entries.push_back(Entry::Gap(gap)),
        }
    }

    /// How many records wait.
    pub const fn records(&self) -> usize {
        self.records
    }

    /// The bytes of all records.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many places are taken, those of gaps too.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the oldest has waited that long. One from the future has: the clock was set back.
    pub fn is_older_than(&self, age: Duration, now: UnixTime) -> bool {
        self.entries.front().is_some_and(|entry| entry.since() > now || now.since(entry.since()) >= age)
    }

    /// Takes out the oldest, as many as fit into a batch, and one at least.
    pub fn take(&mut self, most: usize, most_bytes: usize, separator: usize) -> Vec<Entry> {
        let mut taken = Vec::new();
        let mut bytes = 0_usize;
        while let Some(entry) = self.entries.front() {
            bytes = bytes.saturating_add(entry.bytes()).saturating_add(separator);
            if !taken.is_empty() && (taken.len() >= most || bytes > most_bytes) {
                break;
            }
            let Some(entry) = self.entries.pop_front() else { break };
            self.forget(&entry);
            taken.push(entry);
        }
        taken
    }

    pub fn take_all(&mut self) -> Vec<Entry> {
        self.take(usize::MAX, usize::MAX, 0)
    }

    fn forget(&mut self, entry: &Entry) {
        self.records = self.records.saturating_sub(entry.records());
        self.bytes = self.bytes.saturating_sub(entry.bytes());
    }

    /// Drops the oldest record and lets a gap stand in its place, the same one as for those before it. Whether there was one.
    pub fn drop_oldest(&mut self, now: UnixTime) -> bool {
        let Some(index) = self.entries.iter().position(|entry| entry.records() > 0) else { return false };
        let Some(entry) = self.entries.remove(index) else { return false };
        self.forget(&entry);
        let gap = entry.into_gap(GapReason::Overflow, now);
        match index.checked_sub(1).and_then(|before| self.entries.get_mut(before)) {
            Some(Entry::Gap(before)) if before.reason == GapReason::Overflow => before.extend(&gap),
            _ => self.entries.insert(index, Entry::Gap(gap)),
        }
        true
    }

    /// Lets one gap stand, before all others that wait, in the place of what was taken out and will not be sent.
    pub fn give_up(&mut self, entries: Vec<Entry>, reason: GapReason, now: UnixTime) {
        let gaps = entries.into_iter().map(|entry| entry.into_gap(reason, now));
        self.stand_first(joined(gaps));
        let leading = self.entries.iter().take_while(|entry| entry.records() == 0).count();
        if leading > MAX_LEADING_GAPS {
            let gaps: Vec<_> = self.entries.drain(..leading).map(|entry| entry.into_gap(reason, now)).collect();
            self.stand_first(joined(gaps.into_iter()));
        }
    }

    fn stand_first(&mut self, gap: Option<Gap>) {
        if let Some(gap) = gap {
            self.entries.push_front(Entry::Gap(gap));
        }
    }
}

/// One gap in the place of all of these.
fn joined(mut gaps: impl Iterator<Item = Gap>) -> Option<Gap> {
    let mut first = gaps.next()?;
    gaps.for_each(|gap| first.extend(&gap));
    Some(first)
}
