//! The proxy's metrics as a value, for tests.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::family_of;
use crate::stage::{MetricId, MetricKind, Observer};

/// What the proxy would hold.
#[derive(Default)]
pub struct Board {
    /// The names of all definitions, also of one that was defined before.
    pub names: Vec<String>,
    /// What was counted and recorded, each time.
    pub values: BTreeMap<String, Vec<u64>>,
    /// What became of gauges that are added to.
    pub levels: BTreeMap<String, i64>,
    /// Whether no metric may be defined.
    pub refuses: bool,
}

impl Observer for Board {
    fn define_metric(&mut self, _kind: MetricKind, name: &str) -> Option<MetricId> {
        let metric = MetricId(u32::try_from(self.names.len()).unwrap());
        self.names.push(name.to_owned());
        (!self.refuses).then_some(metric)
    }

    fn has_room_for_metric(&self, name: &str, limit: usize) -> bool {
        let same: BTreeSet<_> = self.names.iter().filter(|other| family_of(other) == family_of(name)).collect();
        same.len() < limit || same.iter().any(|other| *other == name)
    }

    fn increment(&mut self, metric: MetricId, amount: u64) {
        self.record(metric, amount);
    }

    fn adjust(&mut self, metric: MetricId, by: i64) {
        let level = self.levels.entry(self.names[metric.0 as usize].clone()).or_default();
        *level = level.checked_add(by).unwrap();
    }

    fn record(&mut self, metric: MetricId, value: u64) {
        self.values.entry(self.names[metric.0 as usize].clone()).or_default().push(value);
    }

    fn set_state(&mut self, key: &str, _value: &str) {
        panic!("metrics wrote filter state {key}");
    }

    fn print(&mut self, line: &str) {
        panic!("metrics printed {line}");
    }
}
