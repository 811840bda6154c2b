//! The metrics that the VM has defined.
//!
//! To define a metric costs the proxy memory that it never gives back, each time anew even for the same name. Configurations come and go
//! while the VM stays, so what is defined is known here, for all of them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use portcullis_core::metrics::family_of;
use portcullis_core::stage::{MetricId, MetricKind};

use crate::error::Result;

type Series = BTreeMap<Box<str>, (MetricKind, MetricId)>;

/// All metrics, by the name without labels.
#[derive(Debug, Default)]
pub struct DefinedMetrics(RefCell<BTreeMap<Box<str>, Series>>);

impl DefinedMetrics {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(RefCell::new(BTreeMap::new()))
    }

    /// The handle of a metric; of one that is not known, what `define` returns.
    ///
    /// # Errors
    /// That of `define`.
    pub fn id(&self, kind: MetricKind, name: &str, define: impl FnOnce() -> Result<MetricId>) -> Result<MetricId> {
        let known = self.0.try_borrow().ok().and_then(|metrics| metrics.get(family_of(name))?.get(name).copied());
        if let Some((_, id)) = known.filter(|(known, _)| *known == kind) {
            return Ok(id);
        }
        let id = define()?;
        if let Ok(mut metrics) = self.0.try_borrow_mut() {
            metrics.entry(family_of(name).into()).or_default().insert(name.into(), (kind, id));
        }
        Ok(id)
    }

    /// Whether a series is known, or its metric has less than `limit` of them.
    #[must_use]
    pub fn has_room_for(&self, name: &str, limit: usize) -> bool {
        let Ok(metrics) = self.0.try_borrow() else { return false };
        metrics.get(family_of(name)).is_none_or(|series| series.len() < limit || series.contains_key(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn each_is_defined_once_and_by_its_kind() {
        let metrics = DefinedMetrics::new();
        let id = |kind, name, new| metrics.id(kind, name, || Ok(MetricId(new)));
        assert_eq!(metrics.id(MetricKind::Gauge, "a", || Err(Error::malformed("define_metric"))).ok(), None);
        for (kind, name, new, expected) in [
            (MetricKind::Gauge, "a", 1, 1),
            (MetricKind::Gauge, "a", 2, 1),
            (MetricKind::Gauge, "x=.=1;.;a", 3, 3),
            (MetricKind::Histogram, "a", 4, 4),
            (MetricKind::Histogram, "a", 5, 4),
        ] {
            assert_eq!(id(kind, name, new), Ok(MetricId(expected)), "{name}");
        }
    }

    #[test]
    fn there_is_room_for_what_is_there_and_up_to_the_limit() {
        let metrics = DefinedMetrics::new();
        for name in ["x=.=1;.;a", "x=.=2;.;a", "b"] {
            metrics.id(MetricKind::Counter, name, || Ok(MetricId(1))).unwrap();
        }
        for (name, limit, expected) in
            [("x=.=1;.;a", 1, true), ("x=.=3;.;a", 2, false), ("x=.=3;.;a", 3, true), ("x=.=1;.;b", 2, true), ("c", 1, true)]
        {
            assert_eq!(metrics.has_room_for(name, limit), expected, "{name} {limit}");
        }
    }
}
