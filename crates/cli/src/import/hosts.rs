//! Sets of hosts and methods, in pieces that a `match` can express.

use std::fmt;

use crate::import::formula::Text;
use crate::import::truth::Truth;

/// A set of hosts that a `match` can name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostPattern {
    /// This host.
    Exact(String),
    /// The hosts below it.
    Below(String),
}

impl HostPattern {
    /// Whether it holds every host of the other.
    pub fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(one), Self::Exact(other)) => one == other,
            (Self::Exact(_), Self::Below(_)) => false,
            (Self::Below(parent), Self::Exact(name)) => is_below(name, parent),
            (Self::Below(parent), Self::Below(other)) => other == parent || is_below(other, parent),
        }
    }
}

fn is_below(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent).and_then(|label| label.strip_suffix('.')).is_some_and(|label| !label.is_empty())
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => formatter.write_str(name),
            Self::Below(parent) => write!(formatter, "*.{parent}"),
        }
    }
}

/// A set of hosts: pieces, and what holds for all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSet {
    /// The pieces, all of them in the set.
    pub pieces: Vec<HostPattern>,
    /// Whether the others belong to the set.
    pub others: Truth,
}

impl HostSet {
    /// The hosts whose text, the port included, is such. A `match` does not see the port.
    pub fn of_text(text: &Text) -> Self {
        let certain = |pieces: &[HostPattern]| Self { pieces: pieces.to_vec(), others: Truth::No };
        let doubtful = |pieces: &[HostPattern]| Self { pieces: pieces.to_vec(), others: Truth::Doubt };
        match text {
            Text::Present => Self { pieces: Vec::new(), others: Truth::Yes },
            Text::Exact(name) => host(name).map_or_else(|| doubtful(&[]), |name| certain(&[HostPattern::Exact(name)])),
            Text::Prefix(start) => match start.strip_suffix(':').and_then(host) {
                Some(name) => certain(&[HostPattern::Exact(name)]),
                None => doubtful(&[]),
            },
            Text::Suffix(end) => match (end.strip_prefix('.').and_then(host), host(end)) {
                (Some(parent), _) => certain(&[HostPattern::Below(parent)]),
                (None, Some(name)) => doubtful(&[HostPattern::Exact(name.clone()), HostPattern::Below(name)]),
                (None, None) => doubtful(&[]),
            },
        }
    }

    /// Whether the hosts of a pattern belong to the set; without a pattern, the hosts that no pattern names.
    pub fn holds(&self, class: Option<&HostPattern>) -> Truth {
        let is_piece = class.is_some_and(|class| self.pieces.iter().any(|piece| piece.contains(class)));
        if is_piece { Truth::Yes } else { self.others }
    }
}

/// A host name in the spelling that a `match` takes.
fn host(text: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let is_name = !text.is_empty() && text.bytes().all(fits) && !text.starts_with('.') && !text.ends_with('.');
    is_name.then(|| text.to_ascii_lowercase())
}

/// The methods that a wildcard is spelled out as.
const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];

/// A set of methods: names, and what holds for all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodSet {
    /// The names, all of them in the set.
    pub names: Vec<String>,
    /// Whether the others belong to the set.
    pub others: Truth,
}

impl MethodSet {
    /// The methods whose text is such.
    pub fn of_text(text: &Text) -> Self {
        match text {
            Text::Present => Self { names: Vec::new(), others: Truth::Yes },
            Text::Exact(name) if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') => {
                Self { names: vec![name.clone()], others: Truth::No }
            }
            Text::Exact(_) => Self { names: Vec::new(), others: Truth::Doubt },
            wildcard => {
                let names = METHODS.into_iter().filter(|name| wildcard.holds(name)).map(str::to_owned).collect();
                Self { names, others: Truth::Doubt }
            }
        }
    }

    /// Whether a method belongs to the set; without a name, the methods that nobody names.
    pub fn holds(&self, class: Option<&str>) -> Truth {
        let is_named = class.is_some_and(|class| self.names.iter().any(|name| name == class));
        // What is said of the others is not meant for a method that the wildcard was spelled out for.
        let is_spelled_out = class.is_some_and(|class| METHODS.contains(&class)) && self.others == Truth::Doubt;
        match (is_named, is_spelled_out) {
            (true, _) => Truth::Yes,
            (false, true) => Truth::No,
            (false, false) => self.others,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_hosts_apart() {
        for (text, pieces, others) in [
            ("*", &[][..], Truth::Yes),
            ("API.example.com", &["api.example.com"], Truth::No),
            ("api.example.com:*", &["api.example.com"], Truth::No),
            ("api.example.com:8080", &[], Truth::Doubt),
            ("*.example.com", &["*.example.com"], Truth::No),
            ("*example.com", &["example.com", "*.example.com"], Truth::Doubt),
            ("api.*", &[], Truth::Doubt),
        ] {
            let set = HostSet::of_text(&Text::parse(text));
            let shown: Vec<_> = set.pieces.iter().map(ToString::to_string).collect();
            assert_eq!((shown, set.others), (pieces.iter().map(|piece| (*piece).to_owned()).collect(), others), "{text}");
        }
    }

    #[test]
    fn knows_which_hosts_contain_which() {
        let below = |name: &str| HostPattern::Below(name.into());
        let exact = |name: &str| HostPattern::Exact(name.into());
        for (one, other, expected) in [
            (below("a.b"), exact("x.a.b"), true),
            (below("a.b"), exact("a.b"), false),
            (below("a.b"), exact("xa.b"), false),
            (below("b"), below("a.b"), true),
            (below("a.b"), below("b"), false),
            (exact("a"), exact("a"), true),
        ] {
            assert_eq!(one.contains(&other), expected, "{one} {other}");
        }
    }

    #[test]
    fn spells_methods_out() {
        let set = MethodSet::of_text(&Text::parse("P*"));
        assert_eq!(set.names, ["POST", "PUT", "PATCH"]);
        assert_eq!(
            [Some("PUT"), Some("GET"), Some("PROPFIND"), None].map(|name| set.holds(name)),
            [Truth::Yes, Truth::No, Truth::Doubt, Truth::Doubt]
        );
    }
}
