//! The headers of a request as they came: bytes, in order, repeated ones kept apart.
//!
//! A snapshot owns one buffer and the places of names and values in it, so that a host can hand over what it copied out of
//! the proxy without another copy. Names compare without regard to ASCII case. Nothing here assumes UTF-8.

use std::ops::Range;

/// Where one header's name and value lie in the buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The bytes of the name.
    pub name: Range<usize>,
    /// The bytes of the value.
    pub value: Range<usize>,
}

/// A header that must be sent at most once was sent more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header was sent more than once")]
pub struct Repeated;

/// An immutable snapshot of headers.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl Headers {
    /// A snapshot over a buffer; `None` when a span lies outside of it.
    #[must_use]
    pub fn from_spans(bytes: Vec<u8>, spans: Vec<Span>) -> Option<Self> {
        let inside = |range: &Range<usize>| bytes.get(range.clone()).is_some();
        let all_inside = spans.iter().all(|span| inside(&span.name) && inside(&span.value));
        all_inside.then_some(Self { bytes, spans })
    }

    /// A snapshot of the given pairs, for tests and tools.
    pub fn from_pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            let name = headers.append(name.as_ref());
            let value = headers.append(value.as_ref());
            headers.spans.push(Span { name, value });
        }
        headers
    }

    fn append(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// The buffer, to be used for others.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// All headers, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.spans.iter().filter_map(|span| Some((self.bytes.get(span.name.clone())?, self.bytes.get(span.value.clone())?)))
    }

    /// The values of every header with this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        // Most names differ in length already, and then no byte is looked at.
        self.spans.iter().filter(move |span| span.name.len() == name.len()).filter_map(move |span| {
            let found = self.bytes.get(span.name.clone())?;
            if found.eq_ignore_ascii_case(name.as_bytes()) { self.bytes.get(span.value.clone()) } else { None }
        })
    }

    /// The value of a header that may be sent once.
    ///
    /// # Errors
    /// [`Repeated`] when it was sent more than once.
    pub fn single<'a>(&'a self, name: &'a str) -> Result<Option<&'a [u8]>, Repeated> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(Repeated) } else { Ok(first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_name_in_any_case_and_keeps_repeats_apart() {
        let headers = Headers::from_pairs([("Accept", "a"), ("accept", "b"), ("host", "h")]);
        assert_eq!(headers.all("ACCEPT").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(headers.single("accept"), Err(Repeated));
        assert_eq!(headers.single("Host"), Ok(Some(&b"h"[..])));
        assert_eq!(headers.single("absent"), Ok(None));
    }

    #[test]
    fn keeps_bytes_that_are_not_utf8() {
        let headers = Headers::from_pairs([(&b"x"[..], &b"\xff\xfe"[..])]);
        assert_eq!(headers.single("x"), Ok(Some(&b"\xff\xfe"[..])));
    }

    #[test]
    fn refuses_a_span_outside_the_buffer() {
        assert!(Headers::from_spans(vec![0; 3], vec![Span { name: 0..2, value: 2..4 }]).is_none());
        assert!(Headers::from_spans(vec![0; 3], vec![Span { name: 0..2, value: 2..3 }]).is_some());
    }
}
