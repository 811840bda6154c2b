//! `upstream`: credentials of the gateway's own for the services behind it.

use serde::Deserialize;

use crate::duration::DurationText;
use crate::matching::MatchConfig;
use crate::secret::SecretConfig;

/// A credential of the gateway's own for an upstream: exactly one of `secret` and `clientCredentials`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamConfig {
    /// The label in metrics and in the log; default: `upstream` with the place in the list, from 0.
    pub name: Option<String>,
    /// The requests that it goes along with; all when left out. Name `routes`, and it goes nowhere else.
    pub r#match: Option<MatchConfig>,
    /// The header that carries it; default `Authorization`. What the client sent in it is removed.
    pub header: Option<String>,
    /// What stands before it in the header; default `Bearer ` in Authorization and nothing in another header.
    pub prefix: Option<String>,
    /// A secret that does not change.
    pub secret: Option<SecretConfig>,
    /// An access token that the authorization server issues to the gateway.
    pub client_credentials: Option<ClientCredentialsConfig>,
}

/// How the gateway asks for an access token of its own (RFC 6749 section 4.4).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientCredentialsConfig {
    /// The authorization server's token endpoint: https://uaa.example.com/oauth/token.
    pub token_uri: String,
    /// The proxy's cluster that reaches it; default: Istio's name of the host.
    pub cluster: Option<String>,
    /// The gateway's name as a client.
    pub client_id: String,
    /// The gateway's secret as a client.
    pub client_secret: SecretConfig,
    /// How the gateway proves who it is; default `basic`.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// The scopes asked for, separated by spaces.
    pub scope: Option<String>,
    /// The parameter `audience`, which some servers ask for.
    pub audience: Option<String>,
    /// The parameter `resource` (RFC 8707).
    pub resource: Option<String>,
    /// How long an answer is waited for, and a request for it; default 5s, at most 30s.
    pub timeout: Option<DurationText>,
}

/// How a client proves who it is (RFC 6749 section 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ClientAuth {
    /// By HTTP Basic.
    #[default]
    Basic,
    /// By parameters in the body.
    Post,
}
