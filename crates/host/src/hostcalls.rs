//! The real proxy: each call of [`Proxy`] as one call of the interface.

use std::rc::Rc;
use std::time::Duration;

use portcullis_core::answer::LocalReply;
use portcullis_core::edits::Edit;
use portcullis_core::headers::{Headers, map};
use portcullis_core::jose::NativeSignatures;
use portcullis_core::stage::{Fetch, MetricId, MetricKind, Over, Written};
use portcullis_core::time::UnixTime;

use crate::defined_metrics::DefinedMetrics;
use crate::error::{Error, Result, check};
use crate::proxy::Proxy;
use crate::severity::Severity;
use crate::verify_signature::VerifySignature;
use crate::{abi, buffers};

/// The proxy that loaded the module.
#[derive(Debug, Default)]
pub struct Hostcalls {
    metrics: DefinedMetrics,
}

impl Hostcalls {
    /// The proxy, of which nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { metrics: DefinedMetrics::new() }
    }
}

/// Calls a function that returns data, and takes the data.
fn data(call: &'static str, function: impl FnOnce(&mut usize, &mut usize) -> u32) -> Result<Vec<u8>> {
    let (mut address, mut size) = (0, 0);
    check(call, function(&mut address, &mut size))?;
    buffers::claim(address, size).ok_or(Error::malformed(call))
}

/// Calls a function that this proxy has beside its interface, and takes what it returns.
pub fn call_foreign_function(name: &str, argument: &[u8]) -> Result<Vec<u8>> {
    data("call_foreign_function", |address, size| {
        abi::proxy_call_foreign_function(name.as_ptr(), name.len(), argument.as_ptr(), argument.len(), address, size)
    })
}

fn header_map(number: u32) -> Result<Headers> {
    const CALL: &str = "get_header_map_pairs";
    let bytes = data(CALL, |address, size| abi::proxy_get_header_map_pairs(number, address, size))?;
    let headers = Headers::decode(bytes).ok_or(Error::malformed(CALL))?;
    // Requests and answers have pseudo-headers at least; an empty map is what is returned when there is nothing to read.
    if headers.is_empty() { Err(Error::malformed(CALL)) } else { Ok(headers) }
}

fn edit_map(map: u32, edit: &Edit) -> Result<()> {
    match edit {
        Edit::Remove(name) => {
            check("remove_header_map_value", abi::proxy_remove_header_map_value(map, name.as_ptr(), name.len()))
        }
        Edit::Set(name, value) => check(
            "replace_header_map_value",
            abi::proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len()),
        ),
        Edit::Append(name, value) => add_to_map(map, name, value),
    }
}

fn add_to_map(map: u32, name: &str, value: &str) -> Result<()> {
    let status = abi::proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len());
    check("add_header_map_value", status)
}

/// A duration in the interface's milliseconds; never 0, which would mean "without end".
fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX).max(1)
}

impl Proxy for Hostcalls {
    fn log(&self, severity: Severity, line: &str) {
        // There is no other place to tell that the log cannot be written.
        let _ = abi::proxy_log(severity.number(), line.as_ptr(), line.len());
    }

    fn log_level(&self) -> Result<Severity> {
        let mut level = 0;
        check("get_log_level", abi::proxy_get_log_level(&mut level))?;
        Ok(Severity::from_number(level))
    }

    fn now(&self) -> Result<UnixTime> {
        const CALL: &str = "get_current_time_nanoseconds";
        let mut nanoseconds = 0;
        check(CALL, abi::proxy_get_current_time_nanoseconds(&mut nanoseconds))?;
        // A clock at the epoch is no clock: every token would look as if it had not expired.
        if nanoseconds == 0 { Err(Error::malformed(CALL)) } else { Ok(UnixTime::from_nanos(nanoseconds)) }
    }

    fn set_tick_period(&self, period: Duration) -> Result<()> {
        check("set_tick_period_milliseconds", abi::proxy_set_tick_period_milliseconds(milliseconds(period)))
    }

    fn plugin_configuration(&self, size: usize) -> Result<Vec<u8>> {
        const CALL: &str = "get_buffer_bytes";
        if size == 0 {
            return Ok(Vec::new());
        }
        let read = |address: &mut usize, length: &mut usize| {
            abi::proxy_get_buffer_bytes(abi::BUFFER_PLUGIN_CONFIGURATION, 0, size, address, length)
        };
        let document = data(CALL, read)?;
        if document.len() == size { Ok(document) } else { Err(Error::malformed(CALL)) }
    }

    fn native_signatures(&self) -> Option<Rc<dyn NativeSignatures>> {
        Some(Rc::new(VerifySignature::default()))
    }

    fn request_headers(&self) -> Result<Headers> {
        header_map(abi::MAP_REQUEST_HEADERS)
    }

    fn edit(&self, edit: &Edit) -> Result<()> {
        edit_map(abi::MAP_REQUEST_HEADERS, edit)
    }

    fn add_header(&self, name: &str, value: &str) -> Result<()> {
        add_to_map(abi::MAP_REQUEST_HEADERS, name, value)
    }

    fn response_headers(&self) -> Result<Headers> {
        header_map(abi::MAP_RESPONSE_HEADERS)
    }

    fn edit_response(&self, edit: &Edit) -> Result<()> {
        edit_map(abi::MAP_RESPONSE_HEADERS, edit)
    }

    fn clear_route_cache(&self) -> Result<()> {
        call_foreign_function("clear_route_cache", &[]).map(drop)
    }

    fn reply(&self, reply: &LocalReply) -> Result<()> {
        const NO_GRPC_STATUS: i32 = -1;
        let headers = map::encode(&reply.headers);
        let status = abi::proxy_send_local_response(
            u32::from(reply.status),
            reply.details.as_ptr(),
            reply.details.len(),
            reply.body.as_ptr(),
            reply.body.len(),
            headers.as_ptr(),
            headers.len(),
            NO_GRPC_STATUS,
        );
        check("send_local_response", status)
    }

    fn resume(&self) -> Result<()> {
        check("continue_stream", abi::proxy_continue_stream(abi::STREAM_REQUEST))
    }

    fn reset(&self) -> Result<()> {
        check("close_stream", abi::proxy_close_stream(abi::STREAM_REQUEST))
    }

    fn property(&self, path: &str) -> Result<Option<Vec<u8>>> {
        match data("get_property", |address, size| abi::proxy_get_property(path.as_ptr(), path.len(), address, size)) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_state(&self, key: &str, value: &[u8]) -> Result<()> {
        check("set_property", abi::proxy_set_property(key.as_ptr(), key.len(), value.as_ptr(), value.len()))
    }

    fn done(&self) -> Result<()> {
        check("done", abi::proxy_done())
    }

    fn enter(&self, context: u32) -> Result<()> {
        check("set_effective_context", abi::proxy_set_effective_context(context))
    }

    fn send(&self, fetch: &Fetch, trace: &[(&'static str, String)]) -> Result<u32> {
        let mut headers = vec![
            (":method", if fetch.post.is_some() { "POST" } else { "GET" }),
            (":scheme", &*fetch.scheme),
            (":authority", &fetch.authority),
            (":path", &fetch.path),
            ("accept", "application/json"),
        ];
        let mut body: &[u8] = &[];
        let mut length = String::new();
        if let Some(post) = &fetch.post {
            body = &post.body;
            length.push_str(&body.len().to_string());
            headers.extend([("content-type", post.content_type), ("content-length", &*length)]);
            headers.extend(post.authorization.as_deref().map(|value| ("authorization", value)));
            headers.extend(post.headers.iter().map(|(name, value)| (&**name, &**value)));
        }
        headers.extend(trace.iter().map(|(name, value)| (*name, value.as_str())));
        let headers = map::encode(&headers);
        let trailers = map::encode::<&str, &str>(&[]);
        let mut token = 0;
        let status = abi::proxy_http_call(
            fetch.cluster.as_ptr(),
            fetch.cluster.len(),
            headers.as_ptr(),
            headers.len(),
            if body.is_empty() { std::ptr::null() } else { body.as_ptr() },
            body.len(),
            trailers.as_ptr(),
            trailers.len(),
            milliseconds(fetch.timeout),
            &mut token,
        );
        check("http_call", status)?;
        Ok(token)
    }

    fn fetched_headers(&self) -> Result<Headers> {
        header_map(abi::MAP_CALL_RESPONSE_HEADERS)
    }

    fn fetched_body(&self, limit: usize) -> Result<Vec<u8>> {
        data("get_buffer_bytes", |address, size| {
            abi::proxy_get_buffer_bytes(abi::BUFFER_CALL_RESPONSE_BODY, 0, limit, address, size)
        })
    }

    fn shared(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>> {
        let mut version = 0;
        let read = |address: &mut usize, size: &mut usize| {
            abi::proxy_get_shared_data(key.as_ptr(), key.len(), address, size, &mut version)
        };
        match data("get_shared_data", read) {
            Ok(value) => Ok(Some((value, version))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_shared(&self, key: &str, value: &[u8], over: Over) -> Result<Written> {
        const CALL: &str = "set_shared_data";
        // Envoy takes any version where there is no value yet, and 0 for "whatever is there". No value has the greatest one.
        let version = match over {
            Over::Nothing => u32::MAX,
            // A value that is there has a version, so this is no answer of a proxy that works.
            Over::Version(0) => return Err(Error::malformed(CALL)),
            Over::Version(version) => version,
            Over::Anything => 0,
        };
        match check(CALL, abi::proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), version)) {
            Ok(()) => Ok(Written::Done),
            Err(error) if error.is_outdated() => Ok(Written::Outdated),
            Err(error) => Err(error),
        }
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<MetricId> {
        let number = match kind {
            MetricKind::Counter => 0,
            MetricKind::Gauge => 1,
            MetricKind::Histogram => 2,
        };
        self.metrics.id(kind, name, || {
            let mut metric = 0;
            check("define_metric", abi::proxy_define_metric(number, name.as_ptr(), name.len(), &mut metric))?;
            Ok(MetricId(metric))
        })
    }

    fn has_room_for_metric(&self, name: &str, limit: usize) -> bool {
        self.metrics.has_room_for(name, limit)
    }

    fn increment_metric(&self, metric: MetricId, amount: u64) -> Result<()> {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        check("increment_metric", abi::proxy_increment_metric(metric.0, amount))
    }

    fn adjust_metric(&self, metric: MetricId, by: i64) -> Result<()> {
        check("increment_metric", abi::proxy_increment_metric(metric.0, by))
    }

    fn record_metric(&self, metric: MetricId, value: u64) -> Result<()> {
        check("record_metric", abi::proxy_record_metric(metric.0, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_proxy_every_call_is_an_error() {
        let proxy = Hostcalls::new();
        assert!(proxy.now().is_err());
        assert!(proxy.request_headers().is_err());
        assert!(proxy.property("xds\0route_name").is_err());
        assert!(proxy.resume().is_err());
        assert!(proxy.plugin_configuration(1).is_err());
        assert_eq!(proxy.plugin_configuration(0), Ok(Vec::new()));
    }

    #[test]
    fn a_timeout_is_never_without_end() {
        assert_eq!(milliseconds(Duration::ZERO), 1);
        assert_eq!(milliseconds(Duration::from_secs(5)), 5000);
        assert_eq!(milliseconds(Duration::MAX), u32::MAX);
    }
}
