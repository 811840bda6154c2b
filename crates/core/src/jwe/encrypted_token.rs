//! An encrypted token before it is decrypted.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_encryption::{ContentEncryption, DecryptionKey, EncryptedKey, KeyManagement, Sealed, Undecryptable, Zeroizing};

use super::PARTS;
use super::header::Header;
use super::malformed::{Malformed, Part};
use crate::jose::MAX_TOKEN_BYTES;

/// A well-formed encrypted token. Nobody has vouched for it.
pub struct EncryptedToken<'a> {
    /// What is vouched for beside the content: the first part as it stands.
    aad: &'a [u8],
    header: Header,
    encrypted_key: Vec<u8>,
    nonce: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: Vec<u8>,
}

impl<'a> EncryptedToken<'a> {
    /// Read an encrypted token in compact form (RFC 7516 section 7.1).
    ///
    /// # Errors
    /// [`Malformed`], in this order: more than [`MAX_TOKEN_BYTES`]; anything but five parts of strict base64url of which only the
    /// encrypted key may be empty; what the header must not say.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(Malformed::TooLong(bytes.len()));
        }
        let parts: Vec<&[u8]> = bytes.splitn(PARTS.saturating_add(1), |byte| *byte == b'.').collect();
        let [aad, encrypted_key, nonce, ciphertext, tag] = parts[..] else { return Err(Malformed::Parts) };
        let header = Header::read(&decode(Part::Header, aad)?)?;
        let encrypted_key = if encrypted_key.is_empty() { Vec::new() } else { decode(Part::EncryptedKey, encrypted_key)? };
        let (nonce, ciphertext) = (decode(Part::Nonce, nonce)?, decode(Part::Ciphertext, ciphertext)?);
        Ok(Self { aad, header, encrypted_key, nonce, ciphertext, tag: decode(Part::Tag, tag)? })
    }

    /// How its content key reaches the recipient.
    #[must_use]
    pub const fn management(&self) -> KeyManagement {
        self.header.management
    }

    /// How its content is encrypted.
    #[must_use]
    pub const fn encryption(&self) -> ContentEncryption {
        self.header.encryption
    }

    /// The `kid` of the key that it claims to be encrypted for.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// What is in it, by this key.
    pub(super) fn open(&self, key: &DecryptionKey) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
        let content_key = key.content_key(&EncryptedKey {
            management: self.header.management,
            encryption: self.header.encryption,
            bytes: &self.encrypted_key,
            agreement: self.header.agreement(),
        })?;
        content_key.open(&Sealed { nonce: &self.nonce, aad: self.aad, ciphertext: &self.ciphertext, tag: &self.tag })
    }
}

impl fmt::Debug for EncryptedToken<'_> {
    /// Names the algorithms only: a token is a credential and must not reach a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (management, encryption) = (self.management(), self.encryption());
        formatter.debug_struct("EncryptedToken").field("alg", &management).field("enc", &encryption).finish_non_exhaustive()
    }
}

fn decode(part: Part, text: &[u8]) -> Result<Vec<u8>, Malformed> {
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) if bytes.is_empty() => Err(Malformed::Empty(part)),
        decoded => decoded.map_err(|_| Malformed::Encoding(part)),
    }
}
