//! One rule as the operator writes it: which requests, and what they need.

use serde::Deserialize;

use crate::config::matching::MatchConfig;

/// A rule: which requests, and what they need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleConfig {
    /// The label in metrics and audit; default `rule-` and the place in the list, counted from 0.
    pub name: Option<String>,
    /// Which requests; absent: every one.
    pub r#match: Option<MatchConfig>,
    /// Whether a credential is needed.
    #[serde(default)]
    pub access: Access,
    /// What the caller must have beside a valid credential.
    pub require: Option<RequireConfig>,
}

/// Whether a rule asks for a credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// A valid credential is needed.
    #[default]
    Required,
    /// None is needed, but one that is sent must be valid.
    Optional,
    /// None is needed, and none is looked at.
    Public,
    /// Nobody may pass.
    Denied,
}

/// What a request needs that no rule matches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DefaultAccess {
    /// A valid credential.
    #[default]
    Required,
    /// Nobody may pass.
    Denied,
    /// Nothing.
    Public,
}

impl From<DefaultAccess> for Access {
    fn from(access: DefaultAccess) -> Self {
        match access {
            DefaultAccess::Required => Self::Required,
            DefaultAccess::Denied => Self::Denied,
            DefaultAccess::Public => Self::Public,
        }
    }
}

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
}
