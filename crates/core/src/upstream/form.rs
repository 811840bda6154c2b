//! `application/x-www-form-urlencoded` (RFC 6749 appendix B).

/// The type of such a body.
pub(super) const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// Writes a text so that it can stand in a form.
pub(super) fn encode(text: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value)).map_or('0', |digit| char::from(*digit));
    let mut encoded = String::with_capacity(text.len());
    for byte in text {
        match byte {
            byte if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'*') => encoded.push(char::from(*byte)),
            b' ' => encoded.push('+'),
            byte => encoded.extend(['%', digit(byte >> 4), digit(byte & 0x0f)]),
        }
    }
    encoded
}

/// The body of a form with these members.
pub(super) fn body(members: &[(&str, &[u8])]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    members.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_a_form_cannot_hold_as_escapes() {
        let members: [(&str, &[u8]); 3] = [("a", b"x y&z=1"), ("b", "\u{e9}+%".as_bytes()), ("c", b"A-._*~")];
        assert_eq!(body(&members), "a=x+y%26z%3D1&b=%C3%A9%2B%25&c=A-._*%7E");
    }
}
