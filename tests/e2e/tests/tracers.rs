//! Envoy's own tracers and the module speak of one trace: Envoy's span, the module's span, the headers of the upstream and of the key
//! server, the answer and the audit event.
//!
//! Zipkin's collector is a fake; that of OpenTelemetry is a real one, with Envoy configured as the documentation has it.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use portcullis_e2e::bootstrap;
use portcullis_testbed::{
    Algorithm, CollectedSpan, Collector, Envoy, FakeSink, Issuer, JwksServer, Listener, Module, Plugin, Request, Upstream, poll,
    workspace,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

struct World {
    envoy: Envoy,
    upstream: Upstream,
    keys: JwksServer,
    issuers: [Issuer; 2],
}

/// What an exchange left behind.
#[derive(Debug)]
struct Traces {
    /// As the answer to a refused request names it.
    answered: Option<String>,
    audited: Value,
    /// The headers of the upstream.
    upstream: BTreeMap<&'static str, String>,
    request_id: String,
}

impl World {
    fn start(
        tracing: &Value,
        header_mutation: &Value,
        [module, spans]: [&Value; 2],
        cluster: (&str, std::net::SocketAddr),
    ) -> Self {
        let issuers =
            ["https://uaa.example.com", "https://idp.example.com"].map(|name| Issuer::new(name, &[Algorithm::Es256]).unwrap());
        // The second issuer never has keys, so that they are fetched again and again, now and then while a request waits for them.
        let (upstream, keys) = (Upstream::start().unwrap(), JwksServer::start(&json!({"keys": []})).unwrap());
        let rules = json!([
            {"name": "uaa", "issuer": issuers[0].name(), "jwks": issuers[0].jwks().unwrap()},
            {
                "name": "idp", "issuer": issuers[1].name(), "jwksUri": "http://idp.example.com/keys?secret=HIDDEN", "cluster": "keys",
                "refresh": "1s",
            },
        ]);
        let configuration = json!({
            "jwtAuth": {
                "jwtRules": rules,
                "tracing": module,
            },
            "auditLog": {"default": {"record": "always"}},
            "spans": spans,
        });
        let listener = Listener::new("gateway").tracing(tracing.clone()).native(header_mutation.clone());
        let listener = listener.plugin(Plugin::new(Module::Portcullis, &configuration));
        let bootstrap = bootstrap().cluster("upstream", upstream.address()).cluster("keys", keys.address());
        let envoy = Envoy::start(&bootstrap.cluster(cluster.0, cluster.1).listener(listener)).unwrap();
        Self { envoy, upstream, keys, issuers }
    }

    fn send(&self, headers: &[(&str, &str)], token: &str) -> Traces {
        let request =
            headers.iter().fold(Request::get("/orders?page=HIDDEN"), |request, (name, value)| request.header(name, value));
        let response = self.envoy.listener("gateway").send(&request.bearer(token));
        // Envoy writes into the id of the request that it is traced.
        let request_id = response.id.replacen("-4", "-9", 1);
        let answered = (response.status != 200).then(|| response.json()["traceId"].as_str().unwrap().to_owned());
        let names = ["traceparent", "b3", "x-b3-traceid", "x-proxy-trace"];
        let upstream = self.upstream.seen(&request_id).into_iter();
        let upstream = upstream.flat_map(|seen| names.map(|name| Some((name, seen.headers.get(name)?)))).flatten().collect();
        Traces { answered, audited: self.envoy.audit_event("gateway", &request_id)["traceId"].clone(), upstream, request_id }
    }

    /// A request that waited for a fetch which was sent because of it, and the span that the key server was told of.
    fn waiting(&self, headers: &[(&str, &str)]) -> (Traces, String) {
        let token = self.issuers[1].token().unwrap();
        let fetched = || {
            let before = self.keys.fetches();
            let refused = self.send(headers, &token);
            let told = self.keys.requests().into_iter().skip(before).find_map(|headers| {
                let traceparent = headers.get("traceparent").unwrap();
                let (trace, span) = traceparent.strip_prefix("00-")?.strip_suffix("-01")?.split_once('-')?;
                (Some(trace) == refused.answered.as_deref()).then(|| span.to_owned())
            });
            told.map(|span| (refused, span))
        };
        poll("a request that waits", PATIENCE, fetched).unwrap()
    }
}

/// A span as either collector has it.
#[derive(Debug, Clone)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    tags: BTreeMap<String, String>,
}

/// The span of a name that holds this value in a tag, once it came.
fn find(spans: &dyn Fn() -> Vec<Span>, is_it: &dyn Fn(&Span) -> bool) -> Span {
    match poll("the span", PATIENCE, || spans().into_iter().find(is_it)) {
        Ok(span) => span,
        Err(error) => panic!("{error}: {:#?}", spans()),
    }
}

/// The span of Envoy for a request.
fn of_envoy(spans: &dyn Fn() -> Vec<Span>, request_id: &str) -> Span {
    find(spans, &|span| span.tags.get("guid:x-request-id").is_some_and(|id| id == request_id))
}

fn of_module(spans: &dyn Fn() -> Vec<Span>, id: &str) -> Span {
    find(spans, &|span| span.id == id && span.name == "portcullis jwks")
}

fn check(world: &World, header: (&str, String), written: &str, is_span_told: bool, spans: &dyn Fn() -> Vec<Span>) {
    let token = world.issuers[0].token().unwrap();
    // No trace comes: Envoy begins one.
    let passed = world.send(&[], &token);
    let envoy = of_envoy(spans, &passed.request_id);
    assert!(passed.upstream[written].contains(&envoy.trace), "{passed:?} {envoy:?}");
    assert_eq!(passed.audited, json!(envoy.trace));
    assert_eq!(passed.upstream.get("x-proxy-trace"), None, "the header goes no further");
    assert!(envoy.tags["portcullis.decision"].contains("token_valid"), "{envoy:?}");

    let (refused, id) = world.waiting(&[]);
    let envoy = of_envoy(spans, &refused.request_id);
    assert_eq!((refused.answered.as_ref(), &refused.audited), (Some(&envoy.trace), &json!(envoy.trace)));
    assert!(envoy.tags["portcullis.decision"].contains("keys_unavailable"), "{envoy:?}");
    let own = of_module(spans, &id);
    assert_eq!((&own.trace, &own.parent), (&envoy.trace, &envoy.id), "{own:?} {envoy:?}");
    assert_eq!(own.tags["portcullis.issuer"], "idp");
    assert_eq!(own.tags["portcullis.outcome"], "success");

    // One comes: Envoy joins it, and so does everybody.
    let headers = [(header.0, &*header.1)];
    let passed = world.send(&headers, &token);
    let envoy = of_envoy(spans, &passed.request_id);
    assert_eq!((&*envoy.trace, &*envoy.parent, &passed.audited), (TRACE, SPAN, &json!(TRACE)));
    assert!(passed.upstream[written].contains(TRACE), "{passed:?}");
    let (refused, id) = world.waiting(&headers);
    assert_eq!((refused.answered.as_deref(), &refused.audited), (Some(TRACE), &json!(TRACE)));
    let envoy = of_envoy(spans, &refused.request_id);
    let own = of_module(spans, &id);
    assert_eq!((&*own.trace, &*own.parent), (TRACE, if is_span_told { &*envoy.id } else { SPAN }), "{own:?}");

    for span in spans().iter().filter(|span| span.name.starts_with("portcullis")) {
        assert!(!format!("{span:?}").contains("HIDDEN"), "{span:?}");
    }
    let is_counted = || (world.envoy.metric("portcullis_spans_total", &[("outcome", "sent")]) >= 2.0).then_some(());
    poll("the metric", PATIENCE, is_counted).unwrap();
}

fn header_mutation() -> Value {
    documented()["http_filters"][0].clone()
}

/// What the documentation has for the connection manager.
fn documented() -> Value {
    let text = fs::read_to_string(workspace().join("docs/tracing.md")).unwrap();
    let block = text.split_once("```yaml\ntracing:").unwrap().1.split_once("```").unwrap().0;
    serde_saphyr::from_str(&format!("tracing:{block}")).unwrap()
}

#[test]
fn envoys_zipkin_tracer_and_the_module_speak_of_one_trace() {
    let collector = FakeSink::start().unwrap();
    let tracing = json!({
        "provider": {"name": "envoy.tracers.zipkin", "typed_config": {
            "@type": "type.googleapis.com/envoy.config.trace.v3.ZipkinConfig",
            "collector_cluster": "zipkin", "collector_endpoint": "/api/v2/spans", "collector_endpoint_version": "HTTP_JSON",
            "trace_id_128bit": true, "shared_span_context": false,
        }},
        "custom_tags": documented()["tracing"]["custom_tags"],
    });
    let module = json!({"propagate": ["b3multi"], "proxyHeader": "x-proxy-trace"});
    let exported = json!({
        "format": "zipkin", "uri": "http://zipkin.example.com/api/v2/spans", "cluster": "zipkin", "batch": {"interval": "100ms"},
    });
    let world = World::start(&tracing, &header_mutation(), [&module, &exported], ("zipkin", collector.address()));
    let text = |span: &Value, member: &str| span[member].as_str().unwrap_or_default().to_owned();
    let spans = || {
        let batches = collector.batches();
        let all = batches.iter().flat_map(|batch| &batch.records).flat_map(|record| record.as_array().unwrap());
        let tags = |span: &Value| {
            span["tags"].as_object().unwrap().iter().map(|(key, tag)| (key.clone(), tag.as_str().unwrap().to_owned())).collect()
        };
        all.map(|span| Span {
            trace: text(span, "traceId"),
            id: text(span, "id"),
            parent: text(span, "parentId"),
            name: text(span, "name"),
            tags: tags(span),
        })
        .collect()
    };
    check(&world, ("b3", format!("{TRACE}-{SPAN}-1")), "x-b3-traceid", false, &spans);
    let batches = collector.batches();
    let own =
        batches.iter().find(|batch| batch.records.iter().any(|record| record.to_string().contains("portcullis jwks"))).unwrap();
    assert!(
        own.headers.get("traceparent").is_some() && own.headers.get("b3").is_some(),
        "what brings spans is a trace of its own"
    );
}

#[test]
fn envoys_opentelemetry_tracer_and_the_module_speak_of_one_trace() {
    if !Collector::is_installed() {
        eprintln!("skipped: there is no rotel; scripts/tools.sh stores installs it");
        return;
    }
    let collector = Collector::start().unwrap();
    let module = json!({"proxyHeader": "x-proxy-trace"});
    let exported = json!({
        "format": "otlp", "uri": "http://otel.example.com/v1/traces", "cluster": "otel", "batch": {"interval": "100ms"},
    });
    let world = World::start(&documented()["tracing"], &header_mutation(), [&module, &exported], ("otel", collector.address()));
    let plain = |value: String| value.split_once('(').map_or(value.clone(), |(_, text)| text.trim_end_matches(')').to_owned());
    let spans = || {
        let read = |CollectedSpan { trace_id, id, parent_id, name, attributes }| Span {
            trace: trace_id,
            id,
            parent: parent_id,
            name,
            tags: attributes.into_iter().map(|(key, value)| (key, plain(value))).collect(),
        };
        collector.spans().into_iter().map(read).collect()
    };
    check(&world, ("traceparent", format!("00-{TRACE}-{SPAN}-01")), "traceparent", true, &spans);
}
