//! Bad input: from a client, after which the proxy serves the next request, and from an operator, whose mistake has a name.

use std::sync::OnceLock;

use portcullis_e2e::{Stack, bootstrap, bundle};
use portcullis_testbed::{Algorithm, Envoy, Issuer, Listener, Module, Plugin, Request};
use serde_json::{Value, json};

struct World {
    stack: Stack,
    issuer: Issuer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
        let configuration = json!({
            "jwtAuth": {
                "jwtRules": [{
                    "name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap(),
                    "fromHeaders": [{"name": "Authorization", "prefix": "Bearer "}],
                    "fromParams": ["access_token"], "fromCookies": ["session"],
                }],
                "rules": [
                    {"name": "open", "match": {"paths": ["/open"]}, "access": "public"},
                    {"name": "maybe", "match": {"paths": ["/maybe"]}, "access": "optional"},
                ],
            },
            "authHeader": {"strip": ["x-user-*"], "inject": [{"header": "x-user-id", "claim": "sub"}]},
            "auditLog": {"default": {"record": "always"}, "include": {"requestHeaders": ["user-agent"], "queryParams": ["q"]}},
            "metrics": {},
        });
        World { stack: Stack::start([bundle("gate", &configuration).max_request_headers_kb(96)], &[]), issuer }
    })
}

impl World {
    /// The proxy is well: both workers serve, and no VM had to be made anew.
    #[track_caller]
    fn assert_well(&self, after: &str) {
        let token = self.issuer.token().unwrap();
        for _ in 0..4 {
            assert_eq!(self.stack.outcome("gate", &Request::get("/").bearer(&token)), "200", "after {after}");
        }
        let stats = self.stack.envoy.stats();
        let reloads: Vec<_> = stats.lines().filter(|line| line.contains(".vm_reload")).collect();
        assert!(!reloads.is_empty(), "Envoy does not count reloads under this name any more");
        assert!(reloads.iter().all(|line| line.ends_with(": 0")), "after {after}: {reloads:?}");
    }
}

#[test]
fn denies_malformed_authorization_and_serves_the_next_request() {
    let world = world();
    let token = world.issuer.token().unwrap();
    let malformed = "400 authorization_malformed";
    for (case, value, expected) in [
        ("bytes above ASCII", b"Bearer \xff\xfe".to_vec(), malformed),
        ("a byte above ASCII in a token", [b"Bearer ", token.as_bytes(), b"\xa1"].concat(), malformed),
        ("UTF-8", "Bearer tökén".into(), malformed),
        ("nothing after the scheme", b"Bearer ".to_vec(), malformed),
        ("the scheme alone", b"Bearer".to_vec(), malformed),
        ("a second word", format!("Bearer {token} x").into(), malformed),
        ("two in one line", format!("Bearer {token}, Bearer {token}").into(), "400 credentials_multiple"),
        ("a tab", format!("Bearer {token}\tx").into(), malformed),
        ("another scheme", b"Basic YWxpY2U6c2VjcmV0".to_vec(), "401 token_missing"),
        ("another scheme with bytes above ASCII", b"Basic \xff".to_vec(), "401 token_missing"),
        ("not a token", b"Bearer garbage".to_vec(), "401 token_malformed"),
        ("64 KB", format!("Bearer {}", "a".repeat(64 * 1024)).into(), "400 token_too_large"),
        ("64 KB of dots", format!("Bearer {}", ".".repeat(64 * 1024)).into(), "400 token_too_large"),
        ("just over the limit", format!("Bearer {}", "a".repeat(16 * 1024 + 1)).into(), "400 token_too_large"),
        ("at the limit", format!("Bearer {}", "a".repeat(16 * 1024)).into(), "401 token_malformed"),
    ] {
        for path in ["/", "/maybe"] {
            let absent_is_fine = path == "/maybe" && expected == "401 token_missing";
            let expected = if absent_is_fine { "200" } else { expected };
            assert_eq!(
                world.stack.outcome("gate", &Request::get(path).header("authorization", &value)),
                expected,
                "{case} {path}"
            );
        }
        assert_eq!(world.stack.outcome("gate", &Request::get("/open").header("authorization", &value)), "200", "{case} public");
        world.assert_well(case);
    }
}

#[test]
fn denies_empty_authorization() {
    let world = world();
    let response = world.stack.envoy.listener("gate").send(&Request::get("/").header("authorization", ""));
    world.stack.assert_refusal(&response);
    assert!(
        ["401 token_missing", "400 authorization_malformed"].contains(&response.outcome().as_str()),
        "{}",
        response.outcome()
    );
    world.assert_well("an empty Authorization");
}

#[test]
fn denies_two_authorization_headers() {
    let world = world();
    let token = world.issuer.token().unwrap();
    let bearer = format!("Bearer {token}");
    for (case, first, second) in [
        ("the same twice", bearer.as_str(), bearer.as_str()),
        ("a good one first", &bearer, "Bearer garbage"),
        ("a good one last", "Bearer garbage", &bearer),
        ("another scheme first", "Basic YTpi", &bearer),
        ("another scheme last", &bearer, "Basic YTpi"),
    ] {
        let request = Request::get("/").header("authorization", first).header("authorization", second);
        assert_eq!(world.stack.outcome("gate", &request), "400 credentials_multiple", "{case}");
    }
    world.assert_well("two Authorization headers");
}

/// A plain `400` is Envoy's own, before any filter.
#[test]
fn bytes_above_ascii_anywhere_harm_nobody() {
    let world = world();
    let token = world.issuer.token().unwrap();
    let with_token = || Request::get("/").bearer(&token);
    for (case, request, expected) in [
        ("a header", with_token().header("x-any", b"\xff\xfe\x80"), "200"),
        ("a header that is audited", with_token().header("user-agent", b"\xff\xfe\x80"), "200"),
        ("a stripped header", with_token().header("x-user-id", b"\xff"), "200"),
        ("a cookie beside", with_token().header("cookie", b"a=\xff; b=\x80"), "200"),
        ("trace headers", with_token().header("traceparent", b"00-\xff").header("b3", b"\xff"), "200"),
        ("a session cookie", Request::get("/").header("cookie", b"session=\xff\xfe"), "401 token_malformed"),
        ("the query", Request::get(b"/?q=\xff&r=\xfe").bearer(&token), "400"),
        ("a token in the query", Request::get(b"/?access_token=\xff"), "400"),
        ("the path", Request::get(b"/\xff\xfe"), "400"),
        ("the host", Request::get("/").host(b"\xff.example.com"), "400"),
        ("the name of a header", with_token().header(b"x-user-\xff", "a"), "400"),
    ] {
        let response = world.stack.envoy.listener("gate").send(&request);
        assert_eq!(response.outcome(), expected, "{case}");
        assert_eq!(world.stack.upstream.seen(&response.id).is_some(), expected == "200", "{case}");
        world.assert_well(case);
    }
}

/// A plain `400` or `404` is Envoy's own.
#[test]
fn odd_requests_harm_nobody() {
    let world = world();
    let token = world.issuer.token().unwrap();
    let get = |target: &str| Request::get(target).bearer(&token);
    let many = (0..90).fold(get("/"), |request, number| request.header(format!("x-{number}"), "v"));
    for (case, request, expected) in [
        ("many headers", many, "200"),
        ("a long header", get("/").header("x-long", "v".repeat(40_000)), "200"),
        ("a long path", get(&format!("/{}", "a/".repeat(15_000))), "200"),
        ("a path that may mean too much", get(&format!("/{}", "%2f..".repeat(5_000))), "403 access_denied"),
        ("a path of escapes", get(&format!("/{}", "%25".repeat(5_000))), "200"),
        ("a query of many parameters", get(&format!("/?{}", "q=1&".repeat(8_000))), "200"),
        ("many cookies", get("/").header("cookie", "a=b; ".repeat(8_000)), "200"),
        ("absolute form", get("http://other.example.com/x"), "200"),
        ("no path", Request::new("OPTIONS", "*").bearer(&token), "404"),
        ("no leading slash", get("x"), "400"),
    ] {
        assert_eq!(world.stack.envoy.listener("gate").send(&request).outcome(), expected, "{case}");
        world.assert_well(case);
    }
}

/// The end of Envoy's log after it refused one module with a configuration.
fn refusal(plugin: Plugin) -> String {
    let bootstrap = bootstrap().listener(Listener::new("broken").plugin(plugin));
    Envoy::start_expecting_refusal(&bootstrap).unwrap_or_else(|error| panic!("{error:?}"))
}

fn with_keys(jwks: &str) -> Value {
    json!({"jwtAuth": {"jwtRules": [{"name": "uaa", "issuer": "https://uaa.example.com", "jwks": jwks}]}})
}

#[test]
fn refused_configurations_name_the_place_and_the_reason() {
    let padding = "a".repeat(10 * 1024 * 1024);
    let huge = format!(r#"{{"keys":[],"padding":"{padding}"}}"#);
    let whole = world().issuer.jwks().unwrap().to_string();
    let half = whole.get(..whole.len() / 2).unwrap();
    // The smallest module: what a document must be is the same for all, and each start compiles the module.
    let text = |text: &str| Plugin::with_text(Module::Metrics, text);
    let object = |value: Value| Plugin::new(Module::Portcullis, &value);
    let jwks_at = "jwtAuth.jwtRules[0].jwks";
    let cases: Vec<(&str, Plugin, Vec<&str>)> = vec![
        ("missing", Plugin::unconfigured(Module::Metrics), vec!["the configuration is empty"]),
        ("empty", text(""), vec!["the configuration is empty"]),
        ("not JSON", text("jwtAuth: {}"), vec!["the configuration is not JSON"]),
        ("half a document", text(r#"{"labels": ["#), vec!["the configuration is not JSON"]),
        ("a list", text("[]"), vec!["must be a JSON object, not a list"]),
        ("no jwtAuth", object(json!({})), vec!["jwtAuth"]),
        (
            "unknown key",
            object(json!({"jwtAuth": {"jwtRules": [{"isuer": "x"}]}})),
            vec!["jwtAuth.jwtRules[0].isuer", "did you mean `issuer`?"],
        ),
        ("unknown key at the top", object(json!({"jwtAuth": {}, "auditlog": {}})), vec!["auditlog", "did you mean `auditLog`?"]),
        ("key of a later version", object(json!({"jwtAuth": {"jwtRules": [], "denyList": []}})), vec!["jwtAuth.denyList"]),
        ("JWKS that is HTML", object(with_keys("<!doctype html><title>Sign in</title>")), vec![jwks_at, "not JSON"]),
        ("JWKS without keys", object(with_keys(r#"{"keys":[]}"#)), vec![jwks_at, "empty"]),
        ("JWKS of ten megabytes", object(with_keys(&huge)), vec![jwks_at, "longer than 1 MiB"]),
        ("half a JWKS", object(with_keys(half)), vec![jwks_at, "not JSON"]),
        (
            "issuer without keys",
            object(json!({"jwtAuth": {"jwtRules": [{"issuer": "https://uaa.example.com"}]}})),
            vec!["jwtAuth.jwtRules[0]"],
        ),
        (
            "rule that asks for an issuer that is not there",
            object(json!({"jwtAuth": {"jwtRules": [], "rules": [{"require": {"issuers": ["uaa"]}}]}})),
            vec!["jwtAuth.rules[0].require.issuers[0]"],
        ),
        (
            "short secret",
            object(json!({"jwtAuth": {"jwtRules": [{"issuer": "x", "secret": {"inline": "s3cret-of-the-operator"}}]}})),
            vec!["jwtAuth.jwtRules[0].secret.inline", "too short"],
        ),
        (
            "variable that is not set",
            object(json!({"jwtAuth": {"jwtRules": [{"issuer": "x", "secret": {"env": "JWT_SECRET"}}]}})),
            vec!["jwtAuth.jwtRules[0].secret.env", "not set"],
        ),
        ("single module", Plugin::new(Module::JwtAuth, &json!({"jwtRulez": []})), vec!["jwtRulez", "did you mean `jwtRules`?"]),
        ("auth-header", Plugin::new(Module::AuthHeader, &json!({"strip": ["x y"]})), vec!["strip[0]"]),
        ("audit-log", Plugin::new(Module::AuditLog, &json!({"sinks": []})), vec!["sinks"]),
        ("metrics", Plugin::new(Module::Metrics, &json!({"labels": ["path"]})), vec!["labels[0]"]),
    ];
    for (case, plugin, expected) in cases {
        let log = refusal(plugin);
        let shown =
            log.lines().filter(|line| line.contains("[wasm]") || line.contains("critical")).collect::<Vec<_>>().join("\n");
        for text in expected {
            assert!(shown.contains(text), "{case}: no {text:?} in\n{shown}");
        }
        assert!(!log.contains("s3cret-of-the-operator"), "{case}: the log holds a secret");
    }
}

#[test]
fn secret_from_the_environment_of_the_vm_is_used() {
    let secret = "a-secret-of-the-environment-with-more-than-32-bytes";
    let key = portcullis_testbed::SigningKey::from_secret(Algorithm::Hs256, "any", secret.as_bytes()).unwrap();
    let configuration = json!({"jwtRules": [{"issuer": "https://uaa.example.com", "secret": {"env": "JWT_SECRET"}}]});
    let plugin = Plugin::new(Module::JwtAuth, &configuration).variable("JWT_SECRET", secret);
    let stack = Stack::start([Listener::new("gate").plugin(plugin)], &[]);
    let token = key.sign(&world().issuer.claims()).unwrap();
    assert_eq!(stack.outcome("gate", &Request::get("/").bearer(&token)), "200");
    assert_eq!(stack.outcome("gate", &Request::get("/").bearer(&world().issuer.token().unwrap())), "401 algorithm_not_allowed");
    assert!(!stack.envoy.all_logs().contains(secret));
}
