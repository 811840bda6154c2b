//! One `jwtRules` entry as the operator writes it. An entry of Istio's `jwtRules` can be pasted in as it is.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use crate::decryption::DecryptionConfig;
use crate::duration::DurationText;
use crate::secret::SecretConfig;
use crate::sender::{ClientCertificateConfig, DpopConfig};

/// An issuer: whose tokens, proven by which keys, found where, passed on how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwtRuleConfig {
    /// The label in metrics and audit; default: the issuer.
    pub name: Option<String>,
    /// The `iss` of the tokens, exactly; `{tenant}` stands for each of `tenants`. Left out, the entry is for tokens that have no
    /// `iss`, and needs a `name`.
    pub issuer: Option<String>,
    /// The tenants that `{tenant}` in `issuer`, and in the URI of the keys, stands for.
    pub tenants: Option<Vec<String>>,
    /// Whether the provider signs for all tenants with the same keys, so that their URI holds no `{tenant}`; default false.
    pub tenants_share_keys: Option<bool>,
    /// The token must name one of these in `aud`. Absent: not checked here.
    pub audiences: Option<Vec<String>>,
    /// The `alg` values allowed; default: what the keys allow.
    pub algorithms: Option<Vec<String>>,
    /// The keys: a JSON Web Key Set (RFC 7517).
    pub jwks: Option<Jwks>,
    /// Where the keys are fetched.
    #[serde(alias = "jwks_uri")]
    pub jwks_uri: Option<String>,
    /// Where Spring's authorization server and UAA publish their one key, `/oauth/token_key`. A symmetric one is taken only where
    /// `algorithms` asks for HS256, HS384 or HS512.
    pub token_key_uri: Option<String>,
    /// The OpenID provider whose configuration says where the keys are: the URI under which
    /// `/.well-known/openid-configuration` lies. Its `issuer` must equal `issuer`.
    pub discovery: Option<String>,
    /// The hosts at which `discovery` may find the keys, beside its own.
    pub jwks_hosts: Option<Vec<JwksHostConfig>>,
    /// The key of HS256, HS384 and HS512.
    pub secret: Option<SecretConfig>,
    /// How encrypted tokens are decrypted. Absent: they are refused.
    pub decryption: Option<DecryptionConfig>,
    /// The proxy's cluster for the fetch; default: `outbound|443||host`, Istio's name for the host.
    pub cluster: Option<String>,
    /// How often the keys are fetched; default 5m. A shorter `max-age` of the answer counts, down to 30s.
    pub refresh: Option<DurationText>,
    /// How long a fetch may take; default 5s.
    pub timeout: Option<DurationText>,
    /// The headers that may hold the token; default: Authorization with the prefix `Bearer ` or `DPoP `.
    pub from_headers: Option<Vec<FromHeaderConfig>>,
    /// The query parameters that may hold the token.
    pub from_params: Option<Vec<String>>,
    /// The cookies that may hold the token.
    pub from_cookies: Option<Vec<String>>,
    /// Whether the upstream gets the token; default false.
    pub forward_original_token: Option<bool>,
    /// The header that gives the upstream the claims, as base64url of their JSON.
    pub output_payload_to_header: Option<String>,
    /// The headers that give the upstream single claims.
    pub output_claim_to_headers: Option<Vec<OutputClaimConfig>>,
    /// Claims that hold several values separated by spaces, beside `scope`.
    pub space_delimited_claims: Option<Vec<String>>,
    /// How far the issuer's clock may be off; default 60s.
    pub clock_skew: Option<DurationText>,
    /// Whether a token without `exp` is refused; default true.
    pub require_expiration: Option<bool>,
    /// The longest time from `iat` to `exp`.
    pub max_lifetime: Option<DurationText>,
    /// The `typ` that the token must have.
    pub require_type: Option<String>,
    /// How the key that a token is bound to is proven (DPoP, RFC 9449). Given, challenges name DPoP; tokens that
    /// are bound to a key are checked in any case.
    pub dpop: Option<DpopConfig>,
    /// Where the certificate is found that a token is bound to (RFC 8705).
    #[serde(default)]
    pub client_certificate: ClientCertificateConfig,
    /// Where the principal's fields are found.
    #[serde(default)]
    pub claims: ClaimsConfig,
}

/// A host that keys may be fetched from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JwksHostConfig {
    /// The host, with its port when that is not 443.
    pub host: String,
    /// The proxy's cluster that leads there; default: `outbound|443||host`, Istio's name for the host.
    pub cluster: Option<String>,
}

/// A header that may hold the token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FromHeaderConfig {
    /// The header's name.
    pub name: String,
    /// What stands before the token.
    pub prefix: Option<String>,
}

/// A header that gives the upstream a claim.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutputClaimConfig {
    /// The header's name.
    pub header: String,
    /// The path of the claim, names joined by dots.
    pub claim: String,
}

/// The paths of the claims that hold the principal's fields, names joined by dots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimsConfig {
    /// The roles; default `roles`.
    pub roles: Option<String>,
    /// The scopes; default `scope`.
    pub scopes: Option<String>,
    /// The subject; default `sub`.
    pub subject: Option<String>,
}

/// The JSON text of a key set. In a configuration it is a string, as in Istio, or the object itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Jwks(String);

impl Jwks {
    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Jwks {
    // A key set may hold symmetric keys.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Jwks([keys])")
    }
}

impl<'de> Deserialize<'de> for Jwks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JwksVisitor)
    }
}

struct JwksVisitor;

impl<'de> Visitor<'de> for JwksVisitor {
    type Value = Jwks;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON Web Key Set, as a string or an object")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Jwks, E> {
        Ok(Jwks(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Jwks, A::Error> {
        let keys = Value::deserialize(MapAccessDeserializer::new(entries))?;
        serde_json::to_string(&keys).map(Jwks).map_err(Error::custom)
    }
}
