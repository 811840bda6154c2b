//! Seals the records of a stream.

use std::fmt::Write;

use crate::checkpoint::{CheckpointPolicy, Checkpoints};
use crate::mac_key::{MacKey, encode, hash};

/// The records of one stream, as far as the next one needs them.
#[derive(Debug)]
pub struct Chain {
    key: MacKey,
    stream: String,
    /// The MAC of the record before, as text; absent before the first.
    previous: Option<String>,
    checkpoints: Option<Checkpoints>,
}

impl Chain {
    /// The chain of a new stream, whose name needs no escape in JSON.
    #[must_use]
    pub fn new(key: MacKey, stream: &str, checkpoints: Option<CheckpointPolicy>) -> Self {
        Self { key, stream: stream.to_owned(), previous: None, checkpoints: checkpoints.map(Checkpoints::new) }
    }

    /// The record with its seal: a JSON object on one line. `seq` is one more than that of the record before it, and 1 for the first;
    /// `now` is in seconds since 1970.
    pub fn seal(&mut self, record: String, seq: u64, now: u64) -> String {
        self.link(record, seq, now, false)
    }

    /// The same for the last record of the stream. Where there are checkpoints, it has one.
    pub fn close(&mut self, record: String, seq: u64, now: u64) -> String {
        self.link(record, seq, now, true)
    }

    /// What seals the gap records of the stream.
    #[must_use]
    pub fn gap_seal(&self) -> GapSeal {
        GapSeal { key: self.key.clone(), stream: self.stream.clone() }
    }

    fn link(&mut self, mut record: String, seq: u64, now: u64, is_last: bool) -> String {
        open(&mut record);
        let _ = write!(record, r#","chain":{{"stream":"{}","seq":{seq},"previous":"#, self.stream);
        match &self.previous {
            Some(previous) => {
                let _ = write!(record, r#""{previous}""#);
            }
            None => record.push_str("null"),
        }
        let previous = self.previous.as_deref();
        let due = |checkpoints: &mut Checkpoints| checkpoints.due(&self.stream, seq, previous, now, is_last);
        if let Some(checkpoint) = self.checkpoints.as_mut().and_then(due) {
            let _ = write!(record, r#","checkpoint":"{checkpoint}""#);
        }
        let hash = hash(record.as_bytes());
        if let Some(checkpoints) = &mut self.checkpoints {
            checkpoints.add(&hash);
        }
        let mac = encode(&self.key.mac(&hash));
        finish(&mut record, &mac);
        self.previous = Some(mac);
        record
    }
}

/// Seals the gap records of a stream, which stand for others that have a number and have none themselves.
#[derive(Debug, Clone)]
pub struct GapSeal {
    key: MacKey,
    stream: String,
}

impl GapSeal {
    /// The record with its MAC.
    #[must_use]
    pub fn seal(&self, mut record: String) -> String {
        open(&mut record);
        let _ = write!(record, r#","chain":{{"stream":"{}""#, self.stream);
        let mac = self.key.mac(&hash(record.as_bytes()));
        finish(&mut record, &encode(&mac));
        record
    }
}

/// Takes off the brace that ends the object.
fn open(record: &mut String) {
    if record.ends_with('}') {
        record.pop();
    }
    record.reserve(256);
}

fn finish(record: &mut String, mac: &str) {
    let _ = write!(record, r#","mac":"{mac}"}}}}"#);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::{KEY, checkpoints, event, gap, mac_key};

    /// The MACs are those that this gives, with the text before `,"mac":"` as TEXT:
    /// `printf %s TEXT | openssl dgst -sha256 -binary | openssl dgst -sha256 -binary -hmac "$KEY" | basenc --base64url`.
    #[test]
    fn seals_as_the_documentation_says() {
        let mut chain = Chain::new(MacKey::new(KEY).unwrap(), "9f86d081884c7d65", None);
        let mut seal = |seq| chain.seal(format!(r#"{{"schema":"portcullis.audit/1","id":"9f86d081884c7d65-{seq}"}}"#), seq, 0);
        assert_eq!(
            seal(1),
            r#"{"schema":"portcullis.audit/1","id":"9f86d081884c7d65-1","chain":{"stream":"9f86d081884c7d65","seq":1,"previous":null,"mac":"A_E_ii7V9dsYxPQm4pda9y8By840yWYk9sOv_VM3u6s"}}"#
        );
        assert_eq!(
            seal(2),
            r#"{"schema":"portcullis.audit/1","id":"9f86d081884c7d65-2","chain":{"stream":"9f86d081884c7d65","seq":2,"previous":"A_E_ii7V9dsYxPQm4pda9y8By840yWYk9sOv_VM3u6s","mac":"5xTuKjuqLjGxX6MgfPfBTA0rLCAVH6TjZuMxfu8izp8"}}"#
        );
        assert!(
            gap("a", 3, 2, 4)
                .ends_with(r#""last":"a-4","chain":{"stream":"a","mac":"7FGYpTrQUIFdl8L_DyqiGx3NBxn-RhJ8tIYbjQcdmiM"}}"#),
            "{}",
            gap("a", 3, 2, 4)
        );
    }

    #[test]
    fn signs_by_count_and_by_time_and_at_the_end() {
        let mut chain = Chain::new(mac_key(), "a", Some(checkpoints(3)));
        let mut seal = |seq, now| chain.seal(event("a", seq), seq, now).contains(r#","checkpoint":"#);
        // Three records after the first one, then 60 seconds after that checkpoint, then three records again.
        let times = [0, 1, 2, 3, 62, 63, 64, 64, 64];
        let signed: Vec<bool> = (1..).zip(times).map(|(seq, now)| seal(seq, now)).collect();
        assert_eq!(signed, [false, false, false, true, false, true, false, false, true]);
        assert!(chain.close(event("a", 10), 10, 64).contains(r#","checkpoint":"#));
        // There is nothing to sign before the first record.
        assert!(!Chain::new(mac_key(), "a", Some(checkpoints(3))).close(event("a", 1), 1, 0).contains("checkpoint"));
        let always = CheckpointPolicy { interval: Duration::ZERO, ..checkpoints(1_000) };
        let mut chain = Chain::new(mac_key(), "a", Some(always));
        let signed: Vec<bool> = (1..=3).map(|seq| chain.seal(event("a", seq), seq, 0).contains("checkpoint")).collect();
        assert_eq!(signed, [false, true, true]);
    }

    #[test]
    fn debug_output_holds_no_key() {
        let chain = Chain::new(mac_key(), "a", Some(checkpoints(3)));
        let text = format!("{chain:?}");
        assert!(!text.contains("a key of") && !text.contains("nWGxne"), "{text}");
    }
}
