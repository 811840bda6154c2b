//! The tables of what the modules put out, as Markdown, made from the code that puts it out.

use std::fmt::Write;

use portcullis_core::audit::{SCHEMA, STATE_KEY};
use portcullis_core::authn::{FAILURES, FETCHES_TOTAL, KEYS, LAST_SUCCESS, OUTCOMES};
use portcullis_core::config::metrics::Label;
use portcullis_core::decision::{ANONYMOUS, API_KEY_VALID, CORS_PREFLIGHT, KEYS_SERVED, PUBLIC, TOKEN_VALID};
use portcullis_core::delivery::{BATCHES_TOTAL, EVENTS_TOTAL, QUEUE};
use portcullis_core::exceptions::{EXCEPTIONS_TOTAL, REPORTS_TOTAL};
use portcullis_core::metrics::{REQUEST_DURATION_MS, REQUESTS_TOTAL, STRIPPED_HEADERS_TOTAL};
use portcullis_core::rejection::Rejection;
use portcullis_core::upstream;

use crate::markdown::meanings;
use crate::module_name::ModuleName;
use crate::schema;

/// The reasons of requests that are let through.
const ALLOWED: [(&str, &str); 6] = [
    (TOKEN_VALID, "The token is valid and has what the rule needs."),
    (API_KEY_VALID, "The API key is known, and its owner has what the rule needs."),
    (PUBLIC, "The rule is public; credentials are not looked at."),
    (ANONYMOUS, "The request has no credentials, and the rule does not need any."),
    (CORS_PREFLIGHT, "The request is a CORS preflight, and `bypassCorsPreflight` is set."),
    (KEYS_SERVED, "The gateway itself answered with its public keys (`token.internal.jwksPath`)."),
];

/// The members of an audit event, in their order, with those of the objects in it.
const EVENT: [(&str, &str); 43] = [
    ("schema", "The form of the event and its version."),
    (
        "id",
        "What tells the event from all others: a random name for what one worker records under one configuration, and a number counted up.",
    ),
    ("time", "When the request came: RFC 3339, in UTC, with milliseconds."),
    ("action", "The name of the first entry of `events` that matches the request."),
    ("object", "That entry's `object`, its path parameters filled in."),
    (
        "outcome",
        "`allowed`, `denied`, `error` (the gateway could not decide, or the upstream gave no whole answer) or `aborted` (the client went away).",
    ),
    ("sample", "The part of its like that is recorded, for counts to be scaled: `0.1` stands for ten; null when all are."),
    ("decision", "What jwt-auth decided; null when no such module saw the request."),
    ("decision.rule", "The name of the rule that decided; `default` when none matched."),
    ("decision.decision", "`allow`, `deny` or `error`."),
    ("decision.reason", "A reason code, see above."),
    ("decision.issuer", "The name of the `jwtRules` entry that vouched for the caller; left out when none did."),
    ("decision.shadow", "Whether the decision was only reported: the request passed, whatever the decision says."),
    (
        "strippedHeaders",
        "The names of identity headers that the client sent and the gateway removed, 16 at most; null when there were none.",
    ),
    ("principal", "The caller; null when nobody was authenticated."),
    ("principal.issuer", "The token's `iss`."),
    ("principal.subject", "The caller's subject."),
    ("principal.roles", "The caller's roles."),
    ("principal.method", "How the caller was authenticated: `jwt` or `api_key`."),
    (
        "principal.tokenId",
        "What tells the token from others: 16 bytes of the SHA-256 of its `jti`, in base64url; null when it has none.",
    ),
    ("principal.claims", "The claims that `include.claims` lists."),
    ("request", "The request."),
    ("request.method", "Its method."),
    ("request.host", "Its host, in lower case and without port."),
    ("request.path", "Its path, normalized, without the query."),
    (
        "request.pathTemplate",
        "The pattern of the path, from the `match` of the event, else of the rule: `/orders/{orderId}/approve`.",
    ),
    ("request.protocol", "Its protocol: `HTTP/1.1`, `HTTP/2`."),
    ("request.headers", "The headers that `include.requestHeaders` lists."),
    ("request.query", "The query parameters that `include.queryParams` lists."),
    ("request.bytes", "The bytes of its body."),
    ("requestId", "The request's `x-request-id`."),
    ("traceId", "The trace of the request, from `traceparent` or the B3 headers."),
    ("truncated", "Whether the event was longer than `limits.event`, and lost headers, query parameters, claims or roles."),
    ("response", "The answer."),
    ("response.status", "The status of the answer; null when there was none."),
    ("response.bytes", "The bytes of its body."),
    ("response.grpcStatus", "The status of gRPC; null when the request is none of gRPC."),
    ("response.flags", "What the proxy says went wrong, in the words of Envoy's access log, joined by commas: `UF`, `UT`, `DC`."),
    ("response.details", "Who made the answer, in Envoy's words: `via_upstream`, `direct_response`."),
    ("durationMs", "The time from the request's headers to the end of the exchange, in milliseconds."),
    ("client", "From where the request came."),
    ("client.address", "The address, without the port."),
    ("client.peer", "The first URI in the client's certificate: its SPIFFE ID in a mesh."),
];

/// What becomes of an event on its way to a sink.
const AUDITED: [(&str, &str); 6] = [
    ("queued", "It was put into the buffer."),
    ("sent", "The sink has it."),
    (
        "dropped",
        "The sink will not get it. `reason` is `overflow` (the buffer was full) or `attempts` (it was sent as often as `retry` allows).",
    ),
    ("rejected", "The sink refuses it for what it is."),
    ("logged", "It could not be sent before the end, and stands in the proxy's log."),
    ("blocked", "Its request was refused with `audit_unavailable`; it was never queued."),
];

/// What becomes of a batch, each time that it is sent.
const BATCHES: [(&str, &str); 6] = [
    ("sent", "The sink took it."),
    ("partial", "The sink took some of it."),
    ("retried", "The sink did not take it, or did not answer; it is sent again."),
    ("halved", "The sink refuses it; it is sent again in halves."),
    ("rejected", "The sink refuses it for what it is."),
    ("given_up", "It was sent as often as `retry` allows."),
];

/// The text of `docs/reference.md`.
pub fn text() -> String {
    let mut text = String::from("# Reference\n\nGenerated by `portcullis reference` from the code; do not edit.\n");
    reason_codes(&mut text);
    metrics(&mut text);
    event(&mut text);
    text
}

fn reason_codes(text: &mut String) {
    text.push_str(
        "\n## Reason codes\n\nThe `code` in the body of a refusal, the `reason` of decisions, audit events and metrics, and, as\n\
         `portcullis{code}`, Envoy's response code details.\n\n| code | status | meaning |\n|---|---|---|\n",
    );
    for rejection in Rejection::ALL {
        let _ = writeln!(text, "| `{}` | {} | {} |", rejection.code(), rejection.status(), rejection.description());
    }
    text.push_str("\nThe `reason` of a request that is let through:\n\n| reason | meaning |\n|---|---|\n");
    for (reason, meaning) in ALLOWED {
        let _ = writeln!(text, "| `{reason}` | {meaning} |");
    }
}

fn metrics(text: &mut String) {
    let labels = Label::ALL.map(|label| format!("`{}`", label.as_str())).join(", ");
    let _ = write!(
        text,
        "\n## Metrics\n\nAs they stand in `/stats/prometheus`, given the `stats_tags` of `envoy/` or the `extraStatTags` of `istio/`.\n\n\
         | metric | kind | labels |\n|---|---|---|\n\
         | `{REQUESTS_TOTAL}` | counter | {labels} |\n\
         | `{REQUEST_DURATION_MS}` | histogram | `{rule}` |\n\
         | `{STRIPPED_HEADERS_TOTAL}` | counter | `{rule}` |\n\
         | `{FETCHES_TOTAL}` | counter | `issuer`, `outcome` |\n\
         | `{LAST_SUCCESS}` | gauge | `issuer` |\n\
         | `{FAILURES}` | gauge | `issuer` |\n\
         | `{KEYS}` | gauge | `issuer` |\n\
         | `{upstream_fetches}` | counter | `upstream`, `outcome` |\n\
         | `{upstream_expiration}` | gauge | `upstream` |\n\
         | `{upstream_failures}` | gauge | `upstream` |\n\
         | `{EVENTS_TOTAL}` | counter | `sink`, `outcome`, `reason` |\n\
         | `{BATCHES_TOTAL}` | counter | `sink`, `outcome` |\n\
         | `{QUEUE}` | gauge | `sink` |\n\
         | `{EXCEPTIONS_TOTAL}` | counter | `reason` |\n\
         | `{REPORTS_TOTAL}` | counter | `outcome` |\n\n\
         | label | value |\n|---|---|\n",
        rule = Label::Rule.as_str(),
        upstream_fetches = upstream::FETCHES_TOTAL,
        upstream_expiration = upstream::EXPIRATION,
        upstream_failures = upstream::FAILURES,
    );
    let schema = schema::inlined(ModuleName::Metrics);
    let property = schema::properties(schema.as_value()).find_map(|(key, property)| (key == "labels").then_some(property));
    for (label, meaning) in property.map(meanings).unwrap_or_default() {
        let _ = writeln!(text, "| `{label}` | {meaning} |");
    }
    text.push_str(
        "\n`portcullis_stripped_headers_total` counts identity headers that the client sent and the gateway removed: who forges them, or\n\
         what was not taken off the headers at an earlier hop.\n\
         \nWhere there is nothing to say the value is `none`. Beyond `maxSeries` every label is `other`.\n\n\
         Those of keys are jwt-auth's own; `issuer` is the name of the entry, with `/tenant` behind it where it has tenants.\n\
         Those of upstream credentials are auth-header's; `upstream` is the name of the entry. Each worker fetches a token of its own.\n\n\
         | outcome | of a fetch |\n|---|---|\n",
    );
    for (outcome, meaning) in OUTCOMES {
        let _ = writeln!(text, "| `{outcome}` | {meaning} |");
    }
    text.push_str(
        "\nThose of audit events are audit-log's own, of each sink of `type: http`; `sink` is its name. At any time `queued` is the sum of `sent`,\n\
         `dropped`, `rejected`, `logged` and the gauge, which is that of all workers.\n\n| outcome | of an event |\n|---|---|\n",
    );
    for (outcome, meaning) in AUDITED {
        let _ = writeln!(text, "| `{outcome}` | {meaning} |");
    }
    text.push_str("\n| outcome | of a batch |\n|---|---|\n");
    for (outcome, meaning) in BATCHES {
        let _ = writeln!(text, "| `{outcome}` | {meaning} |");
    }
}

fn event(text: &mut String) {
    let _ = write!(
        text,
        "\n## Audit event\n\nOne line of JSON, `schema` `{SCHEMA}`, in the filter state `{STATE_KEY}`\n\
         (access log: `%FILTER_STATE(wasm.{STATE_KEY}:PLAIN)%`). A member without a value is null.\n\n\
         | member | meaning |\n|---|---|\n",
    );
    for (member, meaning) in EVENT {
        let _ = writeln!(text, "| `{member}` | {meaning} |");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use portcullis_core::config::Variable;
    use portcullis_core::headers::Headers;
    use portcullis_core::module::Module;
    use portcullis_core::request::Request;
    use portcullis_core::stage::{Alone, Completion, Exchange, MetricId, MetricKind, Observer, Stage};
    use portcullis_core::time::UnixTime;
    use serde_json::Value;

    use super::*;

    #[derive(Default)]
    struct Lines(Vec<String>);

    impl Observer for Lines {
        fn define_metric(&mut self, _: MetricKind, _: &str) -> Option<MetricId> {
            None
        }
        fn increment(&mut self, _: MetricId, _: u64) {}
        fn adjust(&mut self, _: MetricId, _: i64) {}
        fn record(&mut self, _: MetricId, _: u64) {}
        fn set_state(&mut self, _: &str, _: &str) {}
        fn print(&mut self, line: &str) {
            self.0.push(line.to_owned());
        }
    }

    fn members(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        for (key, inner) in value.as_object().into_iter().flatten() {
            let path = crate::place::member(path, key);
            members(inner, &path, found);
            found.insert(path);
        }
    }

    #[test]
    fn names_every_member_of_an_event() {
        let now = UnixTime::from_secs(1_800_000_000);
        let config =
            r#"{"jwtAuth": {"default": "denied"}, "auditLog": {"default": {"record": "always"}, "sinks": [{"type": "stdout"}]}}"#;
        let mut stages = Module::Bundle.load(config.as_bytes(), &|_: &str| Variable::Unset).unwrap().stages;
        let mut exchange = Exchange::new(Request::new(Headers::from_pairs([(":path", "/"), (":method", "GET")])), Some(now));
        let mut lines = Lines::default();
        stages.iter_mut().for_each(|stage: &mut Box<dyn Stage>| drop(stage.on_request(&mut exchange, now, &mut Alone)));
        stages.iter_mut().for_each(|stage| stage.on_log(&exchange, &Completion::default(), now, &mut lines));
        let event: Value = serde_json::from_str(&lines.0.concat()).unwrap();
        let mut found = BTreeSet::new();
        members(&event, "", &mut found);
        let documented: BTreeSet<String> = EVENT.iter().map(|(member, _)| (*member).to_owned()).collect();
        assert_eq!(found.difference(&documented).collect::<Vec<_>>(), Vec::<&String>::new());
        // What is in the principal and the issuer's name are only there once somebody is authenticated.
        let absent: Vec<_> = documented.difference(&found).filter(|member| !member.starts_with("principal.")).collect();
        assert_eq!(absent, ["decision.issuer"]);
    }
}
