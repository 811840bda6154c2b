//! The wire format of header maps, both ways.
//!
//! A map is the number of pairs, then for each pair the size of its name and of its value, then for each pair the name, a zero
//! byte, the value, a zero byte. Numbers are 32 bits, little-endian. Nothing of it is trusted: a number that does not fit the
//! bytes makes the whole map unreadable.

use portcullis_core::headers::{Headers, Span};

/// The size of a number.
const WORD: usize = 4;

/// Reads a map; `None` when it is malformed. No bytes at all are an empty map.
#[must_use]
pub fn decode(bytes: Vec<u8>) -> Option<Headers> {
    if bytes.is_empty() {
        return Some(Headers::default());
    }
    let count = word(&bytes, 0)?;
    let mut end = WORD.checked_add(count.checked_mul(2 * WORD)?)?;
    // The table of sizes must be there before memory is taken for as many pairs as it claims.
    bytes.get(..end)?;
    let mut spans = Vec::with_capacity(count);
    for pair in 0..count {
        let sizes = WORD.checked_add(pair.checked_mul(2 * WORD)?)?;
        let name_end = end.checked_add(word(&bytes, sizes)?)?;
        let value_start = after_zero(&bytes, name_end)?;
        let value_end = value_start.checked_add(word(&bytes, sizes.checked_add(WORD)?)?)?;
        spans.push(Span { name: end..name_end, value: value_start..value_end });
        end = after_zero(&bytes, value_end)?;
    }
    if end != bytes.len() {
        return None;
    }
    Headers::from_spans(bytes, spans)
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    let word = bytes.get(at..at.checked_add(WORD)?)?;
    usize::try_from(u32::from_le_bytes(word.try_into().ok()?)).ok()
}

fn after_zero(bytes: &[u8], at: usize) -> Option<usize> {
    if *bytes.get(at)? == 0 { at.checked_add(1) } else { None }
}

/// Writes a map.
#[must_use]
pub fn encode(pairs: &[(&str, &str)]) -> Vec<u8> {
    // A size beyond 32 bits cannot be told to the proxy, nor exist in the memory of a wasm module.
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&size(pairs.len()));
    for (name, value) in pairs {
        bytes.extend_from_slice(&size(name.len()));
        bytes.extend_from_slice(&size(value.len()));
    }
    for part in pairs.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(part.as_bytes());
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(sizes: &[u32], text: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
        bytes.extend_from_slice(text);
        bytes
    }

    #[test]
    fn reads_what_it_writes() {
        let headers = decode(encode(&[(":method", "GET"), ("x", ""), ("x", "2")])).unwrap();
        let pairs: Vec<_> = headers.iter().collect();
        assert_eq!(pairs, [(&b":method"[..], &b"GET"[..]), (b"x", b""), (b"x", b"2")]);
    }

    #[test]
    fn reads_the_bytes_of_the_interface() {
        let headers = decode(map(&[1, 1, 2], b"a\0\xff\xfe\0")).unwrap();
        assert_eq!(headers.single("a"), Ok(Some(&b"\xff\xfe"[..])));
        assert_eq!(encode(&[("a", "bc")]), map(&[1, 1, 2], b"a\0bc\0"));
    }

    #[test]
    fn nothing_and_no_pairs_are_an_empty_map() {
        assert_eq!(decode(Vec::new()).unwrap().iter().count(), 0);
        assert_eq!(decode(encode(&[])).unwrap().iter().count(), 0);
    }

    #[test]
    fn refuses_every_map_that_does_not_fit_its_bytes() {
        let cases: [(&str, Vec<u8>); 12] = [
            ("half a number", vec![1, 0]),
            ("more pairs than bytes", map(&[u32::MAX], b"")),
            ("a table that is cut", map(&[2, 1, 1], b"a\0b\0")),
            ("a name beyond the end", map(&[1, 9, 1], b"a\0b\0")),
            ("a value beyond the end", map(&[1, 1, 9], b"a\0b\0")),
            ("the largest name", map(&[1, u32::MAX, 1], b"a\0b\0")),
            ("the largest value", map(&[1, 1, u32::MAX], b"a\0b\0")),
            ("both largest", map(&[1, u32::MAX, u32::MAX], b"a\0b\0")),
            ("a name without its zero", map(&[1, 1, 1], b"a-b\0")),
            ("a value without its zero", map(&[1, 1, 1], b"a\0b-")),
            ("a value that is cut before its zero", map(&[1, 1, 1], b"a\0b")),
            ("bytes after the last pair", map(&[1, 1, 1], b"a\0b\0more")),
        ];
        for (name, bytes) in cases {
            assert!(decode(bytes).is_none(), "{name}");
        }
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_read_or_refused_but_never_panics() {
        let whole = encode(&[(":path", "/a"), ("authorization", "Bearer x")]);
        for cut in 0..whole.len() {
            assert!(decode(whole[..cut].to_vec()).is_none() == (cut > 0), "cut at {cut}");
        }
        for at in 0..whole.len() {
            for byte in [0, 1, 127, 255] {
                let mut changed = whole.clone();
                changed[at] = byte;
                let _ = decode(changed);
            }
        }
    }
}
