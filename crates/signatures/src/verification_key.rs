//! A key, the algorithms that it serves, and whether it signed a text.

use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::edwards_key::EdwardsKey;
use crate::elliptic_key::{Curve, EllipticKey};
use crate::key_error::KeyError;
use crate::rsa_key::RsaKey;
use crate::secret_key::SecretKey;
use crate::signatures::Signatures;
use crate::spki;

/// A key of an issuer. It serves only the algorithms that it was published for, so that a token can never choose how a key is
/// used (RFC 8725 section 3.1).
#[derive(Debug)]
pub struct VerificationKey {
    /// Its `kid`.
    pub id: Option<String>,
    /// The algorithms that it serves; never empty, and all of them fit its material.
    pub algorithms: AlgorithmSet,
    /// Its numbers.
    pub material: Material,
}

/// The numbers of a key.
#[derive(Debug)]
pub enum Material {
    /// An RSA public key.
    Rsa(RsaKey),
    /// An ECDSA public key and its curve.
    Elliptic(Curve, EllipticKey),
    /// An Ed25519 public key.
    Edwards(EdwardsKey),
    /// A shared secret.
    Secret(Box<SecretKey>),
}

impl Material {
    /// The key in a DER SubjectPublicKeyInfo (RFC 5280 section 4.1).
    ///
    /// # Errors
    /// [`KeyError`], when it holds no key that verifies here.
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        spki::read(der)
    }

    /// The key in a DER RSAPublicKey (RFC 8017 appendix A.1.1).
    ///
    /// # Errors
    /// [`KeyError`], when it holds no key that verifies here.
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyError> {
        spki::read_rsa(der)
    }

    /// The algorithms that a key of this kind can serve.
    #[must_use]
    pub fn algorithms(&self) -> AlgorithmSet {
        match self {
            Self::Rsa(_) => Algorithm::RSA.into_iter().collect(),
            Self::Elliptic(curve, _) => [curve.algorithm()].into_iter().collect(),
            Self::Edwards(_) => [Algorithm::EdDsa].into_iter().collect(),
            Self::Secret(_) => Algorithm::SECRET.into_iter().collect(),
        }
    }
}

impl VerificationKey {
    /// Whether this key signed the text, by an algorithm that it serves.
    ///
    /// What can be told from a signature's length and range is told first; then the proxy is asked, where it can be; then, where
    /// it cannot or gives no answer, the module verifies.
    #[must_use]
    pub fn has_signed(&self, algorithm: Algorithm, text: &[u8], signature: &[u8], signatures: &Signatures) -> bool {
        if !self.algorithms.contains(algorithm) {
            return false;
        }
        match &self.material {
            Material::Rsa(key) => {
                key.fits(signature)
                    && signatures
                        .ask_proxy(algorithm, key.spki(), signature, text)
                        .unwrap_or_else(|| key.verifies(algorithm, text, signature))
            }
            Material::Elliptic(_, key) => key.signature(signature).is_some_and(|signature| {
                signatures
                    .ask_proxy(algorithm, key.spki(), signature.to_der().as_slice(), text)
                    .unwrap_or_else(|| key.verifies(text, &signature))
            }),
            Material::Edwards(key) => key.verifies(text, signature),
            Material::Secret(key) => key.verifies(algorithm, text, signature),
        }
    }
}
