//! The keys that decrypt an issuer's tokens, and which of them is meant.
//!
//! Selection, in this order: the token's algorithms are allowed; the keys that serve them; of those the ones that bear its `kid`,
//! else, and for a token without one, those that have none; where that is one key, it is tried, and no other. So a token costs
//! one decryption at most, whoever made it.

use std::fmt;

use portcullis_encryption::{ContentEncryption, KeyManagement, Undecryptable, Zeroizing};
use serde_json::Value;

use super::encrypted_token::EncryptedToken;
use super::jwk::{Jwk, SkipReason};
use crate::jose::strict_json;

/// The most keys that a set may hold.
const MAX_KEYS: usize = 20;

/// Why a key set cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// It is not JSON.
    #[error("it is not JSON, or an object in it repeats a name")]
    NotJson,
    /// It is no JWKS.
    #[error("it is no JSON Web Key Set: it has no list `keys`")]
    NoKeys,
    /// The list is too long.
    #[error("its list `keys` holds more than 20 keys")]
    TooMany,
    /// No key can be used; this is why not the first.
    #[error("none of its keys decrypts: keys[0]: {0}")]
    NoUsable(SkipReason),
}

/// The keys that decrypt.
#[derive(Default)]
pub struct DecryptionKeys(Vec<Jwk>);

impl DecryptionKeys {
    /// The keys of a JWKS document (RFC 7517 section 5) that decrypt, and why the others do not, by their place.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn from_jwks(document: &[u8]) -> Result<(Self, Vec<(usize, SkipReason)>), KeysError> {
        let document = strict_json::parse(document).ok_or(KeysError::NotJson)?;
        let jwks = document.get("keys").and_then(Value::as_array).filter(|keys| !keys.is_empty()).ok_or(KeysError::NoKeys)?;
        if jwks.len() > MAX_KEYS {
            return Err(KeysError::TooMany);
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, jwk) in jwks.iter().enumerate() {
            match Jwk::read(jwk) {
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push((index, reason)),
            }
        }
        match skipped.first() {
            Some((_, reason)) if keys.is_empty() => Err(KeysError::NoUsable(*reason)),
            _ => Ok((Self(keys), skipped)),
        }
    }

    /// Whether some key serves this algorithm.
    #[must_use]
    pub fn serve(&self, management: KeyManagement) -> bool {
        self.0.iter().any(|jwk| ContentEncryption::JWE.into_iter().any(|encryption| jwk.serves(management, encryption)))
    }

    /// What is in a token.
    ///
    /// # Errors
    /// [`Undecryptable`], also when no key is meant, or more than one.
    pub fn open(&self, token: &EncryptedToken<'_>) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
        let fitting = || self.0.iter().filter(|jwk| jwk.serves(token.management(), token.encryption()));
        let named: Vec<&Jwk> = match token.key_id() {
            Some(id) => fitting().filter(|jwk| jwk.id.as_deref() == Some(id)).collect(),
            None => fitting().collect(),
        };
        let meant = if named.is_empty() { fitting().filter(|jwk| jwk.id.is_none()).collect() } else { named };
        match meant[..] {
            [jwk] => token.open(&jwk.key),
            _ => Err(Undecryptable),
        }
    }
}

impl fmt::Debug for DecryptionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|jwk| &jwk.key)).finish()
    }
}
