//! The stage metrics: counts requests and measures how long they take, under a bounded number of names.
//!
//! Three families, with their labels written into the names ([`SeriesName`]):
//! - the counter `portcullis_requests_total`, with the labels that the operator chose;
//! - the histogram `portcullis_request_duration_ms`, with the label `rule` when that is among them: a histogram has dozens of
//!   buckets, so more labels would make thousands of series;
//! - the counter `portcullis_stripped_headers_total`: identity headers that clients forged, with the label `rule` as well.
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
//! Beside them come those that the operator defines ([`BusinessMetric`](business::BusinessMetric)).
//!
//! So no value of these is a client's own text. The proxy never forgets a metric; therefore each family also has at most `maxSeries`
//! names, and one more whose every label is `other`.

#[cfg(test)]
mod board;
mod business;
mod callouts;
pub mod catalogue;
mod config_gauges;
mod labels;
mod own_metric;
mod policy;
mod series;
mod stats_tags;

#[cfg(test)]
pub(crate) use board::Board;
pub use callouts::{Callout, Callouts};
pub use config_gauges::applied;
use labels::{LabelValues, WireLabels};
pub use labels::{OTHER, SeriesName};
pub use own_metric::{OwnCounter, OwnMetric, SharedGauge};
pub use policy::Policy;
pub use series::Series;
pub use stats_tags::{stats_tag, stats_tags};

use std::rc::Rc;
use std::time::Duration;

use self::business::BusinessSeries;
use self::catalogue::{REQUEST_DURATION_MS, REQUESTS_TOTAL, STRIPPED_HEADERS_TOTAL};
use crate::decision::Decision;
use crate::recent::Recent;
use crate::stage::{Ending, Exchange, MetricId, MetricKind, Needs, Observer, Stage};
use crate::time::UnixTime;

/// For how many kinds of requests the series are at hand without writing their names (0.4 µs).
const MAX_RECENT: usize = 64;

/// The stage metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    policy: Rc<Policy>,
    standalone: bool,
    requests: Series,
    durations: Series,
    stripped: Series,
    business: Vec<BusinessSeries>,
    name: SeriesName,
    recent: Recent<Labelled, Handles>,
}

/// What the labels of a request are made of.
#[derive(Debug, Clone)]
struct Labelled {
    decision: Option<Decision>,
    identified: Option<Rc<str>>,
    wire: WireLabels,
}

/// The series of a request.
#[derive(Debug, Clone, Copy)]
struct Handles {
    requests: Option<MetricId>,
    /// Known once a duration was.
    duration: Option<Option<MetricId>>,
}

impl Metrics {
    /// The stage under a policy. `standalone` says that no stage of the same module decides, so that principal and decision
    /// come from another module.
    #[must_use]
    pub fn new(policy: Rc<Policy>, standalone: bool) -> Self {
        let series = |kind| Series::new(kind, policy.max_series());
        let (requests, durations) = (series(MetricKind::Counter), series(MetricKind::Histogram));
        let stripped = series(MetricKind::Counter);
        let business =
            policy.business().iter().map(|metric| BusinessSeries::new(Rc::clone(metric), policy.max_series())).collect();
        let (name, recent) = (SeriesName::default(), Recent::new(MAX_RECENT));
        Self { policy, standalone, requests, durations, stripped, business, name, recent }
    }
}

impl Labelled {
    fn of(exchange: &Exchange, wire: WireLabels) -> Self {
        Self {
            decision: exchange.decision.clone(),
            identified: exchange.identity.as_ref().map(|identity| Rc::clone(&identity.issuer_name)),
            wire,
        }
    }

    fn is_of(&self, exchange: &Exchange, wire: WireLabels) -> bool {
        let identified = exchange.identity.as_ref().map(|identity| &identity.issuer_name);
        self.wire == wire && self.decision == exchange.decision && self.identified.as_ref() == identified
    }
}

impl Stage for Metrics {
    fn needs(&self) -> Needs {
        // Beside labels, the decision tells of forged headers.
        let route_name = self.business.iter().any(BusinessSeries::needs_route_name);
        Needs { upstream_identity: self.standalone, route_name, ..Needs::default() }
    }

    fn decides(&self) -> bool {
        false
    }

    fn tick_period(&self) -> Option<Duration> {
        None
    }

    fn on_log(&mut self, exchange: &Exchange, ending: &dyn Ending, now: UnixTime, observer: &mut dyn Observer) {
        let Self { policy, requests, durations, stripped, business, name, recent, .. } = self;
        let wire = WireLabels::of(exchange, ending, policy.has_status_class());
        let mut series = |series: &mut Series, family, labels, observer: &mut dyn Observer| {
            let values = LabelValues::of(exchange, wire);
            name.write(family, labels, |label| values.get(label));
            series.metric(name, |name| name.write(family, labels, |_| OTHER), observer)
        };
        let mut new = Handles { requests: None, duration: None };
        let known = recent.find(|labelled| labelled.is_of(exchange, wire));
        let is_new = known.is_none();
        let handles = known.unwrap_or(&mut new);
        if is_new {
            handles.requests = series(requests, REQUESTS_TOTAL.name(), policy.labels(), observer);
        }
        if let Some(metric) = handles.requests {
            observer.increment(metric, 1);
        }
        if let Some(labels) = policy.duration_labels()
            && let Some(duration) = ending.duration()
        {
            let handle = handles.duration.get_or_insert_with(|| series(durations, REQUEST_DURATION_MS.name(), labels, observer));
            if let Some(metric) = *handle {
                observer.record(metric, u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
            }
        }
        let forged = exchange.stripped.names().len();
        if forged > 0
            && let Some(metric) = series(stripped, STRIPPED_HEADERS_TOTAL.name(), policy.rule_label(), observer)
        {
            observer.increment(metric, u64::try_from(forged).unwrap_or(u64::MAX));
        }
        if is_new {
            recent.keep(Labelled::of(exchange, wire), new);
        }
        for metric in business {
            metric.on_log(exchange, ending, now, name, observer);
        }
    }
}

#[cfg(test)]
mod tests;
