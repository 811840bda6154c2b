//! Which of many like requests are recorded.

use sha2::{Digest, Sha256};

use crate::config::fraction::Fraction;

/// What the seed is hashed with, so that what is drawn tells nothing of what else is made from it.
const PURPOSE: &[u8] = b"portcullis audit sample";
/// 2^64 divided by the golden ratio: what SplitMix64 counts in.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Draws from a seed and a count. Nothing that a client chooses has a say, and nothing that it sees tells what comes next.
#[derive(Debug, Clone)]
pub struct Sampler {
    state: u64,
}

impl Sampler {
    /// Draws from a seed that nobody else has.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        let hash: [u8; 32] = Sha256::new().chain_update(PURPOSE).chain_update(seed).finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        Self { state: u64::from_be_bytes([a, b, c, d, e, f, g, h]) }
    }

    /// Whether the next one is among this part of all.
    pub fn takes(&mut self, part: Fraction) -> bool {
        const BITS: u32 = 53;
        const WHOLE: f64 = (1_u64 << BITS) as f64;
        let drawn = self.draw() >> u64::BITS.saturating_sub(BITS);
        (drawn as f64) < part.get() * WHOLE
    }

    /// The next number (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", SplitMix64).
    const fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_about_the_part_that_is_asked_for() {
        for (part, few, many) in [(0.1, 9_700, 10_300), (0.5, 49_500, 50_500), (1.0, 100_000, 100_000), (1e-12, 0, 0)] {
            let part = Fraction::new(part).unwrap();
            let mut sampler = Sampler::new(&[7; 32]);
            let taken = (0..100_000).filter(|_| sampler.takes(part)).count();
            assert!((few..=many).contains(&taken), "{part:?}: {taken}");
        }
    }

    #[test]
    fn another_seed_draws_otherwise() {
        let drawn = |seed| {
            let mut sampler = Sampler::new(&[seed; 32]);
            (0..64).map(|_| sampler.takes(Fraction::new(0.5).unwrap())).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }
}
