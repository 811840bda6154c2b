//! Keys, generated for the run, and tokens signed with them.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::*;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The secret of the symmetric tokens.
pub const SECRET: &str = "S3CRET-of-more-than-thirty-two-bytes-for-tests";
/// The time of the tests: 2026-11-25T20:00:00Z.
pub const AT: &str = "2026-11-25T20:00:00Z";

static ED25519: LazyLock<Ed25519KeyPair> = LazyLock::new(Ed25519KeyPair::generate);

/// The claims of a token that is good at [`AT`], with some of them replaced; null takes one away.
pub fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://uaa.example.com", "sub": "anna", "aud": "orders", "iat": 1_795_636_500, "exp": 1_795_637_400,
        "roles": ["RESTAURANT"], "scope": "orders.read",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// An HS256 token with this header.
pub fn hs256_with(header: &Value, claims: &Value) -> String {
    let text = format!("{}.{}", part(&header.to_string()), part(&claims.to_string()));
    let tag = HS256Key::from_bytes(SECRET.as_bytes()).authentication_tag(text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// An HS256 token.
pub fn hs256(claims: &Value) -> String {
    hs256_with(&json!({"alg": "HS256", "typ": "JWT"}), claims)
}

/// A token signed with the Ed25519 key of [`jwks`], under this `kid`.
pub fn ed25519(kid: &str, claims: &Value) -> String {
    let mut built = Claims::with_custom_claims(claims.as_object().unwrap().clone(), Duration::from_secs(0));
    (built.issued_at, built.expires_at, built.invalid_before) = (None, None, None);
    let key = Ed25519KeyPair::from_bytes(&ED25519.to_bytes()).unwrap().with_key_id(kid);
    key.sign(built).unwrap()
}

/// A key set with the Ed25519 key under this `kid`.
pub fn jwks(kid: &str) -> String {
    let x = URL_SAFE_NO_PAD.encode(ED25519.public_key().to_bytes());
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig"}]}).to_string()
}

/// The public part of the Ed25519 key.
pub fn pem() -> String {
    ED25519.public_key().to_pem()
}

/// A text in base64url.
fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// The SHA-256 of a text in base64url.
pub fn sha256(text: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// A client that holds a key on P-256.
pub struct Holder(SigningKey);

impl Holder {
    /// Always the same.
    pub fn new() -> Self {
        Self(SigningKey::from_slice(&[7; 32]).unwrap())
    }

    /// The public key.
    pub fn jwk(&self) -> Value {
        let point = self.0.verifying_key().to_sec1_point(false);
        let [x, y] = [point.x(), point.y()].map(|number| number.map(|number| URL_SAFE_NO_PAD.encode(number)));
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    }

    /// Its thumbprint.
    pub fn thumbprint(&self) -> String {
        sha256(self.jwk().to_string().as_bytes())
    }

    /// A text with this header and these claims, signed.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(&header.to_string()), part(&claims.to_string()));
        let signature: Signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}
