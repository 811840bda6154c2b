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
//! | `status_class` | `1xx` to `5xx`, of the status of HTTP, also where gRPC has one of its own; else `other` | `none` |
//!
//! Beside them come those that the operator defines ([`BusinessMetric`](business::BusinessMetric)).
//!
//! So no value of these is a client's own text. The proxy never forgets a metric; therefore each family also has at most `maxSeries`
//! names in a VM, and one more whose every label is `other`.

mod applied_config;
#[cfg(test)]
mod board;
mod business;
mod callouts;
pub mod catalogue;
mod durations;
mod labels;
mod own_metric;
mod policy;
mod series;
mod stats_tags;
mod vm_seconds;

pub use applied_config::AppliedConfig;
#[cfg(test)]
pub(crate) use board::Board;
pub use callouts::{Callout, Callouts};
use labels::{LabelValues, WireLabels};
pub use labels::{OTHER, SeriesName, family_of};
pub use own_metric::{OwnCounter, OwnMetric, SharedGauge};
pub use policy::Policy;
pub use series::Series;
pub use stats_tags::{stats_tag, stats_tags};
pub use vm_seconds::VmSeconds;

use std::rc::Rc;
use std::time::Duration;

use self::business::BusinessSeries;
use self::catalogue::{Family, REQUEST_DURATION_MS, REQUESTS_TOTAL, STRIPPED_HEADERS_TOTAL};
use self::durations::Durations;
use crate::decision::Decision;
use crate::recent::Recent;
use crate::stage::{Ending, Exchange, MetricId, MetricKind, Needs, Observer, Stage, TICK_PERIOD};
use crate::time::UnixTime;

/// For how many kinds of requests the series are at hand without writing their names (0.4 µs).
const MAX_RECENT: usize = 64;

/// The stage metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    policy: Rc<Policy>,
    standalone: bool,
    requests: Series,
    stripped: Series,
    timed: Series,
    durations: Durations,
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

/// The series of a request, as far as they are wanted and the proxy has defined them.
#[derive(Debug, Clone, Copy)]
struct Handles {
    requests: Option<MetricId>,
    duration: Option<MetricId>,
}

impl Metrics {
    /// The stage under a policy. `standalone` says that no stage of the same module decides, so that principal and decision
    /// come from another module.
    #[must_use]
    pub fn new(policy: Rc<Policy>, standalone: bool) -> Self {
        let series = |kind| Series::new(kind, policy.max_series());
        let (requests, stripped) = (series(MetricKind::Counter), series(MetricKind::Counter));
        let (timed, durations) = (series(MetricKind::Histogram), Durations::new(!standalone));
        let business =
            policy.business().iter().map(|metric| BusinessSeries::new(Rc::clone(metric), policy.max_series())).collect();
        let (name, recent) = (SeriesName::default(), Recent::new(MAX_RECENT));
        Self { policy, standalone, requests, stripped, timed, durations, business, name, recent }
    }

    /// The series of a request whose labels are not among the recent ones.
    #[cold]
    fn define(&mut self, exchange: &Exchange, wire: WireLabels, observer: &mut dyn Observer) -> Handles {
        let Self { policy, requests, timed, name, recent, .. } = self;
        let values = LabelValues::of(exchange, wire);
        let mut metric = |series: &mut Series, family: &Family, labels| series.of_labels(family, labels, &values, name, observer);
        let handles = Handles {
            requests: metric(requests, &REQUESTS_TOTAL, policy.labels()),
            duration: policy.duration_labels().and_then(|labels| metric(timed, &REQUEST_DURATION_MS, labels)),
        };
        recent.keep(Labelled::of(exchange, wire), handles);
        handles
    }

    #[cold]
    fn count_forged(&mut self, exchange: &Exchange, wire: WireLabels, observer: &mut dyn Observer) {
        let Self { policy, stripped, name, .. } = self;
        let values = LabelValues::of(exchange, wire);
        if let Some(metric) = stripped.of_labels(&STRIPPED_HEADERS_TOTAL, policy.rule_label(), &values, name, observer) {
            observer.increment(metric, u64::try_from(exchange.stripped.names().len()).unwrap_or(u64::MAX));
        }
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
        self.durations.waits().then_some(TICK_PERIOD)
    }

    fn on_log(&mut self, exchange: &Exchange, ending: &dyn Ending, now: UnixTime, observer: &mut dyn Observer) {
        let wire = WireLabels::of(exchange, ending, self.policy.has_status_class());
        let known = self.recent.find(|labelled| labelled.is_of(exchange, wire)).copied();
        let Handles { requests, duration } = known.unwrap_or_else(|| self.define(exchange, wire, observer));
        if let Some(metric) = requests {
            observer.increment(metric, 1);
        }
        if let Some(metric) = duration
            && let Some(took) = ending.duration()
        {
            self.durations.record(metric, took, observer);
        }
        if !exchange.stripped.names().is_empty() {
            self.count_forged(exchange, wire, observer);
        }
        for metric in &mut self.business {
            metric.on_log(exchange, ending, now, &mut self.name, observer);
        }
    }

    fn on_tick(&mut self, _now: UnixTime, observer: &mut dyn Observer) {
        self.durations.show(observer);
    }

    fn close(&mut self, _now: UnixTime, observer: &mut dyn Observer) {
        self.durations.show(observer);
    }

    fn drain(&mut self) -> bool {
        self.durations.stop_waiting()
    }
}

#[cfg(test)]
mod tests;
