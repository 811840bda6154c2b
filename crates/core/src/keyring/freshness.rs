//! For how long a server says that its answer is good.

use std::time::Duration;

use crate::headers::Headers;

/// The freshness lifetime that `cache-control` gives an answer, less its `age` (RFC 9111 sections 4.2 and 5.2.2); zero where it must
/// not be kept. `None` when the server does not say, or not in a way that can be read.
#[must_use]
pub fn max_age(headers: &Headers) -> Option<Duration> {
    let directives = headers.all("cache-control").flat_map(|value| value.split(|byte| *byte == b','));
    let lifetime = directives.filter_map(|directive| lifetime(directive.trim_ascii())).min()?;
    let age = headers.single("age").ok().flatten().and_then(seconds).unwrap_or_default();
    Some(lifetime.saturating_sub(age))
}

fn lifetime(directive: &[u8]) -> Option<Duration> {
    let mut parts = directive.splitn(2, |byte| *byte == b'=');
    let (name, value) = (parts.next()?, parts.next());
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
    match value {
        None if is("no-store") || is("no-cache") => Some(Duration::ZERO),
        Some(value) if is("max-age") => seconds(unquoted(value)),
        _ => None,
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\"")).unwrap_or(text)
}

fn seconds(text: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(text).ok()?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A number that is too great stands for a very long time (RFC 9111 section 1.2.2).
    Some(Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_server_says() {
        type Pairs<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Pairs<'_>, Option<u64>); 15] = [
            (&[], None),
            (&[("cache-control", "")], None),
            (&[("cache-control", "public, max-age=300, must-revalidate")], Some(300)),
            (&[("Cache-Control", "Max-Age=300")], Some(300)),
            (&[("cache-control", "max-age=\"300\"")], Some(300)),
            (&[("cache-control", "max-age=300"), ("age", "100")], Some(200)),
            (&[("cache-control", "max-age=300"), ("age", "400")], Some(0)),
            (&[("cache-control", "max-age=300, max-age=60")], Some(60)),
            (&[("cache-control", "max-age=300"), ("cache-control", "no-store")], Some(0)),
            (&[("cache-control", "no-cache")], Some(0)),
            (&[("cache-control", "s-maxage=300")], None),
            (&[("cache-control", "max-age=-1")], None),
            (&[("cache-control", "max-age=1.5")], None),
            (&[("cache-control", "max-age=99999999999999999999999")], Some(u64::from(u32::MAX))),
            (&[("expires", "Thu, 01 Jan 1970 00:00:00 GMT")], None),
        ];
        for (headers, expected) in cases {
            let found = max_age(&Headers::from_pairs(headers.iter().copied()));
            assert_eq!(found, expected.map(Duration::from_secs), "{headers:?}");
        }
    }
}
