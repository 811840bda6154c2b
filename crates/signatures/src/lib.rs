//! Whether a key signed a text (RFC 7518, RFC 8037): the algorithms, the keys that serve them, and who verifies.
//!
//! Keys are made from their numbers ([`RsaKey::new`], [`EllipticKey::new`], [`EdwardsKey::new`], [`SecretKey::new`]) or from DER
//! ([`Material::from_spki`], [`Material::from_pkcs1`]); what is no good key is refused there, with a [`KeyError`]. A
//! [`VerificationKey`] then says of a text, an algorithm and a signature whether it [signed](VerificationKey::has_signed), by way of
//! the proxy where that was found to tell right from wrong ([`Signatures`]). Tokens and JSON are not known here.
//!
//! No function that is heavy is generic: the libraries' code is compiled in this crate, as its profile says, and not in the crates
//! that call it. Nothing here calls a host, reads a clock or does I/O.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects)]

mod algorithm;
mod ecdsa_der;
mod edwards_key;
mod elliptic_key;
mod hash;
mod key_error;
mod known_answers;
mod rsa_key;
mod secret_key;
mod signatures;
mod spki;
#[cfg(any(test, feature = "test-keys"))]
pub mod test_keys;
mod verification_key;

pub use algorithm::{Algorithm, AlgorithmSet};
pub use edwards_key::EdwardsKey;
pub use elliptic_key::{Curve, EllipticKey};
pub use hash::Hash;
pub use key_error::KeyError;
pub use rsa_key::RsaKey;
pub use secret_key::SecretKey;
pub use signatures::{NativeSignatures, NoAnswer, Signatures};
pub use verification_key::{Material, VerificationKey};
