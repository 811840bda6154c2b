//! Sealed logs for tests.

#![allow(clippy::arithmetic_side_effects, reason = "an overflow ends the test")]

use std::rc::Rc;
use std::time::Duration;

use portcullis_minting::{PublicKey, SigningKey};

use crate::finding::{Finding, Place};
use crate::{Auditor, Chain, CheckpointPolicy, END_SCHEMA, GAP_SCHEMA, MacKey, Order, Summary};

pub const KEY: &[u8] = b"a key of thirty-two bytes or more";
/// The key of RFC 8037 appendix A.1.
const SIGNING: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;
/// The P-256 key of RFC 7517 appendix A.2.
const OTHER: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;

pub fn mac_key() -> MacKey {
    MacKey::new(KEY).unwrap()
}

pub fn public_key() -> PublicKey {
    PublicKey::read(SIGNING.as_bytes()).unwrap()
}

/// A key that signs nothing here.
pub fn other_public_key() -> PublicKey {
    PublicKey::read(OTHER.as_bytes()).unwrap()
}

pub fn checkpoints(records: u64) -> CheckpointPolicy {
    let key = Rc::new(SigningKey::read(SIGNING.as_bytes()).unwrap());
    CheckpointPolicy { key, records, interval: Duration::from_secs(60) }
}

/// A stream of so many records and its end, with a checkpoint every three records.
pub fn stream(name: &str, records: u64) -> Vec<String> {
    let mut chain = Chain::new(mac_key(), name, Some(checkpoints(3)));
    let mut lines: Vec<String> = (1..=records).map(|seq| chain.seal(event(name, seq), seq, 1_000)).collect();
    let end = format!(r#"{{"schema":"{END_SCHEMA}","id":"{name}-{}"}}"#, records + 1);
    lines.push(chain.close(end, records + 1, 1_000));
    lines
}

pub fn event(stream: &str, seq: u64) -> String {
    format!(r#"{{"schema":"portcullis.audit/1","id":"{stream}-{seq}","action":"order.approve","object":"order/{seq}"}}"#)
}

pub fn gap(stream: &str, dropped: u64, first: u64, last: u64) -> String {
    let gap = format!(
        r#"{{"schema":"{GAP_SCHEMA}","id":"{stream}-gap-{first}","dropped":{dropped},"reason":"overflow","first":"{stream}-{first}","last":"{stream}-{last}"}}"#
    );
    Chain::new(mac_key(), stream, None).gap_seal().seal(gap)
}

/// What an auditor with these keys says of lines.
pub fn audit_with(keys: &[MacKey], public: &[PublicKey], order: Order, lines: &[impl AsRef<[u8]>]) -> (Summary, Vec<Finding>) {
    let mut auditor = Auditor::new(keys.to_vec(), public.to_vec(), order);
    for (number, line) in (1..).zip(lines) {
        auditor.read_line(&Place { file: "log".into(), line: number }, line.as_ref());
    }
    let mut found = auditor.take_findings();
    let (summary, rest) = auditor.finish();
    found.extend(rest);
    (summary, found)
}

/// The same with both keys, in the order of writing, as text.
pub fn audit(lines: &[impl AsRef<[u8]>]) -> Vec<String> {
    audit_with(&[mac_key()], &[public_key()], Order::Written, lines).1.iter().map(ToString::to_string).collect()
}
