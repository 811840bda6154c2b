//! Checkpoints: signatures over the records since the one before, a compact JWS (RFC 7515) each.
//!
//! Its payload is `{"stream","seq","since","previous","records","iat"}`: it stands in record `seq`, and `records` is the SHA-256 of
//! the hashes of the records from `since` to the one before `seq`, one after the other. `since` is the record of the checkpoint
//! before it, or 1. `previous` is the MAC of the record before `seq`.

use std::rc::Rc;
use std::time::Duration;

use portcullis_minting::{PublicKey, SigningKey};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::mac_key::{Hash, encode};

/// The `typ` of a checkpoint.
const TYPE: &str = "audit-checkpoint+jws";

/// Who signs, and how often.
#[derive(Debug, Clone)]
pub struct CheckpointPolicy {
    /// The key that signs.
    pub key: Rc<SigningKey>,
    /// After so many records there is a checkpoint, at the latest.
    pub records: u64,
    /// After so long there is one with the next record.
    pub interval: Duration,
}

/// The checkpoints of one stream.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    policy: CheckpointPolicy,
    since: u64,
    /// The time of the last one, or of the first record.
    last: Option<u64>,
    count: u64,
    records: Digestion,
}

impl Checkpoints {
    pub fn new(policy: CheckpointPolicy) -> Self {
        Self { policy, since: 1, last: None, count: 0, records: Digestion::default() }
    }

    /// The checkpoint in record `seq`, where there is to be one.
    pub fn due(&mut self, stream: &str, seq: u64, previous: Option<&str>, now: u64, is_last: bool) -> Option<String> {
        let last = *self.last.get_or_insert(now);
        let is_old = now.saturating_sub(last) >= self.policy.interval.as_secs();
        let previous = previous.filter(|_| self.count >= self.policy.records || is_old || is_last)?;
        // All texts are base64url and hexadecimal, so nothing needs an escape.
        let claims = format!(
            r#"{{"stream":"{stream}","seq":{seq},"since":{},"previous":"{previous}","records":"{}","iat":{now}}}"#,
            self.since,
            encode(&self.records.result()),
        );
        let checkpoint = self.policy.key.sign(TYPE, claims.as_bytes()).ok()?;
        self.since = seq;
        self.last = Some(now);
        self.count = 0;
        self.records = Digestion::default();
        Some(checkpoint)
    }

    /// Takes the hash of a record.
    pub fn add(&mut self, hash: &Hash) {
        self.count = self.count.saturating_add(1);
        self.records.add(hash);
    }
}

/// The hash of the hashes of records.
#[derive(Debug, Clone, Default)]
pub(crate) struct Digestion(Sha256);

impl Digestion {
    pub fn add(&mut self, hash: &Hash) {
        self.0.update(hash);
    }

    pub fn result(&self) -> Hash {
        self.0.clone().finalize().into()
    }
}

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Checkpoint {
    pub stream: String,
    pub seq: u64,
    pub since: u64,
    pub previous: String,
    pub records: String,
}

impl Checkpoint {
    /// What a checkpoint says that one of the keys signed.
    pub fn verified(text: &str, keys: &[PublicKey]) -> Option<Self> {
        let claims = keys.iter().find_map(|key| key.verified(TYPE, text))?;
        serde_json::from_slice(&claims).ok()
    }
}
