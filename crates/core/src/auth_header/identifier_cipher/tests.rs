use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::config::Variable;
use crate::principal::Method;

fn caller(claims: Value) -> Principal {
    Principal {
        issuer: "https://uaa.example.com".into(),
        subject: Some("alice".into()),
        roles: vec![],
        scopes: vec![],
        audiences: vec![],
        claims: claims.as_object().unwrap().clone().into(),
        method: Method::Jwt,
        token_id: None,
        expires_at: None,
    }
}

/// A variable `K16` has 16 bytes, and so on; `OTHER32` has others; `UNKNOWN` cannot be known.
fn environment(name: &str) -> Variable {
    match name {
        "K16" => Variable::Set("k".repeat(16)),
        "K32" => Variable::Set("k".repeat(32)),
        "K64" => Variable::Set("k".repeat(64)),
        "OTHER32" => Variable::Set("o".repeat(32)),
        "UNKNOWN" => Variable::Unknown,
        _ => Variable::Unset,
    }
}

fn compile(config: &Value) -> Result<(IdentifierCipher, Vec<String>), String> {
    let config: DecryptConfig = serde_json::from_value(config.clone()).unwrap();
    let mut warnings = Vec::new();
    let cipher = IdentifierCipher::compile(&config, "decrypt", &environment, &mut warnings).map_err(|error| error.to_string())?;
    Ok((cipher, warnings.iter().map(ToString::to_string).collect()))
}

fn cipher(config: &Value) -> IdentifierCipher {
    compile(config).unwrap().0
}

fn sealed(cipher: &IdentifierCipher, principal: &Principal, key_id: Option<&str>) -> String {
    let random = |nonce: &mut [u8]| {
        nonce.fill(3);
        Ok(())
    };
    cipher.seal("member-4711", principal, key_id, random).unwrap()
}

fn with(config: &Value, key: &str, value: Value) -> Value {
    let mut config = config.clone();
    config[key] = value;
    config
}

/// One of each algorithm, with what it can be bound to.
fn each() -> Vec<Value> {
    let bound = |algorithm: &str, key: &str| json!({"algorithm": algorithm, "key": {"env": key}, "aad": "{issuer}|{sub}"});
    vec![
        bound("A128GCM", "K16"),
        bound("A256GCM", "K32"),
        bound("XC20P", "K32"),
        bound("A128CBC-HS256", "K32"),
        bound("A256CBC-HS256", "K64"),
    ]
}

fn legacy() -> Value {
    json!({"algorithm": "A256CBC", "key": {"env": "K32"}, "legacy": true})
}

#[test]
fn opens_what_it_seals_in_each_encoding_and_place() {
    let principal = caller(json!({"kid": "b"}));
    for config in each().iter().chain([&legacy()]) {
        for encoding in ["base64url", "base64", "hex"] {
            let nonce_bytes = match config["algorithm"].as_str().unwrap() {
                "XC20P" => 24,
                algorithm if algorithm.ends_with("GCM") => 12,
                _ => 16,
            };
            let nonce = match encoding {
                "base64url" => URL_SAFE_NO_PAD.encode(vec![5; nonce_bytes]),
                "base64" => base64::engine::general_purpose::STANDARD.encode(vec![5; nonce_bytes]),
                _ => "05".repeat(nonce_bytes),
            };
            let principal = caller(json!({"kid": "b", "n": {"once": nonce}}));
            let config = with(config, "encoding", json!(encoding));
            let here = cipher(&config);
            let claim = sealed(&here, &principal, None);
            assert_eq!(here.open(&claim, &principal).as_deref().map(String::as_str), Ok("member-4711"), "{config}");
            let apart = cipher(&with(&config, "nonce", json!({"claim": "n.once"})));
            let claim = sealed(&apart, &principal, None);
            assert_eq!(apart.open(&claim, &principal).as_deref().map(String::as_str), Ok("member-4711"), "{config}");
            assert!(here.open(&claim, &principal).is_err() || config["legacy"] == true, "{config}: the nonce is elsewhere");
            assert!(apart.open(&claim, &caller(json!({"kid": "b"}))).is_err(), "{config}: no nonce");
        }
    }
    let config =
        json!({"algorithm": "A256GCM", "keys": [{"id": "a", "key": {"env": "OTHER32"}}, {"id": "b", "key": {"env": "K32"}}]});
    for (place, claim_begins, key_id) in [(json!("prefix"), "b.", Some("b")), (json!({"claim": "kid"}), "", None)] {
        let cipher = cipher(&with(&config, "keyId", place));
        let claim = sealed(&cipher, &principal, key_id);
        assert!(claim.starts_with(claim_begins) && cipher.open(&claim, &principal).is_ok(), "{claim}");
        assert!(cipher.open(&format!("a.{}", claim.trim_start_matches("b.")), &principal).is_err(), "the id of another key");
        assert!(cipher.open(&format!("z.{}", claim.trim_start_matches("b.")), &principal).is_err(), "the id of no key");
    }
    let by_claim = cipher(&with(&config, "keyId", json!({"claim": "kid"})));
    let claim = sealed(&by_claim, &principal, None);
    for kid in [json!({"kid": "a"}), json!({"kid": "z"}), json!({"kid": 7}), json!({})] {
        assert!(by_claim.open(&claim, &caller(kid)).is_err());
    }
}

/// Case 39: whatever differs, nothing is decrypted.
#[test]
fn case_39_nothing_is_decrypted_that_is_not_what_the_issuer_encrypted_for_this_caller() {
    let principal = caller(json!({}));
    for config in each() {
        let cipher = cipher(&config);
        let claim = sealed(&cipher, &principal, None);
        let bytes = URL_SAFE_NO_PAD.decode(&claim).unwrap();
        let refused = |bytes: &[u8], what: &str| {
            let claim = URL_SAFE_NO_PAD.encode(bytes);
            assert_eq!(cipher.open(&claim, &principal).err(), Some(Undecryptable), "{config}: {what}");
        };
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            refused(&changed, &format!("byte {at}"));
            refused(&bytes[..at], &format!("the first {at} bytes"));
        }
        refused(&[&bytes[..], &[0]].concat(), "a byte more");
        for text in [claim.to_ascii_uppercase(), format!("{claim}."), format!(" {claim}"), format!("{claim}\n"), String::new()] {
            assert!(cipher.open(&text, &principal).is_err(), "{config}: {text:?}");
        }
        let mut other = caller(json!({}));
        other.subject = Some("bob".into());
        assert!(cipher.open(&claim, &other).is_err(), "{config}: another caller");
        other.subject = None;
        assert!(cipher.open(&claim, &other).is_err(), "{config}: no subject");
        let unbound = with(&config, "aad", json!("{issuer}|{sub}|x"));
        assert!(self::cipher(&unbound).open(&claim, &principal).is_err(), "{config}: bound to something else");
        let mut free = config.clone();
        free.as_object_mut().unwrap().remove("aad");
        assert!(self::cipher(&free).open(&claim, &principal).is_err(), "{config}: not bound");
        let wrong =
            json!({"inline": "w".repeat(match config["key"]["env"].as_str() { Some("K16") => 16, Some("K64") => 64, _ => 32 })});
        assert!(self::cipher(&with(&config, "key", wrong)).open(&claim, &principal).is_err(), "{config}: another key");
        let missing = with(&config, "key", json!({"env": "UNKNOWN"}));
        assert!(self::cipher(&missing).open(&claim, &principal).is_err(), "{config}: no key");
    }
}

/// The bytes as Python's `cryptography` writes them; see also tests/e2e.
#[test]
fn reads_the_layout_that_is_documented() {
    let key = |bytes: std::ops::Range<u8>| json!({"inline": bytes.map(|byte| format!("{byte:02x}")).collect::<String>(), "encoding": "hex"});
    let mut principal = caller(json!({}));
    principal.issuer = "https://issuer.example.com".into();
    // nonce, ciphertext, tag: as in the tests of crates/encryption.
    let claim = "303132333435363738393a3b3c3d3e3f\
                 ab661d8951a94ab1248c32d2294d29d5\
                 e9fbab2d8a4d2f7631b8a2be46e41d1a4ad21f37bea494b562695a5525489b39";
    let config = json!({"algorithm": "A256CBC-HS256", "key": key(0..64), "encoding": "hex", "aad": "{issuer}|{sub}"});
    assert_eq!(cipher(&config).open(claim, &principal).as_deref().map(String::as_str), Ok("member-4711"));
}

#[test]
fn tries_keys_in_order_and_no_other() {
    let principal = caller(json!({}));
    let keys = |names: &[&str]| json!({"algorithm": "A256GCM", "keys": names.iter().map(|name| json!({"key": {"env": name}})).collect::<Vec<_>>()});
    let (old, new) = (cipher(&keys(&["K32"])), cipher(&keys(&["OTHER32"])));
    let both = cipher(&keys(&["OTHER32", "K32"]));
    for made in [&old, &new, &both] {
        assert!(both.open(&sealed(made, &principal, None), &principal).is_ok());
    }
    assert!(new.open(&sealed(&old, &principal, None), &principal).is_err());
}

#[test]
fn what_was_encrypted_is_text() {
    let principal = caller(json!({}));
    let content = ContentKey::new(ContentEncryption::A256Gcm, &[b'k'; 32]).unwrap();
    let (ciphertext, tag) = content.seal(&[3; 12], b"", b"\xff\xfe").unwrap();
    let claim = URL_SAFE_NO_PAD.encode([&[3; 12][..], &ciphertext, &tag].concat());
    let cipher = cipher(&json!({"algorithm": "A256GCM", "key": {"env": "K32"}}));
    assert_eq!(cipher.open(&claim, &principal).err(), Some(Undecryptable));
}

#[test]
fn shows_neither_key_nor_identifier() {
    assert_eq!(format!("{:?}", cipher(&legacy())), "IdentifierCipher { keys: 1, .. }");
}

#[test]
fn warns_of_what_vouches_for_nothing_and_of_what_cannot_be_known() {
    let warned = compile(&legacy()).unwrap().1;
    assert_eq!(
        warned,
        ["decrypt.legacy: A256CBC vouches for nothing: only the token's signature keeps the identifier from being changed"]
    );
    let warned = compile(&json!({"algorithm": "A256GCM", "key": {"env": "UNKNOWN"}})).unwrap().1;
    assert_eq!(warned, ["decrypt.key.env: the variable cannot be checked here"]);
}

#[test]
fn refuses_what_cannot_work_or_is_not_safe() {
    let good = json!({"algorithm": "A256GCM", "key": {"env": "K32"}});
    let key = json!({"env": "K32"});
    let named = |ids: &[Value], place: Value| {
        let keys: Vec<_> = ids.iter().map(|id| json!({"id": id, "key": key})).collect();
        json!({"algorithm": "A256GCM", "keys": keys, "keyId": place})
    };
    let prefix = json!("prefix");
    for (config, expected) in [
        (
            with(&good, "algorithm", json!("A256GCN")),
            "decrypt.algorithm: is not an algorithm that is supported; did you mean `A256GCM`?",
        ),
        (
            with(&good, "algorithm", json!("A256CBC")),
            "decrypt.algorithm: `A256CBC` vouches for nothing: whoever changes the claim changes what it says; use A256GCM; where the \
             issuer cannot, `legacy: true` allows it",
        ),
        (with(&good, "legacy", json!(true)), "decrypt.legacy: has no effect with A256GCM; remove it"),
        (with(&legacy(), "aad", json!("{sub}")), "decrypt.aad: has no effect with A256CBC, which vouches for nothing; remove it"),
        (
            json!({"algorithm": "A256CBC", "legacy": true, "keys": [{"key": key}, {"key": key}]}),
            "decrypt.keys: cannot be tried in order: a wrong key may yield something too; say with `keyId` where the id of the key \
             stands",
        ),
        (json!({"algorithm": "A256GCM"}), "decrypt: has not exactly one of `key` and `keys`"),
        (with(&good, "keys", json!([])), "decrypt: has not exactly one of `key` and `keys`"),
        (json!({"algorithm": "A256GCM", "keys": []}), "decrypt.keys: is empty"),
        (
            json!({"algorithm": "A256GCM", "keys": vec![json!({"key": key}); 6]}),
            "decrypt.keys: holds more than 5 keys; remove those of the past",
        ),
        (with(&good, "key", json!({"env": "K16"})), "decrypt.key: the key has 16 bytes, and A256GCM needs 32"),
        (with(&legacy(), "key", json!({"env": "K16"})), "decrypt.key: the key has 16 bytes, and A256CBC needs 32"),
        (
            with(&with(&good, "algorithm", json!("A256CBC-HS256")), "key", key.clone()),
            "decrypt.key: the key has 32 bytes, and A256CBC-HS256 needs 64",
        ),
        (
            with(&good, "key", json!({"env": "ABSENT"})),
            "decrypt.key.env: the variable is not set in the VM's environment; pass it on with `vmConfig.env` (Istio) or \
             `vm_config.environment_variables` (Envoy)",
        ),
        (with(&good, "keyId", prefix.clone()), "decrypt.keyId: has no effect without `keys`; remove it"),
        (named(&[json!("")], prefix.clone()), "decrypt.keys[0].id: is missing, and `keyId` tells the keys apart by it"),
        (named(&[json!("a.b")], prefix.clone()), "decrypt.keys[0].id: holds a `.`, which ends it in the claim"),
        (named(&[json!("a"), json!("a")], json!({"claim": "kid"})), "decrypt.keys[1].id: is given twice"),
        (named(&[json!("a")], json!({"claim": " "})), "decrypt.keyId.claim: is empty"),
        (with(&good, "nonce", json!({"claim": ""})), "decrypt.nonce.claim: is empty"),
        (
            with(&good, "aad", json!("{host}")),
            "decrypt.aad: is about the request, and an identifier is decrypted once for all requests of a caller; use values of the \
             principal: `{issuer}|{sub}`",
        ),
        (with(&good, "aad", json!("{sub")), "decrypt.aad: has a `{` without its `}`; values are `{issuer}`"),
    ] {
        let error = compile(&config).err().unwrap();
        assert!(error.starts_with(expected), "{config}: {error}");
    }
    assert!(compile(&named(&[json!("a.b")], json!({"claim": "kid"}))).is_ok());
}
