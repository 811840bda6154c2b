//! A minute of load on a sink that is down for a third of it, then slow, then busy, then refuses some: every event arrives exactly
//! once, or is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use portcullis_e2e::{Stack, bundle};
use portcullis_testbed::{FakeSink, Manner, Request, poll};
use serde_json::{Value, json};

const SECONDS: u64 = 60;
const CLIENTS: u64 = 4;
/// Of each client.
const REQUESTS_PER_SECOND: u64 = 50;
/// One request in so many brings an event that the sink refuses for a while.
const POISON: u64 = 500;

/// What the sink does from which second on.
fn course(sink: &FakeSink, second: u64) {
    match second {
        5 => sink.go_down(),
        25 => sink.set_manner(Manner::Slow(Duration::from_secs(1))),
        35 => sink.set_manner(Manner::Failing(429, Some("2".to_owned()))),
        42 => sink.set_manner(Manner::Refusing("/poison".to_owned())),
        55 => sink.set_manner(Manner::Good),
        _ => {}
    }
}

/// Sends requests at an even pace; the ids of all of them.
fn load(stack: &Stack, client: u64, begin: Instant) -> BTreeSet<String> {
    let count = SECONDS * REQUESTS_PER_SECOND;
    let send = |number: u64| {
        let due = begin + Duration::from_micros(number * 1_000_000 / REQUESTS_PER_SECOND);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let path = if (number * CLIENTS + client).is_multiple_of(POISON) { "/poison" } else { "/orders" };
        let response = stack.envoy.listener("audited").send(&Request::get(path));
        assert_eq!(response.status, 200);
        response.id
    };
    (0..count).map(send).collect()
}

#[test]
fn a_minute_with_a_sink_in_trouble_loses_nothing_silently() {
    let sink = FakeSink::start().unwrap();
    let configuration = json!({
        "jwtAuth": {"rules": [{"name": "open", "match": {"paths": ["/**"]}, "access": "public"}]},
        "auditLog": {"default": {"record": "always"}, "sinks": [{
            "type": "http", "name": "siem", "format": "ndjson", "cluster": "sink", "uri": "http://sink.example.com/in",
            "timeout": "500ms", "batch": {"records": 100, "interval": "500ms"},
            "retry": {"attempts": 0, "backoff": "200ms", "maxBackoff": "2s"}, "compression": "gzip",
        }]},
    });
    let stack = Stack::start([bundle("audited", &configuration)], &[("sink", sink.address())]);
    let begin = Instant::now();
    let sent: BTreeSet<String> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                scope.spawn({
                    let stack = &stack;
                    move || load(stack, client, begin)
                })
            })
            .collect();
        for second in 0..SECONDS {
            thread::sleep((begin + Duration::from_secs(second)).saturating_duration_since(Instant::now()));
            course(&sink, second);
        }
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let requests = SECONDS * REQUESTS_PER_SECOND * CLIENTS;
    assert_eq!(u64::try_from(sent.len()).unwrap(), requests);

    let events = |outcome: &str| {
        let value = stack.envoy.metric("portcullis_audit_events_total", &[("sink", "siem"), ("outcome", outcome)]);
        format!("{:.0}", value.abs()).parse::<u64>().unwrap()
    };
    let sum = || ["sent", "dropped", "rejected", "logged"].map(events).iter().sum::<u64>();
    let settled = poll("the sum", Duration::from_secs(60), || (events("queued") == requests && sum() == requests).then_some(()));
    let arrived = sink.request_ids();
    let told = format!(
        "{} arrived, {} sent, {} dropped, {} rejected; missing by gaps: {:?}; {} batches",
        arrived.len(),
        events("sent"),
        events("dropped"),
        events("rejected"),
        sink.missing(),
        sink.batches().len(),
    );
    println!("{told} in {:?}", begin.elapsed());
    assert!(settled.is_ok(), "{told}");
    assert!(arrived.is_subset(&sent), "{told}");
    assert!(arrived.len() as u64 >= requests - events("rejected"), "{told}");
    assert_eq!(events("dropped"), 0, "{told}");
    let rejected = events("rejected");
    assert!((1..=requests / POISON).contains(&rejected), "{told}");
    poll("the gaps", Duration::from_secs(20), || (sink.missing().get("rejected") == Some(&rejected)).then_some(())).unwrap();

    // By their ids: each is there, or a gap record says that it is not. What the sink took and answered too late may have come again, and have
    // been refused then.
    let records = sink.records();
    let (gaps, events): (Vec<_>, Vec<_>) = records.values().partition(|record| record["dropped"].is_number());
    let id = |record: &Value, member: &str| record[member].as_str().unwrap().to_owned();
    let mut accounted: BTreeSet<_> = events.into_iter().map(|event| id(event, "id")).collect();
    for gap in gaps {
        assert_eq!((&gap["dropped"], &gap["first"]), (&json!(1), &gap["last"]), "the culprits were found one by one");
        accounted.insert(id(gap, "first"));
    }
    assert_eq!(u64::try_from(accounted.len()).unwrap(), requests, "{told}");

    // A key stands for one content: a sink that only knows keys takes nothing twice that was not refused in between.
    let mut contents = BTreeMap::new();
    for batch in sink.batches() {
        let key = batch.headers.get("idempotency-key").unwrap();
        let known = contents.entry(key).or_insert_with(|| batch.records.clone());
        assert_eq!(*known, batch.records);
    }
}
