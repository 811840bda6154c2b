//! Percent-escapes in a path (RFC 3986 section 2.1).

/// The byte that an escape stands for and what follows it, given what stands after its `%`.
pub fn escape(after: &[u8]) -> Option<(u8, &[u8])> {
    let (pair, rest) = after.split_first_chunk::<2>()?;
    let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
    let byte = u8::try_from(high?.checked_shl(4)? | low?).ok()?;
    Some((byte, rest))
}

/// The bytes that a text stands for. A malformed escape stands for itself.
pub fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = if *first == b'%' { escape(after).unwrap_or((b'%', after)) } else { (*first, after) };
        decoded.push(byte);
        rest = after;
    }
    decoded
}

/// The bytes as a path in visible ASCII, each `%` escaped.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if *byte == b'%' { push_escape(&mut text, b'%') } else { push_plain(&mut text, *byte) }
    }
    text
}

/// One spelling for all escapes, and whether any was malformed (its `%` is escaped then).
pub(super) fn spell(path: &[u8]) -> (String, bool) {
    let mut text = String::with_capacity(path.len());
    let mut malformed = false;
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            push_plain(&mut text, *first);
            continue;
        }
        match escape(after) {
            Some((byte, after)) => {
                rest = after;
                if is_unreserved(byte) { text.push(char::from(byte)) } else { push_escape(&mut text, byte) }
            }
            None => {
                malformed = true;
                push_escape(&mut text, b'%');
            }
        }
    }
    (text, malformed)
}

/// Whether a path in one spelling holds what upstreams understand differently.
pub(super) fn is_ambiguous(spelled: &str) -> bool {
    let mut rest = spelled.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'\\' | b';' => return true,
            b'/' if after.first() == Some(&b'/') => return true,
            b'%' => {
                let Some((byte, after)) = escape(after) else { return true };
                match byte {
                    b'/' | b'\\' | b';' => return true,
                    b'%' if escape(after).is_some() => return true,
                    _ if byte.is_ascii_control() || is_overlong(byte, after) => return true,
                    _ => {}
                }
            }
            _ => {}
        }
    }
    false
}

/// Whether a byte begins a UTF-8 sequence that is longer than needed: some servers read `%c0%af` as a slash.
fn is_overlong(byte: u8, after: &[u8]) -> bool {
    let next = after.strip_prefix(b"%").and_then(escape).map(|(next, _)| next);
    match byte {
        0xc0 | 0xc1 => true,
        0xe0 => matches!(next, Some(0x80..=0x9f)),
        0xf0 => matches!(next, Some(0x80..=0x8f)),
        _ => false,
    }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn push_plain(text: &mut String, byte: u8) {
    if byte.is_ascii_graphic() { text.push(char::from(byte)) } else { push_escape(text, byte) }
}

fn push_escape(text: &mut String, byte: u8) {
    text.push('%');
    for half in [byte >> 4, byte & 0xf] {
        text.extend(char::from_digit(half.into(), 16).map(|digit| digit.to_ascii_uppercase()));
    }
}
