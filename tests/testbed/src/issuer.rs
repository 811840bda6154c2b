//! An issuer of tokens.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::claims::{Claims, now};
use crate::signing_key::{Algorithm, SigningKey};

/// An issuer: its name and its keys. The first key signs unless another one is asked for.
pub struct Issuer {
    name: String,
    keys: Vec<SigningKey>,
}

impl Issuer {
    /// An issuer with one key of each of the algorithms; the `kid` is the algorithm's name in lower case.
    ///
    /// # Errors
    /// When a key cannot be generated.
    pub fn new(name: &str, algorithms: &[Algorithm]) -> Result<Self> {
        let generate = |algorithm: &Algorithm| SigningKey::generate(*algorithm, &algorithm.as_str().to_ascii_lowercase());
        Ok(Self { name: name.to_owned(), keys: algorithms.iter().map(generate).collect::<Result<_>>()? })
    }

    /// An issuer with these keys.
    #[must_use]
    pub fn with_keys(name: &str, keys: Vec<SigningKey>) -> Self {
        Self { name: name.to_owned(), keys }
    }

    /// The `iss` of its tokens.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The claims of an ordinary token: `iss`, `sub` "alice", `aud` "orders", `iat`, `exp` in five minutes, and a `jti`.
    #[must_use]
    pub fn claims(&self) -> Claims {
        Claims::new()
            .with("iss", self.name.as_str())
            .with("sub", "alice")
            .with("aud", "orders")
            .with("iat", now())
            .with("jti", "token-1")
            .expiring_in(300)
    }

    /// A token with these claims, signed by the first key.
    ///
    /// # Errors
    /// When there is no key or signing fails.
    pub fn sign(&self, claims: &Claims) -> Result<String> {
        self.keys.first().context("the issuer has no key")?.sign(claims)
    }

    /// An ordinary token signed by the first key.
    ///
    /// # Errors
    /// When there is no key or signing fails.
    pub fn token(&self) -> Result<String> {
        self.sign(&self.claims())
    }

    /// The key of this algorithm.
    ///
    /// # Errors
    /// When the issuer has none.
    pub fn key(&self, algorithm: Algorithm) -> Result<&SigningKey> {
        let wanted = |key: &&SigningKey| key.algorithm() == algorithm;
        self.keys.iter().find(wanted).with_context(|| format!("the issuer has no {} key", algorithm.as_str()))
    }

    /// The key set that it publishes (RFC 7517 section 5).
    ///
    /// # Errors
    /// When a key cannot be written.
    pub fn jwks(&self) -> Result<Value> {
        let keys: Vec<_> = self.keys.iter().map(SigningKey::jwk).collect::<Result<_>>()?;
        Ok(json!({ "keys": keys }))
    }
}
