//! Shared secrets and their keyed hashes (RFC 7518 section 3.2).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384, Sha512};

use crate::algorithm::Algorithm;

/// A shared secret, as the state in which each hash begins.
pub struct SecretKey {
    sha256: Hmac<Sha256>,
    sha384: Hmac<Sha384>,
    sha512: Hmac<Sha512>,
}

impl SecretKey {
    /// The secret with these bytes; `None` only where a hash takes no key of that length, which none does.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        Some(Self {
            sha256: Hmac::new_from_slice(secret).ok()?,
            sha384: Hmac::new_from_slice(secret).ok()?,
            sha512: Hmac::new_from_slice(secret).ok()?,
        })
    }

    /// Whether this is the secret's keyed hash of a text, in full; compared in constant time.
    pub(crate) fn verifies(&self, algorithm: Algorithm, text: &[u8], tag: &[u8]) -> bool {
        match algorithm {
            Algorithm::Hs256 => self.sha256.clone().chain_update(text).verify_slice(tag).is_ok(),
            Algorithm::Hs384 => self.sha384.clone().chain_update(text).verify_slice(tag).is_ok(),
            Algorithm::Hs512 => self.sha512.clone().chain_update(text).verify_slice(tag).is_ok(),
            _ => false,
        }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SecretKey").finish_non_exhaustive()
    }
}
