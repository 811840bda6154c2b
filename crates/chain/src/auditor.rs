//! Reads records back and finds what became of them.
//!
//! It keeps one state for each stream, or, where records may stand in any order, what matters of each record.

mod stream;

use std::collections::BTreeMap;

use portcullis_minting::PublicKey;

use self::stream::{Entry, Gap, Stream};
use crate::excerpts::{Excerpt, excerpts};
use crate::finding::{Finding, Place, Problem};
use crate::mac_key::MacKey;
use crate::record::{Kind, Record, Unsealed};

/// In which order the records of one stream stand. Streams may be mixed in any way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// In that in which they were written.
    #[default]
    Written,
    /// In any, as stores keep them.
    Any,
}

/// What is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// The records whose MAC is right; without a key, those that have one.
    pub records: u64,
    /// The streams that they are from.
    pub streams: u64,
    /// The streams of which the end is there.
    pub ended: u64,
    /// The checkpoints whose signature is right.
    pub checkpoints: u64,
    /// The records that are what was signed in a checkpoint.
    pub signed: u64,
    /// The records that were dropped on their way, as authentic gap records say.
    pub dropped: u64,
}

/// Verifies records.
#[derive(Debug)]
pub struct Auditor {
    keys: Vec<MacKey>,
    public_keys: Vec<PublicKey>,
    order: Order,
    streams: BTreeMap<String, Stream>,
    has_sealed: bool,
    /// The first of the records without a seal while there was none with one, and their count.
    unsealed: Option<(Place, u64)>,
    findings: Vec<Finding>,
}

impl Auditor {
    /// One that knows these keys: of the MACs, of which each record is to have been made with one, and of checkpoints. Without the
    /// former it believes what the latter have signed, and nothing after that; without both it proves nothing.
    #[must_use]
    pub const fn new(keys: Vec<MacKey>, public_keys: Vec<PublicKey>, order: Order) -> Self {
        Self { keys, public_keys, order, streams: BTreeMap::new(), has_sealed: false, unsealed: None, findings: Vec::new() }
    }

    /// Reads a line, without its end.
    pub fn read_line(&mut self, place: &Place, line: &[u8]) {
        for excerpt in excerpts(line) {
            let Excerpt::Record(text) = excerpt else {
                self.find(place, Problem::Broken);
                continue;
            };
            match Record::read(&text) {
                Ok(record) => self.sealed(place, record),
                Err(Unsealed::Plain) => self.unsealed(place),
                Err(Unsealed::Malformed) => self.find(place, Problem::Broken),
            }
        }
    }

    /// What was found since this was asked last.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// What is proven, and what only the end of all lines shows.
    #[must_use]
    pub fn finish(mut self) -> (Summary, Vec<Finding>) {
        self.settle_unsealed();
        let mut summary = Summary::default();
        for (name, mut stream) in self.streams {
            stream.finish(&name, &self.public_keys, &mut self.findings, &mut summary);
        }
        (summary, self.findings)
    }

    fn sealed(&mut self, place: &Place, record: Record) {
        self.settle_unsealed();
        self.has_sealed = true;
        let is_keyed = !self.keys.is_empty();
        let is_authentic = !is_keyed || self.keys.iter().any(|key| key.made(&record.mac, &record.hash));
        if !is_authentic {
            let (stream, seq) = (Some(record.stream.clone()), record.seq());
            self.findings.push(Finding { place: place.clone(), stream, seq, problem: Problem::Changed });
            // What it says of itself is believed only where it fits: it may have been the first, or the next.
            if record.seq() != Some(1) && !self.streams.contains_key(&record.stream) {
                return;
            }
        }
        let stream = self.streams.entry(record.stream.clone()).or_insert_with(|| Stream::new(is_keyed));
        match record.kind {
            Kind::Gap { .. } if !is_authentic => {}
            Kind::Gap { dropped, first, last, reason } => {
                stream.add_gap(Gap { place: place.clone(), mac: record.mac, first, last, reason, left: dropped });
            }
            Kind::Link { seq, previous, checkpoint, is_last } => {
                let (hash, mac) = (record.hash, record.mac);
                let entry = Entry { place: place.clone(), seq, previous, checkpoint, is_last, hash, mac, is_authentic };
                match self.order {
                    Order::Written => stream.take(entry, &record.stream, &self.public_keys, &mut self.findings),
                    Order::Any => stream.keep(entry),
                }
            }
        }
    }

    fn unsealed(&mut self, place: &Place) {
        if self.has_sealed {
            self.find(place, Problem::Foreign);
        } else {
            let (_, count) = self.unsealed.get_or_insert_with(|| (place.clone(), 0));
            *count = count.saturating_add(1);
        }
    }

    fn settle_unsealed(&mut self) {
        if let Some((place, count)) = self.unsealed.take() {
            self.find(&place, Problem::Unsealed(count));
        }
    }

    fn find(&mut self, place: &Place, problem: Problem) {
        self.findings.push(Finding { place: place.clone(), stream: None, seq: None, problem });
    }
}

#[cfg(test)]
mod tests;
