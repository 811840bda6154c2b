//! What Portcullis asks of a proxy, as the runner sees it. [`Hostcalls`](crate::hostcalls::Hostcalls) is the real one.

use std::rc::Rc;
use std::time::Duration;

use portcullis_core::answer::LocalReply;
use portcullis_core::edits::Edit;
use portcullis_core::headers::Headers;
use portcullis_core::jose::NativeSignatures;
use portcullis_core::stage::{Fetch, MetricId, MetricKind, Over, Written};
use portcullis_core::time::UnixTime;

use crate::error::Result;
use crate::severity::Severity;

/// The proxy around the module. No call panics; an answer that its interface does not allow is an error like any other.
pub trait Proxy {
    /// Writes a line to the proxy's log.
    fn log(&self, severity: Severity, line: &str);
    /// The lowest level that the proxy's log shows.
    fn log_level(&self) -> Result<Severity>;
    /// The time.
    fn now(&self) -> Result<UnixTime>;
    /// Asks for a tick in each period.
    fn set_tick_period(&self, period: Duration) -> Result<()>;
    /// The plugin's configuration, which has this many bytes.
    fn plugin_configuration(&self, size: usize) -> Result<Vec<u8>>;

    /// The proxy's own verification of signatures, where it may have one. Whether it has, and gets it right, is for a test to say.
    fn native_signatures(&self) -> Option<Rc<dyn NativeSignatures>>;

    /// The headers of the request of the effective context; never empty.
    fn request_headers(&self) -> Result<Headers>;
    /// Changes the headers of the request of the effective context.
    fn edit(&self, edit: &Edit) -> Result<()>;
    /// Adds a header to the request of the effective context, beside those of its name.
    fn add_header(&self, name: &str, value: &str) -> Result<()>;
    /// Makes the proxy choose the route of the effective context anew, by the headers as they are now.
    fn clear_route_cache(&self) -> Result<()>;
    /// The headers of the answer to the request of the effective context; never empty.
    fn response_headers(&self) -> Result<Headers>;
    /// Changes the headers of the answer to the request of the effective context.
    fn edit_response(&self, edit: &Edit) -> Result<()>;
    /// Answers the request of the effective context in place of the upstream.
    fn reply(&self, reply: &LocalReply) -> Result<()>;
    /// Lets the request of the effective context, which was held, go on.
    fn resume(&self) -> Result<()>;
    /// Ends the stream of the effective context without an answer.
    fn reset(&self) -> Result<()>;
    /// Reads a property of the effective context; `None` when there is none. The words of its path are joined by zero bytes.
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>>;
    /// Writes a value of filter state of the effective context.
    fn set_state(&self, key: &str, value: &[u8]) -> Result<()>;
    /// Says that the effective context, a root that asked for more time, needs no more.
    fn done(&self) -> Result<()>;
    /// Makes another context the effective one until the callback ends.
    fn enter(&self, context: u32) -> Result<()>;

    /// Sends a fetch, with headers that say which trace it belongs to, on behalf of the effective context; returns the token that its outcome
    /// will bear.
    fn send(&self, fetch: &Fetch, trace: &[(&'static str, String)]) -> Result<u32>;
    /// The headers of the answer to the fetch that this callback is about.
    fn fetched_headers(&self) -> Result<Headers>;
    /// The first `limit` bytes of the body of the answer to the fetch that this callback is about.
    fn fetched_body(&self, limit: usize) -> Result<Vec<u8>>;

    /// Reads a value of shared data, with its version; `None` when there is none.
    fn shared(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>>;
    /// Writes a value of shared data.
    fn set_shared(&self, key: &str, value: &[u8], over: Over) -> Result<Written>;

    /// Defines a metric, unless the VM has.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<MetricId>;
    /// Whether the VM has defined this metric, or less than `limit` of the same name with other labels.
    fn has_room_for_metric(&self, name: &str, limit: usize) -> bool;
    /// Adds to a counter.
    fn increment_metric(&self, metric: MetricId, amount: u64) -> Result<()>;
    /// Adds to a gauge, or takes away from it.
    fn adjust_metric(&self, metric: MetricId, by: i64) -> Result<()>;
    /// Sets a gauge, or records a value in a histogram.
    fn record_metric(&self, metric: MetricId, value: u64) -> Result<()>;
}
