//! The series of one metric: defined at first use, never more than a bound.
//!
//! The proxy never gives back the memory that a metric takes. So every name is defined once and its handle kept, a definition that the
//! proxy refused is not tried again, and what other configurations of the same VM have defined counts too: each new one would let as many
//! names in again.

use std::collections::BTreeMap;

use super::catalogue::Family;
use super::labels::{LabelValues, OTHER, SeriesName};
use crate::config::metrics::Label;
use crate::stage::{MetricId, MetricKind, Observer};

/// The series of one metric.
#[derive(Debug, Clone)]
pub struct Series {
    kind: MetricKind,
    limit: usize,
    known: BTreeMap<Box<str>, Option<MetricId>>,
    /// The series that stands for all beyond the limit, once there are some.
    rest: Option<Option<MetricId>>,
}

impl Series {
    /// No series yet, and at most `limit` of them beside the one for the rest.
    #[must_use]
    pub const fn new(kind: MetricKind, limit: usize) -> Self {
        Self { kind, limit, known: BTreeMap::new(), rest: None }
    }

    /// The handle of the series of a family with these labels of a request.
    pub fn of_labels(
        &mut self,
        family: &Family,
        labels: &[Label],
        values: &LabelValues<'_>,
        name: &mut SeriesName,
        observer: &mut dyn Observer,
    ) -> Option<MetricId> {
        name.write(family.name(), labels, |label| values.get(label));
        self.metric(name, |name| name.write(family.name(), labels, |_| OTHER), observer)
    }

    /// The handle of the series with this name, or of the one for the rest; `None` when the proxy refused to define it.
    ///
    /// `write_rest` writes over `name` when it has to become the name for the rest.
    pub fn metric(
        &mut self,
        name: &mut SeriesName,
        write_rest: impl FnOnce(&mut SeriesName),
        observer: &mut dyn Observer,
    ) -> Option<MetricId> {
        if let Some(known) = self.known.get(name.as_str()) {
            return *known;
        }
        if self.known.len() < self.limit && observer.has_room_for_metric(name.as_str(), self.limit) {
            let metric = observer.define_metric(self.kind, name.as_str());
            self.known.insert(name.as_str().into(), metric);
            return metric;
        }
        *self.rest.get_or_insert_with(|| {
            write_rest(name);
            observer.define_metric(self.kind, name.as_str())
        })
    }
}
