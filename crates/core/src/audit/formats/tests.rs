use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::Format;
use crate::audit::event::{Event, Included, Named};
use crate::audit::selection::Recorded;
use crate::audit::serial::Serials;
use crate::config::fraction::Fraction;
use crate::config::sink::BulkAction;
use crate::decision::{Decision, TOKEN_VALID};
use crate::delivery::{Fate, Gap, GapReason, Receipt};
use crate::headers::Headers;
use crate::principal::{Identity, Method, Principal};
use crate::request::Request;
use crate::response_flags::ResponseFlags;
use crate::stage::{Completion, Exchange, Facts};
use crate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_nanos(1_709_210_096_789_000_000);
const ELASTICSEARCH: Format = Format::Elasticsearch(BulkAction::Create);
const OTHERS: [Format; 4] = [Format::Otlp, Format::Loki, ELASTICSEARCH, Format::Clickhouse];

/// An event of which everything is known, and its line.
fn with_event<T>(act: impl Fn(&Event<'_>, &str) -> T) -> T {
    let headers = [
        (":method", "POST"),
        (":path", "/orders/42/approve"),
        (":authority", "api.example.com"),
        ("user-agent", "curl \"8\""),
        ("x-request-id", "7f9e"),
        ("x-b3-traceid", "463ac35c9f6413ad"),
        ("x-b3-spanid", "a2fb4a1d1a96d312"),
    ];
    let principal = Principal {
        issuer: "https://uaa.example.com".into(),
        subject: Some("al\"ice\n".into()),
        roles: vec!["ADMIN".into(), "USER".into()],
        scopes: vec![],
        audiences: vec![],
        claims: json!({}).as_object().unwrap().clone().into(),
        method: Method::Jwt,
        token_id: None,
        expires_at: None,
    };
    let mut exchange = Exchange::new(Request::new(Headers::from_pairs(headers)), Some(NOW));
    exchange.identity = Some(Identity::new(principal, "uaa".into()).into());
    exchange.decision = Some(Decision::allow("approve".into(), TOKEN_VALID, Some("uaa".into())));
    exchange.stripped.add(&["x-user-id".to_owned()]);
    let facts = Facts {
        flags: ResponseFlags(1 << 9),
        details: Some("rate_limited".into()),
        response_bytes: Some(17),
        grpc_status: None,
        protocol: Some("HTTP/1.1".into()),
        request_bytes: Some(5),
        received_bytes: None,
        client: Some("10.1.2.3:4567".into()),
        peer: Some("spiffe://a/b".into()),
    };
    let ending = Completion { status: Some(200), duration: Some(Duration::from_millis(12)), facts };
    let named = Named { action: Some("order.approve"), object: Some("42".into()), path_template: Some("/orders/{id}/approve") };
    let recorded = Recorded { sample: Fraction::new(0.5) };
    let included = Included { request_headers: vec!["user-agent".into()], protocol: true, ..Included::default() };
    let mut event = Event::new(&exchange, &ending, NOW, Serials::new(&[0; 32]).take(), named, recorded, &included);
    let line = event.to_json();
    act(&event, &line)
}

fn gap() -> Gap {
    Gap { dropped: 3, reason: GapReason::Overflow, first: "s-1".into(), last: "s-3".into(), since: NOW }
}

/// A batch of an event and a gap, as its bytes are sent.
fn batch(format: Format) -> String {
    let framing = format.framing();
    let event = with_event(|event, line| format.render(event, line));
    let gap = framing.gap(&gap(), gap().to_line());
    [framing.prefix(), &event, framing.separator(), &gap, framing.suffix()].concat()
}

#[test]
fn every_form_carries_the_line_as_it_is() {
    for format in OTHERS {
        let framing = format.framing();
        with_event(|event, line| assert_eq!(framing.line(&format.render(event, line)), line, "{format:?}"));
        assert_eq!(framing.line(&framing.gap(&gap(), gap().to_line())), gap().to_line(), "{format:?}");
        let end = framing.end(&"s-4".into(), NOW, "the end".to_owned());
        assert_eq!(framing.line(&end), "the end", "{format:?}");
        assert!(!end.contains("gap"), "{format:?}: {end}");
        assert_eq!(framing.line("no such body"), "no such body", "{format:?}");
    }
}

#[test]
fn otlp_has_log_records_with_attributes_by_the_conventions() {
    let request: Value = serde_json::from_str(&batch(Format::Otlp)).unwrap();
    let records = request["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap();
    assert_eq!(records.len(), 2);
    let record = &records[0];
    assert_eq!(record["timeUnixNano"], "1709210096789000000");
    assert_eq!((&record["severityNumber"], &record["severityText"]), (&json!(9), &json!("INFO")));
    assert_eq!(record["traceId"], "0000000000000000463ac35c9f6413ad");
    let attributes = record["attributes"].as_array().unwrap();
    let value = |key: &str| attributes.iter().find(|attribute| attribute["key"] == key).map(|found| found["value"].clone());
    for (key, expected) in [
        ("log.record.uid", json!({"stringValue": "f56ece944e25fc4c-1"})),
        ("portcullis.action", json!({"stringValue": "order.approve"})),
        ("portcullis.shadow", json!({"boolValue": false})),
        ("user.id", json!({"stringValue": "al\"ice\n"})),
        ("user.roles", json!({"arrayValue": {"values": [{"stringValue": "ADMIN"}, {"stringValue": "USER"}]}})),
        ("http.route", json!({"stringValue": "/orders/{id}/approve"})),
        ("http.response.status_code", json!({"intValue": "200"})),
        ("network.protocol.name", json!({"stringValue": "http"})),
        ("network.protocol.version", json!({"stringValue": "1.1"})),
        ("client.address", json!({"stringValue": "10.1.2.3"})),
    ] {
        assert_eq!(value(key), Some(expected), "{key}");
    }
    assert_eq!(value("rpc.grpc.status_code"), None);
    assert_eq!(records[1]["severityText"], "ERROR");
}

#[test]
fn otlp_says_how_many_were_refused() {
    let framing = Format::Otlp.framing();
    for (answer, expected) in [
        ("", Receipt::All),
        ("{}", Receipt::All),
        (r#"{"partialSuccess":{}}"#, Receipt::All),
        (r#"{"partialSuccess":{"rejectedLogRecords":"0","errorMessage":"a warning"}}"#, Receipt::All),
        (r#"{"partialSuccess":{"rejectedLogRecords":"3"}}"#, Receipt::AllBut(3)),
        (r#"{"partialSuccess":{"rejectedLogRecords":3}}"#, Receipt::AllBut(3)),
        ("<html>", Receipt::All),
    ] {
        assert_eq!(framing.receipt(5, answer.as_bytes()), expected, "{answer}");
    }
}

#[test]
fn loki_has_streams_of_few_labels() {
    let request: Value = serde_json::from_str(&batch(Format::Loki)).unwrap();
    let streams = request["streams"].as_array().unwrap();
    assert_eq!(streams[0]["stream"], json!({"service": "portcullis", "outcome": "allowed"}));
    assert_eq!(streams[0]["values"][0][0], "1709210096789000000");
    assert_eq!(streams[0]["values"][0].as_array().unwrap().len(), 2);
    assert_eq!(streams[1]["stream"]["outcome"], "gap");
}

#[test]
fn elasticsearch_creates_documents_under_the_ids_of_events() {
    let batch = batch(ELASTICSEARCH);
    assert!(batch.ends_with('\n'));
    let lines: Vec<Value> = batch.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(
        (&lines[0], &lines[2]),
        (&json!({"create": {"_id": "f56ece944e25fc4c-1"}}), &json!({"create": {"_id": "s-1-gap"}}))
    );
    let document = &lines[1];
    assert_eq!(document["@timestamp"], "2024-02-29T12:34:56.789Z");
    assert_eq!(document["event"]["type"], json!(["access", "allowed"]));
    assert_eq!((&document["event"]["outcome"], &document["event"]["duration"]), (&json!("success"), &json!(12_000_000)));
    assert_eq!(document["http"]["response"], json!({"status_code": 200, "body": {"bytes": 17}}));
    assert_eq!(document["user"], json!({"id": "al\"ice\n", "roles": ["ADMIN", "USER"]}));
    assert_eq!(document["portcullis"]["stripped_headers"], json!(["x-user-id"]));
    assert_eq!(lines[3]["portcullis"], json!({"outcome": "gap", "dropped": 3}));
}

#[test]
fn elasticsearch_indexes_where_the_store_knows_nothing_else() {
    let batch = batch(Format::Elasticsearch(BulkAction::Index));
    let lines: Vec<Value> = batch.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0], &lines[2]), (&json!({"index": {"_id": "f56ece944e25fc4c-1"}}), &json!({"index": {"_id": "s-1-gap"}})));
}

#[test]
fn elasticsearch_says_of_each_document_what_became_of_it() {
    let framing = ELASTICSEARCH.framing();
    let items = r#"[{"create":{"_id":"a","status":201}},{"create":{"status":409}},{"create":{"status":429}},
        {"create":{"status":503}},{"create":{"status":400,"error":{"type":"mapper_parsing_exception"}}}]"#;
    let fates = vec![Fate::Taken, Fate::Taken, Fate::Again(429), Fate::Again(503), Fate::Refused(400)];
    let unknown = Receipt::Each(vec![Fate::Again(200); 5]);
    for (answer, expected) in [
        (format!(r#"{{"took":1,"errors":true,"items":{items}}}"#), Receipt::Each(fates)),
        (format!(r#"{{"took":1,"errors":false,"items":{items}}}"#), Receipt::All),
        (r#"{"took":1,"errors":false}"#.to_owned(), Receipt::All),
        (r#"{"took":1,"errors":true}"#.to_owned(), unknown.clone()),
        (r#"{"errors":true,"items":[{"create":{"status":201}}]}"#.to_owned(), unknown.clone()),
        ("{}".to_owned(), unknown.clone()),
        ("<html>".to_owned(), unknown.clone()),
        (String::new(), unknown),
    ] {
        assert_eq!(framing.receipt(5, answer.as_bytes()), expected, "{answer}");
    }
}

#[test]
fn clickhouse_has_a_row_for_each_event() {
    let batch = batch(Format::Clickhouse);
    let rows: Vec<Value> = batch.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut row = rows[0].clone();
    row["raw"].take();
    let expected = json!({
        "id": "f56ece944e25fc4c-1", "stream": "f56ece944e25fc4c", "seq": 1, "time": "2024-02-29 12:34:56", "time_ms": 1_709_210_096_789_u64,
        "action": "order.approve", "object": "42", "outcome": "allowed", "sample": 0.5, "rule": "approve", "decision": "allow",
        "reason": "token_valid", "issuer_name": "uaa", "shadow": 0, "stripped_headers": ["x-user-id"],
        "issuer": "https://uaa.example.com", "subject": "al\"ice\n", "roles": ["ADMIN", "USER"], "auth_method": "jwt",
        "method": "POST", "host": "api.example.com", "path": "/orders/42/approve", "path_template": "/orders/{id}/approve",
        "protocol": "HTTP/1.1", "request_bytes": 5, "request_id": "7f9e", "trace_id": "463ac35c9f6413ad", "status": 200,
        "response_bytes": 17, "flags": "DI", "details": "rate_limited", "duration_ms": 12, "client_address": "10.1.2.3",
        "client_peer": "spiffe://a/b", "raw": null,
    });
    assert_eq!(row, expected);
    let table = include_str!("../../../../../envoy/audit/clickhouse.sql");
    for column in row.as_object().unwrap().keys().chain([&"grpc_status".to_owned(), &"token_id".to_owned()]) {
        let defined = format!("\n    {column} ");
        assert!(table.contains(&defined), "{column} is not in the table of clickhouse.sql");
    }
    assert_eq!((&rows[1]["id"], &rows[1]["outcome"]), (&json!("s-1-gap"), &json!("gap")));
}
