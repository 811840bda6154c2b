//! What a recipient of JWE holds, and the content keys that it finds with it.
//!
//! A key serves the algorithms that fit its kind: 16 bytes A128KW, 32 bytes A256KW, a key of the length of the content key `dir`,
//! an RSA key RSA-OAEP-256, a key on P-256 ECDH-ES and ECDH-ES+A256KW.

use std::fmt;

use aes_kw::KeyInit;
use zeroize::Zeroizing;

use crate::concat_kdf;
use crate::content_encryption::ContentEncryption;
use crate::content_key::ContentKey;
use crate::key_error::KeyError;
use crate::key_management::KeyManagement;
use crate::p256_key::P256Key;
use crate::rsa_key::RsaKey;
use crate::undecryptable::Undecryptable;

/// What a key wrap is longer than the key (RFC 3394 section 2.2.1).
const WRAP_BYTES: usize = 8;
/// The length of the key that ECDH-ES+A256KW agrees upon.
const A256KW_KEY_BYTES: usize = 32;

/// A key that finds content keys.
#[derive(Clone)]
pub enum DecryptionKey {
    /// A symmetric key.
    Secret(Zeroizing<Vec<u8>>),
    /// An RSA private key.
    Rsa(RsaKey),
    /// A private key on P-256.
    P256(P256Key),
}

/// A content key as it stands in a JWE.
#[derive(Debug, Clone, Copy)]
pub struct EncryptedKey<'a> {
    /// How it is encrypted.
    pub management: KeyManagement,
    /// What it is for.
    pub encryption: ContentEncryption,
    /// It, encrypted; empty where the algorithm needs none.
    pub bytes: &'a [u8],
    /// What the sender brings to an agreement; absent where there is none.
    pub agreement: Option<Agreement<'a>>,
}

/// The sender's part of an agreement (RFC 7518 section 4.6.1).
#[derive(Debug, Clone, Copy)]
pub struct Agreement<'a> {
    /// `x` of the ephemeral public key `epk`.
    pub x: &'a [u8],
    /// `y` of it.
    pub y: &'a [u8],
    /// `apu`; empty where it is absent.
    pub apu: &'a [u8],
    /// `apv`; empty where it is absent.
    pub apv: &'a [u8],
}

impl DecryptionKey {
    /// The symmetric key in these bytes.
    ///
    /// # Errors
    /// [`KeyError::NoSuchLength`].
    pub fn secret(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes.len() {
            16 | 32 => Ok(Self::Secret(Zeroizing::new(bytes.to_vec()))),
            other => Err(KeyError::NoSuchLength(other)),
        }
    }

    /// Whether the key may find content keys for this encryption in this way.
    #[must_use]
    pub fn serves(&self, management: KeyManagement, encryption: ContentEncryption) -> bool {
        match (self, management) {
            (Self::Secret(key), KeyManagement::Dir) => key.len() == encryption.key_bytes(),
            (Self::Secret(key), KeyManagement::A128Kw) => key.len() == 16,
            (Self::Secret(key), KeyManagement::A256Kw) => key.len() == 32,
            (Self::Rsa(_), KeyManagement::RsaOaep256) | (Self::P256(_), KeyManagement::EcdhEs | KeyManagement::EcdhEsA256Kw) => {
                true
            }
            _ => false,
        }
    }

    /// The content key.
    ///
    /// One that was encrypted with RSA is always found: where there is none, it is chance, and opens nothing. So the time and the
    /// answer are those of a wrong tag.
    ///
    /// # Errors
    /// [`Undecryptable`].
    pub fn content_key(&self, encrypted: &EncryptedKey<'_>) -> Result<ContentKey, Undecryptable> {
        let EncryptedKey { management, encryption, bytes, agreement } = *encrypted;
        if !self.serves(management, encryption)
            || management.has_encrypted_key() == bytes.is_empty()
            || management.is_agreement() != agreement.is_some()
        {
            return Err(Undecryptable);
        }
        let size = encryption.key_bytes();
        let key = match (self, agreement) {
            (Self::Secret(key), _) if management == KeyManagement::Dir => key.clone(),
            (Self::Secret(key), _) => unwrap(key, bytes, size)?,
            (Self::Rsa(key), _) => found_or_chance(key.decrypt(bytes), size)?,
            (Self::P256(key), Some(Agreement { x, y, apu, apv })) => {
                let shared = key.agree(x, y)?;
                if management == KeyManagement::EcdhEs {
                    concat_kdf::derive(&shared, encryption.as_str(), apu, apv, size)?
                } else {
                    let wrapping = concat_kdf::derive(&shared, management.as_str(), apu, apv, A256KW_KEY_BYTES)?;
                    unwrap(&wrapping, bytes, size)?
                }
            }
            (Self::P256(_), None) => return Err(Undecryptable),
        };
        ContentKey::new(encryption, &key).map_err(|_| Undecryptable)
    }
}

impl fmt::Debug for DecryptionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Secret(_) => "DecryptionKey(oct)",
            Self::Rsa(_) => "DecryptionKey(RSA)",
            Self::P256(_) => "DecryptionKey(P-256)",
        })
    }
}

/// The key of `size` bytes that was wrapped (RFC 3394).
fn unwrap(wrapping: &[u8], wrapped: &[u8], size: usize) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
    if wrapped.len() != size.saturating_add(WRAP_BYTES) {
        return Err(Undecryptable);
    }
    let mut key = Zeroizing::new(vec![0; size]);
    let unwrapped = match wrapping.len() {
        16 => aes_kw::KwAes128::new_from_slice(wrapping).map(|wrapping| wrapping.unwrap_key(wrapped, &mut key).is_ok()),
        _ => aes_kw::KwAes256::new_from_slice(wrapping).map(|wrapping| wrapping.unwrap_key(wrapped, &mut key).is_ok()),
    };
    if unwrapped == Ok(true) { Ok(key) } else { Err(Undecryptable) }
}

/// The key of `size` bytes that was found, else chance (RFC 7516 section 11.5).
fn found_or_chance(found: Result<Zeroizing<Vec<u8>>, Undecryptable>, size: usize) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
    let mut chance = Zeroizing::new(vec![0; size]);
    getrandom::fill(&mut chance).map_err(|_| Undecryptable)?;
    Ok(found.ok().filter(|key| key.len() == size).unwrap_or(chance))
}

#[cfg(test)]
mod tests;
