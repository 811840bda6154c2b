//! How a delivery goes, as metrics. Labels come from the configuration only.

use std::rc::Rc;

use crate::metrics::OwnMetric;
use crate::stage::{MetricKind, Observer};

/// The counter of events, by sink and outcome.
pub const EVENTS_TOTAL: &str = "portcullis_audit_events_total";
/// The counter of answers to batches, by sink and outcome.
pub const BATCHES_TOTAL: &str = "portcullis_audit_batches_total";
/// The gauge of events that wait or are under way, by sink: in all workers.
pub const QUEUE: &str = "portcullis_audit_queue_events";

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Queued,
    Sent,
    DroppedOverflow,
    DroppedAttempts,
    Rejected,
    Logged,
    Blocked,
}

const OUTCOMES: [(Outcome, &str, Option<&str>); 7] = [
    (Outcome::Queued, "queued", None),
    (Outcome::Sent, "sent", None),
    (Outcome::DroppedOverflow, "dropped", Some("overflow")),
    (Outcome::DroppedAttempts, "dropped", Some("attempts")),
    (Outcome::Rejected, "rejected", None),
    (Outcome::Logged, "logged", None),
    (Outcome::Blocked, "blocked", None),
];

/// What is counted and not yet written, and the metrics.
#[derive(Debug)]
pub(super) struct Tally {
    sink: Rc<str>,
    events: [Count; OUTCOMES.len()],
    batches: Vec<(&'static str, Count)>,
    shown: u64,
    queue: OwnMetric,
}

#[derive(Debug, Default)]
struct Count {
    pending: u64,
    #[cfg(test)]
    total: u64,
    metric: OwnMetric,
}

impl Count {
    const fn add(&mut self, amount: u64) {
        self.pending = self.pending.saturating_add(amount);
        #[cfg(test)]
        {
            self.total = self.total.saturating_add(amount);
        }
    }

    fn show(&mut self, family: &str, labels: &[(&str, &str)], observer: &mut dyn Observer) {
        let amount = std::mem::take(&mut self.pending);
        if amount > 0
            && let Some(id) = self.metric.id(MetricKind::Counter, family, labels, observer)
        {
            observer.increment(id, amount);
        }
    }
}

impl Tally {
    pub fn new(sink: &Rc<str>) -> Self {
        Self { sink: Rc::clone(sink), events: Default::default(), batches: Vec::new(), shown: 0, queue: OwnMetric::default() }
    }

    pub fn count(&mut self, outcome: Outcome, events: usize) {
        let place = OUTCOMES.iter().position(|(other, ..)| *other == outcome);
        if let Some(count) = place.and_then(|place| self.events.get_mut(place)) {
            count.add(u64::try_from(events).unwrap_or(u64::MAX));
        }
    }

    pub fn batch(&mut self, outcome: &'static str) {
        match self.batches.iter_mut().find(|(other, _)| *other == outcome) {
            Some((_, count)) => count.add(1),
            None => {
                let mut count = Count::default();
                count.add(1);
                self.batches.push((outcome, count));
            }
        }
    }

    /// Writes what changed.
    pub fn show(&mut self, held: usize, observer: &mut dyn Observer) {
        let sink = ("sink", &*self.sink);
        for (count, (_, outcome, reason)) in self.events.iter_mut().zip(OUTCOMES) {
            let labels = [sink, ("outcome", outcome), ("reason", reason.unwrap_or_default())];
            count.show(EVENTS_TOTAL, labels.get(..if reason.is_some() { 3 } else { 2 }).unwrap_or_default(), observer);
        }
        for (outcome, count) in &mut self.batches {
            count.show(BATCHES_TOTAL, &[sink, ("outcome", outcome)], observer);
        }
        // All workers share the gauge: each adds what it has more, and takes away what it has less.
        let held = u64::try_from(held).unwrap_or(u64::MAX);
        if held != self.shown
            && let Some(id) = self.queue.id(MetricKind::Gauge, QUEUE, &[sink], observer)
        {
            observer.adjust(id, held.cast_signed().wrapping_sub(self.shown.cast_signed()));
            self.shown = held;
        }
    }

    #[cfg(test)]
    pub fn total(&self, outcome: Outcome) -> u64 {
        OUTCOMES.iter().zip(&self.events).filter(|((other, ..), _)| *other == outcome).map(|(_, count)| count.total).sum()
    }
}
