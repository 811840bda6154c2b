//! What a `jwtRules` entry asks of the sender of a token that is bound to a key (RFC 9449) or to a certificate (RFC 8705).
//!
//! A token that says what it is bound to, in its claim `cnf`, is checked without a word of configuration.

use serde::Deserialize;

use crate::duration::DurationText;
use crate::secret::SecretConfig;

/// How proofs of possession are checked (DPoP, RFC 9449).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DpopConfig {
    /// Whether a token that is not bound to a key is refused; default false.
    #[serde(default)]
    pub required: bool,
    /// How far a proof's `iat` may be from now; a proof that was used is remembered for as long. At most 5m; default 60s.
    pub iat_window: Option<DurationText>,
    /// The `alg` values allowed for proofs; default: ES256, ES384, EdDSA, PS256, RS256.
    pub algorithms: Option<Vec<String>>,
    /// The schemes and authorities that a proof's `htu` may begin with, such as `https://api.example.com`, for a proxy behind one
    /// that ends TLS; default: what the proxy sees itself, its own TLS and the authority that the client asked for.
    pub origins: Option<Vec<String>>,
    /// Whether a proof has to hold a nonce that the proxy gave out.
    pub nonce: Option<DpopNonceConfig>,
}

/// The nonces that the proxy gives out. None of them is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DpopNonceConfig {
    /// The key that makes them; proxies with the same key take one another's.
    pub key: SecretConfig,
    /// How long one is given out, at least 10s; it is taken for as long again; default 5m.
    pub lifetime: Option<DurationText>,
}

/// Where the certificate of the client is found, for tokens that are bound to one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientCertificateConfig {
    /// Where it is found.
    #[serde(default)]
    pub from: CertificateSource,
    /// With `xfcc`: how many elements the proxies between have added behind that of the client, which then is not the last; default 0.
    pub hops: Option<u8>,
}

/// Where the certificate of the client is found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CertificateSource {
    /// In the TLS handshake with this proxy.
    #[default]
    Connection,
    /// In the header `x-forwarded-client-cert`, as `Hash`. Only where the proxy takes that header from nobody but a proxy before it
    /// (`forward_client_cert_details`).
    Xfcc,
}
