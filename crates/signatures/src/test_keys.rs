//! Keys for tests, generated once per run, and tokens signed with them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::must_use_candidate,
    reason = "only tests are built with this, and a broken expectation ends a test"
)]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::*;
use p521::ecdsa::signature::Signer;
use serde_json::{Map, Value, json};

use crate::algorithm::Algorithm;

static KEYS: LazyLock<TestKeys> = LazyLock::new(|| TestKeys {
    rsa: RS256KeyPair::generate(2048).unwrap(),
    p256: ES256KeyPair::generate(),
    p384: ES384KeyPair::generate(),
    p521: p521_key(),
    ed25519: Ed25519KeyPair::generate(),
});

/// A secret for tests; long enough for every hash.
pub const SECRET: &[u8] = b"a secret for tests, as long as the longest hash: 64 bytes of it.";

/// A key of each kind.
pub struct TestKeys {
    rsa: RS256KeyPair,
    p256: ES256KeyPair,
    p384: ES384KeyPair,
    p521: p521::ecdsa::SigningKey,
    ed25519: Ed25519KeyPair,
}

/// A P-521 key, whose library asks for no chance of its own here: 64 bytes of it make a number below the order.
fn p521_key() -> p521::ecdsa::SigningKey {
    let mut number = [0; 66];
    number[2..].copy_from_slice(&Ed25519KeyPair::generate().to_bytes());
    p521::ecdsa::SigningKey::from_slice(&number).unwrap()
}

impl TestKeys {
    /// The keys of this run.
    pub fn get() -> &'static Self {
        &KEYS
    }

    /// A token of the asymmetric algorithm.
    ///
    /// # Panics
    /// For a symmetric one.
    pub fn sign(&self, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
        if algorithm == Algorithm::Es512 {
            return self.sign_es512(kid, claims);
        }
        let claims = custom(claims);
        let der = || self.rsa.to_der().unwrap();
        macro_rules! sign {
            ($key:expr) => {{
                let key = $key;
                match kid {
                    Some(kid) => key.with_key_id(kid).sign(claims).unwrap(),
                    None => key.sign(claims).unwrap(),
                }
            }};
        }
        match algorithm {
            Algorithm::Rs256 => sign!(RS256KeyPair::from_der(&der()).unwrap()),
            Algorithm::Rs384 => sign!(RS384KeyPair::from_der(&der()).unwrap()),
            Algorithm::Rs512 => sign!(RS512KeyPair::from_der(&der()).unwrap()),
            Algorithm::Ps256 => sign!(PS256KeyPair::from_der(&der()).unwrap()),
            Algorithm::Ps384 => sign!(PS384KeyPair::from_der(&der()).unwrap()),
            Algorithm::Ps512 => sign!(PS512KeyPair::from_der(&der()).unwrap()),
            Algorithm::Es256 => sign!(ES256KeyPair::from_bytes(&self.p256.to_bytes()).unwrap()),
            Algorithm::Es384 => sign!(ES384KeyPair::from_bytes(&self.p384.to_bytes()).unwrap()),
            Algorithm::EdDsa => sign!(Ed25519KeyPair::from_bytes(&self.ed25519.to_bytes()).unwrap()),
            _ => panic!("signed with another key"),
        }
    }

    fn sign_es512(&self, kid: Option<&str>, claims: &Value) -> String {
        let mut header = json!({"alg": "ES512"});
        if let Some(kid) = kid {
            header = named(header, kid);
        }
        let signed = [header.to_string(), claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let signature: p521::ecdsa::Signature = self.p521.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// The public RSA key as a JWK.
    pub fn rsa_jwk(&self) -> Value {
        let key = self.rsa.public_key().to_components();
        json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(key.n), "e": URL_SAFE_NO_PAD.encode(key.e)})
    }

    /// The public RSA key as PEM.
    pub fn rsa_public_pem(&self) -> String {
        self.rsa.public_key().to_pem().unwrap()
    }

    /// The public RSA key as DER.
    pub fn rsa_public_der(&self) -> Vec<u8> {
        self.rsa.public_key().to_der().unwrap()
    }

    /// The public key on P-256 as a JWK.
    pub fn p256_jwk(&self) -> Value {
        elliptic_jwk("P-256", &self.p256.public_key().public_key().to_bytes_uncompressed())
    }

    /// The public key on P-384 as a JWK.
    pub fn p384_jwk(&self) -> Value {
        elliptic_jwk("P-384", &self.p384.public_key().public_key().to_bytes_uncompressed())
    }

    /// The public key on P-521 as a JWK.
    pub fn p521_jwk(&self) -> Value {
        elliptic_jwk("P-521", self.p521.verifying_key().to_sec1_point(false).as_bytes())
    }

    /// The public key on P-256 as PEM.
    pub fn p256_public_pem(&self) -> String {
        self.p256.public_key().to_pem().unwrap()
    }

    /// The public Ed25519 key as PEM.
    pub fn ed25519_public_pem(&self) -> String {
        self.ed25519.public_key().to_pem()
    }

    /// The public Ed25519 key as a JWK.
    pub fn ed25519_jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(self.ed25519.public_key().to_bytes())})
    }
}

/// A key on P-256 that signs whatever it is given, headers of its own among it.
pub struct HolderKey(p256::ecdsa::SigningKey);

impl HolderKey {
    /// The key with this number.
    pub fn new(number: u8) -> Self {
        let mut bytes = [0; 32];
        bytes[31] = number;
        Self(p256::ecdsa::SigningKey::from_slice(&bytes).unwrap())
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> Value {
        elliptic_jwk("P-256", self.0.verifying_key().to_sec1_point(false).as_bytes())
    }

    /// The private key as a JWK.
    pub fn private_jwk(&self) -> Value {
        let mut jwk = self.jwk();
        jwk["d"] = URL_SAFE_NO_PAD.encode(self.0.to_bytes()).into();
        jwk
    }

    /// A signed text with exactly this header and these claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature: p256::ecdsa::Signature = self.0.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

fn custom(claims: &Value) -> JWTClaims<Map<String, Value>> {
    let mut built = Claims::with_custom_claims(claims.as_object().unwrap().clone(), Duration::from_secs(0));
    (built.issued_at, built.expires_at, built.invalid_before) = (None, None, None);
    built
}

fn elliptic_jwk(curve: &str, point: &[u8]) -> Value {
    let (x, y) = point[1..].split_at(point.len() / 2);
    json!({"kty": "EC", "crv": curve, "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
}

/// A secret as a JWK.
pub fn oct_jwk(secret: &[u8]) -> Value {
    json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(secret)})
}

/// The JWK with a `kid`.
pub fn named(mut jwk: Value, kid: &str) -> Value {
    jwk["kid"] = kid.into();
    jwk
}

/// A JWKS document.
pub fn jwks(keys: &[Value]) -> Vec<u8> {
    json!({"keys": keys}).to_string().into_bytes()
}

/// A token with exactly this header and these claims, authenticated by a secret.
pub fn authenticate(algorithm: Algorithm, secret: &[u8], header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let tag = match algorithm {
        Algorithm::Hs384 => HS384Key::from_bytes(secret).authentication_tag(signed.as_bytes()),
        Algorithm::Hs512 => HS512Key::from_bytes(secret).authentication_tag(signed.as_bytes()),
        _ => HS256Key::from_bytes(secret).authentication_tag(signed.as_bytes()),
    };
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}
