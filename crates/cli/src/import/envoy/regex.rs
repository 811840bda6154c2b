//! Regular expressions that say no more than a set of paths can.

use crate::import::formula::Text;
use crate::import::paths::PathSet;

/// What ends the text that an expression surely begins with.
const SPECIAL: &str = ".[](){}|?*+^$\\";

/// The paths that an expression matches as a whole; in doubt where it says more than a template can.
pub fn paths(expression: &str) -> PathSet {
    let body = expression.strip_prefix('^').unwrap_or(expression);
    let body = body.strip_suffix('$').filter(|body| !body.ends_with('\\')).unwrap_or(body);
    let exact = if let Some(start) = body.strip_suffix("(/.*)?") {
        literal(start).map(|start| PathSet::separated_prefix(&start))
    } else if let Some(start) = body.strip_suffix(".*") {
        literal(start).map(|start| PathSet::of_text(&Text::Prefix(start)))
    } else if body.contains("[^/]+") {
        let parts: Option<Vec<String>> =
            body.split('/').map(|part| if part == "[^/]+" { Some("{*}".to_owned()) } else { literal(part) }).collect();
        // A class holds a slash of its own.
        let parts = parts.or_else(|| segments(body));
        parts.map(|parts| PathSet::uri_template(&parts.join("/")))
    } else {
        literal(body).map(|path| PathSet::exact(&path))
    };
    exact.unwrap_or_else(|| PathSet::of_text(&Text::Prefix(surely(body))).in_doubt())
}

/// The segments of an expression, each literal or `[^/]+`.
fn segments(body: &str) -> Option<Vec<String>> {
    let marked = body.replace("[^/]+", "\u{0}");
    marked.split('/').map(|part| if part == "\u{0}" { Some("{*}".to_owned()) } else { literal(part) }).collect()
}

/// The text that an expression stands for, if it is one text.
fn literal(expression: &str) -> Option<String> {
    let mut text = String::new();
    let mut characters = expression.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(characters.next().filter(|escaped| !escaped.is_ascii_alphanumeric())?),
            '\u{0}' => return None,
            special if SPECIAL.contains(special) => return None,
            plain => text.push(plain),
        }
    }
    Some(text)
}

/// What every match surely begins with.
fn surely(expression: &str) -> String {
    if expression.contains('|') {
        return String::new();
    }
    let end = expression.find(|character| SPECIAL.contains(character)).unwrap_or(expression.len());
    let (mut start, rest) = expression.split_at_checked(end).unwrap_or_default();
    if rest.starts_with(['?', '*', '{']) {
        start = start.char_indices().last().and_then(|(last, _)| start.get(..last)).unwrap_or_default();
    }
    start.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_simple_expressions_apart() {
        for (expression, expected) in [
            ("/a/b", PathSet::exact("/a/b")),
            ("^/a\\.html$", PathSet::exact("/a.html")),
            ("/a/.*", PathSet::prefix("/a/")),
            ("/.*", PathSet::everything()),
            ("/a(/.*)?", PathSet::separated_prefix("/a")),
            ("/a/[^/]+/b", PathSet::uri_template("/a/{*}/b")),
            ("/[^c][au]t", PathSet::prefix("/").in_doubt()),
            ("/ab?c", PathSet::prefix("/a").in_doubt()),
            ("/a|/b", PathSet::prefix("").in_doubt()),
            ("/a/\\d+", PathSet::prefix("/a/").in_doubt()),
        ] {
            assert_eq!(paths(expression), expected, "{expression}");
        }
    }
}
