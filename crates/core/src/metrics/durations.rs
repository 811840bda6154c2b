//! How long requests take.
//!
//! To record a value takes the proxy 0.07 µs when it does so again and again, and some 2 µs in the midst of a request, whose own
//! code it has to make way for. So the values of many requests are recorded together.

use std::time::Duration;

use crate::stage::{MetricId, Observer};

/// How many durations wait at most.
const MAX_WAITING: usize = 1024;

/// The durations that were not recorded yet.
#[derive(Debug, Clone)]
pub struct Durations {
    waits: bool,
    waiting: Vec<(MetricId, u64)>,
}

impl Durations {
    /// None yet. They wait for the next tick where one comes (`has_tick`).
    #[must_use]
    pub const fn new(has_tick: bool) -> Self {
        Self { waits: has_tick, waiting: Vec::new() }
    }

    /// Whether they wait for the next tick.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.waits
    }

    /// From here on no tick may come: nothing waits any more. Whether nothing does that came before.
    pub const fn stop_waiting(&mut self) -> bool {
        self.waits = false;
        self.waiting.is_empty()
    }

    /// Takes how long a request took.
    pub fn record(&mut self, metric: MetricId, took: Duration, observer: &mut dyn Observer) {
        self.waiting.push((metric, u64::try_from(took.as_millis()).unwrap_or(u64::MAX)));
        if !self.waits || self.waiting.len() >= MAX_WAITING {
            self.show(observer);
        }
    }

    /// Records all that wait.
    pub fn show(&mut self, observer: &mut dyn Observer) {
        self.waiting.drain(..).for_each(|(metric, milliseconds)| observer.record(metric, milliseconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Board;
    use crate::stage::MetricKind;

    #[test]
    fn durations_wait_for_the_tick_or_for_many_others() {
        let took = Duration::from_micros(7_900);
        for (has_tick, count, at_once) in
            [(true, 1, 0), (true, MAX_WAITING - 1, 0), (true, MAX_WAITING, MAX_WAITING), (false, 3, 3)]
        {
            let mut board = Board::default();
            let metric = board.define_metric(MetricKind::Histogram, "a").unwrap();
            let mut durations = Durations::new(has_tick);
            (0..count).for_each(|_| durations.record(metric, took, &mut board));
            assert_eq!(board.values.get("a").map_or(0, Vec::len), at_once, "{has_tick} {count}");
            durations.show(&mut board);
            durations.show(&mut board);
            assert_eq!(board.values["a"], vec![7; count], "{has_tick} {count}");
        }
    }

    #[test]
    fn none_waits_for_a_tick_that_may_not_come() {
        let mut board = Board::default();
        let metric = board.define_metric(MetricKind::Histogram, "a").unwrap();
        let mut durations = Durations::new(true);
        durations.record(metric, Duration::ZERO, &mut board);
        assert!(!durations.stop_waiting(), "one came before");
        durations.record(metric, Duration::ZERO, &mut board);
        assert_eq!(board.values["a"], [0, 0]);
        assert!(durations.stop_waiting());
    }
}
