//! What the requests that a module sends by itself say of the trace that they belong to.
//!
//! One that a request waits for belongs to the trace of this request. Any other begins a trace of its own where traces begin here
//! (`mint`), and else says nothing. A span of its own has only what is told of as a span; what is not is a part of the span before it, so that no trace
//! has a hole. `tracestate` goes nowhere but to the upstream: it is not for others.

use super::b3;
use super::context::{Sampling, TraceContext};
use super::minter::Minter;
use super::traceparent::{self, TRACEPARENT};

/// What they say in one configuration. Without a word of the operator, what came goes on as `traceparent`.
#[derive(Debug, Default)]
pub struct CalloutTraces {
    minter: Option<Minter>,
    begins: bool,
    writes_b3: bool,
    tells_spans: bool,
}

/// The part of a trace that a request has which a module sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalloutTrace {
    /// What it says.
    pub context: TraceContext,
    /// Whether it is to be told of as a span.
    pub is_span: bool,
}

impl CalloutTraces {
    /// What they say with names of this one. `begins` says that traces begin here, `writes_b3` that they speak B3 as well, `tells_spans`
    /// that spans are told of.
    #[must_use]
    pub const fn new(minter: Minter, begins: bool, writes_b3: bool, tells_spans: bool) -> Self {
        Self { minter: Some(minter), begins, writes_b3, tells_spans }
    }

    /// The part of a trace of the next one, which is sent because of a request that belongs to this trace, or of none.
    pub fn next(&mut self, cause: Option<TraceContext>) -> Option<CalloutTrace> {
        let Some(cause) = cause else {
            let context = self.minter.as_mut().filter(|_| self.begins)?.context(Sampling::Undecided);
            return Some(CalloutTrace { context, is_span: false });
        };
        let span = self.minter.as_mut().filter(|_| self.tells_spans && cause.sampling.is_recorded()).map(Minter::span);
        let context = span.map_or(cause, |span| TraceContext { span, parent: Some(cause.span), ..cause });
        Some(CalloutTrace { context, is_span: span.is_some() })
    }

    /// The headers that say so.
    #[must_use]
    pub fn headers(&self, trace: &CalloutTrace) -> Vec<(&'static str, String)> {
        let w3c = (TRACEPARENT, traceparent::write(&trace.context));
        let single = self.writes_b3.then(|| (b3::SINGLE, b3::write(&trace.context)));
        std::iter::once(w3c).chain(single).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::probability::Probability;
    use crate::tracing::{SpanId, TraceId};

    fn traces(writes_b3: bool, tells_spans: bool) -> CalloutTraces {
        CalloutTraces::new(Minter::new([7; 32], Probability::ALWAYS), true, writes_b3, tells_spans)
    }

    fn cause(sampling: Sampling) -> TraceContext {
        let (trace, span) = (TraceId::new(0xa).unwrap(), SpanId::new(0xb).unwrap());
        TraceContext { trace, span, parent: None, sampling, is_random: true }
    }

    #[test]
    fn without_a_word_what_came_goes_on() {
        let mut traces = CalloutTraces::default();
        assert_eq!(traces.next(None), None);
        let trace = traces.next(Some(cause(Sampling::Accepted))).unwrap();
        assert_eq!(trace, CalloutTrace { context: cause(Sampling::Accepted), is_span: false });
        let expected = "00-0000000000000000000000000000000a-000000000000000b-03";
        assert_eq!(traces.headers(&trace), [("traceparent", expected.to_owned())]);
    }

    #[test]
    fn what_is_told_of_has_a_span_of_its_own_and_what_is_not_has_none() {
        for (tells_spans, sampling, is_span) in [
            (true, Sampling::Accepted, true),
            (true, Sampling::Debug, true),
            (true, Sampling::Denied, false),
            (true, Sampling::Undecided, false),
            (false, Sampling::Accepted, false),
        ] {
            let mut traces = traces(true, tells_spans);
            let cause = cause(sampling);
            let trace = traces.next(Some(cause)).unwrap();
            assert_eq!((trace.is_span, trace.context.trace), (is_span, cause.trace), "{sampling:?}");
            if is_span {
                assert_eq!(trace.context.parent, Some(cause.span));
                assert_ne!(trace.context.span, cause.span);
                assert_ne!(traces.next(Some(cause)).unwrap().context.span, trace.context.span);
            } else {
                assert_eq!(trace.context, cause);
            }
            assert_eq!(traces.headers(&trace).iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["traceparent", "b3"]);
        }
    }

    #[test]
    fn what_nobody_waits_for_begins_a_trace() {
        let mut traces = traces(false, true);
        let [first, second] = [(); 2].map(|()| traces.next(None).unwrap());
        assert!(!first.context.trace.is_same(second.context.trace) && !first.is_span);
        assert_eq!(traces.headers(&first).len(), 1);
    }

    #[test]
    fn where_no_trace_begins_only_what_a_request_waits_for_says_something() {
        let mut traces = CalloutTraces::new(Minter::new([7; 32], Probability::ALWAYS), false, false, true);
        assert_eq!(traces.next(None), None);
        assert!(traces.next(Some(cause(Sampling::Accepted))).unwrap().is_span);
    }
}
