//! Proofs that were used, so that none counts twice (RFC 9449 section 11.1): told to all workers of the proxy by its shared data.
//!
//! A proof is known by a hash of the key that signed it and of its `jti`, so that no client spends the `jti` of another. It is
//! remembered for as long as its `iat` would let it count. What is remembered lies in [`SHARDS`] values, chosen by the hash; what
//! has passed is left out when one is written. A value holds [`MOST`] proofs, all of them together half a million, in ten megabytes:
//! some 6,000 proofs a second for a minute, after which the first value is full, for they do not fill alike.
//!
//! A proof that cannot be remembered does not count: where its value is full, where shared data cannot be used or makes no sense,
//! and where other workers came first again and again. To remember in each worker alone would be to let every proof count once in
//! each of them. Other proxies know nothing of it: before several of them, a proof counts once in each.

use sha2::{Digest as _, Sha256};

use crate::sender::Digest;
use crate::stage::{Over, SharedData, Written};
use crate::time::UnixTime;

/// In how many values proofs are remembered.
pub const SHARDS: u16 = 1024;
/// How many proofs one of them holds.
pub const MOST: usize = 512;

/// How often a worker tries to write before others who do.
const TRIES: usize = 16;
const HASH: usize = 16;
/// A hash, and the last second in which the proof would count.
const ENTRY: usize = HASH + size_of::<u32>();

/// What is known of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is the first; it is known from now on.
    First,
    /// There was one before.
    Again,
    /// It cannot be told.
    Unknown,
}

/// Uses a proof that `key` signed, and that would count until `until`.
pub fn spend(key: &Digest, jti: &str, until: UnixTime, now: UnixTime, shared: &mut dyn SharedData) -> Use {
    let hash = Sha256::new().chain_update(key).chain_update(jti).finalize();
    let (Some(hash), Some([high, low])) = (hash.first_chunk::<HASH>(), hash.last_chunk::<2>()) else { return Use::Unknown };
    let place = format!("portcullis.dpop.1|{}", u16::from_be_bytes([*high, *low]) % SHARDS);
    let last = seconds(until).saturating_add(1).to_be_bytes();
    for _ in 0..TRIES {
        let Ok(found) = shared.read(&place) else { return Use::Unknown };
        let (known, over) = found.map_or((Vec::new(), Over::Nothing), |(known, version)| (known, Over::Version(version)));
        let Some(mut kept) = current(&known, now) else { return Use::Unknown };
        if kept.chunks_exact(ENTRY).any(|entry| entry.starts_with(hash)) {
            return Use::Again;
        }
        if kept.len() >= MOST.saturating_mul(ENTRY) {
            return Use::Unknown;
        }
        kept.extend_from_slice(hash);
        kept.extend_from_slice(&last);
        match shared.write(&place, &kept, over) {
            Ok(Written::Done) => return Use::First,
            Ok(Written::Outdated) => {}
            Err(_) => return Use::Unknown,
        }
    }
    Use::Unknown
}

/// The entries that have not passed; `None` when there is something else.
fn current(known: &[u8], now: UnixTime) -> Option<Vec<u8>> {
    let entries = known.chunks_exact(ENTRY);
    if !entries.remainder().is_empty() {
        return None;
    }
    let now = seconds(now);
    let mut kept = Vec::with_capacity(known.len().saturating_add(ENTRY));
    for entry in entries {
        if u32::from_be_bytes(*entry.last_chunk()?) >= now {
            kept.extend_from_slice(entry);
        }
    }
    Some(kept)
}

fn seconds(time: UnixTime) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::stage::{Alone, NotShared};

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
    const MINUTE: Duration = Duration::from_secs(60);

    /// Shared data of two workers, the other of which writes first so many times.
    #[derive(Default)]
    struct Shared {
        values: BTreeMap<String, (Vec<u8>, u32)>,
        lost: usize,
        broken: bool,
    }

    impl SharedData for Shared {
        fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared> {
            Ok(self.values.get(key).cloned())
        }

        fn write(&mut self, key: &str, value: &[u8], over: Over) -> Result<Written, NotShared> {
            if self.broken {
                return Err(NotShared);
            }
            let version = self.values.get(key).map_or(0, |(_, version)| *version);
            let expected = match over {
                Over::Nothing => 0,
                Over::Version(version) => version,
                Over::Anything => panic!("what another worker wrote would be lost"),
            };
            if self.lost > 0 || version != expected {
                self.lost = self.lost.saturating_sub(1);
                return Ok(Written::Outdated);
            }
            self.values.insert(key.to_owned(), (value.to_vec(), version.saturating_add(1)));
            Ok(Written::Done)
        }
    }

    fn spend_at(jti: &str, now: UnixTime, shared: &mut Shared) -> Use {
        spend(&[1; 32], jti, now.saturating_add(MINUTE), now, shared)
    }

    #[test]
    fn a_proof_counts_once_for_as_long_as_it_would_count() {
        let mut shared = Shared::default();
        assert_eq!(spend_at("a", NOW, &mut shared), Use::First);
        for (seconds, expected) in [(0, Use::Again), (59, Use::Again), (60, Use::Again), (62, Use::First), (63, Use::Again)] {
            assert_eq!(spend_at("a", UnixTime::from_secs(NOW.as_secs() + seconds), &mut shared), expected, "{seconds}");
        }
        assert_eq!(spend_at("b", NOW, &mut shared), Use::First);
    }

    #[test]
    fn no_client_spends_what_is_anothers() {
        let mut shared = Shared::default();
        assert_eq!(spend_at("a", NOW, &mut shared), Use::First);
        assert_eq!(spend(&[2; 32], "a", NOW.saturating_add(MINUTE), NOW, &mut shared), Use::First);
    }

    #[test]
    fn who_loses_against_another_worker_looks_again() {
        let mut shared = Shared { lost: 3, ..Shared::default() };
        assert_eq!(spend_at("a", NOW, &mut shared), Use::First);
        shared.lost = TRIES;
        assert_eq!(spend_at("b", NOW, &mut shared), Use::Unknown);
        assert_eq!(spend_at("b", NOW, &mut shared), Use::First, "it was not used");
    }

    #[test]
    fn what_cannot_be_remembered_does_not_count() {
        assert_eq!(spend(&[1; 32], "a", NOW, NOW, &mut Alone), Use::Unknown);
        let mut shared = Shared::default();
        assert_eq!(spend_at("a", NOW, &mut shared), Use::First);
        shared.broken = true;
        assert_eq!(spend_at("b", NOW, &mut shared), Use::Unknown);
        shared.broken = false;
        shared.values.values_mut().for_each(|(value, _)| value.truncate(ENTRY - 1));
        assert_eq!(spend_at("a", NOW, &mut shared), Use::Unknown, "a value that makes no sense");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_passes() {
        let mut shared = Shared::default();
        assert_eq!(spend_at("a", NOW, &mut shared), Use::First);
        let (place, (value, version)) = shared.values.pop_first().unwrap();
        let others = (0..MOST).flat_map(|number| {
            let mut entry = vec![0; ENTRY];
            entry[..8].copy_from_slice(&number.to_be_bytes());
            entry[HASH..].copy_from_slice(&seconds(NOW.saturating_add(MINUTE)).to_be_bytes());
            entry
        });
        shared.values.insert(place.clone(), (others.collect(), version));
        assert_eq!(spend_at("a", NOW, &mut shared), Use::Unknown, "full");
        let later = NOW.saturating_add(MINUTE).saturating_add(Duration::from_secs(1));
        assert_eq!(spend_at("a", later, &mut shared), Use::First);
        assert_eq!(shared.values[&place].0.len(), value.len(), "what has passed is gone");
    }

    #[test]
    fn proofs_are_spread_over_the_shards() {
        let mut shared = Shared::default();
        for number in 0..10_000 {
            assert_eq!(spend_at(&number.to_string(), NOW, &mut shared), Use::First);
        }
        assert_eq!(shared.values.len(), usize::from(SHARDS));
        assert!(shared.values.values().all(|(value, _)| value.len() < 40 * ENTRY));
    }
}
