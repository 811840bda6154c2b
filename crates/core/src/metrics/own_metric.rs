//! A metric that a stage keeps of itself.

use super::labels::SeriesName;
use crate::stage::{MetricId, MetricKind, Observer};

/// A metric with its handle once it is defined: `None` where the proxy refused. Each is defined once, for the proxy never forgets
/// one.
#[derive(Debug, Default)]
pub struct OwnMetric(Option<Option<MetricId>>);

impl OwnMetric {
    /// Its handle. Kind, name and labels are the same each time.
    pub fn id(
        &mut self,
        kind: MetricKind,
        family: &str,
        labels: &[(&str, &str)],
        observer: &mut dyn Observer,
    ) -> Option<MetricId> {
        *self.0.get_or_insert_with(|| {
            let mut name = SeriesName::default();
            name.write_pairs(family, labels.iter().copied());
            observer.define_metric(kind, name.as_str())
        })
    }
}
