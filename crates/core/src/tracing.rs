//! The trace that a request belongs to: read from its headers, and written into the headers of what is sent because of it.
//!
//! Three formats are read and written: `traceparent` with `tracestate` ([W3C](traceparent)), `b3` and `x-b3-*` ([B3](b3)). Where several
//! come and disagree, this is their order. What is malformed, or came twice, says nothing.
//!
//! The stage settles which trace is the request's: the one that the proxy's own tracer told, or else the one that came, or else a new one.
//! Everything after it speaks of this one: the upstream's headers, the answer to a refused request, the audit event, and what the module
//! itself sends because of the request. How the latter went is told to a server of traces, where the operator has one.

pub mod b3;
mod callout_traces;
mod context;
mod export;
mod incoming;
mod minter;
mod policy;
mod propagation;
mod proxy_trace;
mod span;
mod span_sink;
pub mod traceparent;
pub mod tracestate;

pub use callout_traces::{CalloutTrace, CalloutTraces};
pub use context::{Sampling, SpanId, TraceContext, TraceId};
pub use export::Export;
pub use incoming::{Reading, TraceHeaders};
pub use minter::Minter;
pub use policy::Policy;
pub use propagation::Propagation;
pub use span::{Span, SpanEnd};
pub use span_sink::SpanSink;

use std::rc::Rc;
use std::time::Duration;

use crate::metrics::Callout;
use crate::stage::{
    Due, Exchange, FetchId, FetchOutcome, Message, Observer, SharedData, Stage, Surroundings, TICK_PERIOD, Verdict,
};
use crate::time::UnixTime;

/// The stage that settles the trace of a request.
#[derive(Debug)]
pub struct Tracing {
    policy: Policy,
    minter: Minter,
    spans: Option<Box<dyn SpanSink>>,
}

impl Tracing {
    /// The stage under a policy, with what makes names.
    #[must_use]
    pub const fn new(policy: Policy, minter: Minter, spans: Option<Box<dyn SpanSink>>) -> Self {
        Self { policy, minter, spans }
    }

    /// The trace of a request.
    fn settle(&mut self, exchange: &Exchange, incoming: &TraceHeaders<'_>) -> Option<TraceContext> {
        let came = incoming.context();
        let told = self.policy.proxy_header.as_deref().and_then(|name| {
            let value = exchange.request.headers().single(name).ok()??;
            proxy_trace::read(value, came, exchange.request.request_id())
        });
        if let Some(context) = told.or(came) {
            return Some(self.minter.decide(context));
        }
        self.policy.mints.then(|| self.minter.context(incoming.sampling()))
    }
}

impl Stage for Tracing {
    fn observes(&self) -> bool {
        false
    }

    fn tick_period(&self) -> Option<Duration> {
        self.spans.as_ref().map(|_| TICK_PERIOD)
    }

    fn on_request(&mut self, exchange: &mut Exchange, _now: UnixTime, _around: &mut dyn Surroundings) -> Verdict {
        let incoming = TraceHeaders::of(exchange.request.headers());
        let trace = self.settle(exchange, &incoming);
        self.policy.propagation.tell(trace, &incoming, &mut exchange.edits);
        if let Some(name) = &self.policy.proxy_header
            && exchange.request.headers().all(name).next().is_some()
        {
            exchange.edits.remove(Rc::clone(name));
        }
        exchange.trace = trace;
        Verdict::Continue
    }

    fn on_span(&mut self, span: &Span, end: SpanEnd) {
        if let Some(spans) = &mut self.spans {
            spans.push(span, end);
        }
    }

    fn due(&mut self, now: UnixTime, _shared: &mut dyn SharedData) -> Due {
        self.spans.as_mut().map(|spans| spans.due(now)).unwrap_or_default()
    }

    fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime, _shared: &mut dyn SharedData) -> Option<Message> {
        if let Some(spans) = &mut self.spans {
            spans.on_fetched(id, outcome, now);
        }
        None
    }

    fn callout(&self, _fetch: FetchId) -> Option<Callout> {
        Some(Callout::Spans)
    }

    fn on_tick(&mut self, _now: UnixTime, observer: &mut dyn Observer) {
        if let Some(spans) = &mut self.spans {
            spans.show(observer);
        }
    }

    fn drain(&mut self) -> bool {
        self.spans.as_mut().is_none_or(|spans| spans.drain())
    }

    fn abandon(&mut self, observer: &mut dyn Observer) {
        if let Some(spans) = &mut self.spans {
            spans.abandon(observer);
        }
    }
}

#[cfg(test)]
mod tests;
