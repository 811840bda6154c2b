//! How a delivery goes, as metrics. Labels come from the configuration only.

use std::rc::Rc;

use crate::metrics::catalogue::{AUDIT_BATCHES_TOTAL, AUDIT_EVENTS_TOTAL, AUDIT_QUEUE, Family};
use crate::metrics::{OwnCounter, SharedGauge};
use crate::stage::Observer;

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
    pub fn new(sink: &Rc<str>) -> Self {
        Self { sink: Rc::clone(sink), events: Default::default(), batches: Vec::new(), queue: SharedGauge::default() }
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
        self.queue.show(u64::try_from(held).unwrap_or(u64::MAX), &AUDIT_QUEUE, &[sink], observer);
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
