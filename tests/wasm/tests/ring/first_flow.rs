//! The story of a request, told once for the bundle and once for the single modules in a chain: the same answers, the same
//! headers at the upstream, the same record and the same counters.

use std::time::Duration;

use portcullis_wasm_tests::{Host, fixture, token};
use serde_json::{Value, json};

fn deployments() -> [(&'static str, Host); 2] {
    [("bundle", fixture::bundle()), ("single modules", fixture::single_modules())]
}

fn audit_event(host: &Host) -> Value {
    let line = host.state("portcullis.audit").expect("the request is recorded");
    assert!(!line.contains('\n'), "one line: {line}");
    serde_json::from_str(&line).expect("the record is JSON")
}

#[test]
fn refuses_a_request_without_token() {
    for (name, mut host) in deployments() {
        let outcome = host.request(&fixture::request("GET", "/orders", &[]));
        assert_eq!(outcome.summary(), "401 token_missing", "{name}");
        let reply = outcome.reply();
        assert_eq!(reply.headers.get("www-authenticate").as_deref(), Some(r#"Bearer realm="orders""#), "{name}");
        assert_eq!(reply.headers.get("content-type").as_deref(), Some("application/problem+json"), "{name}");
        assert_eq!(reply.details, "portcullis{token_missing}", "{name}");
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["requestId"], "r-1", "{name}");
    }
}

#[test]
fn passes_a_valid_token_with_identity_headers_in_place_of_forged_ones() {
    for (name, mut host) in deployments() {
        let mut request = fixture::bearer("GET", "/orders", &fixture::token(&host));
        for (header, value) in [
            ("X-User-Id", "mallory"),
            ("x-user-roles", "ADMIN"),
            ("X_User_Id", "mallory"),
            ("x-user-anything", "1"),
            ("x-subject", "m"),
        ] {
            request.push((header.to_owned(), value.to_owned()));
        }
        let outcome = host.request(&request);
        let upstream = outcome.upstream();
        assert_eq!(upstream.get("x-user-id").as_deref(), Some("alice"), "{name}");
        assert_eq!(upstream.get("x-user-roles").as_deref(), Some("RESTAURANT,USER"), "{name}");
        assert_eq!(upstream.all("x-user-role"), ["RESTAURANT", "USER"], "{name}");
        assert_eq!(upstream.get("x-subject").as_deref(), Some("alice"), "{name}");
        assert_eq!(upstream.all("x_user_id"), [""; 0], "{name}");
        assert_eq!(upstream.all("x-user-anything"), [""; 0], "{name}");
        assert_eq!(upstream.get(":path").as_deref(), Some("/orders"), "{name}");
        assert_eq!(upstream.all("authorization"), [""; 0], "{name}: the token is not passed on unless asked for");
    }
}

#[test]
fn decides_by_rule_and_token() {
    type Case = (&'static str, &'static str, &'static str, fn(u64) -> Value, &'static str);
    let cases: [Case; 8] = [
        ("role held", "POST", "/orders/7/approve", fixture::claims, "continued"),
        ("role missing", "POST", "/orders/7/approve", |now| edited(now, "roles", json!(["USER"])), "403 role_missing"),
        ("denied path", "GET", "/internal/status", fixture::claims, "403 access_denied"),
        ("expired", "GET", "/orders", |now| edited(now, "exp", json!(now - 61)), "401 token_expired"),
        ("expired within the skew", "GET", "/orders", |now| edited(now, "exp", json!(now - 30)), "continued"),
        ("not yet valid", "GET", "/orders", |now| edited(now, "nbf", json!(now + 120)), "401 token_not_yet_valid"),
        ("another audience", "GET", "/orders", |now| edited(now, "aud", json!("billing")), "401 audience_mismatch"),
        ("another issuer", "GET", "/orders", |now| edited(now, "iss", json!("https://evil.example.com")), "401 issuer_unknown"),
    ];
    for (deployment, mut host) in deployments() {
        for (name, method, path, claims, expected) in cases {
            let token = token::hs256(fixture::secret(), claims(host.now()));
            let outcome = host.request(&fixture::bearer(method, path, &token));
            assert_eq!(outcome.summary(), expected, "{deployment}: {name}");
        }
    }
}

fn edited(now: u64, key: &str, value: Value) -> Value {
    let mut claims = fixture::claims(now);
    claims[key] = value;
    claims
}

#[test]
fn refuses_a_signature_of_another_secret() {
    for (name, mut host) in deployments() {
        let token = token::hs256(&[7; 32], fixture::claims(host.now()));
        assert_eq!(host.request(&fixture::bearer("GET", "/orders", &token)).summary(), "401 signature_invalid", "{name}");
    }
}

#[test]
fn a_token_expires_while_it_is_remembered() {
    for (name, mut host) in deployments() {
        let request = fixture::bearer("GET", "/orders", &fixture::token(&host));
        assert!(host.request(&request).is_continued(), "{name}");
        assert!(host.request(&request).is_continued(), "{name}");
        host.pass(Duration::from_secs(300 + 61));
        assert_eq!(host.request(&request).summary(), "401 token_expired", "{name}");
    }
}

#[test]
fn a_public_path_strips_forged_headers_and_looks_at_no_credential() {
    for (name, mut host) in deployments() {
        let forged = [("x-user-id", "mallory"), ("x-subject", "mallory"), ("authorization", "Bearer not-a-token")];
        let outcome = host.request(&fixture::request("GET", "/health", &forged));
        assert_eq!(outcome.upstream().all("x-user-id"), [""; 0], "{name}");
        assert_eq!(outcome.upstream().all("x-subject"), [""; 0], "{name}");
    }
}

#[test]
fn records_what_was_done() {
    for (name, mut host) in deployments() {
        let token = fixture::token(&host);
        let outcome = host.request(&fixture::bearer("POST", "/orders/4711/approve?x=1", &token));
        assert!(outcome.is_continued(), "{name}");
        let event = audit_event(&host);
        assert_eq!(event["schema"], "portcullis.audit/1", "{name}");
        assert_eq!(event["action"], "order.approve", "{name}");
        assert_eq!(event["object"], "4711", "{name}");
        assert_eq!(event["outcome"], "allowed", "{name}");
        assert_eq!(event["decision"]["rule"], "approve-order", "{name}");
        assert_eq!(event["decision"]["reason"], "token_valid", "{name}");
        assert_eq!(event["principal"]["subject"], "alice", "{name}");
        assert_eq!(event["request"]["method"], "POST", "{name}");
        assert_eq!(event["request"]["path"], "/orders/4711/approve", "{name}");
        assert_eq!(event["response"]["status"], 200, "{name}");
        assert_eq!(event["requestId"], "r-1", "{name}");
        assert!(!event.to_string().contains(&token), "{name}");
        let line = host.state("portcullis.audit").unwrap();
        let lines: Vec<_> = host.logs().into_iter().filter(|logged| logged.text == line && logged.level >= 2).collect();
        assert_eq!(lines.len(), 1, "{name}: the sink stdout writes the same line: {:#?}", host.logs());
    }
}

#[test]
fn records_what_was_refused() {
    for (name, mut host) in deployments() {
        host.request(&fixture::request("POST", "/orders/4711/approve", &[]));
        let event = audit_event(&host);
        assert_eq!(event["action"], "order.approve", "{name}");
        assert_eq!(event["outcome"], "denied", "{name}");
        assert_eq!(event["decision"]["decision"], "deny", "{name}");
        assert_eq!(event["decision"]["reason"], "token_missing", "{name}");
        assert_eq!(event["principal"], Value::Null, "{name}");
        assert_eq!(event["response"]["status"], 401, "{name}");
    }
}

#[test]
fn a_record_on_stdout_is_shown_at_every_log_level() {
    for level in 0..=5 {
        let mut host = fixture::bundle();
        host.set_log_level(level);
        host.request(&fixture::request("GET", "/orders", &[]));
        let line = host.state("portcullis.audit").expect("the request is recorded");
        assert!(host.logs().iter().any(|logged| logged.text == line), "{level}: {:#?}", host.logs());
    }
}

#[test]
fn records_how_long_a_request_took() {
    for (name, mut host) in deployments() {
        let request = fixture::bearer("GET", "/orders", &fixture::token(&host));
        let stream = host.open(&request);
        host.pass(Duration::from_millis(250));
        host.finish(stream, 204);
        let event = audit_event(&host);
        assert_eq!(event["durationMs"], 250, "{name}");
        assert_eq!(event["response"]["status"], 204, "{name}");
        host.pass(Duration::from_secs(1));
        let durations: Vec<_> =
            host.metrics().into_iter().filter(|metric| metric.is("portcullis_request_duration_ms", &[])).collect();
        assert_eq!(durations.iter().map(|metric| metric.recorded.clone()).collect::<Vec<_>>(), [[250]], "{name}");
    }
}

#[test]
fn records_a_client_that_went_away() {
    for (name, mut host) in deployments() {
        let stream = host.open(&fixture::bearer("GET", "/orders", &fixture::token(&host)));
        host.abandon(stream);
        let event = audit_event(&host);
        assert_eq!(event["outcome"], "aborted", "{name}");
        assert_eq!(event["response"]["status"], Value::Null, "{name}");
    }
}

#[test]
fn counts_each_request_once_with_its_labels() {
    for (name, mut host) in deployments() {
        let good = fixture::bearer("GET", "/orders", &fixture::token(&host));
        host.request(&good);
        host.request(&good);
        host.request(&fixture::request("DELETE", "/orders", &[]));
        host.request(&fixture::request("GET", "/health", &[]));
        let total = |labels: &[(&str, &str)]| host.counted("portcullis_requests_total", labels);
        assert_eq!(total(&[]), 4, "{name}");
        let allowed =
            [("decision", "allow"), ("reason", "token_valid"), ("issuer", "uaa"), ("rule", "default"), ("method", "GET")];
        assert_eq!(total(&allowed), 2, "{name}: {:#?}", host.metrics());
        let denied = [
            ("decision", "deny"),
            ("reason", "token_missing"),
            ("issuer", "none"),
            ("method", "DELETE"),
            ("status_class", "4xx"),
        ];
        assert_eq!(total(&denied), 1, "{name}: {:#?}", host.metrics());
        assert_eq!(
            total(&[("rule", "health"), ("reason", "public"), ("status_class", "2xx")]),
            1,
            "{name}: {:#?}",
            host.metrics()
        );
    }
}

#[test]
fn principal_and_decision_stand_in_filter_state_for_the_modules_behind() {
    let mut host = Host::load("jwt_auth", &fixture::configuration("jwt_auth"));
    let token = fixture::token(&host);
    assert!(host.request(&fixture::bearer("GET", "/orders", &token)).is_continued());
    let state = |key: &str| -> Value { serde_json::from_str(&host.state(key).expect(key)).unwrap() };
    let principal = state("portcullis.principal");
    assert_eq!(principal["issuer"], fixture::ISSUER);
    assert_eq!(principal["subject"], "alice");
    assert_eq!(principal["roles"], json!(["RESTAURANT", "USER"]));
    assert_eq!(principal["method"], "jwt");
    let decision = state("portcullis.decision");
    assert_eq!(decision["rule"], "default");
    assert_eq!(decision["decision"], "allow");
    assert_eq!(decision["reason"], "token_valid");
}

#[test]
fn a_refused_request_has_a_decision_and_no_principal() {
    for (name, mut host) in deployments() {
        let token = token::hs256(&[7; 32], fixture::claims(host.now()));
        host.request(&fixture::bearer("GET", "/orders", &token));
        assert_eq!(host.state("portcullis.principal"), None, "{name}");
        let decision: Value = serde_json::from_str(&host.state("portcullis.decision").expect("a decision")).unwrap();
        assert_eq!(decision["decision"], "deny", "{name}");
        assert_eq!(decision["reason"], "signature_invalid", "{name}");
    }
}

#[test]
fn a_secret_comes_from_the_environment() {
    let mut host = Host::boot(&["portcullis"]);
    let secret = "0123456789abcdef".repeat(4);
    host.set_variable("JWT_SECRET", &secret);
    let jwt_auth = fixture::jwt_auth_with(json!({"secret": {"env": "JWT_SECRET"}}));
    assert!(host.configure(fixture::bundle_with(&jwt_auth)), "{:#?}", host.logs());
    let token = token::hs256(secret.as_bytes(), fixture::claims(host.now()));
    assert!(host.request(&fixture::bearer("GET", "/orders", &token)).is_continued());
    assert!(host.logs().iter().all(|line| !line.text.contains(&secret)), "{:#?}", host.logs());
}

#[test]
fn an_update_replaces_the_policy_for_new_requests_only_when_it_is_accepted() {
    let mut host = fixture::bundle();
    let request = fixture::bearer("GET", "/orders", &fixture::token(&host));
    let before = host.open(&request);
    assert!(!host.configure(r#"{"jwtAuth": {"nonsense": 1}}"#));
    assert!(host.request(&request).is_continued(), "a refused update changes nothing");
    assert!(host.configure(r#"{"jwtAuth": {"default": "denied"}}"#), "{:#?}", host.logs());
    assert_eq!(host.request(&request).summary(), "403 access_denied");
    host.finish(before, 200);
    host.retire_replaced();
    assert_eq!(host.request(&request).summary(), "403 access_denied");
}
