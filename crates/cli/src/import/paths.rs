//! Sets of paths as Istio and Envoy name them, in pieces that path templates can express.
//!
//! Both compare text, and see `/a` and `/a/` as two paths. A template sees segments, and a rule that asks for something sees one
//! path: so each piece says of both spellings whether they belong to the set.

use crate::import::formula::Text;
use crate::import::template::{Segment, Template};
use crate::import::truth::Truth;

/// How many segments may stand in place of a wildcard that is not the end of a path.
pub const DEPTH: usize = 6;

/// The two spellings of a path: without a slash at its end, and with one.
pub const SPELLINGS: [usize; 2] = [0, 1];

/// Paths of which the same is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The paths.
    pub template: Template,
    /// Whether each spelling belongs to the set.
    pub spellings: [Truth; 2],
}

/// A set of paths. A path in several pieces belongs to the set if one of them says so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathSet {
    /// The pieces; what stands in none of them does not belong.
    pub pieces: Vec<Piece>,
}

const BOTH: [Truth; 2] = [Truth::Yes, Truth::Yes];
const PLAIN: [Truth; 2] = [Truth::Yes, Truth::No];
const SLASHED: [Truth; 2] = [Truth::No, Truth::Yes];
const DOUBT: [Truth; 2] = [Truth::Doubt, Truth::Doubt];

impl PathSet {
    /// Every path.
    pub fn everything() -> Self {
        Self::of([(Template::EVERYTHING, BOTH)])
    }

    /// A set of which nothing is known.
    pub fn unknown() -> Self {
        Self::of([(Template::EVERYTHING, DOUBT)])
    }

    fn of(pieces: impl IntoIterator<Item = (Template, [Truth; 2])>) -> Self {
        Self { pieces: pieces.into_iter().map(|(template, spellings)| Piece { template, spellings }).collect() }
    }

    /// The paths whose text is such.
    pub fn of_text(text: &Text) -> Self {
        match text {
            Text::Present => Self::everything(),
            Text::Exact(path) => Self::exact(path),
            Text::Prefix(start) => Self::prefix(start),
            Text::Suffix(end) => Self::suffix(end),
        }
    }

    /// This path.
    pub fn exact(path: &str) -> Self {
        let Some(rest) = path.strip_prefix('/').filter(|rest| !rest.contains(['?', '#'])) else { return Self::default() };
        if rest.is_empty() {
            return Self::of([(Template { segments: Vec::new(), open: false }, BOTH)]);
        }
        let (rest, spellings) = rest.strip_suffix('/').map_or((rest, PLAIN), |rest| (rest, SLASHED));
        Self::of([Spelled::parse(rest).closed(spellings)])
    }

    /// The paths that begin with this text.
    pub fn prefix(start: &str) -> Self {
        let Some(rest) = start.strip_prefix('/') else {
            return if start.is_empty() { Self::everything() } else { Self::default() };
        };
        if rest.contains(['?', '#']) {
            return Self::default();
        }
        let (head, last) = rest.rsplit_once('/').map_or((None, rest), |(head, last)| (Some(head), last));
        let head = head.map_or_else(Spelled::default, Spelled::parse);
        match last {
            "" if head.segments.is_empty() => Self::everything(),
            "" => Self::of([head.clone().closed(SLASHED), head.with([Segment::Any]).open(BOTH)]),
            last => Self::of([head.with_affix(last, |text| Segment::Affix(text, String::new())).open(BOTH)]),
        }
    }

    /// This path and the paths below it.
    pub fn separated_prefix(path: &str) -> Self {
        let rest = path.strip_prefix('/').unwrap_or(path);
        if rest.is_empty() {
            return Self::everything();
        }
        Self::of([Spelled::parse(rest).open(BOTH)])
    }

    /// The paths that end with this text. Those with too many segments are in doubt.
    pub fn suffix(end: &str) -> Self {
        if end == "/" {
            return Self::of([(Template { segments: Vec::new(), open: false }, BOTH), (Template::EVERYTHING, SLASHED)]);
        }
        let (text, spellings) = end.strip_suffix('/').map_or((end, PLAIN), |text| (text, SLASHED));
        let (first, tail) = text.split_once('/').map_or((text, None), |(first, tail)| (first, Some(tail)));
        let tail = tail.map_or_else(Spelled::default, Spelled::parse);
        let tail = if first.is_empty() {
            tail
        } else {
            Spelled::default().with_affix(first, |text| Segment::Affix(String::new(), text)).followed_by(tail)
        };
        let any = |depth| Spelled { segments: vec![Segment::Any; depth], is_certain: true };
        let mut pieces: Vec<_> = (0..=DEPTH).map(|depth| any(depth).followed_by(tail.clone()).closed(spellings)).collect();
        pieces.push(any(DEPTH.saturating_add(tail.segments.len()).saturating_add(1)).open(DOUBT));
        Self::of(pieces)
    }

    /// The paths of a URI template: `{*}` is one segment, `{**}` any number of them.
    pub fn uri_template(template: &str) -> Self {
        let Some(rest) = template.strip_prefix('/') else { return Self::default() };
        let (rest, spellings) = rest.strip_suffix('/').map_or((rest, PLAIN), |rest| (rest, SLASHED));
        let parts: Vec<&str> = rest.split('/').collect();
        let read = |parts: &[&str]| {
            parts.iter().fold(Spelled { is_certain: true, ..Spelled::default() }, |read, part| match *part {
                "{*}" | "*" => read.with([Segment::Any]),
                part => read.followed_by(Spelled::parse(part)),
            })
        };
        let Some(place) = parts.iter().position(|part| matches!(*part, "{**}" | "**")) else {
            return Self::of([read(&parts).closed(spellings)]);
        };
        let (before, after) = parts.split_at_checked(place).unwrap_or_default();
        let (head, tail) = (read(before), read(after.get(1..).unwrap_or_default()));
        if !tail.segments.is_empty() {
            let with = |depth| head.clone().with(vec![Segment::Any; depth]).followed_by(tail.clone()).closed(spellings);
            let mut pieces: Vec<_> = (1..=DEPTH).map(with).collect();
            let deeper = DEPTH.saturating_add(tail.segments.len()).saturating_add(1);
            pieces.push(head.with(vec![Segment::Any; deeper]).open(DOUBT));
            return Self::of(pieces);
        }
        if head.segments.is_empty() {
            return Self::everything();
        }
        Self::of([head.clone().closed(SLASHED), head.with([Segment::Any]).open(BOTH)])
    }

    /// The same set where the case of letters does not count: every other case is in doubt.
    pub fn ignoring_case(mut self) -> Self {
        let anything = |segment: &Segment| match segment {
            Segment::Literal(text) if !text.bytes().any(|byte| byte.is_ascii_alphabetic()) => segment.clone(),
            _ => Segment::Any,
        };
        let doubt = |truth: Truth| truth.min(Truth::Doubt);
        let others = self.pieces.iter().map(|piece| Piece {
            template: Template { segments: piece.template.segments.iter().map(anything).collect(), open: piece.template.open },
            spellings: piece.spellings.map(doubt),
        });
        let others: Vec<Piece> = others.collect();
        self.pieces.extend(others);
        self
    }

    /// The same set, all of it in doubt.
    pub fn in_doubt(mut self) -> Self {
        for piece in &mut self.pieces {
            piece.spellings = piece.spellings.map(|truth| truth.min(Truth::Doubt));
        }
        self
    }

    /// Whether the paths of a template belong to the set, in this spelling.
    pub fn holds(&self, class: &Template, spelling: usize) -> Truth {
        let of = |piece: &Piece| piece.spellings.get(spelling).copied().unwrap_or(Truth::Doubt);
        self.pieces.iter().filter(|piece| piece.template.contains(class)).map(of).max().unwrap_or(Truth::No)
    }

    /// Whether some path is in doubt.
    pub fn is_doubtful(&self) -> bool {
        self.pieces.iter().any(|piece| piece.spellings.contains(&Truth::Doubt))
    }
}

/// Segments, and whether they are what was meant or only hold it.
#[derive(Debug, Clone)]
struct Spelled {
    segments: Vec<Segment>,
    is_certain: bool,
}

impl Default for Spelled {
    fn default() -> Self {
        Self { segments: Vec::new(), is_certain: true }
    }
}

impl Spelled {
    /// A path without its first slash.
    fn parse(path: &str) -> Self {
        path.split('/').fold(Self::default(), |read, part| {
            let literal = Segment::literal(part);
            let is_certain = read.is_certain && literal.is_some();
            Self { is_certain, ..read.with([literal.unwrap_or(Segment::Any)]) }
        })
    }

    fn with(mut self, more: impl IntoIterator<Item = Segment>) -> Self {
        self.segments.extend(more);
        self
    }

    fn followed_by(mut self, other: Self) -> Self {
        self.segments.extend(other.segments);
        self.is_certain &= other.is_certain;
        self
    }

    /// Adds a segment of which a part is known.
    fn with_affix(mut self, part: &str, make: impl Fn(String) -> Segment) -> Self {
        match Segment::literal(part) {
            // An escape may have been cut in two.
            Some(Segment::Literal(text)) if !part.contains('%') && text == part => self.segments.push(make(text)),
            _ => {
                self.segments.push(Segment::Any);
                self.is_certain = false;
            }
        }
        self
    }

    fn piece(self, open: bool, spellings: [Truth; 2]) -> (Template, [Truth; 2]) {
        let doubt = |truth: Truth| if self.is_certain { truth } else { truth.min(Truth::Doubt) };
        (Template { segments: self.segments, open }, spellings.map(doubt))
    }

    fn closed(self, spellings: [Truth; 2]) -> (Template, [Truth; 2]) {
        self.piece(false, spellings)
    }

    fn open(self, spellings: [Truth; 2]) -> (Template, [Truth; 2]) {
        self.piece(true, spellings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(set: &PathSet) -> Vec<String> {
        let sign = |truth| match truth {
            Truth::No => '-',
            Truth::Doubt => '?',
            Truth::Yes => '+',
        };
        set.pieces
            .iter()
            .map(|piece| format!("{} {}{}", piece.template, sign(piece.spellings[0]), sign(piece.spellings[1])))
            .collect()
    }

    #[test]
    fn takes_texts_apart() {
        for (case, set, expected) in [
            ("exact", PathSet::exact("/a/b"), &["/a/b +-"][..]),
            ("exact with a slash", PathSet::exact("/a/"), &["/a -+"]),
            ("root", PathSet::exact("/"), &["/ ++"]),
            ("no path", PathSet::exact("a"), &[]),
            ("with a query", PathSet::exact("/a?b"), &[]),
            ("with a double slash", PathSet::exact("/a//b"), &["/a/*/b ?-"]),
            ("with a brace", PathSet::exact("/a/{b}"), &["/a/* ?-"]),
            ("everything", PathSet::prefix("/"), &["/** ++"]),
            ("below", PathSet::prefix("/a/"), &["/a -+", "/a/*/** ++"]),
            ("beginning of a segment", PathSet::prefix("/a/b"), &["/a/b*/** ++"]),
            ("cut escape", PathSet::prefix("/a%2"), &["/*/** ??"]),
            ("separated", PathSet::separated_prefix("/a"), &["/a/** ++"]),
            ("segment", PathSet::uri_template("/a/{*}/b"), &["/a/*/b +-"]),
            ("rest", PathSet::uri_template("/a/{**}"), &["/a -+", "/a/*/** ++"]),
            ("any case", PathSet::exact("/a/1").ignoring_case(), &["/a/1 +-", "/*/1 ?-"]),
        ] {
            assert_eq!(shown(&set), expected, "{case}");
        }
        let suffix = shown(&PathSet::suffix("/b"));
        assert_eq!((suffix[0].as_str(), suffix[6].as_str()), ("/b +-", "/*/*/*/*/*/*/b +-"));
        assert_eq!(suffix[7], "/*/*/*/*/*/*/*/*/** ??");
        assert_eq!(shown(&PathSet::suffix(".html"))[1], "/*/*.html +-");
    }
}
