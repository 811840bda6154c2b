//! The trace of a request: what the upstream is told of it, and that answers and audit events speak of the same one.

use std::sync::OnceLock;

use portcullis_e2e::{Stack, bundle};
use portcullis_testbed::{Algorithm, Issuer, Listener, Module, Plugin, Request, Response, Seen};
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const SAME_IN_B3: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1";
const NAMES: [&str; 8] =
    ["traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"];

struct World {
    stack: Stack,
    issuer: Issuer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
        let configuration = |tracing: Value| {
            let mut jwt = json!({"jwtRules": [{"name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap()}]});
            if !tracing.is_null() {
                jwt["tracing"] = tracing;
            }
            json!({"jwtAuth": jwt, "auditLog": {"default": {"record": "always"}}})
        };
        let all = configuration(json!({"propagate": ["w3c", "b3", "b3multi"]}));
        let listeners = [
            bundle("untouched", &configuration(Value::Null)),
            bundle("bundle", &all),
            Listener::new("chain")
                .plugin(Plugin::new(Module::AuditLog, &all["auditLog"]))
                .plugin(Plugin::new(Module::JwtAuth, &all["jwtAuth"])),
            bundle("no-mint", &configuration(json!({"propagate": ["b3"], "mint": false}))),
        ];
        World { stack: Stack::start(listeners, &[]), issuer }
    })
}

impl World {
    fn request(&self) -> Request {
        Request::get("/orders").bearer(&self.issuer.token().unwrap())
    }

    /// The trace that the audit event of an exchange names.
    fn audited(&self, listener: &str, response: &Response) -> Value {
        self.stack.envoy.audit_event(listener, &response.id)["traceId"].clone()
    }
}

/// The headers that speak of the trace, in the order of their names.
fn told(seen: &Seen) -> Vec<(&'static str, String)> {
    NAMES.iter().flat_map(|name| seen.headers.all(name).into_iter().map(|value| (*name, value))).collect()
}

fn owned(headers: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

#[test]
fn the_upstream_is_told_in_every_format_and_the_audit_event_names_the_same_trace() {
    let World { stack, .. } = world();
    let parts = [("x-b3-traceid", TRACE), ("x-b3-spanid", "00f067aa0ba902b7"), ("x-b3-sampled", "1")];
    let all = owned(&[&[("traceparent", W3C), ("b3", SAME_IN_B3)], &parts[..]].concat());
    for listener in ["bundle", "chain"] {
        for headers in [&[("traceparent", W3C)][..], &[("b3", SAME_IN_B3)], &parts] {
            let request = headers.iter().fold(world().request(), |request, (name, value)| request.header(name, value));
            let response = stack.envoy.listener(listener).send(&request);
            assert_eq!(told(&stack.seen(&response)), all, "{listener} {headers:?}");
            assert_eq!(world().audited(listener, &response), json!(TRACE), "{listener} {headers:?}");
        }
    }
}

#[test]
fn a_trace_begins_here_and_everybody_speaks_of_it() {
    let World { stack, .. } = world();
    let mut traces = Vec::new();
    for listener in ["bundle", "chain"] {
        for headers in
            [&[][..], &[("traceparent", "00-bad"), ("tracestate", "a=1")], &[("traceparent", W3C), ("traceparent", W3C)]]
        {
            let request = |request: Request| headers.iter().fold(request, |request, (name, value)| request.header(name, value));
            let response = stack.envoy.listener(listener).send(&request(world().request()));
            let told = told(&stack.seen(&response));
            let trace = told[0].1.split('-').nth(1).unwrap().to_owned();
            assert_eq!(told[0], ("traceparent", format!("00-{trace}-{}-03", told[3].1)), "{listener} {told:?}");
            assert_eq!(told[1], ("b3", format!("{trace}-{}-1", told[3].1)), "{listener} {told:?}");
            assert_eq!(world().audited(listener, &response), json!(trace), "{listener} {headers:?}");
            traces.push(trace);

            let refused = stack.envoy.listener(listener).send(&request(Request::get("/orders")));
            stack.assert_refusal(&refused);
            let trace = refused.json()["traceId"].as_str().unwrap().to_owned();
            assert_eq!(world().audited(listener, &refused), json!(trace), "{listener} {headers:?}");
            traces.push(trace);
        }
    }
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 12, "each is new: {traces:?}");
    assert!(!traces.contains(&TRACE.to_owned()));
}

#[test]
fn without_a_word_nothing_is_written_and_what_came_is_named() {
    let World { stack, .. } = world();
    for (headers, trace) in [
        (&[][..], Value::Null),
        (&[("traceparent", W3C), ("tracestate", "a=1")], json!(TRACE)),
        (&[("traceparent", "00-bad"), ("tracestate", "a=1"), ("b3", "x")], Value::Null),
        (&[("b3", "463ac35c9f6413ad-a2fb4a1d1a96d312-1")], json!("463ac35c9f6413ad")),
    ] {
        let request = |request: Request| headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let response = stack.envoy.listener("untouched").send(&request(world().request()));
        assert_eq!(told(&stack.seen(&response)), owned(headers));
        assert_eq!(world().audited("untouched", &response), trace, "{headers:?}");
        let refused = stack.envoy.listener("untouched").send(&request(Request::get("/orders")));
        assert_eq!(refused.json().get("traceId"), Some(&trace).filter(|trace| !trace.is_null()), "{headers:?}");
    }
}

#[test]
fn what_is_malformed_never_reaches_the_upstream() {
    let World { stack, .. } = world();
    let request = |value: &str| world().request().header("traceparent", "00-bad").header("tracestate", "a=1").header("b3", value);
    let seen = stack.passes("no-mint", &request("463ac35c9f6413ad"));
    assert_eq!(told(&seen), []);
    let seen = stack.passes("no-mint", &request("463ac35c9f6413ad-a2fb4a1d1a96d312-0"));
    assert_eq!(told(&seen), owned(&[("b3", "463ac35c9f6413ad-a2fb4a1d1a96d312-0")]));
    assert_eq!(told(&stack.passes("no-mint", &world().request())), []);
}
