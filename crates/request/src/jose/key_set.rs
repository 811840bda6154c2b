//! The keys of one issuer, and which of them may vouch for a token.
//!
//! Selection, in this order: the token's algorithm is allowed; the keys that bear its `kid` (a token with a `kid` is never
//! tried against other keys; one without needs exactly one key that fits); those of them that serve its algorithm; the one
//! that signed it.

use portcullis_signatures::{Algorithm, AlgorithmSet, Signatures, VerificationKey};
use serde_json::Value;

use super::jwk::{self, SkipReason};
use super::jws::Jws;
use super::strict_json;
use super::token::{Token, Verified};
use crate::rejection::Rejection;

/// The longest JWKS document that is read.
pub(super) const MAX_DOCUMENT_BYTES: usize = 1024 * 1024;
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
    /// The document is no token key.
    #[error("the token key has no text `alg` and `value`")]
    NotATokenKey,
    /// The only key cannot be used.
    #[error("the key cannot be used: {0}")]
    UnusableKey(#[from] SkipReason),
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

impl KeyView<'_> {
    /// Whether it may be tried on a token with this `kid` and algorithm.
    #[must_use]
    pub fn fits(&self, key_id: Option<&str>, algorithm: Algorithm) -> bool {
        let is_meant = self.index.is_none() || key_id.is_none_or(|key_id| self.id == Some(key_id));
        is_meant && self.algorithms.contains(algorithm)
    }
}

/// The keys of one issuer.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<VerificationKey>,
    /// Whether a token may have any `kid`: so for a secret from the configuration, which has none.
    serves_any_kid: bool,
    skipped: Vec<SkippedKey>,
}

impl From<VerificationKey> for KeySet {
    fn from(key: VerificationKey) -> Self {
        Self { keys: vec![key], serves_any_kid: false, skipped: Vec::new() }
    }
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
            match jwk::read(jwk) {
                Ok(key) => keys.push(key),
                Err(reason) => skipped.push(SkippedKey { index, reason }),
            }
        }
        if keys.is_empty() {
            return Err(skipped.first().map_or(KeySetError::Empty, |first| KeySetError::NoUsableKey(*first)));
        }
        Ok(Self { keys, serves_any_kid: false, skipped })
    }

    /// The one key of a JWK that a text brings along itself, for that text, whatever `kid` it names.
    ///
    /// # Errors
    /// Why the key cannot be used.
    pub fn of_jwk(jwk: &Value) -> Result<Self, SkipReason> {
        jwk::read(jwk).map(|key| Self::from(key).for_any_kid())
    }

    /// A shared secret. It serves HS256, HS384 and HS512, and a token with any `kid` or none.
    ///
    /// # Errors
    /// [`KeySetError::SecretTooShort`] below [`MIN_SECRET_BYTES`](portcullis_config::secret::MIN_SECRET_BYTES).
    pub fn from_secret(secret: &[u8]) -> Result<Self, KeySetError> {
        let material = jwk::secret(secret).map_err(|_| KeySetError::SecretTooShort)?;
        let key = VerificationKey { id: None, algorithms: material.algorithms(), material };
        Ok(Self { serves_any_kid: true, ..Self::from(key) })
    }

    /// The same keys for a token with any `kid`, as if they stood in the configuration without one.
    #[must_use]
    pub fn for_any_kid(self) -> Self {
        Self { serves_any_kid: true, ..self }
    }

    /// The algorithms that some key of the set serves.
    #[must_use]
    pub fn algorithms(&self) -> AlgorithmSet {
        self.keys.iter().fold(AlgorithmSet::default(), |served, key| served.union(key.algorithms))
    }

    /// The keys, without what is secret of them.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyView<'_>> {
        let used = (0..).filter(|index| self.skipped.iter().all(|skipped| skipped.index != *index));
        used.zip(&self.keys)
            .map(|(index, key)| KeyView {
                index: (!self.serves_any_kid).then_some(index),
                id: key.id.as_deref(),
                algorithms: key.algorithms,
            })
            .collect()
    }

    /// The keys of the document that are not used.
    #[must_use]
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// Verify a token's signature, in the module.
    ///
    /// # Errors
    /// Those of [`verify_with`](Self::verify_with).
    pub fn verify<'a>(&self, token: Token<'a>, allowed: AlgorithmSet) -> Result<Verified<'a>, Rejection> {
        self.verify_with(&Signatures::in_module(), token, allowed)
    }

    /// Verify a token's signature, by whom `signatures` says.
    ///
    /// # Errors
    /// Those of [`verify_jws`](Self::verify_jws).
    pub fn verify_with<'a>(
        &self,
        signatures: &Signatures,
        token: Token<'a>,
        allowed: AlgorithmSet,
    ) -> Result<Verified<'a>, Rejection> {
        self.verify_jws(signatures, token.jws(), allowed).map(|()| token.into_verified())
    }

    /// Verify the signature of a text, which need not be a token.
    ///
    /// # Errors
    /// [`Rejection::AlgorithmNotAllowed`] when the algorithm is not `allowed` or does not fit the key that the text names,
    /// [`Rejection::KeyUnknown`] when no key bears its `kid` or, without a `kid`, not exactly one key fits,
    /// [`Rejection::SignatureInvalid`].
    pub fn verify_jws(&self, signatures: &Signatures, jws: &Jws<'_>, allowed: AlgorithmSet) -> Result<(), Rejection> {
        if !allowed.contains(jws.algorithm()) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        self.check_candidates(jws)?;
        let (algorithm, text, signature) = (jws.algorithm(), jws.signed_text(), jws.signature());
        let is_signed = self.candidates(jws).any(|key| key.has_signed(algorithm, text, signature, signatures));
        if is_signed { Ok(()) } else { Err(Rejection::SignatureInvalid) }
    }

    /// The keys that bear the text's `kid`; all of them when it has none.
    fn named<'a>(&'a self, jws: &'a Jws<'_>) -> impl Iterator<Item = &'a VerificationKey> {
        let wanted = if self.serves_any_kid { None } else { jws.key_id() };
        self.keys.iter().filter(move |key| wanted.is_none_or(|wanted| key.id.as_deref() == Some(wanted)))
    }

    /// The keys to try: those of the named that serve the text's algorithm.
    fn candidates<'a>(&'a self, jws: &'a Jws<'_>) -> impl Iterator<Item = &'a VerificationKey> {
        self.named(jws).filter(|key| key.algorithms.contains(jws.algorithm()))
    }

    fn check_candidates(&self, jws: &Jws<'_>) -> Result<(), Rejection> {
        let (named, fitting) = (self.named(jws).count(), self.candidates(jws).count());
        match (self.serves_any_kid, jws.key_id()) {
            (false, Some(_)) if named == 0 => Err(Rejection::KeyUnknown),
            (false, None) if fitting != 1 => Err(Rejection::KeyUnknown),
            _ if fitting == 0 => Err(Rejection::AlgorithmNotAllowed),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
