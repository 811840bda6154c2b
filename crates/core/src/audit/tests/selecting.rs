//! Which requests are recorded.

use super::*;
use crate::decision::{DEFAULT_RULE, HEALTH};

#[test]
fn records_what_the_operator_asks_for() {
    let request = || exchange("POST", "/orders/42/approve", &[]);
    let allow = || allowed(request(), json!({}));
    let deny = || refused(request(), Rejection::TokenExpired);
    // (record, exchange, status, recorded)
    let cases = [
        ("always", allow(), Some(200), true),
        ("always", deny(), Some(401), true),
        ("denied", allow(), Some(403), false),
        ("denied", deny(), Some(401), true),
        ("denied", refused(request(), Rejection::KeysUnavailable), Some(503), true),
        ("denied", allow(), Some(500), false),
        ("denied", deny(), None, true),
        ("denied", request(), Some(401), true),
        ("denied", request(), Some(200), false),
        ("denied", request(), None, false),
        ("never", deny(), Some(401), false),
        ("changes", allow(), Some(200), true),
        ("changes", deny(), None, true),
    ];
    for (record, exchange, status, recorded) in cases {
        let mut named = approve_order();
        named["record"] = json!(record);
        let completion = Completion { status, duration: None, ..Completion::default() };
        let configs = [
            json!({"events": [named], "default": {"record": if record == "never" { "always" } else { "never" }}}),
            json!({"default": {"record": record}}),
        ];
        for config in configs {
            assert_eq!(line(config.clone(), &exchange, &completion).is_some(), recorded, "{config} {status:?}");
        }
    }
}

#[test]
fn odd_spelling_keeps_no_request_off_the_record() {
    let never = |paths: &str| json!({"name": "quiet", "match": {"paths": [paths]}, "record": "never"});
    let with = |events: Value, record: &str| json!({"events": events, "default": {"record": record}});
    let cases = [
        ("/orders//42/approve", with(json!([approve_order()]), "never"), Some(json!("order.approve"))),
        ("/x/..%2forders/42/approve", with(json!([approve_order()]), "denied"), Some(json!("order.approve"))),
        ("/orders/42%2fapprove", with(json!([never("/orders/*"), approve_order()]), "denied"), Some(json!("order.approve"))),
        ("/orders/1;/health", with(json!([never("/orders/1/health")]), "always"), Some(json!(null))),
        ("/orders/1/health", with(json!([never("/orders/1/health")]), "always"), None),
        (
            "/orders//42/approve",
            with(json!([approve_order(), {"name": "rest", "record": "never"}]), "never"),
            Some(json!("order.approve")),
        ),
        ("/health", with(json!([approve_order(), {"name": "rest", "record": "never"}]), "never"), None),
    ];
    for (path, config, action) in cases {
        let exchange = exchange("POST", path, &[]);
        let line = line(config.clone(), &exchange, &answered(200));
        let recorded = line.map(|line| serde_json::from_str::<Value>(&line).unwrap()["action"].clone());
        assert_eq!(recorded, action, "{path} {config}");
    }
}

#[test]
fn what_may_change_something_has_a_method_that_is_not_known_to_be_safe() {
    let config = json!({"default": {"record": "changes"}});
    for (method, recorded) in [
        ("GET", false),
        ("HEAD", false),
        ("OPTIONS", false),
        ("TRACE", false),
        ("POST", true),
        ("DELETE", true),
        ("CONNECT", true),
        ("get", true),
        ("PURGE", true),
        ("", true),
    ] {
        let allow = allowed(exchange(method, "/", &[]), json!({}));
        assert_eq!(line(config.clone(), &allow, &answered(200)).is_some(), recorded, "{method}");
        let deny = refused(exchange(method, "/", &[]), Rejection::TokenMissing);
        assert!(line(config.clone(), &deny, &answered(401)).is_some(), "{method}");
    }
}

/// How many of a thousand such requests are recorded, and what they say of it.
fn thousand(config: &Value, exchange: &Exchange, completion: &Completion) -> (usize, Vec<Value>) {
    let mut stage = stage(config.clone());
    let mut written = Written::default();
    for _ in 0..1000 {
        stage.on_log(exchange, completion, NOW, &mut written);
    }
    let event = |line: &str| serde_json::from_str::<Value>(line).unwrap()["sample"].clone();
    let mut said: Vec<_> = written.states.iter().map(|(_, line)| event(line)).collect();
    let count = said.len();
    said.dedup();
    (count, said)
}

#[test]
fn only_what_was_let_through_and_answered_is_left_to_chance() {
    let part = |record: &str| json!({"events": [{"name": "a", "record": record, "sample": 0.1}]});
    let failed = |bit: u64| Completion { facts: Facts { flags: ResponseFlags(1 << bit), ..Facts::default() }, ..answered(503) };
    let post = || exchange("POST", "/", &[]);
    let shadow = || {
        let mut exchange = refused(post(), Rejection::RoleMissing);
        exchange.decision = exchange.decision.map(Decision::in_shadow);
        exchange
    };
    for record in ["always", "changes"] {
        let (count, said) = thousand(&part(record), &allowed(post(), json!({})), &answered(200));
        assert!((60..140).contains(&count), "{count}");
        assert_eq!(said, [json!(0.1)]);
        for (case, exchange, ending) in [
            ("denied", refused(post(), Rejection::TokenMissing), answered(401)),
            ("could not decide", refused(post(), Rejection::KeysUnavailable), answered(503)),
            ("denied in shadow", shadow(), answered(200)),
            ("denied by another", post(), answered(403)),
            ("no answer", allowed(post(), json!({})), failed(5)),
            ("the client left", allowed(post(), json!({})), failed(14)),
        ] {
            assert_eq!(thousand(&part(record), &exchange, &ending), (1000, vec![json!(null)]), "{record}: {case}");
        }
    }
    let all = json!({"default": {"record": "always", "sample": 1}});
    assert_eq!(thousand(&all, &allowed(post(), json!({})), &answered(200)), (1000, vec![json!(null)]));
}

#[test]
fn an_odd_spelling_is_not_left_to_chance() {
    let config =
        json!({"events": [{"name": "a", "match": {"paths": ["/a/{b}"]}, "sample": 0.001}], "default": {"record": "never"}});
    let request = |path| allowed(exchange("GET", path, &[]), json!({}));
    assert!(thousand(&config, &request("/a/b"), &answered(200)).0 < 20);
    assert_eq!(thousand(&config, &request("/a//b"), &answered(200)).0, 1000);
}

#[test]
fn a_route_has_the_last_word_where_it_is_heard() {
    let config = |record: &str| json!({"default": {"record": record}, "routeRecord": true});
    for (word, expected) in [
        (Some("always"), [true, true]),
        (Some("changes"), [false, true]),
        (Some("denied"), [false, true]),
        (Some("never"), [false, false]),
        (None, [true, true]),
        (Some("Never"), [true, true]),
        (Some(""), [true, true]),
    ] {
        let mut allow = allowed(exchange("GET", "/", &[]), json!({}));
        let mut deny = refused(exchange("GET", "/", &[]), Rejection::TokenMissing);
        for exchange in [&mut allow, &mut deny] {
            exchange.route.record = word.map(|word| word.as_bytes().to_vec());
        }
        let records = |exchange: &Exchange, status| !written(config("always"), exchange, &answered(status)).states.is_empty();
        assert_eq!([records(&allow, 200), records(&deny, 401)], expected, "{word:?}");
    }
    let mut stage = stage(config("never"));
    let mut written = Written::default();
    let mut exchange = exchange("GET", "/", &[]);
    exchange.route.record = Some(b"sometimes".to_vec());
    for _ in 0..3 {
        stage.on_log(&exchange, &answered(200), NOW, &mut written);
    }
    assert_eq!((written.states.len(), written.lines.len()), (3, 1), "{:?}", written.lines);
    assert!(written.lines[0].contains("none of always, changes, denied and never"), "{:?}", written.lines);
}

#[test]
fn refuses_chance_where_there_is_none() {
    for (config, place) in [
        (json!({"events": [{"name": "a", "record": "denied", "sample": 0.1}]}), "events[0].sample"),
        (json!({"default": {"record": "never", "sample": 0.1}}), "default.sample"),
    ] {
        let expected = format!(
            "{place}: is for requests that are let through, of which none is recorded here; set `record` to `always` or `changes`"
        );
        assert_eq!(compile(config).unwrap_err().to_string(), expected);
    }
    for unknown in [json!({"default": {"record": "always", "sample": 0}}), json!({"default": {"record": "sometimes"}})] {
        assert!(serde_json::from_value::<AuditLogConfig>(unknown).is_err());
    }
}

#[test]
fn who_asks_for_the_health_is_on_record_only_by_an_event_of_its_own() {
    let mut exchange = exchange("GET", "/healthz", &[]);
    exchange.decision = Some(Decision::allow(DEFAULT_RULE.into(), HEALTH, None));
    let always = json!({"default": {"record": "always"}});
    let named = json!({"events": [{"name": "health.ask", "match": {"paths": ["/healthz"]}, "record": "always"}]});
    for status in [200, 503] {
        assert!(line(always.clone(), &exchange, &answered(status)).is_none());
        assert!(line(named.clone(), &exchange, &answered(status)).is_some());
    }
}
