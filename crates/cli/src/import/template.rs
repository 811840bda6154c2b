//! The algebra of path templates: which contains which, and what two have in common.
//!
//! A path with a slash at its end and the same path without are one path here; who asks for the difference keeps it beside the
//! template.

use std::fmt;

use portcullis_core::path::RequestPath;

/// A set of paths: those of as many segments, or with at least as many.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Template {
    /// One condition for each segment; none is the root.
    pub segments: Vec<Segment>,
    /// Whether more segments may follow.
    pub open: bool,
}

/// A set of segments, none of them empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// This one, in the spelling of a normal path.
    Literal(String),
    /// Those that begin and end so, without an overlap.
    Affix(String, String),
    /// Any.
    Any,
}

impl Template {
    /// Every path.
    pub const EVERYTHING: Self = Self { segments: Vec::new(), open: true };

    /// Whether it holds every path of the other.
    pub fn contains(&self, other: &Self) -> bool {
        let lengths = if self.open {
            other.segments.len() >= self.segments.len()
        } else {
            !other.open && other.segments.len() == self.segments.len()
        };
        lengths && self.segments.iter().zip(&other.segments).all(|(one, other)| one.contains(other))
    }

    /// The paths of both.
    pub fn common(&self, other: &Self) -> Vec<Self> {
        let (short, long) = if self.segments.len() <= other.segments.len() { (self, other) } else { (other, self) };
        if !short.open && short.segments.len() != long.segments.len() {
            return Vec::new();
        }
        let mut found = vec![Vec::new()];
        for (index, segment) in long.segments.iter().enumerate() {
            let choices = short.segments.get(index).map_or_else(|| vec![segment.clone()], |other| segment.common(other));
            found = found
                .into_iter()
                .flat_map(|before| choices.iter().map(move |choice| [before.as_slice(), std::slice::from_ref(choice)].concat()))
                .collect();
        }
        let open = if short.segments.len() == long.segments.len() { short.open && long.open } else { long.open };
        found.into_iter().map(|segments| Self { segments, open }).collect()
    }

    /// Whether no path is in both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.common(other).is_empty()
    }

    /// The template with a slash at its end, where that is another spelling of the same paths.
    pub fn slashed(&self) -> Option<String> {
        (!self.open && !self.segments.is_empty()).then(|| format!("{self}/"))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match segment {
                Segment::Literal(text) => write!(formatter, "/{text}")?,
                Segment::Affix(start, end) => write!(formatter, "/{start}*{end}")?,
                Segment::Any => formatter.write_str("/*")?,
            }
        }
        match (self.open, self.segments.is_empty()) {
            (true, _) => formatter.write_str("/**"),
            (false, true) => formatter.write_str("/"),
            (false, false) => Ok(()),
        }
    }
}

impl Segment {
    /// The segment that stands for itself, if a template can name it so that it matches.
    pub fn literal(text: &str) -> Option<Self> {
        let path = RequestPath::parse(format!("/{text}").as_bytes())?;
        let normal = path.as_str().strip_prefix('/')?;
        let plain =
            !text.is_empty() && !path.is_ambiguous() && !text.starts_with(':') && !text.contains(['{', '}', '*', '/', '?', '#']);
        (plain && !matches!(text, "." | "..")).then(|| Self::Literal(normal.to_owned()))
    }

    fn contains(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Literal(one), Self::Literal(other)) => one == other,
            (Self::Affix(start, end), Self::Literal(text)) => fits(text, start, end),
            (Self::Affix(start, end), Self::Affix(longer_start, longer_end)) => {
                longer_start.starts_with(start.as_str()) && longer_end.ends_with(end.as_str())
            }
            (Self::Literal(_) | Self::Affix(..), _) => false,
        }
    }

    fn common(&self, other: &Self) -> Vec<Self> {
        match (self, other) {
            (one, other) if one.contains(other) => vec![other.clone()],
            (one, other) if other.contains(one) => vec![one.clone()],
            (Self::Affix(start, end), Self::Affix(other_start, other_end)) => {
                let longer_of = |one: &String, other: &String| if one.len() >= other.len() { one.clone() } else { other.clone() };
                let (longest_start, longest_end) = (longer_of(start, other_start), longer_of(end, other_end));
                let compatible = longest_start.starts_with(start.as_str())
                    && longest_start.starts_with(other_start.as_str())
                    && longest_end.ends_with(end.as_str())
                    && longest_end.ends_with(other_end.as_str());
                if !compatible {
                    return Vec::new();
                }
                // Texts in which the longest beginning and the longest ending overlap, though the conditions themselves do not.
                let overlapped = (1..=longest_start.len().min(longest_end.len())).filter_map(|overlap| {
                    let kept = longest_end.get(overlap..)?;
                    let shared = longest_end.get(..overlap)?;
                    let text = longest_start.ends_with(shared).then(|| format!("{longest_start}{kept}"))?;
                    (fits(&text, start, end) && fits(&text, other_start, other_end)).then_some(Self::Literal(text))
                });
                overlapped.chain([Self::Affix(longest_start.clone(), longest_end.clone())]).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn fits(text: &str, start: &str, end: &str) -> bool {
    text.strip_prefix(start).is_some_and(|rest| rest.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        let (text, open) = text.strip_suffix("/**").map_or((text, false), |before| (before, true));
        let segments =
            text.split('/').skip(1).filter(|segment| !segment.is_empty()).map(|segment| match segment.split_once('*') {
                None => Segment::Literal(segment.to_owned()),
                Some(("", "")) => Segment::Any,
                Some((start, end)) => Segment::Affix(start.to_owned(), end.to_owned()),
            });
        Template { segments: segments.collect(), open }
    }

    #[test]
    fn knows_what_contains_what() {
        for (one, other, expected) in [
            ("/**", "/", true),
            ("/**", "/a/b", true),
            ("/a/**", "/a", true),
            ("/a/**", "/a/*/**", true),
            ("/a/*/**", "/a/**", false),
            ("/a/*", "/a/b", true),
            ("/a/b", "/a/*", false),
            ("/a", "/a/**", false),
            ("/a*", "/ab", true),
            ("/a*", "/ab*c", true),
            ("/*c", "/ab*c", true),
            ("/ab*c", "/a*", false),
            ("/a*a", "/a", false),
        ] {
            assert_eq!(template(one).contains(&template(other)), expected, "{one} {other}");
        }
    }

    #[test]
    fn finds_what_two_have_in_common() {
        for (one, other, expected) in [
            ("/a/**", "/**", &["/a/**"][..]),
            ("/a/**", "/*", &["/a"]),
            ("/a/**", "/*/b/**", &["/a/b/**"]),
            ("/a/*", "/*/b", &["/a/b"]),
            ("/a", "/b", &[]),
            ("/a", "/a/b", &[]),
            ("/ab*", "/*bc", &["/abc", "/ab*bc"]),
            ("/ab*", "/abc*", &["/abc*"]),
            ("/ab*", "/ac*", &[]),
            ("/", "/**", &["/"]),
        ] {
            for (one, other) in [(one, other), (other, one)] {
                let common: Vec<_> = template(one).common(&template(other)).iter().map(ToString::to_string).collect();
                assert_eq!(common, expected, "{one} {other}");
            }
        }
    }

    #[test]
    fn names_only_what_a_template_can_match() {
        for (text, expected) in [
            ("orders", Some("orders")),
            ("a b", Some("a%20b")),
            ("%7Euser", Some("~user")),
            ("é", Some("%C3%A9")),
            ("a%2fb", None),
            ("{id}", None),
            ("a*", None),
            (":id", None),
            ("..", None),
            ("a;b", None),
            ("", None),
        ] {
            assert_eq!(Segment::literal(text), expected.map(|text| Segment::Literal(text.to_owned())), "{text}");
        }
    }
}
