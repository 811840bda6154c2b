//! Metrics of what requests mean, as the operator defines them: orders placed, bytes served to each tenant, the last import.
//!
//! A request counts when it matches in one way only, and was answered with a status that is asked for. The values of labels may come
//! from a claim or from the path, so they are made harmless first (no value can end a label or begin another), cut, and bounded: a
//! label has at most `maxValues` of them, a metric at most `maxSeries` series, and `other` stands for the rest. None of them is ever
//! part of a metric's own name.

mod definition;
mod label_template;

use std::collections::BTreeSet;
use std::rc::Rc;

pub use self::definition::{BusinessMetric, compile};

use super::labels::{NONE, OTHER, SeriesName, push_plain};
use super::series::Series;
use crate::config::business::BusinessValue;
use crate::matcher::Reading;
use crate::recent::Recent;
use crate::stage::{Ending, Exchange, MetricId, MetricKind, Observer};
use crate::time::UnixTime;

/// What one request adds or records at most: a terabyte, 35 years.
const MAX_AMOUNT: u64 = 1 << 40;
/// For how many combinations of values the series are at hand without writing their names.
const MAX_RECENT: usize = 64;
/// What stands between two values that are kept together; no value has it.
const SEPARATOR: char = ';';

/// A metric with its series.
#[derive(Debug, Clone)]
pub struct BusinessSeries {
    metric: Rc<BusinessMetric>,
    series: Series,
    /// The values of each label so far.
    seen: Vec<BTreeSet<Box<str>>>,
    recent: Recent<Box<str>, Option<MetricId>>,
    /// The values of a request, in turn.
    values: String,
}

impl BusinessSeries {
    /// No series yet, and at most so many.
    #[must_use]
    pub fn new(metric: Rc<BusinessMetric>, max_series: usize) -> Self {
        Self {
            series: Series::new(metric.kind, max_series),
            seen: vec![BTreeSet::new(); metric.labels.len()],
            recent: Recent::new(MAX_RECENT),
            values: String::new(),
            metric,
        }
    }

    /// Whether the name of the proxy's route must be known.
    #[must_use]
    pub fn needs_route_name(&self) -> bool {
        self.metric.matcher.needs_route_name()
    }

    /// Counts an exchange that has ended, if it is one of those that the metric is about.
    pub fn on_log(
        &mut self,
        exchange: &Exchange,
        ending: &dyn Ending,
        now: UnixTime,
        name: &mut SeriesName,
        observer: &mut dyn Observer,
    ) {
        let metric = Rc::clone(&self.metric);
        let route = exchange.route.name.as_deref();
        let Some(parameters) = metric.matcher.matches(&exchange.request, route, Reading::Broad) else { return };
        if !ending.status().is_some_and(|status| metric.status.contains(status)) {
            return;
        }
        let Some(amount) = amount(metric.value, ending, now) else { return };
        self.values.clear();
        for (_, template) in &metric.labels {
            match template.render(exchange, ending, &parameters) {
                Some(value) if !value.is_empty() => push_undotted(&value, &mut self.values),
                _ => self.values.push_str(NONE),
            }
            self.values.push(SEPARATOR);
        }
        let id = match self.recent.find(|values| **values == *self.values) {
            Some(id) => *id,
            None => self.define(&metric, name, observer),
        };
        match (id, metric.kind) {
            (Some(id), MetricKind::Counter) => observer.increment(id, amount),
            (Some(id), MetricKind::Gauge | MetricKind::Histogram) => observer.record(id, amount),
            (None, _) => {}
        }
    }

    fn define(&mut self, metric: &BusinessMetric, name: &mut SeriesName, observer: &mut dyn Observer) -> Option<MetricId> {
        let values = self.values.split_terminator(SEPARATOR);
        let bounded = values.zip(&mut self.seen).map(|(value, seen)| match value {
            NONE | OTHER => value,
            value if seen.contains(value) => value,
            value if seen.len() < metric.max_values => {
                seen.insert(value.into());
                value
            }
            _ => OTHER,
        });
        name.write_pairs(&metric.name, metric.label_names().zip(bounded));
        let write_rest = |name: &mut SeriesName| name.write_pairs(&metric.name, metric.label_names().map(|label| (label, OTHER)));
        let id = self.series.metric(name, write_rest, observer);
        self.recent.keep(self.values.as_str().into(), id);
        id
    }
}

/// Appends a value as it stands in a name, but for dots: Istio has expressions of its own, `(component\.(.*?)\.)`, that would find a
/// label in what a claim says.
fn push_undotted(value: &str, values: &mut String) {
    let start = values.len();
    push_plain(value, values);
    if values.get(start..).is_some_and(|value| value.contains('.')) {
        let value = values.split_off(start).replace('.', "_");
        values.push_str(&value);
    }
}

/// What is added, recorded or shown of an exchange; `None` where the proxy does not know it.
///
/// A sum that one request made absurd stays so until the proxy starts anew, so that each counts with [`MAX_AMOUNT`] at most. A client may
/// announce any number of bytes and be answered before it has sent them: what came counts.
fn amount(value: Option<BusinessValue>, ending: &dyn Ending, now: UnixTime) -> Option<u64> {
    let amount = match value {
        None => 1,
        Some(BusinessValue::RequestBytes) => ending.request_bytes()?.min(ending.received_bytes()?),
        Some(BusinessValue::ResponseBytes) => ending.response_bytes()?,
        Some(BusinessValue::DurationMs) => u64::try_from(ending.duration()?.as_millis()).unwrap_or(u64::MAX),
        Some(BusinessValue::TimestampSeconds) => now.as_secs(),
    };
    Some(amount.min(MAX_AMOUNT))
}

#[cfg(test)]
mod tests;
