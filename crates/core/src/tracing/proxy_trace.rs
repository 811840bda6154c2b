//! The trace that the proxy's own tracer began or joined, as the proxy tells it in a header: `%TRACE_ID%-%SPAN_ID%`.
//!
//! The proxy's tracer begins before any filter and writes its own headers after all of them. Where it is on, no other trace is of use.

use super::context::{Sampling, SpanId, TraceContext, TraceId};

/// The trace that the proxy told; `None` when the value is none. `incoming` is the trace of the request's own headers, `request_id` its
/// `x-request-id`.
#[must_use]
pub fn read(value: &[u8], incoming: Option<TraceContext>, request_id: Option<&str>) -> Option<TraceContext> {
    let mut fields = value.splitn(2, |byte| *byte == b'-');
    let digits = fields.next()?;
    let trace = TraceId::of_32_digits(digits).or_else(|| TraceId::of_16_digits(digits))?;
    let joined = incoming.filter(|incoming| incoming.trace.is_same(trace));
    // The tracer of Zipkin does not tell its span. Where it joined a trace, the client's span is the nearest that is known; where it began
    // one, its span has the name of the trace, of which a span's name is half.
    let span = fields.next().and_then(SpanId::of_digits).or_else(|| Some(joined?.span)).or_else(|| trace.first_span())?;
    let sampling = joined.map(|joined| joined.sampling).filter(|sampling| *sampling != Sampling::Undecided);
    let sampling = sampling.or_else(|| packed(request_id?)).unwrap_or_default();
    let is_random = joined.is_some_and(|joined| joined.is_random);
    Some(TraceContext { trace, span, parent: None, sampling, is_random })
}

/// What Envoy decided, as it packs it into the UUID of the request: in the place of the version stands 4 for a request that is not traced, and
/// 9, a or b for one that is.
fn packed(request_id: &str) -> Option<Sampling> {
    const LENGTH: usize = 36;
    const VERSION: usize = 14;
    match request_id.as_bytes().get(VERSION).filter(|_| request_id.len() == LENGTH)? {
        b'9' | b'a' | b'b' => Some(Sampling::Accepted),
        b'4' => Some(Sampling::Denied),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "a8c2cc1d30d680ef80a4316610c8058b";

    fn told(value: &str, incoming: Option<TraceContext>, request_id: Option<&str>) -> Option<(String, String, Sampling)> {
        let context = read(value.as_bytes(), incoming, request_id)?;
        Some((context.trace.to_string(), context.span.to_string(), context.sampling))
    }

    #[test]
    fn the_proxy_tells_the_trace_and_its_span() {
        let expected = |span: &str, sampling| Some((TRACE.to_owned(), span.to_owned(), sampling));
        let full = format!("{TRACE}-00f067aa0ba902b7");
        for (value, request_id, expected) in [
            (&*full, None, expected("00f067aa0ba902b7", Sampling::Undecided)),
            (&full, Some("5b08d73b-c27e-9bd7-96bd-6822c0fabeec"), expected("00f067aa0ba902b7", Sampling::Accepted)),
            (&full, Some("5b08d73b-c27e-4bd7-96bd-6822c0fabeec"), expected("00f067aa0ba902b7", Sampling::Denied)),
            (&full, Some("5b08d73b-c27e-9"), expected("00f067aa0ba902b7", Sampling::Undecided)),
            (&full, Some("test-0000000009"), expected("00f067aa0ba902b7", Sampling::Undecided)),
            (&format!("{TRACE}-"), None, expected("80a4316610c8058b", Sampling::Undecided)),
            (TRACE, None, expected("80a4316610c8058b", Sampling::Undecided)),
            ("-", None, None),
            ("", None, None),
            ("00000000000000000000000000000000-00f067aa0ba902b7", None, None),
            ("%TRACE_ID%", None, None),
        ] {
            assert_eq!(told(value, None, request_id), expected, "{value} {request_id:?}");
        }
    }

    #[test]
    fn where_the_proxy_joined_a_trace_the_client_has_decided() {
        let incoming = |trace: &str, sampling| TraceContext {
            trace: TraceId::of_32_digits(trace.as_bytes()).unwrap(),
            span: SpanId::new(7).unwrap(),
            parent: None,
            sampling,
            is_random: true,
        };
        let id = Some("5b08d73b-c27e-9bd7-96bd-6822c0fabeec");
        let own = told(TRACE, Some(incoming(TRACE, Sampling::Denied)), id);
        assert_eq!(own, Some((TRACE.to_owned(), "0000000000000007".to_owned(), Sampling::Denied)));
        let open = told(TRACE, Some(incoming(TRACE, Sampling::Undecided)), id);
        assert_eq!(open, Some((TRACE.to_owned(), "0000000000000007".to_owned(), Sampling::Accepted)));
        let other = told(TRACE, Some(incoming("4bf92f3577b34da6a3ce929d0e0e4736", Sampling::Denied)), id);
        assert_eq!(other, Some((TRACE.to_owned(), "80a4316610c8058b".to_owned(), Sampling::Accepted)));
    }
}
