//! How a delivery goes, as metrics. Labels come from the configuration only.

use std::rc::Rc;

use super::policy::Policy;
use crate::metrics::catalogue::{
    AUDIT_BATCHES_TOTAL, AUDIT_EVENTS_TOTAL, AUDIT_LAST_SUCCESS, AUDIT_QUEUE, AUDIT_QUEUE_LIMIT, Family,
};
use crate::metrics::{OwnCounter, OwnMetric, SharedGauge};
use crate::stage::Observer;
use crate::time::UnixTime;

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
    queue: SharedGauge,
    /// How many events there may be.
    limit: usize,
    /// Whether there ever was one: the proxy's main thread has a queue too, which is room for none.
    has_any: bool,
    queue_limit: SharedGauge,
    /// When the sink took something, until that is written.
    succeeded: Option<UnixTime>,
    last_success: OwnMetric,
}

#[derive(Debug, Default)]
struct Count {
    counter: OwnCounter,
    #[cfg(test)]
    total: u64,
}

impl Count {
    const fn add(&mut self, amount: u64) {
        self.counter.add(amount);
        #[cfg(test)]
        {
            self.total = self.total.saturating_add(amount);
        }
    }

    fn show(&mut self, family: &Family, values: &[&str], observer: &mut dyn Observer) {
        self.counter.show(family, values, observer);
    }
}

impl Tally {
    pub fn new(policy: &Policy) -> Self {
        Self {
            sink: Rc::clone(&policy.label),
            events: Default::default(),
            batches: Vec::new(),
            queue: SharedGauge::default(),
            limit: policy.limits.buffer_records,
            has_any: false,
            queue_limit: SharedGauge::default(),
            succeeded: None,
            last_success: OwnMetric::default(),
        }
    }

    pub fn count(&mut self, outcome: Outcome, events: usize) {
        self.has_any = true;
        let place = OUTCOMES.iter().position(|(other, ..)| *other == outcome);
        if let Some(count) = place.and_then(|place| self.events.get_mut(place)) {
            count.add(u64::try_from(events).unwrap_or(u64::MAX));
        }
    }

    /// Counts events that the sink took.
    pub fn sent(&mut self, events: usize, now: UnixTime) {
        self.count(Outcome::Sent, events);
        if events > 0 {
            self.succeeded = Some(now);
        }
    }

    /// There is no queue any more.
    pub const fn end(&mut self) {
        self.limit = 0;
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
        let sink = &*self.sink;
        for (count, (_, outcome, reason)) in self.events.iter_mut().zip(OUTCOMES) {
            match reason {
                Some(reason) => count.show(&AUDIT_EVENTS_TOTAL, &[sink, outcome, reason], observer),
                None => count.show(&AUDIT_EVENTS_TOTAL, &[sink, outcome], observer),
            }
        }
        for (outcome, count) in &mut self.batches {
            count.show(&AUDIT_BATCHES_TOTAL, &[sink, outcome], observer);
        }
        let number = |size| u64::try_from(size).unwrap_or(u64::MAX);
        self.queue.show(number(held), &AUDIT_QUEUE, &[sink], observer);
        if self.has_any {
            self.queue_limit.show(number(self.limit), &AUDIT_QUEUE_LIMIT, &[sink], observer);
        }
        if let Some(at) = self.succeeded.take()
            && let Some(id) = self.last_success.id(&AUDIT_LAST_SUCCESS, &[sink], observer)
        {
            observer.record(id, at.as_secs());
        }
    }

    /// Writes what changed to a counter by outcome alone. What is given up at the end is dropped there, and what came is not counted.
    pub fn show_as(&mut self, family: &Family, observer: &mut dyn Observer) {
        for (count, (outcome, word, _)) in self.events.iter_mut().zip(OUTCOMES) {
            let word = if outcome == Outcome::Logged { "dropped" } else { word };
            if outcome != Outcome::Queued {
                count.show(family, &[word], observer);
            }
        }
    }

    #[cfg(test)]
    pub fn total(&self, outcome: Outcome) -> u64 {
        OUTCOMES.iter().zip(&self.events).filter(|((other, ..), _)| *other == outcome).map(|(_, count)| count.total).sum()
    }
}
