//! Tokens that were verified before, so that a signature is verified once.
//!
//! A token is found by all of its bytes, and only while it is valid and whoever asks agrees that what was verified still counts
//! (the keys may have changed since). What was found invalid is never kept, so a stranger cannot fill the cache. It is bounded
//! in entries and in bytes. When it is full, the oldest entry goes that was not asked for since it was last passed over (second
//! chance), so that finding one takes no longer the more there are.

use std::hash::BuildHasher;
use std::rc::Rc;

use hashbrown::HashTable;

use crate::bytes::is_same;
use crate::jose::Validity;
use crate::time::UnixTime;

/// How many bytes at its end tell one token from another: 18 bytes of the signature, which no two valid tokens share.
///
/// Hashing these instead of all of a token of 900 bytes takes 0.02 µs in place of 0.05 to 0.2.
const HASHED_BYTES: usize = 24;
/// How many entries that were asked for are passed over, at most, before one goes all the same.
const SECOND_CHANCES: usize = 8;
/// What an entry takes beside the token and the value: the allocation of the token and two places in the table.
const ENTRY_OVERHEAD: usize = 32;

/// How much the cache may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tokens.
    pub entries: usize,
    /// Bytes of memory that they and what is known of them take.
    pub bytes: usize,
}

/// Verified tokens with what is known of each.
#[derive(Debug)]
pub struct VerifiedTokens<T> {
    /// A ring, in the order in which they came but for reused places.
    places: Vec<Option<Entry<T>>>,
    /// The empty places.
    free: Vec<usize>,
    /// Where a token stands in `places`, by its hash.
    table: HashTable<usize>,
    /// Where the search for an entry that can go continues.
    hand: usize,
    bytes: usize,
    limits: Limits,
    seed: u64,
}

#[derive(Debug)]
struct Entry<T> {
    hash: u64,
    token: Rc<[u8]>,
    validity: Validity,
    value: T,
    bytes: usize,
    asked_for: bool,
}

impl<T> VerifiedTokens<T> {
    /// An empty cache.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let seed = std::hash::RandomState::new().hash_one(0_u8);
        Self { places: Vec::new(), free: Vec::new(), table: HashTable::new(), hand: 0, bytes: 0, limits, seed }
    }

    /// What is known of a token, if it is valid at this time and still counts; if not, it is forgotten.
    pub fn get(&mut self, token: &[u8], now: UnixTime, counts: impl FnOnce(&T) -> bool) -> Option<&T> {
        let place = self.find(token)?;
        let entry = self.places.get_mut(place)?.as_mut()?;
        if !entry.validity.contains(now) || !counts(&entry.value) {
            self.remove(place);
            return None;
        }
        entry.asked_for = true;
        self.entry(place).map(|entry| &entry.value)
    }

    /// Keep what is known of a verified token; the value takes `value_bytes` on the heap. What is larger than all that may be
    /// kept is not kept.
    pub fn insert(&mut self, token: Rc<[u8]>, value: T, value_bytes: usize, validity: Validity) {
        if let Some(place) = self.find(&token) {
            self.remove(place);
        }
        let bytes = [token.len(), value_bytes, ENTRY_OVERHEAD].into_iter().fold(size_of::<Entry<T>>(), usize::saturating_add);
        if self.limits.entries == 0 || bytes > self.limits.bytes {
            return;
        }
        while self.len() >= self.limits.entries || self.bytes.saturating_add(bytes) > self.limits.bytes {
            self.evict();
        }
        let hash = hash(&token, self.seed);
        let entry = Some(Entry { hash, token, validity, value, bytes, asked_for: false });
        let place = self.free.pop().unwrap_or(self.places.len());
        match self.places.get_mut(place) {
            Some(empty) => *empty = entry,
            None => self.places.push(entry),
        }
        let places = &self.places;
        let hash_at = |place: &usize| places.get(*place).and_then(Option::as_ref).map_or(0, |entry| entry.hash);
        self.table.insert_unique(hash, place, hash_at);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Forget the tokens of which this says so.
    pub fn forget(&mut self, is_meant: impl Fn(&T) -> bool) {
        for place in 0..self.places.len() {
            if self.entry(place).is_some_and(|entry| is_meant(&entry.value)) {
                self.remove(place);
            }
        }
    }

    /// How many tokens are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// The memory that they and what is known of them take.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether no token is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn entry(&self, place: usize) -> Option<&Entry<T>> {
        self.places.get(place)?.as_ref()
    }

    /// A stranger cannot search for the bytes of a kept token by the time that this takes: of any other token already the last
    /// bytes differ, and then nothing is compared.
    fn find(&self, token: &[u8]) -> Option<usize> {
        let hash = hash(token, self.seed);
        let is_it = |place: &usize| self.entry(*place).is_some_and(|entry| entry.hash == hash && is_same(&entry.token, token));
        self.table.find(hash, is_it).copied()
    }

    /// Removes one entry; there is one.
    fn evict(&mut self) {
        let mut chances = SECOND_CHANCES;
        loop {
            let place = if self.hand < self.places.len() { self.hand } else { 0 };
            self.hand = place.wrapping_add(1);
            match self.places.get_mut(place) {
                Some(Some(entry)) if entry.asked_for && chances > 0 => {
                    entry.asked_for = false;
                    chances = chances.wrapping_sub(1);
                }
                Some(None) => {}
                Some(Some(_)) | None => return self.remove(place),
            }
        }
    }

    fn remove(&mut self, place: usize) {
        let Some(entry) = self.places.get_mut(place).and_then(Option::take) else { return };
        self.free.push(place);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        if let Ok(found) = self.table.find_entry(entry.hash, |found| *found == place) {
            found.remove();
        }
    }
}

/// Of the bytes that tell tokens apart.
fn hash(token: &[u8], seed: u64) -> u64 {
    const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
    let start = token.len().saturating_sub(HASHED_BYTES);
    let (words, rest) = token.get(start..).unwrap_or_default().as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain(rest.iter().map(|byte| u64::from(*byte)));
    words.fold(seed, |hash, word| {
        let mixed = (hash ^ word).wrapping_mul(ODD);
        mixed ^ (mixed >> 32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALIDITY: Validity = Validity { from: UnixTime::from_secs(10), until: UnixTime::from_secs(20) };
    const NOW: UnixTime = UnixTime::from_secs(15);
    const AMPLE: Limits = Limits { entries: 10, bytes: 1_000_000 };
    /// What a token of one byte takes, with a value that takes nothing on the heap.
    const SMALLEST: usize = size_of::<Entry<&str>>() + ENTRY_OVERHEAD + 1;

    fn cache(entries: usize, bytes: usize) -> VerifiedTokens<&'static str> {
        VerifiedTokens::new(Limits { entries, bytes })
    }

    fn kept(cache: &mut VerifiedTokens<&'static str>, tokens: &[&str]) -> Vec<bool> {
        tokens.iter().map(|token| cache.get(token.as_bytes(), NOW, |_| true).is_some()).collect()
    }

    #[test]
    fn finds_a_token_by_all_of_its_bytes() {
        let mut cache = VerifiedTokens::new(AMPLE);
        let token = format!("{}.{}", "claims".repeat(20), "signature".repeat(5));
        cache.insert(Rc::from(token.as_bytes()), "alice", 0, VALIDITY);
        assert_eq!(cache.get(token.as_bytes(), NOW, |_| true), Some(&"alice"));
        for place in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[place] ^= 1;
            assert_eq!(cache.get(&other, NOW, |_| true), None, "another byte at {place}");
            assert_eq!(cache.get(&token.as_bytes()[..place], NOW, |_| true), None, "cut at {place}");
            assert_eq!(cache.get(&token.as_bytes()[place + 1..], NOW, |_| true), None, "without its first {place}");
        }
        assert_eq!(cache.get(format!("{token} ").as_bytes(), NOW, |_| true), None);
        assert_eq!(cache.get(format!("x{token}").as_bytes(), NOW, |_| true), None);
        assert_eq!(cache.len(), 1, "what is not found pushes nothing out");
    }

    #[test]
    fn tokens_with_the_same_end_are_kept_apart() {
        let mut cache = VerifiedTokens::new(AMPLE);
        let tokens = ["alice", "bobby", "carol"].map(|name| (name, format!("{name}{}", "s".repeat(40))));
        for (name, token) in &tokens {
            cache.insert(Rc::from(token.as_bytes()), *name, 0, VALIDITY);
        }
        for (name, token) in &tokens {
            assert_eq!(cache.get(token.as_bytes(), NOW, |_| true), Some(name));
        }
    }

    #[test]
    fn forgets_what_is_not_valid_or_does_not_count_any_more() {
        for (name, now, counts) in [("early", 9, true), ("late", 20, true), ("other keys", 15, false)] {
            let mut cache = VerifiedTokens::new(AMPLE);
            cache.insert(Rc::from(&b"token"[..]), "alice", 0, VALIDITY);
            assert!(!cache.is_empty(), "{name}");
            assert_eq!(cache.get(b"token", UnixTime::from_secs(now), |_| counts), None, "{name}");
            assert!(cache.is_empty(), "{name}");
        }
    }

    #[test]
    fn forgets_the_tokens_that_are_meant_and_keeps_the_others() {
        let mut cache = VerifiedTokens::new(AMPLE);
        for (token, value) in [("a", "old"), ("b", "new"), ("c", "old"), ("d", "old"), ("e", "new"), ("f", "old")] {
            cache.insert(Rc::from(token.as_bytes()), value, 0, VALIDITY);
        }
        cache.forget(|value| *value == "old");
        assert_eq!(kept(&mut cache, &["a", "b", "c", "d", "e", "f"]), [false, true, false, false, true, false]);
    }

    #[test]
    fn the_oldest_go_first_when_entries_run_out() {
        let mut cache = cache(2, 1000);
        for token in ["a", "b", "c"] {
            cache.insert(Rc::from(token.as_bytes()), "x", 0, VALIDITY);
        }
        assert_eq!(kept(&mut cache, &["a", "b", "c"]), [false, true, true]);
    }

    #[test]
    fn what_was_asked_for_stays_longer() {
        let mut cache = cache(3, 1000);
        for token in ["a", "b", "c"] {
            cache.insert(Rc::from(token.as_bytes()), "x", 0, VALIDITY);
        }
        kept(&mut cache, &["a", "c"]);
        cache.insert(Rc::from(&b"d"[..]), "x", 0, VALIDITY);
        assert_eq!(kept(&mut cache, &["a", "b", "c", "d"]), [true, false, true, true]);
    }

    #[test]
    fn something_goes_even_when_everything_was_asked_for() {
        let names: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let mut cache = cache(50, 1_000_000);
        for name in &names {
            cache.insert(Rc::from(name.as_bytes()), "x", 0, VALIDITY);
            for name in &names {
                cache.get(name.as_bytes(), NOW, |_| true);
            }
            assert!(cache.len() <= 50);
        }
        assert_eq!(cache.len(), 50);
    }

    #[test]
    fn eight_that_were_asked_for_are_passed_over_at_most() {
        let names: Vec<String> = (0..12).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut cache = cache(12, 1_000_000);
        for name in &names {
            cache.insert(Rc::from(name.as_bytes()), "x", 0, VALIDITY);
        }
        kept(&mut cache, &names);
        cache.insert(Rc::from(&b"one more"[..]), "x", 0, VALIDITY);
        let gone = kept(&mut cache, &names).iter().position(|is_kept| !is_kept);
        assert_eq!((gone, cache.len()), (Some(8), 12));
    }

    #[test]
    fn the_oldest_go_first_when_bytes_run_out() {
        let mut cache = cache(100, 3 * SMALLEST);
        for token in ["a", "b", "c", "d"] {
            cache.insert(Rc::from(token.as_bytes()), "x", 0, VALIDITY);
        }
        assert_eq!(cache.len(), 3);
        cache.insert(Rc::from(&b"e"[..]), "x", SMALLEST, VALIDITY);
        assert_eq!(cache.len(), 2, "the value counts too");
        assert_eq!(kept(&mut cache, &["e"]), [true]);
        cache.insert(Rc::from(&b"f"[..]), "x", 3 * SMALLEST, VALIDITY);
        assert_eq!(cache.len(), 2, "what never fits pushes nothing out");
        cache.insert(Rc::from(&b"g"[..]), "x", 2 * SMALLEST, VALIDITY);
        assert_eq!(kept(&mut cache, &["e", "g"]), [false, true], "what just fits is kept");
    }

    #[test]
    fn tokens_that_differ_in_their_last_bytes_are_told_apart_without_a_comparison() {
        let token = |number: u64| format!("{}{number:020}", "claims".repeat(20));
        // The lower half: it chooses the place in the table.
        let half = |hash: u64| hash & u64::from(u32::MAX);
        let hashes = (0..4096).map(|number| half(hash(token(number).as_bytes(), 1)));
        assert_eq!(hashes.collect::<std::collections::BTreeSet<_>>().len(), 4096);
    }

    #[test]
    fn accounts_for_every_byte_over_time() {
        let mut cache = cache(8, 8 * SMALLEST);
        for round in 0..2000_u64 {
            let token = format!("{round:0width$}", width = 1 + usize::try_from(round % 17).unwrap());
            cache.insert(Rc::from(token.as_bytes()), "x", usize::try_from(round % 5).unwrap() * 40, VALIDITY);
            let asked = format!("{:0width$}", round.saturating_sub(3), width = 1 + usize::try_from((round + 14) % 17).unwrap());
            cache.get(asked.as_bytes(), NOW, |_| round % 3 > 0);
            let kept: Vec<_> = cache.places.iter().flatten().collect();
            assert_eq!(cache.bytes, kept.iter().map(|entry| entry.bytes).sum::<usize>());
            assert!(cache.bytes <= 8 * SMALLEST && cache.len() <= 8);
            assert_eq!((cache.len(), cache.places.len()), (kept.len(), kept.len() + cache.free.len()));
            assert!(kept.iter().all(|entry| cache.find(&entry.token).is_some()));
        }
        cache.forget(|_| true);
        assert_eq!((cache.bytes, cache.len(), cache.table.len()), (0, 0, 0));
    }

    #[test]
    fn keeps_nothing_when_nothing_may_be_kept() {
        let mut cache = cache(0, 1000);
        cache.insert(Rc::from(&b"token"[..]), "x", 0, VALIDITY);
        assert!(cache.is_empty());
    }
}
