//! The place of a request: scheme and authority, in one spelling (RFC 3986 sections 6.2.2 and 6.2.3).

use portcullis_request::path::RequestPath;
use portcullis_request::request::host_name;

/// A scheme, a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    is_tls: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin with this authority; `None` when it is none.
    #[must_use]
    pub fn new(is_tls: bool, authority: &[u8]) -> Option<Self> {
        let host = host_name::normalize(authority)?;
        let after_address = authority.iter().rposition(|byte| *byte == b']').unwrap_or(0);
        let colon = authority.iter().rposition(|byte| *byte == b':').filter(|colon| *colon > after_address);
        let digits = colon.and_then(|colon| authority.get(colon.checked_add(1)?..)).unwrap_or_default();
        let port = match digits {
            [] => default_port(is_tls),
            digits => str::from_utf8(digits).ok()?.parse().ok()?,
        };
        Some(Self { is_tls, host, port })
    }

    /// The origin in a text of a scheme, `://` and an authority, and what stands after it.
    #[must_use]
    pub fn split(uri: &str) -> Option<(Self, &str)> {
        let (scheme, rest) = uri.split_once("://")?;
        let is_tls = match scheme {
            scheme if scheme.eq_ignore_ascii_case("https") => true,
            scheme if scheme.eq_ignore_ascii_case("http") => false,
            _ => return None,
        };
        let (authority, rest) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
        Some((Self::new(is_tls, authority.as_bytes())?, rest))
    }
}

/// The origin and the path of a URI in one spelling, query and fragment left aside; `None` when it is no URI of HTTP.
#[must_use]
pub fn read_uri(uri: &str) -> Option<(Origin, RequestPath)> {
    let (origin, rest) = Origin::split(uri)?;
    let rest = if rest.starts_with('/') { rest } else { "/" };
    Some((origin, RequestPath::parse(rest.as_bytes())?))
}

const fn default_port(is_tls: bool) -> u16 {
    if is_tls { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Option<(Origin, String)> {
        read_uri(uri).map(|(origin, path)| (origin, path.as_str().to_owned()))
    }

    #[test]
    fn uris_that_are_the_same_by_the_rfc_are_the_same() {
        let same = [
            "https://api.example.com/a/b",
            "HTTPS://API.example.com/a/b",
            "https://api.example.com:443/a/b",
            "https://api.example.com:/a/b",
            "https://api.example.com/a/b?c=d",
            "https://api.example.com/a/b#c",
            "https://api.example.com/%61/b",
            "https://api.example.com/a/./c/../b",
        ];
        for uri in same {
            assert_eq!(read(uri), read(same[0]), "{uri}");
            assert!(read(uri).is_some(), "{uri}");
        }
        for (one, other) in [
            ("https://h", "https://h/"),
            ("https://h?a", "https://h/"),
            ("http://h:80/", "http://h/"),
            ("https://[::1]/", "https://[::1]:443/"),
            ("https://h/%c3%a9", "https://h/%C3%A9"),
            ("https://h/é", "https://h/%C3%A9"),
        ] {
            assert_eq!(read(one), read(other), "{one} {other}");
            assert!(read(one).is_some(), "{one}");
        }
    }

    #[test]
    fn others_are_not() {
        let uri = "https://api.example.com/a/b";
        for other in [
            "http://api.example.com/a/b",
            "https://api.example.com:8443/a/b",
            "https://api.example.com:80/a/b",
            "https://example.com/a/b",
            "https://api.example.com/a/b/",
            "https://api.example.com/a/B",
            "https://api.example.com/a%2Fb",
            "https://api.example.com//a/b",
            "https://api.example.com/a/b%3F",
        ] {
            assert_ne!(read(other), read(uri), "{other}");
            assert!(read(other).is_some(), "{other}");
        }
    }

    #[test]
    fn what_is_no_uri_of_http_is_none() {
        for uri in [
            "",
            "/a/b",
            "api.example.com/a",
            "//api.example.com/a",
            "https:/api.example.com/a",
            "https:///a",
            "ftp://h/a",
            "https://user@h/a",
            "https://h:65536/a",
            "https://h:1:2/a",
            "https://h:a/b",
            "https://h\\a",
            " https://h/a",
            "https://[::1/a",
        ] {
            assert_eq!(read(uri), None, "{uri}");
        }
    }
}
