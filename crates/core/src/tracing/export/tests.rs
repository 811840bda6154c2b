use super::*;
use crate::config::Variable;
use crate::tracing::{Sampling, TraceContext};

const START: UnixTime = UnixTime::from_secs(1_760_000_000);

fn export(config: &Value) -> Result<Export, String> {
    let environment = |_: &str| Variable::Unset;
    let config = serde_json::from_value(config.clone()).unwrap();
    let compiled = Export::compile(&config, "spans", &Platform::from(&environment), &mut Vec::new());
    compiled.map_err(|error| error.to_string())
}

fn config(format: &str) -> Value {
    json!({"format": format, "uri": "http://collector.example.com/spans", "cluster": "collector"})
}

fn span(bits: u64, about: Option<&str>) -> Span {
    Span {
        context: TraceContext {
            trace: TraceId::new(0xa).unwrap(),
            span: SpanId::new(bits).unwrap(),
            parent: SpanId::new(0xc),
            sampling: Sampling::Accepted,
            is_random: true,
        },
        callout: Callout::Jwks,
        about: about.map(Into::into),
        server: "uaa.example.com".into(),
        method: "GET",
        start: START,
    }
}

fn end(status: Option<u16>) -> SpanEnd {
    SpanEnd { end: START.saturating_add(std::time::Duration::from_millis(25)), status }
}

/// What is posted.
fn posted(export: &mut Export, now: UnixTime) -> Vec<(FetchId, Value)> {
    let due = export.due(now);
    due.fetches.iter().map(|fetch| (fetch.id, serde_json::from_slice(&fetch.post.as_ref().unwrap().body).unwrap())).collect()
}

const LATER: UnixTime = UnixTime::from_secs(1_760_000_010);

#[test]
fn spans_are_posted_as_opentelemetry_wants_them() {
    let mut export = export(&config("otlp")).unwrap();
    export.push(&span(0xb, Some("uaa")), end(Some(200)));
    export.push(&span(0xd, None), end(None));
    let [(id, body)] = &posted(&mut export, LATER)[..] else { panic!("one batch") };
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let expected = json!({"resourceSpans": [{
        "resource": {"attributes": [attribute("service.name", "portcullis")]},
        "scopeSpans": [{"scope": {"name": "portcullis"}, "spans": [
            {
                "traceId": "0000000000000000000000000000000a", "spanId": "000000000000000b", "parentSpanId": "000000000000000c",
                "name": "portcullis jwks", "kind": 3,
                "startTimeUnixNano": "1760000000000000000", "endTimeUnixNano": "1760000000025000000",
                "attributes": [
                    attribute("http.request.method", "GET"), attribute("portcullis.outcome", "success"),
                    attribute("portcullis.issuer", "uaa"), attribute("server.address", "uaa.example.com"),
                    {"key": "http.response.status_code", "value": {"intValue": "200"}},
                ],
            },
            {
                "traceId": "0000000000000000000000000000000a", "spanId": "000000000000000d", "parentSpanId": "000000000000000c",
                "name": "portcullis jwks", "kind": 3,
                "startTimeUnixNano": "1760000000000000000", "endTimeUnixNano": "1760000000025000000",
                "attributes": [
                    attribute("http.request.method", "GET"), attribute("portcullis.outcome", "no_answer"),
                    attribute("server.address", "uaa.example.com"),
                ],
                "status": {"code": 2},
            },
        ]}],
    }]});
    assert_eq!(*body, expected);
    let answer = FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body: b"{}".to_vec() };
    export.on_fetched(*id, answer, LATER);
    assert!(export.drain());
}

#[test]
fn spans_are_posted_as_zipkin_wants_them() {
    let mut export = export(&json!({
        "format": "zipkin", "uri": "http://collector.example.com/spans", "cluster": "collector", "serviceName": "gateway",
    }))
    .unwrap();
    let credential = Span { callout: Callout::Credential, method: "POST", ..span(0xb, Some("billing")) };
    export.push(&credential, end(Some(503)));
    let [(_, body)] = &posted(&mut export, LATER)[..] else { panic!("one batch") };
    let expected = json!([{
        "traceId": "0000000000000000000000000000000a", "id": "000000000000000b", "parentId": "000000000000000c",
        "name": "portcullis credential", "kind": "CLIENT", "timestamp": 1_760_000_000_000_000_u64, "duration": 25_000,
        "localEndpoint": {"serviceName": "gateway"}, "remoteEndpoint": {"serviceName": "uaa.example.com"},
        "tags": {
            "http.method": "POST", "portcullis.outcome": "bad_status", "portcullis.upstream": "billing",
            "http.status_code": "503", "error": "true",
        },
    }]);
    assert_eq!(*body, expected);
}

#[test]
fn what_does_not_fit_is_dropped_and_said_in_its_place() {
    for format in ["otlp", "zipkin"] {
        let mut config = config(format);
        config["buffer"] = json!({"records": 2});
        config["batch"] = json!({"records": 2});
        let mut export = export(&config).unwrap();
        (1..=5).for_each(|bits| export.push(&span(bits, None), end(Some(200))));
        let text: String = posted(&mut export, LATER).iter().map(|(_, body)| body.to_string()).collect();
        assert!(text.contains("portcullis spans dropped") && text.contains("portcullis.dropped"), "{text}");
        assert_eq!(text.matches("portcullis jwks").count(), 2, "{text}");
        assert_eq!(text.matches("uaa.example.com").count(), 2, "{text}");
    }
}

#[test]
fn what_the_server_does_not_take_is_counted() {
    let receipt = |format: SpanFormat, answer: &str| Form::new(format, "a").receipt(3, answer.as_bytes());
    for (answer, expected) in [
        ("", Receipt::All),
        ("{}", Receipt::All),
        (r#"{"partialSuccess":{"rejectedSpans":"2"}}"#, Receipt::AllBut(2)),
        (r#"{"partialSuccess":{"rejectedSpans":1}}"#, Receipt::AllBut(1)),
        (r#"{"partialSuccess":{"rejectedSpans":"0"}}"#, Receipt::All),
    ] {
        assert_eq!(receipt(SpanFormat::Otlp, answer), expected, "{answer}");
        assert_eq!(receipt(SpanFormat::Zipkin, answer), Receipt::All, "{answer}");
    }
}

#[test]
fn refuses_what_leads_nowhere() {
    for (change, expected) in [
        (json!({"serviceName": " "}), "spans.serviceName: is empty"),
        (json!({"uri": "collector"}), "spans.uri: "),
        (json!({"headers": [{"name": "content-type", "value": "a"}]}), "spans.headers[0].name: is set by the gateway itself"),
        (json!({"headers": [{"name": "Traceparent", "value": "a"}]}), "spans.headers[0].name: is set by the gateway itself"),
        (json!({"cluster": ""}), "spans.uri: has an empty `cluster` beside it"),
        (json!({"buffer": {"records": 1}}), "spans.buffer.records: "),
    ] {
        let mut config = config("otlp");
        config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let error = export(&config).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}
