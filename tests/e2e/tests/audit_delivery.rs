//! Audit events on their way to a server: whatever it does, each arrives exactly once or is accounted for.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Duration;

use portcullis_e2e::{Stack, bundle, chain};
use portcullis_testbed::{FakeSink, Listener, Manner, Request, poll};
use serde_json::{Value, json};

/// The longest way of an event into a sink that is well.
const ARRIVAL: Duration = Duration::from_secs(20);

/// A listener, with a sink of its own in its name.
struct Case {
    name: &'static str,
    sink: FakeSink,
}

struct World {
    stack: Stack,
    cases: Vec<Case>,
}

/// Each listener with what its sink is told beyond the usual.
fn sinks() -> Vec<(&'static str, Value)> {
    vec![
        ("good", json!({})),
        ("single", json!({})),
        ("gzip", json!({"compression": "gzip"})),
        ("down", json!({"retry": {"attempts": 0, "backoff": "100ms", "maxBackoff": "1s"}})),
        ("slow", json!({"timeout": "300ms", "retry": {"attempts": 0, "backoff": "100ms", "maxBackoff": "1s"}})),
        ("busy", json!({})),
        ("failing", json!({"retry": {"attempts": 2, "backoff": "100ms"}})),
        ("refusing", json!({})),
        ("small", json!({})),
        ("partial", json!({"format": "elasticsearch", "uri": "http://sink.example.com/_bulk", "retry": {"backoff": "100ms"}})),
        (
            "unauthorized",
            json!({"retry": {"attempts": 0, "backoff": "100ms"}, "authorization": {"bearer": {"inline": "s3cr3t-of-the-sink"}}}),
        ),
        (
            "overflowing",
            json!({"batch": {"records": 2, "interval": "100ms"}, "buffer": {"records": 6}, "inFlight": 1, "retry": {"attempts": 0, "backoff": "100ms", "maxBackoff": "1s"}}),
        ),
        (
            "blocking",
            json!({"batch": {"records": 2, "interval": "100ms"}, "buffer": {"records": 4}, "overflow": "block", "retry": {"attempts": 0, "backoff": "100ms", "maxBackoff": "1s"}}),
        ),
        (
            "blocking_single",
            json!({"batch": {"records": 2, "interval": "100ms"}, "buffer": {"records": 4}, "overflow": "block", "retry": {"attempts": 0, "backoff": "100ms", "maxBackoff": "1s"}}),
        ),
    ]
}

fn listener(name: &'static str, more: Value) -> Listener {
    let mut sink = json!({
        "type": "http", "name": name, "format": "ndjson", "cluster": name, "uri": "http://sink.example.com/in",
        "batch": {"interval": "100ms"},
    });
    sink.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let configuration = json!({
        "jwtAuth": {"rules": [{"name": "open", "match": {"paths": ["/**"]}, "access": "public"}]},
        "auditLog": {"default": {"record": "always"}, "sinks": [sink]},
        "metrics": {},
        "authHeader": {"strip": ["x-user"]},
    });
    if name.ends_with("single") { chain(name, &configuration) } else { bundle(name, &configuration) }
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let cases: Vec<_> = sinks().iter().map(|(name, _)| Case { name, sink: FakeSink::start().unwrap() }).collect();
        let clusters: Vec<_> = cases.iter().map(|case| (case.name, case.sink.address())).collect();
        let listeners = sinks().into_iter().map(|(name, more)| listener(name, more));
        World { stack: Stack::start(listeners, &clusters), cases }
    })
}

impl World {
    fn sink(&self, name: &str) -> &FakeSink {
        &self.cases.iter().find(|case| case.name == name).unwrap().sink
    }

    /// Sends so many requests; their ids.
    fn send(&self, listener: &str, count: usize) -> BTreeSet<String> {
        let send = |number| {
            let response = self.stack.envoy.listener(listener).get(&format!("/orders/{number}"));
            assert_eq!(response.status, 200, "{}", response.text());
            response.id
        };
        (0..count).map(send).collect()
    }

    fn events(&self, sink: &str, outcome: &str) -> u64 {
        let value = self.stack.envoy.metric("portcullis_audit_events_total", &[("sink", sink), ("outcome", outcome)]);
        // The sum of no series is -0.
        format!("{:.0}", value.abs()).parse().unwrap()
    }

    fn arrives(&self, sink: &str, expected: &BTreeSet<String>) {
        let arrived = poll("the events", ARRIVAL, || expected.is_subset(&self.sink(sink).request_ids()).then_some(()));
        if arrived.is_err() {
            panic!("{} of {} events arrived\n{}", self.sink(sink).request_ids().len(), expected.len(), self.stack.envoy.log());
        }
    }

    /// Waits until nothing is queued, and checks that all adds up.
    fn settles(&self, sink: &str, queued: u64) {
        let sum = || ["sent", "dropped", "rejected", "logged"].map(|outcome| self.events(sink, outcome)).iter().sum::<u64>();
        let gauge = || self.stack.envoy.metric("portcullis_audit_queue_events", &[("sink", sink)]);
        let is_settled = || self.events(sink, "queued") == queued && sum() == queued && gauge() == 0.0;
        let settled = poll("the sum", ARRIVAL, || is_settled().then_some(()));
        assert!(settled.is_ok(), "queued {}, sum {}, gauge {}", self.events(sink, "queued"), sum(), gauge());
    }
}

#[test]
fn every_event_arrives_once_and_as_it_is() {
    let world = world();
    for name in ["good", "single", "gzip"] {
        let ids = world.send(name, 40);
        world.arrives(name, &ids);
        world.settles(name, 40);
        let batches = world.sink(name).batches();
        let records: usize = batches.iter().map(|batch| batch.records.len()).sum();
        assert_eq!(records, 40, "{name}: none came twice");
        let keys: BTreeSet<_> = batches.iter().map(|batch| batch.headers.get("idempotency-key").unwrap()).collect();
        assert_eq!(keys.len(), batches.len(), "{name}: each batch has a key of its own");
        for batch in &batches {
            let header = |header: &str| batch.headers.get(header);
            assert_eq!(header("content-type").as_deref(), Some("application/x-ndjson"));
            assert_eq!(header("content-encoding").as_deref(), (name == "gzip").then_some("gzip"));
            assert_eq!(header("host").as_deref(), Some("sink.example.com"));
        }
        let event = world.sink(name).records().into_values().next().unwrap();
        assert_eq!((&event["schema"], &event["outcome"]), (&json!("portcullis.audit/1"), &json!("allowed")), "{name}");
        assert_eq!(event["decision"]["rule"], "open", "{name}");
    }
}

#[test]
fn a_sink_that_is_down_for_a_while_gets_everything_later() {
    let world = world();
    let sink = world.sink("down");
    sink.go_down();
    let ids = world.send("down", 20);
    poll("a retry", ARRIVAL, || {
        (world.stack.envoy.metric("portcullis_audit_batches_total", &[("sink", "down"), ("outcome", "retried")]) > 1.0)
            .then_some(())
    })
    .unwrap();
    assert_eq!(world.events("down", "sent"), 0);
    sink.set_manner(Manner::Good);
    world.arrives("down", &ids);
    world.settles("down", 20);
    assert_eq!(sink.batches().iter().map(|batch| batch.records.len()).sum::<usize>(), 20);
    let log = world.stack.envoy.log();
    assert!(log.contains("audit sink down answers with status 503; batches are kept and sent again"), "{log}");
}

#[test]
fn a_sink_that_answers_too_late_has_each_event_once_by_its_id() {
    let world = world();
    let sink = world.sink("slow");
    sink.set_manner(Manner::Slow(Duration::from_secs(1)));
    let ids = world.send("slow", 10);
    poll("a repetition", ARRIVAL, || (sink.batches().len() > 3).then_some(())).unwrap();
    sink.set_manner(Manner::Good);
    world.arrives("slow", &ids);
    world.settles("slow", 10);
    assert_eq!(sink.records().len(), 10);
    let batches = sink.batches();
    for batch in &batches {
        let same = batches.iter().filter(|other| other.headers.get("idempotency-key") == batch.headers.get("idempotency-key"));
        assert!(same.into_iter().all(|other| other.records == batch.records), "a key stands for one content");
    }
}

#[test]
fn a_sink_that_is_busy_is_left_alone_for_as_long_as_it_says() {
    let world = world();
    let sink = world.sink("busy");
    sink.set_manner(Manner::Failing(429, Some("2".to_owned())));
    let first = world.send("busy", 1);
    poll("the refusal", ARRIVAL, || (!sink.batches().is_empty()).then_some(())).unwrap();
    let refused = std::time::Instant::now();
    sink.set_manner(Manner::Good);
    world.arrives("busy", &first);
    assert!(refused.elapsed() >= Duration::from_millis(1500), "{:?}", refused.elapsed());
    world.settles("busy", 1);
}

#[test]
fn after_the_last_attempt_events_are_dropped_and_a_gap_says_so() {
    let world = world();
    let sink = world.sink("failing");
    sink.set_manner(Manner::Failing(500, None));
    let _ = world.send("failing", 5);
    poll("the drop", ARRIVAL, || (world.events("failing", "dropped") == 5).then_some(())).unwrap();
    sink.set_manner(Manner::Good);
    poll("the gap", ARRIVAL, || (sink.missing().get("attempts") == Some(&5)).then_some(())).unwrap();
    world.settles("failing", 5);
    assert_eq!(sink.request_ids().len(), 0);
}

#[test]
fn a_refused_event_is_found_and_the_others_arrive() {
    let world = world();
    let sink = world.sink("refusing");
    sink.set_manner(Manner::Refusing("/orders/7\"".to_owned()));
    let ids = world.send("refusing", 20);
    poll("the others", ARRIVAL, || (sink.request_ids().len() == 19).then_some(())).unwrap();
    poll("the gap", ARRIVAL, || (sink.missing().get("rejected") == Some(&1)).then_some(())).unwrap();
    world.settles("refusing", 20);
    assert!(sink.request_ids().is_subset(&ids));
    assert_eq!(world.events("refusing", "rejected"), 1);
    let log = world.stack.envoy.log();
    let line = log.lines().find(|line| line.contains("audit sink refusing refuses")).unwrap();
    assert!(line.contains("with status 400") && !line.contains("orders"), "{line}");
}

#[test]
fn a_batch_that_is_too_large_is_halved() {
    let world = world();
    let sink = world.sink("small");
    sink.set_manner(Manner::Small(1));
    let ids = world.send("small", 20);
    world.arrives("small", &ids);
    world.settles("small", 20);
    assert_eq!(world.events("small", "sent"), 20);
}

#[test]
fn of_a_batch_that_is_taken_in_part_only_the_rest_comes_again() {
    let world = world();
    let sink = world.sink("partial");
    sink.set_manner(Manner::Partial("/orders/7\"".to_owned()));
    let ids = world.send("partial", 20);
    poll("the others", ARRIVAL, || (sink.request_ids().len() == 19).then_some(())).unwrap();
    poll("the gap", ARRIVAL, || (sink.missing().get("rejected") == Some(&1)).then_some(())).unwrap();
    world.settles("partial", 20);
    assert!(sink.request_ids().is_subset(&ids));
    assert_eq!((world.events("partial", "sent"), world.events("partial", "rejected")), (19, 1));
    let events =
        sink.batches().iter().flat_map(|batch| batch.records.clone()).filter(|record| record["requestId"].is_string()).count();
    assert_eq!(events, 19, "none was taken twice");
}

#[test]
fn a_wrong_secret_is_an_error_in_the_log_and_loses_nothing() {
    let world = world();
    let sink = world.sink("unauthorized");
    sink.set_manner(Manner::Failing(401, None));
    let ids = world.send("unauthorized", 5);
    let told = |log: &str| {
        log.lines().any(|line| line.contains("[error]") && line.contains("audit sink unauthorized answers with status 401"))
    };
    poll("the error", ARRIVAL, || told(&world.stack.envoy.log()).then_some(())).unwrap();
    sink.set_manner(Manner::Good);
    world.arrives("unauthorized", &ids);
    world.settles("unauthorized", 5);
    assert_eq!(sink.batches()[0].headers.get("authorization").as_deref(), Some("Bearer s3cr3t-of-the-sink"));
    assert!(!world.stack.envoy.all_logs().contains("s3cr3t"), "a secret stands in a log");
}

#[test]
fn what_does_not_fit_is_dropped_counted_and_told_of() {
    let world = world();
    let sink = world.sink("overflowing");
    sink.go_down();
    let ids = world.send("overflowing", 60);
    poll("the drops", ARRIVAL, || (world.events("overflowing", "dropped") >= 60 - 2 * 6).then_some(())).unwrap();
    sink.set_manner(Manner::Good);
    world.settles("overflowing", 60);
    let dropped = world.events("overflowing", "dropped");
    poll("the gaps", ARRIVAL, || (sink.missing().get("overflow") == Some(&dropped)).then_some(())).unwrap();
    let arrived = sink.request_ids();
    assert!(arrived.is_subset(&ids));
    assert_eq!(u64::try_from(arrived.len()).unwrap() + dropped, 60);
}

#[test]
fn nothing_is_done_unaudited_where_the_operator_says_so() {
    let world = world();
    for name in ["blocking", "blocking_single"] {
        let sink = world.sink(name);
        sink.go_down();
        let (mut passed, mut refused) = (BTreeSet::new(), 0);
        for number in 0..40 {
            let response = world.stack.envoy.listener(name).send(&Request::get(format!("/orders/{number}")));
            if response.status == 200 {
                passed.insert(response.id);
            } else {
                assert_eq!(response.outcome(), "503 audit_unavailable");
                world.stack.assert_refusal(&response);
                refused += 1;
            }
        }
        assert!((4..=8).contains(&passed.len()), "{name}: {} passed, with room for 4 in each of 2 workers", passed.len());
        sink.set_manner(Manner::Good);
        world.arrives(name, &passed);
        poll("requests that pass again", ARRIVAL, || {
            (world.stack.envoy.listener(name).get("/later").status == 200).then_some(())
        })
        .unwrap();
        assert_eq!(world.events(name, "dropped"), 0);
        let blocked = || sink.missing().get("blocked").copied().unwrap_or_default();
        poll("the gaps", ARRIVAL, || (blocked() >= refused).then_some(())).unwrap();
        assert_eq!(world.events(name, "blocked"), blocked());
    }
}
