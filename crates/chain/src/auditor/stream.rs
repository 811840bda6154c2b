//! What is known of one stream.

use portcullis_minting::PublicKey;

use super::Summary;
use crate::checkpoint::{Checkpoint, Digestion};
use crate::finding::{DropReason, Finding, Place, Problem};
use crate::mac_key::{Hash, encode};

/// A link of the chain, as far as it matters.
#[derive(Debug)]
pub(super) struct Entry {
    pub place: Place,
    pub seq: u64,
    pub previous: Option<String>,
    pub checkpoint: Option<String>,
    pub is_last: bool,
    pub hash: Hash,
    pub mac: Hash,
    /// Whether its MAC is right. Where there is no key, it is taken for right, and only what a checkpoint signs is proven.
    pub is_authentic: bool,
}

/// A gap record.
#[derive(Debug)]
pub(super) struct Gap {
    pub place: Place,
    pub mac: Hash,
    pub first: u64,
    pub last: u64,
    pub reason: DropReason,
    /// How many of the dropped are not found yet.
    pub left: u64,
}

/// Numbers that are not there.
#[derive(Debug)]
struct Hole {
    first: u64,
    last: u64,
    /// The record after them.
    place: Place,
    seq: Option<u64>,
}

/// The record with the highest number.
#[derive(Debug)]
struct Last {
    place: Place,
    seq: u64,
    mac: Hash,
    is_authentic: bool,
}

/// The records since a checkpoint.
#[derive(Debug)]
struct Segment {
    since: u64,
    count: u64,
    records: Digestion,
    /// Whether all are there, as they were written as far as the MACs tell.
    is_whole: bool,
}

impl Segment {
    fn from(since: u64) -> Self {
        Self { since, count: 0, records: Digestion::default(), is_whole: true }
    }

    fn add(&mut self, hash: &Hash) {
        self.records.add(hash);
        self.count = self.count.saturating_add(1);
    }
}

/// The state of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    is_keyed: bool,
    is_sorted: bool,
    kept: Vec<Entry>,
    last: Option<Last>,
    holes: Vec<Hole>,
    gaps: Vec<Gap>,
    has_ended: bool,
    segment: Segment,
    records: u64,
    checkpoints: u64,
    signed: u64,
}

impl Stream {
    pub fn new(is_keyed: bool) -> Self {
        Self {
            is_keyed,
            is_sorted: false,
            kept: Vec::new(),
            last: None,
            holes: Vec::new(),
            gaps: Vec::new(),
            has_ended: false,
            segment: Segment::from(1),
            records: 0,
            checkpoints: 0,
            signed: 0,
        }
    }

    /// Takes a gap record; one that was sent twice counts once.
    pub fn add_gap(&mut self, gap: Gap) {
        if self.gaps.iter().all(|other| other.mac != gap.mac) {
            self.gaps.push(gap);
        }
    }

    /// Keeps a record until all are there.
    pub fn keep(&mut self, entry: Entry) {
        self.is_sorted = true;
        self.kept.push(entry);
    }

    /// Takes the next record.
    pub fn take(&mut self, entry: Entry, name: &str, keys: &[PublicKey], findings: &mut Vec<Finding>) {
        let expected = self.last.as_ref().map_or(1, |last| last.seq.saturating_add(1));
        let mut find = |problem| {
            let stream = Some(name.to_owned());
            findings.push(Finding { place: entry.place.clone(), stream, seq: Some(entry.seq), problem });
        };
        if !entry.is_authentic && entry.seq != expected {
            return;
        }
        if entry.seq < expected {
            // Where they may stand in any order they were sorted, so that the same ones stand together.
            let is_same = self.is_sorted && self.last.as_ref().is_some_and(|last| last.mac == entry.mac);
            find(match self.fill(entry.seq) {
                true => Problem::Reordered,
                false if is_same => Problem::Repeated,
                false => Problem::Duplicated,
            });
            return;
        }
        if entry.seq > expected {
            let hole =
                Hole { first: expected, last: entry.seq.saturating_sub(1), place: entry.place.clone(), seq: Some(entry.seq) };
            self.holes.push(hole);
            self.segment.is_whole = false;
        } else if entry.is_authentic && self.last.as_ref().is_none_or(|last| last.is_authentic) {
            let previous = self.last.as_ref().map(|last| encode(&last.mac));
            if entry.previous != previous {
                find(Problem::Unlinked);
                self.segment.is_whole = false;
            }
        }
        self.records = self.records.saturating_add(u64::from(entry.is_authentic));
        self.segment.is_whole &= entry.is_authentic;
        let signed = entry.checkpoint.as_deref().filter(|_| entry.is_authentic && !keys.is_empty());
        let is_signed = signed.map(|text| self.checkpoint(text, &entry, name, keys));
        if let Some(Err(problem)) = is_signed.clone() {
            find(problem);
        }
        if is_signed.is_some() {
            self.segment = Segment::from(entry.seq);
        }
        self.segment.add(&entry.hash);
        self.has_ended = entry.is_last
            && entry.is_authentic
            && (self.is_keyed || is_signed.is_some_and(|signed| signed != Err(Problem::WrongCheckpoint)));
        let Entry { place, seq, mac, is_authentic, .. } = entry;
        self.last = Some(Last { place, seq, mac, is_authentic });
    }

    /// What a checkpoint says of the records since the one before it.
    fn checkpoint(&mut self, text: &str, entry: &Entry, name: &str, keys: &[PublicKey]) -> Result<(), Problem> {
        let claims = Checkpoint::verified(text, keys)
            .filter(|claims| {
                claims.stream == name && claims.seq == entry.seq && Some(&claims.previous) == entry.previous.as_ref()
            })
            .ok_or(Problem::WrongCheckpoint)?;
        let segment = &self.segment;
        if segment.is_whole {
            if segment.since != claims.since || encode(&segment.records.result()) != claims.records {
                return Err(Problem::ChangedSince(segment.since.min(claims.since)));
            }
            self.signed = self.signed.saturating_add(segment.count);
        }
        self.checkpoints = self.checkpoints.saturating_add(1);
        Ok(())
    }

    /// Takes a number out of the holes; whether it was in one.
    fn fill(&mut self, seq: u64) -> bool {
        let Some(index) = self.holes.iter().position(|hole| (hole.first..=hole.last).contains(&seq)) else { return false };
        let hole = self.holes.remove(index);
        let mut keep = |first: u64, last: u64| {
            if first <= last {
                self.holes.push(Hole { first, last, place: hole.place.clone(), seq: hole.seq });
            }
        };
        keep(seq.saturating_add(1), hole.last);
        if let Some(before) = seq.checked_sub(1) {
            keep(hole.first, before);
        }
        true
    }

    /// Tells what only the end shows.
    pub fn finish(&mut self, name: &str, keys: &[PublicKey], findings: &mut Vec<Finding>, summary: &mut Summary) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.sort_by_key(|entry| entry.seq);
        for entry in kept {
            self.take(entry, name, keys, findings);
        }
        self.gaps.sort_by_key(|gap| gap.first);
        self.add_tail();
        self.holes.sort_by_key(|hole| hole.first);
        for hole in std::mem::take(&mut self.holes) {
            summary.dropped = summary.dropped.saturating_add(self.account(&hole, name, findings));
        }
        if self.records == 0 && self.gaps.is_empty() {
            return;
        }
        if !self.has_ended {
            let place = self.last.as_ref().map(|last| &last.place).or_else(|| self.gaps.last().map(|gap| &gap.place));
            if let Some(place) = place.cloned() {
                let seq = self.last.as_ref().map(|last| last.seq);
                findings.push(Finding { place, stream: Some(name.to_owned()), seq, problem: Problem::Endless });
            }
        }
        let add = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
        add(&mut summary.records, self.records);
        add(&mut summary.streams, 1);
        add(&mut summary.ended, u64::from(self.has_ended));
        add(&mut summary.checkpoints, self.checkpoints);
        add(&mut summary.signed, self.signed);
    }

    /// The records after the last one that a gap record knows of.
    fn add_tail(&mut self) {
        let Some((gap, end)) = self.gaps.iter().map(|gap| (gap, gap.last)).max_by_key(|(_, last)| *last) else { return };
        let first = self.last.as_ref().map_or(1, |last| last.seq.saturating_add(1));
        if end >= first {
            self.holes.push(Hole { first, last: end, place: gap.place.clone(), seq: None });
        }
    }

    /// Tells of the numbers in a hole which were dropped and which removed; how many were dropped for certain.
    fn account(&mut self, hole: &Hole, name: &str, findings: &mut Vec<Finding>) -> u64 {
        let is_proven = self.is_keyed;
        let mut find = |problem| {
            findings.push(Finding { place: hole.place.clone(), stream: Some(name.to_owned()), seq: hole.seq, problem });
        };
        let removed = |first, last| {
            if first == 1 { Problem::BeginningRemoved { last } } else { Problem::Removed { first, last } }
        };
        let mut from = hole.first;
        let mut dropped = 0u64;
        for gap in &mut self.gaps {
            let (first, last) = (gap.first.max(from), gap.last.min(hole.last));
            let count = last.saturating_add(1).saturating_sub(first);
            if count == 0 || count > gap.left {
                continue;
            }
            gap.left = gap.left.saturating_sub(count);
            if first > from {
                find(removed(from, first.saturating_sub(1)));
            }
            find(Problem::Dropped { first, last, reason: gap.reason, is_proven });
            dropped = dropped.saturating_add(count);
            from = last.saturating_add(1);
        }
        if from <= hole.last {
            find(removed(from, hole.last));
        }
        if is_proven { dropped } else { 0 }
    }
}
