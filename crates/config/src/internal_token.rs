//! `token.internal`: the token that the gateway signs for the upstream.

use serde::Deserialize;

use crate::duration::DurationText;
use crate::secret::SecretConfig;

/// The token that the upstream gets in place of the caller's. It says who is calling, is signed by the gateway, and is good for a
/// short time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InternalTokenConfig {
    /// Its `iss`: the name of the gateway.
    pub issuer: String,
    /// Its `aud`: the services that take it.
    pub audience: String,
    /// For how long it is good; default 60s, at most 5m. It never outlives the caller's own token.
    pub ttl: Option<DurationText>,
    /// The algorithm that it is signed by; default: the one that the key is for.
    pub algorithm: Option<InternalAlgorithm>,
    /// The private key that signs: PEM (`PRIVATE KEY`, PKCS #8) or a JWK, of P-256 or Ed25519.
    pub key: SecretConfig,
    /// Keys that signed before, published until no token of theirs is about: PEM or JWK, the public part suffices.
    #[serde(default)]
    pub previous_keys: Vec<SecretConfig>,
    /// The key that will sign next, published before it does: PEM or JWK, the public part suffices.
    pub next_key: Option<SecretConfig>,
    /// Claims of the caller that are copied: `roles` and `scopes` of the principal (the latter as `scope`), or paths of claims in the
    /// caller's token, joined by dots.
    #[serde(default)]
    pub claims: Vec<String>,
    /// The header that carries it; default `Authorization`.
    pub header: Option<String>,
    /// What stands before it in the header; default `Bearer ` in Authorization and nothing in another header.
    pub prefix: Option<String>,
    /// The path at which the gateway itself serves the public keys as a JWK Set, to GET and HEAD: /.well-known/gateway-jwks.json.
    pub jwks_path: Option<String>,
}

/// An algorithm of the gateway's own tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(serde::Serialize, schemars::JsonSchema))]
pub enum InternalAlgorithm {
    /// ECDSA with P-256 and SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}
