//! A credential in a header: `Authorization: Bearer token` (RFC 9110 section 11.4, RFC 6750 section 2.1), or a header of its own.

use super::Source;
use crate::bytes;
use crate::headers::Headers;
use crate::rejection::Rejection;

/// What a header's value is to a prefix.
enum Credential<'a> {
    /// Something else.
    Other,
    /// The right scheme with this after it.
    Ours(&'a [u8]),
}

/// The token in the header `name` after `prefix`.
pub(super) fn find<'a>(headers: &'a Headers, name: &'a str, prefix: &str) -> Result<Option<&'a [u8]>, Rejection> {
    let Some(value) = headers.single(name).map_err(|_| Rejection::CredentialsMultiple)? else { return Ok(None) };
    let value = without_white_space(value);
    // As almost every one is; its bytes are looked at once then.
    if let Credential::Ours(token) = after_prefix(value, prefix)
        && !token.is_empty()
        && bytes::is_visible_without(token, b',')
        && value.get(..value.len().saturating_sub(token.len())).is_some_and(|before| !before.contains(&b','))
    {
        return Ok(Some(token));
    }
    let joined = |element: &[u8]| matches!(after_prefix(element.trim_ascii(), prefix), Credential::Ours(_));
    if bytes::contains(value, b',') && value.split(|byte| *byte == b',').any(joined) {
        return Err(Rejection::CredentialsMultiple);
    }
    let Credential::Ours(token) = after_prefix(value, prefix) else { return Ok(None) };
    if prefix.is_empty() && token.is_empty() {
        return Ok(None);
    }
    let one_word = !token.is_empty() && bytes::is_visible(token);
    if !one_word && name.eq_ignore_ascii_case("authorization") {
        return Err(Rejection::AuthorizationMalformed);
    }
    Ok(Some(token))
}

/// Whether another source fits the same header better: of `Bearer ` and nothing, `Bearer ` does.
pub(super) fn has_longer_match(headers: &Headers, name: &str, prefix: &str, sources: &[Source]) -> bool {
    let fits = |prefix: &str| match headers.single(name) {
        Ok(Some(value)) => matches!(after_prefix(without_white_space(value), prefix), Credential::Ours(_)),
        Ok(None) | Err(_) => false,
    };
    sources.iter().any(|source| match source {
        Source::Header { name: other_name, prefix: other_prefix } => {
            other_prefix.len() > prefix.len() && other_name.eq_ignore_ascii_case(name) && fits(other_prefix)
        }
        Source::Param(_) | Source::Cookie(_) => false,
    })
}

fn after_prefix<'a>(value: &'a [u8], prefix: &str) -> Credential<'a> {
    let scheme = prefix.trim_ascii_end();
    let Some((start, rest)) = value.split_at_checked(scheme.len()) else { return Credential::Other };
    if !start.eq_ignore_ascii_case(scheme.as_bytes()) {
        return Credential::Other;
    }
    let another_word = scheme.len() < prefix.len() && rest.first().is_some_and(u8::is_ascii_graphic);
    if another_word { Credential::Other } else { Credential::Ours(without_leading_spaces(rest)) }
}

/// A value without the white space around it (RFC 9110 section 5.6.3): spaces and tabs; a line break is part of the value.
fn without_white_space(value: &[u8]) -> &[u8] {
    let is_content = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = value.iter().position(is_content).unwrap_or(value.len());
    let end = value.iter().rposition(is_content).map_or(start, |last| last.saturating_add(1));
    value.get(start..end).unwrap_or_default()
}

fn without_leading_spaces(bytes: &[u8]) -> &[u8] {
    let first = bytes.iter().position(|byte| *byte != b' ').unwrap_or(bytes.len());
    bytes.get(first..).unwrap_or_default()
}
