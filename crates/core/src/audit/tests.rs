mod lean;
mod private;
mod sealing;
mod selecting;

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::config::audit_log::AuditLogConfig;
use crate::config::{ConfigError, Variable, Warning};
use crate::decision::{Decision, PUBLIC, TOKEN_VALID};
use crate::ending::Unasked;
use crate::headers::Headers;
use crate::platform::Platform;
use crate::principal::{Identity, Method, Principal};
use crate::rejection::Rejection;
use crate::request::Request;
use crate::response_flags::ResponseFlags;
use crate::stage::{Completion, Facts, MetricId, MetricKind};

const NOW: UnixTime = UnixTime::from_secs(1_709_210_100);
const STARTED: UnixTime = UnixTime::from_nanos(1_709_210_096_789_000_000);
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";

/// What was written, by sink.
#[derive(Default, Debug, PartialEq, Eq)]
struct Written {
    states: Vec<(String, String)>,
    lines: Vec<String>,
}

impl Observer for Written {
    fn define_metric(&mut self, _kind: MetricKind, name: &str) -> Option<MetricId> {
        panic!("the audit log defined {name}");
    }

    fn increment(&mut self, _metric: MetricId, _amount: u64) {}

    fn adjust(&mut self, _: MetricId, _: i64) {}

    fn record(&mut self, _metric: MetricId, _value: u64) {}

    fn set_state(&mut self, key: &str, value: &str) {
        self.states.push((key.to_owned(), value.to_owned()));
    }

    fn print(&mut self, line: &str) {
        self.lines.push(line.to_owned());
    }
}

fn compile(config: Value) -> Result<(Policy, Vec<Warning>), ConfigError> {
    let config = serde_json::from_value::<AuditLogConfig>(config).unwrap();
    let (policy, mut warnings) = Policy::compile(&config)?;
    let policy = policy.with_privacy(&config, &|_: &str| Variable::Unset, &mut warnings)?;
    Ok((policy, warnings))
}

fn sinks(config: Value) -> Result<(Sinks, Vec<Warning>), ConfigError> {
    let config = serde_json::from_value::<AuditLogConfig>(config).unwrap();
    let mut warnings = Vec::new();
    let environment = |_: &str| Variable::Set("the-password".to_owned());
    let sinks = Sinks::compile(config.sinks.as_deref(), &Platform::from(&environment), &[0; 32], &mut warnings)?;
    Ok((sinks, warnings))
}

fn stage(config: Value) -> AuditLog {
    let policy = compile(config.clone()).unwrap().0;
    AuditLog::new(Rc::new(policy), false, Serials::new(&[0; 32]), sinks(config).unwrap().0).with_sampler(Sampler::new(&[0; 32]))
}

fn written(config: Value, exchange: &Exchange, completion: &Completion) -> Written {
    let mut written = Written::default();
    stage(config).on_log(exchange, completion, NOW, &mut written);
    written
}

/// The one line in filter state, `None` when nothing was recorded.
fn line(config: Value, exchange: &Exchange, completion: &Completion) -> Option<String> {
    let mut written = written(config, exchange, completion);
    assert!(written.states.len() <= 1 && written.lines.is_empty());
    let (key, line) = written.states.pop()?;
    assert_eq!(key, "portcullis.audit");
    assert!(!line.contains(['\n', '\r']), "{line}");
    Some(line)
}

fn event(config: Value, exchange: &Exchange, completion: &Completion) -> Value {
    serde_json::from_str(&line(config, exchange, completion).unwrap()).unwrap()
}

fn approve_order() -> Value {
    json!({
        "name": "order.approve",
        "match": {"paths": ["/orders/{orderId}/approve"], "methods": ["POST"]},
        "object": "order/{path.orderId}"
    })
}

fn exchange(method: &str, path: &str, headers: &[(&str, &str)]) -> Exchange {
    let pseudo = [(":method", method), (":path", path), (":authority", "api.example.com")];
    Exchange::new(Request::new(Headers::from_pairs(pseudo.iter().chain(headers).copied())), Some(STARTED))
}

fn allowed(mut exchange: Exchange, claims: Value) -> Exchange {
    let principal = Principal {
        issuer: "https://uaa.example.com".into(),
        subject: Some("alice".into()),
        roles: vec!["ADMIN".into()],
        scopes: vec![],
        audiences: vec![],
        claims: claims.as_object().unwrap().clone().into(),
        method: Method::Jwt,
        token_id: Some("token-1".into()),
        expires_at: None,
    };
    exchange.identity = Some(Rc::new(Identity::new(principal, "uaa".into())));
    exchange.decision = Some(Decision::allow("approve-order".into(), TOKEN_VALID, Some("uaa".into())));
    exchange
}

fn refused(mut exchange: Exchange, rejection: Rejection) -> Exchange {
    exchange.decision = Some(Decision::refuse("default".into(), rejection, None));
    exchange
}

fn answered(status: u16) -> Completion {
    Completion { status: Some(status), duration: Some(Duration::from_micros(12_345)), ..Completion::default() }
}

#[test]
fn records_a_named_event_in_one_line() {
    let headers = [
        ("x-request-id", "7f9e"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("user-agent", "curl/8.0"),
        ("authorization", "Bearer secret"),
    ];
    let exchange = allowed(
        exchange("POST", "/orders/42/approve?page=2&access_token=secret", &headers),
        json!({"tenant": "acme", "email": "alice@example.com"}),
    );
    let config = json!({
        "events": [approve_order()],
        "include": {"requestHeaders": ["User-Agent", "x-absent"], "queryParams": ["page", "absent"], "claims": ["tenant", "absent"],
            "protocol": true}
    });
    let ending = Completion {
        facts: Facts {
            flags: ResponseFlags(1 << 9),
            details: Some("rate_limited".into()),
            response_bytes: Some(17),
            grpc_status: Some(2),
            protocol: Some("HTTP/2".into()),
            request_bytes: Some(5),
            received_bytes: None,
            client: Some("10.1.2.3:4567".into()),
            peer: Some("spiffe://cluster.local/ns/shop/sa/app".into()),
        },
        ..answered(200)
    };
    let expected = concat!(
        r#"{"schema":"portcullis.audit/1","id":"f56ece944e25fc4c-1","time":"2024-02-29T12:34:56.789Z","action":"order.approve","#,
        r#""object":"order/42","outcome":"allowed","sample":null,"#,
        r#""decision":{"rule":"approve-order","decision":"allow","reason":"token_valid","issuer":"uaa","shadow":false},"#,
        r#""strippedHeaders":null,"principal":{"issuer":"https://uaa.example.com","subject":"alice","roles":["ADMIN"],"#,
        r#""method":"jwt","tokenId":"PwiqzhIu4jaEMsHKI6BJvA","claims":{"tenant":"acme"}},"#,
        r#""request":{"method":"POST","host":"api.example.com","path":"/orders/42/approve","#,
        r#""pathTemplate":"/orders/{orderId}/approve","protocol":"HTTP/2","headers":{"user-agent":"curl/8.0"},"query":{"page":"2"},"bytes":5},"#,
        r#""requestId":"7f9e","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","truncated":false,"#,
        r#""response":{"status":200,"bytes":17,"grpcStatus":null,"flags":"DI","details":"rate_limited"},"durationMs":12,"#,
        r#""client":{"address":"10.1.2.3","peer":"spiffe://cluster.local/ns/shop/sa/app"}}"#,
    );
    assert_eq!(line(config, &exchange, &ending).unwrap(), expected);
}

#[test]
fn asks_only_for_what_costs_little_where_the_upstream_has_answered() {
    let usual = Completion {
        facts: Facts {
            flags: ResponseFlags(1 << 9),
            details: Some("via_upstream".into()),
            protocol: Some("HTTP/2".into()),
            request_bytes: Some(7),
            ..Facts::default()
        },
        ..answered(200)
    };
    for (method, headers, bytes) in [
        ("GET", &[][..], Value::Null),
        ("GET", &[("content-length", "3")], json!(3)),
        ("POST", &[("content-length", "3")], json!(3)),
        ("POST", &[("content-length", "many")], json!(7)),
        ("POST", &[("content-length", "3"), ("content-length", "4")], json!(7)),
        ("POST", &[], json!(7)),
        ("BREW", &[], json!(7)),
    ] {
        let recorded =
            event(json!({"default": {"record": "always"}}), &allowed(exchange(method, "/", headers), json!({})), &usual);
        assert_eq!(recorded["request"]["bytes"], bytes, "{method} {headers:?}");
        assert_eq!((&recorded["request"]["protocol"], &recorded["response"]["flags"]), (&Value::Null, &Value::Null));
        assert_eq!((&recorded["outcome"], &recorded["response"]["details"]), (&json!("allowed"), &json!("via_upstream")));
    }
}

#[test]
fn only_recorded_requests_have_serials_and_these_have_no_holes() {
    let mut stage = stage(json!({}));
    let mut written = Written::default();
    for rejection in [Some(Rejection::TokenMissing), None, Some(Rejection::TokenMissing)] {
        let exchange = exchange("GET", "/", &[("x-request-id", "7f9e")]);
        let exchange = match rejection {
            Some(rejection) => refused(exchange, rejection),
            None => allowed(exchange, json!({})),
        };
        stage.on_log(&exchange, &answered(401), NOW, &mut written);
    }
    let events = written.states.iter().map(|(_, line)| serde_json::from_str::<Value>(line).unwrap());
    let ids: Vec<_> = events.map(|event| (event["id"].clone(), event["requestId"].clone())).collect();
    let of_client = json!("7f9e");
    assert_eq!(ids, [(json!("f56ece944e25fc4c-1"), of_client.clone()), (json!("f56ece944e25fc4c-2"), of_client)]);
}

#[test]
fn records_the_headers_that_a_client_forged() {
    let mut exchange = refused(exchange("GET", "/private", &[]), Rejection::TokenMissing);
    exchange.stripped.add(&["x-user-id".to_owned(), "x-user-eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln".to_owned()]);
    let recorded = line(json!({}), &exchange, &answered(401)).unwrap();
    assert!(recorded.contains(r#""strippedHeaders":["[token withheld]","x-user-id"],"#), "{recorded}");
}

#[test]
fn records_refused_request_that_no_event_names() {
    let exchange = refused(exchange("GET", "/private", &[]), Rejection::TokenMissing);
    let expected = concat!(
        r#"{"schema":"portcullis.audit/1","id":"f56ece944e25fc4c-1","time":"2024-02-29T12:34:56.789Z","action":null,"object":null,"#,
        r#""outcome":"denied","sample":null,"decision":{"rule":"default","decision":"deny","reason":"token_missing","shadow":false},"#,
        r#""strippedHeaders":null,"principal":null,"request":{"method":"GET","host":"api.example.com","path":"/private","#,
        r#""pathTemplate":null,"protocol":null,"headers":{},"query":{},"bytes":null},"requestId":null,"traceId":null,"truncated":false,"#,
        r#""response":{"status":401,"bytes":null,"grpcStatus":null,"flags":null,"details":null},"durationMs":12,"#,
        r#""client":{"address":null,"peer":null}}"#,
    );
    assert_eq!(line(json!({}), &exchange, &answered(401)).unwrap(), expected);
}

#[test]
fn first_event_that_matches_names_the_request() {
    let config = json!({"events": [
        approve_order(),
        {"name": "order.change", "match": {"paths": ["/orders/**"]}},
        {"name": "anything"}
    ]});
    let cases = [
        ("POST", "/orders/7/approve", json!("order.approve"), json!("order/7")),
        ("POST", "/orders/7/approve/", json!("order.approve"), json!("order/7")),
        ("post", "/orders/8/approve", json!("order.approve"), json!("order/8")),
        ("GET", "/orders/7/approve", json!("order.change"), json!(null)),
        ("GET", "/carts", json!("anything"), json!(null)),
    ];
    for (method, path, action, object) in cases {
        let event = event(config.clone(), &exchange(method, path, &[]), &answered(200));
        assert_eq!((&event["action"], &event["object"]), (&action, &object), "{method} {path}");
    }
}

#[test]
fn holds_no_token_and_no_raw_line_break() {
    let headers = [
        ("authorization", TOKEN),
        ("cookie", TOKEN),
        ("x-debug", TOKEN),
        ("x-note", "a\r\n{\"forged\":true}"),
        ("x-note", "b"),
        ("x-long", &"l".repeat(5_000)),
    ];
    let path = format!("/orders/{TOKEN}/approve?q={TOKEN}&note=a%0d%0ab%ff");
    let exchange = allowed(exchange("POST", &path, &headers), json!({"copy": TOKEN, "n": {"copy": [TOKEN]}}));
    let config = json!({
        "events": [approve_order()],
        "include": {
            "requestHeaders": ["x-debug", "x-note", "x-long"],
            "queryParams": ["q", "note"],
            "claims": ["copy", "n"]
        }
    });
    let line = line(config, &exchange, &answered(200)).unwrap();
    assert!(!line.contains("eyJ"), "{line}");
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["object"], "[token withheld]");
    assert_eq!(event["principal"]["claims"], json!({"copy": "[token withheld]", "n": "[token withheld]"}));
    assert_eq!(event["request"]["query"], json!({"note": "a\r\nb\u{fffd}", "q": "[token withheld]"}));
    let headers = &event["request"]["headers"];
    assert_eq!(headers["x-note"], "a\r\n{\"forged\":true}, b");
    assert_eq!(headers["x-long"], format!("{}…", "l".repeat(1024)));
}

#[test]
fn survives_request_that_is_no_text() {
    let headers = Headers::from_pairs([(&b":path"[..], &b"/\xff\xfe"[..]), (b"x-a", b"\xff"), (b"x-request-id", b"\xff")]);
    let exchange = Exchange::new(Request::new(headers), None);
    let event =
        event(json!({"default": {"record": "always"}, "include": {"requestHeaders": ["x-a"]}}), &exchange, &answered(400));
    assert_eq!(event["request"]["headers"]["x-a"], "\u{fffd}");
    assert_eq!(event["request"]["method"], json!(null));
    assert_eq!(event["requestId"], json!(null));
    assert_eq!(event["time"], "2024-02-29T12:35:00.000Z");
}

#[test]
fn writes_to_each_sink() {
    let mut exchange = exchange("GET", "/health", &[]);
    exchange.decision = Some(Decision::allow("health".into(), PUBLIC, None));
    let config = |sinks: Value| json!({"default": {"record": "always"}, "sinks": sinks});
    let both = written(config(json!([{"type": "stdout"}, {"type": "accesslog"}])), &exchange, &answered(200));
    assert_eq!((both.states.len(), both.lines.len()), (1, 1));
    assert_eq!(both.states[0].1, both.lines[0]);
    let stdout = written(config(json!([{"type": "stdout"}])), &exchange, &answered(200));
    assert_eq!((stdout.states.len(), stdout.lines.len()), (0, 1));
}

#[test]
fn needs_what_its_events_match() {
    let cases = [
        (json!({}), false, Needs::default()),
        (json!({}), true, Needs { upstream_identity: true, ..Needs::default() }),
        (
            json!({"events": [{"name": "a", "match": {"routes": ["orders"]}}]}),
            false,
            Needs { route_name: true, ..Needs::default() },
        ),
    ];
    for (config, standalone, expected) in cases {
        let policy = Rc::new(compile(config.clone()).unwrap().0);
        let stage = AuditLog::new(policy, standalone, Serials::new(&[0; 32]), Sinks::default());
        assert_eq!(stage.needs(), expected, "{config}");
    }
}

#[test]
fn refuses_bad_configuration() {
    let mut unknown_parameter = approve_order();
    unknown_parameter["object"] = json!("{path.id}");
    let not_in_every_path = json!({"name": "a", "match": {"paths": ["/a/{id}", "/b"]}, "object": "{path.id}"});
    let secret = "carries credentials, which no audit event may hold; record a claim of the principal instead";
    let cases = [
        (
            json!({"events": [approve_order(), unknown_parameter]}),
            "events[1].object: `{path.id}` is not in every path of its match; there is {path.orderId}".to_owned(),
        ),
        (
            json!({"events": [not_in_every_path]}),
            "events[0].object: `{path.id}` is not in every path of its match; the paths of its match have no parameter in common"
                .to_owned(),
        ),
        (json!({"events": [{"name": " "}]}), "events[0].name: is empty; name what is done: order.approve".to_owned()),
        (json!({"include": {"requestHeaders": ["accept", "Authorization"]}}), format!("include.requestHeaders[1]: {secret}")),
        (json!({"include": {"requestHeaders": ["cookie"]}}), format!("include.requestHeaders[0]: {secret}")),
        (json!({"include": {"requestHeaders": ["Proxy-Authorization"]}}), format!("include.requestHeaders[0]: {secret}")),
        (json!({"include": {"queryParams": ["access_token"]}}), format!("include.queryParams[0]: {secret}")),
        (json!({"include": {"requestHeaders": ["A", "a"]}}), "include.requestHeaders[1]: is named twice".to_owned()),
        (json!({"include": {"claims": [""]}}), "include.claims[0]: is empty".to_owned()),
    ];
    for (config, expected) in cases {
        assert_eq!(compile(config).unwrap_err().to_string(), expected);
    }
    for unknown in [json!({"event": []}), json!({"chain": {}})] {
        assert!(serde_json::from_value::<AuditLogConfig>(unknown).is_err());
    }
}

#[test]
fn warns_of_what_is_never_recorded() {
    let cases = [
        (json!({}), vec![]),
        (json!({"default": {"record": "never"}}), vec![Warning::new("", "records nothing")]),
        (
            json!({"events": [{"name": "anything"}, approve_order()]}),
            vec![Warning::new("events[0]", "matches every request, so no event after it is ever named")],
        ),
        (json!({"events": [approve_order(), {"name": "anything"}]}), vec![]),
    ];
    for (config, expected) in cases {
        assert_eq!(compile(config.clone()).unwrap().1, expected, "{config}");
    }
}

#[test]
fn how_it_ended_is_asked_for_only_when_it_is_recorded() {
    let mut allowed = Exchange::new(Request::default(), Some(NOW));
    allowed.decision = Some(Decision::allow("orders".into(), TOKEN_VALID, None));
    // A filter behind the gateway's may have refused what the gateway did not: its status tells.
    for (config, status) in [(json!({}), Some(200)), (json!({"default": {"record": "never"}}), None)] {
        let mut written = Written::default();
        stage(config.clone()).on_log(&allowed, &Unasked { status, ..Unasked::default() }, NOW, &mut written);
        assert!(written.states.is_empty(), "{config}");
    }
}
