//! `match`: which requests something is for.

use serde::Deserialize;

/// The conditions of a `match`. All that are given must hold; each list is any-of, but all `headers` must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MatchConfig {
    /// Host names; `*.example.com` is any name below `example.com`, not `example.com` itself.
    pub hosts: Option<Vec<String>>,
    /// Path templates: `/orders/{orderId}`, `*` for one segment or, beside text, for a part of it, `**` for the rest.
    pub paths: Option<Vec<String>>,
    /// Methods, in upper case.
    pub methods: Option<Vec<String>>,
    /// Names of the proxy's routes.
    pub routes: Option<Vec<String>>,
    /// Conditions on headers; all must hold. A client can send any header it likes.
    pub headers: Option<Vec<HeaderMatchConfig>>,
}

/// A condition on a header: exactly one of `exact`, `in`, `prefix`, `suffix`, `contains`, `present`. Values are compared byte by
/// byte, with their case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderMatchConfig {
    /// The header's name.
    pub name: String,
    /// The value is this.
    pub exact: Option<String>,
    /// The value is one of these.
    pub r#in: Option<Vec<String>>,
    /// The value begins so.
    pub prefix: Option<String>,
    /// The value ends so.
    pub suffix: Option<String>,
    /// The value holds this somewhere.
    pub contains: Option<String>,
    /// Whether the header was sent.
    pub present: Option<bool>,
    /// Whether the condition is turned round. A header that was not sent fulfils it then.
    #[serde(default)]
    pub invert: bool,
}
