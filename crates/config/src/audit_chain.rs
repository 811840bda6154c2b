//! `auditLog.chain`: what makes the audit log evidence.

use serde::Deserialize;

use crate::duration::DurationText;
use crate::secret::SecretConfig;

/// Each event is sealed to the one before it, so that `portcullis audit verify` finds what was changed, removed, reordered or added.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainConfig {
    /// The key of the MACs, of 32 bytes at least. Whoever has it can verify the log, and forge it.
    pub key: SecretConfig,
    /// Signatures now and then, for those who are to verify and not to forge.
    pub checkpoint: Option<CheckpointConfig>,
}

/// Signatures over all events since the one before.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckpointConfig {
    /// The private key that signs: PEM (`PRIVATE KEY`, PKCS #8) or a JWK, of P-256 (ES256) or Ed25519 (EdDSA).
    pub key: SecretConfig,
    /// After so many events there is a signature; default 1000.
    pub records: Option<u64>,
    /// After so long there is one with the next event; default 1m.
    pub interval: Option<DurationText>,
}
