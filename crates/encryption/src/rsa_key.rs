//! RSA private keys, and the keys that were encrypted to them with OAEP (RFC 8017 section 7.1).
//!
//! Refused: a modulus outside 2048 to 4096 bits, an exponent other than 65537, numbers that do not belong together.

use std::fmt;

use rsa::{BoxedUint, PrivateKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::key_error::KeyError;
use crate::undecryptable::Undecryptable;

const MIN_BITS: u32 = 2048;
const MAX_BITS: u32 = 4096;
const EXPONENT: &[u8] = &[1, 0, 1];

/// An RSA private key.
#[derive(Clone)]
pub struct RsaKey(Box<PrivateKey>);

impl RsaKey {
    /// The key with these big-endian numbers (RFC 7518 section 6.3.2): modulus, exponent, private exponent, the two primes.
    ///
    /// # Errors
    /// [`KeyError`], when they make no key that decrypts here.
    pub fn new(n: &[u8], e: &[u8], d: &[u8], p: &[u8], q: &[u8]) -> Result<Self, KeyError> {
        let n = BoxedUint::from_be_slice_vartime(without_leading_zeros(n));
        if !(MIN_BITS..=MAX_BITS).contains(&n.bit_width_vartime()) {
            return Err(KeyError::ModulusSize);
        }
        if without_leading_zeros(e) != EXPONENT {
            return Err(KeyError::NotAKey);
        }
        let number = |bytes| BoxedUint::from_be_slice_vartime(without_leading_zeros(bytes));
        let key = PrivateKey::from_components(n, number(e), number(d), vec![number(p), number(q)]);
        key.map(|key| Self(Box::new(key))).map_err(|_| KeyError::NotAKey)
    }

    /// What was encrypted to this key. Whether it fails must be told to nobody, which is for the caller to see to.
    pub(crate) fn decrypt(&self, ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
        self.0.oaep_decrypt::<Sha256>(ciphertext).map(Zeroizing::new).map_err(|_| Undecryptable)
    }
}

impl fmt::Debug for RsaKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RsaKey([secret])")
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(first..).unwrap_or_default()
}
