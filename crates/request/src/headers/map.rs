//! The layout of header maps as proxies hand them over (proxy-wasm ABI 0.2.1), both ways.
//!
//! A map is the number of pairs, then for each pair the size of its name and of its value, then for each pair the name, a zero
//! byte, the value, a zero byte. Numbers are 32 bits, little-endian. Nothing of it is trusted: a number that does not fit the
//! bytes makes the whole map unreadable.

/// The size of a number.
const WORD: usize = 4;

/// The pairs of a map, in order. They end before one that does not fit the bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Pairs<'a> {
    sizes: &'a [[u8; 2 * WORD]],
    rest: &'a [u8],
}

impl<'a> Pairs<'a> {
    /// The pairs of a map; `None` when its sizes are cut.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let (count, bytes) = bytes.split_first_chunk()?;
        let (sizes, rest) = bytes.split_at_checked(number(count)?.checked_mul(2 * WORD)?)?;
        Some(Self { sizes: sizes.as_chunks().0, rest })
    }

    /// The bytes that come after the last pair.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether all pairs came, and nothing stands after them.
    pub const fn is_complete(&self) -> bool {
        self.sizes.is_empty() && self.rest.is_empty()
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let ([n0, n1, n2, n3, v0, v1, v2, v3], sizes) = self.sizes.split_first()?;
        let (name, rest) = split_text(self.rest, &[*n0, *n1, *n2, *n3])?;
        let (value, rest) = split_text(rest, &[*v0, *v1, *v2, *v3])?;
        (self.sizes, self.rest) = (sizes, rest);
        Some((name, value))
    }
}

fn number(word: &[u8; WORD]) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(*word)).ok()
}

/// A text of this size, and what stands after the zero byte behind it.
fn split_text<'a>(bytes: &'a [u8], size: &[u8; WORD]) -> Option<(&'a [u8], &'a [u8])> {
    let (text, rest) = bytes.split_at_checked(number(size)?)?;
    let (zero, rest) = rest.split_first()?;
    (*zero == 0).then_some((text, rest))
}

/// Writes a map.
#[must_use]
pub fn encode<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: &[(N, V)]) -> Vec<u8> {
    // A size beyond 32 bits cannot be told to the proxy, nor exist in the memory of a wasm module.
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&size(pairs.len()));
    for (name, value) in pairs {
        bytes.extend_from_slice(&size(name.as_ref().len()));
        bytes.extend_from_slice(&size(value.as_ref().len()));
    }
    for part in pairs.iter().flat_map(|(name, value)| [name.as_ref(), value.as_ref()]) {
        bytes.extend_from_slice(part);
        bytes.push(0);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::Headers;

    fn decode(bytes: Vec<u8>) -> Option<Headers> {
        Headers::decode(bytes)
    }

    const NONE: &[(&str, &str)] = &[];

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
        assert_eq!(decode(encode(NONE)).unwrap().iter().count(), 0);
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
