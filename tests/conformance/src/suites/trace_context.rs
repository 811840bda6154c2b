//! Trace headers: what a participant of the W3C's own test suite sends on.
//!
//! Each case is a request and what holds of the headers that go on. Where one of these does not, the row says which.

use std::path::Path;

use anyhow::Result;
use portcullis_core::config::Variable;
use portcullis_core::edits::Edit;
use portcullis_core::headers::Headers;
use portcullis_core::module::Module;
use portcullis_core::request::Request;
use portcullis_core::stage::{Alone, Exchange};
use portcullis_core::time::UnixTime;
use portcullis_core::tracing::traceparent::{TRACEPARENT, Traceparent};
use portcullis_core::tracing::tracestate::TRACESTATE;
use serde_json::Value;

use crate::row::{Expected, Row};
use crate::{list, read, text};

/// The stage runs as a module runs it, before the one that authenticates.
const CONFIGURATION: &[u8] = br#"{"tracing":{"propagate":["w3c"]}}"#;

pub(super) fn run(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "trace_headers/w3c_trace_context.json")?;
    let run = |case: &Value| {
        let pairs = list(case, "request_headers").iter().filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_str()?)));
        let outgoing = Outgoing::of(pairs.collect());
        let expectations = list(case, "expect").iter().filter_map(Value::as_object).flatten();
        let mut unmet: Vec<_> = expectations.filter_map(|(what, expected)| outgoing.misses(what, expected)).collect();
        unmet.dedup();
        let ours = if unmet.is_empty() { "accepted".to_owned() } else { format!("accepted, but {}", unmet.join(" and ")) };
        Row::new(text(case, "id"), Expected::Accepted, ours)
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

/// The headers that go on.
struct Outgoing {
    traceparents: Vec<String>,
    /// The members of `tracestate`.
    state: Vec<String>,
}

impl Outgoing {
    fn of(sent: Vec<(&str, &str)>) -> Self {
        // Envoy removes the white space around a value before any filter sees it.
        let mut seen: Vec<_> = sent
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
            .collect();
        let mut exchange = Exchange::new(Request::new(Headers::from_pairs(seen.clone())), None);
        let loaded = Module::JwtAuth.load(CONFIGURATION, &|_: &str| Variable::Unset);
        for mut stage in loaded.map(|loaded| loaded.stages).unwrap_or_default() {
            let _ = stage.on_request(&mut exchange, UnixTime::from_secs(0), &mut Alone);
        }
        for edit in exchange.edits.iter() {
            seen.retain(|(name, _)| name != edit.name());
            if let Edit::Set(name, value) = edit {
                seen.push((name.to_string(), value.to_string()));
            }
        }
        let values =
            |wanted: &str| seen.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value.clone()).collect::<Vec<_>>();
        let state = values(TRACESTATE);
        let members = state.iter().flat_map(|line| line.split(',')).map(|member| member.trim_matches([' ', '\t']).to_owned());
        Self { traceparents: values(TRACEPARENT), state: members.collect() }
    }

    fn traceparent(&self) -> Option<Traceparent> {
        match &self.traceparents[..] {
            [one] => Traceparent::read(one.as_bytes()),
            _ => None,
        }
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.state.iter().filter_map(|member| member.split_once('=')).find(|(found, _)| *found == key).map(|(_, value)| value)
    }

    fn place(&self, member: &Value) -> Option<usize> {
        self.state.iter().position(|found| Some(found.as_str()) == member.as_str())
    }

    /// What does not hold; `None` when it does.
    fn misses(&self, what: &str, expected: &Value) -> Option<&'static str> {
        const SPAN: &str = "the span stays the client's";
        const STATE: &str = "tracestate is another one";
        let Some(traceparent) = self.traceparent() else { return Some("there is not one traceparent") };
        let (trace, span) = (traceparent.context.trace.to_string(), traceparent.context.span.to_string());
        let word = expected.as_str().unwrap_or_default();
        let compare = |found: &str| match word.split_at_checked(2) {
            Some(("==", wanted)) => found == wanted,
            Some(("!=", other)) => found != other,
            _ => false,
        };
        let (holds, problem) = match what {
            "outgoing_traceparent" | "comment" | "same_trace_id_on_all_calls" => (true, ""),
            "trace_id" => (compare(&trace), "the trace is another one"),
            "trace_id_on_all_calls" => (trace == word, "the trace is another one"),
            "parent_id" => (compare(&span), SPAN),
            // One request goes on for one that comes, with the span that it came with.
            "distinct_parent_ids" => (false, SPAN),
            "trace_flags_has" => {
                (self.traceparents.iter().all(|value| value.ends_with("-02") || value.ends_with("-03")), "without the flag")
            }
            "tracestate_discarded" => (self.state.is_empty(), STATE),
            "tracestate_absent_or_nonempty" => (self.state.iter().all(|member| !member.is_empty()), STATE),
            "tracestate_has" => (self.value(word).is_some(), STATE),
            "tracestate_lacks" => (self.value(word).is_none(), STATE),
            "tracestate_contains" => (self.place(expected).is_some(), STATE),
            "tracestate_contains_any" => {
                (expected.as_array().is_some_and(|all| all.iter().any(|one| self.place(one).is_some())), STATE)
            }
            "tracestate_order" => {
                (self.place(&expected[0]).is_some() && self.place(&expected[0]) < self.place(&expected[1]), STATE)
            }
            "tracestate_value" => (expected[0].as_str().and_then(|key| self.value(key)) == expected[1].as_str(), STATE),
            "tracestate_members" => (expected.as_u64() == u64::try_from(self.state.len()).ok(), STATE),
            _ => (false, "nobody here knows what is expected"),
        };
        (!holds).then_some(problem)
    }
}
