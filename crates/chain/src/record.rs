//! A record as it is read back.

use std::borrow::Cow;

use serde::Deserialize;

use crate::finding::DropReason;
use crate::mac_key::{Hash, TEXT_BYTES, decode, hash};
use crate::{END_SCHEMA, GAP_SCHEMA};

/// What stands before the MAC, and is not covered by it.
const BEFORE_MAC: &[u8] = br#","mac":""#;
const AFTER_MAC: &[u8] = br#""}}"#;

/// What a record stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A link of the chain, with its number and the MAC of the one before it.
    Link { seq: u64, previous: Option<String>, checkpoint: Option<String>, is_last: bool },
    /// So many records from one number to another that were dropped.
    Gap { dropped: u64, first: u64, last: u64, reason: DropReason },
}

/// A record that has a seal, right or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub stream: String,
    pub kind: Kind,
    /// The hash of what the MAC covers.
    pub hash: Hash,
    pub mac: Hash,
}

/// Why a text is no record with a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsealed {
    /// It has none.
    Plain,
    /// It has something in its place, or is no record at all.
    Malformed,
}

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    schema: Cow<'a, str>,
    chain: Option<Seal<'a>>,
    dropped: Option<u64>,
    #[serde(default)]
    reason: DropReason,
    first: Option<String>,
    last: Option<String>,
}

#[derive(Deserialize)]
struct Seal<'a> {
    #[serde(borrow)]
    stream: Cow<'a, str>,
    seq: Option<u64>,
    previous: Option<String>,
    checkpoint: Option<String>,
}

impl Record {
    /// The record in the text of a JSON object.
    pub fn read(text: &[u8]) -> Result<Self, Unsealed> {
        let members: Members<'_> = serde_json::from_slice(text).map_err(|_| Unsealed::Malformed)?;
        let seal = members.chain.ok_or(Unsealed::Plain)?;
        let (covered, mac) = split(text).ok_or(Unsealed::Malformed)?;
        let stream = seal.stream.into_owned();
        let kind = if members.schema == GAP_SCHEMA {
            let first = number(members.first.as_deref(), &stream);
            let (first, last) = first.zip(number(members.last.as_deref(), &stream)).ok_or(Unsealed::Malformed)?;
            Kind::Gap { dropped: members.dropped.ok_or(Unsealed::Malformed)?, first, last, reason: members.reason }
        } else {
            let is_last = members.schema == END_SCHEMA;
            let seq = seal.seq.ok_or(Unsealed::Malformed)?;
            Kind::Link { seq, previous: seal.previous, checkpoint: seal.checkpoint, is_last }
        };
        Ok(Self { stream, kind, hash: hash(covered), mac })
    }

    /// Its number, where it has one.
    pub const fn seq(&self) -> Option<u64> {
        match self.kind {
            Kind::Link { seq, .. } => Some(seq),
            Kind::Gap { .. } => None,
        }
    }
}

/// What the MAC covers, and the MAC.
fn split(text: &[u8]) -> Option<(&[u8], Hash)> {
    let text = text.strip_suffix(AFTER_MAC)?;
    let (rest, mac) = text.split_at_checked(text.len().checked_sub(TEXT_BYTES)?)?;
    Some((rest.strip_suffix(BEFORE_MAC)?, decode(mac)?))
}

/// The number in the id of a record of this stream.
fn number(id: Option<&str>, stream: &str) -> Option<u64> {
    id?.strip_prefix(stream)?.strip_prefix('-')?.parse().ok()
}
