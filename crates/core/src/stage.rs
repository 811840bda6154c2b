//! A stage: one step in the life of a request. A module is a list of stages that share one [`Exchange`].
//!
//! Stages decide; they do not act. What they decide stands in the exchange and in the returned [`Verdict`], and whoever runs
//! them (the proxy's host, a test, the CLI) carries it out. Fetches and time come and go as values.

use std::rc::Rc;
use std::time::Duration;

use crate::answer::{LocalReply, Refusal};
use crate::decision::{DEFAULT_RULE, Decision};
use crate::edits::HeaderEdits;
pub use crate::ending::{Completion, Ending, Facts};
pub use crate::fetch::{Due, Fetch, FetchId, FetchOutcome, Header, MAX_FETCHED_BYTES, Post};
use crate::headers::Headers;
use crate::health::{self, Health};
use crate::metrics::Callout;
use crate::principal::Identity;
use crate::rejection::Rejection;
use crate::request::Request;
use crate::stripped::Stripped;
use crate::time::UnixTime;
use crate::tracing::{Span, SpanEnd, TraceContext, TraceHeaders, TraceId};

/// What a stage wants to be done with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on to the next stage.
    Continue,
    /// Answer in place of the upstream. Later stages still run, so that they can remove what must not be logged.
    Refuse(Refusal),
    /// Answer in place of the upstream with something that is for everyone. No later stage is asked.
    Answer(Rc<LocalReply>),
    /// The same, with how all stages are doing.
    TellHealth(Rc<health::Answer>),
    /// Hold the request until the fetch with this number has ended, then ask again.
    Wait(FetchId),
}

/// The facts that a stage wants the runner to read from the proxy before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// The name of the route that the proxy chose.
    pub route_name: bool,
    /// The rule that the route names in its metadata.
    pub route_rule: bool,
    /// What the route says in its metadata about the record of its requests.
    pub route_record: bool,
    /// The principal and decision that a module before this one left in filter state.
    pub upstream_identity: bool,
    /// The headers of answers.
    pub response_headers: bool,
}

impl Needs {
    /// What both need.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            route_name: self.route_name || other.route_name,
            route_rule: self.route_rule || other.route_rule,
            route_record: self.route_record || other.route_record,
            upstream_identity: self.upstream_identity || other.upstream_identity,
            response_headers: self.response_headers || other.response_headers,
        }
    }
}

/// What the proxy says of the route that it chose for a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// Its name, when a stage [`Needs`] it.
    pub name: Option<String>,
    /// What its metadata `filter_metadata.portcullis.rule` holds, when a stage [`Needs`] it: the name of a rule, if the operator
    /// made no mistake.
    pub rule: Option<Vec<u8>>,
    /// What its metadata `filter_metadata.portcullis.audit` holds when the exchange ends, when a stage [`Needs`] it.
    pub record: Option<Vec<u8>>,
}

/// One request and what is known about it so far.
#[derive(Debug)]
pub struct Exchange {
    /// The request as the client sent it.
    pub request: Request,
    /// The route that the proxy chose.
    pub route: Route,
    /// When the request headers arrived; absent when a filter before this one answered.
    pub started: Option<UnixTime>,
    /// What was decided; absent while nothing is.
    pub decision: Option<Decision>,
    /// Who is calling; absent when nobody was authenticated.
    pub identity: Option<Rc<Identity>>,
    /// The changes to the request's headers.
    pub edits: HeaderEdits,
    /// The headers that were removed because the client forged them.
    pub stripped: Stripped,
    /// The trace that the request belongs to, where a stage has seen to it.
    pub trace: Option<TraceContext>,
    /// Whether the proxy is to choose the route anew, by the changed headers.
    pub clears_route_cache: bool,
    /// Whether places are kept for its audit event.
    pub is_audit_reserved: bool,
}

impl Exchange {
    /// An exchange at its beginning.
    #[must_use]
    pub fn new(request: Request, started: Option<UnixTime>) -> Self {
        Self {
            request,
            route: Route::default(),
            started,
            decision: None,
            identity: None,
            edits: HeaderEdits::default(),
            stripped: Stripped::default(),
            trace: None,
            clears_route_cache: false,
            is_audit_reserved: false,
        }
    }

    /// The trace that the request belongs to, as far as its headers are well-formed.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        self.trace.or_else(|| TraceHeaders::of(self.request.headers()).context())
    }

    /// The name of that trace.
    #[must_use]
    pub fn trace_id(&self) -> Option<TraceId> {
        self.trace().map(|context| context.trace)
    }

    /// Make the decision agree with a refusal: one is there, and it does not let the request pass.
    pub fn conclude(&mut self, refusal: Option<&Refusal>) {
        let Some(refusal) = refusal else { return };
        let (rule, issuer) = match &self.decision {
            Some(decision) if !decision.lets_pass() => return,
            Some(decision) => (decision.rule.clone(), decision.issuer.clone()),
            None => (DEFAULT_RULE.into(), None),
        };
        self.decision = Some(Decision::refuse(rule, refusal.rejection, issuer));
    }

    /// Whether the request goes on to the upstream as far as is known.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.decision.as_ref().is_some_and(Decision::lets_pass)
    }
}

/// A line for the proxy's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// How much it matters.
    pub level: LogLevel,
    /// The line.
    pub text: String,
}

/// Which value of shared data a write may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// None: there must not be one yet.
    Nothing,
    /// The one that was read with this version.
    Version(u32),
    /// Whatever is there.
    Anything,
}

/// What became of a write to shared data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The value is there.
    Done,
    /// Somebody wrote before.
    Outdated,
}

/// The proxy has no shared data, or fails at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proxy's shared data cannot be used")]
pub struct NotShared;

/// Data that all workers of a proxy see, and whoever else runs under the same VM id: nothing in it is believed unchecked.
pub trait SharedData {
    /// The value of a key with its version; `None` when there is none.
    ///
    /// # Errors
    /// [`NotShared`].
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared>;
    /// Write the value of a key.
    ///
    /// # Errors
    /// [`NotShared`].
    fn write(&mut self, key: &str, value: &[u8], over: Over) -> Result<Written, NotShared>;
}

/// The proxy does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proxy does not say it of the connection")]
pub struct NotTold;

/// What a stage may ask of the proxy while it decides about a request. Nothing is read before somebody asks.
pub trait Surroundings: SharedData {
    /// Whether the connection on which the request came is encrypted.
    ///
    /// # Errors
    /// [`NotTold`].
    fn is_tls(&mut self) -> Result<bool, NotTold>;
    /// The SHA-256 of the certificate that the client proved to hold, in hexadecimal digits; `None` when it has shown none.
    ///
    /// # Errors
    /// [`NotTold`].
    fn client_certificate(&mut self) -> Result<Option<Vec<u8>>, NotTold>;
    /// The time at this moment, to measure what takes long; `None` where there is no clock.
    fn clock(&mut self) -> Option<UnixTime> {
        None
    }

    /// The port of the proxy's own end of the connection.
    ///
    /// # Errors
    /// [`NotTold`].
    fn local_port(&mut self) -> Result<u16, NotTold> {
        Err(NotTold)
    }
}

/// Shared data where there is none, and surroundings without a proxy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Surroundings for Alone {
    fn is_tls(&mut self) -> Result<bool, NotTold> {
        Err(NotTold)
    }

    fn client_certificate(&mut self) -> Result<Option<Vec<u8>>, NotTold> {
        Err(NotTold)
    }
}

impl SharedData for Alone {
    fn read(&mut self, _key: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared> {
        Err(NotShared)
    }

    fn write(&mut self, _key: &str, _value: &[u8], _over: Over) -> Result<Written, NotShared> {
        Err(NotShared)
    }
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A number that only grows.
    Counter,
    /// A number that stands for now.
    Gauge,
    /// A distribution.
    Histogram,
}

/// The proxy's handle of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MetricId(pub u32);

/// Where stages put what they observe. A failure to observe never changes a decision, so nothing is returned.
pub trait Observer {
    /// Define a metric, unless that was done before; `None` when the proxy refuses.
    fn define_metric(&mut self, kind: MetricKind, name: &str) -> Option<MetricId>;
    /// Whether this metric was defined before, also by another configuration, or less than `limit` of the same name with other labels.
    fn has_room_for_metric(&self, _name: &str, _limit: usize) -> bool {
        true
    }
    /// Add to a counter; an amount of zero does nothing.
    fn increment(&mut self, metric: MetricId, amount: u64);
    /// Record a value in a histogram, or set a gauge.
    fn record(&mut self, metric: MetricId, value: u64);
    /// Add to a gauge that all workers share, or take away from it.
    fn adjust(&mut self, metric: MetricId, by: i64);
    /// Write a value of filter state that the proxy's access log can print.
    fn set_state(&mut self, key: &str, value: &str);
    /// Write one line to the proxy's log, at a level that is shown.
    fn print(&mut self, line: &str);
}

/// A level of the proxy's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For those who look for it.
    Debug,
    /// Of interest.
    Info,
    /// Something is wrong that may pass by itself.
    Warn,
    /// Something is wrong.
    Error,
}

/// The usual time between two ticks.
pub const TICK_PERIOD: Duration = Duration::from_secs(1);

/// One step in the life of a request.
pub trait Stage {
    /// What the stage wants to be read from the proxy.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Whether the stage decides about requests. Where none does, requests go by unseen until they end.
    fn decides(&self) -> bool {
        true
    }

    /// Whether the stage is told how exchanges end. Where none is, what is known of one is not kept until then.
    fn observes(&self) -> bool {
        true
    }

    /// The longest time between two ticks that the stage can do with; `None` when it needs none.
    fn tick_period(&self) -> Option<Duration> {
        Some(TICK_PERIOD)
    }

    /// Decide about a request. Called again with the same exchange after a [`Verdict::Wait`] ended.
    fn on_request(&mut self, _exchange: &mut Exchange, _now: UnixTime, _around: &mut dyn Surroundings) -> Verdict {
        Verdict::Continue
    }

    /// Change the headers of an answer. Called where the stage [`Needs`] them.
    ///
    /// # Errors
    /// Why the answer cannot be changed, and so must not be sent.
    fn on_response(&mut self, _headers: &Headers, _edits: &mut HeaderEdits) -> Result<(), Rejection> {
        Ok(())
    }

    /// Observe how an exchange ended. Called once per exchange, where the stage [`observes`](Self::observes).
    fn on_log(&mut self, _exchange: &Exchange, _ending: &dyn Ending, _now: UnixTime, _observer: &mut dyn Observer) {}

    /// What is due, of what is fetched and what other workers have fetched.
    fn due(&mut self, _now: UnixTime, _shared: &mut dyn SharedData) -> Due {
        Due::default()
    }

    /// Take the outcome of a fetch; returns what the operator should know.
    fn on_fetched(
        &mut self,
        _id: FetchId,
        _outcome: FetchOutcome,
        _now: UnixTime,
        _shared: &mut dyn SharedData,
    ) -> Option<Message> {
        None
    }

    /// What a fetch is for; nothing where it is not to be counted.
    fn callout(&self, _fetch: FetchId) -> Option<Callout> {
        None
    }

    /// What the operator calls that which a fetch is about.
    fn callout_about(&self, _fetch: FetchId) -> Option<Rc<str>> {
        None
    }

    /// Take a span: how a fetch went for which a request waited.
    fn on_span(&mut self, _span: &Span, _end: SpanEnd) {}

    /// Whether something is to be sent before the next tick. Asked after each exchange that ended, where the stage
    /// [`observes`](Self::observes).
    fn is_pressing(&self, _now: UnixTime) -> bool {
        false
    }

    /// Observe how the stage itself is doing. Called about once a second in each worker.
    fn on_tick(&mut self, _now: UnixTime, _observer: &mut dyn Observer) {}

    /// Take what other workers have fetched, and nothing else: whoever asks how the gateway is doing causes no fetch.
    fn catch_up(&mut self, _now: UnixTime, _shared: &mut dyn SharedData) {}

    /// Add how the stage is doing.
    fn health(&self, _now: UnixTime, _health: &mut Health) {}

    /// The stage's configuration is no longer in force, and its last exchange has ended. Called once, before [`drain`](Self::drain).
    fn close(&mut self, _now: UnixTime, _observer: &mut dyn Observer) {}

    /// The stage's configuration is no longer in force, and its last exchange has ended: nothing is to wait from here on. Whether there
    /// is nothing left to send.
    fn drain(&mut self) -> bool {
        true
    }

    /// There is no more time: what could not be sent is lost after this.
    fn abandon(&mut self, _observer: &mut dyn Observer) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::PUBLIC;

    #[test]
    fn a_refused_request_has_a_decision_that_says_so() {
        let allowed = Decision::allow("a".into(), PUBLIC, Some("i".into()));
        let denied = Decision::refuse("b".into(), Rejection::RoleMissing, None);
        let refuse = |rule: &str, issuer: Option<&str>| {
            Decision::refuse(rule.into(), Rejection::HostError, issuer.map(std::convert::Into::into))
        };
        for (decision, expected) in [
            (None, refuse(DEFAULT_RULE, None)),
            (Some(allowed.clone()), refuse("a", Some("i"))),
            (Some(denied.clone().in_shadow()), refuse("b", None)),
            (Some(denied.clone()), denied),
        ] {
            let mut exchange = Exchange { decision, ..Exchange::new(Request::default(), None) };
            exchange.conclude(Some(&Rejection::HostError.into()));
            assert_eq!(exchange.decision, Some(expected));
        }
        let mut exchange = Exchange { decision: Some(allowed.clone()), ..Exchange::new(Request::default(), None) };
        exchange.conclude(None);
        assert_eq!(exchange.decision, Some(allowed));
    }
}
