//! `auditLog.exceptions`: who is told when upstreams fail.

use serde::Deserialize;

use crate::duration::DurationText;
use crate::secret::SecretConfig;
use crate::sink::{AuthorizationConfig, HeaderConfig, RetryConfig};

/// Failures of upstreams (status 5xx, resets, timeouts, errors of gRPC), grouped by rule, status, what the proxy says of it and path
/// pattern. Each group is told of at once, then once per window with its count, and again when it is quiet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExceptionsConfig {
    /// For how long failures of a group are counted before they are told of together; default 5m.
    pub window: Option<DurationText>,
    /// After so long without a failure a group is resolved; default 10m.
    pub quiet: Option<DurationText>,
    /// Who is told.
    pub webhooks: Vec<WebhookConfig>,
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookConfig {
    /// What is posted.
    pub format: WebhookFormat,
    /// The label in metrics and in the log; default: `webhook` with the place in the list, from 0.
    pub name: Option<String>,
    /// Where it is posted to; for `generic` and `slack`, where the place is no secret.
    pub uri: Option<String>,
    /// Where it is posted to, where whoever knows the place may post there too: Slack's webhooks.
    pub secret_uri: Option<SecretConfig>,
    /// The DSN of a project; for `sentry`.
    pub dsn: Option<SecretConfig>,
    /// The proxy's cluster that leads there; default: Istio's name of the host.
    pub cluster: Option<String>,
    /// How long an answer is waited for, at most 60s; default 5s.
    pub timeout: Option<DurationText>,
    /// What becomes of a report that is not taken.
    pub retry: Option<RetryConfig>,
    /// Who the gateway is there.
    pub authorization: Option<AuthorizationConfig>,
    /// Headers of every request there.
    #[serde(default)]
    pub headers: Vec<HeaderConfig>,
}

/// What is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WebhookFormat {
    /// An object of the schema `portcullis.exception/1`.
    Generic,
    /// A message of Slack, also for what takes the same: Mattermost, Rocket.Chat.
    Slack,
    /// An event of Sentry, in an envelope.
    Sentry,
}
