//! ClickHouse's `JSONEachRow`: one row for each event, with flat columns. What is absent is left out, and the column has its default.

use std::borrow::Cow;
use std::rc::Rc;

use serde::Deserialize;

use super::json::{Object, method};
use crate::audit::event::Event;
use crate::audit::timestamp::Timestamp;
use crate::delivery::{Framing, Gap};
use crate::time::UnixTime;

/// An event as a row.
pub fn render(event: &Event<'_>, line: &str) -> String {
    let mut row = Object::begin();
    row.text("id", Some(&event.id.text()));
    row.text("stream", Some(&event.id.stream));
    row.number("seq", Some(event.id.seq));
    times(&mut row, event.time.0);
    row.text("action", event.action);
    row.text("object", event.object.as_deref());
    row.text("outcome", Some(event.outcome.as_str()));
    if let Some(sample) = event.sample {
        row.raw("sample", &sample.to_string());
    }
    if let Some(decision) = event.decision {
        row.text("rule", Some(&decision.rule));
        row.text("decision", Some(decision.effect.as_str()));
        row.text("reason", Some(&decision.reason));
        row.text("issuer_name", decision.issuer.as_deref());
        row.number("shadow", Some(u64::from(decision.shadow)));
    }
    row.texts("stripped_headers", event.stripped_headers.as_deref().unwrap_or_default());
    if let Some(principal) = &event.principal {
        row.text("issuer", Some(&principal.issuer));
        row.text("subject", principal.subject.as_deref());
        row.texts("roles", &principal.roles);
        row.text("auth_method", Some(method(principal.method)));
        row.text("token_id", principal.token_id.as_deref());
    }
    let (request, response) = (&event.request, &event.response);
    row.text("method", request.method.as_deref());
    row.text("host", request.host.as_deref());
    row.text("path", request.path.as_deref());
    row.text("path_template", request.path_template);
    row.text("protocol", request.protocol.as_deref());
    row.number("request_bytes", request.bytes);
    row.text("request_id", event.request_id);
    row.text("trace_id", event.trace_id.as_deref());
    row.number("status", response.status.map(u64::from));
    row.number("response_bytes", response.bytes);
    row.number("grpc_status", response.grpc_status);
    row.text("flags", response.flags.as_deref());
    row.text("details", response.details.as_deref());
    row.number("duration_ms", event.duration_ms);
    row.text("client_address", event.client.address.as_deref());
    row.text("client_peer", event.client.peer.as_deref());
    row.text("raw", Some(line));
    row.finish()
}

/// The time twice: to the second for every version of the server, and in milliseconds.
fn times(row: &mut Object, time: UnixTime) {
    let text = Timestamp(time).to_string();
    let second = text.split('.').next().unwrap_or_default().replace('T', " ");
    row.text("time", Some(&second));
    row.number("time_ms", u64::try_from(time.since_epoch().as_millis()).ok());
}

/// What is no event as a row.
fn note(id: &str, time: UnixTime, outcome: &str, line: &str) -> String {
    let mut row = Object::begin();
    row.text("id", Some(id));
    times(&mut row, time);
    row.text("outcome", Some(outcome));
    row.text("raw", Some(line));
    row.finish()
}

/// How rows stand in a request.
#[derive(Debug)]
pub struct Rows;

#[derive(Deserialize)]
struct Row {
    raw: String,
}

impl Framing for Rows {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn separator(&self) -> &str {
        "\n"
    }

    fn suffix(&self) -> &str {
        "\n"
    }

    fn gap(&self, gap: &Gap, line: String) -> String {
        note(&gap.id(), gap.since, "gap", &line)
    }

    fn end(&self, id: &Rc<str>, time: UnixTime, line: String) -> String {
        note(id, time, "end", &line)
    }

    fn line<'a>(&self, body: &'a str) -> Cow<'a, str> {
        serde_json::from_str::<Row>(body).map_or(Cow::Borrowed(body), |row| Cow::Owned(row.raw))
    }
}
