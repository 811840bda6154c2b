//! One spelling for each host.

/// The host of an authority (RFC 3986 section 3.2) in lower case, without port and trailing dot.
///
/// `None` when it is empty, has user information, or holds anything but what a name or an address is made of.
pub fn normalize(authority: &[u8]) -> Option<String> {
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

/// How many bytes of an authority are its host, when they are a name in its normal spelling, as almost every one is.
pub fn normal_length(authority: &[u8]) -> Option<usize> {
    let is_plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    let length = authority.iter().position(|byte| !is_plain(byte)).unwrap_or(authority.len());
    let (name, rest) = authority.split_at_checked(length)?;
    let is_port = rest.split_first().is_none_or(|(colon, digits)| *colon == b':' && digits.iter().all(u8::is_ascii_digit));
    (is_port && name.last().is_some_and(|last| *last != b'.')).then_some(length)
}

/// Nothing, or a colon with digits (RFC 3986 allows none).
fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn almost_every_host_is_normal_as_it_stands() {
        for (authority, expected) in [
            ("example.com", Some(11)),
            ("svc_1-a:8080", Some(7)),
            ("10.0.0.1:80", Some(8)),
            ("h:", Some(1)),
            ("Example.com", None),
            ("example.com.", None),
            ("example.com:http", None),
            ("a@b", None),
            ("[::1]", None),
            (":80", None),
            ("", None),
        ] {
            assert_eq!(normal_length(authority.as_bytes()), expected, "{authority}");
        }
    }

    proptest! {
        #[test]
        fn what_is_normal_as_it_stands_is_what_normalizing_gives(authority in "[a-zA-Z0-9._:@\\[\\]-]{0,12}") {
            if let Some(length) = normal_length(authority.as_bytes()) {
                prop_assert_eq!(authority.get(..length).map(str::to_owned), normalize(authority.as_bytes()));
            }
        }
    }
}
