//! ECDSA signatures from the two halves of a JWS (RFC 7518 section 3.4) to DER (RFC 3279 section 2.2.3), without an allocation.

/// The longest: two numbers of 66 bytes, each with tag and length, in a sequence with a length of two bytes.
const MAX_BYTES: usize = 139;
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
/// The form of a length from 128 to 255.
const ONE_LENGTH_BYTE: u8 = 0x81;

/// An ECDSA signature as DER.
#[derive(Debug)]
pub(crate) struct EcdsaDer {
    bytes: [u8; MAX_BYTES],
    length: usize,
}

impl EcdsaDer {
    /// The signature whose two numbers, in halves of equal length, are `raw`. Halves of more than 66 bytes become an empty one.
    pub fn new(raw: &[u8]) -> Self {
        let mut der = Self { bytes: [0; MAX_BYTES], length: 0 };
        let (r, s) = raw.split_at(raw.len() / 2);
        let (r, s) = (Number::new(r), Number::new(s));
        let content = r.encoded_length().saturating_add(s.encoded_length());
        let Ok(content) = u8::try_from(content) else { return der };
        der.push(SEQUENCE);
        if content >= 0x80 {
            der.push(ONE_LENGTH_BYTE);
        }
        der.push(content);
        der.push_number(&r);
        der.push_number(&s);
        der
    }

    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, byte: u8) {
        self.extend(&[byte]);
    }

    fn extend(&mut self, bytes: &[u8]) {
        let end = self.length.saturating_add(bytes.len());
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(bytes);
            self.length = end;
        }
    }

    fn push_number(&mut self, number: &Number<'_>) {
        self.push(INTEGER);
        self.push(u8::try_from(number.content_length()).unwrap_or(u8::MAX));
        if number.needs_zero {
            self.push(0);
        }
        self.extend(number.digits);
    }
}

/// A positive number in as few bytes as it takes.
struct Number<'a> {
    digits: &'a [u8],
    /// Whether its first bit would make it negative.
    needs_zero: bool,
}

impl<'a> Number<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        let digits = bytes.get(first..).unwrap_or_default();
        Self { digits, needs_zero: digits.first().is_none_or(|byte| *byte >= 0x80) }
    }

    fn content_length(&self) -> usize {
        self.digits.len().saturating_add(usize::from(self.needs_zero))
    }

    fn encoded_length(&self) -> usize {
        self.content_length().saturating_add(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_numbers_in_as_few_bytes_as_they_take() {
        let cases: [(&str, &[u8], &[u8]); 6] = [
            ("plain", &[1, 2, 3, 4], &[0x30, 8, 2, 2, 1, 2, 2, 2, 3, 4]),
            ("first bit set", &[0x80, 1, 0x7f, 1], &[0x30, 9, 2, 3, 0, 0x80, 1, 2, 2, 0x7f, 1]),
            ("leading zeros", &[0, 1, 0, 0x80], &[0x30, 7, 2, 1, 1, 2, 2, 0, 0x80]),
            ("zeros", &[0, 0, 0, 0], &[0x30, 6, 2, 1, 0, 2, 1, 0]),
            ("nothing", &[], &[0x30, 6, 2, 1, 0, 2, 1, 0]),
            ("one byte each", &[1, 0xff], &[0x30, 7, 2, 1, 1, 2, 2, 0, 0xff]),
        ];
        for (name, raw, expected) in cases {
            assert_eq!(EcdsaDer::new(raw).as_slice(), expected, "{name}");
        }
    }

    #[test]
    fn holds_the_longest_signature_of_the_longest_curve() {
        let mut raw = [0xff; 132];
        (raw[0], raw[66]) = (1, 1);
        let der = EcdsaDer::new(&raw);
        assert_eq!(der.as_slice().len(), MAX_BYTES);
        assert_eq!(der.as_slice()[..6], [0x30, 0x81, 136, 2, 66, 1]);
        assert_eq!(EcdsaDer::new(&[0xff; 300]).as_slice(), b"");
    }
}
