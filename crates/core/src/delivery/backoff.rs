//! How long a batch waits before it is sent again: a time that doubles, of which chance takes any part ("full jitter"), so that the workers of
//! many proxies do not come back at once.

use std::time::Duration;

use sha2::{Digest, Sha256};

/// The pauses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest pause before the first repetition.
    pub first: Duration,
    /// The longest pause at all.
    pub longest: Duration,
}

impl Backoff {
    /// The longest pause at all.
    #[must_use]
    pub const fn longest(&self) -> Duration {
        self.longest
    }

    /// The pause after so many attempts.
    pub(super) fn pause(&self, attempts: u32, chance: &mut Chance) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1)));
        chance.part_of(doubled.min(self.longest))
    }
}

/// The seed of one delivery among several of a purpose. The names of its batches are sent to servers, and tell nothing of what else is made
/// from the same seed.
#[must_use]
pub fn seed_of(seed: &[u8; 32], purpose: &[u8], place: usize) -> u64 {
    let place = u64::try_from(place).unwrap_or_default().to_be_bytes();
    let hash: [u8; 32] = Sha256::new().chain_update(purpose).chain_update(place).chain_update(seed).finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Chance, from a seed (SplitMix64): good enough to spread pauses and to name batches, and for nothing that has to be hard to guess.
#[derive(Debug, Clone)]
pub(super) struct Chance {
    name: u64,
    state: u64,
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        let mut chance = Self { name: 0, state: seed };
        chance.name = chance.next();
        chance
    }

    /// A number that no other seed has.
    pub const fn name(&self) -> u64 {
        self.name
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Any part of a duration, in thousandths.
    fn part_of(&mut self, duration: Duration) -> Duration {
        let thousandths = u32::try_from(self.next() % 1001).unwrap_or_default();
        duration.saturating_mul(thousandths).checked_div(1000).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_chance_takes_any_part_of_them() {
        let backoff = Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(30) };
        let mut chance = Chance::new(7);
        for (attempts, most) in [(1, 500), (2, 1000), (3, 2000), (7, 30_000), (u32::MAX, 30_000)] {
            let pauses: Vec<_> = (0..1000).map(|_| backoff.pause(attempts, &mut chance)).collect();
            let most = Duration::from_millis(most);
            assert!(pauses.iter().all(|pause| *pause <= most), "{attempts}");
            assert!(pauses.iter().any(|pause| *pause > most * 9 / 10), "{attempts}");
            assert!(pauses.iter().any(|pause| *pause < most / 10), "{attempts}");
        }
    }

    #[test]
    fn each_seed_has_a_name_of_its_own() {
        assert_ne!(Chance::new(0).name(), Chance::new(1).name());
        assert_eq!(Chance::new(5).name(), Chance::new(5).name());
    }

    #[test]
    fn the_seed_of_a_delivery_is_its_own_and_tells_nothing_of_the_one_that_it_is_made_from() {
        let seed = [7; 32];
        let all = [seed_of(&seed, b"a", 0), seed_of(&seed, b"a", 1), seed_of(&seed, b"b", 0), seed_of(&[8; 32], b"a", 0)];
        for (place, one) in all.iter().enumerate() {
            assert!(!all[..place].contains(one), "{place}");
            assert_ne!(*one, u64::from_be_bytes([7; 8]));
        }
    }
}
