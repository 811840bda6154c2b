use super::*;
use portcullis_signatures::KeyError;

use crate::jose::test_keys::{SECRET, TestKeys, authenticate};
use crate::jose::{AlgorithmSet, Token};
use crate::rejection::Rejection;
use serde_json::json;

const SECRET_TEXT: &str = "a secret that Spring prints as it is";

fn names(keys: Result<KeySet, KeySetError>) -> Result<Vec<&'static str>, KeySetError> {
    keys.map(|keys| keys.algorithms().iter().map(Algorithm::as_str).collect())
}

fn token_key(document: &Value) -> Result<Vec<&'static str>, KeySetError> {
    names(KeySet::from_token_key(document.to_string().as_bytes()))
}

fn verify(keys: &KeySet, token: &str) -> Result<(), Rejection> {
    let everything: AlgorithmSet = Algorithm::ALL.into_iter().collect();
    keys.verify(Token::parse(token.as_bytes())?, everything).map(drop)
}

/// A PEM text with everything on one line, as Spring writes it.
fn on_one_line(pem: &str) -> String {
    let lines: Vec<&str> = pem.trim().lines().collect();
    let [first, body @ .., last] = lines.as_slice() else { panic!("three parts") };
    format!("{first}\n{}\n{last}", body.concat())
}

#[test]
fn reads_public_keys_in_every_layout() {
    let keys = TestKeys::get();
    let (rsa, p256) = (keys.rsa_public_pem(), keys.p256_public_pem());
    let every_rsa = || Ok(vec!["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    let cases = [
        ("RSA", rsa.clone(), None, every_rsa()),
        ("lines of Windows", rsa.replace('\n', "\r\n"), None, every_rsa()),
        ("one line", on_one_line(&rsa), None, every_rsa()),
        ("for one algorithm", rsa.clone(), Some(Algorithm::Rs384), Ok(vec!["RS384"])),
        ("P-256", p256.clone(), None, Ok(vec!["ES256"])),
        ("Ed25519", keys.ed25519_public_pem(), None, Ok(vec!["EdDSA"])),
        ("for another type", p256, Some(Algorithm::Rs256), Err(SkipReason::AlgorithmUnsupported)),
        ("for a secret", rsa.clone(), Some(Algorithm::Hs256), Err(SkipReason::AlgorithmUnsupported)),
        ("a label that does not end", rsa.replace("END PUBLIC KEY", "END RSA PUBLIC KEY"), None, Err(SkipReason::NotPem)),
        ("SPKI as PKCS #1", rsa.replace("PUBLIC KEY", "RSA PUBLIC KEY"), None, Err(SkipReason::Key(KeyError::NotAKey))),
        ("a certificate", rsa.replace("PUBLIC KEY", "CERTIFICATE"), None, Err(SkipReason::NotPem)),
        ("a private key", rsa.replace("PUBLIC KEY", "RSA PRIVATE KEY"), None, Err(SkipReason::Private)),
        ("two keys", format!("{rsa}{rsa}"), None, Err(SkipReason::NotPem)),
        ("a word before it", format!("key: {rsa}"), None, Err(SkipReason::NotPem)),
        ("a byte too many", rsa.replace("-----\nMIIB", "-----\nAMIIB"), None, Err(SkipReason::NotPem)),
        ("empty", String::new(), None, Err(SkipReason::NotPem)),
    ];
    for (name, pem, algorithm, expected) in cases {
        let expected = expected.map_err(KeySetError::UnusableKey);
        assert_eq!(names(KeySet::from_pem(pem.as_bytes(), algorithm)), expected, "{name}");
    }
    assert_eq!(names(KeySet::from_pem(b"\xff", None)), Err(KeySetError::UnusableKey(SkipReason::NotPem)));
}

#[test]
fn reads_pkcs1_and_holds_it_to_the_size_of_a_modulus() {
    let pem = |modulus: &[u8]| {
        let key = pkcs1::RsaPublicKeyRef {
            modulus: pkcs1::UintRef::new(modulus).unwrap(),
            public_exponent: pkcs1::UintRef::new(&[1, 0, 1]).unwrap(),
        };
        let der = spki::der::Encode::to_der(&key).unwrap();
        format!("-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n", STANDARD.encode(der))
    };
    let ours = TestKeys::get().rsa_jwk();
    let modulus = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(ours["n"].as_str().unwrap()).unwrap();
    assert_eq!(names(KeySet::from_pem(pem(&modulus).as_bytes(), Some(Algorithm::Ps256))), Ok(vec!["PS256"]));
    let short = KeySet::from_pem(pem(&[0xff; 128]).as_bytes(), None);
    assert_eq!(names(short), Err(KeySetError::UnusableKey(SkipReason::Key(KeyError::ModulusSize))));
}

#[test]
fn reads_what_spring_and_uaa_publish() {
    let keys = TestKeys::get();
    let (rsa, p256) = (on_one_line(&keys.rsa_public_pem()), keys.p256_public_pem());
    let cases = [
        ("Spring, RSA", json!({"alg": "SHA256withRSA", "value": rsa}), Ok(vec!["RS256"])),
        ("UAA, RSA", json!({"alg": "RS256", "kty": "RSA", "use": "sig", "kid": "k", "e": "x", "value": rsa}), Ok(vec!["RS256"])),
        ("PS512", json!({"alg": "PS512", "value": rsa}), Ok(vec!["PS512"])),
        ("Spring, P-256", json!({"alg": "SHA256withECDSA", "value": p256}), Ok(vec!["ES256"])),
        ("Spring, secret", json!({"alg": "HMACSHA256", "value": SECRET_TEXT}), Ok(vec!["HS256"])),
        ("HS512", json!({"alg": "HS512", "value": SECRET_TEXT}), Ok(vec!["HS512"])),
        ("the public key as a secret", json!({"alg": "HS256", "value": rsa}), Err(SkipReason::AlgorithmUnsupported)),
        ("it behind a space", json!({"alg": "HS256", "value": format!(" {rsa}")}), Err(SkipReason::AlgorithmUnsupported)),
        ("a short secret", json!({"alg": "HS256", "value": "tokenkey"}), Err(SkipReason::SecretTooShort)),
        ("a secret as a public key", json!({"alg": "RS256", "value": SECRET_TEXT}), Err(SkipReason::NotPem)),
        ("another type", json!({"alg": "ES256", "value": rsa}), Err(SkipReason::AlgorithmUnsupported)),
        ("none", json!({"alg": "none", "value": rsa}), Err(SkipReason::AlgorithmUnsupported)),
        ("MD5", json!({"alg": "MD5withRSA", "value": rsa}), Err(SkipReason::AlgorithmUnsupported)),
        ("for encryption", json!({"alg": "RS256", "use": "enc", "value": rsa}), Err(SkipReason::NotForSignatures)),
        ("private", json!({"alg": "RS256", "d": "AQ", "value": rsa}), Err(SkipReason::Private)),
        ("kid not text", json!({"alg": "RS256", "kid": 1, "value": rsa}), Err(SkipReason::KeyIdNotText)),
    ];
    for (name, document, expected) in cases {
        assert_eq!(token_key(&document), expected.map_err(KeySetError::UnusableKey), "{name}");
    }
}

#[test]
fn refuses_documents_that_are_no_token_key() {
    let pem = TestKeys::get().rsa_public_pem();
    let cases = [
        ("no alg", json!({"value": pem}).to_string(), KeySetError::NotATokenKey),
        ("no value", json!({"alg": "RS256"}).to_string(), KeySetError::NotATokenKey),
        ("value not text", json!({"alg": "RS256", "value": [pem]}).to_string(), KeySetError::NotATokenKey),
        ("a JWKS", json!({"keys": []}).to_string(), KeySetError::NotATokenKey),
        ("a list", "[]".to_owned(), KeySetError::NotATokenKey),
        ("PEM alone", pem, KeySetError::NotJson),
        ("HTML", "<html>".to_owned(), KeySetError::NotJson),
        ("two algs", r#"{"alg":"RS256","alg":"HS256","value":"x"}"#.to_owned(), KeySetError::NotJson),
        ("a byte too many", " ".repeat(MAX_DOCUMENT_BYTES + 1), KeySetError::TooLarge),
        ("2 MB", " ".repeat(2 * 1024 * 1024), KeySetError::TooLarge),
    ];
    for (name, document, expected) in cases {
        assert_eq!(KeySet::from_token_key(document.as_bytes()).unwrap_err(), expected, "{name}");
    }
}

#[test]
fn a_document_may_be_as_large_as_the_limit_says() {
    let mut document = json!({"alg": "HS256", "value": SECRET_TEXT}).to_string().into_bytes();
    document.resize(MAX_DOCUMENT_BYTES, b' ');
    assert_eq!(names(KeySet::from_token_key(&document)), Ok(vec!["HS256"]));
}

#[test]
fn vouches_for_tokens_of_its_own_kid_only() {
    let keys = TestKeys::get();
    let claims = json!({"sub": "alice"});
    let document = |kid: Option<&str>| {
        let mut document = json!({"alg": "RS256", "value": keys.rsa_public_pem()});
        if let Some(kid) = kid {
            document["kid"] = kid.into();
        }
        KeySet::from_token_key(document.to_string().as_bytes()).unwrap()
    };
    let token = |kid| keys.sign(Algorithm::Rs256, kid, &claims);
    let cases = [
        (Some("a"), Some("a"), Ok(())),
        (Some("a"), None, Ok(())),
        (Some("a"), Some("b"), Err(Rejection::KeyUnknown)),
        (None, None, Ok(())),
        (None, Some("a"), Err(Rejection::KeyUnknown)),
    ];
    for (key_id, kid, expected) in cases {
        assert_eq!(verify(&document(key_id), &token(kid)), expected, "{key_id:?}, {kid:?}");
    }
    let by_pem = authenticate(Algorithm::Hs256, keys.rsa_public_pem().as_bytes(), r#"{"alg":"HS256"}"#, "{}");
    assert_eq!(verify(&document(None), &by_pem), Err(Rejection::KeyUnknown));
}

#[test]
fn a_symmetric_value_is_the_secret_itself() {
    let value = std::str::from_utf8(SECRET).unwrap();
    let document = json!({"alg": "HMACSHA256", "value": value}).to_string();
    let keys = KeySet::from_token_key(document.as_bytes()).unwrap();
    let token = authenticate(Algorithm::Hs256, SECRET, r#"{"alg":"HS256"}"#, "{}");
    assert_eq!(verify(&keys, &token), Ok(()));
    let other_hash = authenticate(Algorithm::Hs512, SECRET, r#"{"alg":"HS512"}"#, "{}");
    assert_eq!(verify(&keys, &other_hash), Err(Rejection::KeyUnknown));
}
