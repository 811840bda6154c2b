//! Keys, generated for the run, and tokens signed with them.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::*;
use serde_json::{Value, json};

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

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}
