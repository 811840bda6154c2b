//! Where in a request a credential may stand, and the one that stands there.
//!
//! Every source is looked at, and two credentials are refused rather than ranked (RFC 6750 section 2): who reads the request
//! after us may rank them otherwise. Refused as more than one: a header, parameter or cookie of a source that is repeated,
//! credentials in two sources, credentials joined by a comma. A credential of another scheme is none of ours; a parameter or
//! cookie without a value is none at all (RFC 6749 section 3.1).

use std::rc::Rc;

use crate::edits::HeaderEdits;
use crate::headers::Headers;
use crate::rejection::Rejection;

mod cookie;
mod header;
mod query;

/// A place where a credential may stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// In a header, after a prefix.
    Header {
        /// The header's name, in lower case.
        name: Rc<str>,
        /// What stands before the token: a scheme and a space (`Bearer `), compared without regard to case, or nothing.
        prefix: String,
    },
    /// In a parameter of the query.
    Param(String),
    /// In a cookie.
    Cookie(String),
}

/// The credentials of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials<'a> {
    /// The first, in the order of the sources.
    pub first: Found<'a>,
    /// The others; none, unless several were asked for.
    pub others: Vec<Found<'a>>,
}

/// A credential and where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// The token as it was sent. It may be anything.
    pub token: &'a [u8],
    /// Where.
    pub source: &'a Source,
}

/// The credentials that the sources hold, at most so many.
///
/// # Errors
/// [`Rejection::CredentialsMultiple`]; [`Rejection::AuthorizationMalformed`] when the Authorization header has the right scheme
/// and anything but one word of visible ASCII after it; [`Rejection::RequestMalformed`] for a repeated `:path`.
pub fn find<'a>(headers: &'a Headers, sources: &'a [Source], most: usize) -> Result<Option<Credentials<'a>>, Rejection> {
    let mut credentials: Option<Credentials<'a>> = None;
    for (index, source) in sources.iter().enumerate() {
        // A header has one credential, or was refused.
        if credentials.as_ref().is_some_and(|known| known.first.source.is_same_header(source)) {
            continue;
        }
        let earlier = sources.get(..index).unwrap_or_default();
        if earlier.contains(source) {
            continue;
        }
        let token = match source {
            Source::Header { name, prefix } if header::has_longer_match(headers, name, prefix, sources) => None,
            Source::Header { name, prefix } => header::find(headers, name, prefix)?,
            Source::Param(name) => query::find(headers, name)?,
            Source::Cookie(name) => cookie::find(headers, name)?,
        };
        let Some(token) = token else { continue };
        match &mut credentials {
            None => credentials = Some(Credentials { first: Found { token, source }, others: Vec::new() }),
            Some(known) if known.others.len().saturating_add(1) < most => known.others.push(Found { token, source }),
            Some(_) => return Err(Rejection::CredentialsMultiple),
        }
    }
    Ok(credentials)
}

/// Remove what stands at these places from what goes to the upstream. All else stays as it is.
pub fn remove<'a>(sources: impl Iterator<Item = &'a Source>, headers: &Headers, edits: &mut HeaderEdits) {
    let (mut parameters, mut cookies) = (Vec::new(), Vec::new());
    for source in sources {
        match source {
            Source::Header { name, .. } => edits.remove(Rc::clone(name)),
            Source::Param(name) => parameters.push(name.as_str()),
            Source::Cookie(name) => cookies.push(name.as_str()),
        }
    }
    if !parameters.is_empty() {
        query::remove(headers, &parameters, edits);
    }
    if !cookies.is_empty() {
        cookie::remove(headers, &cookies, edits);
    }
}

impl Source {
    fn is_same_header(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Header { name, .. }, Self::Header { name: other, .. }) => Rc::ptr_eq(name, other) || name == other,
            _ => false,
        }
    }

    /// Whether a request can have only one credential for both.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Header { name, .. }, Self::Header { name: other, .. }) => name.eq_ignore_ascii_case(other),
            _ => self == other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edits::Edit;

    fn header(name: &str, prefix: &str) -> Source {
        Source::Header { name: name.into(), prefix: prefix.into() }
    }

    fn sources() -> Vec<Source> {
        vec![
            header("authorization", "Bearer "),
            header("x-token", ""),
            header("x-jwt", "JWT "),
            Source::Param("access_token".into()),
            Source::Cookie("session".into()),
        ]
    }

    type Pair = (&'static str, &'static [u8]);

    /// A token with the index of its source.
    type Place = Option<(&'static str, usize)>;

    fn outcome(sources: &[Source], pairs: &[Pair]) -> Result<Option<(String, usize)>, Rejection> {
        let headers = Headers::from_pairs(pairs.iter().copied());
        let found = find(&headers, sources, 1)?;
        Ok(found.map(|Credentials { first: found, .. }| {
            let place = sources.iter().position(|source| std::ptr::eq(source, found.source)).unwrap();
            (String::from_utf8_lossy(found.token).into_owned(), place)
        }))
    }

    #[test]
    fn finds_the_credential_in_its_place() {
        let cases: [(&str, &[Pair], Place); 27] = [
            ("nothing", &[(":path", b"/")], None),
            ("bearer", &[("authorization", b"Bearer a.b.c")], Some(("a.b.c", 0))),
            ("scheme in lower case", &[("Authorization", b"bearer a.b.c")], Some(("a.b.c", 0))),
            ("scheme in upper case, more spaces", &[("authorization", b"BEARER   a.b.c ")], Some(("a.b.c", 0))),
            ("another scheme", &[("authorization", b"Basic YTpi")], None),
            ("a longer scheme", &[("authorization", b"Bearerx a.b.c")], None),
            ("something like the scheme", &[("authorization", b"Bearer:a.b.c")], None),
            ("a scheme with parameters", &[("authorization", b"Digest username=\"a\", realm=\"b\"")], None),
            ("an empty header", &[("authorization", b"")], None),
            ("a header of its own", &[("x-token", b"a.b.c")], Some(("a.b.c", 1))),
            ("an empty header of its own", &[("x-token", b" ")], None),
            ("another prefix", &[("x-jwt", b"jwt a.b.c")], Some(("a.b.c", 2))),
            ("without the prefix", &[("x-jwt", b"a.b.c")], None),
            ("parameter", &[(":path", b"/a?x=1&access_token=a.b.c&y=2")], Some(("a.b.c", 3))),
            ("parameter with an escaped name", &[(":path", b"/a?access%5ftoken=a.b.c")], Some(("a.b.c", 3))),
            ("parameter with an escaped value", &[(":path", b"/a?access_token=a%2Eb.c")], Some(("a%2Eb.c", 3))),
            ("parameter with an equals sign", &[(":path", b"/?access_token=a=b")], Some(("a=b", 3))),
            ("parameter without value", &[(":path", b"/a?access_token")], None),
            ("parameter with empty value", &[(":path", b"/a?access_token=")], None),
            ("parameter in the path", &[(":path", b"/access_token=a.b.c")], None),
            ("parameter in the fragment", &[(":path", b"/a#?access_token=a.b.c")], None),
            ("another parameter", &[(":path", b"/a?xaccess_token=a.b.c&ACCESS_TOKEN=b")], None),
            ("a malformed escape", &[(":path", b"/a?%zz=1&%=2&%4=3&access_token=t")], Some(("t", 3))),
            ("cookie", &[("cookie", b"theme=dark; session=a.b.c; x")], Some(("a.b.c", 4))),
            ("cookie in the second header", &[("cookie", b"theme=dark"), ("cookie", b"session=a.b.c")], Some(("a.b.c", 4))),
            ("another cookie", &[("cookie", b"Session=a; xsession=b; \xff=c")], None),
            ("empty cookie", &[("cookie", b"session=;;")], None),
        ];
        for (name, pairs, expected) in cases {
            let expected = expected.map(|(token, place)| (token.to_owned(), place));
            assert_eq!(outcome(&sources(), pairs), Ok(expected), "{name}");
        }
    }

    #[test]
    fn refuses_more_than_one_credential() {
        let cases: [(&str, &[Pair]); 13] = [
            ("two Authorization headers", &[("authorization", b"Bearer a"), ("Authorization", b"Bearer b")]),
            ("the same one twice", &[("authorization", b"Bearer a"), ("authorization", b"Bearer a")]),
            ("another scheme first", &[("authorization", b"Basic YTpi"), ("authorization", b"Bearer a")]),
            ("joined by a comma", &[("authorization", b"Bearer a, Bearer b")]),
            ("joined by a comma alone", &[("authorization", b"Bearer a,b")]),
            ("another scheme joined", &[("authorization", b"Basic YTpi, bearer b")]),
            ("a header of its own, joined", &[("x-token", b"a,b")]),
            ("header and parameter", &[("authorization", b"Bearer a"), (":path", b"/?access_token=b")]),
            ("header and cookie", &[("authorization", b"Bearer a"), ("cookie", b"session=a")]),
            ("header and header", &[("authorization", b"Bearer a"), ("x-token", b"b")]),
            ("parameter twice", &[(":path", b"/?access_token=a&access_token=a")]),
            ("parameter twice, once in disguise", &[(":path", b"/?access_token=&%61ccess%5Ftoken=a")]),
            ("cookie twice", &[("cookie", b"session=a"), ("cookie", b"session=")]),
        ];
        for (name, pairs) in cases {
            assert_eq!(outcome(&sources(), pairs), Err(Rejection::CredentialsMultiple), "{name}");
        }
    }

    #[test]
    fn refuses_a_malformed_authorization_header() {
        let cases: [&[u8]; 8] = [
            b"Bearer",
            b"bearer ",
            b"Bearer a b",
            b"Bearer\ta",
            b"Bearer \ta",
            b"Bearer \xa1\xff",
            b"Bearer a\x00b",
            "Bearer tök.en".as_bytes(),
        ];
        for value in cases {
            let headers = Headers::from_pairs([(&b"authorization"[..], value)]);
            let sources = sources();
            assert_eq!(find(&headers, &sources, 1), Err(Rejection::AuthorizationMalformed), "{}", value.escape_ascii());
        }
        assert_eq!(outcome(&sources(), &[(":path", b"/"), (":path", b"/")]), Err(Rejection::RequestMalformed));
    }

    /// Found by fuzzing: what was cut off for white space was more than spaces and tabs.
    #[test]
    fn a_line_break_around_a_value_is_part_of_it() {
        for value in [&b"Bearer a.b.c\r"[..], b"Bearer a.b.c\n", b"Bearer a.b.c\x0c", b"Bearer a.b.c\r\n"] {
            let headers = Headers::from_pairs([(&b"authorization"[..], value)]);
            let sources = sources();
            assert_eq!(find(&headers, &sources, 1), Err(Rejection::AuthorizationMalformed), "{}", value.escape_ascii());
        }
        assert_eq!(outcome(&sources(), &[("x-token", b" a.b.c\r")]), Ok(Some(("a.b.c\r".into(), 1))));
        assert_eq!(outcome(&sources(), &[("authorization", b"\t Bearer a.b.c \t")]), Ok(Some(("a.b.c".into(), 0))));
    }

    #[test]
    fn of_two_sources_in_one_header_the_longer_prefix_fits() {
        let both = [header("authorization", ""), header("authorization", "Bearer "), header("authorization", "Bearer ")];
        assert_eq!(outcome(&both, &[("authorization", b"Bearer a.b.c")]), Ok(Some(("a.b.c".into(), 1))));
        assert_eq!(outcome(&both, &[("authorization", b"a.b.c")]), Ok(Some(("a.b.c".into(), 0))));
    }

    fn removed(source: &Source, pairs: &[Pair]) -> Vec<Edit> {
        let mut edits = HeaderEdits::default();
        remove(std::iter::once(source), &Headers::from_pairs(pairs.iter().copied()), &mut edits);
        edits.iter().cloned().collect()
    }

    #[test]
    fn removes_the_parameter_and_keeps_the_bytes_of_the_others() {
        let cases: [(&[u8], &str); 9] = [
            (b"/a?access_token=t", "/a"),
            (b"/a?access_token=t&x=1", "/a?x=1"),
            (b"/a?x=%2f&access_token=t&y=&&z", "/a?x=%2f&y=&&z"),
            (b"/a?x=1&access%5Ftoken=t", "/a?x=1"),
            (b"/a?access_token=t#end", "/a#end"),
            (b"/a?access_token=t&access_token=u", "/a"),
            (b"/a?", "/a?"),
            (b"/a", "/a"),
            (b"/\xc3\xa9\xff?access_token=t&x=\xfe", "/%C3%A9%FF?x=%FE"),
        ];
        for (path, expected) in cases {
            let edits = removed(&Source::Param("access_token".into()), &[(":path", path)]);
            assert_eq!(edits, [Edit::Set(":path".into(), expected.into())]);
        }
    }

    #[test]
    fn removes_the_cookie_and_keeps_the_others() {
        let cases: [(&[Pair], Edit); 4] = [
            (&[("cookie", b"session=t")], Edit::Remove("cookie".into())),
            (&[("cookie", b"a=1; session=t;b=\"2 3\"")], Edit::Set("cookie".into(), "a=1; b=\"2 3\"".into())),
            (&[("cookie", b"a=1"), ("cookie", b"session=t; c=3")], Edit::Set("cookie".into(), "a=1; c=3".into())),
            (&[("cookie", b"session=t; a=\xff")], Edit::Remove("cookie".into())),
        ];
        for (pairs, expected) in cases {
            assert_eq!(removed(&Source::Cookie("session".into()), pairs), [expected]);
        }
    }

    #[test]
    fn finds_several_where_several_are_asked_for() {
        let pairs: [Pair; 3] = [("authorization", b"Bearer a"), ("x-token", b"b"), (":path", b"/?x=1&access_token=c&other=d")];
        let headers = Headers::from_pairs(pairs);
        let sources = sources();
        let tokens = |most| {
            find(&headers, &sources, most).map(|found| {
                let found = found.unwrap();
                std::iter::once(found.first).chain(found.others).map(|found| found.token).collect::<Vec<_>>()
            })
        };
        for most in 0..3 {
            assert_eq!(tokens(most), Err(Rejection::CredentialsMultiple), "{most}");
        }
        assert_eq!(tokens(3), Ok(vec![&b"a"[..], b"b", b"c"]));
        let mut edits = HeaderEdits::default();
        let places = [header("x-token", ""), Source::Param("access_token".into()), Source::Param("other".into())];
        remove(places.iter(), &headers, &mut edits);
        let edits: Vec<_> = edits.iter().cloned().collect();
        assert_eq!(edits, [Edit::Remove("x-token".into()), Edit::Set(":path".into(), "/?x=1".into())]);
    }

    #[test]
    fn places_that_a_request_has_once_are_the_same() {
        let sources = sources();
        for (one, other) in
            sources.iter().enumerate().flat_map(|(at, one)| sources.iter().skip(at).map(move |other| (one, other)))
        {
            assert_eq!(one.is_same_place(other), std::ptr::eq(one, other), "{one:?} {other:?}");
        }
        assert!(header("authorization", "Bearer ").is_same_place(&header("Authorization", "JWT ")));
        assert!(!Source::Param("a".into()).is_same_place(&Source::Cookie("a".into())));
    }

    #[test]
    fn removes_the_header() {
        assert_eq!(
            removed(&header("authorization", "Bearer "), &[("authorization", b"Bearer t")]),
            [Edit::Remove("authorization".into())]
        );
    }
}
