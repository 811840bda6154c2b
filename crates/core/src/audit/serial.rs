//! What tells an event from all others, and says which one is missing: a stream, and a number counted up in it.
//!
//! A stream is what one configuration in one worker records, from its first event to its last. Its name is random, so that no
//! other worker, configuration or restart has it too; its numbers have no holes, so that whoever holds 1 to 7 without 5 knows
//! that 5 is missing. Nothing in it is a client's word.

use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::formats::json::write_number;

/// What the seed is hashed with, so that a stream's name tells nothing of what else is made from it.
const PURPOSE: &[u8] = b"portcullis audit stream";

/// The serial of one event; as text `0123456789abcdef-7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serial {
    /// The name of the stream: 16 lower-case hexadecimal digits.
    pub stream: Rc<str>,
    /// The number in the stream; the first is 1.
    pub seq: u64,
}

impl Serial {
    /// Its text.
    #[must_use]
    pub fn text(&self) -> String {
        const LONGEST_NUMBER: usize = 20;
        let mut text = String::with_capacity(self.stream.len().saturating_add(1).saturating_add(LONGEST_NUMBER));
        text.push_str(&self.stream);
        text.push('-');
        write_number(&mut text, self.seq);
        text
    }
}

/// Makes the serials of one stream.
#[derive(Debug, Clone)]
pub struct Serials {
    last: Serial,
}

impl Serials {
    /// The serials of a new stream, from a seed that nobody else has.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        let hash: [u8; 32] = Sha256::new().chain_update(PURPOSE).chain_update(seed).finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        let name = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        Self { last: Serial { stream: format!("{name:016x}").into(), seq: 0 } }
    }

    /// The name of the stream.
    #[must_use]
    pub fn stream(&self) -> &str {
        &self.last.stream
    }

    /// The number that was taken last; 0 before the first.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last.seq
    }

    /// The next one.
    pub fn take(&mut self) -> Serial {
        self.last.seq = self.last.seq.wrapping_add(1);
        self.last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_without_holes_in_a_stream_that_no_other_seed_has() {
        let mut serials = Serials::new(&[0; 32]);
        let taken: Vec<_> = (0..3).map(|_| serials.take().text()).collect();
        assert_eq!(taken, ["f56ece944e25fc4c-1", "f56ece944e25fc4c-2", "f56ece944e25fc4c-3"]);
        let other = Serials::new(&[1; 32]).take();
        assert_eq!((other.stream.len(), other.seq), (16, 1));
        assert_ne!(*other.stream, *serials.take().stream);
    }
}
