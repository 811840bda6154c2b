//! RSA public keys (RFC 7518 section 6.3) and their signatures (RFC 8017).
//!
//! Refused: a modulus outside 2048 to 4096 bits, an even one, an exponent other than 65537 (which FIPS 186-5 has as the least,
//! and nearly every issuer as the only one), a signature that is not exactly as long as the modulus.

use std::fmt;

use rsa::{BoxedUint, PublicKey};
use sha2::{Sha256, Sha384, Sha512};

use crate::algorithm::Algorithm;
use crate::key_error::KeyError;
use crate::spki;

const MIN_BITS: usize = 2048;
const MAX_BITS: usize = 4096;
const EXPONENT: &[u8] = &[1, 0, 1];

/// An RSA public key.
pub struct RsaKey {
    key: PublicKey,
    /// The length of its modulus, and so of its signatures, in bytes.
    size: usize,
    spki: Vec<u8>,
}

impl RsaKey {
    /// The key with these big-endian numbers, with or without leading zeros.
    ///
    /// # Errors
    /// [`KeyError`], when they make no key that verifies here.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let (modulus, exponent) = (without_leading_zeros(modulus), without_leading_zeros(exponent));
        if !(MIN_BITS..=MAX_BITS).contains(&bit_length(modulus)) {
            return Err(KeyError::ModulusSize);
        }
        if exponent != EXPONENT {
            return Err(KeyError::Exponent);
        }
        let (n, e) = (BoxedUint::from_be_slice_vartime(modulus), BoxedUint::from_be_slice_vartime(exponent));
        let key = PublicKey::new_with_size_limits(n, e, MIN_BITS..=MAX_BITS).map_err(|_| KeyError::NotAKey)?;
        let spki = spki::of_rsa(modulus, exponent).ok_or(KeyError::NotAKey)?;
        Ok(Self { key, size: modulus.len(), spki })
    }

    /// Whether this can be a signature of the key: one has exactly the length of the modulus (RFC 8017 section 8).
    pub(crate) const fn fits(&self, signature: &[u8]) -> bool {
        signature.len() == self.size
    }

    /// The key as a DER SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Whether this is the key's signature of a text. With PSS the salt is as long as the hash (RFC 7518 section 3.5).
    pub(crate) fn verifies(&self, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        self.fits(signature)
            && match algorithm {
                Algorithm::Rs256 => self.key.pkcs1v15_verify::<Sha256>(text, signature).is_ok(),
                Algorithm::Rs384 => self.key.pkcs1v15_verify::<Sha384>(text, signature).is_ok(),
                Algorithm::Rs512 => self.key.pkcs1v15_verify::<Sha512>(text, signature).is_ok(),
                Algorithm::Ps256 => self.key.pss_verify::<Sha256>(text, signature).is_ok(),
                Algorithm::Ps384 => self.key.pss_verify::<Sha384>(text, signature).is_ok(),
                Algorithm::Ps512 => self.key.pss_verify::<Sha512>(text, signature).is_ok(),
                _ => false,
            }
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RsaKey").field("size", &self.size).finish_non_exhaustive()
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(first..).unwrap_or_default()
}

fn bit_length(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros());
    number.len().saturating_mul(8).saturating_sub(usize::try_from(unused).unwrap_or(0))
}
