//! Keys from texts that others wrote, and signatures that others verify.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a broken expectation ends the test")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{
    ECDSAP256PublicKeyLike, ES256KeyPair, ES256PublicKey, ES384KeyPair, Ed25519KeyPair, Ed25519PublicKey, EdDSAPublicKeyLike,
    NoCustomClaims,
};
use portcullis_minting::{KeyProblem, PublicKey, SigningKey, Unique, key_set};
use serde_json::{Value, json};

/// RFC 7515 appendix A.3.
fn p256() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
           "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", "d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"})
}

/// RFC 8037 appendix A.1.
fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
           "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"})
}

fn with(jwk: &Value, member: &str, value: Value) -> Value {
    let mut jwk = jwk.clone();
    jwk[member] = value;
    jwk
}

fn without(jwk: &Value, member: &str) -> Value {
    let mut jwk = jwk.clone();
    jwk.as_object_mut().unwrap().remove(member);
    jwk
}

/// The private key alone: the library writes the public one behind it.
fn private(key: &Ed25519KeyPair) -> String {
    let both = key.to_pem();
    both.split("-----BEGIN PUBLIC").next().unwrap().to_owned()
}

fn signing(text: &str) -> SigningKey {
    SigningKey::read(text.as_bytes()).unwrap()
}

const CLAIMS: &[u8] = br#"{"iss":"gw","exp":4102444800}"#;

#[test]
fn others_verify_what_it_signs() {
    let (p256, ed25519) = (ES256KeyPair::generate(), Ed25519KeyPair::generate());
    for _ in 0..4 {
        let token = signing(&p256.to_pem().unwrap()).sign("at+jwt", CLAIMS).unwrap();
        let public = ES256PublicKey::from_pem(&p256.public_key().to_pem().unwrap()).unwrap();
        assert_eq!(public.verify_token::<NoCustomClaims>(&token, None).unwrap().issuer.as_deref(), Some("gw"));
        let token = signing(&private(&ed25519)).sign("at+jwt", CLAIMS).unwrap();
        let public = Ed25519PublicKey::from_pem(&ed25519.public_key().to_pem()).unwrap();
        assert_eq!(public.verify_token::<NoCustomClaims>(&token, None).unwrap().issuer.as_deref(), Some("gw"));
    }
}

#[test]
fn the_same_text_has_the_same_signature() {
    for jwk in [p256(), ed25519()] {
        let sign = || signing(&jwk.to_string()).sign("at+jwt", CLAIMS).unwrap();
        assert_eq!(sign(), sign());
        assert_ne!(sign(), signing(&jwk.to_string()).sign("JWT", CLAIMS).unwrap());
    }
}

#[test]
fn a_key_is_called_by_its_thumbprint() {
    // RFC 8037 appendix A.3.
    assert_eq!(signing(&ed25519().to_string()).public().id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let header = r#"{"alg":"EdDSA","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","typ":"at+jwt"}"#;
    let token = signing(&ed25519().to_string()).sign("at+jwt", CLAIMS).unwrap();
    let encoded = URL_SAFE_NO_PAD.encode(header);
    assert_eq!(token.split('.').next().unwrap(), encoded);
}

#[test]
fn what_is_published_is_public() {
    let (p256, ed25519) = (p256(), ed25519());
    let keys = [PublicKey::read(p256.to_string().as_bytes()).unwrap(), PublicKey::read(ed25519.to_string().as_bytes()).unwrap()];
    let set: Value = serde_json::from_str(&key_set(&keys)).unwrap();
    let named = |jwk: &Value, key: &PublicKey, algorithm: &str| {
        let jwk = with(&without(jwk, "d"), "kid", json!(key.id()));
        with(&with(&jwk, "use", json!("sig")), "alg", json!(algorithm))
    };
    assert_eq!(set, json!({"keys": [named(&p256, &keys[0], "ES256"), named(&ed25519, &keys[1], "EdDSA")]}));
    let other = ES256KeyPair::generate();
    let from_public = PublicKey::read(other.public_key().to_pem().unwrap().as_bytes()).unwrap();
    assert_eq!(from_public, PublicKey::read(other.to_pem().unwrap().as_bytes()).unwrap());
    let other = Ed25519KeyPair::generate();
    let from_public = PublicKey::read(other.public_key().to_pem().as_bytes()).unwrap();
    assert_eq!(from_public, *signing(&private(&other)).public());
}

#[test]
fn refuses_what_is_no_key_that_signs_here() {
    let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"});
    let p384 = ES384KeyPair::generate().to_pem().unwrap();
    let public = ES256KeyPair::generate().public_key().to_pem().unwrap();
    let pem = ES256KeyPair::generate().to_pem().unwrap();
    let other = ed25519();
    for (case, text, expected) in [
        ("nothing", String::new(), KeyProblem::Unreadable),
        ("a secret", "x".repeat(32), KeyProblem::Unreadable),
        ("a list", "[]".to_owned(), KeyProblem::Unreadable),
        ("RSA", rsa.to_string(), KeyProblem::Kind),
        ("P-384", with(&p256(), "crv", json!("P-384")).to_string(), KeyProblem::Kind),
        ("P-384 as PEM", p384, KeyProblem::Kind),
        ("X25519", with(&ed25519(), "crv", json!("X25519")).to_string(), KeyProblem::Kind),
        ("no private part", without(&p256(), "d").to_string(), KeyProblem::Public),
        ("no private part, as PEM", public, KeyProblem::Public),
        ("a point off the curve", with(&p256(), "x", p256()["y"].clone()).to_string(), KeyProblem::Malformed),
        ("a number out of range", with(&p256(), "d", json!("_".repeat(43))).to_string(), KeyProblem::Malformed),
        ("zero", with(&p256(), "d", json!("A".repeat(43))).to_string(), KeyProblem::Malformed),
        ("a short seed", with(&ed25519(), "d", json!("AAAA")).to_string(), KeyProblem::Malformed),
        ("another's private part", with(&p256(), "d", other["d"].clone()).to_string(), KeyProblem::Mismatch),
        ("another's seed", with(&ed25519(), "d", p256()["d"].clone()).to_string(), KeyProblem::Mismatch),
        ("two keys", Ed25519KeyPair::generate().to_pem(), KeyProblem::Malformed),
        ("SEC 1", pem.replace("PRIVATE KEY", "EC PRIVATE KEY"), KeyProblem::Label),
        ("half of it", pem.chars().take(pem.len() / 2).collect(), KeyProblem::Malformed),
        ("a bit of it missing", pem.replacen("MI", "MJ", 1), KeyProblem::Malformed),
    ] {
        assert_eq!(SigningKey::read(text.as_bytes()).map(|_| ()), Err(expected), "{case}");
    }
    assert_eq!(SigningKey::read(b"\xff").map(|_| ()), Err(KeyProblem::Unreadable));
}

#[test]
fn debug_output_does_not_hold_the_private_part() {
    for jwk in [p256(), ed25519()] {
        let shown = format!("{:?}", signing(&jwk.to_string()));
        assert!(shown.contains(jwk["x"].as_str().unwrap()), "{shown}");
        assert!(!shown.contains(jwk["d"].as_str().unwrap()), "{shown}");
        assert_eq!(shown.matches("SigningKey").count(), 1, "{shown}");
    }
    assert_eq!(format!("{:?}", Unique::new([7; 32])), "Unique { .. }");
}

#[test]
fn no_name_is_made_twice() {
    let names = |seed: [u8; 32]| {
        let mut unique = Unique::new(seed);
        (0..1000).map(|_| unique.next_name()).collect::<Vec<_>>()
    };
    let all: std::collections::BTreeSet<_> = names([1; 32]).into_iter().chain(names([2; 32])).collect();
    assert_eq!(all.len(), 2000);
    assert!(all.iter().all(|name| name.len() == 22));
}
