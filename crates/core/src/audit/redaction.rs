//! What a client or an issuer sent, made fit for an audit event: short, text, and no token.
//!
//! Credentials are kept out by allow-lists; this is the net below them, for a token that was sent in an unusual place.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;

use crate::claim_set::Claim;

/// The longest value that an event holds, in bytes, where the operator does not say; longer ones are cut.
pub const MAX_VALUE_BYTES: usize = 1024;
/// How long base64url that begins as JSON must be to be taken for a part of a token.
const LONG_PART: usize = 40;
/// What stands at the end of a value that was cut.
const CUT: char = '…';
/// What stands in place of a value with a token in it.
const WITHHELD: &str = "[token withheld]";

/// A value as an event may hold it, of so many bytes at most.
#[must_use]
pub fn redact(text: &str, limit: usize) -> Cow<'_, str> {
    if has_token(text) {
        return Cow::Borrowed(WITHHELD);
    }
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let kept = text.char_indices().take_while(|(place, character)| place.saturating_add(character.len_utf8()) <= limit);
    Cow::Owned(kept.map(|(_, character)| character).chain([CUT]).collect())
}

/// Bytes as an event may hold them: those that are not UTF-8 become U+FFFD.
#[must_use]
pub fn redact_bytes(bytes: &[u8], limit: usize) -> Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => redact(text, limit),
        Cow::Owned(text) => Cow::Owned(redact(&text, limit).into_owned()),
    }
}

/// A claim as an event may hold it: one that is too long, or has a token in it, becomes text.
#[must_use]
pub fn redact_claim(claim: Claim<'_>, limit: usize) -> Value {
    if let Claim::Text(text) = claim {
        return redact(text, limit).into_owned().into();
    }
    let value = Value::from(claim);
    let Ok(json) = serde_json::to_string(&value) else { return WITHHELD.into() };
    let redacted = redact(&json, limit);
    if redacted == json { value } else { redacted.into_owned().into() }
}

/// Whether a JWT stands anywhere in a text: the JSON of its header begins with `{"`, which is `eyJ` in base64url, and two dots
/// follow (RFC 7519 section 3). A long one without them may be a part of one, or one with other signs between its parts.
fn has_token(text: &str) -> bool {
    let is_token_byte = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let bytes = text.as_bytes();
    // Most values are none, and are done with here.
    if !bytes.contains(&b'J') {
        return false;
    }
    bytes.split(|byte| !is_token_byte(byte)).any(|word| {
        let start = word.windows(3).position(|window| window == b"eyJ");
        let token = start.and_then(|start| word.get(start..)).unwrap_or_default();
        token.len() >= LONG_PART || token.iter().filter(|byte| **byte == b'.').count() >= 2
    })
}

/// A line of JSON as one line for every reader: the characters that some take for the end of a line, or that change how others are
/// shown, are escaped. serde escapes those below U+0020 alone.
#[must_use]
pub fn escape(line: String) -> String {
    if line.is_ascii() && !line.contains(DELETE) {
        return line;
    }
    let mut escaped = String::with_capacity(line.len());
    for character in line.chars() {
        if is_unruly(character) {
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Whether a text can stand in JSON as it is: ASCII that shows, and nothing that JSON escapes.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    words.iter().all(|word| is_plain_word(u64::from_le_bytes(*word))) && rest.iter().all(|byte| is_plain_byte(*byte))
}

const fn is_plain_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// The same of eight bytes at once: the highest bit of each is gathered where the byte is out of bounds, or is one of the two signs.
const fn is_plain_word(word: u64) -> bool {
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    const HIGHS: u64 = each(0x80);
    // In bytes below 0x80, adding does not carry into the next.
    let lows = word & !HIGHS;
    let delete_or_more = word | lows.wrapping_add(each(0x01));
    // 0x60 lifts a space to 0x80, and 0x7f everything but zero.
    let below_space = !lows.wrapping_add(each(0x60));
    let quote = !(lows ^ each(b'"')).wrapping_add(each(0x7f));
    let backslash = !(lows ^ each(b'\\')).wrapping_add(each(0x7f));
    (delete_or_more | below_space | quote | backslash) & HIGHS == 0
}

const DELETE: char = '\u{7f}';

/// C1 controls, separators of lines and paragraphs, and what turns the direction of text.
const fn is_unruly(character: char) -> bool {
    matches!(character, DELETE..='\u{9f}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redact(text: &str) -> Cow<'_, str> {
        super::redact(text, MAX_VALUE_BYTES)
    }

    fn redact_claim(claim: Claim<'_>) -> Value {
        super::redact_claim(claim, MAX_VALUE_BYTES)
    }

    #[test]
    fn withholds_token_wherever_it_stands() {
        let cases = [
            ("alone", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", true),
            ("after a scheme", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", true),
            ("in a path", "/verify/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln/now", true),
            ("behind a prefix", "token_eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", true),
            ("without a signature", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", true),
            ("with other signs", "eyJhbGciOiJIUzI1NiJ9-eyJzdWIiOiIxIn0-c2lnbmF0dXJl", true),
            ("its payload", "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4ifQ", true),
            ("a short word", "eyJhbGciOiJIUzI1NiJ9", false),
            ("a host", "eyes.shop.example.com", false),
            ("one dot", "eyJ.pdf", false),
            ("words", "curl/8.0 (eyJ) a.b.c", false),
        ];
        for (case, text, withheld) in cases {
            assert_eq!(redact(text), if withheld { WITHHELD } else { text }, "{case}");
        }
    }

    #[test]
    fn cuts_long_value_between_characters() {
        assert_eq!(redact(&"a".repeat(MAX_VALUE_BYTES)), "a".repeat(MAX_VALUE_BYTES));
        assert_eq!(redact(&"a".repeat(MAX_VALUE_BYTES + 1)), format!("{}…", "a".repeat(MAX_VALUE_BYTES)));
        let text = format!("a{}", "é".repeat(MAX_VALUE_BYTES));
        assert_eq!(redact(&text), format!("a{}…", "é".repeat(MAX_VALUE_BYTES / 2 - 1)));
    }

    #[test]
    fn replaces_bytes_that_are_not_utf8() {
        assert_eq!(redact_bytes(b"a\xff\r\nb", 100), "a\u{fffd}\r\nb");
    }

    #[test]
    fn what_is_plain_is_told_alike_of_one_byte_and_of_eight() {
        for byte in 0..=255_u8 {
            for place in 0..8 {
                for around in [b' ', b'a', b'~'] {
                    let mut word = [around; 8];
                    word[place] = byte;
                    assert_eq!(is_plain_word(u64::from_le_bytes(word)), is_plain_byte(byte), "{word:?}");
                }
            }
        }
        for (text, expected) in
            [("", true), ("GET", true), ("/orders/42 ok", true), ("12345678\"", false), ("é", false), ("a\nb", false)]
        {
            assert_eq!(is_plain(text), expected, "{text:?}");
            assert!(!is_plain(text) || serde_json::to_string(text).unwrap() == format!("\"{text}\""));
        }
    }

    #[test]
    fn keeps_small_claims_as_they_are() {
        for claim in [json!("acme"), json!(7), json!({"a": ["b"]}), json!(null)] {
            assert_eq!(redact_claim((&claim).into()), claim);
        }
        assert_eq!(redact_claim((&json!({"nested": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"})).into()), json!(WITHHELD));
        let cut = redact_claim((&json!(vec!["a"; 1000])).into());
        assert!(cut.as_str().unwrap().starts_with(r#"["a","a","#) && cut.as_str().unwrap().ends_with(CUT));
    }
}
