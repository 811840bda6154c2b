//! Whether a request is a CORS preflight (Fetch standard, section "CORS-preflight request").
//!
//! Nothing less passes for one: OPTIONS, `Origin` once, `Access-Control-Request-Method` once and with a method in it, no body
//! announced and no upgrade.

use crate::request::{Request, is_token_byte};

/// Whether it is one.
pub(super) fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    let once = |name: &'static str, fits: fn(&[u8]) -> bool| matches!(headers.single(name), Ok(Some(value)) if fits(value));
    let absent = |name: &'static str| headers.all(name).next().is_none();
    request.method() == Some("OPTIONS")
        // Envoy joins repeated origins by a comma, which no origin holds.
        && once("origin", |value| !value.is_empty() && value.iter().all(|byte| byte.is_ascii_graphic() && *byte != b','))
        && once("access-control-request-method", |value| !value.is_empty() && value.iter().all(|byte| is_token_byte(*byte)))
        && (absent("content-length") || once("content-length", |value| value == b"0"))
        && absent("transfer-encoding")
        && absent("upgrade")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Headers;

    #[test]
    fn takes_nothing_less_for_a_preflight() {
        let origin = ("origin", "https://app.example.com");
        let method = ("access-control-request-method", "PUT");
        for (name, verb, headers, expected) in [
            ("a preflight", "OPTIONS", vec![origin, method], true),
            ("with headers", "OPTIONS", vec![origin, method, ("access-control-request-headers", "x-a")], true),
            ("with an empty body", "OPTIONS", vec![origin, method, ("content-length", "0")], true),
            ("of a sandboxed page", "OPTIONS", vec![("origin", "null"), method], true),
            ("another method", "GET", vec![origin, method], false),
            ("in lower case", "options", vec![origin, method], false),
            ("no origin", "OPTIONS", vec![method], false),
            ("an empty origin", "OPTIONS", vec![("origin", ""), method], false),
            ("two origins", "OPTIONS", vec![origin, origin, method], false),
            ("two origins in one", "OPTIONS", vec![("origin", "https://a https://b"), method], false),
            ("two origins joined", "OPTIONS", vec![("origin", "https://a,https://b"), method], false),
            ("no method asked for", "OPTIONS", vec![origin], false),
            ("an empty method", "OPTIONS", vec![origin, ("access-control-request-method", "")], false),
            ("two methods", "OPTIONS", vec![origin, method, method], false),
            ("two methods in one", "OPTIONS", vec![origin, ("access-control-request-method", "PUT, GET")], false),
            ("a body", "OPTIONS", vec![origin, method, ("content-length", "1")], false),
            ("a body in chunks", "OPTIONS", vec![origin, method, ("transfer-encoding", "chunked")], false),
            ("an upgrade", "OPTIONS", vec![origin, method, ("upgrade", "websocket")], false),
        ] {
            let pairs = [(":method", verb), (":path", "/")].into_iter().chain(headers);
            assert_eq!(is_preflight(&Request::new(Headers::from_pairs(pairs))), expected, "{name}");
        }
    }
}
