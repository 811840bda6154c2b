//! The servers that the module posts to by itself, in their own formats: each event is there once, and its line byte by byte.

use std::collections::BTreeMap;
use std::fs;

use portcullis_testbed::{ClickHouse, Collector, Qryn, poll, workspace};
use serde_json::{Value, json};

use crate::auditor::{ARRIVAL, Gateway};

const REQUESTS: usize = 300;

/// The events of a gateway with this sink beside its access log.
fn recorded(sink: Value, cluster: (&str, std::net::SocketAddr)) -> (Gateway, BTreeMap<String, String>) {
    let gateway = Gateway::start(&json!({"sinks": [{"type": "accesslog"}, sink]}), &[cluster]);
    gateway.load(REQUESTS);
    let written = gateway.written(REQUESTS);
    assert_eq!(written.len(), REQUESTS);
    (gateway, written)
}

fn sorted(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.into_iter().collect();
    lines.sort();
    lines
}

fn member(line: &str, pointer: &str) -> Value {
    let event: Value = serde_json::from_str(line).unwrap();
    event.pointer(pointer).cloned().unwrap_or_default()
}

#[test]
fn a_collector_has_each_event_as_a_log_record() {
    if !Collector::is_installed() {
        eprintln!("skipped: there is no rotel; scripts/tools.sh stores installs it");
        return;
    }
    let collector = Collector::start().unwrap();
    for compression in ["none", "gzip"] {
        let before = collector.records().len();
        let sink = json!({"type": "http", "format": "otlp", "cluster": "otel", "uri": "http://otel.example.com/v1/logs", "compression": compression});
        let (_gateway, written) = recorded(sink, ("otel", collector.address()));
        let all = || Some(collector.records()).filter(|records| records.len() >= before + REQUESTS);
        let records = poll("the records", ARRIVAL, all).unwrap().split_off(before);
        assert_eq!(sorted(records.iter().map(|record| record.body.clone())), sorted(written.into_values()), "{compression}");
        for record in records {
            let attribute = |name: &str| record.attributes.get(name).map(String::as_str);
            let text = |pointer: &str| member(&record.body, pointer).as_str().map(|text| format!("Str({text})"));
            for (name, pointer) in [
                ("log.record.uid", "/id"),
                ("portcullis.action", "/action"),
                ("portcullis.object", "/object"),
                ("portcullis.outcome", "/outcome"),
                ("portcullis.rule", "/decision/rule"),
                ("portcullis.reason", "/decision/reason"),
                ("user.id", "/principal/subject"),
                ("http.request.method", "/request/method"),
                ("url.path", "/request/path"),
                ("client.address", "/client/address"),
            ] {
                assert_eq!(attribute(name), text(pointer).as_deref(), "{name} of {}", record.body);
            }
            let status = format!("Int({})", member(&record.body, "/response/status"));
            assert_eq!(attribute("http.response.status_code"), Some(&*status));
            assert_eq!(record.severity, if member(&record.body, "/outcome") == "denied" { "WARN" } else { "INFO" });
        }
    }
}

#[test]
fn clickhouse_has_each_event_as_a_row() {
    if !ClickHouse::is_installed() {
        eprintln!("skipped: there is no ClickHouse; scripts/tools.sh stores installs it where there is a package");
        return;
    }
    let database = ClickHouse::start().unwrap();
    database.query(&fs::read_to_string(workspace().join("envoy/audit/clickhouse.sql")).unwrap()).unwrap();
    let uri = "http://clickhouse.example.com/?query=INSERT%20INTO%20audit%20FORMAT%20JSONEachRow";
    let sink = json!({"type": "http", "format": "clickhouse", "cluster": "clickhouse", "uri": uri, "compression": "gzip"});
    let (_gateway, written) = recorded(sink, ("clickhouse", database.address()));
    let rows = || {
        let rows = database.query("SELECT * FROM audit FINAL FORMAT JSONEachRow").ok()?;
        let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
        (rows.len() >= REQUESTS).then_some(rows)
    };
    let rows = poll("the rows", ARRIVAL, rows).unwrap();
    assert_eq!(sorted(rows.iter().map(|row| row["raw"].as_str().unwrap().to_owned())), sorted(written.into_values()));
    for row in &rows {
        let line = row["raw"].as_str().unwrap();
        for (column, pointer) in [
            ("id", "/id"),
            ("action", "/action"),
            ("object", "/object"),
            ("outcome", "/outcome"),
            ("rule", "/decision/rule"),
            ("reason", "/decision/reason"),
            ("issuer", "/principal/issuer"),
            ("subject", "/principal/subject"),
            ("method", "/request/method"),
            ("path", "/request/path"),
            ("client_address", "/client/address"),
        ] {
            assert_eq!(row[column], member(line, pointer).as_str().unwrap_or_default(), "{column} of {line}");
        }
        assert_eq!(row["status"], member(line, "/response/status"));
        let time = member(line, "/time").as_str().unwrap().split('.').next().unwrap().replace('T', " ");
        assert_eq!(row["time"], time.as_str());
    }
    for statement in questions("In ClickHouse:\n\n```sql\n") {
        assert!(!database.query(&statement).unwrap().is_empty(), "{statement}");
    }
}

/// The statements of the block that begins so in the documentation, one in a line.
fn questions(beginning: &str) -> Vec<String> {
    let text = fs::read_to_string(workspace().join("docs/audit-stores.md")).unwrap();
    let block = text.split_once(beginning).unwrap().1.split_once("```").unwrap().0;
    block.lines().map(|line| line.trim_end_matches(';').to_owned()).collect()
}

/// What Loki's interface answers to a query over all times.
fn query(server: &Qryn, logql: &str) -> Option<Vec<String>> {
    let encoded: String = logql.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let path = format!("/loki/api/v1/query_range?limit=5000&start=1500000000000000000&end=4000000000000000000&query={encoded}");
    let answer = server.get(&path).ok()?;
    let streams = answer.pointer("/data/result")?.as_array()?;
    let values = streams.iter().filter_map(|stream| stream["values"].as_array()).flatten();
    Some(values.filter_map(|value| Some(value[1].as_str()?.to_owned())).collect())
}

#[test]
fn loki_has_each_event_as_a_line() {
    if !Qryn::is_installed() {
        eprintln!("skipped: there is no qryn; scripts/tools.sh qryn installs it");
        return;
    }
    let server = Qryn::start().unwrap();
    let sink = json!({"type": "http", "format": "loki", "cluster": "loki", "uri": "http://loki.example.com/loki/api/v1/push"});
    let (_gateway, written) = recorded(sink, ("loki", server.address()));
    let all = || query(&server, r#"{service="portcullis"}"#).filter(|lines| lines.len() >= REQUESTS);
    let lines = poll("the lines", ARRIVAL, all).unwrap();
    assert_eq!(sorted(lines), sorted(written.values().cloned()));
    let [alice, refused] = &questions("who was refused where\":\n\n```logql\n")[..] else { panic!("two questions") };
    let of = |pointer: &str, value: &str| sorted(written.values().filter(|line| member(line, pointer) == value).cloned());
    assert_eq!(sorted(query(&server, alice).unwrap()), of("/principal/subject", "alice"));
    assert_eq!(sorted(query(&server, refused).unwrap()), of("/outcome", "denied"));
}

#[test]
fn what_elasticsearch_takes_in_bulk_has_each_event() {
    if !Qryn::is_installed() {
        eprintln!("skipped: there is no qryn; scripts/tools.sh qryn installs it");
        return;
    }
    let server = Qryn::start().unwrap();
    let uri = "http://elastic.example.com/audit/_bulk";
    // This store says that it took `create`, and forgets it.
    let sink = json!({"type": "http", "format": "elasticsearch", "bulkAction": "index", "cluster": "elastic", "uri": uri});
    let (_gateway, written) = recorded(sink, ("elastic", server.address()));
    let all = || query(&server, r#"{_index="audit"}"#).filter(|documents| documents.len() >= REQUESTS);
    let documents = poll("the documents", ARRIVAL, all).unwrap();
    let original = |document: &String| member(document, "/event/original").as_str().unwrap().to_owned();
    assert_eq!(sorted(documents.iter().map(original)), sorted(written.into_values()));
}
