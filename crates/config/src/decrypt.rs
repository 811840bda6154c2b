//! How an identifier is decrypted that the issuer encrypted, as the operator writes it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::secret::{Encoding, SecretConfig};

/// How a claim is decrypted. The upstream gets the text that was encrypted, never the claim as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecryptConfig {
    /// The algorithm: `A128GCM`, `A256GCM`, `A128CBC-HS256`, `A256CBC-HS256`, `XC20P`; with `legacy`, `A128CBC` or `A256CBC`.
    pub algorithm: String,
    /// The key: 16 bytes for A128GCM and A128CBC, 64 for A256CBC-HS256, 32 for the others.
    pub key: Option<SecretConfig>,
    /// The keys, 5 at most: while a key is replaced by another, there are two.
    pub keys: Option<Vec<DecryptKeyConfig>>,
    /// Where the `id` of the key stands: `prefix`, before the rest of the claim with a `.` between them, or `{claim: NAME}`. Left
    /// out, the keys are tried in order.
    pub key_id: Option<ClaimPlace>,
    /// How the bytes are written; default `base64url`.
    #[serde(default)]
    pub encoding: CiphertextEncoding,
    /// Where the nonce (initialization vector) stands: `prefix`, before the ciphertext, or `{claim: NAME}`; default `prefix`.
    pub nonce: Option<ClaimPlace>,
    /// The text that the issuer bound the identifier to, with values of the principal in it: `{issuer}|{sub}`. Left out: none.
    pub aad: Option<String>,
    /// Whether the algorithm may be one that vouches for nothing; default false.
    #[serde(default)]
    pub legacy: bool,
}

/// One of several keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecryptKeyConfig {
    /// Its id.
    pub id: Option<String>,
    /// The key.
    pub key: SecretConfig,
}

/// How the bytes of a ciphertext are written as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CiphertextEncoding {
    /// RFC 4648 section 5; padding may be left out.
    #[default]
    Base64url,
    /// RFC 4648 section 4; padding may be left out.
    Base64,
    /// RFC 4648 section 8, in either case.
    Hex,
}

impl CiphertextEncoding {
    /// The bytes that a text is the writing of.
    #[must_use]
    pub fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Base64url => Encoding::Base64url.read(text),
            Self::Base64 => Encoding::Base64.read(text),
            Self::Hex => Encoding::Hex.read(text),
        }
    }

    /// The bytes as text.
    #[must_use]
    pub fn write(self, bytes: &[u8]) -> String {
        match self {
            Self::Base64url => URL_SAFE_NO_PAD.encode(bytes),
            Self::Base64 => STANDARD.encode(bytes),
            Self::Hex => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}

/// Where something stands that belongs to an encrypted claim: `prefix`, or `{claim: NAME}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimPlace {
    /// At the beginning of the claim itself.
    Prefix,
    /// In another claim, the path of which this is.
    Claim(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OtherClaim {
    claim: String,
}

impl<'de> Deserialize<'de> for ClaimPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ClaimPlaceVisitor)
    }
}

struct ClaimPlaceVisitor;

impl<'de> Visitor<'de> for ClaimPlaceVisitor {
    type Value = ClaimPlace;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("`prefix` or `{claim: NAME}`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ClaimPlace, E> {
        if text == "prefix" { Ok(ClaimPlace::Prefix) } else { Err(E::unknown_variant(text, &["prefix"])) }
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<ClaimPlace, A::Error> {
        OtherClaim::deserialize(MapAccessDeserializer::new(entries)).map(|other| ClaimPlace::Claim(other.claim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    fn read(json: &str) -> Result<DecryptConfig, String> {
        document::parse(json.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn reads_where_nonce_and_key_id_stand() {
        let nonce = |json: &str| read(&format!(r#"{{"algorithm":"A256GCM","nonce":{json}}}"#)).map(|config| config.nonce);
        assert_eq!(read(r#"{"algorithm":"A256GCM"}"#).unwrap().nonce, None);
        assert_eq!(nonce(r#""prefix""#), Ok(Some(ClaimPlace::Prefix)));
        assert_eq!(nonce(r#"{"claim":"enc.n"}"#), Ok(Some(ClaimPlace::Claim("enc.n".to_owned()))));
        for json in [r#""suffix""#, "{}", r#"{"claim":"a","x":1}"#, r#"{"claim":7}"#, "7", "[]", "null"] {
            let error = nonce(json).unwrap_err();
            assert!(error.starts_with("nonce"), "{json}: {error}");
        }
    }

    #[test]
    fn shows_no_key() {
        let config = read(r#"{"algorithm":"A256GCM","key":{"inline":"S3CRET"},"keys":[{"key":{"inline":"S3CRET"}}]}"#).unwrap();
        assert!(!format!("{config:?}").contains("S3CRET"));
    }
}
