//! The `auditLog` object as the operator writes it.

use serde::Deserialize;

use super::audit_chain::ChainConfig;
use super::audit_privacy::{HashConfig, LimitsConfig};
use super::exceptions::ExceptionsConfig;
use super::fraction::Fraction;
use super::matching::MatchConfig;
use super::sink::SinkConfig;

/// What is recorded, with which details, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditLogConfig {
    /// The events, the first that matches names the request.
    #[serde(default)]
    pub events: Vec<EventConfig>,
    /// What becomes of a request that no event matches.
    #[serde(default)]
    pub default: DefaultConfig,
    /// The headers, parameters and claims that may stand in an event.
    #[serde(default)]
    pub include: IncludeConfig,
    /// What stands in events as a pseudonym.
    pub hash: Option<HashConfig>,
    /// The fields of which only the last four characters are kept, if there are twelve at least, else nothing: `subject`, `client`,
    /// `claims.NAME`, `headers.NAME`, `query.NAME`.
    #[serde(default)]
    pub mask: Vec<String>,
    /// How large an event may be.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Whether a route of the proxy may say what is recorded of its requests, in its metadata `filter_metadata.portcullis.audit`: a word
    /// that wins over `record`.
    #[serde(default)]
    pub route_record: bool,
    /// Where events go; default: `accesslog`.
    pub sinks: Option<Vec<SinkConfig>>,
    /// What makes the events evidence: each is sealed to the one before it.
    pub chain: Option<ChainConfig>,
    /// Who is told when upstreams fail.
    pub exceptions: Option<ExceptionsConfig>,
}

/// A named event.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventConfig {
    /// The name: the event's `action`.
    pub name: String,
    /// The requests that it is about; default: all.
    pub r#match: Option<MatchConfig>,
    /// What was acted on: text with `{path.NAME}` in it.
    pub object: Option<String>,
    /// Which of the requests are recorded; default: all.
    #[serde(default = "always")]
    pub record: Record,
    /// The part of these that is recorded, of those that are let through and answered; default: all.
    pub sample: Option<Fraction>,
}

const fn always() -> Record {
    Record::Always
}

/// What becomes of a request that no event matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DefaultConfig {
    /// Which of the requests are recorded; default: the refused ones.
    pub record: Record,
    /// The part of these that is recorded, of those that are let through and answered; default: all.
    pub sample: Option<Fraction>,
}

impl Default for DefaultConfig {
    fn default() -> Self {
        Self { record: Record::Denied, sample: None }
    }
}

/// Which requests are recorded, from few to many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// None.
    Never,
    /// The refused ones.
    Denied,
    /// The refused ones, and those with a method that may change something: any but GET, HEAD, OPTIONS and TRACE.
    Changes,
    /// All.
    Always,
}

/// The headers, parameters and claims that may stand in an event; nothing else leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IncludeConfig {
    /// Names of request headers.
    #[serde(default)]
    pub request_headers: Vec<String>,
    /// Names of query parameters.
    #[serde(default)]
    pub query_params: Vec<String>,
    /// Paths of claims in the token, joined by dots.
    #[serde(default)]
    pub claims: Vec<String>,
    /// Whether `request.protocol` is filled in: to ask the proxy costs as much as all of the event's text; default false.
    #[serde(default)]
    pub protocol: bool,
}
