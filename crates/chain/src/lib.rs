//! Tamper evidence for a log of JSON lines.
//!
//! A [`Chain`] seals the records of one *stream*, in which each has a number. Into each it writes a last member
//!
//! ```json
//! "chain":{"stream":"9f86d081884c7d65","seq":7,"previous":"<mac of number 6>","mac":"<this one's>"}
//! ```
//!
//! where `mac` is base64url of HMAC-SHA-256(key, SHA-256(*text*)), and *text* is all bytes of the record before `,"mac":"`. The
//! first record says `"previous":null`. Now and then a record also holds, before `mac`, a `checkpoint`: a signature over the
//! hashes of all records since the one before it, by which someone can verify who must not have the key of the MAC, for with that
//! one could also write.
//!
//! An [`Auditor`] reads what is left of such records, from any number of streams, and finds what was changed, removed, reordered,
//! repeated or added. A [gap record](GapSeal) accounts for records that were dropped on their way; a
//! [last record](Chain::close) for the end. What nobody can see: that a stream is missing as a whole, and how many records are
//! missing after the last one that is left, where that is not the stream's end.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects)]

mod auditor;
mod checkpoint;
mod excerpts;
mod finding;
mod link;
mod mac_key;
mod record;
#[cfg(test)]
mod testing;

pub use auditor::{Auditor, Order, Summary};
pub use checkpoint::CheckpointPolicy;
pub use excerpts::{Excerpt, excerpts};
pub use finding::{DropReason, Finding, Place, Problem, Severity};
pub use link::{Chain, GapSeal};
pub use mac_key::MacKey;

/// How the text of each record begins.
pub const MARK: &str = r#"{"schema":"portcullis.audit"#;
/// The schema of the record that stands for others that were dropped.
pub const GAP_SCHEMA: &str = "portcullis.audit.gap/1";
/// The schema of the last record of a stream.
pub const END_SCHEMA: &str = "portcullis.audit.end/1";
