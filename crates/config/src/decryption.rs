//! How the tokens of an issuer are decrypted, as the operator writes it.

use serde::Deserialize;

use crate::secret::SecretConfig;

/// How encrypted tokens (JWE, RFC 7516) are decrypted. What is found in one must be a signed token of the issuer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecryptionConfig {
    /// The keys: a JSON Web Key Set (RFC 7517) with private keys (`RSA`, `EC` on P-256) and symmetric ones (`oct`).
    pub jwks: SecretConfig,
    /// The `alg` values allowed: `dir`, `A128KW`, `A256KW`, `RSA-OAEP-256`, `ECDH-ES`, `ECDH-ES+A256KW`; default: what the keys
    /// allow.
    pub algorithms: Option<Vec<String>>,
    /// The `enc` values allowed: `A128GCM`, `A256GCM`, `A128CBC-HS256`; default: all of them.
    pub encryptions: Option<Vec<String>>,
    /// Whether a token that is not encrypted is refused; default false.
    #[serde(default)]
    pub required: bool,
}
