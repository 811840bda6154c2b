//! A span: how one of the requests went that a module sent because of another one.

use std::rc::Rc;

use super::context::TraceContext;
use crate::metrics::Callout;
use crate::stage::{Fetch, FetchOutcome};
use crate::time::UnixTime;

/// What is known of a span when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its place in the trace.
    pub context: TraceContext,
    /// What was sent, and why.
    pub callout: Callout,
    /// The name of the issuer or upstream that it is about, from the configuration.
    pub about: Option<Rc<str>>,
    /// The server's name.
    pub server: Rc<str>,
    /// The method.
    pub method: &'static str,
    /// When it began.
    pub start: UnixTime,
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanEnd {
    /// When.
    pub end: UnixTime,
    /// The status of the answer; absent when there was none.
    pub status: Option<u16>,
}

impl Span {
    /// The span of what is sent now.
    #[must_use]
    pub fn begin(context: TraceContext, callout: Callout, about: Option<Rc<str>>, fetch: &Fetch, now: UnixTime) -> Self {
        let method = if fetch.post.is_some() { "POST" } else { "GET" };
        Self { context, callout, about, server: Rc::clone(&fetch.authority), method, start: now }
    }
}

impl SpanEnd {
    /// The end of a span with this outcome.
    #[must_use]
    pub const fn of(outcome: &FetchOutcome, now: UnixTime) -> Self {
        let status = if let FetchOutcome::Answered { status, .. } = outcome { Some(*status) } else { None };
        Self { end: now, status }
    }

    /// Whether the answer is one of success.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}
