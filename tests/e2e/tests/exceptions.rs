//! Failing upstreams are told of, once for all workers, to fake webhooks: at once, then with a count, then that it is over.

use std::net::{SocketAddr, TcpListener};
use std::sync::OnceLock;
use std::time::Duration;

use portcullis_e2e::{Stack, bundle};
use portcullis_testbed::{FakeSink, Listener, Module, Plugin, Request, Route, poll};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const SECRET: &str = "S3CRET-of-a-client";
/// How many requests fail.
const FAILURES: u64 = 8;

struct World {
    stack: Stack,
    generic: FakeSink,
    slack: FakeSink,
    sentry: FakeSink,
}

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let [generic, slack, sentry] = [(); 3].map(|()| FakeSink::start().unwrap());
        let audit = |path: &str| {
            json!({
                "events": [{"name": "order.read", "match": {"paths": ["/down/{orderId}"]}, "record": "never"}],
                "exceptions": {"window": "2s", "quiet": "3s", "webhooks": [
                    {"format": "generic", "uri": format!("http://hooks.example.com{path}"), "cluster": "generic"},
                    {"format": "slack", "name": "slack", "secretUri": {"env": "SLACK"}, "cluster": "slack"},
                    {"format": "sentry", "name": "sentry", "dsn": {"env": "DSN"}, "cluster": "sentry"},
                ]},
            })
        };
        let environment = |plugin: Plugin| {
            plugin
                .variable("SLACK", "http://hooks.slack.example/services/S3CRET-place")
                .variable("DSN", "http://k3y@sentry.example/42")
        };
        let rules = json!({"rules": [{"name": "open", "match": {"paths": ["/**"]}, "access": "public"}]});
        let with_bundle = environment(Plugin::new(Module::Portcullis, &json!({"jwtAuth": rules, "auditLog": audit("/bundle")})));
        let single = environment(Plugin::new(Module::AuditLog, &audit("/single")));
        let down = || Route::prefix("down", "/down/").cluster("down");
        let listeners = [
            Listener::new("bundle").plugin(with_bundle).route(down()),
            Listener::new("single").plugin(single).route(down()),
            bundle("quiet", &json!({"jwtAuth": rules, "auditLog": {}})).route(down()),
        ];
        let clusters =
            [("down", nowhere()), ("generic", generic.address()), ("slack", slack.address()), ("sentry", sentry.address())];
        World { stack: Stack::start(listeners, &clusters), generic, slack, sentry }
    })
}

/// The reports about requests of a listener, which are told apart by the rule.
fn reports(rule: &Value) -> Vec<Value> {
    let batches = world().generic.batches();
    batches.into_iter().flat_map(|batch| batch.records).filter(|report| report["rule"] == *rule).collect()
}

fn states(reports: &[Value]) -> Vec<&str> {
    reports.iter().map(|report| report["state"].as_str().unwrap()).collect()
}

/// Lets requests fail on connections of their own, so that both workers have some, and waits until it is over.
fn fail(listener: &str, rule: &Value) -> Vec<Value> {
    for id in 0..FAILURES {
        let request = Request::get(format!("/down/{id}?token={SECRET}")).bearer(SECRET).header("x-note", SECRET);
        let response = world().stack.envoy.listener(listener).send(&request);
        assert_eq!(response.status, 503);
    }
    let is_over = || {
        let reports = reports(rule);
        states(&reports).contains(&"resolved").then_some(reports)
    };
    poll("the end of it", PATIENCE, is_over).unwrap()
}

#[test]
fn a_failing_upstream_is_told_of_once_for_all_workers() {
    assert_eq!(world().stack.envoy.listener("bundle").get("/up").status, 200);
    assert_eq!(world().stack.envoy.listener("quiet").get("/down/1").status, 503);
    for (listener, rule) in [("bundle", json!("open")), ("single", json!(null))] {
        let reports = fail(listener, &rule);
        let found = states(&reports);
        assert_eq!((found.first(), found.last()), (Some(&"first"), Some(&"resolved")), "{listener}: {found:?}");
        assert!(found[1..found.len() - 1].iter().all(|state| *state == "repeated") && found.len() > 2, "{listener}: {found:?}");
        let counted: u64 = reports.iter().map(|report| report["count"].as_u64().unwrap()).sum();
        assert_eq!((counted, &reports.last().unwrap()["total"]), (FAILURES, &json!(FAILURES)), "{listener}: {reports:?}");
        for report in &reports {
            assert_eq!((&report["status"], &report["flags"]), (&json!(503), &json!(["UF"])), "{listener}");
            assert_eq!((&report["kind"], &report["pathTemplate"]), (&json!("reset"), &json!("/down/{orderId}")), "{listener}");
            assert!(!report.to_string().contains("S3CRET"), "{report}");
        }
    }
    let World { stack, generic, slack, sentry } = world();
    // What did not fail is not told of, and nobody hears of a listener without webhooks.
    let told: Vec<_> = generic.batches().into_iter().flat_map(|batch| batch.records).collect();
    assert!(told.iter().all(|report| report["status"] == 503 && report["total"].as_u64() <= Some(FAILURES)), "{told:?}");
    let texts: Vec<_> =
        slack.batches().into_iter().flat_map(|batch| batch.records).map(|record| record["text"].clone()).collect();
    assert!(texts.contains(&json!("Upstream failure: 503 UF at /down/{orderId} (rule open)")), "{texts:?}");
    let envelopes = sentry.batches();
    let auth = envelopes[0].headers.get("x-sentry-auth").unwrap();
    assert!(auth.contains("sentry_key=k3y"), "{auth}");
    assert_eq!(envelopes[0].records.len(), 3);
    assert_eq!(envelopes[0].records[2]["tags"]["flags"], "UF");

    let count = |family: &str, label: &str, value: &str| stack.envoy.metric(family, &[(label, value)]);
    let is_counted = || (count("portcullis_exceptions_total", "reason", "reset") >= 16.0).then_some(());
    poll("the metrics", PATIENCE, is_counted).unwrap();
    assert!((count("portcullis_exception_reports_total", "outcome", "first") - 2.0).abs() < f64::EPSILON);
    assert!(!stack.envoy.all_logs().contains("S3CRET-place"), "the place of a webhook is a secret");
}
