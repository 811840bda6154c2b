//! JSON that every reader understands alike: an object that repeats a name is refused at any depth (RFC 7519 section 4).
//!
//! Nesting ends at the 128 levels of `serde_json`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::malformed::{Malformed, Part};

/// The JSON value in `bytes`; `None` when it is not one, or when an object in it repeats a name.
pub fn parse(bytes: &[u8]) -> Option<Value> {
    read(bytes).ok()
}

/// Whether a part of a token begins as a JSON object does; why it is none, if not.
pub(super) fn begins_object(part: Part, bytes: &[u8]) -> Result<(), Malformed> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        return Ok(());
    }
    Err(read(bytes).map_or_else(|error| Malformed::Json(part, error), |_| Malformed::NotAnObject(part)))
}

fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    read_as::<Strict>(bytes).map(|strict| strict.0)
}

/// What is read out of JSON. All of it is looked at for UTF-8 once, in place of each text in it.
pub(super) fn read_as<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, serde_json::Error> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| serde_json::Error::custom(format_args!("byte {} is not UTF-8", error.valid_up_to())))?;
    serde_json::from_str(text)
}

/// A JSON value of which no object repeats a name.
pub struct Strict(pub Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

/// Reads one.
pub struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Strict(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
        let mut values = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            match values.entry(name) {
                Entry::Vacant(entry) => drop(entry.insert(value)),
                Entry::Occupied(entry) => {
                    return Err(A::Error::custom(format_args!("the name `{}` is repeated", entry.key())));
                }
            }
        }
        Ok(Strict(values.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_serde_json_reads() {
        let text = r#"{"a": [1, -2, 3.5, 18446744073709551615], "b": {"c": null, "d": true}, "e": "é\n"}"#;
        assert_eq!(parse(text.as_bytes()), Some(serde_json::from_str(text).unwrap()));
    }

    #[test]
    fn refuses_repeated_names_at_any_depth_and_in_any_spelling() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":[{"b":{"a":1,"a":2}}]}"#, r#"{"exp":1,"\u0065xp":2}"#] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert!(parse(br#"{"a":{"a":1},"b":{"a":1}}"#).is_some());
    }

    #[test]
    fn refuses_what_is_not_one_json_value() {
        let deep = "[".repeat(10_000);
        for text in ["", "{", "{} {}", "\u{feff}{}", "{\"a\":1e999}", "{\"a\":\"\\ud800\"}", deep.as_str()] {
            assert_eq!(parse(text.as_bytes()), None);
        }
        assert_eq!(parse(b"\"\xff\""), None);
        assert!(matches!(begins_object(Part::Claims, b" []"), Err(Malformed::NotAnObject(_))));
        assert!(matches!(begins_object(Part::Claims, b" ["), Err(Malformed::Json(..))));
        assert!(begins_object(Part::Claims, b"\n{").is_ok());
    }
}
