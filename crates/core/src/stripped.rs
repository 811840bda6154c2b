//! The names of identity headers that a client sent although only the gateway may set them. Somebody forges: a signal.

use serde::Deserialize;

/// How many names are told of one request.
pub const MAX_NAMES: usize = 16;
/// How many bytes of a name are told: behind the prefix of a pattern it is the client's own text.
pub const MAX_NAME_BYTES: usize = 64;

/// The headers that were removed from a request. Its JSON is the member `stripped` of the filter state `portcullis.decision`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stripped {
    names: Vec<String>,
    is_news: bool,
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    stripped: Vec<String>,
}

impl Stripped {
    /// What a module before this one told in a decision's JSON: mostly nothing, and then the JSON is not read.
    #[must_use]
    pub fn told(decision: &[u8]) -> Self {
        const MEMBER: &[u8] = b"\"stripped\"";
        if !decision.windows(MEMBER.len()).any(|part| part == MEMBER) {
            return Self::default();
        }
        let mut stripped = Self::default();
        if let Ok(told) = serde_json::from_slice::<Told>(decision) {
            stripped.add(&told.stripped);
        }
        Self { is_news: false, ..stripped }
    }

    /// Further headers, lower-case.
    pub fn add<'a>(&mut self, names: impl IntoIterator<Item = &'a String>) {
        for name in names {
            let name = beginning(name);
            if self.names.len() < MAX_NAMES
                && let Err(place) = self.names.binary_search_by(|other| other.as_str().cmp(name))
            {
                self.names.insert(place, name.to_owned());
                self.is_news = true;
            }
        }
    }

    /// The names, lower-case, in order and once each.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether some are known only since this module removed them.
    #[must_use]
    pub const fn is_news(&self) -> bool {
        self.is_news
    }
}

fn beginning(name: &str) -> &str {
    (0..=MAX_NAME_BYTES).rev().find_map(|end| name.get(..end.min(name.len()))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_once_each_in_order_and_within_bounds() {
        let mut stripped = Stripped::default();
        assert!(!stripped.is_news());
        stripped.add(&["x-b".to_owned(), "x-a".to_owned(), "x-b".to_owned()]);
        stripped.add(&["x-a".to_owned(), "é".repeat(40)]);
        assert_eq!(stripped.names(), ["x-a".to_owned(), "x-b".to_owned(), "é".repeat(32)]);
        assert!(stripped.is_news());
        stripped.add(&(0..100).map(|number| format!("x-c-{number}")).collect::<Vec<_>>());
        assert_eq!(stripped.names().len(), MAX_NAMES);
    }

    #[test]
    fn hears_what_another_module_told() {
        let stripped = Stripped::told(br#"{"rule":"a","stripped":["x-b","x-a"]}"#);
        assert_eq!((stripped.names(), stripped.is_news()), (&["x-a".to_owned(), "x-b".to_owned()][..], false));
        for nothing in [r#"{"rule":"a"}"#, r#"{"stripped":7}"#, r#"{"rule":"\"stripped\""}"#, ""] {
            assert_eq!(Stripped::told(nothing.as_bytes()), Stripped::default(), "{nothing}");
        }
    }
}
