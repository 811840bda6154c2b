//! A key that signs tokens.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use p256::ecdsa;
use serde_json::{Map, Value};

use crate::{KeyProblem, NotSigned, PublicKey, der, jwk, pem};

/// A key that signs.
pub struct SigningKey {
    secret: Secret,
    public: PublicKey,
}

enum Secret {
    P256(Box<ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

/// It tells the public part only.
impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The key in a text: PEM (`PRIVATE KEY`, PKCS #8) or a JWK with `d`.
    ///
    /// # Errors
    /// [`KeyProblem`].
    pub fn read(text: &[u8]) -> Result<Self, KeyProblem> {
        let text = str::from_utf8(text).map_err(|_| KeyProblem::Unreadable)?;
        if pem::is_pem(text) {
            return match pem::read(text)? {
                ("PRIVATE KEY", bytes) => der::private(&bytes),
                ("PUBLIC KEY", _) => Err(KeyProblem::Public),
                _ => Err(KeyProblem::Label),
            };
        }
        let jwk: Map<String, Value> = serde_json::from_str(text).map_err(|_| KeyProblem::Unreadable)?;
        jwk::private(&jwk)
    }

    /// The P-256 key with this number.
    pub(crate) fn p256(scalar: &[u8]) -> Result<Self, KeyProblem> {
        let key = ecdsa::SigningKey::from_slice(scalar).map_err(|_| KeyProblem::Malformed)?;
        let public = PublicKey::p256_point(key.verifying_key().to_sec1_point(false).as_bytes())?;
        Ok(Self { secret: Secret::P256(Box::new(key)), public })
    }

    /// The Ed25519 key with this seed.
    pub(crate) fn ed25519(seed: &[u8; 32]) -> Result<Self, KeyProblem> {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let public = PublicKey::ed25519(key.verifying_key().as_bytes())?;
        Ok(Self { secret: Secret::Ed25519(Box::new(key)), public })
    }

    /// What is published of it.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A token in compact form (RFC 7515 section 3.1) with these claims, which are JSON. `kind` is its `typ`: letters, digits, `+`
    /// and `-`.
    ///
    /// # Errors
    /// [`NotSigned`], which no claims can cause.
    pub fn sign(&self, kind: &str, claims: &[u8]) -> Result<String, NotSigned> {
        let (algorithm, id) = (self.public.algorithm().as_str(), self.public.id());
        let header = format!(r#"{{"alg":"{algorithm}","kid":"{id}","typ":"{kind}"}}"#);
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature: [u8; 64] = match &self.secret {
            Secret::P256(key) => {
                let signature: ecdsa::Signature = key.try_sign(token.as_bytes()).map_err(|_| NotSigned)?;
                signature.to_bytes().into()
            }
            Secret::Ed25519(key) => key.try_sign(token.as_bytes()).map_err(|_| NotSigned)?.to_bytes(),
        };
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}
