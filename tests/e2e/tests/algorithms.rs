//! Signatures: each algorithm, and each way to pretend one.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_e2e::{Stack, jwt_auth};
use portcullis_testbed::{Algorithm, Issuer, Listener, Module, Plugin, Request, SigningKey};
use serde_json::{Value, json};

const ISSUER: &str = "https://uaa.example.com";
const OTHER: &str = "https://other.example.com";

struct World {
    stack: Stack,
    /// One key of each algorithm with a public key.
    public: Issuer,
    /// One key of each algorithm with a secret, published as `oct` keys.
    oct: Issuer,
    /// A secret in the configuration.
    secret: Vec<u8>,
    /// Another issuer, whose only key bears the `kid` of one of the first issuer's keys.
    other: Issuer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let public = Issuer::new(ISSUER, &Algorithm::ASYMMETRIC).unwrap();
        let oct = Issuer::new(ISSUER, &Algorithm::SYMMETRIC).unwrap();
        let other = Issuer::new(OTHER, &[Algorithm::Es256]).unwrap();
        let secret = SigningKey::generate(Algorithm::Hs512, "secret").unwrap().secret().unwrap();
        let rules = |issuer: &Issuer| json!({"name": issuer.name(), "issuer": issuer.name(), "jwks": issuer.jwks().unwrap()});
        let mut only = rules(&public);
        only["algorithms"] = json!(["ES256", "RS512"]);
        let inline = URL_SAFE_NO_PAD.encode(&secret);
        let alone = json!({"jwtAuth": {"jwtRules": [rules(&public)]}});
        let restricted = Plugin::new(Module::Portcullis, &alone).forbidden("proxy_call_foreign_function");
        let listeners = [
            Listener::new("restricted").plugin(restricted),
            jwt_auth("public", &json!({"jwtRules": [rules(&public), rules(&other)]})),
            jwt_auth("only", &json!({"jwtRules": [only]})),
            jwt_auth("oct", &json!({"jwtRules": [rules(&oct)]})),
            jwt_auth("secret", &json!({"jwtRules": [{"issuer": ISSUER, "secret": {"inline": inline, "encoding": "base64url"}}]})),
        ];
        World { stack: Stack::start(listeners, &[]), public, oct, secret, other }
    })
}

/// A token's outcome on a listener.
#[track_caller]
fn outcome(listener: &str, token: &str) -> String {
    world().stack.outcome(listener, &Request::get("/").bearer(token))
}

fn ordinary(issuer: &Issuer, algorithm: Algorithm) -> String {
    issuer.key(algorithm).unwrap().sign(&issuer.claims()).unwrap()
}

/// The same token with another part of the three.
fn with_part(token: &str, place: usize, part: &str) -> String {
    let mut parts: Vec<_> = token.split('.').collect();
    parts[place] = part;
    parts.join(".")
}

fn decoded(token: &str, place: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.split('.').nth(place).unwrap()).unwrap()
}

/// The same token with another header.
fn with_header(token: &str, change: impl Fn(&mut Value)) -> String {
    let mut header: Value = serde_json::from_slice(&decoded(token, 0)).unwrap();
    change(&mut header);
    with_part(token, 0, &URL_SAFE_NO_PAD.encode(header.to_string()))
}

#[test]
fn accepts_every_algorithm_twice() {
    let World { public, oct, secret, .. } = world();
    for algorithm in Algorithm::ASYMMETRIC {
        let token = ordinary(public, algorithm);
        assert_eq!(outcome("public", &token), "200", "{}", algorithm.as_str());
        assert_eq!(outcome("public", &token), "200", "{} again", algorithm.as_str());
    }
    for algorithm in Algorithm::SYMMETRIC {
        assert_eq!(outcome("oct", &ordinary(oct, algorithm)), "200", "{}", algorithm.as_str());
        let key = SigningKey::from_secret(algorithm, "any", secret).unwrap();
        assert_eq!(outcome("secret", &key.sign(&public.claims()).unwrap()), "200", "{} by secret", algorithm.as_str());
    }
}

#[test]
fn denies_tampered_tokens_of_every_algorithm() {
    let World { public, oct, .. } = world();
    let by_proxy = Algorithm::ASYMMETRIC.map(|algorithm| ("public", public, algorithm));
    let by_module = Algorithm::ASYMMETRIC.map(|algorithm| ("restricted", public, algorithm));
    let oct = Algorithm::SYMMETRIC.map(|algorithm| ("oct", oct, algorithm));
    for (listener, issuer, algorithm) in by_proxy.into_iter().chain(by_module).chain(oct) {
        let token = ordinary(issuer, algorithm);
        assert_eq!(outcome(listener, &token), "200", "{} at {listener}", algorithm.as_str());
        let claims = String::from_utf8(decoded(&token, 1)).unwrap().replace("alice", "mallory");
        let forged = with_part(&token, 1, &URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(outcome(listener, &forged), "401 signature_invalid", "{} claims", algorithm.as_str());
        let mut signature = decoded(&token, 2);
        *signature.last_mut().unwrap() ^= 1;
        let forged = with_part(&token, 2, &URL_SAFE_NO_PAD.encode(&signature));
        assert_eq!(outcome(listener, &forged), "401 signature_invalid", "{} signature", algorithm.as_str());
        signature.truncate(signature.len() / 2);
        let forged = with_part(&token, 2, &URL_SAFE_NO_PAD.encode(&signature));
        assert_eq!(outcome(listener, &forged), "401 signature_invalid", "{} half a signature", algorithm.as_str());
    }
}

#[test]
fn says_who_verifies() {
    let log = world().stack.envoy.log();
    let native = "RS256, RS384, RS512, ES256, ES384, ES512";
    assert!(log.contains(&format!("portcullis: the proxy verifies signatures by {native}\n")), "{log}");
    let warning = format!("portcullis: the proxy does not verify signatures by {native}; the module does, with the same verdict");
    assert!(log.contains(&warning), "where the proxy may not be asked: {log}");
}

#[test]
fn denies_algorithm_that_is_not_allowed() {
    let World { public, .. } = world();
    for algorithm in Algorithm::ASYMMETRIC {
        let allowed = matches!(algorithm, Algorithm::Es256 | Algorithm::Rs512);
        let expected = if allowed { "200" } else { "401 algorithm_not_allowed" };
        assert_eq!(outcome("only", &ordinary(public, algorithm)), expected, "{}", algorithm.as_str());
    }
}

#[test]
fn denies_alg_none_and_unknown_algorithms() {
    let token = ordinary(&world().public, Algorithm::Rs256);
    for alg in ["none", "None", "NONE", "", "rs256", "PS256", "HS1", "RS256 "] {
        let forged = with_header(&token, |header| header["alg"] = json!(alg));
        assert_eq!(outcome("public", &forged), "401 algorithm_not_allowed", "{alg:?}");
        let unsigned = with_part(&forged, 2, "");
        assert_eq!(outcome("public", &unsigned), "401 token_malformed", "{alg:?} unsigned");
    }
    for (name, alg) in [("null", json!(null)), ("list", json!(["RS256"])), ("number", json!(256))] {
        let forged = with_header(&token, |header| header["alg"] = alg.clone());
        assert_eq!(outcome("public", &forged), "401 token_malformed", "{name}");
    }
}

#[test]
fn denies_rs256_public_key_as_hs256_secret() {
    let World { public, .. } = world();
    let pem = public.key(Algorithm::Rs256).unwrap().public_pem().unwrap();
    for secret in [pem.as_str(), pem.trim_end(), &pem.replace('\n', "")] {
        let forger = SigningKey::from_secret(Algorithm::Hs256, "rs256", secret.as_bytes()).unwrap();
        assert_eq!(outcome("public", &forger.sign(&public.claims()).unwrap()), "401 algorithm_not_allowed");
    }
}

#[test]
fn denies_algorithm_that_does_not_fit_the_named_key() {
    let token = ordinary(&world().public, Algorithm::Rs256);
    let cases = [
        ("RS384", "rs256"),
        ("RS512", "rs256"),
        ("PS256", "rs256"),
        ("ES256", "rs256"),
        ("EdDSA", "es256"),
        ("ES384", "es256"),
        ("ES512", "es384"),
        ("RS256", "ps256"),
        ("PS384", "ps256"),
    ];
    for (alg, kid) in cases {
        let forged = with_header(&token, |header| *header = json!({"alg": alg, "kid": kid}));
        assert_eq!(outcome("public", &forged), "401 algorithm_not_allowed", "{alg} with {kid}");
    }
}

#[test]
fn unknown_kid_never_falls_back_to_another_key() {
    let World { public, .. } = world();
    let token = ordinary(public, Algorithm::Rs256);
    for kid in ["absent", "", "RS256", "../../etc/passwd", "' OR 1=1 --"] {
        let forged = with_header(&token, |header| header["kid"] = json!(kid));
        assert_eq!(outcome("public", &forged), "401 key_unknown", "{kid:?}");
    }
    let forged = with_header(&token, |header| header["kid"] = json!(7));
    assert_eq!(outcome("public", &forged), "401 token_malformed", "a number");
}

#[test]
fn key_of_one_issuer_cannot_sign_for_another() {
    let World { public, other, .. } = world();
    assert_eq!(outcome("public", &ordinary(other, Algorithm::Es256)), "200");
    let forged = other.key(Algorithm::Es256).unwrap().sign(&public.claims()).unwrap();
    assert_eq!(outcome("public", &forged), "401 signature_invalid", "the kid exists at both");
    let forged = public.key(Algorithm::Rs256).unwrap().sign(&other.claims()).unwrap();
    assert_eq!(outcome("public", &forged), "401 algorithm_not_allowed", "the other issuer has no RSA key");
    let stranger = other.key(Algorithm::Es256).unwrap().sign(&other.claims().with("iss", "https://evil.example.com")).unwrap();
    assert_eq!(outcome("public", &stranger), "401 issuer_unknown");
}

#[test]
fn keys_that_a_token_brings_are_ignored_and_extensions_refused() {
    let World { public, secret, .. } = world();
    let key = SigningKey::from_secret(Algorithm::Hs256, "any", secret).unwrap();
    let claims = Value::Object(public.claims().as_map().clone()).to_string();
    let signed = |header: Value| key.sign_text(&header.to_string(), &claims).unwrap();
    let evil = "https://evil.example.com/jwks";
    for (name, header, expected) in [
        ("plain", json!({"alg": "HS256"}), "200"),
        ("jku", json!({"alg": "HS256", "jku": evil}), "200"),
        ("x5u", json!({"alg": "HS256", "x5u": evil}), "200"),
        ("x5c", json!({"alg": "HS256", "x5c": ["MII"]}), "200"),
        ("jwk", json!({"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}), "200"),
        ("crit", json!({"alg": "HS256", "crit": ["exp"], "exp": 1}), "401 token_malformed"),
        ("crit empty", json!({"alg": "HS256", "crit": []}), "401 token_malformed"),
        ("b64", json!({"alg": "HS256", "b64": false, "crit": ["b64"]}), "401 token_malformed"),
        ("zip", json!({"alg": "HS256", "zip": "DEF"}), "401 token_malformed"),
        ("enc", json!({"alg": "HS256", "enc": "A256GCM"}), "401 token_malformed"),
    ] {
        assert_eq!(outcome("secret", &signed(header)), expected, "{name}");
    }
    let own = SigningKey::generate(Algorithm::Hs256, "any").unwrap();
    let header = json!({"alg": "HS256", "jwk": own.jwk().unwrap()}).to_string();
    let forged = own.sign_text(&header, &claims).unwrap();
    assert_eq!(outcome("secret", &forged), "401 signature_invalid", "signed by the key that it brings");
    let twice = key.sign_text(r#"{"alg":"HS256","alg":"HS256"}"#, &claims).unwrap();
    assert_eq!(outcome("secret", &twice), "401 token_malformed", "a name twice in the header");
    let twice = claims.replacen("{", r#"{"sub":"mallory","#, 1);
    assert_eq!(outcome("secret", &key.sign_text(r#"{"alg":"HS256"}"#, &twice).unwrap()), "401 token_malformed", "a claim twice");
}

#[test]
fn denies_what_is_not_strictly_a_compact_jws() {
    let token = ordinary(&world().public, Algorithm::Rs256);
    for (name, forged) in [
        ("one part", "token".to_owned()),
        ("two parts", token.rsplit_once('.').unwrap().0.to_owned()),
        ("four parts", format!("{token}.AQAB")),
        ("five parts, as a JWE", format!("{token}.AQAB.AQAB")),
        ("padding", format!("{token}==")),
        ("dots", "..".to_owned()),
        ("header is not JSON", with_part(&token, 0, "AQAB")),
        ("claims are not JSON", with_part(&token, 1, "AQAB")),
        ("claims are a list", with_part(&token, 1, &URL_SAFE_NO_PAD.encode("[1]"))),
        ("claims nested without end", with_part(&token, 1, &URL_SAFE_NO_PAD.encode("[".repeat(8_000)))),
        ("base64 of the other alphabet", with_part(&token, 2, "+/+/")),
    ] {
        assert_eq!(outcome("public", &forged), "401 token_malformed", "{name}");
    }
}
