//! A proxy that fails, or lies, while audit events are sent: every host call, in every phase of a delivery.
//!
//! What must hold, whatever the proxy does: no module traps, no request is held up by it, and once the proxy behaves again each event
//! is delivered, or stands in the proxy's log. With `overflow: block` no fault lets a request in that could not be recorded.

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_wasm_tests::{Host, fixture};
use serde_json::{Value, json};

use crate::hostile_host::with_each_fault;

const MODULES: [&str; 2] = ["audit_log", "portcullis"];
/// How many requests are recorded in each phase; the first two fill a batch.
const REQUESTS: usize = 3;

fn configuration(name: &str, more: &Value) -> String {
    let mut sink = json!({
        "type": "http", "name": "siem", "format": "ndjson", "cluster": "siem", "uri": "https://siem.example.com/",
        "batch": {"records": 2}, "retry": {"attempts": 0, "backoff": "100ms", "maxBackoff": "1s"}, "compression": "gzip",
    });
    sink.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let audit = json!({"default": {"record": "always"}, "sinks": [sink]});
    match name {
        "audit_log" => audit.to_string(),
        _ => json!({"jwtAuth": fixture::jwt_auth(), "auditLog": audit, "metrics": {}}).to_string(),
    }
}

fn host(name: &str, more: &Value) -> Host {
    let mut host = Host::boot(&[name]);
    host.add_cluster("siem");
    assert!(host.configure(configuration(name, more)), "{:#?}", host.logs());
    host
}

fn request(host: &mut Host) -> bool {
    let headers = fixture::bearer("GET", "/orders", &fixture::token(host));
    host.request(&headers).is_continued()
}

/// The ids of the events in a text of lines.
fn ids(text: &str) -> Vec<String> {
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = events.filter(|event| event["schema"] == "portcullis.audit/1");
    events.map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

/// The text of a batch, compressed in blocks that are stored as they are, or not at all.
fn plain(body: &[u8]) -> String {
    let bytes = if body.starts_with(&[0x1f, 0x8b]) { &body[15..body.len() - 8] } else { body };
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Answers all that is under way, for as long as it takes to give up an answer that is lost, and to send again; the events that were
/// delivered.
fn serve(host: &mut Host) -> BTreeSet<String> {
    let mut delivered = BTreeSet::new();
    for _ in 0..12 {
        for (id, call) in host.calls() {
            delivered.extend(ids(&plain(&call.body)));
            host.answer_call(id, 200, b"");
        }
        host.pass(Duration::from_secs(1));
    }
    delivered
}

/// Each event so far was delivered, or stands in the log.
fn assert_accounted(host: &mut Host, delivered: BTreeSet<String>, expected: usize, case: &str) {
    host.heal();
    let mut accounted = delivered;
    accounted.extend(serve(host));
    accounted.extend(host.logs().iter().flat_map(|line| ids(&line.text)));
    assert_eq!(accounted.len(), expected, "{case}: {:#?}", host.logs());
}

fn fails_while_events_are_sent(name: &str) -> BTreeSet<String> {
    with_each_fault(name, |call, fault, case| {
        let mut host = host(name, &json!({}));
        host.fail(call, fault);
        let passed = (0..REQUESTS).filter(|_| request(&mut host)).count();
        assert!(name == "portcullis" || passed == REQUESTS, "{case}: an observer holds nothing up");
        host.pass(Duration::from_secs(2));
        let has_met = host.has_met(call);
        assert_accounted(&mut host, BTreeSet::new(), REQUESTS, case);
        has_met
    })
}

fn fails_while_answers_come(name: &str) -> BTreeSet<String> {
    with_each_fault(name, |call, fault, case| {
        let mut host = host(name, &json!({}));
        let _ = (0..REQUESTS).filter(|_| request(&mut host)).count();
        host.pass(Duration::from_secs(2));
        assert_eq!(host.calls().len(), 2);
        let mut delivered = BTreeSet::new();
        host.fail(call, fault);
        for (id, sent) in host.calls() {
            delivered.extend(ids(&plain(&sent.body)));
            host.answer_call(id, 200, b"taken");
        }
        let has_met = host.has_met(call);
        assert_accounted(&mut host, delivered, REQUESTS, case);
        has_met
    })
}

fn fails_while_a_configuration_ends(name: &str) -> BTreeSet<String> {
    with_each_fault(name, |call, fault, case| {
        // Where the log itself fails there is no other place for what is left.
        if call == "proxy_log" {
            return true;
        }
        let mut host = host(name, &json!({"batch": {"records": 50, "interval": "60s"}}));
        let _ = (0..REQUESTS).filter(|_| request(&mut host)).count();
        assert!(host.configure(configuration(name, &json!({"name": "other"}))));
        host.fail(call, fault);
        host.retire_replaced();
        host.pass(Duration::from_secs(1));
        let has_met = host.has_met(call);
        assert_accounted(&mut host, BTreeSet::new(), REQUESTS, case);
        has_met
    })
}

fn fails_while_there_is_no_room(name: &str) -> BTreeSet<String> {
    with_each_fault(name, |call, fault, case| {
        let mut host = host(name, &json!({"overflow": "block", "buffer": {"records": 2}}));
        assert!(request(&mut host) && request(&mut host), "{case}: there is room for two");
        assert!(!request(&mut host), "{case}: and for no more");
        host.fail(call, fault);
        assert!(!request(&mut host), "{case}: a request was let in that could not be recorded");
        let has_met = host.has_met(call);
        host.heal();
        serve(&mut host);
        assert!(request(&mut host), "{case}: {:#?}", host.logs());
        has_met
    })
}

#[test]
fn events_survive_a_proxy_that_fails_or_lies() {
    for name in MODULES {
        let mut made = fails_while_events_are_sent(name);
        made.extend(fails_while_answers_come(name));
        for call in [
            "proxy_call_foreign_function",
            "proxy_define_metric",
            "proxy_get_buffer_bytes",
            "proxy_get_current_time_nanoseconds",
            "proxy_get_header_map_pairs",
            "proxy_http_call",
            "proxy_increment_metric",
            "proxy_set_effective_context",
        ] {
            assert!(made.contains(call), "{name}: {call} was tried: {made:?}");
        }
    }
}

#[test]
fn events_survive_the_end_of_their_configuration_in_such_a_proxy() {
    for name in MODULES {
        let made = fails_while_a_configuration_ends(name);
        for call in ["proxy_http_call", "proxy_get_current_time_nanoseconds"] {
            assert!(made.contains(call), "{name}: {call} was tried: {made:?}");
        }
    }
}

#[test]
fn no_fault_lets_a_request_in_that_could_not_be_recorded() {
    for name in MODULES {
        let made = fails_while_there_is_no_room(name);
        for call in ["proxy_get_header_map_pairs", "proxy_send_local_response"] {
            assert!(made.contains(call), "{name}: {call} was tried: {made:?}");
        }
    }
}

#[test]
fn a_configuration_that_ends_sends_what_it_has_and_says_when_it_is_done() {
    for name in MODULES {
        let mut host = host(name, &json!({"batch": {"records": 50, "interval": "60s"}}));
        let _ = (0..REQUESTS).filter(|_| request(&mut host)).count();
        assert!(host.configure(configuration(name, &json!({"name": "other"}))));
        assert_eq!(host.calls().len(), 0);
        host.retire_replaced();
        let calls = host.calls();
        assert_eq!(calls.len(), 1);
        assert!(calls[0].1.is_of_root);
        assert_eq!(calls[0].1.headers.get("content-encoding").as_deref(), Some("gzip"));
        host.answer_call(calls[0].0, 503, b"");
        host.pass(Duration::from_secs(1));
        assert_eq!(serve(&mut host).len(), REQUESTS);
        assert_eq!(host.counted("portcullis_audit_events_total", &[("sink", "siem"), ("outcome", "sent")]), 3);
        assert_eq!(host.counted("portcullis_audit_queue_events", &[("sink", "siem")]), 0);
        assert!(host.is_settled(), "{name}: the old root is gone");
    }
}
