//! Several names of headers that only the gateway may set.

use super::name_pattern::{NamePattern, fold};
use crate::headers::Headers;

/// Name patterns. Most received names are told apart by their first byte and never compared with a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameSet {
    patterns: Vec<NamePattern>,
    /// Whether a pattern begins with this byte.
    begins: [bool; 256],
}

impl NameSet {
    /// The names that any of the patterns means.
    #[must_use]
    pub fn new(patterns: Vec<NamePattern>) -> Self {
        let mut begins = [false; 256];
        for first in patterns.iter().filter_map(NamePattern::first) {
            if let Some(begins) = begins.get_mut(usize::from(first)) {
                *begins = true;
            }
        }
        Self { patterns, begins }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether a received header's name is among them, in any disguise.
    #[must_use]
    pub fn contains(&self, name: &[u8]) -> bool {
        name.first().is_some_and(|first| self.begins.get(usize::from(fold(*first))) == Some(&true))
            && self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// The names, lower-case, in order and once each, of the received headers that are among them; `None` when one of these is
    /// no text.
    #[must_use]
    pub fn received(&self, headers: &Headers) -> Option<Vec<String>> {
        if self.patterns.is_empty() {
            return Some(Vec::new());
        }
        // These are few, and to sort them is more code than to find the place of each.
        let mut names: Vec<String> = Vec::new();
        for (name, _) in headers.iter() {
            if self.contains(name) {
                let name = str::from_utf8(name).ok()?.to_ascii_lowercase();
                if let Err(place) = names.binary_search(&name) {
                    names.insert(place, name);
                }
            }
        }
        Some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_its_patterns_say() {
        let texts = ["x-user-*", "_odd", "Z", "x_id", "!x"];
        let patterns: Vec<_> = texts.iter().map(|text| NamePattern::parse(text, "").unwrap()).collect();
        let set = NameSet::new(patterns.clone());
        let names: &[&[u8]] = &[
            b"x-user-a",
            b"X_USER_a",
            b"x-user",
            b"-odd",
            b"_odd",
            b"odd",
            b"z",
            b"Z",
            b"zz",
            b"x-id",
            b"!x",
            b"",
            b":path",
            b"\xff",
            b"x-user-\xff",
        ];
        for name in names {
            let expected = patterns.iter().any(|pattern| pattern.matches(name));
            assert_eq!(set.contains(name), expected, "{}", name.escape_ascii());
        }
        assert!(!NameSet::new(Vec::new()).contains(b"x-user-a"));
    }

    #[test]
    fn received_names_are_lower_case_in_order_and_once_each() {
        let set = NameSet::new(vec![NamePattern::parse("x-*", "").unwrap()]);
        let received = |names: &[&[u8]]| set.received(&Headers::from_pairs(names.iter().map(|name| (*name, "v"))));
        assert_eq!(received(&[b"x-b", b"host", b"X-A", b"x-b"]), Some(vec!["x-a".to_owned(), "x-b".to_owned()]));
        assert_eq!(received(&[b"host"]), Some(Vec::new()));
        assert_eq!(received(&[b"x-a", b"x-\xff"]), None, "what is no text cannot be named to the proxy");
        assert_eq!(received(&[b"\xff"]), Some(Vec::new()));
    }
}
