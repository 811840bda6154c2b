//! Trace headers: the grammar of the W3C's own test suite, and B3 as Envoy and its specification read it.

use std::path::Path;

use anyhow::Result;
use portcullis_core::headers::Headers;
use portcullis_core::tracing::traceparent::Traceparent;
use portcullis_core::tracing::{Sampling, TraceHeaders, tracestate};
use serde_json::{Value, json};

use crate::row::{Expected, Row};
use crate::{list, read, text};

const MALFORMED: &str = "refused: malformed";

/// What `traceparent` and `tracestate` may hold. The strict reading is that of version 00, the other one that of versions to come.
pub(super) fn w3c_unit(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "trace_headers/w3c_unit.json")?;
    let traceparent = |case: &Value| {
        let value = text(case, "value");
        let column = if value.starts_with("00-") { "strict_v00" } else { "base" };
        let is_read = Traceparent::read(value.as_bytes()).is_some();
        Row::new(format!("traceparent/{value}"), Expected::accepted(case[column] == json!(true)), ours(is_read))
    };
    let tracestate = |case: &Value| {
        if let Some(input) = case["in"].as_str() {
            let combined = tracestate::combine(&[input.as_bytes()]);
            let ours = if combined.is_none() || combined.as_deref() == case["out"].as_str() {
                ours(combined.is_some())
            } else {
                "accepted, but as another list"
            };
            return Row::new(format!("tracestate/{}", input.escape_default()), Expected::accepted(case["out"].is_string()), ours);
        }
        let member = case["key"].as_str().map(|key| format!("{key}=1")).unwrap_or_else(|| format!("foo={}", text(case, "value")));
        let is_read = tracestate::combine(&[member.as_bytes()]).is_some();
        let id = format!("tracestate/{}", shortened(&member));
        Row::new(id, Expected::accepted(case["ok"] == json!(true)), ours(is_read))
    };
    let rows = list(&document, "traceparent").iter().map(traceparent);
    Ok(rows.chain(list(&document, "tracestate").iter().map(tracestate)).collect())
}

/// What the headers of B3 say.
pub(super) fn b3(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "trace_headers/b3.json")?;
    let run = |case: &Value| {
        let expected = case["valid"].as_bool().map_or(Expected::Either, Expected::accepted);
        let headers = case["headers"].as_object().into_iter().flatten();
        let headers = Headers::from_pairs(headers.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())));
        let found = TraceHeaders::of(&headers);
        let Some(read) = found.b3().valid().or_else(|| found.b3_parts().valid()) else {
            return Row::new(text(case, "id"), expected, MALFORMED);
        };
        let context = found.context();
        let sampling = match read.sampling {
            Sampling::Undecided => "defer",
            Sampling::Denied => "deny",
            Sampling::Accepted => "accept",
            Sampling::Debug => "debug",
        };
        let parsed = json!({
            "trace_id": context.map(|context| context.trace.to_string()),
            "span_id": context.map(|context| context.span.to_string()),
            "parent_id": context.and_then(|context| context.parent).map(|parent| parent.to_string()),
            "sampling": sampling,
        });
        let is_same = case.get("parsed").is_none_or(|expected| *expected == parsed);
        Row::new(text(case, "id"), expected, if is_same { "accepted" } else { "accepted, but read as something else" })
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

const fn ours(is_read: bool) -> &'static str {
    if is_read { "accepted" } else { MALFORMED }
}

/// A name that fits on a line.
fn shortened(member: &str) -> String {
    if member.len() <= 40 { member.to_owned() } else { format!("{}…{}", &member[..8], member.len()) }
}
