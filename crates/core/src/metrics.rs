//! The stage metrics: counts requests and measures how long they take, under a bounded number of names.
//!
//! Two families, with their labels written into the names ([`SeriesName`]):
//! - the counter `portcullis_requests_total`, with the labels that the operator chose;
//! - the histogram `portcullis_request_duration_ms`, with the label `rule` when that is among them: a histogram has dozens of
//!   buckets, so more labels would make thousands of series.
//!
//! | label | value | without one |
//! |---|---|---|
//! | `rule` | the rule that decided | `none` |
//! | `decision` | `allow`, `deny`, `error`; of a rule in shadow `would_deny`, `would_error` | `none` |
//! | `reason` | `token_valid`, `public`, `anonymous` or the code of the refusal | `none` |
//! | `issuer` | the name of the `jwtRules` entry that vouched for the caller | `none` |
//! | `method` | a method of RFC 9110 or PATCH, else `other` | `none` |
//! | `status_class` | `1xx` to `5xx`, else `other` | `none` |
//!
//! So no value is a client's own text. The proxy never forgets a metric; therefore each family also has at most `maxSeries`
//! names, and one more whose every label is `other`.

mod labels;
mod policy;
mod series;
mod stats_tags;

pub use labels::{LabelValues, SeriesName};
pub use policy::Policy;
pub use series::Series;
pub use stats_tags::STATS_TAGS;

use std::rc::Rc;

use crate::stage::{Completion, Exchange, MetricKind, Needs, Observer, Stage};
use crate::time::UnixTime;

/// The name of the counter.
pub const REQUESTS_TOTAL: &str = "portcullis_requests_total";
/// The name of the histogram.
pub const REQUEST_DURATION_MS: &str = "portcullis_request_duration_ms";

/// The stage metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    policy: Rc<Policy>,
    standalone: bool,
    requests: Series,
    durations: Series,
    name: SeriesName,
}

impl Metrics {
    /// The stage under a policy. `standalone` says that no stage of the same module decides, so that principal and decision
    /// come from another module.
    #[must_use]
    pub fn new(policy: Rc<Policy>, standalone: bool) -> Self {
        let series = |kind| Series::new(kind, policy.max_series());
        let (requests, durations) = (series(MetricKind::Counter), series(MetricKind::Histogram));
        Self { policy, standalone, requests, durations, name: SeriesName::default() }
    }
}

impl Stage for Metrics {
    fn needs(&self) -> Needs {
        Needs { upstream_identity: self.standalone && self.policy.names_the_decision(), ..Needs::default() }
    }

    fn on_log(&mut self, exchange: &Exchange, completion: &Completion, _now: UnixTime, observer: &mut dyn Observer) {
        let values = LabelValues::of(exchange, completion);
        self.name.write(REQUESTS_TOTAL, self.policy.labels(), |label| values.get(label));
        if let Some(metric) = self.requests.metric(&mut self.name, REQUESTS_TOTAL, self.policy.labels(), observer) {
            observer.increment(metric, 1);
        }
        let (Some(labels), Some(duration)) = (self.policy.duration_labels(), completion.duration) else {
            return;
        };
        self.name.write(REQUEST_DURATION_MS, labels, |label| values.get(label));
        if let Some(metric) = self.durations.metric(&mut self.name, REQUEST_DURATION_MS, labels, observer) {
            observer.record(metric, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        }
    }
}

#[cfg(test)]
mod tests;
