//! Encrypted access tokens (JWE) that jwcrypto makes.

use std::sync::OnceLock;

use portcullis_e2e::{Stack, bundle, chain};
use portcullis_testbed::{Algorithm, Issuer, Listener, Module, Plugin, Request};
use serde_json::{Value, json};

use crate::made;

const ISSUER: &str = "https://uaa.example.com";
const STRICT: &str = "https://strict.example.com";

/// Every way to encrypt a token that is known here: `alg`, the `kid` of its key, and the `enc` values.
const WAYS: [(&str, &str, &[&str]); 7] = [
    ("RSA-OAEP-256", "rsa", ALL),
    ("ECDH-ES", "ec", ALL),
    ("ECDH-ES+A256KW", "ec", ALL),
    ("A128KW", "short", ALL),
    ("A256KW", "long", ALL),
    ("dir", "short", &["A128GCM"]),
    ("dir", "long", &["A256GCM", "A128CBC-HS256"]),
];
const ALL: &[&str] = &["A128GCM", "A256GCM", "A128CBC-HS256"];

struct World {
    stack: Stack,
    issuer: Issuer,
    strict: Issuer,
    jwks: Value,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let (issuer, strict) =
            (Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap(), Issuer::new(STRICT, &[Algorithm::Es256]).unwrap());
        let jwks = made(&[json!({"make": "keys"})]).remove(0);
        let own = json!({"jwks": {"inline": jwks.to_string()}});
        let long = json!({"keys": [jwks["keys"][3]]}).to_string();
        let rule = |issuer: &Issuer, decryption: &Value| {
            let rule = json!({"issuer": issuer.name(), "jwks": issuer.jwks().unwrap(), "outputPayloadToHeader": "x-payload"});
            let mut rule = rule.as_object().unwrap().clone();
            if !decryption.is_null() {
                rule.insert("decryption".to_owned(), decryption.clone());
            }
            Value::from(rule)
        };
        let only_long = json!({"jwks": {"inline": long}, "required": true});
        let jwt = json!({"jwtRules": [rule(&issuer, &own), rule(&strict, &only_long)]});
        let with = |key: &str, value: Value| {
            let mut decryption = own.clone();
            decryption[key] = value;
            json!({"jwtAuth": {"jwtRules": [rule(&issuer, &decryption)]}})
        };
        let all = json!({
            "jwtAuth": jwt, "metrics": {}, "auditLog": {"default": {"record": "always"}},
            "authHeader": {"inject": [{"header": "x-user", "claim": "sub"}]},
        });
        let by_variable = json!({"jwtAuth": {"jwtRules": [rule(&issuer, &json!({"jwks": {"env": "TOKEN_KEYS"}}))]}});
        let listeners = [
            bundle("bundle", &all),
            chain("chain", &all),
            bundle("none", &json!({"jwtAuth": {"jwtRules": [rule(&issuer, &Value::Null)]}})),
            bundle("only-ecdh", &with("algorithms", json!(["ECDH-ES"]))),
            bundle("only-gcm", &with("encryptions", json!(["A256GCM"]))),
            Listener::new("variable")
                .plugin(Plugin::new(Module::Portcullis, &by_variable).variable("TOKEN_KEYS", &jwks.to_string())),
        ];
        World { stack: Stack::start(listeners, &[]), issuer, strict, jwks }
    })
}

impl World {
    fn key(&self, kid: &str) -> Value {
        let keys = self.jwks["keys"].as_array().unwrap();
        keys.iter().find(|key| key["kid"] == kid).unwrap().clone()
    }

    /// A job for a token in a way, with more in its header.
    fn job(&self, alg: &str, enc: &str, kid: &str, content: &str, more: &Value) -> Value {
        let mut header = json!({"alg": alg, "enc": enc, "kid": kid, "cty": "JWT"});
        header.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let mut key = self.key(kid);
        // A key says what it is for; an attacker does not keep to it.
        key.as_object_mut().unwrap().remove("use");
        json!({"make": "token", "header": header, "key": key, "content": content})
    }

    fn encrypted(&self, content: &str) -> String {
        text(&made(&[self.job("dir", "A256GCM", "long", content, &Value::Null)])[0])
    }

    #[track_caller]
    fn outcome(&self, listener: &str, token: &str) -> String {
        self.stack.outcome(listener, &Request::get("/orders").bearer(token))
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn takes_tokens_that_another_library_encrypted() {
    let world = world();
    let inner = world.issuer.sign(&world.issuer.claims().with("sub", "alice")).unwrap();
    let ways: Vec<_> = WAYS.iter().flat_map(|(alg, kid, encs)| encs.iter().map(move |enc| (*alg, *enc, *kid))).collect();
    let party = json!({"apu": "QWxpY2U", "apv": "Qm9i"});
    let jobs: Vec<_> = ways.iter().map(|(alg, enc, kid)| world.job(alg, enc, kid, &inner, &party)).collect();
    for ((alg, enc, _), token) in ways.iter().zip(made(&jobs)) {
        let request = Request::get("/orders").bearer(token.as_str().unwrap()).header("x-user", "forged");
        // Twice: the second time from what is remembered of the token.
        for _ in 0..2 {
            let seen = world.stack.passes("bundle", &request);
            assert_eq!(seen.headers.all("x-user"), ["alice"], "{alg} {enc}");
            assert_eq!(seen.headers.get("x-payload").as_deref(), inner.split('.').nth(1), "{alg} {enc}");
            assert_eq!(seen.headers.get("authorization"), None, "{alg} {enc}");
        }
        for listener in ["chain", "variable"] {
            assert_eq!(world.outcome(listener, token.as_str().unwrap()), "200", "{alg} {enc}");
        }
        assert_eq!(world.outcome("none", token.as_str().unwrap()), "401 token_malformed", "{alg} {enc}");
        let expected = if *alg == "ECDH-ES" { "200" } else { "401 algorithm_not_allowed" };
        assert_eq!(world.outcome("only-ecdh", token.as_str().unwrap()), expected, "{alg} {enc}");
        let expected = if *enc == "A256GCM" { "200" } else { "401 algorithm_not_allowed" };
        assert_eq!(world.outcome("only-gcm", token.as_str().unwrap()), expected, "{alg} {enc}");
    }
    assert_eq!(world.outcome("bundle", &inner), "200", "one that is not encrypted");
}

#[test]
fn the_token_in_an_encrypted_one_is_verified_like_any_other() {
    let world = world();
    let claims = || world.issuer.claims();
    let stranger = Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap();
    for (case, inner, expected) in [
        ("expired", world.issuer.sign(&claims().expiring_in(-61)).unwrap(), "401 token_expired"),
        ("not yet valid", world.issuer.sign(&claims().with("nbf", 9_999_999_999_u64)).unwrap(), "401 token_not_yet_valid"),
        ("signed by another", stranger.token().unwrap(), "401 signature_invalid"),
        ("of another issuer", world.issuer.sign(&claims().with("iss", "https://else")).unwrap(), "401 issuer_unknown"),
    ] {
        assert_eq!(world.outcome("bundle", &world.encrypted(&inner)), expected, "{case}");
    }
    let strict = world.strict.token().unwrap();
    assert_eq!(world.outcome("bundle", &world.encrypted(&strict)), "200");
    assert_eq!(world.outcome("bundle", &strict), "401 token_not_encrypted");
    // Encrypted with a key of the other entry: it does not count for this one.
    let elsewhere = made(&[world.job("A128KW", "A128GCM", "short", &strict, &Value::Null)]);
    assert_eq!(world.outcome("bundle", elsewhere[0].as_str().unwrap()), "401 issuer_unknown");
}

/// Case 11, CVE-2026-29000: whoever has a public key can encrypt; only a signature says who wrote a token.
#[test]
fn case_11_denies_an_encrypted_token_that_is_not_signed() {
    let world = world();
    let signed = world.issuer.token().unwrap();
    let parts: Vec<&str> = signed.split('.').collect();
    let none = "eyJhbGciOiJub25lIn0";
    let contents = [
        ("claims alone", format!(r#"{{"iss":"{ISSUER}","sub":"admin","exp":9999999999}}"#)),
        ("alg none", format!("{none}.{}.", parts[1])),
        ("alg none with a signature", format!("{none}.{}.{}", parts[1], parts[2])),
        ("without its signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("an encrypted token", world.encrypted(&signed)),
        ("a space before it", format!(" {signed}")),
    ];
    let ways = [("RSA-OAEP-256", "rsa"), ("ECDH-ES", "ec"), ("dir", "long")];
    for (case, content) in &contents {
        let jobs = ways.map(|(alg, kid)| world.job(alg, "A256GCM", kid, content, &Value::Null));
        for token in made(&jobs) {
            let outcome = world.outcome("bundle", token.as_str().unwrap());
            assert!(matches!(outcome.as_str(), "401 token_malformed" | "401 algorithm_not_allowed"), "{case}: {outcome}");
        }
    }
}

/// Case 39: old and costly ways are refused by name, tampered tokens in one way.
#[test]
fn case_39_refuses_rsa1_5_pbes2_zip_and_tampered_tokens() {
    let world = world();
    let signed = world.issuer.token().unwrap();
    let header = |header: Value| {
        let good = world.encrypted(&signed);
        let rest = good.split_once('.').unwrap().1.to_owned();
        format!("{}.{rest}", base64_url(&header.to_string()))
    };
    let old = made(&[world.job("RSA1_5", "A128CBC-HS256", "rsa", &signed, &Value::Null)]).remove(0);
    assert_eq!(world.outcome("bundle", old.as_str().unwrap()), "401 algorithm_not_allowed");
    let costly = json!({"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 2_147_483_647, "p2s": "c2FsdHNhbHQ"});
    for (header_value, expected) in [
        (costly, "401 algorithm_not_allowed"),
        (json!({"alg": "RSA-OAEP", "enc": "A256GCM"}), "401 algorithm_not_allowed"),
        (json!({"alg": "none", "enc": "A256GCM"}), "401 algorithm_not_allowed"),
        (json!({"alg": "dir", "enc": "none"}), "401 algorithm_not_allowed"),
        (json!({"alg": "dir", "enc": "A256GCM", "kid": "long", "zip": "DEF"}), "401 token_malformed"),
        (json!({"alg": "dir", "enc": "A256GCM", "kid": "long", "crit": ["exp"]}), "401 token_malformed"),
        (json!({"alg": "dir", "enc": "A256GCM", "kid": "long", "cty": "text/html"}), "401 token_malformed"),
        (json!({"alg": "dir", "enc": "A256GCM", "kid": "no such key"}), "401 token_undecryptable"),
        (json!({"alg": "dir", "enc": "A256GCM", "kid": "long", "x": 1}), "401 token_undecryptable"),
    ] {
        assert_eq!(world.outcome("bundle", &header(header_value.clone())), expected, "{header_value}");
    }
    for (alg, kid, _) in WAYS {
        let good =
            text(&made(&[world.job(alg, if kid == "short" { "A128GCM" } else { "A256GCM" }, kid, &signed, &Value::Null)])[0]);
        assert_eq!(world.outcome("bundle", &good), "200", "{alg}");
        let parts: Vec<&str> = good.split('.').collect();
        for index in 1..5 {
            if parts[index].is_empty() {
                continue;
            }
            let mut changed = parts.clone();
            let first = if parts[index].starts_with('A') { "B" } else { "A" };
            let other = format!("{first}{}", &parts[index][1..]);
            changed[index] = &other;
            assert_eq!(world.outcome("bundle", &changed.join(".")), "401 token_undecryptable", "{alg}: part {index}");
        }
        // A point off the curve, and a key that is not one.
        if kid == "ec" {
            let text = String::from_utf8(base64_decode(parts[0])).unwrap();
            let mut header: Value = serde_json::from_str(&text).unwrap();
            header["epk"]["y"] = header["epk"]["x"].clone();
            let off = format!("{}.{}", base64_url(&header.to_string()), good.split_once('.').unwrap().1);
            assert_eq!(world.outcome("bundle", &off), "401 token_undecryptable", "{alg}");
        }
    }
    let logs = world.stack.envoy.all_logs();
    assert!(!logs.contains(signed.split('.').nth(2).unwrap()), "a token is in a log");
}

fn base64_url(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

fn base64_decode(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}
