//! The audit log: which requests are recorded, what a record says, where it goes, and what never leaves.

use std::sync::OnceLock;
use std::time::Duration;

use portcullis_e2e::{Stack, bundle};
use portcullis_testbed::{Algorithm, Issuer, Request, Route, poll};
use serde_json::{Value, json};

struct World {
    stack: Stack,
    issuer: Issuer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
        let jwt = json!({
            "jwtRules": [{
                "name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap(),
                "fromHeaders": [{"name": "Authorization", "prefix": "Bearer "}],
                "fromParams": ["access_token"], "fromCookies": ["session"],
            }],
            "rules": [
                {"name": "open", "match": {"paths": ["/open/**"]}, "access": "public"},
                {"name": "approve", "match": {"paths": ["/orders/{orderId}/approve"], "methods": ["POST"]}, "require": {"roles": ["ADMIN"]}},
            ],
        });
        let audit = |more: Value| {
            let mut audit = json!({
                "events": [
                    {
                        "name": "order.approve", "match": {"paths": ["/orders/{orderId}/approve"], "methods": ["POST"]},
                        "object": "order/{path.orderId}",
                    },
                    {"name": "report.read", "match": {"routes": ["reports"]}},
                    {"name": "secret.read", "match": {"paths": ["/secrets/**"]}, "record": "denied"},
                    {"name": "ping", "match": {"paths": ["/ping"]}, "record": "never"},
                ],
                "include": {"requestHeaders": ["User-Agent", "x-note"], "queryParams": ["page"], "claims": ["tenant", "realm.name"], "protocol": true},
            });
            audit.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({"jwtAuth": jwt, "auditLog": audit})
        };
        let listeners = [
            bundle("accesslog", &audit(json!({}))).route(Route::prefix("reports", "/reports")),
            bundle("stdout", &audit(json!({"sinks": [{"type": "stdout"}]}))),
            bundle("both", &audit(json!({"sinks": [{"type": "accesslog"}, {"type": "stdout"}]}))),
            bundle("everything", &audit(json!({"default": {"record": "always"}}))),
        ];
        World { stack: Stack::start(listeners, &[]), issuer }
    })
}

impl World {
    fn token(&self) -> String {
        let claims =
            self.issuer.claims().with("roles", json!(["ADMIN"])).with("tenant", "acme").with("email", "alice@example.com");
        self.issuer.sign(&claims.with("realm", json!({"name": "eu", "secret": "not-for-logs"}))).unwrap()
    }

    fn approve(&self) -> Request {
        Request::new("POST", "/orders/42/approve?page=2&coupon=HIDDEN").header("content-length", "0").bearer(&self.token())
    }
}

/// The event of this request in Envoy's own log.
fn printed(stack: &Stack, request_id: &str) -> Value {
    let find = || {
        let log = stack.envoy.log();
        let line = log.lines().find(|line| line.contains(request_id))?;
        serde_json::from_str(line.get(line.find('{')?..)?).ok()
    };
    poll("the line in Envoy's log", Duration::from_secs(10), find).unwrap()
}

/// Whether it is 16 hexadecimal digits and a number.
fn is_serial(id: &Value) -> bool {
    let parts = id.as_str().and_then(|id| id.split_once('-'));
    parts.is_some_and(|(stream, seq)| {
        stream.len() == 16 && u64::from_str_radix(stream, 16).is_ok() && seq.parse::<u64>().is_ok_and(|seq| seq > 0)
    })
}

#[test]
fn events_with_the_same_request_id_have_ids_of_their_own() {
    let World { stack, .. } = world();
    let request = Request::get("/elsewhere");
    let _ = [(); 2].map(|()| stack.envoy.listener("accesslog").send(&request));
    let both = || Some(stack.envoy.audit_events("accesslog", request.id())).filter(|events| events.len() == 2);
    let events = poll("both events", Duration::from_secs(10), both).unwrap();
    assert!(events.iter().all(|event| is_serial(&event["id"])) && events[0]["id"] != events[1]["id"], "{events:?}");
}

#[test]
fn event_says_who_did_what_on_which_object_and_how_it_ended() {
    let World { stack, .. } = world();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = world()
        .approve()
        .header("user-agent", "curl/8.0")
        .header("x-secret", "not-for-logs")
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"));
    let response = stack.envoy.listener("accesslog").send(&request);
    let _ = stack.seen(&response);
    let mut event = stack.envoy.audit_event("accesslog", &response.id);
    let (id, time, duration) = (event["id"].take(), event["time"].take(), event["durationMs"].take());
    assert!(is_serial(&id), "{id}");
    assert!(time.as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')), "{time}");
    assert!(duration.as_u64().is_some_and(|duration| duration < 20_000), "{duration}");
    let expected = json!({
        "schema": "portcullis.audit/1",
        "id": null,
        "time": null,
        "action": "order.approve",
        "object": "order/42",
        "outcome": "allowed",
        "sample": null,
        "decision": {"rule": "approve", "decision": "allow", "reason": "token_valid", "issuer": "uaa", "shadow": false},
        "strippedHeaders": null,
        "principal": {
            "issuer": "https://uaa.example.com", "subject": "alice", "roles": ["ADMIN"], "method": "jwt",
            "tokenId": "PwiqzhIu4jaEMsHKI6BJvA",
            "claims": {"tenant": "acme", "realm.name": "eu"},
        },
        "request": {
            "method": "POST", "host": "api.example.com", "path": "/orders/42/approve",
            "pathTemplate": "/orders/{orderId}/approve", "protocol": "HTTP/1.1",
            "headers": {"user-agent": "curl/8.0"}, "query": {"page": "2"}, "bytes": 0,
        },
        "requestId": response.id,
        "traceId": trace,
        "truncated": false,
        "response": {"status": 200, "bytes": response.body.len(), "grpcStatus": null, "flags": null, "details": "via_upstream"},
        "durationMs": null,
        "client": {"address": "127.0.0.1", "peer": null},
    });
    assert_eq!(event, expected);
}

#[test]
fn records_refused_requests_with_their_reason() {
    let World { stack, issuer } = world();
    let user = issuer.token().unwrap();
    let approve = |token: Option<&str>| {
        let request = Request::new("POST", "/orders/7/approve").header("content-length", "0");
        token.map_or(request.clone(), |token| request.bearer(token))
    };
    for (case, request, status, reason, action, subject) in [
        ("no token", approve(None), 401, "token_missing", json!("order.approve"), json!(null)),
        ("no role", approve(Some(&user)), 403, "role_missing", json!("order.approve"), json!("alice")),
        ("forged", approve(Some(&format!("{user}AA"))), 401, "signature_invalid", json!("order.approve"), json!(null)),
        ("unnamed", Request::get("/elsewhere"), 401, "token_missing", json!(null), json!(null)),
    ] {
        let response = stack.envoy.listener("accesslog").send(&request);
        let event = stack.envoy.audit_event("accesslog", &response.id);
        assert_eq!(event["response"]["status"], status, "{case}");
        assert_eq!(event["outcome"], "denied", "{case}");
        assert_eq!(event["decision"]["reason"], reason, "{case}");
        assert_eq!(event["action"], action, "{case}");
        assert_eq!(event.pointer("/principal/subject").cloned().unwrap_or_default(), subject, "{case}");
    }
}

#[test]
fn records_what_is_asked_for_and_nothing_else() {
    let World { stack, issuer } = world();
    let token = issuer.token().unwrap();
    for (listener, target, with_token, recorded) in [
        ("accesslog", "/reports/1", true, true),
        ("accesslog", "/secrets/1", true, false),
        ("accesslog", "/secrets/1", false, true),
        ("accesslog", "/ping", true, false),
        ("accesslog", "/ping", false, false),
        ("accesslog", "/elsewhere", true, false),
        ("accesslog", "/elsewhere", false, true),
        ("accesslog", "/open/1", false, false),
        ("everything", "/elsewhere", true, true),
        ("everything", "/open/1", false, true),
        ("everything", "/ping", true, false),
        ("stdout", "/elsewhere", false, false),
    ] {
        let request = Request::get(target);
        let request = if with_token { request.bearer(&token) } else { request };
        let response = stack.envoy.listener(listener).send(&request);
        let event = stack.envoy.recorded(listener, &response.id);
        assert_eq!(event.is_some(), recorded, "{listener} {target}, token: {with_token}");
    }
}

#[test]
fn prints_to_stdout_where_that_is_wanted() {
    let World { stack, .. } = world();
    let response = stack.envoy.listener("stdout").send(&world().approve());
    let event = printed(stack, &response.id);
    assert_eq!((&event["action"], &event["object"]), (&json!("order.approve"), &json!("order/42")));
    assert_eq!(stack.envoy.recorded("stdout", &response.id), None);

    let response = stack.envoy.listener("both").send(&world().approve());
    assert_eq!(printed(stack, &response.id), stack.envoy.audit_event("both", &response.id));

    let response = stack.envoy.listener("accesslog").send(&world().approve());
    let _ = stack.envoy.audit_event("accesslog", &response.id);
    assert!(!stack.envoy.log().contains(&response.id), "the access log alone was asked for");
}

#[test]
fn hostile_values_stay_in_one_line_of_json() {
    let World { stack, .. } = world();
    for (case, note, expected) in [
        ("quotes", &b"\"},\"outcome\":\"allowed"[..], "\"},\"outcome\":\"allowed"),
        ("bytes that are not UTF-8", b"\xff\xfe", "\u{fffd}\u{fffd}"),
        ("escapes", b"%FILTER_STATE(x)% \\n \\", "%FILTER_STATE(x)% \\n \\"),
        ("tab", b"a\tb", "a\tb"),
    ] {
        let response = stack.envoy.listener("accesslog").send(&world().approve().header("x-note", note));
        let event = stack.envoy.audit_event("accesslog", &response.id);
        assert_eq!(event["request"]["headers"]["x-note"], expected, "{case}");
        assert_eq!(event["outcome"], "allowed", "{case}");
    }
    for (path, object) in [("/orders/a%0Ab/approve", "order/a%0Ab"), ("/orders/%22%7D/approve", "order/%22%7D")] {
        let request = Request::new("POST", path).header("content-length", "0").bearer(&world().token());
        let response = stack.envoy.listener("accesslog").send(&request);
        let event = stack.envoy.audit_event("accesslog", &response.id);
        assert_eq!((&event["request"]["path"], &event["object"]), (&json!(path), &json!(object)));
    }
}

#[test]
fn no_token_reaches_any_log() {
    let World { stack, issuer } = world();
    let good = world().token();
    let expired = issuer.sign(&issuer.claims().expiring_in(-3600)).unwrap();
    let forged = format!("{}AAAA", issuer.token().unwrap());
    for listener in ["accesslog", "stdout", "both", "everything"] {
        for token in [&good, &expired, &forged] {
            for request in [
                Request::get("/reports").bearer(token),
                Request::get(format!("/reports?access_token={token}&page={token}")),
                Request::get("/reports").header("cookie", format!("session={token}")),
                Request::get(format!("/open/{token}")),
                Request::get("/reports").header("x-note", token).header("user-agent", format!("Bearer {token}")),
                Request::get("/reports").bearer(token).bearer(token),
                Request::get("/reports").header("authorization", format!("Basic {token}")),
                Request::new("POST", format!("/orders/{token}/approve")).header("content-length", "0").bearer(token),
            ] {
                let response = stack.envoy.listener(listener).send(&request);
                assert!(!response.text().contains(token.as_str()) || response.status == 200, "{}", response.text());
                let _ = stack.envoy.access_line(listener, &response.id);
            }
        }
    }
    let logs = stack.envoy.all_logs();
    for token in [&good, &expired, &forged] {
        for part in token.split('.').skip(1) {
            assert!(!logs.contains(part), "a part of a token stands in a log: {part}");
        }
    }
}

#[test]
fn nothing_leaves_that_is_not_on_an_allow_list() {
    let World { stack, .. } = world();
    for listener in ["accesslog", "both"] {
        let response = stack.envoy.listener(listener).send(&world().approve().header("x-secret", "not-for-logs"));
        let event = stack.envoy.audit_event(listener, &response.id).to_string();
        for private in ["not-for-logs", "HIDDEN", "alice@example.com", "token-1"] {
            assert!(!event.contains(private), "{listener}: {private} stands in {event}");
        }
    }
}
