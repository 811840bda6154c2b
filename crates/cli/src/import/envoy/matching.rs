//! The `match` of a rule: a path, headers and query parameters.

use serde_json::{Value, json};

use super::regex;
use crate::import::formula::Text;
use crate::import::hosts::{HostSet, MethodSet};
use crate::import::note::Notes;
use crate::import::paths::PathSet;
use crate::import::plan::{Condition, Plan, Subject};
use crate::import::source::Node;
use crate::import::truth::Truth;

/// The kinds of a path.
const PATHS: [&str; 7] =
    ["prefix", "path", "safe_regex", "regex", "path_separated_prefix", "connect_matcher", "path_match_policy"];

const STRICTER: &str = "where it is in doubt, this rule and the ones after it must all be satisfied";

/// The conditions of a `match`.
pub fn conditions(matching: &Node<'_>, plan: &mut Plan, notes: &mut Notes) -> Vec<Condition> {
    let mut subjects = Vec::new();
    let mut one = |plan: &mut Plan, subject, negated| {
        let any_of = vec![plan.subject(subject)];
        subjects.push(Condition { any_of, negated });
    };
    if matching.get("connect_matcher").is_some() {
        one(plan, Subject::Method(MethodSet::of_text(&Text::Exact("CONNECT".to_owned()))), false);
    } else if let Some(set) = paths(matching, notes) {
        one(plan, Subject::Path(set), false);
    }
    for header in matching.list("headers") {
        let (subject, negated) = header_subject(&header, notes);
        one(plan, subject, negated);
    }
    let known = [PATHS.as_slice(), &["headers", "case_sensitive"]].concat();
    for (key, node) in matching.others(&known) {
        if !matches!(node.value, Value::Array(list) if list.is_empty()) {
            notes.no_equal(&node.place(), format!("`{key}` cannot be matched here; {STRICTER}"));
            one(plan, Subject::Unknown, false);
        }
    }
    subjects
}

fn paths(matching: &Node<'_>, notes: &mut Notes) -> Option<PathSet> {
    let expression = |node: Node<'_>| node.text("regex").map(str::to_owned);
    let set = if let Some(start) = matching.text("prefix") {
        PathSet::prefix(start)
    } else if let Some(path) = matching.text("path") {
        PathSet::exact(path)
    } else if let Some(path) = matching.text("path_separated_prefix") {
        PathSet::separated_prefix(path)
    } else if let Some(expression) = matching.get("safe_regex").and_then(expression).or(matching.text("regex").map(str::to_owned))
    {
        regex::paths(&expression)
    } else if let Some(policy) = matching.get("path_match_policy") {
        let template = policy.get("typed_config").and_then(|config| config.text("path_template").map(str::to_owned));
        template.map_or_else(PathSet::unknown, |template| uri_template(&template))
    } else {
        return None;
    };
    let any_case = matching.get("case_sensitive").is_some_and(|node| node.value == &Value::Bool(false));
    let set = if any_case { set.ignoring_case() } else { set };
    if set.is_doubtful() {
        notes.no_equal(&matching.place(), format!("the paths cannot be expressed in full; {STRICTER}"));
    }
    Some(set)
}

/// A template in which a variable may have a name: `{name}`, `{name=*}`, `{name=**}`.
fn uri_template(template: &str) -> PathSet {
    let part = |part: &str| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(variable) => match variable.split_once('=') {
            None | Some((_, "*")) => Some("{*}".to_owned()),
            Some((_, "**")) => Some("{**}".to_owned()),
            Some(_) => None,
        },
        None if part.contains(['{', '}']) => None,
        None => Some(part.to_owned()),
    };
    let parts: Option<Vec<String>> = template.split('/').map(part).collect();
    parts.map_or_else(PathSet::unknown, |parts| PathSet::uri_template(&parts.join("/")))
}

/// A header as a subject, and whether it is turned round.
fn header_subject(header: &Node<'_>, notes: &mut Notes) -> (Subject, bool) {
    let negated = header.flag("invert_match");
    let unknown = |notes: &mut Notes| {
        notes.no_equal(&header.place(), format!("the header cannot be compared so here; {STRICTER}"));
        (Subject::Unknown, false)
    };
    let Some(name) = header.text("name") else { return unknown(notes) };
    if header.flag("treat_missing_header_as_empty") {
        return unknown(notes);
    }
    let text = match test(header) {
        Some(Test::Text(text)) => text,
        Some(Test::Contains(part)) if !name.starts_with(':') => {
            return (Subject::Header(json!({"name": name, "contains": part})), negated);
        }
        _ => return unknown(notes),
    };
    let subject = match name.to_ascii_lowercase().as_str() {
        ":method" => Subject::Method(MethodSet::of_text(&text)),
        ":authority" | "host" => {
            let set = HostSet::of_text(&text);
            if set.others == Truth::Doubt {
                return unknown(notes);
            }
            Subject::Host(set)
        }
        pseudo if pseudo.starts_with(':') => return unknown(notes),
        _ => Subject::Header(match text {
            Text::Exact(value) => json!({"name": name, "exact": value}),
            Text::Prefix(start) => json!({"name": name, "prefix": start}),
            Text::Suffix(end) => json!({"name": name, "suffix": end}),
            Text::Present => json!({"name": name, "present": true}),
        }),
    };
    (subject, negated)
}

enum Test {
    Text(Text),
    Contains(String),
}

/// What a header is compared with; none where it cannot be done here.
fn test(header: &Node<'_>) -> Option<Test> {
    let own = |key: &str| header.text(key).map(str::to_owned);
    let text = |text| Some(Test::Text(text));
    if let Some(matcher) = header.get("string_match") {
        return string_match(&matcher);
    }
    if let Some(value) = own("exact_match") {
        return text(Text::Exact(value));
    }
    if let Some(value) = own("prefix_match") {
        return text(Text::Prefix(value));
    }
    if let Some(value) = own("suffix_match") {
        return text(Text::Suffix(value));
    }
    if let Some(value) = own("contains_match") {
        return Some(Test::Contains(value));
    }
    if header.get("safe_regex_match").is_some() || header.get("range_match").is_some() {
        return None;
    }
    match header.get("present_match") {
        Some(node) if node.value == &Value::Bool(false) => None,
        // Without a comparison, the header must be there.
        _ => text(Text::Present),
    }
}

/// A `StringMatcher`, where it can be compared here.
fn string_match(matcher: &Node<'_>) -> Option<Test> {
    let own = |key: &str| matcher.text(key).map(str::to_owned);
    if matcher.flag("ignore_case") {
        return None;
    }
    own("exact")
        .map(|value| Test::Text(Text::Exact(value)))
        .or_else(|| own("prefix").map(|value| Test::Text(Text::Prefix(value))))
        .or_else(|| own("suffix").map(|value| Test::Text(Text::Suffix(value))))
        .or_else(|| own("contains").map(Test::Contains))
}
