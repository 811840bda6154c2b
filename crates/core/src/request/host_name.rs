//! One spelling for each host.

/// The host of an authority (RFC 3986 section 3.2) in lower case, without port and trailing dot.
///
/// `None` when it is empty, has user information, or holds anything but what a name or an address is made of.
pub(crate) fn normalize(authority: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(authority).ok()?;
    let mut host = if text.starts_with('[') {
        let (address, rest) = text.split_once(']')?;
        if !is_port(rest) || !address.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')) {
            return None;
        }
        format!("{address}]")
    } else {
        let end = text.find(':').unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end)?;
        let name = name.strip_suffix('.').unwrap_or(name);
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if !is_port(rest) || name.is_empty() || !name.bytes().all(fits) {
            return None;
        }
        name.to_owned()
    };
    host.make_ascii_lowercase();
    Some(host)
}

/// Nothing, or a colon with digits (RFC 3986 allows none).
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}
