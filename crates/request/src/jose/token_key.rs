//! Keys that are not a JWKS: PEM, and the one key that Spring and UAA publish at `/oauth/token_key`.
//!
//! Refused: certificates and private keys, an `alg` that is missing or does not fit the key, a `value` that is PEM where `alg`
//! is symmetric. The last is the old trick of signing with the public key as the secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_signatures::{Algorithm, Material, VerificationKey};
use serde_json::Value;

use super::jwk::{self, SkipReason};
use super::key_set::{KeySet, KeySetError, MAX_DOCUMENT_BYTES};
use super::strict_json;

/// How any PEM text begins (RFC 7468 section 2).
const PEM: &str = "-----BEGIN ";

/// The names of Java's cryptography, which Spring publishes in place of those of RFC 7518.
const JAVA_NAMES: [(&str, Algorithm); 9] = [
    ("SHA256withRSA", Algorithm::Rs256),
    ("SHA384withRSA", Algorithm::Rs384),
    ("SHA512withRSA", Algorithm::Rs512),
    ("SHA256withECDSA", Algorithm::Es256),
    ("SHA384withECDSA", Algorithm::Es384),
    ("SHA512withECDSA", Algorithm::Es512),
    ("HMACSHA256", Algorithm::Hs256),
    ("HMACSHA384", Algorithm::Hs384),
    ("HMACSHA512", Algorithm::Hs512),
];

impl KeySet {
    /// The key in a PEM text: `PUBLIC KEY` (RFC 7468 section 13) or `RSA PUBLIC KEY` (PKCS #1). It serves `algorithm`, or all
    /// that fit it, and has no `kid`.
    ///
    /// # Errors
    /// [`KeySetError::UnusableKey`].
    pub fn from_pem(pem: &[u8], algorithm: Option<Algorithm>) -> Result<Self, KeySetError> {
        let text = std::str::from_utf8(pem).map_err(|_| SkipReason::NotPem)?;
        let material = read_pem(text)?;
        let algorithms = match algorithm {
            None => material.algorithms(),
            named => jwk::only(named, &material)?,
        };
        Ok(Self::from(VerificationKey { id: None, algorithms, material }))
    }

    /// The key in a document of Spring's `tokenKeyUri`: `{"alg": …, "value": …}`, where the value is a PEM text or, for a
    /// symmetric `alg`, the secret itself. A `kid` is binding; a key without one serves tokens without one.
    ///
    /// # Errors
    /// [`KeySetError`], when the document cannot be read or its key cannot be used.
    pub fn from_token_key(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let document = strict_json::parse(document).ok_or(KeySetError::NotJson)?;
        let document = document.as_object().ok_or(KeySetError::NotATokenKey)?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).ok_or(KeySetError::NotATokenKey);
        let (name, value) = (text("alg")?, text("value")?);
        let algorithm = Algorithm::parse(name).or_else(|| java(name)).ok_or(SkipReason::AlgorithmUnsupported)?;
        let id = jwk::key_id(document)?;
        let material = match (algorithm.is_symmetric(), value.trim_start().starts_with(PEM)) {
            (true, false) => jwk::secret(value.as_bytes())?,
            (false, true) => read_pem(value)?,
            (true, true) => return Err(SkipReason::AlgorithmUnsupported.into()),
            (false, false) => return Err(SkipReason::NotPem.into()),
        };
        jwk::check_purpose(document)?;
        let algorithms = jwk::only(Some(algorithm), &material)?;
        Ok(Self::from(VerificationKey { id, algorithms, material }))
    }
}

fn java(name: &str) -> Option<Algorithm> {
    JAVA_NAMES.into_iter().find_map(|(other, algorithm)| (other == name).then_some(algorithm))
}

/// The one key in a PEM text. Lines may have any length, for issuers write them so.
fn read_pem(text: &str) -> Result<Material, SkipReason> {
    let rest = text.trim().strip_prefix(PEM).ok_or(SkipReason::NotPem)?;
    let (label, rest) = rest.split_once("-----").ok_or(SkipReason::NotPem)?;
    let (body, end) = rest.split_once("-----END ").ok_or(SkipReason::NotPem)?;
    if end.strip_suffix("-----") != Some(label) {
        return Err(SkipReason::NotPem);
    }
    let body: String = body.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(body).map_err(|_| SkipReason::NotPem)?;
    match label {
        "PUBLIC KEY" => Ok(Material::from_spki(&der)?),
        "RSA PUBLIC KEY" => Ok(Material::from_pkcs1(&der)?),
        _ if label.ends_with("PRIVATE KEY") => Err(SkipReason::Private),
        _ => Err(SkipReason::NotPem),
    }
}

#[cfg(test)]
mod tests;
