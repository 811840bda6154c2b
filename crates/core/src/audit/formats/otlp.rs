//! OTLP over HTTP as JSON (OpenTelemetry protocol 1.x, `ExportLogsServiceRequest`), with attributes by the semantic conventions.

use std::borrow::Cow;
use std::rc::Rc;

use serde::Deserialize;

use super::json::{Object, method, write_list, write_text};
use crate::audit::event::Event;
use crate::audit::outcome::Outcome;
use crate::delivery::{Framing, Gap, Receipt};
use crate::time::UnixTime;

/// Severity numbers of the log data model.
const INFO: (u64, &str) = (9, "INFO");
const WARN: (u64, &str) = (13, "WARN");
const ERROR: (u64, &str) = (17, "ERROR");

const PREFIX: &str = concat!(
    r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"portcullis"}}]},"#,
    r#""scopeLogs":[{"scope":{"name":"portcullis.audit","version":"1"},"logRecords":["#
);

/// The attributes of a record under construction.
struct Attributes(String);

impl Attributes {
    fn value(&mut self, key: &str, kind: &str, write: impl FnOnce(&mut String)) {
        let separator = if self.0.len() > 1 { "," } else { "" };
        for part in [separator, r#"{"key":""#, key, r#"","value":{""#, kind, "\":"] {
            self.0.push_str(part);
        }
        write(&mut self.0);
        self.0.push_str("}}");
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.value(key, "stringValue", |json| write_text(json, value));
        }
    }

    /// A 64-bit number is text in the JSON of Protocol Buffers.
    fn number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.value(key, "intValue", |json| write_text(json, &value.to_string()));
        }
    }

    fn texts(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            self.value(key, "arrayValue", |json| {
                json.push_str(r#"{"values":"#);
                write_list(json, values, |json, value| {
                    json.push_str(r#"{"stringValue":"#);
                    write_text(json, value);
                    json.push('}');
                });
                json.push('}');
            });
        }
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.value(key, "boolValue", |json| json.push_str(if value { "true" } else { "false" }));
    }

    fn finish(mut self) -> String {
        self.0.push(']');
        self.0
    }
}

/// An event as a log record.
pub fn render(event: &Event<'_>, line: &str) -> String {
    let severity = match event.outcome {
        Outcome::Allowed | Outcome::Aborted => INFO,
        Outcome::Denied => WARN,
        Outcome::Error => ERROR,
    };
    record(event.time.0, severity, event.trace_id.as_deref(), &attributes(event), line)
}

fn attributes(event: &Event<'_>) -> String {
    let mut list = Attributes("[".to_owned());
    list.text("event.name", Some("portcullis.audit"));
    list.text("log.record.uid", Some(&event.id.text()));
    list.text("portcullis.action", event.action);
    list.text("portcullis.object", event.object.as_deref());
    list.text("portcullis.outcome", Some(event.outcome.as_str()));
    if let Some(decision) = event.decision {
        list.text("portcullis.rule", Some(&decision.rule));
        list.text("portcullis.decision", Some(decision.effect.as_str()));
        list.text("portcullis.reason", Some(&decision.reason));
        list.text("portcullis.issuer", decision.issuer.as_deref());
        list.flag("portcullis.shadow", decision.shadow);
    }
    list.texts("portcullis.stripped_headers", event.stripped_headers.as_deref().unwrap_or_default());
    if let Some(principal) = &event.principal {
        list.text("user.id", principal.subject.as_deref());
        list.texts("user.roles", &principal.roles);
        list.text("portcullis.principal.issuer", Some(&principal.issuer));
        list.text("portcullis.principal.method", Some(method(principal.method)));
        list.text("portcullis.principal.token_id", principal.token_id.as_deref());
    }
    let request = &event.request;
    list.text("http.request.method", request.method.as_deref());
    list.text("server.address", request.host.as_deref());
    list.text("url.path", request.path.as_deref());
    list.text("http.route", request.path_template);
    list.text("user_agent.original", request.header("user-agent"));
    if let Some((name, version)) = request.protocol.as_deref().and_then(|protocol| protocol.split_once('/')) {
        list.text("network.protocol.name", Some(&name.to_ascii_lowercase()));
        list.text("network.protocol.version", Some(version));
    }
    list.number("http.request.body.size", request.bytes);
    list.number("http.response.status_code", event.response.status.map(u64::from));
    list.number("http.response.body.size", event.response.bytes);
    list.number("rpc.grpc.status_code", event.response.grpc_status);
    list.text("portcullis.response.flags", event.response.flags.as_deref());
    list.text("portcullis.response.details", event.response.details.as_deref());
    list.number("portcullis.duration_ms", event.duration_ms);
    list.text("client.address", event.client.address.as_deref());
    list.text("portcullis.client.peer", event.client.peer.as_deref());
    list.text("portcullis.request_id", event.request_id);
    list.finish()
}

fn record(time: UnixTime, (number, word): (u64, &str), trace: Option<&str>, attributes: &str, line: &str) -> String {
    let nanoseconds = time.since_epoch().as_nanos().to_string();
    let mut object = Object::begin();
    object.text("timeUnixNano", Some(&nanoseconds));
    object.text("observedTimeUnixNano", Some(&nanoseconds));
    object.number("severityNumber", Some(number));
    object.text("severityText", Some(word));
    object.open("body");
    object.text("stringValue", Some(line));
    object.close();
    object.raw("attributes", attributes);
    // The identifiers of B3 may have half the digits.
    object.text("traceId", trace.map(|trace| format!("{trace:0>32}")).as_deref());
    object.finish()
}

/// How log records stand in a request.
#[derive(Debug)]
pub struct Otlp;

#[derive(Deserialize)]
struct Body {
    body: Line,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    string_value: String,
}

impl Framing for Otlp {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn prefix(&self) -> &str {
        PREFIX
    }

    fn separator(&self) -> &str {
        ","
    }

    fn suffix(&self) -> &str {
        "]}]}]}"
    }

    fn gap(&self, gap: &Gap, line: String) -> String {
        let mut list = Attributes("[".to_owned());
        list.text("event.name", Some("portcullis.audit.gap"));
        list.text("log.record.uid", Some(&gap.id()));
        list.number("portcullis.dropped", Some(gap.dropped));
        record(gap.since, ERROR, None, &list.finish(), &line)
    }

    fn end(&self, id: &Rc<str>, time: UnixTime, line: String) -> String {
        let mut list = Attributes("[".to_owned());
        list.text("event.name", Some("portcullis.audit.end"));
        list.text("log.record.uid", Some(id));
        record(time, INFO, None, &list.finish(), &line)
    }

    fn line<'a>(&self, body: &'a str) -> Cow<'a, str> {
        serde_json::from_str::<Body>(body).map_or(Cow::Borrowed(body), |record| Cow::Owned(record.body.string_value))
    }

    fn receipt(&self, _records: usize, answer: &[u8]) -> Receipt {
        Receipt::by_rejected(answer, "/partialSuccess/rejectedLogRecords")
    }
}
