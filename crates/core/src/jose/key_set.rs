//! The keys of one issuer, and which of them may vouch for a token.
//!
//! Selection, in this order: the token's algorithm is allowed; the keys that bear its `kid` (a token with a `kid` is never
//! tried against other keys; one without needs exactly one key that fits); those of them that serve its algorithm; the one
//! that signed it.

use serde_json::Value;

use super::algorithm::{Algorithm, AlgorithmSet};
use super::jwk::{SkipReason, VerificationKey};
use super::strict_json;
use super::token::{Token, Verified};
use super::verify::Verifier;
use crate::rejection::Rejection;

/// The shortest secret that is accepted, whatever the hash. RFC 7518 section 3.2 asks for 48 bytes with HS384 and 64 with HS512;
/// issuers sign HS512 with shorter ones, and 32 bytes of chance are out of reach already.
pub const MIN_SECRET_BYTES: usize = 32;
/// The longest JWKS document that is read.
const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;
/// The most keys that a set may hold: each key that bears a token's `kid` costs a verification.
const MAX_KEYS: usize = 100;

/// Why a key set cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// The document is longer than 1 MiB.
    #[error("the key set is longer than 1 MiB")]
    TooLarge,
    /// The document is not JSON.
    #[error("the key set is not JSON, or an object in it repeats a name")]
    NotJson,
    /// The document is no JWKS.
    #[error("the key set has no list `keys`")]
    NoKeysMember,
    /// The list is empty.
    #[error("the list `keys` is empty")]
    Empty,
    /// The list is too long.
    #[error("the list `keys` holds more than 100 keys")]
    TooManyKeys,
    /// No key can be used; this is why not the first.
    #[error("none of the keys can be used: {0}")]
    NoUsableKey(SkippedKey),
    /// The secret can be guessed.
    #[error("the secret is shorter than 32 bytes")]
    SecretTooShort,
}

/// A key of the document that is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("keys[{index}] is not used: {reason}")]
pub struct SkippedKey {
    /// Its place in `keys`.
    pub index: usize,
    /// Why.
    pub reason: SkipReason,
}

/// A key, as far as it may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyView<'a> {
    /// Its place in `keys`; absent for a secret of the configuration.
    pub index: Option<usize>,
    /// Its `kid`.
    pub id: Option<&'a str>,
    /// The algorithms that it serves.
    pub algorithms: AlgorithmSet,
}

/// The keys of one issuer.
#[derive(Debug)]
pub struct KeySet {
    keys: Keys,
    skipped: Vec<SkippedKey>,
}

#[derive(Debug)]
enum Keys {
    /// A secret from the configuration. It has no `kid` and serves every one.
    Secret(Vec<Verifier>),
    Published(Vec<VerificationKey>),
}

impl KeySet {
    /// The keys of a JWKS document (RFC 7517 section 5) that can be used.
    ///
    /// # Errors
    /// [`KeySetError`], when the document cannot be read or no key of it can be used.
    pub fn from_jwks(document: &[u8]) -> Result<Self, KeySetError> {
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(KeySetError::TooLarge);
        }
        let document = strict_json::parse(document).ok_or(KeySetError::NotJson)?;
        let jwks = document.get("keys").and_then(Value::as_array).ok_or(KeySetError::NoKeysMember)?;
        if jwks.len() > MAX_KEYS {
            return Err(KeySetError::TooManyKeys);
        }
        let (mut keys, mut skipped) = (Vec::new(), Vec::new());
        for (index, jwk) in jwks.iter().enumerate() {
            match VerificationKey::from_jwk(jwk) {
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push(SkippedKey { index, reason }),
            }
        }
        if keys.is_empty() {
            return Err(skipped.first().map_or(KeySetError::Empty, |first| KeySetError::NoUsableKey(*first)));
        }
        Ok(Self { keys: Keys::Published(keys), skipped })
    }

    /// A shared secret. It serves HS256, HS384 and HS512, and a token with any `kid` or none.
    ///
    /// # Errors
    /// [`KeySetError::SecretTooShort`] below [`MIN_SECRET_BYTES`].
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeySetError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(KeySetError::SecretTooShort);
        }
        let verifiers = Algorithm::ALL.into_iter().filter_map(|algorithm| Verifier::from_secret(algorithm, secret));
        Ok(Self { keys: Keys::Secret(verifiers.collect()), skipped: Vec::new() })
    }

    /// The algorithms that some key of the set serves.
    #[must_use]
    pub fn algorithms(&self) -> AlgorithmSet {
        self.verifiers().map(Verifier::algorithm).collect()
    }

    /// The keys, without what is secret of them.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyView<'_>> {
        let served = |verifiers: &[Verifier]| verifiers.iter().map(Verifier::algorithm).collect();
        match &self.keys {
            Keys::Secret(verifiers) => vec![KeyView { index: None, id: None, algorithms: served(verifiers) }],
            Keys::Published(keys) => {
                let used = (0..).filter(|index| self.skipped.iter().all(|skipped| skipped.index != *index));
                let keys = used.zip(keys);
                keys.map(|(index, key)| KeyView { index: Some(index), id: key.id.as_deref(), algorithms: served(&key.verifiers) })
                    .collect()
            }
        }
    }

    /// The keys of the document that are not used.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Verify a token's signature.
    ///
    /// # Errors
    /// [`Rejection::AlgorithmNotAllowed`] when the algorithm is not `allowed` or does not fit the key that the token names,
    /// [`Rejection::KeyUnknown`] when no key bears its `kid` or, without a `kid`, not exactly one key fits,
    /// [`Rejection::SignatureInvalid`].
    pub fn verify(&self, token: Token<'_>, allowed: AlgorithmSet) -> Result<Verified, Rejection> {
        if !allowed.contains(token.algorithm()) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        let candidates = self.candidates(&token)?;
        if candidates.iter().any(|verifier| verifier.has_signed(&token)) {
            Ok(token.into_verified())
        } else {
            Err(Rejection::SignatureInvalid)
        }
    }

    fn verifiers(&self) -> impl Iterator<Item = &Verifier> {
        let (secret, published) = match &self.keys {
            Keys::Secret(verifiers) => (verifiers.as_slice(), [].as_slice()),
            Keys::Published(keys) => ([].as_slice(), keys.as_slice()),
        };
        secret.iter().chain(published.iter().flat_map(|key| &key.verifiers))
    }

    /// The verifiers to try; never empty.
    fn candidates(&self, token: &Token<'_>) -> Result<Vec<&Verifier>, Rejection> {
        let fits = |verifier: &&Verifier| verifier.algorithm() == token.algorithm();
        match (&self.keys, token.key_id()) {
            (Keys::Published(keys), Some(key_id)) => {
                let named: Vec<_> = keys.iter().filter(|key| key.id.as_deref() == Some(key_id)).collect();
                let fitting: Vec<_> = named.iter().flat_map(|key| &key.verifiers).filter(fits).collect();
                match (named.is_empty(), fitting.is_empty()) {
                    (true, _) => Err(Rejection::KeyUnknown),
                    (false, true) => Err(Rejection::AlgorithmNotAllowed),
                    (false, false) => Ok(fitting),
                }
            }
            (Keys::Published(_), None) => {
                let fitting: Vec<_> = self.verifiers().filter(fits).collect();
                if fitting.len() == 1 { Ok(fitting) } else { Err(Rejection::KeyUnknown) }
            }
            (Keys::Secret(verifiers), _) => {
                let fitting: Vec<_> = verifiers.iter().filter(fits).collect();
                if fitting.is_empty() { Err(Rejection::AlgorithmNotAllowed) } else { Ok(fitting) }
            }
        }
    }
}

#[cfg(test)]
mod tests;
