//! One claim, wherever its value is kept.

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A claim.
#[derive(Debug, Clone, Copy)]
pub enum Claim<'a> {
    /// Text.
    Text(&'a str),
    /// A list of texts.
    Texts(&'a [String]),
    /// Whatever it is; never text.
    Value(&'a Value),
}

impl<'a> Claim<'a> {
    /// The text that it is.
    #[must_use]
    pub const fn as_str(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Texts(_) | Self::Value(_) => None,
        }
    }

    /// Whether it is null.
    #[must_use]
    pub const fn is_null(self) -> bool {
        matches!(self, Self::Value(Value::Null))
    }
}

impl<'a> From<&'a Value> for Claim<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            value => Self::Value(value),
        }
    }
}

impl From<Claim<'_>> for Value {
    fn from(claim: Claim<'_>) -> Self {
        match claim {
            Claim::Text(text) => text.into(),
            Claim::Texts(texts) => texts.to_vec().into(),
            Claim::Value(value) => value.clone(),
        }
    }
}

impl PartialEq for Claim<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::Texts(one), Self::Texts(other)) => one == other,
            (Self::Value(one), Self::Value(other)) => one == other,
            (Self::Texts(texts), Self::Value(value)) | (Self::Value(value), Self::Texts(texts)) => {
                value.as_array().is_some_and(|elements| elements.iter().eq(texts.iter()))
            }
            _ => false,
        }
    }
}

impl Serialize for Claim<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Texts(texts) => texts.serialize(serializer),
            Self::Value(value) => value.serialize(serializer),
        }
    }
}
