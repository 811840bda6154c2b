//! Elasticsearch's and OpenSearch's `_bulk`: each event is created under its own id, so that one that is sent again is not there
//! twice. Documents follow the Elastic Common Schema; what it has no field for stands under `portcullis`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde::Deserialize;

use super::json::{Object, method};
use crate::audit::event::Event;
use crate::audit::outcome::Outcome;
use crate::audit::timestamp::Timestamp;
use crate::config::sink::BulkAction;
use crate::delivery::{Fate, Framing, Gap, Receipt};
use crate::time::UnixTime;

/// The document is there already.
const CONFLICT: u16 = 409;

/// An event as an action with its document.
pub fn render(event: &Event<'_>, line: &str, action: BulkAction) -> String {
    item(action, &event.id.text(), &document(event, line))
}

fn item(action: BulkAction, id: &str, document: &str) -> String {
    let mut object = Object::begin();
    object.open(match action {
        BulkAction::Create => "create",
        BulkAction::Index => "index",
    });
    object.text("_id", Some(id));
    object.close();
    format!("{}\n{document}", object.finish())
}

fn document(event: &Event<'_>, line: &str) -> String {
    const NANOSECONDS: u64 = 1_000_000;
    let (kinds, outcome) = match event.outcome {
        Outcome::Allowed => (r#"["access","allowed"]"#, "success"),
        Outcome::Denied => (r#"["access","denied"]"#, "failure"),
        Outcome::Error => (r#"["access","error"]"#, "failure"),
        Outcome::Aborted => (r#"["access"]"#, "unknown"),
    };
    let (request, response) = (&event.request, &event.response);
    let mut object = Object::begin();
    object.text("@timestamp", Some(&event.time.to_string()));
    object.open("ecs");
    object.text("version", Some("8.11.0"));
    object.close();
    object.open("event");
    object.text("id", Some(&event.id.text()));
    object.text("kind", Some("event"));
    object.text("module", Some("portcullis"));
    object.text("dataset", Some("portcullis.audit"));
    object.raw("category", r#"["web"]"#);
    object.raw("type", kinds);
    object.text("action", event.action);
    object.text("outcome", Some(outcome));
    object.text("reason", event.decision.map(|decision| &*decision.reason));
    object.number("duration", event.duration_ms.map(|milliseconds| milliseconds.saturating_mul(NANOSECONDS)));
    object.text("original", Some(line));
    object.close();
    object.open("http");
    object.text("version", request.protocol.as_deref().and_then(|protocol| Some(protocol.split_once('/')?.1)));
    object.open("request");
    object.text("method", request.method.as_deref());
    object.text("id", event.request_id);
    object.open("body");
    object.number("bytes", request.bytes);
    object.close();
    object.close();
    object.open("response");
    object.number("status_code", response.status.map(u64::from));
    object.open("body");
    object.number("bytes", response.bytes);
    object.close();
    object.close();
    object.close();
    object.open("url");
    object.text("domain", request.host.as_deref());
    object.text("path", request.path.as_deref());
    object.close();
    if let Some(principal) = &event.principal {
        object.open("user");
        object.text("id", principal.subject.as_deref());
        object.texts("roles", &principal.roles);
        object.close();
    }
    object.open("client");
    object.text("address", event.client.address.as_deref());
    object.close();
    object.open("user_agent");
    object.text("original", request.header("user-agent"));
    object.close();
    object.open("trace");
    object.text("id", event.trace_id.as_deref());
    object.close();
    if let Some(decision) = event.decision {
        object.open("rule");
        object.text("name", Some(&decision.rule));
        object.close();
    }
    own(&mut object, event);
    object.finish()
}

/// What the common schema has no field for.
fn own(object: &mut Object, event: &Event<'_>) {
    object.open("portcullis");
    object.text("object", event.object.as_deref());
    object.text("outcome", Some(event.outcome.as_str()));
    if let Some(decision) = event.decision {
        object.text("decision", Some(decision.effect.as_str()));
        object.text("issuer", decision.issuer.as_deref());
        object.raw("shadow", if decision.shadow { "true" } else { "false" });
    }
    object.texts("stripped_headers", event.stripped_headers.as_deref().unwrap_or_default());
    if let Some(principal) = &event.principal {
        object.open("principal");
        object.text("issuer", Some(&principal.issuer));
        object.text("method", Some(method(principal.method)));
        object.text("token_id", principal.token_id.as_deref());
        object.close();
    }
    object.text("path_template", event.request.path_template);
    object.number("grpc_status", event.response.grpc_status);
    object.text("flags", event.response.flags.as_deref());
    object.text("details", event.response.details.as_deref());
    object.text("peer", event.client.peer.as_deref());
    object.close();
}

/// How actions stand in a request, and what the answer says of each.
#[derive(Debug)]
pub struct Bulk(pub BulkAction);

#[derive(Deserialize)]
struct Document {
    event: Original,
}

#[derive(Deserialize)]
struct Original {
    original: String,
}

#[derive(Deserialize)]
struct Answer {
    errors: bool,
    #[serde(default)]
    items: Vec<BTreeMap<String, Item>>,
}

#[derive(Deserialize)]
struct Item {
    status: u16,
}

impl Item {
    const fn fate(&self) -> Fate {
        match self.status {
            200..=299 | CONFLICT => Fate::Taken,
            408 | 429 | 500.. => Fate::Again(self.status),
            _ => Fate::Refused(self.status),
        }
    }
}

/// The beginning of a document of what is no event.
fn note(id: &str, time: UnixTime, kind: &str, line: &str) -> Object {
    let mut object = Object::begin();
    object.text("@timestamp", Some(&Timestamp(time).to_string()));
    object.open("event");
    object.text("id", Some(id));
    object.text("kind", Some(kind));
    object.text("module", Some("portcullis"));
    object.text("dataset", Some("portcullis.audit"));
    object.text("original", Some(line));
    object.close();
    object
}

impl Framing for Bulk {
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
        let mut object = note(&gap.id(), gap.since, "pipeline_error", &line);
        object.open("portcullis");
        object.text("outcome", Some("gap"));
        object.number("dropped", Some(gap.dropped));
        object.close();
        item(self.0, &gap.id(), &object.finish())
    }

    fn end(&self, id: &Rc<str>, time: UnixTime, line: String) -> String {
        let mut object = note(id, time, "state", &line);
        object.open("portcullis");
        object.text("outcome", Some("end"));
        object.close();
        item(self.0, id, &object.finish())
    }

    fn line<'a>(&self, body: &'a str) -> Cow<'a, str> {
        let document = body.split_once('\n').and_then(|(_, document)| serde_json::from_str::<Document>(document).ok());
        document.map_or(Cow::Borrowed(body), |document| Cow::Owned(document.event.original))
    }

    fn receipt(&self, records: usize, answer: &[u8]) -> Receipt {
        match serde_json::from_slice::<Answer>(answer) {
            Ok(answer) if !answer.errors => Receipt::All,
            Ok(answer) if answer.items.len() == records => {
                // Each item has one member, named after its action.
                let fates = answer.items.iter().map(|item| item.values().next().map_or(Fate::Again(200), Item::fate));
                Receipt::Each(fates.collect())
            }
            // What is no answer to `_bulk`, or tells of errors and not where, took nothing for certain.
            _ => Receipt::Each(vec![Fate::Again(200); records]),
        }
    }
}
