//! The end of a configuration, and of Envoy: what its audit log still has reaches the sink, or stands in Envoy's log.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use portcullis_e2e::{bootstrap, bundle};
use portcullis_testbed::{Bootstrap, Envoy, FakeSink, Listener, Manner, Module, Plugin, Upstream, poll};
use serde_json::{Value, json};

/// The longest way of an event out of a configuration that was replaced.
const ARRIVAL: Duration = Duration::from_secs(40);

struct World {
    upstream: Upstream,
    sink: FakeSink,
}

impl World {
    fn new() -> Self {
        Self { upstream: Upstream::start().unwrap(), sink: FakeSink::start().unwrap() }
    }

    /// A configuration whose events wait for a minute before they are sent; the number tells it from others.
    fn bootstrap(&self, listeners: impl IntoIterator<Item = Listener>) -> Bootstrap {
        let bootstrap = bootstrap().cluster("upstream", self.upstream.address()).cluster("sink", self.sink.address());
        listeners.into_iter().fold(bootstrap.dynamic_listeners(), Bootstrap::listener)
    }

    /// The ids of the requests whose events stand in Envoy's log.
    fn logged(log: &str) -> BTreeSet<String> {
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line.get(line.find("{\"schema\"")?..)?).ok());
        events.filter_map(|event| Some(event.get("requestId")?.as_str()?.to_owned())).collect()
    }
}

fn audit(number: usize, interval: &str) -> Value {
    let sink = json!({
        "type": "http", "name": "siem", "format": "ndjson", "cluster": "sink", "uri": "http://sink.example.com/in",
        "batch": {"interval": interval}, "retry": {"attempts": 0, "backoff": "100ms", "maxBackoff": "500ms"},
    });
    json!({"default": {"record": "always"}, "sinks": [sink], "include": {"requestHeaders": [format!("x-{number}")]}})
}

fn full(number: usize, interval: &str) -> Listener {
    let open = json!({"rules": [{"name": "open", "match": {"paths": ["/**"]}, "access": "public"}]});
    bundle("full", &json!({"jwtAuth": open, "auditLog": audit(number, interval)}))
}

fn single(number: usize, interval: &str) -> Listener {
    Listener::new("single").plugin(Plugin::new(Module::AuditLog, &audit(number, interval)))
}

/// Sends requests to a listener until it is told to stop; the ids of those that were answered.
fn load(envoy: &Envoy, listener: &str, is_over: &AtomicBool) -> BTreeSet<String> {
    let mut answered = BTreeSet::new();
    while !is_over.load(Ordering::SeqCst) {
        // While Envoy ends it refuses connections.
        if let Ok(response) = envoy.listener(listener).try_send(&portcullis_testbed::Request::get("/orders")) {
            assert_eq!(response.status, 200);
            answered.insert(response.id);
        }
        thread::sleep(Duration::from_millis(5));
    }
    answered
}

#[test]
fn a_configuration_that_is_replaced_under_load_sends_what_it_has() {
    let world = World::new();
    let listeners = |number| [full(number, "60s"), single(number, "60s")];
    let envoy = Envoy::start(&world.bootstrap(listeners(0))).unwrap();
    let is_over = AtomicBool::new(false);
    let answered = thread::scope(|scope| {
        let threads = ["full", "single"].map(|listener| scope.spawn(|| load(&envoy, listener, &is_over)));
        for number in 1..=5 {
            thread::sleep(Duration::from_millis(700));
            envoy.update(&world.bootstrap(listeners(number)));
        }
        thread::sleep(Duration::from_millis(700));
        is_over.store(true, Ordering::SeqCst);
        threads.map(|thread| thread.join().unwrap())
    });
    // The last one would wait a minute for others.
    envoy.update(&world.bootstrap(listeners(6)));
    let answered: BTreeSet<_> = answered.into_iter().flatten().collect();
    assert!(answered.len() > 300, "{} requests", answered.len());
    let arrived = poll("the events", ARRIVAL, || answered.is_subset(&world.sink.request_ids()).then_some(()));
    assert!(arrived.is_ok(), "{} of {}:\n{}", world.sink.request_ids().len(), answered.len(), envoy.log());
    assert_eq!(world.sink.request_ids().len(), answered.len(), "and no others");
    assert_eq!(World::logged(&envoy.log()).len(), 0);
    poll("the sum", ARRIVAL, || {
        let count = |outcome: &str| envoy.metric("portcullis_audit_events_total", &[("outcome", outcome)]).abs();
        let is_empty = envoy.metric("portcullis_audit_queue_events", &[]).abs() < 0.5;
        (is_empty && (count("queued") - count("sent")).abs() < 0.5).then_some(())
    })
    .unwrap();
}

#[test]
fn what_a_replaced_configuration_cannot_send_in_time_is_logged() {
    let world = World::new();
    let envoy = Envoy::start(&world.bootstrap([full(0, "60s")])).unwrap();
    world.sink.set_manner(Manner::Failing(503, None));
    let sent: BTreeSet<_> = (0..5).map(|_| envoy.listener("full").get("/orders").id).collect();
    envoy.update(&world.bootstrap([full(1, "60s")]));
    let logged = || World::logged(&envoy.log());
    poll("the events in the log", Duration::from_secs(60), || (logged() == sent).then_some(())).unwrap();
    assert_eq!(world.sink.request_ids().len(), 0);
}

#[test]
fn what_is_left_when_envoy_ends_stands_in_its_log() {
    for (by_signal, listener) in [(true, "full"), (false, "full"), (true, "single")] {
        let world = World::new();
        let listeners = [full(0, "60s"), single(0, "60s")];
        let envoy = Envoy::start(&world.bootstrap(listeners)).unwrap();
        let is_over = AtomicBool::new(false);
        let (answered, log) = thread::scope(|scope| {
            let client = scope.spawn(|| load(&envoy, listener, &is_over));
            thread::sleep(Duration::from_secs(1));
            let log = envoy.end(by_signal);
            is_over.store(true, Ordering::SeqCst);
            (client.join().unwrap(), log)
        });
        assert!(answered.len() > 50, "{} requests", answered.len());
        let there: BTreeSet<_> = World::logged(&log).union(&world.sink.request_ids()).cloned().collect();
        let missing = answered.difference(&there).count();
        assert_eq!(missing, 0, "{listener}, by signal: {by_signal}: {missing} of {} are missing\n{log}", answered.len());
    }
}

#[test]
fn what_is_under_way_when_envoy_ends_stands_in_its_log_too() {
    let world = World::new();
    let envoy = Envoy::start(&world.bootstrap([full(0, "10ms")])).unwrap();
    world.sink.set_manner(Manner::Slow(Duration::from_secs(4)));
    let sent: BTreeSet<_> = (0..5).map(|_| envoy.listener("full").get("/orders").id).collect();
    thread::sleep(Duration::from_millis(500));
    assert_eq!(World::logged(&envoy.end(true)), sent);
}

#[test]
fn the_last_listener_that_is_removed_leaves_its_events_in_the_log() {
    let world = World::new();
    let envoy = Envoy::start(&world.bootstrap([full(0, "60s")])).unwrap();
    let sent: BTreeSet<_> = (0..5).map(|_| envoy.listener("full").get("/orders").id).collect();
    envoy.update(&world.bootstrap([]));
    let there = || World::logged(&envoy.log()).union(&world.sink.request_ids()).cloned().collect::<BTreeSet<_>>();
    poll("the events", ARRIVAL, || (there() == sent).then_some(())).unwrap();
}
