//! One key for one algorithm, and whether it signed a token.
//!
//! jwt-simple verifies the signature and nothing else: its rules about time and type are set so that they always hold, because
//! [`ClaimRules`](super::ClaimRules) decides about both, by a time that is an argument.

use jwt_simple::prelude::*;

use super::algorithm::Algorithm;
use super::token::{MAX_TOKEN_BYTES, Token};

/// A verification key that serves exactly one algorithm, so that a token can never choose how its key is used
/// (RFC 8725 section 3.1).
#[derive(Debug, Clone)]
pub(super) enum Verifier {
    Rs256(Box<RS256PublicKey>),
    Rs384(Box<RS384PublicKey>),
    Rs512(Box<RS512PublicKey>),
    Es256(Box<ES256PublicKey>),
    Es384(Box<ES384PublicKey>),
    Hs256(HS256Key),
    Hs384(HS384Key),
    Hs512(HS512Key),
    EdDsa(Ed25519PublicKey),
}

impl Verifier {
    /// The keyed hash of one algorithm; `None` when the algorithm is not symmetric.
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::Hs256 => Some(Self::Hs256(HS256Key::from_bytes(secret))),
            Algorithm::Hs384 => Some(Self::Hs384(HS384Key::from_bytes(secret))),
            Algorithm::Hs512 => Some(Self::Hs512(HS512Key::from_bytes(secret))),
            _ => None,
        }
    }

    /// An RSA public key for one algorithm; `None` when the algorithm is not RSA or the numbers are no acceptable key.
    pub fn from_rsa(algorithm: Algorithm, modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::Rs256 => RS256PublicKey::from_components(modulus, exponent).ok().map(Box::new).map(Self::Rs256),
            Algorithm::Rs384 => RS384PublicKey::from_components(modulus, exponent).ok().map(Box::new).map(Self::Rs384),
            Algorithm::Rs512 => RS512PublicKey::from_components(modulus, exponent).ok().map(Box::new).map(Self::Rs512),
            _ => None,
        }
    }

    /// A point on the algorithm's curve: SEC 1 for ECDSA, RFC 8032 for Ed25519; `None` when it is no public key of it.
    pub fn from_point(algorithm: Algorithm, point: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::Es256 => ES256PublicKey::from_bytes(point).ok().map(Box::new).map(Self::Es256),
            Algorithm::Es384 => ES384PublicKey::from_bytes(point).ok().map(Box::new).map(Self::Es384),
            Algorithm::EdDsa => Ed25519PublicKey::from_bytes(point).ok().map(Self::EdDsa),
            _ => None,
        }
    }

    /// The algorithm that it serves.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rs256(_) => Algorithm::Rs256,
            Self::Rs384(_) => Algorithm::Rs384,
            Self::Rs512(_) => Algorithm::Rs512,
            Self::Es256(_) => Algorithm::Es256,
            Self::Es384(_) => Algorithm::Es384,
            Self::Hs256(_) => Algorithm::Hs256,
            Self::Hs384(_) => Algorithm::Hs384,
            Self::Hs512(_) => Algorithm::Hs512,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    /// Whether this key signed the token, by this algorithm.
    pub fn has_signed(&self, token: &Token<'_>) -> bool {
        let (text, options) = (token.text(), Some(signature_only(token)));
        match self {
            Self::Rs256(key) => key.verify_token::<NoCustomClaims>(text, options).is_ok(),
            Self::Rs384(key) => key.verify_token::<NoCustomClaims>(text, options).is_ok(),
            Self::Rs512(key) => key.verify_token::<NoCustomClaims>(text, options).is_ok(),
            Self::Es256(key) => key.verify_token::<NoCustomClaims>(text, options).is_ok(),
            Self::Es384(key) => key.verify_token::<NoCustomClaims>(text, options).is_ok(),
            Self::Hs256(key) => key.verify_token::<NoCustomClaims>(text, options).is_ok(),
            Self::Hs384(key) => key.verify_token::<NoCustomClaims>(text, options).is_ok(),
            Self::Hs512(key) => key.verify_token::<NoCustomClaims>(text, options).is_ok(),
            Self::EdDsa(key) => key.verify_token::<NoCustomClaims>(text, options).is_ok(),
        }
    }
}

/// Options under which jwt-simple reads no clock and judges neither time nor type.
fn signature_only(token: &Token<'_>) -> VerificationOptions {
    VerificationOptions {
        artificial_time: Some(UnixTimeStamp::from_secs(0)),
        time_tolerance: Some(Duration::from_secs(0)),
        accept_future: true,
        max_token_length: None,
        max_header_length: Some(MAX_TOKEN_BYTES),
        required_signature_type: token.media_type().map(str::to_owned),
        ..VerificationOptions::default()
    }
}
