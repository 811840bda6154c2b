//! AES in CBC, then HMAC with SHA-256 (RFC 7518 section 5.2.2).
//!
//! The first half of the key is for the HMAC, the second for AES. The HMAC covers the additional data, the initialization vector,
//! the ciphertext, and the length of the additional data in bits as eight bytes; as many bytes of it as the tag has are the tag.
//! Nothing is decrypted before the tag was found right, so that nobody can learn of the padding.

use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::content_key::Sealed;
use crate::undecryptable::Undecryptable;

/// The content. The caller has looked at the length of the tag.
pub(crate) fn open<C: BlockModeDecrypt + KeyIvInit>(
    key: &[u8],
    sealed: &Sealed<'_>,
) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
    let (mac_key, encryption_key) = key.split_at(key.len() / 2);
    let mac = mac(mac_key, sealed.nonce, sealed.aad, sealed.ciphertext)?;
    mac.verify_truncated_left(sealed.tag).map_err(|_| Undecryptable)?;
    let cipher = C::new_from_slices(encryption_key, sealed.nonce).map_err(|_| Undecryptable)?;
    cipher.decrypt_padded_vec::<Pkcs7>(sealed.ciphertext).map(Zeroizing::new).map_err(|_| Undecryptable)
}

/// The ciphertext, and a tag of this length.
pub(crate) fn seal<C: BlockModeEncrypt + KeyIvInit>(
    key: &[u8],
    tag_bytes: usize,
    nonce: &[u8],
    aad: &[u8],
    content: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), Undecryptable> {
    let (mac_key, encryption_key) = key.split_at(key.len() / 2);
    let cipher = C::new_from_slices(encryption_key, nonce).map_err(|_| Undecryptable)?;
    let ciphertext = cipher.encrypt_padded_vec::<Pkcs7>(content);
    let mut tag = mac(mac_key, nonce, aad, &ciphertext)?.finalize().into_bytes().to_vec();
    tag.truncate(tag_bytes);
    Ok((ciphertext, tag))
}

fn mac(key: &[u8], nonce: &[u8], aad: &[u8], ciphertext: &[u8]) -> Result<Hmac<Sha256>, Undecryptable> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Undecryptable)?;
    let bits = u64::try_from(aad.len()).ok().and_then(|bytes| bytes.checked_mul(8)).ok_or(Undecryptable)?;
    mac.update(aad);
    mac.update(nonce);
    mac.update(ciphertext);
    mac.update(&bits.to_be_bytes());
    Ok(mac)
}
