//! The `authHeader` object as the operator writes it.

use serde::Deserialize;

use crate::decrypt::DecryptConfig;
use crate::internal_token::InternalTokenConfig;
use crate::matching::MatchConfig;
use crate::upstream::UpstreamConfig;

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
    /// Names of headers that are removed from every answer: exact, or a prefix that ends with `*`.
    #[serde(default)]
    pub strip_response: Vec<String>,
    /// Whether the proxy chooses the route anew by the headers that are set here. Rules must not depend on the route then.
    #[serde(default)]
    pub clear_route_cache: bool,
    /// What becomes of the token itself.
    pub token: Option<TokenConfig>,
    /// Credentials of the gateway's own for the services behind it; the first one that is for a request goes along.
    #[serde(default)]
    pub upstream: Vec<UpstreamConfig>,
}

/// One header that says who is calling: exactly one of `claim`, `template` and `value`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(extend("oneOf" = [
    {"required": ["claim"]}, {"required": ["template"]}, {"required": ["value"]},
])))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InjectConfig {
    /// The header's name.
    pub header: String,
    /// `roles`, `scopes` or `subject` of the principal, or the path of a claim in the token, joined by dots.
    pub claim: Option<String>,
    /// A text with values of the principal and the request in it: `{issuer}|{claim.tenant}|{sub}`.
    pub template: Option<String>,
    /// A text that is the same for every request.
    pub value: Option<String>,
    /// How the claim becomes text; default `csv`.
    pub format: Option<Format>,
    /// What becomes of bytes that a header cannot hold; default `percent`.
    #[serde(default)]
    pub encoding: ValueEncoding,
    /// The type that the claim must have; a request with a claim of another type is refused.
    #[serde(rename = "type")]
    pub claim_type: Option<ClaimType>,
    /// The most bytes that the value may have, encoded, 8192 at most; a request with a longer one is refused; default `8192`.
    pub max_bytes: Option<usize>,
    /// How the claim is decrypted, where the issuer encrypted it.
    pub decrypt: Option<DecryptConfig>,
    /// Whether a request of a caller for whom there is no value is refused; if not, the header is left out; default `false`. A claim
    /// that cannot be decrypted is refused unless this is `false`, also where it is left out.
    pub required: Option<bool>,
    /// The requests that get the header, if not all. What the client sent under its name is removed from every request.
    pub r#match: Option<MatchConfig>,
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

/// What becomes of bytes that a header cannot hold: control characters, and all that is not ASCII.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ValueEncoding {
    /// They, and `%`, are percent-encoded.
    #[default]
    Percent,
    /// The whole value is in base64, whatever it is.
    Base64,
    /// The whole value is in base64url without padding, whatever it is.
    Base64url,
    /// The request is refused.
    Refuse,
}

/// The type of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ClaimType {
    /// Text.
    String,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Object,
}

/// What becomes of the token itself.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenConfig {
    /// Whether the upstream gets the token.
    pub forward: Forward,
    /// The token that it gets with `replace`.
    pub internal: Option<InternalTokenConfig>,
}

/// Whether the upstream gets the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Forward {
    /// It does, whatever `forwardOriginalToken` says.
    Keep,
    /// It does not: an Authorization header with the scheme Bearer or DPoP is removed from every request, and with it the header DPoP.
    Strip,
    /// It gets the gateway's own in its place, and Authorization is removed from every request whatever it holds.
    Replace,
}
