//! AES in CBC with nothing that vouches for it, as old issuers encrypt identifiers.
//!
//! Whoever can change the ciphertext can change the content, and can learn it from which changes are refused. It may be used only
//! for what is vouched for otherwise, such as a claim of a signed token.

use std::fmt;

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use zeroize::Zeroizing;

use crate::key_error::KeyError;
use crate::undecryptable::Undecryptable;

/// A key of AES in CBC with the padding of PKCS #7.
#[derive(Clone)]
pub struct LegacyKey(Zeroizing<Vec<u8>>);

impl LegacyKey {
    /// The length of an initialization vector, in bytes.
    pub const NONCE_BYTES: usize = 16;

    /// The key in these bytes, of which `algorithm` needs so many: 16 or 32.
    ///
    /// # Errors
    /// [`KeyError::Length`].
    pub fn new(algorithm: &'static str, needed: usize, key: &[u8]) -> Result<Self, KeyError> {
        if key.len() == needed && matches!(needed, 16 | 32) {
            return Ok(Self(Zeroizing::new(key.to_vec())));
        }
        Err(KeyError::Length { algorithm, needed, found: key.len() })
    }

    /// The content. That its padding is right says nearly nothing.
    ///
    /// # Errors
    /// [`Undecryptable`].
    pub fn open(&self, nonce: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
        match self.0.len() {
            16 => decrypt::<cbc::Decryptor<aes::Aes128>>(&self.0, nonce, ciphertext),
            _ => decrypt::<cbc::Decryptor<aes::Aes256>>(&self.0, nonce, ciphertext),
        }
    }

    /// The ciphertext.
    ///
    /// # Errors
    /// [`Undecryptable`] for an initialization vector of another length.
    pub fn seal(&self, nonce: &[u8], content: &[u8]) -> Result<Vec<u8>, Undecryptable> {
        match self.0.len() {
            16 => encrypt::<cbc::Encryptor<aes::Aes128>>(&self.0, nonce, content),
            _ => encrypt::<cbc::Encryptor<aes::Aes256>>(&self.0, nonce, content),
        }
    }
}

impl fmt::Debug for LegacyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LegacyKey([secret])")
    }
}

fn decrypt<C: BlockModeDecrypt + KeyIvInit>(
    key: &[u8],
    nonce: &[u8],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
    let cipher = C::new_from_slices(key, nonce).map_err(|_| Undecryptable)?;
    cipher.decrypt_padded_vec::<Pkcs7>(ciphertext).map(Zeroizing::new).map_err(|_| Undecryptable)
}

fn encrypt<C: BlockModeEncrypt + KeyIvInit>(key: &[u8], nonce: &[u8], content: &[u8]) -> Result<Vec<u8>, Undecryptable> {
    let cipher = C::new_from_slices(key, nonce).map_err(|_| Undecryptable)?;
    Ok(cipher.encrypt_padded_vec::<Pkcs7>(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_seals_and_refuses_other_lengths() {
        for needed in [16, 32] {
            let key = LegacyKey::new("A", needed, &vec![7; needed]).unwrap();
            for content in [&b""[..], b"a", &[1; 15], &[1; 16], &[1; 4000]] {
                let sealed = key.seal(&[9; 16], content).unwrap();
                assert_eq!(**key.open(&[9; 16], &sealed).unwrap(), *content);
                assert!(key.open(&[9; 16], &sealed[1..]).is_err());
                assert!(key.open(&[9; 15], &sealed).is_err() && key.open(b"", &sealed).is_err());
            }
            assert!(key.open(&[9; 16], b"").is_err());
            assert!(key.seal(&[9; 12], b"a").is_err());
        }
        let wrong = KeyError::Length { algorithm: "A", needed: 16, found: 32 };
        assert_eq!(LegacyKey::new("A", 16, &[7; 32]).err(), Some(wrong));
        assert!(LegacyKey::new("A", 24, &[7; 24]).is_err());
        assert_eq!(format!("{:?}", LegacyKey::new("A", 16, b"0123456789abcdef")), "Ok(LegacyKey([secret]))");
    }

    /// NIST SP 800-38A, F.2.5, its first block. The block of padding behind it is not part of the publication.
    #[test]
    fn encrypts_as_nist_says() {
        let key = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let content = hex("6bc1bee22e409f96e93d7e117393172a");
        let sealed = LegacyKey::new("A256CBC", 32, &key).unwrap().seal(&(0..16).collect::<Vec<u8>>(), &content).unwrap();
        assert_eq!(sealed[..16], hex("f58c4c04d6e5f1ba779eabfb5f7bfbd6"));
        assert_eq!(sealed.len(), 32);
    }

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }
}
