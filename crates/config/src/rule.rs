//! One rule as the operator writes it: which requests, and what they need.

use serde::Deserialize;

use crate::deny::DenyConfig;
use crate::matching::MatchConfig;
use crate::require::RequireConfig;

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
    /// Whether the rule is only tried out: decided and reported, but not enforced. The next rule that matches is enforced in its
    /// place; where none does, the request passes.
    #[serde(default)]
    pub shadow: bool,
    /// How the rule refuses; default: the status that belongs to the reason, and a problem document.
    pub deny: Option<DenyConfig>,
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
