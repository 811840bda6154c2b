//! Encrypted tokens: what is in one is verified as any other token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::jwe::tests::{DIRECT_KEY, oct, sealed};

const HEADER: &str = r#"{"alg":"dir","enc":"A256GCM","cty":"JWT"}"#;

fn jwks(keys: &Value) -> Value {
    json!({"inline": json!({"keys": keys}).to_string()})
}

/// An issuer whose tokens may be encrypted, one whose tokens must be, with another key, and one whose tokens must not be.
fn encrypted() -> Value {
    json!({"jwtRules": [
        {"name": "uaa", "issuer": "https://uaa", "secret": {"env": "S"}, "decryption": {"jwks": jwks(&json!([oct(&DIRECT_KEY)]))},
         "outputPayloadToHeader": "x-payload"},
        {"name": "strict", "issuer": "https://strict", "secret": {"env": "S"},
         "decryption": {"jwks": jwks(&json!([oct(&[9; 32])])), "required": true}},
        {"name": "plain", "issuer": "https://plain", "secret": {"env": "S"}},
    ]})
}

fn reason(authn: &mut Authn, token: &str) -> String {
    let mut exchange = exchange("/", &[("authorization", &format!("Bearer {token}"))]);
    authn.on_request(&mut exchange, NOW, &mut Alone);
    exchange.decision.unwrap().reason.to_string()
}

fn of(issuer: &str) -> Value {
    with(valid(), "iss", json!(issuer))
}

#[test]
fn verifies_what_is_in_an_encrypted_token() {
    let mut authn = authn(&encrypted());
    let (good, expired) = (signed(&valid()), signed(&with(valid(), "exp", json!(1_699_999_000))));
    let forged = authenticate(Algorithm::Hs256, &[1; 32], r#"{"alg":"HS256"}"#, &valid().to_string());
    for (case, token, expected) in [
        ("good", sealed(HEADER, good.as_bytes()), "token_valid"),
        ("without a content type", sealed(r#"{"alg":"dir","enc":"A256GCM"}"#, good.as_bytes()), "token_valid"),
        ("not encrypted", good.clone(), "token_valid"),
        ("expired", sealed(HEADER, expired.as_bytes()), "token_expired"),
        ("signed by another", sealed(HEADER, forged.as_bytes()), "signature_invalid"),
        ("of an issuer that is not known", sealed(HEADER, signed(&of("https://else")).as_bytes()), "issuer_unknown"),
        ("of an issuer with another key", sealed(HEADER, signed(&of("https://strict")).as_bytes()), "issuer_unknown"),
        ("of an issuer without keys", sealed(HEADER, signed(&of("https://plain")).as_bytes()), "issuer_unknown"),
        ("must be encrypted", signed(&of("https://strict")), "token_not_encrypted"),
        ("never encrypted", signed(&of("https://plain")), "token_valid"),
        ("RSA1_5", sealed(r#"{"alg":"RSA1_5","enc":"A256GCM"}"#, good.as_bytes()), "algorithm_not_allowed"),
        ("no key of its kind", sealed(r#"{"alg":"A128KW","enc":"A256GCM"}"#, good.as_bytes()), "token_undecryptable"),
        ("zip", sealed(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#, good.as_bytes()), "token_malformed"),
        ("a long one", format!("{}.", "a".repeat(17_000)), "token_too_large"),
    ] {
        // Twice: the second time from memory, where it may be.
        assert_eq!(reason(&mut authn, &token), expected, "{case}");
        assert_eq!(reason(&mut authn, &token), expected, "{case}, again");
    }
}

/// Case 11, CVE-2026-29000: that somebody could encrypt a token says nothing of who wrote it.
#[test]
fn case_11_refuses_an_encrypted_token_that_is_not_signed() {
    let mut authn = authn(&encrypted());
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = valid().to_string();
    let nested = sealed(HEADER, signed(&valid()).as_bytes());
    for (case, content, expected) in [
        ("claims alone", claims.clone(), "token_malformed"),
        ("alg none, no signature", format!("{}.{}.", part(r#"{"alg":"none"}"#), part(&claims)), "token_malformed"),
        ("alg none, some signature", format!("{}.{}.AQAB", part(r#"{"alg":"none"}"#), part(&claims)), "algorithm_not_allowed"),
        ("alg None", format!("{}.{}.AQAB", part(r#"{"alg":"None"}"#), part(&claims)), "algorithm_not_allowed"),
        ("no alg", format!("{}.{}.AQAB", part("{}"), part(&claims)), "token_malformed"),
        ("an empty signature", format!("{}.{}.", part(r#"{"alg":"HS256"}"#), part(&claims)), "token_malformed"),
        ("another encrypted token", nested, "token_malformed"),
        ("nothing", String::new(), "token_malformed"),
        ("three dots", "...".to_owned(), "token_malformed"),
    ] {
        // An empty content has no ciphertext, which is refused before.
        assert_eq!(reason(&mut authn, &sealed(HEADER, content.as_bytes())), expected, "{case}");
    }
}

/// Case 39: what does not decrypt is refused in one way, and none of it goes anywhere.
#[test]
fn case_39_refuses_what_does_not_decrypt() {
    let mut authn = authn(&encrypted());
    let good = sealed(HEADER, signed(&valid()).as_bytes());
    assert_eq!(reason(&mut authn, &good), "token_valid");
    let parts: Vec<&str> = good.split('.').collect();
    let flipped = |index: usize| {
        let mut bytes = URL_SAFE_NO_PAD.decode(parts[index]).unwrap();
        bytes[0] ^= 1;
        let mut parts = parts.clone();
        let part = URL_SAFE_NO_PAD.encode(bytes);
        parts[index] = &part;
        parts.join(".")
    };
    let short = URL_SAFE_NO_PAD.encode(&URL_SAFE_NO_PAD.decode(parts[4]).unwrap()[..8]);
    for (case, token) in [
        ("nonce", flipped(2)),
        ("ciphertext", flipped(3)),
        ("tag", flipped(4)),
        ("a short tag", [parts[0], parts[1], parts[2], parts[3], &short].join(".")),
        ("an encrypted key where none is", [parts[0], "AQ", parts[2], parts[3], parts[4]].join(".")),
        ("another header", good.replacen(parts[0], &URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM"}"#), 1)),
    ] {
        let mut exchange = exchange("/", &[("authorization", &format!("Bearer {token}"))]);
        let verdict = authn.on_request(&mut exchange, NOW, &mut Alone);
        assert!(matches!(verdict, Verdict::Refuse(_)), "{case}");
        assert_eq!(&*exchange.decision.unwrap().reason, "token_undecryptable", "{case}");
        assert!(exchange.identity.is_none() && !exchange.edits.iter().any(|edit| matches!(edit, Edit::Set(..))), "{case}");
    }
}

#[test]
fn an_entry_without_keys_refuses_an_encrypted_token_as_it_always_did() {
    let token = sealed(HEADER, signed(&valid()).as_bytes());
    assert_eq!(reason(&mut authn(&config()), &token), "token_malformed");
    let elsewhere = json!({"jwtRules": [
        {"issuer": "https://uaa", "secret": {"env": "S"}},
        {"issuer": "https://b", "secret": {"env": "S"}, "fromHeaders": [{"name": "x-token"}],
         "decryption": {"jwks": jwks(&json!([oct(&DIRECT_KEY)]))}},
    ]});
    assert_eq!(reason(&mut authn(&elsewhere), &token), "token_malformed");
}

#[test]
fn the_upstream_is_told_what_the_signed_token_says_and_gets_what_the_client_sent() {
    let mut config = encrypted();
    config["jwtRules"][0]["forwardOriginalToken"] = json!(true);
    let inner = signed(&valid());
    let token = sealed(HEADER, inner.as_bytes());
    let mut authn = authn(&config);
    for _ in 0..2 {
        let mut exchange = exchange("/", &[("authorization", &format!("Bearer {token}"))]);
        assert!(matches!(authn.on_request(&mut exchange, NOW, &mut Alone), Verdict::Continue));
        let set: Vec<_> = exchange.edits.iter().filter(|edit| matches!(edit, Edit::Set(..))).cloned().collect();
        assert_eq!(set, [Edit::Set("x-payload".into(), inner.split('.').nth(1).unwrap().into())]);
        assert!(!exchange.edits.iter().any(|edit| edit.name() == "authorization"));
        let identity = exchange.identity.unwrap();
        assert_eq!(identity.principal().unwrap().subject.as_deref(), Some("alice"));
    }
    assert_eq!(authn.callers.verified.len(), 1);
}

#[test]
fn entries_with_the_same_keys_decrypt_once_and_keep_their_issuers_apart() {
    let decryption = json!({"jwks": jwks(&json!([oct(&DIRECT_KEY)]))});
    let entry = |issuer: &str, decryption: &Value| json!({"issuer": issuer, "secret": {"env": "S"}, "decryption": decryption});
    let other = json!({"jwks": jwks(&json!([oct(&DIRECT_KEY)])), "required": true});
    let config = json!({"jwtRules": [
        entry("https://a", &decryption), entry("https://b", &decryption), entry("https://c", &other),
        {"issuer": "https://t/{tenant}", "tenants": ["x", "y"], "tenantsShareKeys": true, "secret": {"env": "S"}, "decryption": decryption},
    ]});
    let mut authn = authn(&config);
    assert_eq!(authn.policy.decryptions.len(), 2);
    for issuer in ["https://a", "https://b", "https://c", "https://t/x", "https://t/y"] {
        assert_eq!(reason(&mut authn, &sealed(HEADER, signed(&of(issuer)).as_bytes())), "token_valid", "{issuer}");
    }
    assert_eq!(reason(&mut authn, &sealed(HEADER, signed(&of("https://t/z")).as_bytes())), "issuer_unknown");
}

#[test]
fn restricts_algorithms_to_those_that_are_named() {
    let token = sealed(HEADER, signed(&valid()).as_bytes());
    for (key, value, expected) in [
        ("algorithms", json!(["dir"]), "token_valid"),
        ("algorithms", json!(["A256KW", "RSA-OAEP-256"]), "algorithm_not_allowed"),
        ("encryptions", json!(["A128GCM", "A256GCM"]), "token_valid"),
        ("encryptions", json!(["A128CBC-HS256"]), "algorithm_not_allowed"),
    ] {
        let mut config = encrypted();
        config["jwtRules"][0]["decryption"][key] = value.clone();
        assert_eq!(reason(&mut authn(&config), &token), expected, "{value}");
    }
}

#[test]
fn refuses_what_is_wrong_with_the_keys() {
    let with_decryption = |decryption: Value| {
        let mut config = encrypted();
        config["jwtRules"][0]["decryption"] = decryption;
        config
    };
    let good = jwks(&json!([oct(&DIRECT_KEY)]));
    for (decryption, expected) in [
        (json!({"jwks": {"inline": "x"}}), "jwtRules[0].decryption.jwks: it is not JSON, or an object in it repeats a name"),
        (json!({"jwks": {}}), "jwtRules[0].decryption.jwks: has neither `env` nor `inline`"),
        (
            json!({"jwks": jwks(&json!([{"kty": "oct", "k": "AQAB"}]))}),
            "jwtRules[0].decryption.jwks: none of its keys decrypts: keys[0]: no algorithm for encryption has keys of 3 bytes",
        ),
        (json!({"jwks": good, "algorithms": []}), "jwtRules[0].decryption.algorithms: is empty"),
        (
            json!({"jwks": good, "algorithms": ["dir", "RSA1_5"]}),
            "jwtRules[0].decryption.algorithms[1]: is not one that is supported; algorithms: `dir`, `A128KW`",
        ),
        (
            json!({"jwks": good, "encryptions": ["A256GCN"]}),
            "jwtRules[0].decryption.encryptions[0]: is not one that is supported; did you mean `A256GCM`?",
        ),
    ] {
        let found = error(&with_decryption(decryption));
        assert!(found.starts_with(expected), "{found}");
    }
    // Where the environment cannot be known, there is a warning, and no token decrypts.
    let config = with_decryption(json!({"jwks": {"env": "KEYS"}, "algorithms": ["dir"]}));
    let config = JwtAuthConfig::parse(config.to_string().as_bytes()).unwrap();
    let mut warnings = Vec::new();
    let environment = |name: &str| if name == "KEYS" { Variable::Unknown } else { Variable::Set("s".repeat(32)) };
    let (policy, keyrings) = Policy::compile(&config, None, &environment, &mut warnings).unwrap();
    assert!(warnings.iter().any(|one| one.to_string().starts_with("jwtRules[0].decryption.jwks.env: ")));
    let token = sealed(HEADER, signed(&valid()).as_bytes());
    assert_eq!(reason(&mut Authn::new(policy, keyrings), &token), "token_undecryptable");
}

/// Whoever sends what no RSA key decrypts does not keep the worker busy, and harms nobody who is known or has another kind of key.
#[test]
fn a_private_key_is_not_used_in_vain_for_ever() {
    let made: Value = serde_json::from_str(include_str!("../../jwe/tests/jwcrypto.json")).unwrap();
    let rsa = made["keys"][0].clone();
    let mut config = encrypted();
    config["jwtRules"][0]["decryption"]["jwks"] = jwks(&json!([oct(&DIRECT_KEY), rsa]));
    let mut authn = authn(&config);
    let good = sealed(HEADER, signed(&valid()).as_bytes());
    assert_eq!(reason(&mut authn, &good), "token_valid");
    let (text, _) = made["tokens"][0]["token"].as_str().unwrap().rsplit_once('.').unwrap();
    let garbage = |number: u8| format!("{text}.{}", URL_SAFE_NO_PAD.encode([number; 16]));
    let outcomes: Vec<_> = (0..24).map(|number| reason(&mut authn, &garbage(number))).collect();
    assert!(outcomes[..20].iter().all(|outcome| outcome == "token_undecryptable"), "{outcomes:?}");
    assert!(outcomes[20..].iter().all(|outcome| outcome == "keys_unavailable"), "{outcomes:?}");
    assert_eq!(reason(&mut authn, &good), "token_valid", "from memory");
    let other = sealed(HEADER, signed(&with(valid(), "sub", json!("bob"))).as_bytes());
    assert_eq!(reason(&mut authn, &other), "token_valid", "by another kind of key");
}
