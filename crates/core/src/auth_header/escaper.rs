//! How a text stands in a header that cannot hold all of its bytes.
//!
//! With `percent`, every byte outside 0x20..=0x7e, `%`, a separator, and a space at either end is percent-encoded from UTF-8
//! (RFC 3986 section 2.1). So no text can end a header line, and two different texts never look alike to a service that trims
//! (RFC 9110 section 5.5) or splits. With `base64` and `base64url` the whole value is encoded in the end (RFC 4648 sections 4 and
//! 5, the latter without padding), and before that only separators and, beside them, `%` are percent-encoded. With `refuse`
//! nothing is encoded: a text that would have to be is refused.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::config::auth_header::ValueEncoding;

/// Why a value cannot stand in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is too long.
    #[error("the value is too long for a header")]
    TooLarge,
    /// It would have to be encoded, and may not be.
    #[error("the value would have to be encoded")]
    NotPlain,
}

/// Writes texts so that a header can hold them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Escaper<'a> {
    pub encoding: ValueEncoding,
    /// The bytes by which a reader tells the text from what stands around it.
    pub separators: &'a [u8],
}

impl Escaper<'_> {
    /// Whether a text may stand as it is.
    pub fn is_plain(&self, text: &str) -> bool {
        let outer_space = self.keeps_to_a_header() && (text.starts_with(' ') || text.ends_with(' '));
        !outer_space && text.bytes().all(|byte| self.is_plain_byte(byte))
    }

    /// Write a text.
    ///
    /// # Errors
    /// [`Unfit::NotPlain`].
    pub fn push(&self, escaped: &mut String, text: &str) -> Result<(), Unfit> {
        const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
        escaped.reserve(text.len());
        if self.is_plain(text) {
            escaped.push_str(text);
            return Ok(());
        }
        if self.encoding == ValueEncoding::Refuse {
            return Err(Unfit::NotPlain);
        }
        let last = text.len().saturating_sub(1);
        let mut bytes: usize = 0;
        for character in text.chars() {
            let place = bytes;
            bytes = place.saturating_add(character.len_utf8());
            let mut buffer = [0; 4];
            let encoded = character.encode_utf8(&mut buffer);
            let is_outer_space = character == ' ' && self.keeps_to_a_header() && (place == 0 || place == last);
            if encoded.bytes().all(|byte| self.is_plain_byte(byte)) && !is_outer_space {
                escaped.push(character);
                continue;
            }
            for byte in encoded.bytes() {
                let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied();
                escaped.push('%');
                escaped.extend(digit(byte >> 4));
                escaped.extend(digit(byte & 0x0f));
            }
        }
        Ok(())
    }

    /// Whether the text itself must be such that a header can hold it; if not, the whole value is encoded later.
    const fn keeps_to_a_header(&self) -> bool {
        matches!(self.encoding, ValueEncoding::Percent | ValueEncoding::Refuse)
    }

    /// Whether a byte may stand as it is, but for a space at either end.
    fn is_plain_byte(&self, byte: u8) -> bool {
        let may_stand = match self.encoding {
            ValueEncoding::Percent => matches!(byte, b' '..=b'~') && byte != b'%',
            ValueEncoding::Refuse => matches!(byte, b' '..=b'~'),
            ValueEncoding::Base64 | ValueEncoding::Base64url => self.separators.is_empty() || byte != b'%',
        };
        may_stand && !self.separators.contains(&byte)
    }
}

/// The value of a header, made of the whole text in it.
pub(super) fn whole(encoding: ValueEncoding, text: Cow<'_, str>) -> Cow<'_, str> {
    match encoding {
        ValueEncoding::Base64 if !text.is_empty() => Cow::Owned(STANDARD.encode(text.as_bytes())),
        ValueEncoding::Base64url if !text.is_empty() => Cow::Owned(URL_SAFE_NO_PAD.encode(text.as_bytes())),
        _ => text,
    }
}
