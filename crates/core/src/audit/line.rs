//! An event as one line of JSON, its members in their order, written as they come.
//!
//! The names of members that follow each other are one text, and who was calling is copied as it was written for an event before.

use std::borrow::Cow;

use super::event::{Event, RequestRecord, SCHEMA};
use super::formats::json::{write_list, write_number, write_text};
use crate::decision::Decision;

/// Room for most events.
const USUAL_BYTES: usize = 1024;

/// The line under construction.
struct Line(String);

impl Line {
    /// Names of members, or what needs no escape.
    fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => write_text(&mut self.0, value),
            None => self.raw("null"),
        }
    }

    fn number(&mut self, value: Option<u64>) {
        match value {
            Some(value) => write_number(&mut self.0, value),
            None => self.raw("null"),
        }
    }

    fn texts(&mut self, values: &[(&str, Cow<'_, str>)]) {
        self.raw("{");
        for (index, (name, value)) in values.iter().enumerate() {
            self.raw(if index > 0 { "," } else { "" });
            write_text(&mut self.0, name);
            self.raw(":");
            write_text(&mut self.0, value);
        }
        self.raw("}");
    }

    /// As filter state tells it.
    fn decision(&mut self, decision: &Decision) {
        self.raw(r#"{"rule":"#);
        write_text(&mut self.0, &decision.rule);
        self.raw(r#","decision":""#);
        self.raw(decision.effect.as_str());
        self.raw(r#"","reason":"#);
        write_text(&mut self.0, &decision.reason);
        if let Some(issuer) = &decision.issuer {
            self.raw(r#","issuer":"#);
            write_text(&mut self.0, issuer);
        }
        self.raw(if decision.shadow { r#","shadow":true}"# } else { r#","shadow":false}"# });
    }

    fn request(&mut self, request: &RequestRecord<'_>) {
        self.raw(r#","request":{"method":"#);
        self.text(request.method.as_deref());
        self.raw(r#","host":"#);
        self.text(request.host.as_deref());
        self.raw(r#","path":"#);
        self.text(request.path.as_deref());
        self.raw(r#","pathTemplate":"#);
        self.text(request.path_template);
        self.raw(r#","protocol":"#);
        self.text(request.protocol.as_deref());
        self.raw(r#","headers":"#);
        self.texts(&request.headers);
        self.raw(r#","query":"#);
        self.texts(&request.query);
        self.raw(r#","bytes":"#);
        self.number(request.bytes);
    }
}

/// The line of an event.
pub fn write(event: &Event<'_>) -> String {
    let mut line = Line(String::with_capacity(USUAL_BYTES));
    line.raw(r#"{"schema":""#);
    line.raw(SCHEMA);
    line.raw(r#"","id":""#);
    line.raw(&event.id.stream);
    line.raw("-");
    line.number(Some(event.id.seq));
    line.raw(r#"","time":""#);
    line.raw(str::from_utf8(&event.time.text()).unwrap_or_default());
    line.raw(r#"","action":"#);
    line.text(event.action);
    line.raw(r#","object":"#);
    line.text(event.object.as_deref());
    line.raw(r#","outcome":""#);
    line.raw(event.outcome.as_str());
    line.raw(r#"","sample":"#);
    line.raw(event.sample.map(|part| part.to_string()).as_deref().unwrap_or("null"));
    line.raw(r#","decision":"#);
    match event.decision {
        Some(decision) => line.decision(decision),
        None => line.raw("null"),
    }
    line.raw(r#","strippedHeaders":"#);
    match &event.stripped_headers {
        Some(names) => write_list(&mut line.0, names, write_text),
        None => line.raw("null"),
    }
    line.raw(r#","principal":"#);
    line.raw(event.principal.as_ref().map_or("null", |caller| caller.json()));
    line.request(&event.request);
    line.raw(r#"},"requestId":"#);
    line.text(event.request_id);
    line.raw(r#","traceId":"#);
    line.text(event.trace_id.as_deref());
    line.raw(if event.truncated { r#","truncated":true"# } else { r#","truncated":false"# });
    line.raw(r#","response":{"status":"#);
    line.number(event.response.status.map(u64::from));
    line.raw(r#","bytes":"#);
    line.number(event.response.bytes);
    line.raw(r#","grpcStatus":"#);
    line.number(event.response.grpc_status);
    line.raw(r#","flags":"#);
    line.text(event.response.flags.as_deref());
    line.raw(r#","details":"#);
    line.text(event.response.details.as_deref());
    line.raw(r#"},"durationMs":"#);
    line.number(event.duration_ms);
    line.raw(r#","client":{"address":"#);
    line.text(event.client.address.as_deref());
    line.raw(r#","peer":"#);
    line.text(event.client.peer.as_deref());
    line.raw("}}");
    line.0
}
