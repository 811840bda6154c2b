use super::*;
use crate::jose::Algorithm;
use crate::jose::test_keys::{SECRET, TestKeys, authenticate, jwks, named, oct_jwk};
use serde_json::json;

const CLAIMS: &str = r#"{"iss":"https://issuer.example","sub":"alice","exp":1700000000.5,"aud":["orders"]}"#;

fn everything() -> AlgorithmSet {
    Algorithm::ALL.into_iter().collect()
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::from_jwks(&jwks(keys)).unwrap()
}

/// Every key of the tests, each with its type as its `kid`.
fn all_keys() -> KeySet {
    let keys = TestKeys::get();
    set(&[
        named(keys.rsa_jwk(), "rsa"),
        named(keys.p256_jwk(), "p256"),
        named(keys.p384_jwk(), "p384"),
        named(keys.p521_jwk(), "p521"),
        named(keys.ed25519_jwk(), "ed25519"),
        named(oct_jwk(SECRET), "oct"),
    ])
}

fn token(algorithm: Algorithm, kid: Option<&str>) -> String {
    if algorithm.is_symmetric() {
        let kid = kid.map(|kid| format!(r#","kid":"{kid}""#)).unwrap_or_default();
        authenticate(algorithm, SECRET, &format!(r#"{{"alg":"{}"{kid}}}"#, algorithm.as_str()), CLAIMS)
    } else {
        TestKeys::get().sign(algorithm, kid, &serde_json::from_str(CLAIMS).unwrap())
    }
}

fn hs256(header: &str) -> String {
    authenticate(Algorithm::Hs256, SECRET, header, CLAIMS)
}

fn verify(keys: &KeySet, token: &str) -> Result<(), Rejection> {
    keys.verify(Token::parse(token.as_bytes())?, everything()).map(drop)
}

#[test]
fn a_key_for_any_kid_is_for_that_only_when_told_so() {
    let (keys, signed) = (TestKeys::get(), token(Algorithm::EdDsa, Some("other")));
    let set = || set(&[named(keys.ed25519_jwk(), "own")]);
    assert_eq!(verify(&set(), &signed), Err(Rejection::KeyUnknown));
    assert_eq!(verify(&set().for_any_kid(), &signed), Ok(()));
}

#[test]
fn shows_keys_by_their_place_in_the_document() {
    let keys = set(&[json!({"kty": "?"}), named(oct_jwk(SECRET), "a"), json!({"kty": "?"}), oct_jwk(SECRET)]);
    let views: Vec<_> = keys.keys().into_iter().map(|view| (view.index, view.id)).collect();
    assert_eq!(views, [(Some(1), Some("a")), (Some(3), None)]);
    let secret = KeySet::from_secret(SECRET).unwrap();
    assert_eq!(secret.keys(), [KeyView { index: None, id: None, algorithms: secret.algorithms() }]);
}

#[test]
fn a_key_fits_by_its_id_and_its_algorithm() {
    let keys = set(&[named(TestKeys::get().ed25519_jwk(), "a")]);
    let secret = KeySet::from_secret(SECRET).unwrap();
    let cases = [
        ("its own", &keys, Some("a"), Algorithm::EdDsa, true),
        ("no kid", &keys, None, Algorithm::EdDsa, true),
        ("another kid", &keys, Some("b"), Algorithm::EdDsa, false),
        ("another algorithm", &keys, Some("a"), Algorithm::Es256, false),
        ("no kid, another algorithm", &keys, None, Algorithm::Es256, false),
        ("a secret, any kid", &secret, Some("b"), Algorithm::Hs256, true),
        ("a secret, another algorithm", &secret, Some("b"), Algorithm::EdDsa, false),
    ];
    for (name, keys, kid, algorithm, expected) in cases {
        assert_eq!(keys.keys()[0].fits(kid, algorithm), expected, "{name}");
    }
}

#[test]
fn a_document_may_be_as_large_as_the_limits_say() {
    let key = oct_jwk(SECRET);
    assert_eq!(set(&vec![key.clone(); MAX_KEYS]).keys().len(), MAX_KEYS);
    let mut document = jwks(&[key]);
    document.resize(MAX_DOCUMENT_BYTES, b' ');
    assert_eq!(KeySet::from_jwks(&document).map(|keys| keys.keys().len()), Ok(1));
}

#[test]
fn every_algorithm_verifies_and_a_changed_token_does_not() {
    let keys = all_keys();
    assert_eq!(keys.algorithms(), everything());
    let cases = [
        (Algorithm::Rs256, "rsa"),
        (Algorithm::Rs384, "rsa"),
        (Algorithm::Rs512, "rsa"),
        (Algorithm::Ps256, "rsa"),
        (Algorithm::Ps384, "rsa"),
        (Algorithm::Ps512, "rsa"),
        (Algorithm::Es256, "p256"),
        (Algorithm::Es384, "p384"),
        (Algorithm::Es512, "p521"),
        (Algorithm::EdDsa, "ed25519"),
        (Algorithm::Hs256, "oct"),
        (Algorithm::Hs384, "oct"),
        (Algorithm::Hs512, "oct"),
    ];
    for (algorithm, kid) in cases {
        let name = algorithm.as_str();
        let good = token(algorithm, Some(kid));
        let verified = keys.verify(Token::parse(good.as_bytes()).unwrap(), everything()).unwrap();
        assert_eq!(verified.claims().get("sub").unwrap().as_str(), Some("alice"), "{name}");

        let parts: Vec<_> = good.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else { panic!("three parts") };
        let others = authenticate(Algorithm::Hs256, SECRET, "{}", &CLAIMS.replace("alice", "admin"));
        let other_claims = others.split('.').nth(1).unwrap();
        let shortened = signature.get(..signature.len() / 4 * 4 - 4).unwrap();
        let bad = [
            ("other claims", format!("{header}.{other_claims}.{signature}")),
            ("shortened signature", format!("{header}.{claims}.{shortened}")),
            ("lengthened signature", format!("{header}.{claims}.{shortened}AAAAAAAAAAAAAAAA")),
            ("signature of zeros", format!("{header}.{claims}.{}", "AAAA".repeat(signature.len() / 4))),
            ("signature of one byte", format!("{header}.{claims}.AA")),
            ("very long signature", format!("{header}.{claims}.{}", "_-_-".repeat(2000))),
        ];
        for (change, token) in bad {
            assert_eq!(verify(&keys, &token), Err(Rejection::SignatureInvalid), "{name}, {change}");
        }
    }
}

#[test]
fn no_token_that_differs_in_one_byte_verifies() {
    let keys = KeySet::from_secret(SECRET).unwrap();
    let good = hs256(r#"{"alg":"HS256"}"#).into_bytes();
    assert!(verify(&keys, std::str::from_utf8(&good).unwrap()).is_ok());
    for index in 0..good.len() {
        for byte in (0..=0x7f).filter(|byte| *byte != good[index]) {
            let mut token = good.clone();
            token[index] = byte;
            let verified = Token::parse(&token).and_then(|token| keys.verify(token, everything()));
            assert!(verified.is_err(), "byte {index} as {byte:#x}");
        }
    }
}

#[test]
fn refuses_an_algorithm_that_is_not_allowed_before_looking_at_keys() {
    let keys = all_keys();
    let allowed = AlgorithmSet::from_iter([Algorithm::Es256]);
    for (algorithm, kid) in [(Algorithm::Rs256, "rsa"), (Algorithm::Hs256, "oct"), (Algorithm::EdDsa, "absent")] {
        let token = token(algorithm, Some(kid));
        let outcome = keys.verify(Token::parse(token.as_bytes()).unwrap(), allowed).map(drop);
        assert_eq!(outcome, Err(Rejection::AlgorithmNotAllowed), "{}", algorithm.as_str());
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    let keys = TestKeys::get();
    let set = set(&[named(keys.rsa_jwk(), "rsa")]);
    let (pem, der) = (keys.rsa_public_pem(), keys.rsa_public_der());
    let secrets = [pem.as_bytes(), pem.trim().as_bytes(), der.as_slice(), keys.rsa_jwk()["n"].as_str().unwrap().as_bytes()]
        .map(<[u8]>::to_vec);
    for secret in secrets {
        for (header, expected) in
            [(r#"{"alg":"HS256","kid":"rsa"}"#, Rejection::AlgorithmNotAllowed), (r#"{"alg":"HS256"}"#, Rejection::KeyUnknown)]
        {
            let token = authenticate(Algorithm::Hs256, &secret, header, CLAIMS);
            assert_eq!(verify(&set, &token), Err(expected));
        }
    }
}

#[test]
fn chooses_keys_by_kid_and_falls_back_to_no_other() {
    let keys = TestKeys::get();
    let (rsa, p256) = (keys.rsa_jwk(), keys.p256_jwk());
    let stranger = json!({"kty": "oct", "kid": "a", "k": oct_jwk(&[9; 32])["k"]});
    let ours = named(oct_jwk(SECRET), "a");
    let with_kid = |kid: &str| hs256(&format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#));
    let without_kid = hs256(r#"{"alg":"HS256"}"#);
    let cases = [
        ("its kid", vec![ours.clone()], with_kid("a"), Ok(())),
        ("another kid", vec![ours.clone()], with_kid("b"), Err(Rejection::KeyUnknown)),
        ("another case", vec![ours.clone()], with_kid("A"), Err(Rejection::KeyUnknown)),
        ("an empty kid", vec![ours.clone()], with_kid(""), Err(Rejection::KeyUnknown)),
        ("a key without kid", vec![oct_jwk(SECRET)], with_kid("a"), Err(Rejection::KeyUnknown)),
        ("a kid that is a path", vec![ours.clone()], with_kid("../../../dev/null"), Err(Rejection::KeyUnknown)),
        ("the kid twice", vec![stranger.clone(), ours.clone()], with_kid("a"), Ok(())),
        ("a stranger's key", vec![stranger.clone()], with_kid("a"), Err(Rejection::SignatureInvalid)),
        ("a key of another type", vec![named(rsa.clone(), "a")], with_kid("a"), Err(Rejection::AlgorithmNotAllowed)),
        ("no kid, one key", vec![ours.clone()], without_kid.clone(), Ok(())),
        ("no kid, one fits", vec![named(p256.clone(), "b"), ours.clone()], without_kid.clone(), Ok(())),
        ("no kid, two fit", vec![ours.clone(), named(stranger, "b")], without_kid.clone(), Err(Rejection::KeyUnknown)),
        ("no kid, none fits", vec![p256], without_kid, Err(Rejection::KeyUnknown)),
        (
            "RS256 by a P-256 key",
            vec![named(rsa, "a"), named(keys.p256_jwk(), "b")],
            token(Algorithm::Rs256, Some("b")),
            Err(Rejection::AlgorithmNotAllowed),
        ),
    ];
    for (name, jwks, token, expected) in cases {
        assert_eq!(verify(&set(&jwks), &token), expected, "{name}");
    }
}

#[test]
fn a_key_serves_only_the_algorithm_that_it_names() {
    let mut rsa = named(TestKeys::get().rsa_jwk(), "rsa");
    rsa["alg"] = "RS384".into();
    let keys = set(&[rsa]);
    assert_eq!(verify(&keys, &token(Algorithm::Rs384, Some("rsa"))), Ok(()));
    assert_eq!(verify(&keys, &token(Algorithm::Rs256, Some("rsa"))), Err(Rejection::AlgorithmNotAllowed));
    assert_eq!(verify(&keys, &token(Algorithm::Rs256, None)), Err(Rejection::KeyUnknown));
}

#[test]
fn a_secret_serves_any_kid_and_keyed_hashes_only() {
    let keys = KeySet::from_secret(SECRET).unwrap();
    assert_eq!(verify(&keys, &token(Algorithm::Hs512, None)), Ok(()));
    assert_eq!(verify(&keys, &token(Algorithm::Hs256, Some("anything"))), Ok(()));
    assert_eq!(verify(&keys, &token(Algorithm::Rs256, Some("rsa"))), Err(Rejection::AlgorithmNotAllowed));
    assert_eq!(keys.algorithms().iter().map(Algorithm::as_str).collect::<Vec<_>>(), ["HS256", "HS384", "HS512"]);
    assert_eq!(KeySet::from_secret(&SECRET[..31]).unwrap_err(), KeySetError::SecretTooShort);
    assert!(KeySet::from_secret(&SECRET[..32]).is_ok());
}

#[test]
fn keys_that_a_token_names_or_brings_are_not_used() {
    let attacker = [9; 64];
    let header = r#"{"alg":"HS256","jku":"https://evil.example/jwks","x5u":"https://evil.example/x","x5c":["MII="],"jwk":{"kty":"oct","k":"CQ"}}"#;
    let keys = KeySet::from_secret(SECRET).unwrap();
    assert_eq!(verify(&keys, &hs256(header)), Ok(()));
    let forged = authenticate(Algorithm::Hs256, &attacker, header, CLAIMS);
    assert_eq!(verify(&keys, &forged), Err(Rejection::SignatureInvalid));
}

#[test]
fn a_type_that_is_no_jwt_is_left_to_the_claim_rules() {
    let keys = KeySet::from_secret(SECRET).unwrap();
    for media_type in ["JWT", "at+jwt", "application/at+JWT", "logout", "ſ", ""] {
        assert_eq!(verify(&keys, &hs256(&format!(r#"{{"alg":"HS256","typ":"{media_type}"}}"#))), Ok(()), "{media_type}");
    }
}

#[test]
fn refuses_documents_that_are_no_key_set() {
    let many = jwks(&vec![oct_jwk(SECRET); MAX_KEYS + 1]);
    let half = jwks(&[oct_jwk(SECRET)])[..20].to_vec();
    let repeated = br#"{"keys":[],"keys":[{"kty":"oct"}]}"#.to_vec();
    let short = SkippedKey { index: 0, reason: SkipReason::SecretTooShort };
    let cases = [
        ("empty", Vec::new(), KeySetError::NotJson),
        ("HTML", b"<html><body>502 Bad Gateway</body></html>".to_vec(), KeySetError::NotJson),
        ("half", half, KeySetError::NotJson),
        ("not UTF-8", b"{\"keys\":\"\xff\"}".to_vec(), KeySetError::NotJson),
        ("repeated name", repeated, KeySetError::NotJson),
        ("10 MB", vec![b' '; 10 * 1024 * 1024], KeySetError::TooLarge),
        ("an error document", br#"{"error":"invalid_request"}"#.to_vec(), KeySetError::NoKeysMember),
        ("a bare list", b"[]".to_vec(), KeySetError::NoKeysMember),
        ("keys as an object", br#"{"keys":{}}"#.to_vec(), KeySetError::NoKeysMember),
        ("no keys", br#"{"keys":[]}"#.to_vec(), KeySetError::Empty),
        ("101 keys", many, KeySetError::TooManyKeys),
        ("a short secret", jwks(&[oct_jwk(&[7; 16])]), KeySetError::NoUsableKey(short)),
    ];
    for (name, document, expected) in cases {
        assert_eq!(KeySet::from_jwks(&document).unwrap_err(), expected, "{name}");
    }
}

#[test]
fn keeps_what_can_be_used_and_says_what_cannot() {
    let keys = set(&[json!({"kty": "RSA", "use": "enc"}), oct_jwk(SECRET), json!(1)]);
    let skipped: Vec<_> = keys.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(skipped, ["keys[0] is not used: its `use` is not `sig`", "keys[2] is not used: it is not an object"]);
    assert_eq!(verify(&keys, &token(Algorithm::Hs256, None)), Ok(()));
}

#[test]
fn does_not_show_a_secret() {
    let shown = format!("{:?} {:?}", KeySet::from_secret(SECRET).unwrap(), set(&[oct_jwk(SECRET)]));
    let bytes = format!("{SECRET:?}");
    assert!(!shown.contains("a secret") && !shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}
