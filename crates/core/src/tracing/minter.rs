//! Makes the names of traces and spans, and draws which traces are recorded.

use std::fmt;

use sha2::{Digest, Sha256};

use super::context::{Sampling, SpanId, TraceContext, TraceId};
use crate::config::probability::Probability;

/// What the seed is hashed with, so that what is drawn tells nothing of what else is made from it.
const PURPOSE: &[u8] = b"portcullis trace";

/// Draws from the hash of a seed and a count: nobody who sees some names knows the next.
#[derive(Clone)]
pub struct Minter {
    seed: [u8; 32],
    count: u64,
    sample: Probability,
}

impl fmt::Debug for Minter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Minter").field("sample", &self.sample).finish_non_exhaustive()
    }
}

impl Minter {
    /// Names from a seed that nobody else has.
    #[must_use]
    pub const fn new(seed: [u8; 32], sample: Probability) -> Self {
        Self { seed, count: 0, sample }
    }

    /// Another one, with names of its own.
    #[must_use]
    pub fn another(&mut self) -> Self {
        let [first, second] = self.draw().map(u128::to_be_bytes);
        let mut seed = [0; 32];
        seed.iter_mut().zip(first.into_iter().chain(second)).for_each(|(byte, drawn)| *byte = drawn);
        Self { seed, count: 0, ..*self }
    }

    /// The beginning of a trace. It is recorded if somebody decided so, and otherwise as often as is wanted.
    pub fn context(&mut self, sampling: Sampling) -> TraceContext {
        let [trace, other] = self.draw();
        let [span, chance] = [(other >> 64) as u64, other as u64];
        let (trace, span) = (TraceId::of_random(trace), SpanId::of_random(span));
        TraceContext { trace, span, parent: None, sampling: self.decided(sampling, chance), is_random: true }
    }

    /// The same with a decision, where none was made.
    #[must_use]
    pub fn decide(&mut self, context: TraceContext) -> TraceContext {
        if context.sampling != Sampling::Undecided {
            return context;
        }
        let [_, chance] = self.draw();
        TraceContext { sampling: self.decided(context.sampling, chance as u64), ..context }
    }

    /// The name of a new span.
    pub fn span(&mut self) -> SpanId {
        let [span, _] = self.draw();
        SpanId::of_random(span as u64)
    }

    fn decided(&self, sampling: Sampling, chance: u64) -> Sampling {
        const BITS: u32 = 53;
        const WHOLE: f64 = (1_u64 << BITS) as f64;
        if sampling != Sampling::Undecided {
            return sampling;
        }
        let drawn = chance >> u64::BITS.saturating_sub(BITS);
        Sampling::of((drawn as f64) < self.sample.get() * WHOLE)
    }

    fn draw(&mut self) -> [u128; 2] {
        self.count = self.count.wrapping_add(1);
        let hash = Sha256::new().chain_update(PURPOSE).chain_update(self.seed).chain_update(self.count.to_be_bytes()).finalize();
        let half = |half: &[u8]| half.iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let (first, second) = hash.split_at_checked(16).unwrap_or_default();
        [half(first), half(second)]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn minter(seed: u8, sample: f64) -> Minter {
        Minter::new([seed; 32], Probability::new(sample).unwrap())
    }

    #[test]
    fn no_name_is_made_twice_and_no_seed_makes_those_of_another() {
        let mut names = BTreeSet::new();
        for seed in 0..4 {
            let mut minter = minter(seed, 1.0);
            for _ in 0..1000 {
                let context = minter.context(Sampling::Undecided);
                assert!(names.insert(context.trace.to_string()) && names.insert(context.span.to_string()));
                assert!(names.insert(minter.span().to_string()));
                assert!(names.insert(minter.another().span().to_string()));
            }
        }
        assert_eq!(minter(1, 1.0).context(Sampling::Undecided), minter(1, 1.0).context(Sampling::Undecided));
        assert!(!format!("{:?}", minter(77, 1.0)).contains("77"));
    }

    #[test]
    fn records_as_often_as_is_wanted_and_as_others_decided() {
        for (sample, few, many) in [(0.0, 0, 0), (0.25, 2_300, 2_700), (1.0, 10_000, 10_000)] {
            let mut minter = minter(7, sample);
            let recorded = (0..10_000).filter(|_| minter.context(Sampling::Undecided).sampling.is_recorded()).count();
            assert!((few..=many).contains(&recorded), "{sample}: {recorded}");
            for decided in [Sampling::Denied, Sampling::Accepted, Sampling::Debug] {
                assert_eq!(minter.context(decided).sampling, decided);
            }
            let open = TraceContext { sampling: Sampling::Undecided, ..minter.context(Sampling::Denied) };
            let decided = minter.decide(open);
            assert_eq!(TraceContext { sampling: open.sampling, ..decided }, open);
            assert_ne!(decided.sampling, Sampling::Undecided);
            assert_eq!(minter.decide(decided), decided);
        }
    }
}
