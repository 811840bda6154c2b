//! `jwtAuth.tracing`: what becomes of the trace that a request belongs to.

use serde::Deserialize;

use crate::probability::Probability;

/// What becomes of the trace that a request belongs to. Without it no trace header is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TracingConfig {
    /// The formats in which the upstream is told of the trace, translated from whichever came; default `[w3c]`. What came in another
    /// format goes on as it is, unless it is malformed.
    pub propagate: Option<Vec<TraceFormat>>,
    /// Whether a trace begins here where none came, or a malformed one, and with what the module sends by itself; default true.
    pub mint: Option<bool>,
    /// How likely it is that a trace is recorded of which nobody has decided it yet, from 0 to 1; default 1.
    pub sample: Option<Probability>,
    /// The header in which the proxy tells the id of its own trace, `%TRACE_ID%-%SPAN_ID%`, where its own tracer is on. Its trace is then the
    /// request's, and the header goes no further.
    pub proxy_header: Option<String>,
}

/// A format of trace headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum TraceFormat {
    /// `traceparent` and `tracestate` of the W3C.
    W3c,
    /// The header `b3` of Zipkin.
    B3,
    /// The headers `x-b3-traceid`, `x-b3-spanid` and so on of Zipkin.
    B3multi,
}
