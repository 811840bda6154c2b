//! A request as rules see it: method, host and path, read from its headers when first asked for.
//!
//! Only `:method`, `:authority` (else `host`), `:path` and `x-request-id` are looked at. What a client says elsewhere about the
//! original path, host or method never counts.

use std::cell::OnceCell;

use crate::bytes;
use crate::headers::{Headers, Noted};
use crate::path::{self, RequestPath};

pub mod host_name;
mod percent;

/// The longest `x-request-id` that is passed on, in bytes.
const MAX_REQUEST_ID: usize = 128;

/// A request.
#[derive(Debug, Default)]
pub struct Request {
    headers: Headers,
    host: OnceCell<Option<Host>>,
    normal_path: OnceCell<Option<usize>>,
    path: OnceCell<Option<Box<RequestPath>>>,
}

/// The host in its normal spelling.
#[derive(Debug)]
enum Host {
    /// So many bytes of what was sent.
    AsSent(usize),
    /// Another text.
    Spelled(String),
}

impl Request {
    /// A request with these headers, pseudo-headers (`:method`, `:path`, `:authority`) among them.
    #[must_use]
    pub const fn new(headers: Headers) -> Self {
        Self { headers, host: OnceCell::new(), normal_path: OnceCell::new(), path: OnceCell::new() }
    }

    /// Its headers as they came.
    #[must_use]
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Gives back its headers.
    #[must_use]
    pub fn into_headers(self) -> Headers {
        self.headers
    }

    /// The method as it came; `None` when it is missing, repeated or not visible ASCII.
    #[must_use]
    pub fn method(&self) -> Option<&str> {
        // Nearly every request has one of these, and is asked for it by each stage.
        match self.headers.noted(Noted::Method) {
            Ok(Some(b"GET")) => Some("GET"),
            Ok(Some(b"POST")) => Some("POST"),
            _ => self.token(Noted::Method),
        }
    }

    /// The host in lower case, without port and trailing dot; `None` when it is missing, repeated or malformed.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        let read = || {
            let authority = self.authority()?;
            match host_name::normal_length(authority) {
                Some(length) => Some(Host::AsSent(length)),
                None => host_name::normalize(authority).map(Host::Spelled),
            }
        };
        match self.host.get_or_init(read).as_ref()? {
            Host::AsSent(length) => str::from_utf8(self.authority()?.get(..*length)?).ok(),
            Host::Spelled(host) => Some(host),
        }
    }

    /// The authority as it came; `None` when it is missing or repeated.
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        match self.headers.noted(Noted::Authority).ok()? {
            Some(authority) => Some(authority),
            None => self.headers.single("host").ok()?,
        }
    }

    /// The path; `None` when it is missing or repeated, and for `OPTIONS *`.
    #[must_use]
    pub fn path(&self) -> Option<&RequestPath> {
        self.path.get_or_init(|| RequestPath::parse(self.target()?).map(Box::new)).as_deref()
    }

    /// The text of the path.
    pub fn path_text(&self) -> Option<&str> {
        self.normal_path().or_else(|| self.path().map(RequestPath::as_str))
    }

    /// The path, when it is normal as it stands, as almost every one is; it is not written down then.
    pub fn normal_path(&self) -> Option<&str> {
        str::from_utf8(self.target()?.get(..self.normal_path_length()?)?).ok()
    }

    /// Whether an upstream might understand the path differently.
    pub fn is_path_ambiguous(&self) -> bool {
        self.normal_path_length().is_none() && self.path().is_some_and(RequestPath::is_ambiguous)
    }

    fn normal_path_length(&self) -> Option<usize> {
        *self.normal_path.get_or_init(|| path::normal_length(self.target()?))
    }

    /// The bytes after the first `?` and before any `#`; `None` when there is no `?`.
    #[must_use]
    pub fn query(&self) -> Option<&[u8]> {
        let target = self.target()?.split(|byte| *byte == b'#').next()?;
        let start = target.iter().position(|byte| *byte == b'?')?;
        target.get(start.checked_add(1)?..)
    }

    /// The first value of a query parameter, percent-decoded; bytes that are not UTF-8 are replaced.
    ///
    /// For records, not for decisions: an upstream may read another one of several.
    #[must_use]
    pub fn query_parameter(&self, name: &str) -> Option<String> {
        self.query()?.split(|byte| *byte == b'&').find_map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let found = percent::decode_form(parts.next()?);
            (found == name).then(|| percent::decode_form(parts.next().unwrap_or_default()))
        })
    }

    /// The `x-request-id`, if it is visible ASCII and at most 128 bytes long.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.token(Noted::RequestId).filter(|id| id.len() <= MAX_REQUEST_ID)
    }

    fn target(&self) -> Option<&[u8]> {
        self.headers.noted(Noted::Path).ok()?
    }

    fn token(&self, header: Noted) -> Option<&str> {
        let value = self.headers.noted(header).ok()??;
        let visible = !value.is_empty() && bytes::is_visible(value);
        if visible { std::str::from_utf8(value).ok() } else { None }
    }
}

/// Whether a byte is a `tchar` (RFC 9110 section 5.6.2).
pub const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(pairs: &[(&str, &[u8])]) -> Request {
        Request::new(Headers::from_pairs(pairs.iter().copied()))
    }

    #[test]
    fn reads_each_pseudo_header_once() {
        let read = request(&[(":method", b"GET"), (":authority", b"API.example.com:8443"), (":path", b"/a/../b?c=d#e")]);
        assert_eq!(read.method(), Some("GET"));
        assert_eq!(read.host(), Some("api.example.com"));
        assert_eq!(read.path().map(RequestPath::as_str), Some("/b"));
        assert_eq!(read.query(), Some(&b"c=d"[..]));
    }

    #[test]
    fn a_path_that_is_not_written_down_is_the_path() {
        for target in [
            "/",
            "/a",
            "/a/",
            "/a/b?c=/../d",
            "/a#/..",
            "/a?b#c",
            "/a..b/c.",
            "*",
            "",
            "?",
            "#",
            "a",
            "//",
            "/a//b",
            "/./a",
            "/a/..",
            "/.a",
            "/a;b",
            "/a\\b",
            "/%61",
            "/%2f",
            "/a b",
            "/a\u{e9}",
            "/a\u{7f}",
            "http://a/b",
        ] {
            let read = request(&[(":path", target.as_bytes())]);
            let again = request(&[(":path", target.as_bytes())]);
            assert_eq!(read.path_text(), again.path().map(RequestPath::as_str), "{target}");
            assert_eq!(read.is_path_ambiguous(), again.path().is_some_and(RequestPath::is_ambiguous), "{target}");
            assert!(read.normal_path().is_none_or(|path| target.starts_with(path) && !read.is_path_ambiguous()), "{target}");
        }
        for (target, expected) in [("/a/b?c", Some("/a/b")), ("/a/../b", None), ("*", None)] {
            assert_eq!(request(&[(":path", target.as_bytes())]).normal_path(), expected, "{target}");
        }
        let twice = request(&[(":path", b"/a"), (":path", b"/a")]);
        assert_eq!((twice.path_text(), twice.normal_path(), twice.is_path_ambiguous()), (None, None, false));
    }

    #[test]
    fn reads_nothing_from_what_is_missing_repeated_or_malformed() {
        for (name, pairs) in [
            ("missing", &[][..]),
            (
                "repeated",
                &[
                    (":method", &b"GET"[..]),
                    (":method", b"GET"),
                    (":authority", b"a"),
                    (":authority", b"a"),
                    (":path", b"/"),
                    (":path", b"/"),
                    ("host", b"a"),
                ],
            ),
            ("malformed", &[(":method", b"G\xa1T"), (":authority", b"a\xa1"), (":path", b"*"), ("host", b"a")]),
            ("empty", &[(":method", b""), (":authority", b""), (":path", b"*")]),
        ] {
            let read = request(pairs);
            assert_eq!((read.method(), read.host(), read.query()), (None, None, None), "{name}");
            assert!(read.path().is_none(), "{name}");
        }
    }

    #[test]
    fn host_has_one_spelling() {
        for (authority, expected) in [
            ("example.com", Some("example.com")),
            ("EXAMPLE.com", Some("example.com")),
            ("example.com:80", Some("example.com")),
            ("example.com:", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("example.com.:80", Some("example.com")),
            ("svc_1-a", Some("svc_1-a")),
            ("127.0.0.1:8080", Some("127.0.0.1")),
            ("[::1]", Some("[::1]")),
            ("[FE80::1]:443", Some("[fe80::1]")),
            ("[::1", None),
            ("[::1]x", None),
            ("[evil.com]", None),
            ("::1", None),
            ("user@example.com", None),
            ("example.com/admin", None),
            ("example.com,evil.com", None),
            ("example.com:80:80", None),
            ("example.com:http", None),
            ("exa mple.com", None),
            (".", None),
            ("", None),
        ] {
            assert_eq!(request(&[(":authority", authority.as_bytes())]).host(), expected, "{authority}");
            assert_eq!(request(&[("host", authority.as_bytes())]).host(), expected, "{authority}");
        }
    }

    #[test]
    fn query_parameter_is_decoded_and_never_fails() {
        let target = b"/?page=1&page=2&na%6De=a%20b+c&empty=&bare&bad=%zz%&bytes=%ff#page=3";
        for (name, expected) in [
            ("page", Some("1")),
            ("name", Some("a b c")),
            ("empty", Some("")),
            ("bare", Some("")),
            ("bad", Some("%zz%")),
            ("bytes", Some("\u{fffd}")),
            ("absent", None),
        ] {
            assert_eq!(request(&[(":path", target)]).query_parameter(name).as_deref(), expected, "{name}");
        }
        assert_eq!(request(&[(":path", b"/#?page=1")]).query_parameter("page"), None);
    }

    #[test]
    fn request_id_is_short_visible_text_or_nothing() {
        let long = [b'a'; 129];
        for (id, expected) in [
            (&b"7d9e"[..], Some("7d9e")),
            (&long[..128], std::str::from_utf8(&long[..128]).ok()),
            (&long, None),
            (b"", None),
            (b"a b", None),
            (b"a\nb", None),
            (b"\xff", None),
        ] {
            assert_eq!(request(&[("x-request-id", id)]).request_id(), expected);
        }
    }
}
