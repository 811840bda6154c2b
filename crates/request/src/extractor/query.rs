//! A credential in a parameter of the query (RFC 6750 section 2.3).
//!
//! A parameter's name counts in every spelling that decodes to it, so that `access%5Ftoken` neither hides a second credential nor
//! stays when the credential is removed. Values are taken as they stand: a token needs no escapes.

use crate::edits::HeaderEdits;
use crate::headers::Headers;
use crate::rejection::Rejection;

const PATH: &str = ":path";

/// The value of the parameter.
pub(super) fn find<'a>(headers: &'a Headers, name: &str) -> Result<Option<&'a [u8]>, Rejection> {
    let Some(path) = headers.single(PATH).map_err(|_| Rejection::RequestMalformed)? else { return Ok(None) };
    let mut values = parameters(Target::of(path).query).filter(|parameter| has_name(parameter, name)).map(value);
    let first = values.next();
    if values.next().is_some() {
        return Err(Rejection::CredentialsMultiple);
    }
    Ok(first.filter(|token| !token.is_empty()))
}

/// Ask for a `:path` without the parameters; the other parameters keep their bytes and their order.
pub(super) fn remove(headers: &Headers, names: &[&str], edits: &mut HeaderEdits) {
    let Ok(Some(path)) = headers.single(PATH) else { return };
    let target = Target::of(path);
    let others: Vec<_> =
        parameters(target.query).filter(|parameter| !names.iter().any(|name| has_name(parameter, name))).collect();
    let query = others.join(&b"&"[..]);
    let mark: &[u8] = if others.is_empty() { b"" } else { b"?" };
    edits.set(PATH, text([target.path, mark, &query, target.fragment].concat()));
}

/// The three parts of a request target.
struct Target<'a> {
    path: &'a [u8],
    /// Without the question mark; `None` when there is none.
    query: Option<&'a [u8]>,
    /// With the number sign.
    fragment: &'a [u8],
}

impl<'a> Target<'a> {
    fn of(target: &'a [u8]) -> Self {
        let end = target.iter().position(|byte| *byte == b'#').unwrap_or(target.len());
        let (target, fragment) = target.split_at_checked(end).unwrap_or((target, &[]));
        match target.iter().position(|byte| *byte == b'?').and_then(|mark| target.split_at_checked(mark)) {
            Some((path, query)) => Self { path, query: query.get(1..), fragment },
            None => Self { path: target, query: None, fragment },
        }
    }
}

fn parameters(query: Option<&[u8]>) -> impl Iterator<Item = &[u8]> {
    query.into_iter().flat_map(|query| query.split(|byte| *byte == b'&'))
}

fn value(parameter: &[u8]) -> &[u8] {
    parameter.splitn(2, |byte| *byte == b'=').nth(1).unwrap_or_default()
}

fn has_name(parameter: &[u8], name: &str) -> bool {
    let raw = parameter.split(|byte| *byte == b'=').next().unwrap_or_default();
    raw == name.as_bytes() || decode(raw) == name.as_bytes()
}

/// The bytes that a name stands for (application/x-www-form-urlencoded); a malformed escape stands for itself.
fn decode(mut raw: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(raw.len());
    while let Some((first, rest)) = raw.split_first() {
        let escaped =
            if *first == b'%' { rest.split_at_checked(2).and_then(|(digits, rest)| Some((byte(digits)?, rest))) } else { None };
        let (byte, rest) = escaped.unwrap_or((if *first == b'+' { b' ' } else { *first }, rest));
        decoded.push(byte);
        raw = rest;
    }
    decoded
}

fn byte(digits: &[u8]) -> Option<u8> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The path as text. Bytes that are not UTF-8 have no place in a path (RFC 3986 section 2) and are escaped, which is what they mean.
fn text(path: Vec<u8>) -> String {
    String::from_utf8(path).unwrap_or_else(|error| {
        error.as_bytes().iter().fold(String::new(), |mut text, byte| {
            if byte.is_ascii() {
                text.push(char::from(*byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
            text
        })
    })
}
