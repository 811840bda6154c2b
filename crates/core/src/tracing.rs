//! The trace that a request belongs to: read from its headers, and written into the headers of what is sent because of it.
//!
//! Three formats are read and written: `traceparent` with `tracestate` ([W3C](traceparent)), `b3` and `x-b3-*` ([B3](b3)). Where several
//! come and disagree, this is their order. What is malformed, or came twice, says nothing.
//!
//! The stage settles which trace is the request's: the one that the proxy's own tracer told, or else the one that came, or else a new one.
//! Everything after it speaks of this one: the upstream's headers, the answer to a refused request, the audit event.

pub mod b3;
mod context;
mod incoming;
mod minter;
mod policy;
mod propagation;
mod proxy_trace;
pub mod traceparent;
pub mod tracestate;

pub use context::{Sampling, SpanId, TraceContext, TraceId};
pub use incoming::{Reading, TraceHeaders};
pub use minter::Minter;
pub use policy::Policy;
pub use propagation::Propagation;

use std::time::Duration;

use crate::stage::{Exchange, Stage, Surroundings, Verdict};
use crate::time::UnixTime;

/// The stage that settles the trace of a request.
#[derive(Debug)]
pub struct Tracing {
    policy: Policy,
    minter: Minter,
}

impl Tracing {
    /// The stage under a policy, with what makes names.
    #[must_use]
    pub const fn new(policy: Policy, minter: Minter) -> Self {
        Self { policy, minter }
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
    fn tick_period(&self) -> Option<Duration> {
        None
    }

    fn on_request(&mut self, exchange: &mut Exchange, _now: UnixTime, _around: &mut dyn Surroundings) -> Verdict {
        let incoming = TraceHeaders::of(exchange.request.headers());
        let trace = self.settle(exchange, &incoming);
        self.policy.propagation.tell(trace, &incoming, &mut exchange.edits);
        if let Some(name) = &self.policy.proxy_header
            && exchange.request.headers().all(name).next().is_some()
        {
            exchange.edits.remove(std::rc::Rc::clone(name));
        }
        exchange.trace = trace;
        Verdict::Continue
    }
}

#[cfg(test)]
mod tests;
