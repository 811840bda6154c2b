//! `metrics.health`: where the gateway says how it is doing.

use serde::Deserialize;

/// The place at which the gateway itself says whether it can do its work, to GET and HEAD and to anybody who asks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthConfig {
    /// The exact path: /healthz. A request with a query, or with any other spelling, is one like all others.
    pub path: String,
    /// The port of the listener that answers; default: every listener that has this plugin.
    pub port: Option<u16>,
    /// Whether the answer tells of each issuer and sink; default true.
    pub details: Option<bool>,
    /// The names of `jwtRules` entries without whose keys the gateway is ready all the same.
    #[serde(default)]
    pub optional_issuers: Vec<String>,
}
