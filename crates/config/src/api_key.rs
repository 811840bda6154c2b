//! `apiKeys`: callers who bring a key of their own in place of a token.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::jwt_rule::FromHeaderConfig;
use crate::secret::SecretConfig;

/// A set of keys that are taken from the same places.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKeysConfig {
    /// The name of the set: the `issuer` of its callers, in rules, metrics and audit.
    pub name: String,
    /// The headers that may hold a key; default: `x-api-key`.
    pub from_headers: Option<Vec<FromHeaderConfig>>,
    /// The query parameters that may hold a key. Addresses stand in logs and histories.
    pub from_params: Option<Vec<String>>,
    /// The cookies that may hold a key.
    pub from_cookies: Option<Vec<String>>,
    /// Whether the upstream gets the key.
    #[serde(default)]
    pub forward_original_key: bool,
    /// The keys.
    pub keys: Vec<ApiKeyConfig>,
}

/// A key, known by its hash or by itself, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKeyConfig {
    /// The caller's subject.
    pub subject: String,
    /// The SHA-256 of the key, as 64 hexadecimal digits. The key is to be made by chance: nothing slows down who guesses.
    pub sha256: Option<String>,
    /// The key itself.
    pub secret: Option<SecretConfig>,
    /// The caller's roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The caller's scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The caller's claims.
    #[serde(default)]
    pub claims: Map<String, Value>,
}
