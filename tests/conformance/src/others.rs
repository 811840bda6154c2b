//! What two other libraries say of a token: `jwt-simple` and `jsonwebtoken`.
//!
//! Both read a header more closely than its meaning asks for: a member that nobody looks at (`jwk`, `x5c`, …) must have its form.
//! [`signed`] asks for the signature alone, whatever else the header says.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, Validation};
use jwt_simple::prelude::*;
use serde_json::{Map, Value};

/// What a library says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It takes the token.
    Accepts,
    /// It refuses it.
    Refuses,
    /// It cannot read the header.
    CannotRead,
}

impl From<bool> for Verdict {
    fn from(accepts: bool) -> Self {
        if accepts { Self::Accepts } else { Self::Refuses }
    }
}

/// What is asked of a token beside its signature. The skew is that of the libraries: none.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// The keys.
    pub jwks: &'a Value,
    /// The issuer.
    pub issuer: &'a str,
    /// The audience.
    pub audience: &'a str,
}

/// The keys that a token may be signed with: those of its `kid`, or all.
fn named<'a>(jwks: &'a Value, kid: Option<&'a str>) -> impl Iterator<Item = &'a Value> {
    let keys = jwks["keys"].as_array().into_iter().flatten();
    keys.filter(move |key| kid.is_none_or(|kid| key["kid"] == kid))
}

fn bytes(jwk: &Value, member: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(jwk[member].as_str().unwrap_or_default()).unwrap_or_default()
}

fn part(token: &str, index: usize) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(index)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The claims of a token that a key of the set signed, by the signature alone.
#[must_use]
pub fn signed(token: &str, jwks: &Value) -> Option<Map<String, Value>> {
    let header = part(token, 0)?;
    let algorithm: jsonwebtoken::Algorithm = header.get("alg")?.as_str()?.parse().ok()?;
    let (text, signature) = token.rsplit_once('.')?;
    let is_right = |jwk: &Value| {
        let fits = jwk.get("alg").is_none_or(|alg| alg == &header["alg"]);
        let key = decoding_key(jwk);
        let verifies = |key| jsonwebtoken::crypto::verify(signature, text.as_bytes(), &key, algorithm).unwrap_or(false);
        fits && key.is_some_and(verifies)
    };
    named(jwks, header.get("kid").and_then(Value::as_str)).any(is_right).then(|| part(token, 1))?
}

fn decoding_key(jwk: &Value) -> Option<DecodingKey> {
    let text = |member: &str| jwk[member].as_str().unwrap_or_default();
    match text("kty") {
        "oct" => Some(DecodingKey::from_secret(&bytes(jwk, "k"))),
        "RSA" => DecodingKey::from_rsa_components(text("n"), text("e")).ok(),
        "EC" => DecodingKey::from_ec_components(text("x"), text("y")).ok(),
        "OKP" => DecodingKey::from_ed_components(text("x")).ok(),
        _ => None,
    }
}

/// What `jsonwebtoken` says, by the clock of the machine.
#[must_use]
pub fn jsonwebtoken(token: &str, policy: Policy<'_>) -> Verdict {
    let Ok(header) = jsonwebtoken::decode_header(token) else { return Verdict::CannotRead };
    let mut validation = Validation::new(header.alg);
    validation.leeway = 0;
    validation.validate_nbf = true;
    validation.set_issuer(&[policy.issuer]);
    validation.set_audience(&[policy.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    let takes = |key: DecodingKey| jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation).is_ok();
    named(policy.jwks, header.kid.as_deref()).filter_map(decoding_key).any(takes).into()
}

/// What `jwt-simple` says at a time.
#[must_use]
pub fn jwt_simple(token: &str, policy: Policy<'_>, now: u64) -> Verdict {
    let Ok(metadata) = jwt_simple::token::Token::decode_metadata(token) else { return Verdict::CannotRead };
    let options = VerificationOptions {
        artificial_time: Some(UnixTimeStamp::from_secs(now)),
        time_tolerance: Some(Duration::from_secs(0)),
        allowed_issuers: Some([policy.issuer.to_owned()].into()),
        allowed_audiences: Some([policy.audience.to_owned()].into()),
        required_signature_type: metadata.signature_type().map(str::to_owned),
        max_header_length: Some(1 << 20),
        max_token_length: Some(1 << 20),
        ..VerificationOptions::default()
    };
    named(policy.jwks, metadata.key_id()).any(|jwk| takes(jwk, metadata.algorithm(), token, &options)).into()
}

fn takes(jwk: &Value, algorithm: &str, token: &str, options: &VerificationOptions) -> bool {
    macro_rules! verifies {
        ($key:expr) => {
            $key.is_ok_and(|key| key.verify_token::<NoCustomClaims>(token, Some(options.clone())).is_ok())
        };
    }
    let (modulus, exponent) = (bytes(jwk, "n"), bytes(jwk, "e"));
    let point = [vec![4], bytes(jwk, "x"), bytes(jwk, "y")].concat();
    let secret = bytes(jwk, "k");
    match (jwk["kty"].as_str().unwrap_or_default(), algorithm) {
        ("oct", "HS256") => verifies!(Ok::<_, ()>(HS256Key::from_bytes(&secret))),
        ("oct", "HS384") => verifies!(Ok::<_, ()>(HS384Key::from_bytes(&secret))),
        ("oct", "HS512") => verifies!(Ok::<_, ()>(HS512Key::from_bytes(&secret))),
        ("RSA", "RS256") => verifies!(RS256PublicKey::from_components(&modulus, &exponent)),
        ("RSA", "RS384") => verifies!(RS384PublicKey::from_components(&modulus, &exponent)),
        ("RSA", "RS512") => verifies!(RS512PublicKey::from_components(&modulus, &exponent)),
        ("RSA", "PS256") => verifies!(PS256PublicKey::from_components(&modulus, &exponent)),
        ("RSA", "PS384") => verifies!(PS384PublicKey::from_components(&modulus, &exponent)),
        ("RSA", "PS512") => verifies!(PS512PublicKey::from_components(&modulus, &exponent)),
        ("EC", "ES256") => verifies!(ES256PublicKey::from_bytes(&point)),
        ("EC", "ES384") => verifies!(ES384PublicKey::from_bytes(&point)),
        ("OKP", "EdDSA") => verifies!(Ed25519PublicKey::from_bytes(&bytes(jwk, "x"))),
        _ => false,
    }
}
