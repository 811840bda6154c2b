//! The trace that a request belongs to, as its headers say.
//!
//! Tried in this order: `traceparent` (W3C Trace Context, version 00), `x-b3-traceid`, `b3` (Zipkin B3). A header that was
//! sent twice or is malformed counts as absent: it is the client's word, and only its form can be checked.

use crate::headers::Headers;

/// The trace identifier in the request's headers: 32 lower-case hexadecimal digits, from B3 also 16.
#[must_use]
pub fn trace_id(headers: &Headers) -> Option<&str> {
    let value = |name| headers.single(name).ok().flatten().and_then(|value| str::from_utf8(value).ok());
    value("traceparent")
        .and_then(from_traceparent)
        .or_else(|| value("x-b3-traceid").and_then(from_b3))
        .or_else(|| value("b3").and_then(|value| from_b3(value.split_once('-')?.0)))
}

/// `00-<trace-id>-<parent-id>-<trace-flags>` (W3C Trace Context section 3.2.2).
fn from_traceparent(value: &str) -> Option<&str> {
    let mut fields = value.split('-');
    let (version, trace, parent, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let valid =
        version == "00" && is_identifier(trace, 32) && is_identifier(parent, 16) && is_hex(flags, 2) && fields.next().is_none();
    valid.then_some(trace)
}

fn from_b3(trace: &str) -> Option<&str> {
    (is_identifier(trace, 32) || is_identifier(trace, 16)).then_some(trace)
}

fn is_identifier(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|digit| digit != b'0')
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (&'static str, &'static [(&'static str, &'static str)], Option<&'static str>);

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn reads_w3c_then_b3() {
        const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        const B3: &str = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90";
        let cases: &[Case] = &[
            ("nothing", &[], None),
            ("w3c", &[("traceparent", W3C)], Some(TRACE)),
            ("w3c before b3", &[("x-b3-traceid", "463ac35c9f6413ad"), ("TraceParent", W3C)], Some(TRACE)),
            ("b3 headers, 64 bits", &[("X-B3-TraceId", "463ac35c9f6413ad")], Some("463ac35c9f6413ad")),
            ("b3 headers, 128 bits", &[("x-b3-traceid", TRACE)], Some(TRACE)),
            ("single b3", &[("b3", B3)], Some("80f198ee56343ba864fe8b2a57d3eff7")),
            ("single b3 that only denies", &[("b3", "0")], None),
            ("malformed w3c, then b3", &[("traceparent", "00-zz"), ("b3", B3)], Some("80f198ee56343ba864fe8b2a57d3eff7")),
            ("sent twice", &[("traceparent", W3C), ("traceparent", W3C)], None),
        ];
        for (case, headers, expected) in cases {
            assert_eq!(trace_id(&Headers::from_pairs(headers.iter().copied())), *expected, "{case}");
        }
    }

    #[test]
    fn leaves_out_what_is_malformed() {
        let values: &[&[u8]] = &[
            b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            b"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            b"00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            b"\xff\xfe",
            b"",
        ];
        for value in values {
            for name in ["traceparent", "x-b3-traceid", "b3"] {
                let headers = Headers::from_pairs([(name.as_bytes(), *value)]);
                assert_eq!(trace_id(&headers), None, "{name}: {}", String::from_utf8_lossy(value));
            }
        }
    }
}
