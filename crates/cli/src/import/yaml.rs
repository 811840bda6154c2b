//! The result as YAML, in the order and the style of the documents: an entry's members on lines of their own, what is inside them
//! on one.

use std::fmt::Write;

use serde_json::{Map, Value};

/// The order in which members are written; others follow.
const ORDER: [&str; 29] = [
    "jwtAuth",
    "jwtRules",
    "name",
    "issuer",
    "audiences",
    "jwks",
    "jwksUri",
    "discovery",
    "cluster",
    "refresh",
    "timeout",
    "fromHeaders",
    "fromParams",
    "fromCookies",
    "prefix",
    "header",
    "claim",
    "match",
    "hosts",
    "paths",
    "methods",
    "routes",
    "headers",
    "access",
    "issuers",
    "require",
    "rules",
    "default",
    "bypassCorsPreflight",
];

/// Words that YAML takes for something other than text.
const WORDS: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "~"];

/// The text of a configuration, with comments above it.
pub fn text(comments: &[String], configuration: &Value) -> String {
    let mut text = String::new();
    for line in comments {
        text.push_str("# ");
        text.push_str(line);
        text.push('\n');
    }
    if let Value::Object(members) = configuration {
        block(members, 0, &mut text);
    }
    text
}

fn block(members: &Map<String, Value>, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    for (key, value) in ordered(members) {
        match value {
            Value::Object(inner) if depth == 0 && !inner.is_empty() && key == "jwtAuth" => {
                text.push_str(&format!("{key}:\n"));
                block(inner, depth.saturating_add(1), text);
            }
            Value::Array(entries) if !entries.is_empty() && entries.iter().all(Value::is_object) && is_list_of_entries(key) => {
                text.push_str(&format!("{indent}{key}:\n"));
                for members in entries.iter().filter_map(Value::as_object) {
                    for (index, (key, value)) in ordered(members).into_iter().enumerate() {
                        let mark = if index == 0 { "- " } else { "  " };
                        text.push_str(&format!("{indent}{mark}{key}: {}\n", flow(value)));
                    }
                }
            }
            other => text.push_str(&format!("{indent}{key}: {}\n", flow(other))),
        }
    }
}

fn is_list_of_entries(key: &str) -> bool {
    matches!(key, "jwtRules" | "rules")
}

fn ordered(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_by_key(|(key, _)| ORDER.iter().position(|known| *known == key.as_str()).unwrap_or(ORDER.len()));
    members
}

fn flow(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<_> =
                ordered(members).into_iter().map(|(key, value)| format!("{}: {}", scalar(key), flow(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(elements) => format!("[{}]", elements.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A text, in quotes where it could be taken for something else.
fn scalar(text: &str) -> String {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'/' || byte == b'_');
    let rest =
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b':' | b'@' | b'+'));
    let is_word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    if first && rest && !is_word && !text.ends_with(':') {
        return text.to_owned();
    }
    if !text.contains('\'') && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return format!("'{text}'");
    }
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(character);
            }
            control if control.is_control() => drop(write!(quoted, "\\U{:08x}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_back_as_it_was() {
        let configuration = json!({"jwtAuth": {
            "jwtRules": [{"issuer": "https://i", "jwks": "{\"keys\": []}", "fromParams": ["a"], "forwardOriginalToken": true}],
            "rules": [
                {"name": "it's", "match": {"paths": ["/a/**", "/b"], "headers": [{"name": "x", "exact": "a\n\"b\" \\ é"}]}},
                {"name": "yes", "require": {"claims": [{"claim": "1", "in": ["", "null", "a: b", "#", "a#b", "[", "-"]}]}},
            ],
            "default": "denied",
        }});
        let text = text(&["one".to_owned()], &configuration);
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, configuration, "{text}");
        assert!(text.starts_with("# one\njwtAuth:\n  jwtRules:\n  - issuer: https://i\n"), "{text}");
    }
}
