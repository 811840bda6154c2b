//! The path of a value in a document: names joined by dots, indexes in brackets.

use serde_json::Value;

/// The path of the member `key` of the value at `parent`.
pub fn member(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
}

/// The path of the element `index` of the value at `parent`.
pub fn element(parent: &str, index: usize) -> String {
    format!("{parent}[{index}]")
}

/// Calls `visit` for every object in a value, outer ones first; it says whether to look inside as well.
pub fn for_each_object<'a>(value: &'a Value, path: &str, visit: &mut impl FnMut(&str, &'a Value) -> bool) {
    match value {
        Value::Object(members) if visit(path, value) => {
            for (key, inner) in members {
                for_each_object(inner, &member(path, key), visit);
            }
        }
        Value::Array(elements) => {
            for (index, inner) in elements.iter().enumerate() {
                for_each_object(inner, &element(path, index), visit);
            }
        }
        _ => {}
    }
}
