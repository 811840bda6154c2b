//! The `authHeader` object as the operator writes it.

use serde::Deserialize;

/// What the upstream is told about the caller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthHeaderConfig {
    /// Names of headers that are removed from every request: exact, or a prefix that ends with `*`.
    #[serde(default)]
    pub strip: Vec<String>,
    /// Headers that say who is calling.
    #[serde(default)]
    pub inject: Vec<InjectConfig>,
    /// What becomes of the token itself.
    pub token: Option<TokenConfig>,
}

/// One header that says who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InjectConfig {
    /// The header's name.
    pub header: String,
    /// `roles`, `scopes` or `subject` of the principal, or the path of a claim in the token, joined by dots.
    pub claim: String,
    /// How the claim becomes text.
    #[serde(default)]
    pub format: Format,
}

/// How a claim becomes text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A list is joined by commas; an object is written as JSON.
    #[default]
    Csv,
    /// Everything is written as JSON.
    Json,
    /// A list becomes one header for each element; an object is written as JSON.
    Repeat,
}

/// What becomes of the token itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenConfig {
    /// Whether the upstream gets the token.
    pub forward: Forward,
}

/// Whether the upstream gets the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Forward {
    /// It does, whatever `forwardOriginalToken` says.
    Keep,
    /// It does not: an Authorization header with the scheme Bearer is removed from every request.
    Strip,
}
