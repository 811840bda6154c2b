//! What is posted: an object of ours, a message of Slack, an envelope of Sentry.

use std::borrow::Cow;

use portcullis_minting::digest;
use serde_json::{Value, json};

use super::report::{Report, State};
use crate::audit::Timestamp;
use crate::config::exceptions::WebhookFormat;
use crate::delivery::{Framing, Gap, without_null};
use crate::time::UnixTime;

/// The name and version of the object's form.
pub const SCHEMA: &str = "portcullis.exception/1";

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form(pub WebhookFormat);

impl Form {
    /// A report in this form.
    pub fn render(self, report: &Report) -> String {
        match self.0 {
            WebhookFormat::Generic => generic(report).to_string(),
            WebhookFormat::Slack => slack(&report.summary(), &details(report)),
            WebhookFormat::Sentry => {
                let level = if report.state == State::Resolved { "info" } else { "error" };
                let fault = &report.fault;
                let tags = json!({
                    "kind": fault.kind.as_str(), "state": report.state.as_str(), "rule": fault.rule,
                    "status": fault.status.map(|status| status.to_string()),
                    "grpc_status": fault.grpc_status.map(|status| status.to_string()),
                    "flags": Some(&fault.flags).filter(|flags| !flags.is_empty()), "path": fault.path_template,
                });
                let extra = json!({
                    "count": report.count, "total": report.total,
                    "first": report.first.to_string(), "last": report.last.to_string(),
                });
                sentry(&report.id(), report.time, level, &report.fingerprint, &report.summary(), &without_null(tags), &extra)
            }
        }
    }
}

fn generic(report: &Report) -> Value {
    let fault = &report.fault;
    json!({
        "schema": SCHEMA,
        "id": report.id(),
        "time": Timestamp(report.time).to_string(),
        "state": report.state.as_str(),
        "fingerprint": report.fingerprint,
        "kind": fault.kind.as_str(),
        "rule": fault.rule,
        "status": fault.status,
        "grpcStatus": fault.grpc_status,
        "flags": fault.flags.split(',').filter(|flag| !flag.is_empty()).collect::<Vec<_>>(),
        "pathTemplate": fault.path_template,
        "count": report.count,
        "total": report.total,
        "first": report.first.to_string(),
        "last": report.last.to_string(),
    })
}

fn details(report: &Report) -> String {
    let Report { fingerprint, first, last, total, .. } = report;
    format!("{total} in all, the first at {first}, the last at {last}; fingerprint {fingerprint}")
}

/// A message of one section with a line of details. What Slack reads as markup is written as it wants it.
fn slack(title: &str, details: &str) -> String {
    let (title, details) = (escaped(title), escaped(details));
    json!({
        "text": title,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": format!("*{title}*")}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": details}]},
        ],
    })
    .to_string()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// An envelope with one event.
fn sentry(id: &str, time: UnixTime, level: &str, fingerprint: &str, message: &str, tags: &Value, extra: &Value) -> String {
    let event_id: String = digest(id.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let time = Timestamp(time).to_string();
    let event = json!({
        "event_id": event_id, "timestamp": time, "platform": "other", "level": level, "logger": "portcullis",
        "message": {"formatted": message}, "fingerprint": ["portcullis", fingerprint], "tags": tags, "extra": extra,
    })
    .to_string();
    let header = json!({"event_id": event_id, "sent_at": time});
    let item = json!({"type": "event", "length": event.len(), "content_type": "application/json"});
    format!("{header}\n{item}\n{event}\n")
}

impl Framing for Form {
    fn content_type(&self) -> &'static str {
        match self.0 {
            WebhookFormat::Generic | WebhookFormat::Slack => "application/json",
            WebhookFormat::Sentry => "application/x-sentry-envelope",
        }
    }

    fn gap(&self, gap: &Gap, line: String) -> String {
        let text = format!("{} reports of upstream failures could not be delivered", gap.dropped);
        match self.0 {
            WebhookFormat::Generic => line,
            WebhookFormat::Slack => slack(&text, &gap.id()),
            WebhookFormat::Sentry => {
                sentry(&gap.id(), gap.since, "warning", "gap", &text, &json!({}), &json!({"count": gap.dropped}))
            }
        }
    }

    fn line<'a>(&self, body: &'a str) -> Cow<'a, str> {
        body.trim_end().lines().next_back().unwrap_or_default().into()
    }
}
