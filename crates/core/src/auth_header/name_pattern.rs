//! Names of headers that only the gateway may set, in every disguise.
//!
//! A client can write a name in any case, and a service that turns names into variables (CGI, RFC 3875 section 4.1.18) takes
//! `X_User_Id` for `X-User-Id`. So letters compare without case, and `_` and `-` are alike.
//!
//! Refused are names that are no token (RFC 9110 section 5.6.2), patterns that match everything, and names that belong to the
//! connection or to the request's framing and routing.

use crate::config::ConfigError;

/// Names that steer routing, framing or the connection; to change them is never a matter of identity.
const RESERVED: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A header name, or the beginning of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    folded: Vec<u8>,
    is_prefix: bool,
}

impl NamePattern {
    /// The pattern that an operator wrote: a name, or a prefix that ends with `*`.
    ///
    /// # Errors
    /// When it is no name or prefix, or matches a name that may not be removed.
    pub fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        match text.strip_suffix('*') {
            Some("") => Err(ConfigError::new(path, "matches every header").hint("put a prefix before the `*`: x-user-*")),
            Some(prefix) => Self::checked(prefix, true, path),
            None => Self::checked(text, false, path),
        }
    }

    /// The pattern for exactly this header.
    ///
    /// # Errors
    /// When it is no name, or one that may not be set.
    pub fn exact(name: &str, path: &str) -> Result<Self, ConfigError> {
        Self::checked(name, false, path)
    }

    fn checked(name: &str, is_prefix: bool, path: &str) -> Result<Self, ConfigError> {
        if name.starts_with(':') {
            return Err(ConfigError::new(path, "is a pseudo-header, which no filter here may change"));
        }
        if name.is_empty() || !name.bytes().all(is_name_byte) {
            return Err(ConfigError::new(path, "is not a header name")
                .hint("use letters, digits and `-`; `*` stands only at the end of a `strip` pattern"));
        }
        let pattern = Self { folded: name.bytes().map(fold).collect(), is_prefix };
        match RESERVED.iter().find(|reserved| pattern.matches(reserved.as_bytes())) {
            Some(reserved) => Err(ConfigError::new(path, format!("would change `{reserved}`, which belongs to the connection"))
                .hint("name only headers that carry identity")),
            None => Ok(pattern),
        }
    }

    /// The byte that every name begins with that is meant.
    pub(super) fn first(&self) -> Option<u8> {
        self.folded.first().copied()
    }

    /// Whether a received header's name is meant.
    #[must_use]
    pub fn matches(&self, name: &[u8]) -> bool {
        let long_enough = if self.is_prefix { name.len() >= self.folded.len() } else { name.len() == self.folded.len() };
        long_enough && self.folded.iter().zip(name).all(|(expected, byte)| *expected == fold(*byte))
    }
}

pub(super) const fn fold(byte: u8) -> u8 {
    match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}

/// Whether a byte may stand in a configured name: `tchar` of RFC 9110 without `*`, which is the wildcard here.
const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_a_name_in_every_disguise() {
        let cases: &[(&str, &str, &[u8], bool)] = &[
            ("same", "x-user-id", b"x-user-id", true),
            ("case", "x-user-id", b"X-USER-ID", true),
            ("underscores", "x-user-id", b"X_User_Id", true),
            ("pattern with underscores", "X_User_Id", b"x-user-id", true),
            ("longer", "x-user-id", b"x-user-id2", false),
            ("shorter", "x-user-id", b"x-user-i", false),
            ("prefix", "x-user-*", b"x-user-name", true),
            ("prefix in disguise", "x-user-*", b"X_USER_name", true),
            ("prefix alone", "x-user-*", b"x-user-", true),
            ("not the prefix", "x-user-*", b"x-users", false),
            ("prefix then bytes that are no text", "x-user-*", b"x-user-\xff", true),
            ("pseudo-header", "x*", b":path", false),
        ];
        for (case, pattern, name, expected) in cases {
            assert_eq!(NamePattern::parse(pattern, "").unwrap().matches(name), *expected, "{case}");
        }
    }

    #[test]
    fn refuses_patterns_that_would_break_requests() {
        let cases = [
            ("*", "strip[0]: matches every header; put a prefix before the `*`: x-user-*"),
            (":path", "strip[0]: is a pseudo-header, which no filter here may change"),
            ("Host", "strip[0]: would change `host`, which belongs to the connection; name only headers that carry identity"),
            (
                "con*",
                "strip[0]: would change `connection`, which belongs to the connection; name only headers that carry identity",
            ),
            (
                "content_length",
                "strip[0]: would change `content-length`, which belongs to the connection; name only headers that carry identity",
            ),
            (
                "x-*-id",
                "strip[0]: is not a header name; use letters, digits and `-`; `*` stands only at the end of a `strip` \
                 pattern",
            ),
        ];
        for (pattern, expected) in cases {
            assert_eq!(NamePattern::parse(pattern, "strip[0]").unwrap_err().to_string(), expected);
        }
        for pattern in ["", "x user", "x-üser", "x-user:", "x\n", "TE", "upgrade", "transfer-encoding", "h*", "x-**"] {
            assert!(NamePattern::parse(pattern, "strip[0]").is_err(), "{pattern:?}");
        }
        assert!(NamePattern::exact("x-user-*", "inject[0].header").is_err());
    }
}
