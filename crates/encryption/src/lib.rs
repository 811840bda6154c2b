//! What was encrypted for us (RFC 7516, RFC 7518): content encryption, the keys of JWE, and one answer to all that does not decrypt.
//!
//! A [`ContentKey`] opens what is [`Sealed`] under it. A [`DecryptionKey`] is what a recipient holds, and says of an
//! encrypted key which content key it is. Whatever is wrong with what came from outside, the answer is [`Undecryptable`]: no
//! caller can tell a wrong key from a wrong tag, a wrong padding or a wrong length, and no plaintext is given out before its tag
//! was verified. An encrypted key that RSA does not decrypt is replaced by chance, so that the tag is what fails then too.
//!
//! Every secret that is kept here is overwritten when it is dropped, and is in no `Debug` output. Tokens and JSON are not known
//! here. Nothing here calls a host, reads a clock or does I/O; chance comes from the platform.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects)]

mod cbc_hmac;
mod concat_kdf;
mod content_encryption;
mod content_key;
mod decryption_key;
mod key_error;
mod key_management;
mod legacy;
mod p256_key;
mod rsa_key;
mod undecryptable;

pub use content_encryption::ContentEncryption;
pub use content_key::{ContentKey, Sealed};
pub use decryption_key::{Agreement, DecryptionKey, EncryptedKey};
pub use key_error::KeyError;
pub use key_management::KeyManagement;
pub use legacy::LegacyKey;
pub use p256_key::P256Key;
pub use rsa_key::RsaKey;
pub use undecryptable::Undecryptable;
pub use zeroize::Zeroizing;
