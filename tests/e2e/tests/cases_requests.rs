//! Published attacks on the surface of a request. Each test bears the number of its case and, in its text, where it was seen.

use std::sync::OnceLock;

use portcullis_e2e::{Stack, bundle};
use portcullis_testbed::{Algorithm, Issuer, Request};
use serde_json::json;

struct World {
    stack: Stack,
    issuer: Issuer,
    stranger: Issuer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
        let stranger = Issuer::new("https://stranger.example.com", &[Algorithm::Es256]).unwrap();
        let configuration = json!({
            "jwtAuth": {
                "jwtRules": [{
                    "name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap(),
                    "fromHeaders": [{"name": "Authorization", "prefix": "Bearer "}], "fromParams": ["access_token"],
                }],
                "rules": [
                    {"name": "health", "match": {"paths": ["/healthz"], "methods": ["GET"]}, "access": "public"},
                    {"name": "public", "match": {"paths": ["/public/**"]}, "access": "public"},
                    {"name": "catalog", "match": {"paths": ["/catalog"]}, "access": "optional"},
                    {"name": "catalog-any", "match": {"paths": ["/catalog-any"]}, "access": "optional", "require": {"anyOf": [
                        {"roles": ["ADMIN"]}, {"issuers": ["uaa"]},
                    ]}},
                    {"name": "admin", "match": {"paths": ["/admin/**"]}, "require": {"roles": ["ADMIN"]}},
                    {"name": "admin-host", "match": {"hosts": ["admin.example.com"]}, "require": {"roles": ["ADMIN"]}},
                    {"name": "pay", "match": {"paths": ["/pay"], "methods": ["POST"]}, "require": {"roles": ["PAYER"]}},
                    {"name": "orders", "match": {"paths": ["/orders/**"], "methods": ["GET", "POST"]}},
                ],
                "default": "denied",
                "bypassCorsPreflight": true,
            },
            "authHeader": {"strip": ["x-user-*"], "inject": [{"header": "x-user-id", "claim": "subject"}]},
        });
        World { stack: Stack::start([bundle("cases", &configuration)], &[]), issuer, stranger }
    })
}

#[track_caller]
fn outcome(request: &Request) -> String {
    world().stack.outcome("cases", request)
}

fn with_body(method: &str, path: &str) -> Request {
    Request::new(method, path).header("content-length", "0")
}

/// CVE-2026-26308: a policy that reads the first of several values, before a service that reads another one.
#[test]
fn case_02_two_credentials_are_refused() {
    let token = &world().issuer.token().unwrap();
    let bearer = format!("Bearer {token}");
    for (case, request) in [
        ("two headers", Request::get("/orders/1").bearer(token).bearer(token)),
        ("a good one and a bad one", Request::get("/orders/1").bearer(token).bearer("a.b.c")),
        ("a bad one and a good one", Request::get("/orders/1").bearer("a.b.c").bearer(token)),
        ("joined by a comma", Request::get("/orders/1").header("authorization", format!("{bearer}, {bearer}"))),
        ("joined without a space", Request::get("/orders/1").header("authorization", format!("{bearer},{bearer}"))),
        ("another scheme first", Request::get("/orders/1").header("authorization", "Basic YTpi").bearer(token)),
        ("header and query", Request::get(format!("/orders/1?access_token={token}")).bearer(token)),
        ("twice in the query", Request::get(format!("/orders/1?access_token={token}&access_token={token}"))),
        ("twice in the query, once in disguise", Request::get(format!("/orders/1?access_token={token}&%61ccess_token={token}"))),
    ] {
        assert_eq!(outcome(&request), "400 credentials_multiple", "{case}");
    }
}

/// CVE-2019-9901, CVE-2021-29492, CVE-2021-39155: a path or host that a policy reads otherwise than the service.
#[test]
fn case_03_a_disguised_path_or_host_never_leaves_its_rule() {
    let token = world().issuer.token().unwrap();
    for path in [
        "//admin/x",
        "/%61dmin/x",
        "/a/..%2fadmin/x",
        "/public/..%2fadmin/x",
        "/public/../admin/x",
        "/public/%2e%2e/admin/x",
        "/public/%252e%252e/admin/x",
        "/public/%252e%252e%252fadmin/x",
        "/public/..%5cadmin/x",
        "/public/..\\admin/x",
        "/public/..;/admin/x",
        "/admin/",
        "/admin;x=1/x",
        "/admin%00",
        "/admin%2fx",
        "/%2561dmin/x",
        "/admin%c0%afx",
    ] {
        let anonymous = outcome(&Request::get(path));
        assert!(anonymous.starts_with("401 ") || anonymous.starts_with("403 "), "{path} without a token: {anonymous}");
        let plain = outcome(&Request::get(path).bearer(&token));
        assert!(plain.starts_with("403 "), "{path} without the role: {plain}");
    }
    for host in ["ADMIN.example.com", "admin.example.com:8443", "admin.example.com.", "Admin.Example.Com.:80"] {
        assert_eq!(outcome(&Request::get("/orders/1").host(host).bearer(&token)), "403 role_missing", "{host}");
    }
}

/// CVE-2020-8595, CVE-2021-39156, CVE-2025-54576, CVE-2026-41059: an exemption that looks at the query or the fragment.
#[test]
fn case_04_query_and_fragment_satisfy_no_exemption() {
    for path in [
        "/admin/x?x=/public/",
        "/admin/x?/public/",
        "/admin/x?/../public/x",
        "/admin/x?y=/healthz",
        "/orders/1?/public/x",
        "/orders/1?a=%2fpublic%2f",
    ] {
        assert_eq!(outcome(&Request::get(path)), "401 token_missing", "{path}");
    }
    for path in ["/admin/x#/public/x", "/admin/x#/../public/x", "/admin/x#?/public/"] {
        // Envoy itself may refuse a fragment.
        let response = world().stack.envoy.listener("cases").get(path);
        assert!((400..500).contains(&response.status), "{path}: {}", response.status);
        assert!(world().stack.upstream.seen(&response.id).is_none(), "{path}");
    }
}

/// CVE-2023-27487, CVE-2024-7207, CVE-2024-45806, CVE-2026-40575: headers that tell of another path, host or method.
#[test]
fn case_05_forged_original_path_host_and_method_change_nothing() {
    let token = world().issuer.token().unwrap();
    for (name, value) in [
        ("x-envoy-original-path", "/public/x"),
        ("x-original-url", "/public/x"),
        ("x-rewrite-url", "/public/x"),
        ("x-forwarded-uri", "/public/x"),
        ("x-forwarded-path", "/public/x"),
        ("x-forwarded-prefix", "/public"),
        ("x-forwarded-host", "public.example.com"),
        ("x-forwarded-method", "GET"),
        ("x-http-method-override", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-envoy-original-host", "public.example.com"),
        ("forwarded", "host=public.example.com"),
    ] {
        let forge = |request: Request| request.header(name, value);
        assert_eq!(outcome(&forge(Request::get("/admin/x"))), "401 token_missing", "{name}");
        assert_eq!(outcome(&forge(Request::get("/admin/x").bearer(&token))), "403 role_missing", "{name}");
        assert_eq!(outcome(&forge(with_body("POST", "/pay").bearer(&token))), "403 role_missing", "{name}");
        let host = Request::get("/orders/1").host("admin.example.com").bearer(&token);
        assert_eq!(outcome(&forge(host)), "403 role_missing", "{name}");
        assert_eq!(outcome(&forge(with_body("POST", "/healthz"))), "403 access_denied", "{name}");
    }
}

/// CVE-2026-34457: an exemption for probes by their User-Agent.
#[test]
fn case_06_the_health_probe_is_exempt_by_path_and_method_alone() {
    let probe = |request: Request| request.header("user-agent", "kube-probe/1.30");
    assert_eq!(outcome(&Request::get("/healthz")), "200");
    for request in [
        Request::get("/healthz/"),
        Request::get("/healthz/x"),
        Request::get("/healthzx"),
        Request::get("/Healthz"),
        with_body("POST", "/healthz"),
        with_body("get", "/healthz"),
        Request::get("/else"),
    ] {
        assert_eq!(outcome(&probe(request)), "403 access_denied");
    }
    assert_eq!(outcome(&probe(Request::get("/orders/1"))), "401 token_missing");
}

/// envoy#34988: a bypass for preflights that lets more than preflights pass.
#[test]
fn case_09_only_a_true_preflight_passes() {
    let World { stack, .. } = world();
    let origin = |request: Request| request.header("origin", "https://app.example.com");
    let method = |request: Request| request.header("access-control-request-method", "POST");
    let preflight = |path: &str| method(origin(Request::new("OPTIONS", path)));
    let seen = stack.passes("cases", &preflight("/admin/x").header("x-user-id", "forged"));
    assert_eq!(seen.headers.get("x-user-id"), None);
    for (case, request, expected) in [
        ("OPTIONS alone", Request::new("OPTIONS", "/admin/x"), "401 token_missing"),
        ("no origin", method(Request::new("OPTIONS", "/admin/x")), "401 token_missing"),
        ("no method", origin(Request::new("OPTIONS", "/admin/x")), "401 token_missing"),
        ("two origins", origin(preflight("/admin/x")), "401 token_missing"),
        ("two methods", method(preflight("/admin/x")), "401 token_missing"),
        ("in lower case", method(origin(Request::new("options", "/admin/x"))), "401 token_missing"),
        ("another method", method(origin(Request::get("/admin/x"))), "401 token_missing"),
        ("a body", preflight("/admin/x").header("content-length", "2"), "401 token_missing"),
    ] {
        assert_eq!(outcome(&request), expected, "{case}");
    }
    // The answer to gRPC has the status 200 and tells the rest in headers of its own.
    let grpc = method(origin(with_body("POST", "/admin/x"))).header("content-type", "application/grpc");
    let response = stack.envoy.listener("cases").send(&grpc);
    assert_eq!(response.headers.get("grpc-status").as_deref(), Some("16"));
    assert!(stack.upstream.seen(&response.id).is_none());
    for request in [
        Request::get("/admin/x").header("connection", "upgrade").header("upgrade", "websocket"),
        preflight("/admin/x").header("connection", "upgrade").header("upgrade", "websocket"),
        Request::new("CONNECT", "admin.example.com:443").host("admin.example.com:443"),
    ] {
        let response = stack.envoy.listener("cases").send(&request);
        assert!((400..500).contains(&response.status), "{}", response.status);
        assert!(stack.upstream.seen(&response.id).is_none());
    }
}

/// A method in lower case, or one that nobody knows, that falls out of the rules for methods.
#[test]
fn case_10_no_method_falls_out_of_its_rule_and_no_rule_means_no() {
    let token = world().issuer.token().unwrap();
    for (method, path, expected) in [
        ("POST", "/pay", "403 role_missing"),
        ("post", "/pay", "403 role_missing"),
        ("PoSt", "/pay", "403 role_missing"),
        ("post", "/orders/1", "200"),
        ("BREW", "/pay", "403 access_denied"),
        ("BREW", "/orders/1", "403 access_denied"),
        ("PUT", "/orders/1", "403 access_denied"),
        ("BREW", "/admin/x", "403 role_missing"),
        ("brew", "/else", "403 access_denied"),
        ("GET", "/else", "403 access_denied"),
    ] {
        assert_eq!(outcome(&with_body(method, path).bearer(&token)), expected, "{method} {path}");
    }
}

/// CVE-2021-21378: a token of an unknown issuer that passed where a token was optional.
#[test]
fn case_17_a_token_of_an_unknown_issuer_is_refused_where_one_is_optional() {
    let World { issuer, stranger, .. } = world();
    for path in ["/catalog", "/catalog-any"] {
        assert_eq!(outcome(&Request::get(path)), "200", "{path} without a token");
        assert_eq!(outcome(&Request::get(path).bearer(&issuer.token().unwrap())), "200", "{path}");
        assert_eq!(outcome(&Request::get(path).bearer(&stranger.token().unwrap())), "401 issuer_unknown", "{path}");
        let forged = stranger.sign(&stranger.claims().with("iss", issuer.name())).unwrap();
        let forged = outcome(&Request::get(path).bearer(&forged));
        assert!(forged.starts_with("401 "), "{path}: {forged}");
        let anonymous = stranger.sign(&stranger.claims().without("iss")).unwrap();
        assert_eq!(outcome(&Request::get(path).bearer(&anonymous)), "401 issuer_unknown", "{path}");
    }
}
