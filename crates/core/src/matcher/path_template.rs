//! Which paths a `match` is for: `/orders/{orderId}`, `*` for one segment or a part of it, `**` for the rest.

use crate::config::ConfigError;
use crate::path::{self, RequestPath};

/// A template, split at its slashes. As in a request, the last segment is empty where it ends with a slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathTemplate {
    segments: Vec<Segment>,
    /// Whether anything may follow.
    open: bool,
    text: Box<str>,
}

/// What one segment of a path must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// This one.
    Literal {
        /// In the spelling of a normal path.
        text: String,
        /// What it stands for.
        decoded: Vec<u8>,
    },
    /// Any one segment that begins and ends so; the two do not overlap.
    Affix {
        /// In the spelling of a normal path, without escapes.
        start: String,
        /// The same.
        end: String,
    },
    /// Any one segment that is not empty.
    Any,
    /// The same, and it has a name.
    Parameter(String),
}

/// Names with the segments they stand for.
pub(super) type Captures<'a> = Vec<(&'a str, &'a str)>;

impl PathTemplate {
    /// Compile a template that stands at `path` in the document.
    pub(super) fn compile(template: &str, path: &str) -> Result<Self, ConfigError> {
        Self::parse(template).map_err(|(problem, hint)| ConfigError::new(path, problem).hint(hint))
    }

    fn parse(template: &str) -> Result<Self, (&'static str, String)> {
        let Some(rest) = template.strip_prefix('/') else {
            return Err((
                "does not begin with `/`",
                "write for example `/orders/{orderId}`; `/**` matches every path".to_owned(),
            ));
        };
        if template.contains(['?', '#']) {
            return Err(("has a query or a fragment", "a path is matched without them".to_owned()));
        }
        let (rest, open) = match rest.strip_suffix("**") {
            Some("") => ("", true),
            Some(before) if before.ends_with('/') => (before.strip_suffix('/').unwrap_or(before), true),
            _ => (rest, false),
        };
        if open && rest.is_empty() {
            return Ok(Self { segments: Vec::new(), open, text: template.into() });
        }
        let mut segments = Vec::new();
        let mut parts = rest.split('/').peekable();
        while let Some(part) = parts.next() {
            if part.is_empty() && (open || parts.peek().is_some()) {
                return Err(("has an empty segment", "a path with `//` is ambiguous and matches no template".to_owned()));
            }
            let segment = Segment::parse(part)?;
            if let Segment::Parameter(name) = &segment
                && segments.contains(&segment)
            {
                return Err(("has two parameters of one name", format!("give the second `{{{name}}}` another name")));
            }
            segments.push(segment);
        }
        Ok(Self { segments, open, text: template.into() })
    }

    /// As the operator wrote it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What its segments must be, but for the empty one of a trailing slash.
    pub(super) fn segments_without_slash(&self) -> &[Segment] {
        match self.segments.split_last() {
            Some((last, before)) if last.is_empty() => before,
            _ => &self.segments,
        }
    }

    /// Whether anything may follow its segments.
    pub(super) const fn is_open(&self) -> bool {
        self.open
    }

    /// The names of its parameters.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| if let Segment::Parameter(name) = segment { Some(name.as_str()) } else { None })
    }

    /// Whether it matches every path.
    pub(super) const fn is_everything(&self) -> bool {
        self.open && self.segments.is_empty()
    }

    /// The parameters, if the template matches a normal path. A `broad` match takes a trailing slash for nothing, and an
    /// escape for the character it stands for.
    pub(super) fn matches<'a>(&'a self, path: &'a str, broad: bool) -> Option<Captures<'a>> {
        let path = if broad { path.strip_suffix('/').filter(|path| !path.is_empty()).unwrap_or(path) } else { path };
        let mut given = path::segments(path);
        let mut captures = Vec::new();
        let mut segments = self.segments.as_slice();
        if broad
            && let [before @ .., last] = segments
            && !before.is_empty()
            && last.is_empty()
        {
            segments = before;
        }
        for segment in segments {
            let text = given.next()?;
            match segment {
                Segment::Literal { text: literal, .. } if literal == text => {}
                Segment::Literal { decoded, .. } if broad && text.contains('%') && path::decode(text.as_bytes()) == *decoded => {}
                Segment::Literal { .. } => return None,
                Segment::Affix { start, end } if fits(text.as_bytes(), start, end) => {}
                Segment::Affix { start, end }
                    if broad && text.contains('%') && fits(&path::decode(text.as_bytes()), start, end) => {}
                Segment::Affix { .. } => return None,
                Segment::Any | Segment::Parameter(_) if text.is_empty() => return None,
                Segment::Any => {}
                Segment::Parameter(name) => captures.push((name.as_str(), text)),
            }
        }
        (self.open || given.next().is_none()).then_some(captures)
    }
}

impl Segment {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Literal { text, .. } if text.is_empty())
    }

    fn parse(part: &str) -> Result<Self, (&'static str, String)> {
        match part {
            "*" => return Ok(Self::Any),
            "**" => return Err(("has a `**` that is not its last segment", "`**` stands for the rest of the path".to_owned())),
            _ => {}
        }
        if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            return Self::parameter(name);
        }
        if part.contains(['{', '}']) {
            let problem = "has a brace inside a segment";
            return Err((problem, "a parameter is a whole segment: `/orders/{orderId}`".to_owned()));
        }
        if let Some((start, end)) = part.split_once('*') {
            return Self::affix(start, end);
        }
        if let Some(name) = part.strip_prefix(':').filter(|name| is_name(name)) {
            return Err(("has a segment that begins with `:`", format!("a parameter is written `{{{name}}}`")));
        }
        Self::literal(part)
    }

    fn affix(start: &str, end: &str) -> Result<Self, (&'static str, String)> {
        if end.contains('*') {
            return Err(("has two `*` in a segment", "`**` is a segment of its own, the last one".to_owned()));
        }
        if start.contains('%') || end.contains('%') {
            return Err(("has a `*` beside an escape", "only plain text can stand beside a `*`".to_owned()));
        }
        for part in [start, end] {
            if !part.is_empty() {
                Self::literal(part)?;
            }
        }
        Ok(Self::Affix { start: start.to_owned(), end: end.to_owned() })
    }

    fn parameter(name: &str) -> Result<Self, (&'static str, String)> {
        if is_name(name) {
            Ok(Self::Parameter(name.to_owned()))
        } else {
            let problem = "has a parameter whose name is not one";
            Err((problem, "a name begins with a letter or `_`, and holds letters, digits, `_` and `-`".to_owned()))
        }
    }

    fn literal(part: &str) -> Result<Self, (&'static str, String)> {
        let never = |hint: String| Err(("would never match a path in its normal spelling", hint));
        let Some(normal) = RequestPath::parse(format!("/{part}").as_bytes()) else {
            return never("write it in percent-escapes".to_owned());
        };
        if normal.is_ambiguous() {
            return never("`\\`, `;`, `%2F` and the like make a path ambiguous, which only the default is for".to_owned());
        }
        let text = normal.as_str().strip_prefix('/').unwrap_or_default();
        if matches!(part, "." | "..") {
            return never("`.` and `..` are resolved before a path is matched".to_owned());
        }
        if text != part {
            return never(format!("write the segment as `{text}`"));
        }
        Ok(Self::Literal { text: text.to_owned(), decoded: path::decode(text.as_bytes()) })
    }
}

fn fits(text: &[u8], start: &str, end: &str) -> bool {
    text.strip_prefix(start.as_bytes()).is_some_and(|rest| rest.ends_with(end.as_bytes()))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
