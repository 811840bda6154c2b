//! The trace that a request belongs to: read from its headers, and written into the headers of what is sent because of it.
//!
//! Three formats are read and written: `traceparent` with `tracestate` ([W3C](traceparent)), `b3` and `x-b3-*` ([B3](b3)). Where several
//! come and disagree, this is their order. What is malformed, or came twice, says nothing.

pub mod b3;
mod context;
mod incoming;
pub mod traceparent;
pub mod tracestate;

pub use context::{Sampling, SpanId, TraceContext, TraceId};
pub use incoming::{Reading, TraceHeaders};

#[cfg(test)]
mod tests;
