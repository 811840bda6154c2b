//! Rules: which one decides, what it asks for, and that no disguise of a request changes that.

use std::sync::OnceLock;

use portcullis_e2e::{Stack, jwt_auth};
use portcullis_testbed::{Algorithm, Claims, Issuer, Request, Route};
use serde_json::{Value, json};

struct World {
    stack: Stack,
    issuer: Issuer,
    partner: Issuer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
        let partner = Issuer::new("https://partner.example.com", &[Algorithm::Es256]).unwrap();
        let rule = |name: &str, issuer: &Issuer| json!({"name": name, "issuer": issuer.name(), "jwks": issuer.jwks().unwrap()});
        let issuers = json!([rule("uaa", &issuer), rule("partner", &partner)]);
        let rules = json!([
            {"name": "public", "match": {"paths": ["/public/**", "/healthz", "/docs/{page}"], "methods": ["GET"]}, "access": "public"},
            {"name": "admin-host", "match": {"hosts": ["admin.example.com"]}, "require": {"roles": ["ADMIN"]}},
            {"name": "tenant-hosts", "match": {"hosts": ["*.tenants.example.com"]}, "require": {"scopes": ["tenant"]}},
            {"name": "internal", "match": {"paths": ["/internal/**"]}, "access": "denied"},
            {"name": "catalog", "match": {"paths": ["/catalog/*"]}, "access": "optional"},
            {
                "name": "approve", "match": {"paths": ["/orders/{orderId}/approve"], "methods": ["POST"]},
                "require": {"roles": ["RESTAURANT", "ADMIN"]},
            },
            {
                "name": "write", "match": {"paths": ["/orders/**"], "methods": ["POST", "PUT", "DELETE"]},
                "require": {"scopes": ["orders.read", "orders.write"]},
            },
            {"name": "reports", "match": {"routes": ["reports"]}, "require": {"audiences": ["reports"]}},
            {"name": "partner", "match": {"paths": ["/partner/**"]}, "require": {"issuers": ["partner"]}},
        ]);
        let configuration = |default: &str| json!({"jwtRules": issuers, "rules": rules, "default": default});
        let listeners = [
            jwt_auth("rules", &configuration("required")).route(Route::prefix("reports", "/reports")),
            jwt_auth("closed", &configuration("denied")),
            jwt_auth("open", &configuration("public")),
        ];
        World { stack: Stack::start(listeners, &[]), issuer, partner }
    })
}

/// The outcome of a request, and the rule that decided.
#[track_caller]
fn decided(listener: &str, request: &Request) -> (String, String) {
    let World { stack, .. } = world();
    let response = stack.envoy.listener(listener).send(request);
    let line = stack.envoy.access_line(listener, &response.id);
    if response.status == 200 {
        let _ = stack.seen(&response);
    } else {
        stack.assert_refusal(&response);
    }
    let decision: Value = serde_json::from_str(&line.decision).unwrap();
    (response.outcome(), decision["rule"].as_str().unwrap().to_owned())
}

#[track_caller]
fn assert_decided(case: &str, request: &Request, outcome: &str, rule: &str) {
    assert_eq!(decided("rules", request), (outcome.to_owned(), rule.to_owned()), "{case}");
}

fn token(change: impl Fn(Claims) -> Claims) -> String {
    let issuer = &world().issuer;
    issuer.sign(&change(issuer.claims())).unwrap()
}

fn post(path: &str) -> Request {
    Request::new("POST", path).header("content-length", "0")
}

#[test]
fn applies_the_first_rule_that_matches_and_its_access() {
    let bare = token(|claims| claims);
    for (request, anonymous, authenticated, rule) in [
        ("GET /public/a", "200", "200", "public"),
        ("GET /public", "200", "200", "public"),
        ("GET /healthz", "200", "200", "public"),
        ("GET /docs/intro", "200", "200", "public"),
        ("GET /docs/intro/more", "401 token_missing", "200", "default"),
        ("GET /docs/", "401 token_missing", "200", "default"),
        ("GET /internal/a", "403 access_denied", "403 access_denied", "internal"),
        ("GET /internal", "403 access_denied", "403 access_denied", "internal"),
        ("GET /catalog/1", "200", "200", "catalog"),
        ("GET /catalog/1/2", "401 token_missing", "200", "default"),
        ("POST /orders/1/approve", "401 token_missing", "403 role_missing", "approve"),
        ("POST /orders//approve", "401 token_missing", "403 scope_missing", "default"),
        ("POST /orders/1", "401 token_missing", "403 scope_missing", "write"),
        ("GET /orders/1", "401 token_missing", "200", "default"),
        ("GET /reports/2026", "401 token_missing", "401 audience_mismatch", "reports"),
        ("GET /partner/x", "401 token_missing", "401 issuer_not_allowed", "partner"),
        ("GET /", "401 token_missing", "200", "default"),
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        let plain = Request::new(method, path).header("content-length", "0");
        let (outcome, decided_by) = decided("rules", &plain);
        assert_eq!((outcome.as_str(), decided_by.as_str()), (anonymous, rule), "{request} without a token");
        let (outcome, _) = decided("rules", &plain.bearer(&bare));
        assert_eq!(outcome, authenticated, "{request} with a token");
    }
}

#[test]
fn optional_refuses_a_bad_token_and_public_does_not_look() {
    let forged = format!("{}x", token(|claims| claims));
    let expired = token(|claims| claims.expiring_in(-3600));
    for bad in [forged.as_str(), &expired, "garbage"] {
        assert_decided("public", &Request::get("/public/a").bearer(bad), "200", "public");
        let (outcome, rule) = decided("rules", &Request::get("/catalog/1").bearer(bad));
        assert!(outcome.starts_with("401 ") && rule == "catalog", "{outcome} {rule}");
    }
}

#[test]
fn asks_for_any_role_all_scopes_and_the_named_issuers_and_audiences() {
    let with = |name: &'static str, value: Value| token(move |claims| claims.with(name, value.clone()));
    let partner = &world().partner;
    let partner_token = partner.token().unwrap();
    for (case, request, outcome) in [
        ("one role", post("/orders/1/approve").bearer(&with("roles", json!(["RESTAURANT"]))), "200"),
        ("the other role", post("/orders/1/approve").bearer(&with("roles", json!(["USER", "ADMIN"]))), "200"),
        ("another role", post("/orders/1/approve").bearer(&with("roles", json!(["USER"]))), "403 role_missing"),
        ("role in another case", post("/orders/1/approve").bearer(&with("roles", json!(["admin"]))), "403 role_missing"),
        ("role as a prefix", post("/orders/1/approve").bearer(&with("roles", json!(["ADMINS"]))), "403 role_missing"),
        ("both scopes", post("/orders").bearer(&with("scope", json!("orders.write orders.read"))), "200"),
        ("one scope", post("/orders").bearer(&with("scope", json!("orders.write"))), "403 scope_missing"),
        ("audience", Request::get("/reports").bearer(&with("aud", json!(["orders", "reports"]))), "200"),
        ("issuer", Request::get("/partner/x").bearer(&partner_token), "200"),
    ] {
        assert_eq!(world().stack.outcome("rules", &request), outcome, "{case}");
    }
}

#[test]
fn hosts_match_in_any_spelling_and_nothing_else_does() {
    let bare = token(|claims| claims);
    for (host, outcome, rule) in [
        ("admin.example.com", "403 role_missing", "admin-host"),
        ("ADMIN.Example.COM", "403 role_missing", "admin-host"),
        ("admin.example.com:8443", "403 role_missing", "admin-host"),
        ("admin.example.com.", "403 role_missing", "admin-host"),
        ("evil-admin.example.com", "200", "default"),
        ("admin.example.com.evil.com", "200", "default"),
        ("a.tenants.example.com", "403 scope_missing", "tenant-hosts"),
        ("b.a.tenants.example.com", "403 scope_missing", "tenant-hosts"),
        ("A.TENANTS.example.com:80", "403 scope_missing", "tenant-hosts"),
        ("tenants.example.com", "200", "default"),
        ("eviltenants.example.com", "200", "default"),
    ] {
        assert_decided(host, &Request::get("/x").host(host).bearer(&bare), outcome, rule);
    }
}

#[test]
fn methods_match_without_case_unless_the_rule_is_public() {
    let bare = token(|claims| claims);
    for (method, path, outcome, rule) in [
        ("post", "/orders/1/approve", "403 role_missing", "approve"),
        ("Post", "/orders/1/approve", "403 role_missing", "approve"),
        ("delete", "/orders/1", "403 scope_missing", "write"),
        ("BREW", "/orders/1", "200", "default"),
        ("get", "/internal/x", "403 access_denied", "internal"),
        ("BREW", "/internal/x", "403 access_denied", "internal"),
    ] {
        let request = Request::new(method, path).header("content-length", "0");
        assert_decided(method, &request.bearer(&bare), outcome, rule);
    }
    for method in ["get", "HEAD", "POST", "OPTIONS", "BREW"] {
        let request = Request::new(method, "/healthz").header("content-length", "0");
        let response = world().stack.envoy.listener("rules").send(&request);
        assert_eq!(response.status, 401, "{method}");
    }
}

#[test]
fn trailing_slash_widens_protection_and_never_exemption() {
    let bare = token(|claims| claims);
    assert_decided("denied", &Request::get("/internal/"), "403 access_denied", "internal");
    assert_decided("role", &post("/orders/1/approve/").bearer(&bare), "403 role_missing", "approve");
    assert_decided("public", &Request::get("/healthz/"), "401 token_missing", "default");
}

#[test]
fn disguised_path_never_leaves_its_rule() {
    for path in [
        "/public/../internal/x",
        "/public/%2e%2e/internal/x",
        "/public/.%2E/internal/x",
        "/%69nternal/x",
        "/./internal/./x",
        "/orders/../internal/x",
        "/internal/a/../b",
        "/public/..%2finternal/x",
        "/public%2f..%2finternal/x",
        "/public/..%5cinternal/x",
        "/public/..\\internal/x",
        "/public/%252e%252e/internal/x",
        "/public/%252e%252e%252finternal/x",
        "//internal/x",
        "/public/..;/internal/x",
        "/internal;x=1/a",
        "/internal/;x=1",
        "/internal%2fx",
    ] {
        let (outcome, _) = decided("rules", &Request::get(path));
        assert!(outcome == "403 access_denied" || outcome == "401 token_missing", "{path} without a token: {outcome}");
        let (outcome, _) = decided("rules", &Request::get(path).bearer(&token(|claims| claims)));
        assert_eq!(outcome, "403 access_denied", "{path} with a token");
    }
}

#[test]
fn ambiguous_path_is_never_public() {
    for path in [
        "//public/a",
        "/public//a",
        "/public/a%2fb",
        "/public/a%5cb",
        "/public/a\\b",
        "/public/a%00",
        "/public/a;x=1",
        "/public/;/a",
        "/public/a%252fb",
        "/public/a%zz",
        "/public/a%2",
        "/docs/a%2fb",
    ] {
        assert_decided(path, &Request::get(path), "401 token_missing", "default");
    }
    for path in ["/%70ublic/a", "/x/../public/a", "/public/a%20b", "/public/./a", "/public/a.b~c_d-e"] {
        assert_decided(path, &Request::get(path), "200", "public");
    }
}

#[test]
fn query_and_fragment_never_satisfy_a_public_rule() {
    for path in ["/orders/1?x=/public/", "/orders/1?/../public/a", "/orders/1?/public/a", "/?/healthz", "/orders?%23/public/a"] {
        assert_decided(path, &Request::get(path), "401 token_missing", "default");
    }
    assert_decided("query", &Request::get("/internal?x=/public/a"), "403 access_denied", "internal");
    assert_decided("query of a public path", &Request::get("/public/a?b=/internal//"), "200", "public");
    let World { stack, .. } = world();
    for path in ["/orders/1#/public/a", "/orders/1#/../public/a", "/internal#/public/a"] {
        // Envoy itself refuses a fragment; with another setting it is for the rules to do so.
        let response = stack.envoy.listener("rules").get(path);
        assert!((400..500).contains(&response.status), "{path}: {}", response.status);
        assert!(stack.upstream.seen(&response.id).is_none(), "{path}");
    }
}

#[test]
fn forged_original_path_host_and_method_change_nothing() {
    let request = |path: &str| {
        Request::get(path)
            .header("x-envoy-original-path", "/public/a")
            .header("x-original-url", "/public/a")
            .header("x-rewrite-url", "/public/a")
            .header("x-forwarded-uri", "/public/a")
            .header("x-forwarded-host", "api.example.com")
            .header("x-http-method-override", "GET")
            .header("x-forwarded-method", "GET")
    };
    assert_decided("path", &request("/orders/1"), "401 token_missing", "default");
    assert_decided("denied", &request("/internal/x"), "403 access_denied", "internal");
    let admin = request("/x").host("admin.example.com").bearer(&token(|claims| claims));
    assert_decided("host", &admin, "403 role_missing", "admin-host");
}

#[test]
fn default_is_for_requests_that_no_rule_matches() {
    let bare = token(|claims| claims);
    for (listener, anonymous, authenticated) in
        [("rules", "401 token_missing", "200"), ("closed", "403 access_denied", "403 access_denied"), ("open", "200", "200")]
    {
        let request = Request::get("/elsewhere");
        assert_eq!(decided(listener, &request), (anonymous.to_owned(), "default".to_owned()), "{listener}");
        assert_eq!(decided(listener, &request.bearer(&bare)), (authenticated.to_owned(), "default".to_owned()), "{listener}");
    }
    let (outcome, _) = decided("open", &Request::get("/else//where"));
    assert_ne!(outcome, "200", "an ambiguous path is never public, not even by default");
}
