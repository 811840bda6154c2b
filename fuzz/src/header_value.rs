//! Credentials in headers, cookies and queries: what is removed is gone.

use portcullis_conformance::gate::apply;
use portcullis_core::edits::HeaderEdits;
use portcullis_core::extractor::{self, Source};
use portcullis_core::headers::Headers;

const NAMES: [&str; 4] = ["authorization", "cookie", "x-token", ":path"];

fn sources() -> [Source; 5] {
    let header = |name: &str, prefix: &str| Source::Header { name: name.into(), prefix: prefix.into() };
    [
        header("authorization", "Bearer "),
        header("x-token", ""),
        header("x-token", "JWT "),
        Source::Param("access_token".into()),
        Source::Cookie("session".into()),
    ]
}

/// A credential that is found is one of the values; after it is removed nothing is found in its place.
pub fn header_value(input: &[u8]) {
    // One header on each line; the first byte chooses its name.
    let lines = input.split(|byte| *byte == b'\n').filter_map(|line| line.split_first());
    let pairs: Vec<_> = lines.map(|(name, value)| (NAMES[usize::from(name & 3)].to_owned(), value.to_vec())).collect();
    let (headers, sources) = (Headers::from_pairs(pairs.iter().cloned()), sources());
    let Ok(Some(found)) = extractor::find(&headers, &sources, 1) else { return };
    let found = found.first;
    // A scheme of its own header with nothing after it is a malformed credential; a parameter or cookie without a value is none.
    assert!(!found.token.is_empty() || matches!(found.source, Source::Header { .. }), "an empty credential");
    let holds =
        |value: &Vec<u8>| value.windows(found.token.len().max(1)).any(|part| part == found.token) || found.token.is_empty();
    assert!(pairs.iter().any(|(_, value)| holds(value)), "a credential that nobody sent");

    let mut all = HeaderEdits::default();
    extractor::remove(sources.iter(), &headers, &mut all);
    let left = applied(&pairs, &all);
    let after = Headers::from_pairs(left.iter().cloned());
    assert_eq!(extractor::find(&after, &sources, 1), Ok(None), "not all are gone");
    for source in &sources {
        let mut edits = HeaderEdits::default();
        extractor::remove(std::iter::once(source), &headers, &mut edits);
        let left = applied(&pairs, &edits);
        let after = Headers::from_pairs(left.iter().cloned());
        assert_eq!(extractor::find(&after, std::slice::from_ref(source), 1), Ok(None), "{source:?} is not gone");
        let untouched = |name: &str| match source {
            Source::Header { name: removed, .. } => *name != **removed,
            Source::Param(_) => name != ":path",
            Source::Cookie(_) => name != "cookie",
        };
        let others = |pairs: &[(String, Vec<u8>)]| pairs.iter().filter(|(name, _)| untouched(name)).cloned().collect::<Vec<_>>();
        assert_eq!(others(&pairs), others(&left), "{source:?} took more than its own");
    }
}

/// The headers after the edits, as the proxy makes them.
fn applied(pairs: &[(String, Vec<u8>)], edits: &HeaderEdits) -> Vec<(String, Vec<u8>)> {
    let mut pairs = pairs.to_vec();
    edits.iter().for_each(|edit| apply(edit, &mut pairs));
    pairs
}
