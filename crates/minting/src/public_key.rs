//! What is published of a key that signs.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_signatures::{Algorithm, Curve, EdwardsKey, EllipticKey, Material, Signatures, VerificationKey};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::{KeyProblem, der, jwk, pem};

/// The length of a coordinate of P-256, in bytes.
const COORDINATE: usize = 32;
/// The first byte of an uncompressed point (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    numbers: Numbers,
    id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Numbers {
    P256 { x: String, y: String },
    Ed25519 { x: String },
}

impl PublicKey {
    /// The public part of the key in a text: PEM (`PUBLIC KEY` or `PRIVATE KEY`) or a JWK, with or without a private part.
    ///
    /// # Errors
    /// [`KeyProblem`].
    pub fn read(text: &[u8]) -> Result<Self, KeyProblem> {
        let text = str::from_utf8(text).map_err(|_| KeyProblem::Unreadable)?;
        if pem::is_pem(text) {
            return match pem::read(text)? {
                ("PUBLIC KEY", bytes) => der::public(&bytes),
                ("PRIVATE KEY", bytes) => der::private(&bytes).map(|key| key.public().clone()),
                _ => Err(KeyProblem::Label),
            };
        }
        let jwk: Map<String, Value> = serde_json::from_str(text).map_err(|_| KeyProblem::Unreadable)?;
        if jwk::is_private(&jwk) { jwk::private(&jwk).map(|key| key.public().clone()) } else { jwk::public(&jwk) }
    }

    pub(crate) fn p256(x: &[u8], y: &[u8]) -> Result<Self, KeyProblem> {
        EllipticKey::new(Curve::P256, x, y).map_err(|_| KeyProblem::Malformed)?;
        Ok(Self::of(Numbers::P256 { x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) }))
    }

    pub(crate) fn p256_point(bytes: &[u8]) -> Result<Self, KeyProblem> {
        let coordinates = bytes.strip_prefix(&[UNCOMPRESSED]).and_then(|rest| rest.split_at_checked(COORDINATE));
        let (x, y) = coordinates.ok_or(KeyProblem::Malformed)?;
        Self::p256(x, y)
    }

    pub(crate) fn ed25519(bytes: &[u8]) -> Result<Self, KeyProblem> {
        EdwardsKey::new(bytes).map_err(|_| KeyProblem::Malformed)?;
        Ok(Self::of(Numbers::Ed25519 { x: URL_SAFE_NO_PAD.encode(bytes) }))
    }

    /// The members that its type needs, in the order and form of RFC 7638 section 3 (RFC 8037 section 2 for Ed25519), of which the
    /// thumbprint is taken.
    fn of(numbers: Numbers) -> Self {
        let members = match &numbers {
            Numbers::P256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Numbers::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
        };
        Self { id: URL_SAFE_NO_PAD.encode(Sha256::digest(members)), numbers }
    }

    /// Whether this is the point in these bytes, in the encoding that keys of its type have in DER.
    pub(crate) fn has_bytes(&self, bytes: &[u8]) -> bool {
        let other = match self.numbers {
            Numbers::P256 { .. } => Self::p256_point(bytes),
            Numbers::Ed25519 { .. } => Self::ed25519(bytes),
        };
        other.is_ok_and(|other| other == *self)
    }

    /// Its `kid`: its thumbprint (RFC 7638).
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The algorithm that it serves.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.numbers {
            Numbers::P256 { .. } => Algorithm::Es256,
            Numbers::Ed25519 { .. } => Algorithm::EdDsa,
        }
    }

    /// The claims of a token in compact form that the private part of this key signed as `kind`.
    #[must_use]
    pub fn verified(&self, kind: &str, token: &str) -> Option<Vec<u8>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Map<String, Value> = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        let says = |member: &str| header.get(member).and_then(Value::as_str);
        let algorithm = self.algorithm();
        if says("alg") != Some(algorithm.as_str()) || says("typ") != Some(kind) || header.contains_key("crit") {
            return None;
        }
        let material = self.material()?;
        let key = VerificationKey { id: None, algorithms: material.algorithms(), material };
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let has_signed = key.has_signed(algorithm, signed.as_bytes(), &signature, &Signatures::in_module());
        has_signed.then(|| URL_SAFE_NO_PAD.decode(claims).ok())?
    }

    fn material(&self) -> Option<Material> {
        let number = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        Some(match &self.numbers {
            Numbers::P256 { x, y } => {
                Material::Elliptic(Curve::P256, EllipticKey::new(Curve::P256, &number(x)?, &number(y)?).ok()?)
            }
            Numbers::Ed25519 { x } => Material::Edwards(EdwardsKey::new(&number(x)?).ok()?),
        })
    }

    /// The key as a JWK. All values are base64url or names of ours, so nothing in it needs an escape.
    fn to_jwk(&self) -> String {
        let members = match &self.numbers {
            Numbers::P256 { x, y } => format!(r#""kty":"EC","crv":"P-256","x":"{x}","y":"{y}""#),
            Numbers::Ed25519 { x } => format!(r#""kty":"OKP","crv":"Ed25519","x":"{x}""#),
        };
        format!(r#"{{{members},"use":"sig","alg":"{}","kid":"{}"}}"#, self.algorithm().as_str(), self.id)
    }
}

/// A JWK Set (RFC 7517 section 5) of these keys.
#[must_use]
pub fn key_set<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> String {
    let keys: Vec<String> = keys.into_iter().map(PublicKey::to_jwk).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}
