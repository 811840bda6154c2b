//! A key, the algorithms that it serves, and whether it signed a text.

use super::algorithm::{Algorithm, AlgorithmSet};
use super::edwards_key::EdwardsKey;
use super::elliptic_key::{Curve, EllipticKey};
use super::jws::Jws;
use super::rsa_key::RsaKey;
use super::secret_key::SecretKey;
use super::signatures::Signatures;

/// A key of an issuer. It serves only the algorithms that it was published for, so that a token can never choose how a key is
/// used (RFC 8725 section 3.1).
#[derive(Debug)]
pub(super) struct VerificationKey {
    /// Its `kid`.
    pub id: Option<String>,
    /// The algorithms that it serves; never empty, and all of them fit its material.
    pub algorithms: AlgorithmSet,
    /// Its numbers.
    pub material: Material,
}

/// The numbers of a key.
#[derive(Debug)]
pub(super) enum Material {
    Rsa(RsaKey),
    Elliptic(Curve, EllipticKey),
    Edwards(EdwardsKey),
    Secret(Box<SecretKey>),
}

impl Material {
    /// The algorithms that a key of this kind can serve.
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
    pub fn has_signed(&self, jws: &Jws<'_>, signatures: &Signatures) -> bool {
        let (algorithm, text, signature) = (jws.algorithm(), jws.signed_text(), jws.signature());
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
