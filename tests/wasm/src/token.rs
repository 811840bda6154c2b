//! Tokens and keys, made at run time.

use jwt_simple::prelude::{Claims, Duration, ECDSAP256KeyPairLike, ES256KeyPair, HS256Key, JWTClaims, MACLike};
use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Encoder};
use serde_json::{Map, Value, json};

/// A token signed with a shared secret.
///
/// # Panics
/// When the claims are not an object.
#[must_use]
pub fn hs256(secret: &[u8], claims: Value) -> String {
    HS256Key::from_bytes(secret).authenticate(exactly(claims)).expect("the claims can be signed")
}

/// An issuer with one ES256 key.
pub struct Es256Issuer(ES256KeyPair);

impl Es256Issuer {
    /// An issuer with a new key that has this `kid`.
    #[must_use]
    pub fn new(kid: &str) -> Self {
        Self(ES256KeyPair::generate().with_key_id(kid))
    }

    /// A token signed with the key.
    ///
    /// # Panics
    /// When the claims are not an object.
    #[must_use]
    pub fn sign(&self, claims: Value) -> String {
        self.0.sign(exactly(claims)).expect("the claims can be signed")
    }

    /// The key set that the issuer publishes.
    ///
    /// # Panics
    /// Never: the key is a point.
    #[must_use]
    pub fn jwks(&self) -> String {
        let point = self.0.key_pair().public_key().to_bytes_uncompressed();
        let coordinate = |bytes: &[u8]| Base64UrlSafeNoPadding::encode_to_string(bytes).expect("it is short");
        let kid = self.0.key_id().clone();
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid,
            "x": coordinate(&point[1..33]), "y": coordinate(&point[33..]),
        }]})
        .to_string()
    }
}

/// These claims and no others: what jwt-simple would add by its own clock is left out.
fn exactly(claims: Value) -> JWTClaims<Map<String, Value>> {
    let Value::Object(claims) = claims else { panic!("claims are an object: {claims}") };
    let mut claims = Claims::with_custom_claims(claims, Duration::from_secs(0));
    (claims.issued_at, claims.expires_at, claims.invalid_before) = (None, None, None);
    claims
}
