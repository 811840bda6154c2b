//! A key that opens what was sealed with it, and seals.

use std::fmt;

use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, Tag};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use chacha20poly1305::XChaCha20Poly1305;
use zeroize::Zeroizing;

use crate::cbc_hmac;
use crate::content_encryption::ContentEncryption;
use crate::key_error::KeyError;
use crate::undecryptable::Undecryptable;

/// A key of one algorithm.
#[derive(Clone)]
pub struct ContentKey {
    algorithm: ContentEncryption,
    key: Zeroizing<Vec<u8>>,
}

/// What was encrypted, with all that vouches for it.
#[derive(Clone, Copy)]
pub struct Sealed<'a> {
    /// The nonce (initialization vector).
    pub nonce: &'a [u8],
    /// What is vouched for beside the content.
    pub aad: &'a [u8],
    /// The encrypted content.
    pub ciphertext: &'a [u8],
    /// The authentication tag.
    pub tag: &'a [u8],
}

impl ContentKey {
    /// The key in these bytes.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn new(algorithm: ContentEncryption, key: &[u8]) -> Result<Self, KeyError> {
        if key.len() == algorithm.key_bytes() {
            return Ok(Self { algorithm, key: Zeroizing::new(key.to_vec()) });
        }
        Err(KeyError::Length { algorithm: algorithm.as_str(), needed: algorithm.key_bytes(), found: key.len() })
    }

    /// Its algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> ContentEncryption {
        self.algorithm
    }

    /// The content, once its tag was verified.
    ///
    /// # Errors
    /// [`Undecryptable`].
    pub fn open(&self, sealed: &Sealed<'_>) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
        if sealed.nonce.len() != self.algorithm.nonce_bytes() || sealed.tag.len() != self.algorithm.tag_bytes() {
            return Err(Undecryptable);
        }
        match self.algorithm {
            ContentEncryption::A128Gcm => open_with::<Aes128Gcm>(&self.key, sealed),
            ContentEncryption::A256Gcm => open_with::<Aes256Gcm>(&self.key, sealed),
            ContentEncryption::Xc20P => open_with::<XChaCha20Poly1305>(&self.key, sealed),
            ContentEncryption::A128CbcHs256 => cbc_hmac::open::<cbc::Decryptor<aes::Aes128>>(&self.key, sealed),
            ContentEncryption::A256CbcHs256 => cbc_hmac::open::<cbc::Decryptor<aes::Aes256>>(&self.key, sealed),
        }
    }

    /// Seals content: the ciphertext and the tag. A nonce must not be used twice with the same key.
    ///
    /// # Errors
    /// [`Undecryptable`] for a nonce of another length, as nobody could open what came of it.
    pub fn seal(&self, nonce: &[u8], aad: &[u8], content: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Undecryptable> {
        if nonce.len() != self.algorithm.nonce_bytes() {
            return Err(Undecryptable);
        }
        match self.algorithm {
            ContentEncryption::A128Gcm => seal_with::<Aes128Gcm>(&self.key, nonce, aad, content),
            ContentEncryption::A256Gcm => seal_with::<Aes256Gcm>(&self.key, nonce, aad, content),
            ContentEncryption::Xc20P => seal_with::<XChaCha20Poly1305>(&self.key, nonce, aad, content),
            ContentEncryption::A128CbcHs256 => {
                cbc_hmac::seal::<cbc::Encryptor<aes::Aes128>>(&self.key, self.algorithm.tag_bytes(), nonce, aad, content)
            }
            ContentEncryption::A256CbcHs256 => {
                cbc_hmac::seal::<cbc::Encryptor<aes::Aes256>>(&self.key, self.algorithm.tag_bytes(), nonce, aad, content)
            }
        }
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ContentKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

impl fmt::Debug for Sealed<'_> {
    /// Tells no more than the length: what was encrypted may have been encrypted badly.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sealed").field("bytes", &self.ciphertext.len()).finish_non_exhaustive()
    }
}

fn open_with<A: AeadInOut + KeyInit>(key: &[u8], sealed: &Sealed<'_>) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
    let cipher = A::new_from_slice(key).map_err(|_| Undecryptable)?;
    let nonce = <&Nonce<A>>::try_from(sealed.nonce).map_err(|_| Undecryptable)?;
    let tag = <&Tag<A>>::try_from(sealed.tag).map_err(|_| Undecryptable)?;
    let mut content = Zeroizing::new(sealed.ciphertext.to_vec());
    cipher.decrypt_inout_detached(nonce, sealed.aad, content.as_mut_slice().into(), tag).map_err(|_| Undecryptable)?;
    Ok(content)
}

fn seal_with<A: AeadInOut + KeyInit>(
    key: &[u8],
    nonce: &[u8],
    aad: &[u8],
    content: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Undecryptable> {
    let cipher = A::new_from_slice(key).map_err(|_| Undecryptable)?;
    let nonce = <&Nonce<A>>::try_from(nonce).map_err(|_| Undecryptable)?;
    let mut ciphertext = content.to_vec();
    let tag = cipher.encrypt_inout_detached(nonce, aad, ciphertext.as_mut_slice().into()).map_err(|_| Undecryptable)?;
    Ok((ciphertext, tag.to_vec()))
}

#[cfg(test)]
mod tests;
