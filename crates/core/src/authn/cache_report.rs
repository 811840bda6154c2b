//! How the cache of verified tokens is doing.

use crate::metrics::catalogue::{TOKEN_CACHE_BYTES, TOKEN_CACHE_ENTRIES, TOKEN_CACHE_LOOKUPS_TOTAL};
use crate::metrics::{OwnCounter, SharedGauge};
use crate::stage::Observer;
use crate::token_cache::VerifiedTokens;

/// What was looked for and found, and what the gauges show.
#[derive(Debug, Default)]
pub(super) struct CacheReport {
    hits: OwnCounter,
    misses: OwnCounter,
    entries: SharedGauge,
    bytes: SharedGauge,
}

impl CacheReport {
    /// Counts a look-up.
    pub const fn count(&mut self, is_hit: bool) {
        if is_hit { self.hits.add(1) } else { self.misses.add(1) }
    }

    /// Writes what changed.
    pub fn show<T>(&mut self, cache: &VerifiedTokens<T>, observer: &mut dyn Observer) {
        self.write(cache.len(), cache.bytes(), observer);
    }

    /// The same for the last time: the cache is no more.
    pub fn close(&mut self, observer: &mut dyn Observer) {
        self.write(0, 0, observer);
    }

    fn write(&mut self, entries: usize, bytes: usize, observer: &mut dyn Observer) {
        self.hits.show(&TOKEN_CACHE_LOOKUPS_TOTAL, &["hit"], observer);
        self.misses.show(&TOKEN_CACHE_LOOKUPS_TOTAL, &["miss"], observer);
        let number = |size| u64::try_from(size).unwrap_or(u64::MAX);
        self.entries.show(number(entries), &TOKEN_CACHE_ENTRIES, &[], observer);
        self.bytes.show(number(bytes), &TOKEN_CACHE_BYTES, &[], observer);
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::jose::Validity;
    use crate::metrics::Board;
    use crate::time::UnixTime;
    use crate::token_cache::Limits;

    #[test]
    fn workers_share_the_gauges_and_give_back_what_they_added() {
        let validity = Validity { from: UnixTime::from_secs(0), until: UnixTime::from_secs(9) };
        let mut board = Board::default();
        let mut workers = [3, 1].map(|tokens: u8| {
            let mut cache = VerifiedTokens::new(Limits { entries: 10, bytes: 10_000 });
            (0..tokens).for_each(|token| cache.insert(Rc::from([token]), (), 100, validity));
            (CacheReport::default(), cache)
        });
        let bytes: usize = workers.iter().map(|(_, cache)| cache.bytes()).sum();
        for (report, cache) in &mut workers {
            [true, false, true].into_iter().for_each(|is_hit| report.count(is_hit));
            report.show(cache, &mut board);
            report.show(cache, &mut board);
        }
        let shown = |board: &Board, name: &str| board.values[&format!("{name}portcullis_token_cache_lookups_total")].clone();
        assert_eq!((shown(&board, "outcome=.=hit;.;"), shown(&board, "outcome=.=miss;.;")), (vec![2, 2], vec![1, 1]));
        let gauges = |board: &Board| [&TOKEN_CACHE_ENTRIES, &TOKEN_CACHE_BYTES].map(|family| board.levels[family.name()]);
        assert_eq!(gauges(&board), [4, i64::try_from(bytes).unwrap()]);
        workers.iter_mut().for_each(|(report, _)| report.close(&mut board));
        assert_eq!(gauges(&board), [0, 0]);
    }
}
