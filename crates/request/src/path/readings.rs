//! What an ambiguous path may mean to an upstream.
//!
//! Upstreams differ in how often they decode escapes, whether they drop `;parameters` (before decoding or after), take `\` for
//! `/`, merge slashes, and stop at NUL. Every combination is one reading: taking only the most lenient one would let a path hide
//! behind it, as `//admin/x%2f..%2f..%2fpublic` does before an upstream that merges slashes but leaves `%2f` alone.

use super::{dot_segments, escapes};

/// The longest path whose readings are listed, in bytes.
const MAX_LENGTH: usize = 1024;
/// The most readings that are listed.
const MAX_READINGS: usize = 32;
/// How often escapes are decoded at most.
const MAX_DECODES: usize = 4;

/// A way in which an upstream may change a path before it looks at it; `None` where there is nothing to change.
type Change = fn(&[u8]) -> Option<Vec<u8>>;

const CHANGES: [Change; 4] = [without_parameters, before_nul, with_slashes, with_merged_slashes];

/// All readings of a path in one spelling, dot segments still in it; `None` when there is too much to list.
pub(super) fn list(spelled: &str) -> Option<Vec<String>> {
    if spelled.len() > MAX_LENGTH {
        return None;
    }
    let mut readings = Vec::new();
    for base in bases(spelled) {
        let without_parameters = without_parameters(base.as_bytes());
        for mut bytes in std::iter::once(base.as_bytes().to_vec()).chain(without_parameters) {
            // Undecoded, the text has escapes of its own; each later round is plain bytes.
            add(&mut readings, &bytes, |bytes| String::from_utf8_lossy(bytes).into_owned())?;
            let mut decodes = 0..MAX_DECODES;
            loop {
                let decoded = escapes::decode(&bytes);
                if decoded == bytes {
                    break;
                }
                decodes.next()?;
                bytes = decoded;
                add(&mut readings, &bytes, escapes::encode)?;
            }
        }
    }
    Some(readings)
}

/// The path itself, and what is left of it when it is a whole URL.
fn bases(spelled: &str) -> impl Iterator<Item = &str> {
    let authority_and_path = if spelled.starts_with('/') { None } else { spelled.split_once("://") };
    let path = authority_and_path.map(|(_, rest)| rest.split_once('/').map_or("", |(_, path)| path));
    std::iter::once(spelled).chain(path)
}

/// Add the path with every combination of changes; `None` when there are too many readings.
fn add(readings: &mut Vec<String>, bytes: &[u8], text: impl Fn(&[u8]) -> String) -> Option<()> {
    let mut variants = vec![bytes.to_vec()];
    for change in CHANGES {
        let changed: Vec<_> = variants.iter().filter_map(|bytes| change(bytes)).collect();
        variants.extend(changed);
    }
    for bytes in variants {
        let reading = dot_segments::remove(&text(&bytes));
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    (readings.len() <= MAX_READINGS).then_some(())
}

fn without_parameters(bytes: &[u8]) -> Option<Vec<u8>> {
    let segments = bytes.contains(&b';').then(|| bytes.split(|byte| *byte == b'/'))?;
    let kept: Vec<&[u8]> = segments.map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default()).collect();
    Some(kept.join(&b'/'))
}

fn before_nul(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    bytes.get(..end).map(<[u8]>::to_vec)
}

fn with_slashes(bytes: &[u8]) -> Option<Vec<u8>> {
    let slash = |byte: &u8| if *byte == b'\\' { b'/' } else { *byte };
    bytes.contains(&b'\\').then(|| bytes.iter().map(slash).collect())
}

fn with_merged_slashes(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut merged = bytes.to_vec();
    merged.dedup_by(|byte, before| *byte == b'/' && *before == b'/');
    (merged.len() < bytes.len()).then_some(merged)
}
