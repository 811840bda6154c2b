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
    noted: [Place; NOTED],
}

/// How many headers are asked for in every request, most of them more than once: they are looked for once, all together.
const NOTED: usize = 6;

/// The number of such a header, and its name. Their lengths tell them apart.
const fn noted(length: usize) -> Option<(usize, &'static str)> {
    match length {
        5 => Some((0, ":path")),
        6 => Some((1, "cookie")),
        7 => Some((2, ":method")),
        10 => Some((3, ":authority")),
        12 => Some((4, "x-request-id")),
        13 => Some((5, "authorization")),
        _ => None,
    }
}

/// Where a header stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Nowhere,
    At(usize),
    Repeated,
}

impl Headers {
    /// A snapshot over a buffer; `None` when a span lies outside of it.
    #[must_use]
    pub fn from_spans(bytes: Vec<u8>, spans: Vec<Span>) -> Option<Self> {
        let inside = |range: &Range<usize>| bytes.get(range.clone()).is_some();
        let all_inside = spans.iter().all(|span| inside(&span.name) && inside(&span.value));
        all_inside.then(|| Self { bytes, spans, noted: [Place::Nowhere; NOTED] }.with_places())
    }

    fn with_places(mut self) -> Self {
        for (index, span) in self.spans.iter().enumerate() {
            if let Some((number, name)) = noted(span.name.len())
                && self.bytes.get(span.name.clone()).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
                && let Some(place) = self.noted.get_mut(number)
            {
                *place = if *place == Place::Nowhere { Place::At(index) } else { Place::Repeated };
            }
        }
        self
    }

    /// A snapshot of the given pairs, for tests and tools.
    pub fn from_pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut headers = Self::default();
        for (name, value) in pairs {
            let name = headers.append(name.as_ref());
            let value = headers.append(value.as_ref());
            headers.spans.push(Span { name, value });
        }
        headers.with_places()
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
        if let Some((number, noted)) = noted(name.len())
            && noted == name
        {
            return match self.noted.get(number) {
                Some(Place::At(index)) => Ok(self.spans.get(*index).and_then(|span| self.bytes.get(span.value.clone()))),
                Some(Place::Nowhere) => Ok(None),
                Some(Place::Repeated) | None => Err(Repeated),
            };
        }
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
    fn a_header_that_is_noted_is_found_as_any_other_is() {
        let names =
            [":path", "cookie", ":method", ":authority", "x-request-id", "authorization", ":scheme", "accept", "x-other-name!"];
        let looked_for = |headers: &Headers, name: &str| {
            let values: Vec<_> = headers.all(name).map(<[u8]>::to_vec).collect();
            if values.len() > 1 { Err(Repeated) } else { Ok(values.into_iter().next()) }
        };
        for once in names {
            for twice in names {
                let sent = [(once, "1"), (twice, "2"), ("x", "3"), (&*twice.to_ascii_uppercase(), "4")]
                    .map(|(name, value)| (name.to_owned(), value));
                let headers = Headers::from_pairs(sent);
                for name in names {
                    let found = headers.single(name).map(|value| value.map(<[u8]>::to_vec));
                    assert_eq!(found, looked_for(&headers, name), "{name} among {once}, {twice}");
                }
            }
        }
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
