//! Tokens that the gateway signs itself: the keys that sign, the signature, and the key set by which others verify.
//!
//! A [`SigningKey`] is read from PEM (`PRIVATE KEY`, PKCS #8) or from a JWK with `d`, and signs by ES256 (P-256) or EdDSA
//! (Ed25519). Both signatures are functions of key and text alone (RFC 6979, RFC 8032): there is no nonce that a weak source of
//! chance could give away. A [`PublicKey`] is what is published of one; its `kid` is its thumbprint (RFC 7638), so that the same
//! key has the same name wherever it is read.
//!
//! Refused: keys of other kinds, a public part that does not belong to the private one, a point off the curve. No error and no
//! debug output holds any part of a private key, and its bytes are overwritten when it goes.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects)]

mod der;
mod jwk;
mod pem;
mod public_key;
mod signing_key;
mod unique;

pub use public_key::{PublicKey, key_set};
pub use signing_key::SigningKey;
pub use unique::{Unique, digest};

/// Why something is no key for this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    /// It is neither PEM nor a JSON object.
    #[error("is neither PEM nor a JWK")]
    Unreadable,
    /// It is PEM of something else.
    #[error("is PEM of something else than `PRIVATE KEY` (PKCS #8) or `PUBLIC KEY`")]
    Label,
    /// It is malformed.
    #[error("is not a well-formed key")]
    Malformed,
    /// It is a key of another kind.
    #[error("is neither a P-256 key nor an Ed25519 key")]
    Kind,
    /// Its public part belongs to another key.
    #[error("has a public part that does not belong to its private one")]
    Mismatch,
    /// It has no private part.
    #[error("has no private part, so it cannot sign")]
    Public,
}

/// A text could not be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text could not be signed")]
pub struct NotSigned;
