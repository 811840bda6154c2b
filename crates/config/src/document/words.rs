//! How a mistake that serde finds is put into words: what would be right, and never the value that is wrong.

use std::fmt::Display;

use serde::de::{Error, Expected, Unexpected};

use crate::ConfigError;
use crate::suggestion;

/// The longest part of a key that an error repeats, in characters.
const MAX_KEY: usize = 64;

/// A key as it stands in an error: on one line, and not too long.
#[must_use]
pub fn key_in_path(key: &str) -> String {
    if key.is_empty() {
        return "\"\"".to_owned();
    }
    key.chars().take(MAX_KEY).flat_map(char::escape_debug).collect()
}

impl Error for ConfigError {
    /// A message of the form `problem` or `problem; hint`.
    fn custom<T: Display>(message: T) -> Self {
        let message = message.to_string();
        match message.split_once("; ") {
            Some((problem, hint)) => Self::new("", problem).hint(hint),
            None => Self::new("", message),
        }
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new("", format!("must be {expected}, not {}", kind(unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match unexpected {
            // What serde expects here is the name of a Rust type.
            Unexpected::Unsigned(_) => Self::new("", "is too large"),
            _ => Self::new("", format!("must be {expected}")),
        }
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new("", format!("must be {expected}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new("", "is none of the values allowed here").hint(suggestion::hint(variant, expected, "allowed"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(key_in_path(field), "unknown key").hint(suggestion::hint(field, expected, "known keys"))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(field, "is missing")
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(field, "is given twice")
    }
}

const fn kind(unexpected: Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "true or false",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a string",
        Unexpected::Seq => "a list",
        Unexpected::Map => "an object",
        Unexpected::Unit | Unexpected::Option => "null",
        _ => "another kind of value",
    }
}
