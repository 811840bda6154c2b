//! Keys as JSON (RFC 7517, RFC 7518 section 6.2, RFC 8037 section 2).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::{KeyProblem, PublicKey, SigningKey};

/// The kinds of keys.
enum Kind {
    P256,
    Ed25519,
}

fn kind(jwk: &Map<String, Value>) -> Result<Kind, KeyProblem> {
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    match (text("kty"), text("crv")) {
        (Some("EC"), Some("P-256")) => Ok(Kind::P256),
        (Some("OKP"), Some("Ed25519")) => Ok(Kind::Ed25519),
        _ => Err(KeyProblem::Kind),
    }
}

fn bytes(jwk: &Map<String, Value>, member: &str) -> Result<Zeroizing<Vec<u8>>, KeyProblem> {
    let text = jwk.get(member).and_then(Value::as_str).ok_or(KeyProblem::Malformed)?;
    URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new).map_err(|_| KeyProblem::Malformed)
}

/// Whether it has a private part.
pub(crate) fn is_private(jwk: &Map<String, Value>) -> bool {
    jwk.contains_key("d")
}

/// The key with its private part.
pub(crate) fn private(jwk: &Map<String, Value>) -> Result<SigningKey, KeyProblem> {
    if !is_private(jwk) {
        return Err(KeyProblem::Public);
    }
    let secret = bytes(jwk, "d")?;
    let key = match kind(jwk)? {
        Kind::P256 => SigningKey::p256(&secret)?,
        Kind::Ed25519 => {
            SigningKey::ed25519(&Zeroizing::<[u8; 32]>::new((**secret).try_into().map_err(|_| KeyProblem::Malformed)?))?
        }
    };
    if *key.public() == public(jwk)? { Ok(key) } else { Err(KeyProblem::Mismatch) }
}

/// The public part.
pub(crate) fn public(jwk: &Map<String, Value>) -> Result<PublicKey, KeyProblem> {
    match kind(jwk)? {
        Kind::P256 => PublicKey::p256(&bytes(jwk, "x")?, &bytes(jwk, "y")?),
        Kind::Ed25519 => PublicKey::ed25519(&bytes(jwk, "x")?),
    }
}
