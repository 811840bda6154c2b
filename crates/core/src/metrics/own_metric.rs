//! A metric that a stage keeps of itself.

use super::catalogue::Family;
use super::labels::SeriesName;
use crate::stage::{MetricId, Observer};

/// One series of a metric, with its handle once it is defined: `None` where the proxy refused. Each is defined once, for the proxy
/// never forgets one.
#[derive(Debug, Default)]
pub struct OwnMetric(Option<Option<MetricId>>);

impl OwnMetric {
    /// Not defined yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Its handle. The metric and the values of its labels are the same each time; a label without a value is left out.
    pub fn id(&mut self, family: &Family, values: &[&str], observer: &mut dyn Observer) -> Option<MetricId> {
        *self.0.get_or_insert_with(|| {
            let mut name = SeriesName::default();
            name.write_pairs(family.name(), family.labels().iter().copied().zip(values.iter().copied()));
            observer.define_metric(family.kind(), name.as_str())
        })
    }
}

/// A counter that is added to in memory, and in the proxy now and then.
#[derive(Debug, Default)]
pub struct OwnCounter {
    pending: u64,
    metric: OwnMetric,
}

impl OwnCounter {
    /// Adds to it.
    pub const fn add(&mut self, amount: u64) {
        self.pending = self.pending.saturating_add(amount);
    }

    /// Writes what was added since. A counter to which nothing was ever added does not exist.
    pub fn show(&mut self, family: &Family, values: &[&str], observer: &mut dyn Observer) {
        let amount = std::mem::take(&mut self.pending);
        if amount > 0
            && let Some(id) = self.metric.id(family, values, observer)
        {
            observer.increment(id, amount);
        }
    }
}

/// A gauge that all workers share: each adds what it has more than before, and takes away what it has less.
#[derive(Debug, Default)]
pub struct SharedGauge {
    shown: u64,
    metric: OwnMetric,
}

impl SharedGauge {
    /// Lets it show what this worker has now. A gauge that never showed anything does not exist.
    pub fn show(&mut self, value: u64, family: &Family, values: &[&str], observer: &mut dyn Observer) {
        if value != self.shown
            && let Some(id) = self.metric.id(family, values, observer)
        {
            observer.adjust(id, value.cast_signed().wrapping_sub(self.shown.cast_signed()));
            self.shown = value;
        }
    }
}
