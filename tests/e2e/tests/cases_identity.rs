//! Security cases about the headers that tell the upstream who is calling.

use std::sync::OnceLock;

use portcullis_e2e::{Stack, bootstrap, bundle, chain};
use portcullis_testbed::{Algorithm, Envoy, Issuer, Listener, Request, Route, Seen, Upstream};
use serde_json::{Value, json};

struct World {
    stack: Stack,
    issuer: Issuer,
    token: String,
}

/// The names under which a client may try it, on HTTP/1.1. On the way to HTTP/2 they become lower-case.
const DISGUISES: [(&[u8], &[u8]); 20] = [
    (b"x-user-id", b"root"),
    (b"X-User-Id", b"root"),
    (b"X-USER-ID", b"root"),
    (b"x-uSeR-iD", b"root"),
    (b"x_user_id", b"root"),
    (b"X_User_Id", b"root"),
    (b"x-user_id", b"root"),
    (b"X_USER-ID", b"root"),
    (b"x-user-role", b"ADMIN"),
    (b"x_user_role", b"ADMIN"),
    (b"x-user-", b"root"),
    (b"x-user-a.b~c!d", b"root"),
    (b"x-user-id", b""),
    (b"x-user-id", b"alice, root"),
    (b"x-user-id", b"\xff\xfe"),
    (b"x-user-id", b" \t root"),
    (b"x-member", b"root"),
    (b"X_MEMBER", b"root"),
    (b"x-Mem_ber", b"root"),
    (b"x-mem-ber", b"root"),
];

fn configuration(issuer: &Issuer) -> Value {
    json!({
        "jwtAuth": {
            "jwtRules": [
                {"name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap().to_string(), "forwardOriginalToken": true},
                // Nobody answers there, so its keys never come.
                {"name": "down", "issuer": "https://down.example.com", "jwksUri": "http://down.example.com/jwks",
                 "cluster": "nobody", "timeout": "0.2s", "fromHeaders": [{"name": "x-other-token"}]},
            ],
            "rules": [
                {"name": "public", "match": {"paths": ["/public/**"]}, "access": "public"},
                {"name": "optional", "match": {"paths": ["/optional/**"]}, "access": "optional"},
                {"name": "moved", "match": {"paths": ["/moved/**", "/landed/**"]}},
                {"name": "anyone", "match": {"paths": ["/steered/**"]}},
                // No other test sends anything there.
                {"name": "counted", "match": {"paths": ["/counted/**"]}},
            ],
            "bypassCorsPreflight": true,
        },
        "authHeader": {
            "strip": ["x-user-*", "x-mem-ber"],
            "inject": [
                {"header": "x-user-id", "claim": "sub"},
                {"header": "x-member", "template": "{issuer}|{sub}"},
                {"header": "x-absent", "claim": "absent"},
            ],
            "stripResponse": ["x-internal-*"],
        },
        "auditLog": {"default": {"record": "always"}},
        "metrics": {},
    })
}

fn is_the_gateways(name: &str) -> bool {
    let name = name.replace('_', "-");
    name.starts_with("x-user-") || ["x-member", "x-mem-ber", "x-absent"].contains(&&*name)
}

/// The headers of the gateway's that the upstream saw.
fn identity(seen: &Seen) -> Vec<(String, String)> {
    let headers = seen.headers.iter().filter(|(name, _)| is_the_gateways(name));
    headers.map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned())).collect()
}

/// Headers of the gateway's, as the upstream is to see them.
type Headers<'a> = &'a [(&'a str, &'a str)];

const KINDS: [&str; 2] = ["bundle", "chain"];

/// A listener whose routes are chosen by what is injected.
fn make_steered(kind: &str, name: &str, configuration: &Value) -> Listener {
    let mut configuration = configuration.clone();
    configuration["authHeader"]["inject"] = json!([{"header": "x-user-role", "claim": "role"}]);
    configuration["authHeader"]["clearRouteCache"] = json!(true);
    configuration["jwtAuth"]["routeRules"] = json!(false);
    if kind == "bundle" { bundle(name, &configuration) } else { chain(name, &configuration) }
}

/// For each kind of module a listener, one that speaks HTTP/2, and one before that which leads there.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
        let configuration = configuration(&issuer);
        let upstream = Upstream::start().unwrap();
        let mut bootstrap = bootstrap().cluster("upstream", upstream.address());
        for kind in KINDS {
            let make = |name: &str| if kind == "bundle" { bundle(name, &configuration) } else { chain(name, &configuration) };
            let socket = format!("portcullis-{}-{kind}", std::process::id());
            bootstrap = bootstrap
                .listener(make(kind).route(Route::prefix("moved", "/moved/").follow_redirects()).route(Route::header(
                    "admin",
                    "x-mem-ber",
                    "admin",
                )))
                .listener(make(&format!("{kind}-http2")).http2_at(&socket))
                .listener(Listener::new(&format!("{kind}-front")).route(Route::prefix("http2", "/").cluster(&socket)))
                .listener(make_steered(kind, &format!("{kind}-steered"), &configuration).route(Route::header(
                    "admin",
                    "x-user-role",
                    "admin",
                )))
                .http2_cluster(&socket);
        }
        let envoy = Envoy::start(&bootstrap).unwrap_or_else(|error| panic!("{error:?}"));
        let token = issuer.sign(&issuer.claims()).unwrap();
        World { stack: Stack { envoy, upstream }, issuer, token }
    })
}

/// CVE-2025-64484, envoy#46586, envoy#35553, Higress: an identity header that the client sent reaches the upstream.
#[test]
fn case_07_a_forged_identity_header_reaches_the_upstream_on_no_path() {
    let World { stack, token, .. } = world();
    let alice = [("x-user-id", "alice"), ("x-member", "https://uaa.example.com|alice")];
    let upgrade = |request: Request| request.header("connection", "upgrade").header("upgrade", "websocket");
    let preflight = || {
        let request = Request::new("OPTIONS", "/orders/1").header("origin", "https://app.example.com");
        request.header("access-control-request-method", "POST")
    };
    for kind in KINDS {
        let front = format!("{kind}-front");
        for (name, value) in DISGUISES {
            let paths: [(&str, &str, Request, u16, Headers<'_>); 11] = [
                ("allowed", kind, Request::get("/orders/1").bearer(token), 200, &alice),
                ("public", kind, Request::get("/public/a"), 200, &[]),
                ("public with a token", kind, Request::get("/public/a").bearer(token), 200, &[]),
                ("optional", kind, Request::get("/optional/a"), 200, &[]),
                ("preflight", kind, preflight(), 200, &[]),
                ("upgrade", kind, upgrade(Request::get("/orders/1").bearer(token)), 200, &alice),
                ("HTTP/2", &front, Request::get("/orders/1").bearer(token), 200, &alice),
                ("HTTP/2, public", &front, Request::get("/public/a"), 200, &[]),
                ("redirected by the proxy", kind, Request::get("/moved/landed/1").bearer(token), 200, &alice),
                ("refused", kind, Request::get("/orders/1"), 401, &[]),
                ("error", kind, Request::get("/orders/1").header("x-other-token", other_token()), 503, &[]),
            ];
            for (path, listener, request, status, expected) in paths {
                let case = format!("{kind}, {path}, {}: {}", name.escape_ascii(), value.escape_ascii());
                let request = request.header(name, value).header(name, "again");
                let response = stack.envoy.listener(listener).send(&request);
                let seen = stack.upstream.all_seen(&response.id);
                assert_eq!(response.status, status, "{case}: {}", response.text());
                let passes = if path == "redirected by the proxy" { 2 } else { usize::from(status == 200) };
                assert_eq!(seen.len(), passes, "{case}");
                for seen in seen {
                    let mut expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
                    let mut found = identity(&seen);
                    expected.sort();
                    found.sort();
                    assert_eq!(found, expected, "{case}");
                }
            }
        }
    }
}

/// A token of the issuer whose keys cannot be had.
fn other_token() -> String {
    let issuer = Issuer::new("https://down.example.com", &[Algorithm::Es256]).unwrap();
    issuer.sign(&issuer.claims()).unwrap()
}

/// A proxy behind this one removes what `Connection` names (RFC 9110 section 7.6.1): the true header must not be named there.
#[test]
fn case_07_a_client_cannot_have_the_true_header_removed() {
    let World { stack, token, .. } = world();
    for kind in KINDS {
        for connection in ["x-user-id", "close, X-User-Id", "keep-alive, x-member"] {
            let request = Request::get("/orders/1").bearer(token).header("connection", connection);
            let seen = stack.passes(kind, &request);
            assert_eq!(seen.headers.get("x-user-id").as_deref(), Some("alice"), "{kind} {connection}");
            let named = seen.headers.all("connection").join(",").to_ascii_lowercase();
            assert!(!named.contains("x-"), "{kind} {connection}: {named}");
        }
    }
}

/// CVE-2024-45808 and its like: a claim that ends a line, or is no text that a header can hold.
#[test]
fn case_08_a_claim_is_never_passed_on_raw() {
    let World { stack, issuer, .. } = world();
    let long = "a".repeat(9 * 1024);
    let cases: [(&str, Result<&str, &str>); 9] = [
        ("alice\r\nx-user-role: ADMIN", Ok("alice%0D%0Ax-user-role: ADMIN")),
        ("alice\nx-user-role: ADMIN\n\n", Ok("alice%0Ax-user-role: ADMIN%0A%0A")),
        ("a\0b", Ok("a%00b")),
        ("\u{7f}\u{85}", Ok("%7F%C2%85")),
        ("José", Ok("Jos%C3%A9")),
        ("100%0A", Ok("100%250A")),
        (" alice ", Ok("%20alice%20")),
        ("\u{2028}{\"a\":1}", Ok("%E2%80%A8{\"a\":1}")),
        (&long, Err("403 claim_too_large")),
    ];
    for kind in KINDS {
        for (sub, expected) in cases {
            let token = issuer.sign(&issuer.claims().with("sub", json!(sub))).unwrap();
            let response = stack.envoy.listener(kind).send(&Request::get("/orders/1").bearer(&token));
            match expected {
                Ok(value) => {
                    let seen = stack.seen(&response);
                    assert_eq!(seen.headers.all("x-user-id"), [value], "{kind} {}", sub.escape_debug());
                    assert_eq!(seen.headers.get("x-user-role"), None, "{kind} {}", sub.escape_debug());
                }
                Err(outcome) => assert_eq!(response.outcome(), outcome, "{kind}"),
            }
            // One event, one line: it is found, and parses.
            let event = stack.envoy.audit_event(kind, &response.id);
            assert_eq!(event["requestId"], json!(response.id), "{kind}");
        }
        let megabyte = issuer.sign(&issuer.claims().with("sub", json!("a".repeat(1 << 20)))).unwrap();
        let response = stack.envoy.listener(kind).send(&Request::get("/orders/1").bearer(&megabyte));
        assert!((400..500).contains(&response.status), "{kind} {}", response.status);
        assert!(stack.upstream.seen(&response.id).is_none(), "{kind}");
    }
}

#[test]
fn forged_headers_are_recorded_by_name_and_counted() {
    let World { stack, token, .. } = world();
    for kind in KINDS {
        let count = || stack.envoy.metric("portcullis_stripped_headers_total", &[("rule", "counted")]);
        let before = count();
        let request = Request::get("/counted/1").bearer(token);
        let response = stack.envoy.listener(kind).send(&request);
        assert_eq!(stack.envoy.audit_event(kind, &response.id)["strippedHeaders"], Value::Null, "{kind}");
        let forged = Request::get("/counted/1").bearer(token).header("X_User_Id", "root").header("x-user-role", "ADMIN");
        let response = stack.envoy.listener(kind).send(&forged.header("x-user-role", "again"));
        let event = stack.envoy.audit_event(kind, &response.id);
        assert_eq!(event["strippedHeaders"], json!(["x-user-role", "x_user_id"]), "{kind}");
        assert_eq!(event["decision"]["reason"], "token_valid", "{kind}");
        assert!((count() - before - 2.0).abs() < 0.1, "{kind}");
    }
    // In a chain a request that jwt-auth refuses never comes to the module that strips.
    let response = stack.envoy.listener("bundle").send(&Request::get("/counted/1").header("x-member", "root"));
    assert_eq!(stack.envoy.audit_event("bundle", &response.id)["strippedHeaders"], json!(["x-member"]));
}

/// What the gateway injects chooses the route, and what a client sends does not.
#[test]
fn claims_steer_routing() {
    let World { stack, issuer, .. } = world();
    let token = |role: &str| issuer.sign(&issuer.claims().with("role", json!(role))).unwrap();
    for kind in KINDS {
        let listener = format!("{kind}-steered");
        let reached = |request: &Request| {
            let response = stack.envoy.listener(&listener).send(request);
            assert_eq!(response.status, 200, "{kind}: {}", response.text());
            stack.envoy.access_line(&listener, &response.id).route
        };
        assert_eq!(reached(&Request::get("/steered/1").bearer(&token("user"))), "rest", "{kind}");
        assert_eq!(reached(&Request::get("/steered/1").bearer(&token("admin"))), "admin", "{kind}");
        let forged = Request::get("/steered/1").bearer(&token("user")).header("x-user-role", "admin");
        assert_eq!(reached(&forged), "rest", "{kind}");
        assert_eq!(reached(&Request::get("/public/1").header("X_User_Role", "admin")), "rest", "{kind}");
    }
}

#[test]
fn answers_lose_the_headers_that_no_client_is_to_see() {
    let World { stack, token, .. } = world();
    for listener in KINDS.map(str::to_owned).into_iter().chain(KINDS.map(|kind| format!("{kind}-front"))) {
        for request in [Request::get("/orders/1").bearer(token), Request::get("/public/1")] {
            let response = stack.envoy.listener(&listener).send(&request);
            assert_eq!((response.status, response.headers.get("x-public").as_deref()), (200, Some("yes")), "{listener}");
            let internal: Vec<_> = response.headers.iter().filter(|(name, _)| name.starts_with("x-internal")).collect();
            assert!(internal.is_empty(), "{listener}: {internal:?}");
        }
    }
}
