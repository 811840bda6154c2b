//! What rules look at and ask for beside path and role: headers, claims, pairs of callers, preflights, the rule that the proxy's
//! route names; rules in shadow, and refusals of a rule's own.

use std::sync::OnceLock;

use portcullis_e2e::{Stack, bundle};
use portcullis_testbed::{Algorithm, Claims, Issuer, Request, Response, Route};
use serde_json::{Value, json};

struct World {
    stack: Stack,
    users: Issuer,
    services: Issuer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let users = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
        let services = Issuer::new("https://services.example.com", &[Algorithm::Es256]).unwrap();
        let configuration = json!({
            "jwtAuth": {
                "jwtRules": [
                    {"name": "uaa", "issuer": users.name(), "jwks": users.jwks().unwrap()},
                    {
                        "name": "services", "issuer": services.name(), "jwks": services.jwks().unwrap(),
                        "fromHeaders": [{"name": "x-service-token"}], "fromParams": ["service_token"],
                    },
                ],
                "rules": [
                    {
                        "name": "probe", "access": "public",
                        "match": {"paths": ["/probe"], "headers": [{"name": "x-probe", "exact": "yes"}]},
                    },
                    {
                        "name": "guests", "access": "denied",
                        "match": {"headers": [{"name": "x-role", "prefix": "guest"}]},
                    },
                    {
                        "name": "tenant", "match": {"paths": ["/tenants/{tenant}/**"]},
                        "require": {"claims": [{"claim": "org.tenant", "equals": "{path.tenant}"}, {"claim": "act", "exists": false}]},
                    },
                    {
                        "name": "by-header", "match": {"paths": ["/by-header"]},
                        "require": {"claims": [{"claim": "org.tenant", "equals": "{header.x-tenant}"}, {"claim": "amr", "contains": "mfa"}]},
                    },
                    {
                        "name": "batch", "match": {"paths": ["/batch"]},
                        "require": {"allOf": [{"issuers": ["uaa"], "roles": ["OPERATOR"]}, {"issuers": ["services"], "roles": ["BATCH"]}]},
                    },
                    {
                        "name": "either", "match": {"paths": ["/either"]},
                        "require": {"anyOf": [{"issuers": ["uaa"], "roles": ["OPERATOR"]}, {"issuers": ["services"]}]},
                    },
                    {"name": "catalog", "match": {"paths": ["/catalog"]}, "access": "optional"},
                    {"name": "hidden", "match": {"paths": ["/hidden"]}, "require": {"roles": ["OPERATOR"]}, "deny": {"status": 404}},
                    {
                        "name": "custom", "match": {"paths": ["/custom"]}, "access": "denied",
                        "deny": {"status": 451, "body": {"error": "not here"}},
                    },
                    {"name": "trial", "match": {"paths": ["/trial", "/reports"]}, "require": {"roles": ["AUDITOR"]}, "shadow": true},
                    {"name": "reports", "match": {"paths": ["/reports"]}},
                    {"name": "by-route", "match": {"paths": ["/by-route/{tenant}"]}, "require": {"claims": [
                        {"claim": "org.tenant", "equals": "{path.tenant}"},
                    ]}},
                    {"name": "closed", "match": {"paths": ["/closed"]}, "access": "denied"},
                ],
                "bypassCorsPreflight": true,
            },
            "authHeader": {"strip": ["x-user-*"], "inject": [{"header": "x-user-id", "claim": "subject"}]},
            "auditLog": {},
            "metrics": {},
        });
        let named = |name: &str, prefix: &str, rule: Value| Route::prefix(name, prefix).metadata(&json!({"rule": rule}));
        let listener = bundle("rules", &configuration)
            .route(named("by-route", "/by-route", json!("by-route")))
            .route(named("opened", "/opened", json!("probe")))
            .route(named("closed", "/catalog/closed", json!("closed")))
            .route(named("unknown", "/unknown", json!("no-such-rule")))
            .route(named("number", "/number", json!(1)))
            .route(named("object", "/object", json!({"name": "probe"})))
            .route(named("boolean", "/boolean", json!(true)))
            .route(named("empty", "/empty", json!("")))
            .route(Route::prefix("other", "/other").metadata(&json!({"owner": "orders"})));
        World { stack: Stack::start([listener], &[]), users, services }
    })
}

fn user(change: impl Fn(Claims) -> Claims) -> String {
    let users = &world().users;
    users.sign(&change(users.claims())).unwrap()
}

fn service(change: impl Fn(Claims) -> Claims) -> String {
    let services = &world().services;
    services.sign(&change(services.claims().with("sub", "gateway"))).unwrap()
}

fn of_tenant(tenant: &str) -> String {
    user(|claims| claims.with("org", json!({"tenant": tenant})).with("amr", json!(["pwd", "mfa"])))
}

#[track_caller]
fn assert_outcome(case: &str, request: &Request, expected: &str) {
    assert_eq!(world().stack.outcome("rules", request), expected, "{case}");
}

/// The answer to a request, with the decision in filter state.
fn answered(request: &Request) -> (Response, Value, String) {
    let World { stack, .. } = world();
    let response = stack.envoy.listener("rules").send(request);
    let line = stack.envoy.access_line("rules", &response.id);
    (response, serde_json::from_str(&line.decision).unwrap(), line.details)
}

#[test]
fn headers_let_in_only_as_sent_once_and_keep_out_in_any_copy() {
    let token = of_tenant("acme");
    let probe = || Request::get("/probe");
    for (case, request, expected) in [
        ("as asked for", probe().header("X-Probe", "yes"), "200"),
        ("absent", probe(), "401 token_missing"),
        ("another value", probe().header("x-probe", "yes "), "200"),
        ("another case", probe().header("x-probe", "Yes"), "401 token_missing"),
        ("repeated", probe().header("x-probe", "yes").header("x-probe", "yes"), "401 token_missing"),
        ("a list", probe().header("x-probe", "yes,yes"), "401 token_missing"),
        ("no text", probe().header("x-probe", b"yes\xff"), "401 token_missing"),
        ("a guest", Request::get("/x").bearer(&token).header("x-role", "guest-7"), "403 access_denied"),
        ("no guest", Request::get("/x").bearer(&token).header("x-role", "staff"), "200"),
        (
            "a guest in the second copy",
            Request::get("/x").bearer(&token).header("x-role", "staff").header("x-role", "guest"),
            "403 access_denied",
        ),
        ("a guest in a list", Request::get("/x").bearer(&token).header("x-role", "staff, guest"), "403 access_denied"),
    ] {
        assert_outcome(case, &request, expected);
    }
}

#[test]
fn claims_are_compared_with_the_path_and_fail_closed() {
    let acme = of_tenant("acme");
    let delegated = user(|claims| claims.with("org", json!({"tenant": "acme"})).with("act", json!({"sub": "x"})));
    for (case, path, token, expected) in [
        ("the caller's tenant", "/tenants/acme/orders", &acme, "200"),
        ("the caller's tenant, escaped", "/tenants/%61cme/orders", &acme, "200"),
        ("another tenant", "/tenants/other/orders", &acme, "403 claim_mismatch"),
        ("another case", "/tenants/ACME/orders", &acme, "403 claim_mismatch"),
        ("a longer one", "/tenants/acme2/orders", &acme, "403 claim_mismatch"),
        ("with an escaped slash", "/tenants/acme%2f..%2fother/orders", &acme, "403 claim_mismatch"),
        ("an ambiguous path", "//tenants/acme/orders", &acme, "403 claim_mismatch"),
        ("dot segments", "/tenants/acme/../other/orders", &acme, "403 claim_mismatch"),
        ("no such claim", "/tenants/acme/orders", &user(|claims| claims), "403 claim_missing"),
        ("a claim that must not be there", "/tenants/acme/orders", &delegated, "403 claim_mismatch"),
        ("another type", "/tenants/7/orders", &user(|claims| claims.with("org", json!({"tenant": [7]}))), "403 claim_mismatch"),
        ("a number", "/tenants/7/orders", &user(|claims| claims.with("org", json!({"tenant": 7}))), "200"),
    ] {
        assert_outcome(case, &Request::get(path).bearer(token), expected);
    }
    let by_header = || Request::get("/by-header").bearer(&acme);
    for (case, request, expected) in [
        ("the caller's tenant", by_header().header("x-tenant", "acme"), "200"),
        ("another", by_header().header("x-tenant", "other"), "403 claim_mismatch"),
        ("none", by_header(), "403 claim_mismatch"),
        ("two", by_header().header("x-tenant", "acme").header("x-tenant", "acme"), "403 claim_mismatch"),
        ("no text", by_header().header("x-tenant", b"acme\xff"), "403 claim_mismatch"),
        ("no second factor", Request::get("/by-header").bearer(&delegated).header("x-tenant", "acme"), "403 claim_missing"),
    ] {
        assert_outcome(case, &request, expected);
    }
}

#[test]
fn a_pair_of_tokens_is_verified_each_by_its_own_entry() {
    let World { stack, .. } = world();
    let operator = user(|claims| claims.with("roles", json!(["OPERATOR"])));
    let batch = service(|claims| claims.with("roles", json!(["BATCH"])));
    let stale = service(|claims| claims.with("roles", json!(["BATCH"])).expiring_in(-3600));
    let pair = |path: &str, user: &str, service: &str| Request::get(path).bearer(user).header("x-service-token", service);
    for (case, request, expected) in [
        ("both", pair("/batch", &operator, &batch), "200"),
        ("the other in the query", Request::get(format!("/batch?service_token={batch}")).bearer(&operator), "200"),
        ("the user alone", Request::get("/batch").bearer(&operator), "401 token_missing"),
        ("the service alone", Request::get("/batch").header("x-service-token", &batch), "401 token_missing"),
        ("the service's expired", pair("/batch", &operator, &stale), "401 token_expired"),
        ("each in the other's place", pair("/batch", &batch, &operator), "401 issuer_unknown"),
        ("the user twice", pair("/batch", &operator, &operator), "401 issuer_unknown"),
        ("without the role", pair("/batch", &user(|claims| claims), &batch), "403 role_missing"),
        (
            "the service in both of its places",
            pair(&format!("/batch?service_token={batch}"), &operator, &batch),
            "400 credentials_multiple",
        ),
        ("two where either is asked for", pair("/either", &operator, &batch), "400 credentials_multiple"),
        ("either", Request::get("/either").header("x-service-token", &batch), "200"),
        ("either, by a bad token", Request::get("/either").header("x-service-token", &stale), "401 token_expired"),
        ("two where one is asked for", pair("/x", &operator, &batch), "400 credentials_multiple"),
    ] {
        assert_outcome(case, &request, expected);
    }
    let seen = stack.passes("rules", &pair("/batch", &operator, &batch).header("x-user-id", "forged"));
    assert_eq!(seen.headers.all("x-user-id"), ["alice"], "the first of the pair is the principal");
    for name in ["authorization", "x-service-token"] {
        assert_eq!(seen.headers.get(name), None, "{name}");
    }
}

#[test]
fn a_rule_in_shadow_shows_what_it_would_do() {
    let World { stack, users, .. } = world();
    let plain = users.token().unwrap();
    for (case, request, reason, user_id) in [
        ("no token", Request::get("/trial"), "token_missing", None),
        ("a bad token", Request::get("/trial").bearer("a.b.c"), "token_malformed", None),
        ("a role missing", Request::get("/trial").bearer(&plain), "role_missing", Some("alice")),
    ] {
        let before =
            stack.envoy.metric("portcullis_requests_total", &[("rule", "trial"), ("decision", "would_deny"), ("reason", reason)]);
        let (response, decision, _) = answered(&request.header("x-user-id", "forged"));
        let seen = stack.seen(&response);
        assert_eq!(seen.headers.get("x-user-id").as_deref(), user_id, "{case}");
        let field = |name: &str| decision.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        assert_eq!((field("rule"), field("decision"), field("reason")), ("trial".into(), "deny".into(), reason.into()), "{case}");
        assert_eq!(decision.get("shadow"), Some(&json!(true)), "{case}");
        let event = stack.envoy.audit_event("rules", &response.id);
        assert_eq!(event["outcome"], "allowed", "{case}");
        // What was forged is told beside the decision in the event, and in it where other modules read it.
        let mut decision = decision;
        let stripped = decision.as_object_mut().and_then(|members| members.remove("stripped"));
        assert_eq!(stripped, Some(json!(["x-user-id"])), "{case}");
        assert_eq!((&event["decision"], &event["strippedHeaders"]), (&decision, &json!(["x-user-id"])), "{case}");
        let labels = [("rule", "trial"), ("decision", "would_deny"), ("reason", reason)];
        let after = stack.envoy.metric("portcullis_requests_total", &labels);
        assert!(after > before, "{case}: {before} {after}");
    }
    let (response, decision, _) =
        answered(&Request::get("/trial").bearer(&user(|claims| claims.with("roles", json!(["AUDITOR"])))));
    let _ = stack.seen(&response);
    assert_eq!((&decision["decision"], &decision["shadow"]), (&json!("allow"), &json!(true)));

    assert_outcome("the rule behind it is enforced", &Request::get("/reports"), "401 token_missing");
    assert_outcome("the rule behind it lets pass", &Request::get("/reports").bearer(&plain), "200");
    assert_outcome("an ambiguous path", &Request::get("//trial"), "401 token_missing");
}

#[test]
fn a_rule_refuses_with_its_own_status_and_body() {
    let World { stack, users, .. } = world();
    for (request, status, kind, body, details) in [
        (
            Request::get("/hidden").bearer(&users.token().unwrap()),
            404,
            "application/problem+json",
            json!({"type": "about:blank", "title": "Not Found", "status": 404}),
            "portcullis{role_missing}",
        ),
        (
            Request::get("/hidden"),
            404,
            "application/problem+json",
            json!({"type": "about:blank", "title": "Not Found", "status": 404}),
            "portcullis{token_missing}",
        ),
        (Request::get("/custom"), 451, "application/json", json!({"error": "not here"}), "portcullis{access_denied}"),
    ] {
        let (response, decision, found) = answered(&request);
        let mut found_body = response.json();
        found_body.as_object_mut().unwrap().remove("requestId");
        assert_eq!((response.status, &found_body), (status, &body));
        assert_eq!(response.headers.get("content-type").as_deref(), Some(kind));
        assert_eq!(response.headers.get("www-authenticate"), None);
        assert_eq!(found, details);
        assert_eq!(format!("portcullis{{{}}}", decision["reason"].as_str().unwrap()), details);
        assert!(stack.upstream.seen(&response.id).is_none());
    }
}

#[test]
fn the_route_names_its_rule_and_anything_else_denies() {
    let acme = of_tenant("acme");
    for (case, request, expected) in [
        ("its rule", Request::get("/by-route/acme").bearer(&acme), "200"),
        ("its rule asks for what it asks", Request::get("/by-route/other").bearer(&acme), "403 claim_mismatch"),
        ("a parameter that the path does not give", Request::get("/by-route/acme/more").bearer(&acme), "403 claim_mismatch"),
        ("a public rule", Request::get("/opened"), "200"),
        ("a public rule, on an ambiguous path", Request::get("/opened//x"), "401 token_missing"),
        ("a rule that denies", Request::get("/catalog/closed"), "403 access_denied"),
        ("no such rule", Request::get("/unknown").bearer(&acme), "403 rule_unknown"),
        ("a number", Request::get("/number").bearer(&acme), "403 rule_unknown"),
        ("an object", Request::get("/object").bearer(&acme), "403 rule_unknown"),
        ("a boolean", Request::get("/boolean").bearer(&acme), "403 rule_unknown"),
        ("an empty text", Request::get("/empty").bearer(&acme), "403 rule_unknown"),
        ("other metadata", Request::get("/other").bearer(&acme), "200"),
    ] {
        assert_outcome(case, &request, expected);
    }
}

#[test]
fn only_a_true_preflight_passes_without_a_token() {
    let World { stack, .. } = world();
    let options = |path: &str| Request::new("OPTIONS", path);
    let preflight =
        |path: &str| options(path).header("origin", "https://app.example.com").header("access-control-request-method", "PUT");
    for (case, request, expected) in [
        ("a preflight", preflight("/tenants/acme/orders"), "200"),
        ("no origin", options("/x").header("access-control-request-method", "PUT"), "401 token_missing"),
        ("no method", options("/x").header("origin", "https://app.example.com"), "401 token_missing"),
        ("two origins", preflight("/x").header("origin", "https://b.example.com"), "401 token_missing"),
        ("two methods", preflight("/x").header("access-control-request-method", "GET"), "401 token_missing"),
        ("a body", preflight("/x").header("content-length", "2"), "401 token_missing"),
        ("a rule that denies everyone", preflight("/closed"), "403 access_denied"),
        ("an ambiguous path", preflight("//x"), "401 token_missing"),
        (
            "another method",
            Request::get("/x").header("origin", "https://a").header("access-control-request-method", "PUT"),
            "401 token_missing",
        ),
    ] {
        assert_outcome(case, &request, expected);
    }
    let seen = stack.passes("rules", &preflight("/x").header("x-user-id", "forged").header("X-User-Id", "forged"));
    assert_eq!(seen.headers.get("x-user-id"), None, "no forged identity on a preflight");
}

#[test]
fn optional_takes_nobody_or_a_valid_caller() {
    let World { stack, users, .. } = world();
    assert_outcome("nobody", &Request::get("/catalog"), "200");
    let seen = stack.passes("rules", &Request::get("/catalog").bearer(&users.token().unwrap()));
    assert_eq!(seen.headers.get("x-user-id").as_deref(), Some("alice"));
    let expired = users.sign(&users.claims().expiring_in(-3600)).unwrap();
    assert_outcome("expired", &Request::get("/catalog").bearer(&expired), "401 token_expired");
    assert_outcome("malformed", &Request::get("/catalog").bearer("a.b"), "401 token_malformed");
}
