//! Events, gap records and the last record of a stream, as an auditor reads them.

use portcullis_chain::{Auditor, MacKey, Order, Place};

use super::*;
use crate::stage::Alone;

fn key() -> MacKey {
    MacKey::new(&[7; 32]).unwrap()
}

/// The stage with sealed events.
fn sealed(sinks: &Value) -> AuditLog {
    let chain = Chain::new(key(), Serials::new(&[0; 32]).stream(), None);
    stage(json!({"sinks": sinks, "default": {"record": "always"}})).with_chain(Some(chain))
}

fn log(stage: &mut AuditLog, events: usize) -> Written {
    let mut written = Written::default();
    for _ in 0..events {
        stage.on_log(&Exchange::new(Request::default(), None), &Completion::default(), NOW, &mut written);
    }
    written
}

/// How many records are proven, and what is found beside.
fn audit<'a>(lines: impl IntoIterator<Item = &'a str>) -> (u64, Vec<String>) {
    let mut auditor = Auditor::new(vec![key()], vec![], Order::Written);
    for (line, text) in (1..).zip(lines) {
        auditor.read_line(&Place { file: "log".into(), line }, text.as_bytes());
    }
    let mut found = auditor.take_findings();
    let (summary, rest) = auditor.finish();
    found.extend(rest);
    (summary.records, found.iter().map(|finding| finding.problem.to_string()).collect())
}

const NO_END: &str = "no end: what came after it, if anything, is not here";

#[test]
fn each_event_is_sealed_to_the_one_before_it_and_the_same_in_every_sink() {
    let mut stage = sealed(&json!([{"type": "accesslog"}, {"type": "stdout"}]));
    let written = log(&mut stage, 3);
    let states: Vec<_> = written.states.iter().map(|(_, value)| value.clone()).collect();
    assert_eq!(states, written.lines);
    assert_eq!(audit(written.lines.iter().map(String::as_str)), (3, vec![NO_END.to_owned()]));
}

#[test]
fn the_last_record_ends_the_stream() {
    let mut stage = sealed(&json!([{"type": "accesslog"}]));
    let mut written = log(&mut stage, 2);
    stage.close(NOW, &mut written);
    let events: Vec<_> = written.states.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(audit(events.into_iter().chain(written.lines.iter().map(String::as_str))), (3, vec![]));
    let start = r#"{"schema":"portcullis.audit.end/1","id":"f56ece944e25fc4c-3","time":"2024-02-29T12:35:00.000Z","chain":{"#;
    assert!(written.lines[0].starts_with(start), "{written:?}");
}

#[test]
fn what_never_began_does_not_end() {
    let mut written = Written::default();
    sealed(&json!([{"type": "stdout"}])).close(NOW, &mut written);
    let mut unsealed = stage(json!({"default": {"record": "always"}}));
    log(&mut unsealed, 1);
    unsealed.close(NOW, &mut written);
    assert_eq!(written, Written::default());
}

#[test]
fn every_format_gives_back_what_was_sealed() {
    for format in ["otlp", "loki", "elasticsearch", "clickhouse"] {
        let sink = json!({"type": "http", "format": format, "uri": "https://store/in", "cluster": "store",
            "batch": {"records": 2}, "buffer": {"records": 4}});
        let mut stage = sealed(&json!([sink]));
        let mut written = log(&mut stage, 5);
        stage.close(NOW, &mut written);
        stage.drain();
        let fetches = stage.due(NOW.saturating_add(Duration::from_secs(2)), &mut Alone).fetches;
        let texts: Vec<_> =
            fetches.iter().map(|fetch| String::from_utf8(fetch.post.as_ref().unwrap().body.to_vec()).unwrap()).collect();
        let lines = texts.iter().flat_map(|text| text.lines());
        assert_eq!(audit(lines), (4, vec!["dropped by overflow: 2 (numbers 1 to 2)".to_owned()]), "{format}");
    }
}

#[test]
fn what_a_server_gets_is_proven_with_its_gaps_and_its_end() {
    let sink = json!({"type": "http", "format": "ndjson", "uri": "https://siem/in", "cluster": "siem",
        "batch": {"records": 2}, "buffer": {"records": 2}});
    let mut stage = sealed(&json!([sink]));
    let mut written = log(&mut stage, 5);
    stage.close(NOW, &mut written);
    assert!(!stage.drain());
    let fetches = stage.due(NOW.saturating_add(Duration::from_secs(2)), &mut Alone).fetches;
    let texts: Vec<_> =
        fetches.iter().map(|fetch| String::from_utf8(fetch.post.as_ref().unwrap().body.to_vec()).unwrap()).collect();
    let lines = texts.iter().flat_map(|text| text.lines());
    assert_eq!(audit(lines), (2, vec!["dropped by overflow: 4 (numbers 1 to 4)".to_owned()]));
    assert_eq!(written, Written::default());
}
