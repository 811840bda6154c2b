//! Finds the records in a line: alone, behind whatever a log writes before it, or as text inside of another JSON document, in which
//! stores give back what they were given.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::MARK;

/// How the seal of a record begins, wherever the record begins.
const SEAL: &[u8] = br#""chain":{"stream":""#;
/// The same inside a text of JSON.
const QUOTED_MARK: &[u8] = br#"{\"schema\":\"portcullis.audit"#;
const QUOTED_SEAL: &[u8] = br#"\"chain\":{\"stream\":\""#;

/// What looks like a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Excerpt<'a> {
    /// A JSON object that begins as records do.
    Record(Cow<'a, [u8]>),
    /// The beginning or the end of one, without the rest.
    Broken,
}

/// All that looks like a record in a line, in its order.
#[must_use]
pub fn excerpts(line: &[u8]) -> Vec<Excerpt<'_>> {
    let mut found = Vec::new();
    plain(line, &mut found);
    if found.is_empty() && (contains(line, QUOTED_MARK) || contains(line, QUOTED_SEAL)) {
        let start = find(line, b"{").unwrap_or_default();
        match first_object(line.get(start..).unwrap_or_default()) {
            Some(document) => quoted(&document, &mut found),
            None => found.push(Excerpt::Broken),
        }
        if found.is_empty() {
            found.push(Excerpt::Broken);
        }
    }
    found
}

fn plain<'a>(line: &'a [u8], found: &mut Vec<Excerpt<'a>>) {
    let mut rest = line;
    // Whether a broken one began, to which the seal belongs that comes next.
    let mut is_open = false;
    while let Some((before, record)) = find(rest, MARK.as_bytes()).and_then(|start| rest.split_at_checked(start)) {
        if contains(before, SEAL) && !is_open {
            found.push(Excerpt::Broken);
        }
        let whole = object_end(record).and_then(|end| record.split_at_checked(end));
        is_open = whole.is_none();
        match whole {
            Some((text, after)) => {
                found.push(Excerpt::Record(Cow::Borrowed(text)));
                rest = after;
            }
            None => {
                found.push(Excerpt::Broken);
                rest = record.get(MARK.len()..).unwrap_or_default();
            }
        }
    }
    if contains(rest, SEAL) && !is_open {
        found.push(Excerpt::Broken);
    }
}

/// The records that are texts in a document.
fn quoted(value: &Value, found: &mut Vec<Excerpt<'_>>) {
    match value {
        Value::String(text) => {
            let mut inner = Vec::new();
            plain(text.as_bytes(), &mut inner);
            found.extend(inner.into_iter().map(|excerpt| match excerpt {
                Excerpt::Record(text) => Excerpt::Record(Cow::Owned(text.into_owned())),
                Excerpt::Broken => Excerpt::Broken,
            }));
        }
        Value::Array(values) => values.iter().for_each(|value| quoted(value, found)),
        Value::Object(members) => members.values().for_each(|value| quoted(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How long the JSON object is with which the text begins.
fn object_end(text: &[u8]) -> Option<usize> {
    let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    stream.next()?.ok()?;
    Some(stream.byte_offset())
}

fn first_object(text: &[u8]) -> Option<Value> {
    serde_json::Deserializer::from_slice(text).into_iter::<Value>().next()?.ok()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    find(text, part).is_some()
}

/// Where a part begins in a text.
fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let first = part.first()?;
    let mut from = 0usize;
    loop {
        let rest = text.get(from..)?;
        let start = from.checked_add(rest.iter().position(|byte| byte == first)?)?;
        if text.get(start..)?.starts_with(part) {
            return Some(start);
        }
        from = start.checked_add(1)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str =
        r#"{"schema":"portcullis.audit/1","a":"{\"schema\":\"portcullis.audit/1\"}","chain":{"stream":"s","mac":"m"}}"#;

    fn records(line: &str) -> Vec<Option<String>> {
        let text = |excerpt: Excerpt<'_>| match excerpt {
            Excerpt::Record(text) => Some(String::from_utf8(text.into_owned()).unwrap()),
            Excerpt::Broken => None,
        };
        excerpts(line.as_bytes()).into_iter().map(text).collect()
    }

    #[test]
    fn finds_records_wherever_they_stand() {
        let record = || Some(RECORD.to_owned());
        let quoted = serde_json::to_string(RECORD).unwrap();
        for (case, line, expected) in [
            ("alone", RECORD.to_owned(), vec![record()]),
            ("behind a prefix", format!("[2026-11-26 06:00:00.000][12][warning][wasm] {RECORD}\r"), vec![record()]),
            ("behind another object", format!("{{\"a\":1}} {RECORD}"), vec![record()]),
            ("two in a line", format!("{RECORD}{RECORD}"), vec![record(), record()]),
            ("as a text", format!(r#"{{"stream":{{}},"values":[["1",{quoted}],["2",{quoted}]]}}"#), vec![record(), record()]),
            ("as a text behind a prefix", format!(r#"a {{"body":{{"stringValue":{quoted}}}}}"#), vec![record()]),
            ("none", r#"{"schema":"other","a":"portcullis.audit"}"#.to_owned(), vec![]),
            ("empty", String::new(), vec![]),
            ("the end is missing", RECORD.strip_suffix('}').unwrap().to_owned(), vec![None]),
            ("the beginning is missing", RECORD.strip_prefix(r#"{"s"#).unwrap().to_owned(), vec![None]),
            ("no beginning, then a whole one", format!("{}{RECORD}", RECORD.strip_prefix('{').unwrap()), vec![None, record()]),
            ("no end, then a whole one", format!("{}{RECORD}", RECORD.strip_suffix('}').unwrap()), vec![None, record()]),
            ("a text whose document is cut", format!(r#"{{"body":{quoted}"#), vec![None]),
            ("a text that is cut", format!(r#"{{"body":{}"}}"#, quoted.strip_suffix("}\"").unwrap()), vec![None]),
        ] {
            assert_eq!(records(&line), expected, "{case}: {line}");
        }
    }
}
