//! The mission end to end: by the bundle, by the bundle configured with a `Struct`, and by the four single modules in a chain.

use std::sync::OnceLock;
use std::time::Duration;

use portcullis_core::metrics::catalogue::{FAMILIES, Family};
use portcullis_core::stage::MetricKind;
use portcullis_e2e::{Stack, bundle, chain};
use portcullis_testbed::{Algorithm, Issuer, Listener, Module, Plugin, Request, poll};
use serde_json::{Value, json};

struct World {
    stack: Stack,
    issuer: Issuer,
}

const LISTENERS: [&str; 3] = ["bundle", "struct", "chain"];

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Rs256]).unwrap();
        let by_struct = Plugin::with_struct(Module::Portcullis, &configuration(&issuer, "struct"));
        let listeners = [
            bundle("bundle", &configuration(&issuer, "bundle")),
            Listener::new("struct").plugin(by_struct),
            chain("chain", &configuration(&issuer, "chain")),
        ];
        World { stack: Stack::start(listeners, &[]), issuer }
    })
}

/// Rules are named after the listener, so that the statistics of one Envoy keep the listeners apart.
fn configuration(issuer: &Issuer, listener: &str) -> Value {
    json!({
        "jwtAuth": {
            "jwtRules": [{
                "name": "uaa", "issuer": issuer.name(), "audiences": ["orders"], "jwks": issuer.jwks().unwrap().to_string(),
            }],
            "rules": [
                {"name": format!("{listener}-health"), "match": {"paths": ["/healthz"], "methods": ["GET"]}, "access": "public"},
                {"name": format!("{listener}-catalog"), "match": {"paths": ["/catalog/**"]}, "access": "optional"},
                {
                    "name": format!("{listener}-approve"),
                    "match": {"paths": ["/orders/{orderId}/approve"], "methods": ["POST"]},
                    "require": {"roles": ["RESTAURANT", "ADMIN"]},
                },
                {"name": format!("{listener}-orders"), "match": {"paths": ["/orders/**"]}},
                {"name": format!("{listener}-refund"), "match": {"paths": ["/refunds/**"]}, "require": {"scopes": ["refunds.write"]}},
            ],
            "realm": "orders",
        },
        "authHeader": {
            "strip": ["x-user-*", "x-auth-*"],
            "inject": [
                {"header": "x-user-id", "claim": "sub"},
                {"header": "x-user-roles", "claim": "roles"},
                {"header": "x-tenant", "claim": "tenant.name"},
            ],
            "token": {"forward": "strip"},
        },
        "auditLog": {
            "events": [{
                "name": "order.approve",
                "match": {"paths": ["/orders/{orderId}/approve"], "methods": ["POST"]},
                "object": "{path.orderId}",
            }],
        },
        "metrics": {},
    })
}

impl World {
    fn token(&self) -> String {
        let claims = self.issuer.claims().with("roles", json!(["RESTAURANT", "USER"])).with("tenant", json!({"name": "acme"}));
        self.issuer.sign(&claims).unwrap()
    }
}

#[test]
fn refuses_request_without_token() {
    let World { stack, .. } = world();
    for listener in LISTENERS {
        let response = stack.envoy.listener(listener).get("/orders/42");
        assert_eq!(response.outcome(), "401 token_missing", "{listener}");
        stack.assert_refusal(&response);
        assert_eq!(response.headers.get("www-authenticate").unwrap(), "Bearer realm=\"orders\"", "{listener}");
        let line = stack.envoy.access_line(listener, &response.id);
        assert_eq!(line.details, "portcullis{token_missing}", "{listener}");
        let decision: Value = serde_json::from_str(&line.decision).unwrap();
        let expected =
            json!({"rule": format!("{listener}-orders"), "decision": "deny", "reason": "token_missing", "shadow": false});
        assert_eq!(decision, expected, "{listener}");
        assert_eq!(line.principal, "-", "{listener}");
    }
}

#[test]
fn valid_token_reaches_the_upstream_with_identity_headers() {
    let World { stack, .. } = world();
    for listener in LISTENERS {
        let request = Request::get("/orders/42?page=2").bearer(&world().token()).header("x-other", "kept");
        let response = stack.envoy.listener(listener).send(&request);
        let seen = stack.seen(&response);
        assert_eq!(seen.path, "/orders/42?page=2");
        for (name, value) in [
            ("x-user-id", Some("alice")),
            ("x-user-roles", Some("RESTAURANT,USER")),
            ("x-tenant", Some("acme")),
            ("x-other", Some("kept")),
            ("authorization", None),
        ] {
            assert_eq!(seen.headers.get(name).as_deref(), value, "{listener} {name}");
        }
        let line = stack.envoy.access_line(listener, &response.id);
        let principal: Value = serde_json::from_str(&line.principal).unwrap();
        assert_eq!(principal["subject"], "alice", "{listener}");
        assert_eq!(principal["issuer"], "https://uaa.example.com", "{listener}");
        let decision: Value = serde_json::from_str(&line.decision).unwrap();
        assert_eq!(
            (&decision["decision"], &decision["reason"], &decision["issuer"]),
            (&json!("allow"), &json!("token_valid"), &json!("uaa"))
        );
    }
}

#[test]
fn forged_identity_header_is_removed_on_every_path() {
    let World { stack, .. } = world();
    let token = world().token();
    for listener in LISTENERS {
        for (name, request, id) in [
            ("allowed", Request::get("/orders/42").bearer(&token), Some("alice")),
            ("public", Request::get("/healthz"), None),
            ("public with a token", Request::get("/healthz").bearer(&token), None),
            ("optional without a token", Request::get("/catalog/1"), None),
            ("optional with a token", Request::get("/catalog/1").bearer(&token), Some("alice")),
        ] {
            let forged = request
                .header("x-user-id", "admin")
                .header("X-User-Id", "root")
                .header("x-uSeR-iD", "system")
                .header("X_User_Id", "admin")
                .header("x-user_id", "admin")
                .header("x-user-email", "admin@example.com")
                .header("x-user-roles", "ADMIN")
                .header("x-auth-subject", "admin")
                .header("x-tenant", "other")
                .header("X_Tenant", "other");
            let seen = stack.passes(listener, &forged);
            assert_eq!(seen.headers.get("x-user-id").as_deref(), id, "{listener} {name}");
            let forged: Vec<_> = seen.headers.iter().filter(|(header, value)| is_forged(header, value)).collect();
            assert!(forged.is_empty(), "{listener} {name}: {forged:?}");
        }
    }
}

fn is_forged(header: &str, value: &[u8]) -> bool {
    let header = header.replace('_', "-");
    let value = String::from_utf8_lossy(value);
    (header.starts_with("x-user-") || header.starts_with("x-auth-") || header == "x-tenant")
        && !matches!(
            (header.as_str(), &*value),
            ("x-user-id", "alice") | ("x-user-roles", "RESTAURANT,USER") | ("x-tenant", "acme")
        )
}

#[test]
fn missing_role_and_missing_scope_are_refused() {
    let World { stack, issuer } = world();
    let user = issuer.sign(&issuer.claims().with("roles", json!(["USER"]))).unwrap();
    for listener in LISTENERS {
        let approve = Request::new("POST", "/orders/42/approve").header("content-length", "0").bearer(&user);
        assert_eq!(stack.outcome(listener, &approve), "403 role_missing", "{listener}");
        let response = stack.envoy.listener(listener).get_with("/refunds/1", &user);
        assert_eq!(response.outcome(), "403 scope_missing", "{listener}");
        stack.assert_refusal(&response);
        let challenge = response.headers.get("www-authenticate").unwrap();
        assert!(
            challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"refunds.write\""),
            "{challenge}"
        );
    }
}

#[test]
fn audit_line_names_who_did_what_to_which_object() {
    let World { stack, .. } = world();
    for listener in LISTENERS {
        let approve = Request::new("POST", "/orders/42/approve").header("content-length", "0").bearer(&world().token());
        let response = stack.envoy.listener(listener).send(&approve);
        let _ = stack.seen(&response);
        let event = stack.envoy.audit_event(listener, &response.id);
        let text = event.to_string();
        for expected in ["order.approve", "\"42\"", "alice", "token_valid", "https://uaa.example.com"] {
            assert!(text.contains(expected), "{listener}: no {expected} in {text}");
        }
    }
}

#[test]
fn counters_and_histogram_move_with_real_labels() {
    let World { stack, .. } = world();
    for listener in LISTENERS {
        let rule = format!("{listener}-orders");
        let allowed = [
            ("rule", rule.as_str()),
            ("decision", "allow"),
            ("reason", "token_valid"),
            ("issuer", "uaa"),
            ("method", "PUT"),
            ("status_class", "2xx"),
        ];
        let denied = [
            ("rule", rule.as_str()),
            ("decision", "deny"),
            ("reason", "token_missing"),
            ("issuer", "none"),
            ("method", "PUT"),
            ("status_class", "4xx"),
        ];
        // No other test of this file sends a PUT, so these series are this test's own.
        let put = || Request::new("PUT", "/orders/42").header("content-length", "0");
        for _ in 0..3 {
            assert_eq!(stack.outcome(listener, &put().bearer(&world().token())), "200");
        }
        assert_eq!(stack.outcome(listener, &put()), "401 token_missing");

        let arrived = poll("the counters", Duration::from_secs(10), || {
            let stats = stack.envoy.prometheus();
            let is_there = stats.sum("portcullis_requests_total", &allowed) >= 3.0
                && stats.sum("portcullis_requests_total", &denied) >= 1.0
                && stats.sum("portcullis_request_duration_ms_count", &[("rule", &rule)]) >= 4.0;
            is_there.then_some(stats)
        });
        let stats =
            arrived.unwrap_or_else(|error| panic!("{listener}: {error}\n{}", stack.envoy.admin("/stats?filter=portcullis")));
        assert_eq!(stats.sum("portcullis_requests_total", &allowed), 3.0, "{listener}");
        assert_eq!(stats.sum("portcullis_requests_total", &denied), 1.0, "{listener}");
        assert!(stats.samples("portcullis_request_duration_ms_bucket", &[("rule", &rule), ("le", "+Inf")]).count() == 1);
        let leftover: Vec<_> =
            stats.iter().filter(|sample| sample.name.starts_with("portcullis") && !is_known(&sample.name)).collect();
        assert!(leftover.is_empty(), "a label stayed in a name: {leftover:?}");
    }
}

/// Whether it is a name of the catalogue, with what Prometheus adds to those of histograms.
fn is_known(name: &str) -> bool {
    let is_of = |family: &Family| match (family.kind(), name.strip_prefix(family.name())) {
        (MetricKind::Histogram, Some(ending)) => ["_bucket", "_sum", "_count"].contains(&ending),
        (_, ending) => ending == Some(""),
    };
    FAMILIES.iter().any(|family| is_of(family))
}
