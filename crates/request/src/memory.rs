//! How much memory values take, for what is bounded in bytes.

use serde_json::{Map, Value};

/// What the allocator adds to a short text: its own header, and rounding up.
pub(crate) const ALLOCATION: usize = 12;

/// The memory that a JSON value takes beside its own place.
pub(crate) fn of_value(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len().saturating_add(ALLOCATION),
        Value::Array(values) => sum(values.iter().map(|value| size_of::<Value>().saturating_add(of_value(value)))),
        Value::Object(members) => of_members(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The memory that the members of a JSON object take. The nodes of a B-tree are two thirds full on average.
fn of_members(members: &Map<String, Value>) -> usize {
    const MEMBER: usize = (size_of::<String>() + size_of::<Value>()) * 3 / 2 + ALLOCATION;
    sum(members.iter().map(|(name, value)| MEMBER.saturating_add(name.len()).saturating_add(of_value(value))))
}

/// All of them together.
pub(crate) fn sum(bytes: impl Iterator<Item = usize>) -> usize {
    bytes.fold(0, usize::saturating_add)
}
