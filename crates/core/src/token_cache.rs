//! Tokens that were verified before, so that a signature is verified once.
//!
//! A token is found by all of its bytes, and only while it is valid and its issuer's keys are the same. What was found invalid is
//! never kept: unsigned input cannot fill the cache. It is bounded in entries and in bytes; the oldest entries go first.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::jose::Validity;
use crate::time::UnixTime;

/// Verified tokens with what is known of each.
#[derive(Debug)]
pub struct VerifiedTokens<T> {
    entries: BTreeMap<Rc<[u8]>, Entry<T>>,
    /// The tokens in the order in which they came.
    order: BTreeMap<u64, Rc<[u8]>>,
    next: u64,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Entry<T> {
    value: T,
    validity: Validity,
    generation: u64,
    number: u64,
}

impl<T: Clone> VerifiedTokens<T> {
    /// An empty cache for at most so many tokens, and so many bytes of them.
    #[must_use]
    pub const fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { entries: BTreeMap::new(), order: BTreeMap::new(), next: 0, bytes: 0, max_entries, max_bytes }
    }

    /// What is known of a token, if it is valid at this time and was verified by keys of this generation.
    pub fn get(&mut self, token: &[u8], now: UnixTime, generation: u64) -> Option<T> {
        let entry = self.entries.get(token)?;
        if entry.generation == generation && entry.validity.contains(now) {
            return Some(entry.value.clone());
        }
        self.remove(token);
        None
    }

    /// Keep what is known of a verified token. A token that is longer than all that may be kept is not kept.
    pub fn insert(&mut self, token: &[u8], value: T, validity: Validity, generation: u64) {
        self.remove(token);
        if self.max_entries == 0 || token.len() > self.max_bytes {
            return;
        }
        while self.entries.len() >= self.max_entries || self.bytes.saturating_add(token.len()) > self.max_bytes {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.remove(&oldest);
        }
        let (key, number): (Rc<[u8]>, _) = (token.into(), self.next);
        self.next = self.next.wrapping_add(1);
        self.bytes = self.bytes.saturating_add(token.len());
        self.order.insert(number, Rc::clone(&key));
        self.entries.insert(key, Entry { value, validity, generation, number });
    }

    /// Forget all tokens.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.order.clear();
        self.bytes = 0;
    }

    /// How many tokens are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no token is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn remove(&mut self, token: &[u8]) {
        if let Some(entry) = self.entries.remove(token) {
            self.order.remove(&entry.number);
            self.bytes = self.bytes.saturating_sub(token.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALIDITY: Validity = Validity { from: UnixTime::from_secs(10), until: UnixTime::from_secs(20) };
    const NOW: UnixTime = UnixTime::from_secs(15);

    fn tokens(cache: &mut VerifiedTokens<&'static str>, tokens: &[&str]) -> Vec<bool> {
        tokens.iter().map(|token| cache.get(token.as_bytes(), NOW, 0).is_some()).collect()
    }

    #[test]
    fn finds_a_token_by_all_of_its_bytes() {
        let mut cache = VerifiedTokens::new(10, 1000);
        cache.insert(b"header.claims.signature", "alice", VALIDITY, 0);
        assert_eq!(cache.get(b"header.claims.signature", NOW, 0), Some("alice"));
        for other in
            ["header.claims.signaturE", "header.claims.signatur", "header.claims.signature ", "Header.claims.signature", ""]
        {
            assert_eq!(cache.get(other.as_bytes(), NOW, 0), None, "{other}");
        }
    }

    #[test]
    fn forgets_what_is_not_valid_or_was_verified_by_other_keys() {
        for (name, now, generation) in [("early", 9, 0), ("late", 20, 0), ("other keys", 15, 1)] {
            let mut cache = VerifiedTokens::new(10, 1000);
            cache.insert(b"token", "alice", VALIDITY, 0);
            assert_eq!(cache.get(b"token", UnixTime::from_secs(now), generation), None, "{name}");
            assert!(cache.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_oldest_go_first_when_entries_run_out() {
        let mut cache = VerifiedTokens::new(2, 1000);
        for token in ["a", "b", "a", "c"] {
            cache.insert(token.as_bytes(), "x", VALIDITY, 0);
        }
        assert_eq!(tokens(&mut cache, &["a", "b", "c"]), [true, false, true]);
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn the_oldest_go_first_when_bytes_run_out() {
        let mut cache = VerifiedTokens::new(100, 10);
        for token in ["aaaa", "bbbb", "cc", "dddddd"] {
            cache.insert(token.as_bytes(), "x", VALIDITY, 0);
        }
        assert_eq!(tokens(&mut cache, &["aaaa", "bbbb", "cc", "dddddd"]), [false, false, true, true]);
        cache.insert(b"eleven byte", "x", VALIDITY, 0);
        assert_eq!(cache.len(), 2, "what never fits pushes nothing out");
    }

    #[test]
    fn accounts_for_every_byte_over_time() {
        let mut cache = VerifiedTokens::new(8, 64);
        for round in 0..1000_u64 {
            let token = format!("{round:0width$}", width = 1 + usize::try_from(round % 17).unwrap());
            cache.insert(token.as_bytes(), "x", VALIDITY, round % 3);
            cache.get(token.as_bytes(), NOW, round % 2);
            assert_eq!(cache.bytes, cache.entries.keys().map(|token| token.len()).sum::<usize>());
            assert_eq!(cache.order.len(), cache.entries.len());
            assert!(cache.bytes <= 64 && cache.len() <= 8);
        }
        cache.clear();
        assert_eq!((cache.bytes, cache.len(), cache.order.len()), (0, 0, 0));
    }

    #[test]
    fn keeps_nothing_when_nothing_may_be_kept() {
        let mut cache = VerifiedTokens::new(0, 1000);
        cache.insert(b"token", "x", VALIDITY, 0);
        assert!(cache.is_empty());
    }
}
