//! `require`: what a caller must have beside a valid credential.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::Number;

/// What the caller must have. All that are given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequireConfig {
    /// Names of `jwtRules` entries: one of them vouched for the caller.
    pub issuers: Option<Vec<String>>,
    /// The token's `aud` holds one of these.
    pub audiences: Option<Vec<String>>,
    /// The caller has all of these scopes.
    pub scopes: Option<Vec<String>>,
    /// The caller has one of these roles.
    pub roles: Option<Vec<String>>,
    /// What the caller's claims must be, all of it.
    pub claims: Option<Vec<ClaimConfig>>,
    /// Whether the token has to be bound to a key or a certificate of whoever sends it; default false.
    #[serde(default)]
    pub sender_constrained: bool,
    /// One of these holds as well; each is written as `require` itself.
    pub any_of: Option<Vec<RequireConfig>>,
    /// All of these hold as well; each is written as `require` itself. Members that name issuers which have none in common are about several callers: the request
    /// then needs a credential of each, in a place of its own, and the first one is the principal.
    pub all_of: Option<Vec<RequireConfig>>,
}

/// What a claim must be: exactly one comparison. A claim that is missing, null, or of a type that cannot be compared fails each
/// of them, negated or not, but for `exists: false`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimConfig {
    /// The claim's path, names joined by dots, or `subject`, `roles`, `scopes`: the principal's own.
    pub claim: String,
    /// It is this.
    pub equals: Option<Operand>,
    /// It is another one than this.
    pub not_equals: Option<Operand>,
    /// It is one of these, or a list that holds one.
    pub r#in: Option<Vec<Operand>>,
    /// It is none of these, nor a list that holds one.
    pub not_in: Option<Vec<Operand>>,
    /// The list holds this, or the text does as one of its words.
    pub contains: Option<Operand>,
    /// The list does not hold this, nor the text as one of its words.
    pub not_contains: Option<Operand>,
    /// The text begins so.
    pub prefix: Option<Operand>,
    /// The text does not begin so.
    pub not_prefix: Option<Operand>,
    /// Whether there is such a claim.
    pub exists: Option<bool>,
}

/// What a claim is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// A text, with values of the request in it: `{path.tenant}`, `{header.x-tenant}`, `{host}`, `{method}`.
    Text(String),
    /// A number.
    Number(Number),
    /// True or false.
    Boolean(bool),
}

impl<'de> Deserialize<'de> for Operand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OperandVisitor)
    }
}

struct OperandVisitor;

impl Visitor<'_> for OperandVisitor {
    type Value = Operand;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string, a number, or true or false")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Operand, E> {
        Ok(Operand::Text(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Operand, E> {
        Ok(Operand::Boolean(value))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Operand, E> {
        Ok(Operand::Number(number.into()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Operand, E> {
        Ok(Operand::Number(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Operand, E> {
        Number::from_f64(number).map(Operand::Number).ok_or_else(|| E::custom("is not a number"))
    }
}
