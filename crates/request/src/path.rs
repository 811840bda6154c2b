//! The path of a request in one spelling, and whether an upstream might understand it differently.
//!
//! In this order: query and fragment are cut off; escapes of unreserved characters are decoded, other escapes written in upper
//! case, bytes that are not visible ASCII escaped (RFC 3986 section 6.2.2); then it is noted whether the path is ambiguous; then
//! dot segments are removed (section 5.2.4).
//!
//! A path is ambiguous when it holds `//`, `\`, `;`, an escape of `/`, `\`, `;` or a control character, an escape of an escape
//! (`%252e`), a malformed escape or an overlong UTF-8 sequence, or does not begin with `/`. This is noted before dot segments
//! are removed, because what a dot segment removes depends on how these are understood: `/a//../b` is `/a/b` by the RFC and `/b`
//! for a server that merges slashes. For such a path [`RequestPath::readings`] lists what it may mean.

use std::cell::OnceCell;

mod dot_segments;
mod escapes;
mod readings;

pub use escapes::{decode, escape};

/// The path of a request.
#[derive(Debug, Clone)]
pub struct RequestPath {
    text: String,
    /// The spelling before dot segments were removed, of an ambiguous path.
    ambiguous: Option<String>,
    readings: OnceCell<Option<Vec<String>>>,
}

impl RequestPath {
    /// Read the target of a request (`:path`); `None` for `*`, which names no path (RFC 9112 section 3.2.4).
    #[must_use]
    pub fn parse(target: &[u8]) -> Option<Self> {
        if target == b"*" {
            return None;
        }
        let path = without_query(target);
        if is_normal(path) {
            let text = String::from_utf8_lossy(path).into_owned();
            return Some(Self { text, ambiguous: None, readings: OnceCell::new() });
        }
        let (spelled, malformed) = escapes::spell(path);
        let ambiguous = malformed || !spelled.starts_with('/') || escapes::is_ambiguous(&spelled);
        let text = dot_segments::remove(&spelled);
        Some(Self { text, ambiguous: ambiguous.then_some(spelled), readings: OnceCell::new() })
    }

    /// Whether this text is a path written in the one way in which it is understood, without a query, and no template.
    #[must_use]
    pub fn is_exact(text: &str) -> bool {
        let parsed = Self::parse(text.as_bytes());
        parsed.is_some_and(|parsed| !parsed.is_ambiguous() && parsed.as_str() == text) && !text.contains(['*', '{', '}'])
    }

    /// The path in visible ASCII; it begins with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands between the slashes; the last segment is empty when the path ends with a slash.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        segments(&self.text)
    }

    /// Whether an upstream might understand the path differently.
    #[must_use]
    pub const fn is_ambiguous(&self) -> bool {
        self.ambiguous.is_some()
    }

    /// Every path that this one may mean: itself only, when it is not ambiguous.
    ///
    /// `None` when an ambiguous path is too long, or means too many different paths, to be worth the work.
    #[must_use]
    pub fn readings(&self) -> Option<&[String]> {
        let list = || match &self.ambiguous {
            Some(spelled) => readings::list(spelled),
            None => Some(vec![self.text.clone()]),
        };
        self.readings.get_or_init(list).as_deref()
    }
}

/// How many bytes of a target are its path, when that is normal as it stands: nothing has to be written down then.
pub(crate) fn normal_length(target: &[u8]) -> Option<usize> {
    let path = without_query(target);
    is_normal(path).then_some(path.len())
}

/// A target without query and fragment.
fn without_query(target: &[u8]) -> &[u8] {
    let end = target.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(target.len());
    target.get(..end).unwrap_or_default()
}

/// Whether a path is normal as it stands, as almost every one is: visible ASCII, nothing to decode, remove or wonder about.
fn is_normal(path: &[u8]) -> bool {
    let mut before = 0;
    path.first() == Some(&b'/')
        && path.iter().all(|byte| {
            let after_slash = std::mem::replace(&mut before, *byte) == b'/';
            byte.is_ascii_graphic() && !matches!(byte, b'%' | b'\\' | b';') && !(after_slash && matches!(byte, b'/' | b'.'))
        })
}

/// What stands between the slashes of a path.
pub fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/').unwrap_or(path).split('/')
}

#[cfg(any(test, feature = "test-targets"))]
pub mod targets;
#[cfg(test)]
mod tests;
