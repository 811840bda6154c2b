//! A client that holds the key to which its tokens are bound.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::HS256Key;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

/// A client with a fresh key on P-256, which signs whatever it is asked to.
pub struct Holder(SigningKey);

impl Default for Holder {
    fn default() -> Self {
        Self::new()
    }
}

impl Holder {
    /// A client with a new key.
    ///
    /// # Panics
    /// When 32 bytes of chance are no key, which happens once in 2^32 times.
    #[must_use]
    pub fn new() -> Self {
        let chance = HS256Key::generate().to_bytes();
        let key = chance.get(..32).and_then(|bytes| SigningKey::from_slice(bytes).ok());
        key.map_or_else(|| panic!("{} bytes make no key", chance.len()), Self)
    }

    /// The public key.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let point = self.0.verifying_key().to_sec1_point(false);
        let [x, y] = [point.x(), point.y()].map(|number| number.map(|number| URL_SAFE_NO_PAD.encode(number)));
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    }

    /// The public key with the private one in it.
    #[must_use]
    pub fn private_jwk(&self) -> Value {
        let mut jwk = self.jwk();
        if let Some(members) = jwk.as_object_mut() {
            members.insert("d".to_owned(), URL_SAFE_NO_PAD.encode(self.0.to_bytes()).into());
        }
        jwk
    }

    /// A text with this header and these claims, signed.
    #[must_use]
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A text whose header and payload are these, whatever they say, signed.
    #[must_use]
    pub fn sign_text(&self, header: &str, payload: &str) -> String {
        let signed = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let signature: Signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}
