//! What of an audit event is written in another way than it is: `hash`, `mask` and `limits` of the `auditLog` object.

use serde::Deserialize;

use crate::byte_size::ByteSize;
use crate::secret::SecretConfig;

/// What stands in events as a pseudonym, by a keyed hash (HMAC-SHA256): the same for the same value, and nobody without the key can
/// tell whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HashConfig {
    /// The key, 32 bytes at least. Whoever has it can find out pseudonyms again.
    pub key: SecretConfig,
    /// The fields: `subject`, `client`, `tokenId`, `object`, and `claims.NAME`, `headers.NAME` and `query.NAME` of those that are
    /// included; default: `subject`.
    pub fields: Option<Vec<String>>,
}

/// How large an event may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsConfig {
    /// The longest value, longer ones are cut; default 1KiB.
    pub value: Option<ByteSize>,
    /// The longest event: a longer one loses its headers, query parameters, claims and roles, in this order, and says so; default
    /// 16KiB.
    pub event: Option<ByteSize>,
}
