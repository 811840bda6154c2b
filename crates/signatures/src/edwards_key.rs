//! Ed25519 public keys and their signatures (RFC 8032, RFC 8037), read strictly.
//!
//! Refused: a key of small order, which vouches for everything; a key or a signature in another encoding than its shortest; `S`
//! that is not less than the order.

use ed25519_dalek::{Signature, VerifyingKey};

use crate::key_error::KeyError;

/// An Ed25519 public key.
#[derive(Debug)]
pub struct EdwardsKey(VerifyingKey);

impl EdwardsKey {
    /// The key with this encoding (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    /// [`KeyError::NotAKey`].
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes = bytes.try_into().map_err(|_| KeyError::NotAKey)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAKey)?;
        let is_canonical = key.to_edwards().compress().as_bytes() == bytes;
        if key.is_weak() || !is_canonical { Err(KeyError::NotAKey) } else { Ok(Self(key)) }
    }

    /// Whether this is the key's signature of a text.
    pub(crate) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|signature| self.0.verify_strict(text, &signature).is_ok())
    }
}
