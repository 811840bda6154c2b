//! The headers of a request as they came: bytes, in order, repeated ones kept apart.
//!
//! A snapshot owns one buffer, laid out as a proxy hands over a header map ([`map`]), so that a host can give what it copied out of
//! the proxy without another copy. Names compare without regard to ASCII case. Nothing here assumes UTF-8.

pub mod map;

use self::map::Pairs;

/// A header that must be sent at most once was sent more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the header was sent more than once")]
pub struct Repeated;

/// An immutable snapshot of headers.
#[derive(Debug, Clone, Default)]
pub struct Headers {
    bytes: Vec<u8>,
    noted: [Place; Noted::ALL.len()],
}

/// The headers that are asked for in every request, most of them more than once: they are looked for once, all together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// `:path`.
    Path,
    /// `cookie`.
    Cookie,
    /// `:method`.
    Method,
    /// `:authority`.
    Authority,
    /// `x-request-id`.
    RequestId,
    /// `authorization`.
    Authorization,
    /// `content-type`.
    ContentType,
    /// `content-length`.
    ContentLength,
    /// `traceparent`.
    Traceparent,
    /// `b3`.
    B3,
}

/// Where the value of such a header stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    #[default]
    Nowhere,
    /// From one byte of the buffer to another.
    At(u32, u32),
    Repeated,
}

impl Noted {
    const ALL: [Self; 10] = [
        Self::Path,
        Self::Cookie,
        Self::Method,
        Self::Authority,
        Self::RequestId,
        Self::Authorization,
        Self::ContentType,
        Self::ContentLength,
        Self::Traceparent,
        Self::B3,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Path => ":path",
            Self::Cookie => "cookie",
            Self::Method => ":method",
            Self::Authority => ":authority",
            Self::RequestId => "x-request-id",
            Self::Authorization => "authorization",
            Self::ContentType => "content-type",
            Self::ContentLength => "content-length",
            Self::Traceparent => "traceparent",
            Self::B3 => "b3",
        }
    }

    /// The one that this name may be: no two are equally long and begin with the same letter.
    const fn like(name: &[u8]) -> Option<Self> {
        match (name.len(), name) {
            (2, [b'b' | b'B', ..]) => Some(Self::B3),
            (5, [b':', ..]) => Some(Self::Path),
            (6, [b'c' | b'C', ..]) => Some(Self::Cookie),
            (7, [b':', ..]) => Some(Self::Method),
            (10, [b':', ..]) => Some(Self::Authority),
            (11, [b't' | b'T', ..]) => Some(Self::Traceparent),
            (12, [b'x' | b'X', ..]) => Some(Self::RequestId),
            (12, [b'c' | b'C', ..]) => Some(Self::ContentType),
            (13, [b'a' | b'A', ..]) => Some(Self::Authorization),
            (14, [b'c' | b'C', ..]) => Some(Self::ContentLength),
            _ => None,
        }
    }
}

impl Headers {
    /// A snapshot of a header map; `None` when it is malformed. No bytes at all are an empty map.
    #[must_use]
    pub fn decode(bytes: Vec<u8>) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let mut noted = [Place::Nowhere; Noted::ALL.len()];
        let mut pairs = Pairs::of(&bytes)?;
        while let Some((name, value)) = pairs.next() {
            if let Some(wanted) = Noted::like(name)
                && is_same_name(name, wanted.name())
                && let Some(place) = noted.get_mut(wanted as usize)
            {
                // The value ends before the zero byte that is the last one read.
                let end = bytes.len().checked_sub(pairs.rest().len())?.checked_sub(1)?;
                *place = match place {
                    Place::Nowhere => Place::At(u32::try_from(end.checked_sub(value.len())?).ok()?, u32::try_from(end).ok()?),
                    Place::At(..) | Place::Repeated => Place::Repeated,
                };
            }
        }
        pairs.is_complete().then_some(Self { bytes, noted })
    }

    /// A snapshot of the given pairs, for tests and tools. Pairs that are too large for a header map give an empty one.
    pub fn from_pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let pairs: Vec<_> = pairs.into_iter().collect();
        Self::decode(map::encode(&pairs)).unwrap_or_default()
    }

    /// The buffer, to be used for others.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// All headers, in the order they came.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        Pairs::of(&self.bytes).unwrap_or_default()
    }

    /// The values of every header with this name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(found, _)| is_same_name(found, name)).map(|(_, value)| value)
    }

    /// The value of a header that may be sent once.
    ///
    /// # Errors
    /// [`Repeated`] when it was sent more than once.
    pub fn single<'a>(&'a self, name: &'a str) -> Result<Option<&'a [u8]>, Repeated> {
        if let Some(noted) = Noted::like(name.as_bytes())
            && noted.name() == name
        {
            return self.noted(noted);
        }
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(Repeated) } else { Ok(first) }
    }

    /// The value of a header that is asked for in every request.
    ///
    /// # Errors
    /// [`Repeated`] when it was sent more than once.
    pub fn noted(&self, header: Noted) -> Result<Option<&[u8]>, Repeated> {
        match self.noted.get(header as usize) {
            Some(Place::At(start, end)) => Ok(usize::try_from(*start)
                .ok()
                .zip(usize::try_from(*end).ok())
                .and_then(|(start, end)| self.bytes.get(start..end))),
            Some(Place::Nowhere) => Ok(None),
            Some(Place::Repeated) | None => Err(Repeated),
        }
    }
}

/// Whether a name is meant, which most names are not by their length already. Proxies hand over names in lower case.
fn is_same_name(found: &[u8], name: &str) -> bool {
    found.len() == name.len() && (found == name.as_bytes() || found.eq_ignore_ascii_case(name.as_bytes()))
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
            Noted::ALL.map(Noted::name).into_iter().chain([":scheme", "accept", "x-other-name!", "x-b3-traceid", "bx", "coolie"]);
        let names: Vec<_> = names.collect();
        let looked_for = |headers: &Headers, name: &str| {
            let values: Vec<_> = headers.all(name).map(<[u8]>::to_vec).collect();
            if values.len() > 1 { Err(Repeated) } else { Ok(values.into_iter().next()) }
        };
        for once in names.iter().copied() {
            for twice in names.iter().copied() {
                let sent = [(once, "1"), (twice, "2"), ("x", "3"), (&*twice.to_ascii_uppercase(), "4")]
                    .map(|(name, value)| (name.to_owned(), value));
                let headers = Headers::from_pairs(sent);
                for name in names.iter().copied() {
                    let found = headers.single(name).map(|value| value.map(<[u8]>::to_vec));
                    assert_eq!(found, looked_for(&headers, name), "{name} among {once}, {twice}");
                }
            }
        }
    }

    #[test]
    fn gives_back_the_buffer_that_it_was_read_from() {
        let sent = map::encode(&[("a", "1"), (":path", "/")]);
        let headers = Headers::decode(sent.clone()).unwrap();
        assert!(!headers.is_empty());
        assert_eq!(crate::request::Request::new(headers).into_headers().into_bytes(), sent);
        for nothing in [Vec::new(), map::encode::<&str, &str>(&[])] {
            assert!(Headers::decode(nothing).unwrap().is_empty());
        }
    }

    #[test]
    fn keeps_bytes_that_are_not_utf8() {
        let headers = Headers::from_pairs([(&b"x"[..], &b"\xff\xfe"[..])]);
        assert_eq!(headers.single("x"), Ok(Some(&b"\xff\xfe"[..])));
    }

    #[test]
    fn what_is_noted_has_a_place_and_a_name_like_no_other() {
        for (place, noted) in Noted::ALL.into_iter().enumerate() {
            assert_eq!(noted as usize, place);
            assert_eq!(Noted::like(noted.name().as_bytes()), Some(noted));
            assert_eq!(Noted::like(noted.name().to_ascii_uppercase().as_bytes()), Some(noted));
        }
    }

    #[test]
    fn a_value_that_is_noted_is_found_wherever_it_stands() {
        let values = ["", "v", "a longer value"];
        for (first, second) in values.iter().flat_map(|first| values.iter().map(move |second| (*first, *second))) {
            let headers =
                Headers::from_pairs([("a", first), (":path", second), ("cookie", first), ("", ""), (":METHOD", second)]);
            let found = [":path", "cookie", ":method"].map(|name| headers.single(name));
            assert_eq!(found, [second, first, second].map(|value| Ok(Some(value.as_bytes()))));
        }
    }
}
