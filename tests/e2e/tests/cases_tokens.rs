//! Published attacks on tokens and their signatures. Each test bears the number of its case and, in its text, where it was seen.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_e2e::{Stack, bundle};
use portcullis_testbed::{Algorithm, Issuer, JwksServer, Request, SigningKey};
use serde_json::{Value, json};

const ISSUER: &str = "https://uaa.example.com";
const MALFORMED: &str = "401 token_malformed";
const INVALID: &str = "401 signature_invalid";

struct World {
    stack: Stack,
    /// Its public keys stand in the configuration of `public`, and are served to `fetched`.
    issuer: Issuer,
    /// A secret, known to `secret`: it signs whatever header and claims a test writes.
    secret: SigningKey,
    keys: JwksServer,
    /// Where the keys are that tokens name; nobody has to ask for them.
    evil: JwksServer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new(ISSUER, &Algorithm::ASYMMETRIC).unwrap();
        let secret = SigningKey::generate(Algorithm::Hs256, "any").unwrap();
        let keys = JwksServer::start(&issuer.jwks().unwrap()).unwrap();
        let evil = JwksServer::start(&issuer.jwks().unwrap()).unwrap();
        let inline = URL_SAFE_NO_PAD.encode(secret.secret().unwrap());
        let with = |more: Value| {
            let mut rule = json!({"name": "uaa", "issuer": ISSUER, "audiences": ["orders"]});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({
                "jwtAuth": {
                    "jwtRules": [rule],
                    "rules": [{"name": "maybe", "match": {"paths": ["/maybe"]}, "access": "optional"}],
                },
                "authHeader": {"strip": ["x-user-*"], "inject": [{"header": "x-user-id", "claim": "subject"}]},
                "metrics": {"labels": ["decision", "issuer"]},
            })
        };
        let public = json!({"jwks": issuer.jwks().unwrap()});
        let known = json!({"secret": {"inline": inline, "encoding": "base64url"}});
        let merged = |mut left: Value, right: Value| {
            left.as_object_mut().unwrap().extend(right.as_object().unwrap().clone());
            left
        };
        let listeners = [
            bundle("public", &with(public.clone())).max_request_headers_kb(96),
            bundle("only-es256", &with(merged(public, json!({"algorithms": ["ES256"]})))),
            bundle("secret", &with(known.clone())).max_request_headers_kb(96),
            bundle("short", &with(merged(known.clone(), json!({"maxLifetime": "1h"})))),
            bundle("typed", &with(merged(known, json!({"requireType": "at+jwt"})))),
            bundle("fetched", &with(json!({"jwksUri": "http://uaa.example.com/jwks.json", "cluster": "keys"})))
                .max_request_headers_kb(96),
        ];
        let clusters = [("keys", keys.address()), ("evil", evil.address())];
        World { stack: Stack::start(listeners, &clusters), issuer, secret, keys, evil }
    })
}

#[track_caller]
fn outcome(listener: &str, token: &str) -> String {
    world().stack.outcome(listener, &Request::get("/").bearer(token))
}

/// An ordinary token of the public issuer.
fn ordinary(algorithm: Algorithm) -> String {
    world().issuer.key(algorithm).unwrap().sign(&world().issuer.claims()).unwrap()
}

/// The claims of an ordinary token with changes; `null` removes one.
fn claims(changes: &Value) -> Value {
    let mut claims = Value::Object(world().issuer.claims().as_map().clone());
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn now() -> u64 {
    world().issuer.claims().as_map()["iat"].as_u64().unwrap()
}

/// A token that says what the texts say, truly signed with the secret.
fn written(header: &str, claims: &str) -> String {
    world().secret.sign_text(header, claims).unwrap()
}

fn decoded(token: &str, place: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.split('.').nth(place).unwrap()).unwrap()
}

fn with_part(token: &str, place: usize, part: &str) -> String {
    let mut parts: Vec<_> = token.split('.').collect();
    parts[place] = part;
    parts.join(".")
}

fn with_header(token: &str, change: impl Fn(&mut Value)) -> String {
    let mut header: Value = serde_json::from_slice(&decoded(token, 0)).unwrap();
    change(&mut header);
    with_part(token, 0, &URL_SAFE_NO_PAD.encode(header.to_string()))
}

/// proxy-wasm-rust-sdk issues 25, 217, 263: a byte above ASCII ended the worker's VM, and every request on it.
#[test]
fn case_01_bytes_above_ascii_refuse_the_request_and_not_the_worker() {
    let World { stack, issuer, .. } = world();
    let token = issuer.token().unwrap();
    for (case, request) in [
        ("the credential", Request::get("/").header("authorization", b"Bearer \xa1")),
        ("any header", Request::get("/").header("x-any", b"\xa1")),
        ("a cookie", Request::get("/").header("cookie", b"a=\xa1")),
        ("the path", Request::get(b"/\xa1")),
    ] {
        let response = stack.envoy.listener("public").send(&request);
        assert!([400, 401].contains(&response.status), "{case}: {}", response.outcome());
        assert!(stack.upstream.seen(&response.id).is_none(), "{case}");
        for _ in 0..4 {
            assert_eq!(outcome("public", &token), "200", "after {case}");
        }
    }
    let stats = stack.envoy.stats();
    assert!(stats.lines().filter(|line| line.contains(".vm_reload")).all(|line| line.ends_with(": 0")), "a VM was made anew");
}

/// CVE-2015-9235, CVE-2026-29000: a token that is not signed, in any spelling and any wrapping.
#[test]
fn case_11_alg_none_in_any_spelling_is_refused() {
    let token = ordinary(Algorithm::Es256);
    for alg in ["none", "None", "NONE", "nOnE", "none ", " none", "", "n\u{43e}ne", "none\0"] {
        let forged = with_header(&token, |header| header["alg"] = json!(alg));
        assert_eq!(outcome("public", &forged), "401 algorithm_not_allowed", "{alg:?} with a signature");
        assert_eq!(outcome("public", &with_part(&forged, 2, "")), MALFORMED, "{alg:?} without a signature");
    }
    assert_eq!(outcome("public", &with_part(&token, 2, "")), MALFORMED, "an empty signature");
    let missing = with_header(&token, |header| drop(header.as_object_mut().unwrap().remove("alg")));
    assert_eq!(outcome("public", &missing), MALFORMED, "no alg");
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM","cty":"JWT"}"#);
    let plain = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    assert_eq!(outcome("public", &format!("{header}.AQAB.AQAB.{plain}.AQAB")), MALFORMED, "a JWE around an unsigned token");
}

/// CVE-2016-5431, CVE-2026-48526: the public key is everyone's, so it is no secret.
#[test]
fn case_12_a_public_key_is_no_secret_and_the_algorithm_fits_the_key() {
    let World { issuer, .. } = world();
    let rsa = issuer.key(Algorithm::Rs256).unwrap();
    let (pem, jwk) = (rsa.public_pem().unwrap(), rsa.jwk().unwrap());
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    for secret in [pem.as_bytes(), pem.trim_end().as_bytes(), &modulus, jwk.to_string().as_bytes()] {
        for kid in ["rs256", "other"] {
            let forger = SigningKey::from_secret(Algorithm::Hs256, kid, secret).unwrap();
            assert_eq!(outcome("public", &forger.sign(&issuer.claims()).unwrap()), "401 algorithm_not_allowed");
        }
    }
    for algorithm in Algorithm::ASYMMETRIC {
        let expected = if algorithm == Algorithm::Es256 { "200" } else { "401 algorithm_not_allowed" };
        assert_eq!(outcome("only-es256", &ordinary(algorithm)), expected, "{}", algorithm.as_str());
    }
    for (alg, kid) in [("RS512", "rs256"), ("PS256", "rs256"), ("ES256", "rs256"), ("ES384", "es256"), ("EdDSA", "es256")] {
        let forged = with_header(&ordinary(Algorithm::Rs256), |header| *header = json!({"alg": alg, "kid": kid}));
        assert_eq!(outcome("public", &forged), "401 algorithm_not_allowed", "{alg} with {kid}");
    }
}

/// CVE-2018-0114: keys that a token names or brings along; a `kid` that is a path, a query, or no text at all.
#[test]
fn case_13_keys_that_a_token_names_are_never_fetched() {
    let World { stack, issuer, keys, evil, .. } = world();
    let own = SigningKey::generate(Algorithm::Es256, "mine").unwrap();
    let jwk = own.jwk().unwrap();
    let url = format!("http://{}/jwks.json", evil.address());
    assert_eq!(outcome("fetched", &issuer.token().unwrap()), "200");
    let before = keys.fetches();
    for (parameter, value) in [
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("jwk", jwk.clone()),
        ("jwk", json!({"kty": "oct", "k": "AAAA"})),
    ] {
        let header = json!({"alg": "HS256", parameter: value}).to_string();
        assert_eq!(
            outcome("secret", &written(&header, &claims(&json!({})).to_string())),
            "200",
            "{parameter} beside a true signature"
        );
        for listener in ["public", "fetched"] {
            let forged = own.sign(&issuer.claims()).unwrap();
            let forged = with_header(&forged, |header| *header = json!({"alg": "ES256", "kid": "es256", parameter: value}));
            assert_eq!(outcome(listener, &forged), INVALID, "{parameter} on {listener}");
        }
    }
    let long = "k".repeat(10 * 1024);
    for kid in ["../../../dev/null", "/proc/self/environ", "es256' OR '1'='1", "$(id)", "es256\0", "es256\r\nx: y", "", &long] {
        let forged = with_header(&ordinary(Algorithm::Es256), |header| header["kid"] = json!(kid));
        assert_eq!(outcome("public", &forged), "401 key_unknown", "{:.20}", kid.escape_debug());
    }
    let huge = with_header(&ordinary(Algorithm::Es256), |header| header["kid"] = json!("k".repeat(48 * 1024)));
    assert_eq!(outcome("public", &huge), "400 token_too_large", "a kid of 48 KB");
    for kid in [json!(7), json!(null), json!(["es256"]), json!({"kid": "es256"}), json!(true)] {
        let forged = with_header(&ordinary(Algorithm::Es256), |header| header["kid"] = kid.clone());
        assert_eq!(outcome("public", &forged), MALFORMED, "{kid}");
    }
    assert_eq!(evil.fetches(), 0, "a place that a token names was asked");
    assert_eq!(keys.fetches(), before, "the keys were fetched again for a header's sake");
    let asked = stack.envoy.stats().lines().find(|line| line.starts_with("cluster.evil.upstream_rq_total")).map(str::to_owned);
    assert!(asked.is_none_or(|line| line.ends_with(": 0")), "the proxy called out");
}

/// CVE-2025-59420: extensions that a reader does not know, and says nothing about.
#[test]
fn case_14_extensions_are_refused() {
    let ordinary = claims(&json!({})).to_string();
    for (name, header) in [
        ("crit unknown", json!({"alg": "HS256", "crit": ["x"], "x": 1})),
        ("crit without its member", json!({"alg": "HS256", "crit": ["x"]})),
        ("crit known", json!({"alg": "HS256", "crit": ["exp"], "exp": 1})),
        ("crit empty", json!({"alg": "HS256", "crit": []})),
        ("crit null", json!({"alg": "HS256", "crit": null})),
        ("b64 false", json!({"alg": "HS256", "b64": false, "crit": ["b64"]})),
        ("b64 false without crit", json!({"alg": "HS256", "b64": false})),
        ("b64 true", json!({"alg": "HS256", "b64": true})),
        ("zip", json!({"alg": "HS256", "zip": "DEF"})),
    ] {
        assert_eq!(outcome("secret", &written(&header.to_string(), &ordinary)), MALFORMED, "{name}");
    }
}

/// CVE-2026-25537: a time that is no number counted as none at all.
#[test]
fn case_15_times_of_the_wrong_type_are_refused_and_never_skipped() {
    let header = r#"{"alg":"HS256"}"#;
    let end = now() + 300;
    for claim in ["exp", "nbf", "iat"] {
        for value in ["\"1\"", "\"soon\"", "null", "true", "[1]", "{}", "-1", "-0.5", "1e308", "1e999", "18446744073709551616"] {
            let text = claims(&json!({claim: 0})).to_string().replace(&format!("\"{claim}\":0"), &format!("\"{claim}\":{value}"));
            assert_eq!(outcome("secret", &written(header, &text)), MALFORMED, "{claim}: {value}");
        }
    }
    let fraction = claims(&json!({"exp": end as f64 + 0.5, "iat": now() as f64 - 0.5}));
    assert_eq!(outcome("secret", &written(header, &fraction.to_string())), "200", "a fraction of a second");
    let over = claims(&json!({"exp": now() as f64 - 100.5}));
    assert_eq!(outcome("secret", &written(header, &over.to_string())), "401 token_expired", "a fraction that is over");
    for (name, text) in [
        ("exp", claims(&json!({})).to_string().replacen('{', &format!("{{\"exp\":{end},"), 1)),
        ("sub, escaped", claims(&json!({})).to_string().replacen('{', "{\"s\\u0075b\":\"mallory\",", 1)),
        ("deep inside", claims(&json!({"a": 0})).to_string().replace("\"a\":0", "\"a\":{\"b\":1,\"b\":2}")),
    ] {
        assert_eq!(outcome("secret", &written(header, &text)), MALFORMED, "{name} twice");
    }
    assert_eq!(outcome("secret", &written(r#"{"alg":"HS256","alg":"HS256"}"#, &claims(&json!({})).to_string())), MALFORMED);
}

/// Gateways that do not look at `exp` unless they are told to.
#[test]
fn case_16_an_end_is_required_and_lifetime_and_skew_are_bounded() {
    let header = r#"{"alg":"HS256"}"#;
    let sign = |changes: Value| {
        let mut claims = claims(&changes);
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        written(header, &claims.to_string())
    };
    for (name, listener, changes, expected) in [
        ("no exp", "secret", json!({"exp": null}), "401 expiration_missing"),
        ("exp of zero", "secret", json!({"exp": 0}), "401 token_expired"),
        ("within the skew", "secret", json!({"exp": now() - 20}), "200"),
        ("beyond the skew", "secret", json!({"exp": now() - 90}), "401 token_expired"),
        ("nbf within the skew", "secret", json!({"nbf": now() + 20}), "200"),
        ("nbf beyond the skew", "secret", json!({"nbf": now() + 300, "exp": now() + 600}), "401 token_not_yet_valid"),
        ("iat in the future", "secret", json!({"iat": now() + 300, "exp": now() + 600}), "401 token_not_yet_valid"),
        ("as long as allowed", "short", json!({"exp": now() + 3000}), "200"),
        ("too long", "short", json!({"exp": now() + 7200}), "401 lifetime_too_long"),
        ("since when is not said", "short", json!({"iat": null, "exp": now() + 300}), "401 lifetime_too_long"),
    ] {
        assert_eq!(outcome(listener, &sign(changes)), expected, "{name}");
    }
    let skewed = json!({"jwtRules": [{"name": "uaa", "secret": {"inline": "s".repeat(32)}, "clockSkew": "1h"}]});
    let refused = portcullis_core::module::Module::JwtAuth
        .load(skewed.to_string().as_bytes(), &|_: &str| portcullis_core::config::Variable::Unset)
        .unwrap_err();
    assert!(refused.to_string().starts_with("jwtRules[0].clockSkew: "), "{refused}");
}
