//! `match`: which requests something is for.

use serde::Deserialize;

/// The conditions of a `match`. All that are given must hold; each list is any-of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchConfig {
    /// Host names; `*.example.com` is any name below `example.com`, not `example.com` itself.
    pub hosts: Option<Vec<String>>,
    /// Path templates: `/orders/{orderId}`, `*` for one segment, `**` for the rest.
    pub paths: Option<Vec<String>>,
    /// Methods, in upper case.
    pub methods: Option<Vec<String>>,
    /// Names of the proxy's routes.
    pub routes: Option<Vec<String>>,
}
