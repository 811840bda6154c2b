//! A credential in a cookie (RFC 6265 section 4.2). Names are compared exactly; several Cookie headers count as one.

use crate::edits::HeaderEdits;
use crate::headers::Headers;
use crate::rejection::Rejection;

const COOKIE: &str = "cookie";

/// The value of the cookie.
pub(super) fn find<'a>(headers: &'a Headers, name: &str) -> Result<Option<&'a [u8]>, Rejection> {
    let mut values = cookies(headers).filter(|cookie| has_name(cookie, name)).map(value);
    let first = values.next();
    if values.next().is_some() {
        return Err(Rejection::CredentialsMultiple);
    }
    Ok(first.filter(|token| !token.is_empty()))
}

/// Ask for a Cookie header without the cookies. One that is not UTF-8 cannot be written again and goes too.
pub(super) fn remove(headers: &Headers, names: &[&str], edits: &mut HeaderEdits) {
    let others: Vec<_> = cookies(headers)
        .filter(|cookie| !names.iter().any(|name| has_name(cookie, name)))
        .filter_map(|cookie| std::str::from_utf8(cookie).ok())
        .collect();
    if others.is_empty() {
        edits.remove(COOKIE);
    } else {
        edits.set(COOKIE, others.join("; "));
    }
}

fn cookies(headers: &Headers) -> impl Iterator<Item = &[u8]> {
    let pairs = headers.all(COOKIE).flat_map(|value| value.split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty())
}

fn has_name(cookie: &[u8], name: &str) -> bool {
    cookie.split(|byte| *byte == b'=').next().unwrap_or_default().trim_ascii_end() == name.as_bytes()
}

fn value(cookie: &[u8]) -> &[u8] {
    cookie.splitn(2, |byte| *byte == b'=').nth(1).unwrap_or_default().trim_ascii_start()
}
