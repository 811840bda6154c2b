//! The crate's decisions on wasm32, where `usize` has 32 bits and the arithmetic of the signatures takes other paths.
//!
//! The same tests run natively (`cargo test`) and in Node (`--target wasm32-unknown-unknown`). `wasm32/vectors.json` holds
//! public keys and one token of each algorithm, signed once with keys that nobody kept: `iss` `https://issuer.example.com`,
//! `sub` `alice`, `aud` `orders`, `iat` 1700000000, `exp` 4102444800, `roles` `["RESTAURANT"]`, `scope`
//! `orders.read orders.write`. Shared secrets are made at run time.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "a broken expectation ends the test")]

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{Claims, HS256Key, HS384Key, HS512Key, MACLike};
use portcullis_core::config::{Environment, Variable};
use portcullis_core::headers::Headers;
use portcullis_core::module::Module;
use portcullis_core::request::Request;
use portcullis_core::stage::{Alone, Completion, Exchange, MetricId, MetricKind, Observer, Stage, Verdict};
use portcullis_core::time::UnixTime;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
const AFTER_EXPIRATION: UnixTime = UnixTime::from_secs(4_102_444_800 + 3600);
const ISSUER: &str = "https://issuer.example.com";

fn nothing_set(_: &str) -> Variable {
    Variable::Unset
}

fn load(module: Module, config: &Value, environment: &dyn Environment) -> Vec<Box<dyn Stage>> {
    module.load(config.to_string().as_bytes(), environment).unwrap().stages
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("wasm32/vectors.json")).unwrap()
}

/// The algorithms with their tokens.
fn tokens(vectors: &Value) -> Vec<(&String, &str)> {
    let tokens: Vec<_> =
        vectors["tokens"].as_object().unwrap().iter().map(|(name, token)| (name, token.as_str().unwrap())).collect();
    assert_eq!(tokens.len(), 10);
    tokens
}

fn by_key_set(vectors: &Value) -> Value {
    json!({"jwtRules": [{"name": "shop", "issuer": ISSUER, "audiences": ["orders"], "jwks": vectors["jwks"]}]})
}

fn exchange(method: &str, path: &str, token: Option<&str>) -> Exchange {
    let authorization = token.map(|token| format!("Bearer {token}"));
    let pseudo = [(":method", method), (":path", path), (":authority", "api.example.com"), ("x-request-id", "r-1")];
    let headers = pseudo.into_iter().chain(authorization.as_deref().map(|value| ("authorization", value)));
    Exchange::new(Request::new(Headers::from_pairs(headers)), Some(NOW))
}

/// Runs every stage over a request and gives the rule and the reason of the decision.
fn decide(stages: &mut [Box<dyn Stage>], exchange: &mut Exchange, now: UnixTime) -> (String, String) {
    let verdicts: Vec<_> = stages.iter_mut().map(|stage| stage.on_request(exchange, now, &mut Alone)).collect();
    let is_refused = verdicts.iter().any(|verdict| *verdict != Verdict::Continue);
    assert_eq!(exchange.is_allowed(), !is_refused);
    let decision = exchange.decision.as_ref().unwrap();
    (decision.rule.to_string(), decision.reason.to_string())
}

fn reason(config: &Value, environment: &dyn Environment, token: &str, now: UnixTime) -> String {
    decide(&mut load(Module::JwtAuth, config, environment), &mut exchange("GET", "/", Some(token)), now).1
}

#[test]
fn allows_a_valid_token_of_each_algorithm() {
    let vectors = vectors();
    for (algorithm, token) in tokens(&vectors) {
        assert_eq!(reason(&by_key_set(&vectors), &nothing_set, token, NOW), "token_valid", "{algorithm}");
    }
}

#[test]
fn denies_a_token_whose_signature_or_claims_were_changed() {
    let vectors = vectors();
    for (algorithm, token) in tokens(&vectors) {
        let parts: Vec<_> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else { panic!("{algorithm}: three parts") };
        let swap = |text: &str, at: usize| {
            let mut letters: Vec<char> = text.chars().collect();
            letters[at] = if letters[at] == 'A' { 'B' } else { 'A' };
            letters.into_iter().collect::<String>()
        };
        let middle = signature.len() / 2;
        for (case, changed) in [
            ("first byte", format!("{header}.{claims}.{}", swap(signature, 0))),
            ("middle", format!("{header}.{claims}.{}", swap(signature, middle))),
            ("another's claims", format!("{header}.{}.{signature}", claims_of("mallory"))),
        ] {
            assert_eq!(reason(&by_key_set(&vectors), &nothing_set, &changed, NOW), "signature_invalid", "{algorithm}: {case}");
        }
    }
}

/// The claims of a token for somebody else, as they stand in it.
fn claims_of(subject: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({"iss": ISSUER, "sub": subject, "aud": "orders", "exp": 4_102_444_800_u64}).to_string())
}

#[test]
fn denies_expired_token() {
    let vectors = vectors();
    for (algorithm, token) in tokens(&vectors) {
        assert_eq!(reason(&by_key_set(&vectors), &nothing_set, token, AFTER_EXPIRATION), "token_expired", "{algorithm}");
    }
}

#[test]
fn checks_shared_secrets_of_each_length() {
    let claims = || {
        let mut claims = Claims::create(jwt_simple::prelude::Duration::from_secs(0)).with_issuer(ISSUER);
        claims.issued_at = None;
        claims.invalid_before = None;
        claims.expires_at = Some(jwt_simple::prelude::Duration::from_secs(4_102_444_800));
        claims
    };
    let (key_256, key_384, key_512) = (HS256Key::generate(), HS384Key::generate(), HS512Key::generate());
    for (algorithm, token, secret) in [
        ("HS256", key_256.authenticate(claims()).unwrap(), hex(&key_256.to_bytes())),
        ("HS384", key_384.authenticate(claims()).unwrap(), hex(&key_384.to_bytes())),
        ("HS512", key_512.authenticate(claims()).unwrap(), hex(&key_512.to_bytes())),
    ] {
        let config = json!({"jwtRules": [{"issuer": ISSUER, "secret": {"env": "KEY", "encoding": "hex"}}]});
        let right = |_: &str| Variable::Set(secret.clone());
        let wrong = |_: &str| Variable::Set("ab".repeat(64));
        assert_eq!(reason(&config, &right, &token, NOW), "token_valid", "{algorithm}");
        assert_eq!(reason(&config, &wrong, &token, NOW), "signature_invalid", "{algorithm}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn writes_paths_in_one_spelling() {
    for (target, expected, is_ambiguous) in [
        ("/", "/", false),
        ("/orders/7/approve?x=/public/#y", "/orders/7/approve", false),
        ("/%61dmin", "/admin", false),
        ("/a/./b/../c", "/a/c", false),
        ("/caf\u{e9}", "/caf%C3%A9", false),
        ("/%3a", "/%3A", false),
        ("//admin", "//admin", true),
        ("/a%2fadmin", "/a%2Fadmin", true),
        ("/a/..;/admin", "/a/..;/admin", true),
        ("/%2561dmin", "/%2561dmin", true),
        ("/a\\..\\admin", "/a\\..\\admin", true),
        ("/%", "/%25", true),
    ] {
        let request = Request::new(Headers::from_pairs([(":path", target)]));
        let path = request.path().unwrap();
        assert_eq!((path.as_str(), path.is_ambiguous()), (expected, is_ambiguous), "{target}");
    }
}

fn shop(vectors: &Value) -> Value {
    let mut config = by_key_set(vectors);
    config["rules"] = json!([
        {"name": "health", "match": {"paths": ["/healthz"], "methods": ["GET"]}, "access": "public"},
        {"name": "approve", "match": {"paths": ["/orders/{id}/approve"], "methods": ["POST"]}, "require": {"roles": ["RESTAURANT"]}},
        {"name": "admin", "match": {"paths": ["/admin/**"]}, "require": {"roles": ["ADMIN"]}},
        {"name": "orders", "match": {"paths": ["/orders/**"]}, "require": {"scopes": ["orders.read"]}},
        {"name": "closed", "match": {"hosts": ["*.example.com"], "paths": ["/closed"]}, "access": "denied"},
    ]);
    config
}

#[test]
fn chooses_the_rule_of_a_request() {
    let vectors = vectors();
    let token = vectors["tokens"]["ES256"].as_str();
    let mut stages = load(Module::JwtAuth, &shop(&vectors), &nothing_set);
    for (method, path, token, rule, reason) in [
        ("GET", "/healthz", None, "health", "public"),
        ("POST", "/healthz", None, "default", "token_missing"),
        ("POST", "/orders/7/approve", token, "approve", "token_valid"),
        ("post", "/orders/7/approve/", token, "approve", "token_valid"),
        ("GET", "/orders", token, "orders", "token_valid"),
        ("GET", "/orders/7/items?x=1", token, "orders", "token_valid"),
        ("GET", "/admin", token, "admin", "role_missing"),
        ("GET", "//admin/users", token, "admin", "role_missing"),
        ("GET", "/closed", token, "closed", "access_denied"),
        ("GET", "/elsewhere", token, "default", "token_valid"),
    ] {
        let decided = decide(&mut stages, &mut exchange(method, path, token), NOW);
        assert_eq!(decided, (rule.to_owned(), reason.to_owned()), "{method} {path}");
    }
}

#[test]
fn refuses_a_configuration_with_its_place_and_reason() {
    for (config, expected) in [
        ("", "the configuration is empty; give the plugin its configuration as a JSON object"),
        (r#"{"jwtRule": []}"#, "jwtRule: unknown key; did you mean `jwtRules`?"),
        (r#"{"realm": 7}"#, "realm: must be a string, not a number"),
        (r#"{"default": "requierd"}"#, "default: is none of the values allowed here; did you mean `required`?"),
    ] {
        let error = Module::JwtAuth.load(config.as_bytes(), &nothing_set).unwrap_err();
        assert_eq!(error.to_string(), expected, "{config}");
    }
}

/// What stages wrote to filter state; metrics get numbers in the order in which they are defined.
#[derive(Default)]
struct Written {
    states: Vec<(String, String)>,
    metrics: Vec<String>,
    increments: Vec<(MetricId, u64)>,
}

impl Observer for Written {
    fn define_metric(&mut self, _: MetricKind, name: &str) -> Option<MetricId> {
        self.metrics.push(name.to_owned());
        u32::try_from(self.metrics.len() - 1).ok().map(MetricId)
    }

    fn increment(&mut self, metric: MetricId, amount: u64) {
        self.increments.push((metric, amount));
    }

    fn adjust(&mut self, _: MetricId, _: i64) {}

    fn record(&mut self, metric: MetricId, value: u64) {
        self.increments.push((metric, value));
    }

    fn set_state(&mut self, key: &str, value: &str) {
        self.states.push((key.to_owned(), value.to_owned()));
    }

    fn print(&mut self, _: &str) {}
}

#[test]
fn records_and_counts_a_request_of_the_bundle() {
    let vectors = vectors();
    let config = json!({
        "jwtAuth": shop(&vectors),
        "auditLog": {"events": [{"name": "order.approve", "match": {"paths": ["/orders/{id}/approve"]}, "object": "{path.id}"}]},
        "metrics": {"labels": ["rule", "reason"]},
    });
    let mut stages = load(Module::Bundle, &config, &nothing_set);
    let mut exchange = exchange("POST", "/orders/7/approve", vectors["tokens"]["RS256"].as_str());
    decide(&mut stages, &mut exchange, NOW);
    let mut written = Written::default();
    let completion = Completion { status: Some(200), duration: Some(Duration::from_millis(12)), ..Completion::default() };
    for stage in &mut stages {
        stage.on_log(&exchange, &completion, NOW, &mut written);
        stage.on_tick(NOW, &mut written);
    }
    let [(key, line)] = &written.states[..] else { panic!("{:?}", written.states) };
    assert_eq!(key, "portcullis.audit");
    assert_eq!(
        line,
        concat!(
            r#"{"schema":"portcullis.audit/1","id":"f56ece944e25fc4c-1","time":"2027-01-15T08:00:00.000Z","action":"order.approve","object":"7","#,
            r#""outcome":"allowed","sample":null,"decision":{"rule":"approve","decision":"allow","reason":"token_valid","issuer":"shop","shadow":false},"#,
            r#""strippedHeaders":null,"principal":{"issuer":"https://issuer.example.com","subject":"alice","roles":["RESTAURANT"],"#,
            r#""method":"jwt","tokenId":null,"claims":{}},"#,
            r#""request":{"method":"POST","host":"api.example.com","path":"/orders/7/approve","pathTemplate":"/orders/{id}/approve","#,
            r#""protocol":null,"headers":{},"query":{},"bytes":null},"requestId":"r-1","traceId":null,"truncated":false,"#,
            r#""response":{"status":200,"bytes":null,"grpcStatus":null,"flags":null,"details":null},"durationMs":12,"#,
            r#""client":{"address":null,"peer":null}}"#,
        )
    );
    assert_eq!(
        written.metrics,
        [
            "rule=.=approve;.;reason=.=token_valid;.;portcullis_requests_total",
            "rule=.=approve;.;portcullis_request_duration_ms",
            "issuer=.=shop;.;portcullis_jwks_consecutive_failures",
            "issuer=.=shop;.;portcullis_jwks_keys",
            "outcome=.=miss;.;portcullis_token_cache_lookups_total",
            "portcullis_token_cache_entries",
            "portcullis_token_cache_bytes",
        ]
    );
    assert_eq!(written.increments, [(MetricId(0), 1), (MetricId(1), 12), (MetricId(2), 0), (MetricId(3), 6), (MetricId(4), 1)]);
}
