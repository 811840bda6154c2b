//! What an operator writes, and what is posted then.

use serde_json::{Value, json};

use super::*;
use crate::audit::{AuditLog, Policy as AuditPolicy, Serials};
use crate::config::Variable;
use crate::config::audit_log::AuditLogConfig;
use crate::decision::{Decision, PUBLIC};
use crate::headers::Headers;
use crate::rejection::Rejection;
use crate::request::Request;
use crate::stage::{Alone, Completion, Exchange, Fetch, MetricId, MetricKind, Stage, Verdict};

const NOW: UnixTime = UnixTime::from_secs(1_709_210_100);

#[derive(Default)]
struct Written(Vec<String>);

impl Observer for Written {
    fn define_metric(&mut self, _: MetricKind, _: &str) -> Option<MetricId> {
        None
    }
    fn increment(&mut self, _: MetricId, _: u64) {}
    fn record(&mut self, _: MetricId, _: u64) {}
    fn adjust(&mut self, _: MetricId, _: i64) {}
    fn set_state(&mut self, _: &str, value: &str) {
        self.0.push(value.to_owned());
    }
    fn print(&mut self, line: &str) {
        self.0.push(line.to_owned());
    }
}

/// A compressor that shows what it got.
struct Upper;

impl crate::delivery::Compressor for Upper {
    fn gzip(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        Some(bytes.to_ascii_uppercase())
    }
}

/// One that the proxy does not have.
struct Absent;

impl crate::delivery::Compressor for Absent {
    fn gzip(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

fn environment(name: &str) -> Variable {
    match name {
        "TOKEN" => Variable::Set("t0k3n".to_owned()),
        "NEWLINE" => Variable::Set("t0k3n\nx: y".to_owned()),
        "ELSEWHERE" => Variable::Unknown,
        _ => Variable::Unset,
    }
}

fn compile_on(sinks: &Value, compressor: Option<Rc<dyn crate::delivery::Compressor>>) -> (Result<Sinks, String>, Vec<String>) {
    let config: AuditLogConfig = serde_json::from_value(json!({ "sinks": sinks })).unwrap();
    let mut warnings = Vec::new();
    let platform = Platform { compressor, ..Platform::from(&environment) };
    let sinks = Sinks::compile(config.sinks.as_deref(), &platform, &[0; 32], &mut warnings);
    (sinks.map_err(|error| error.to_string()), warnings.iter().map(ToString::to_string).collect())
}

fn compile(sinks: &Value) -> (Result<Sinks, String>, Vec<String>) {
    compile_on(sinks, None)
}

fn http(more: Value) -> Value {
    let mut sink = json!({"type": "http", "format": "ndjson", "uri": "https://siem.example.com/ingest?a=b", "cluster": "siem"});
    sink.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    sink
}

fn stage(sinks: &Value) -> AuditLog {
    let config =
        json!({"default": {"record": "always"}, "events": [{"name": "ping", "match": {"paths": ["/ping"]}, "record": "never"}]});
    let (policy, _) = AuditPolicy::compile(&serde_json::from_value(config).unwrap()).unwrap();
    AuditLog::new(Rc::new(policy), false, Serials::new(&[0; 32]), compile(sinks).0.unwrap())
}

fn exchange(path: &str) -> Exchange {
    let request = Request::new(Headers::from_pairs([(":method", "GET"), (":path", path), (":authority", "a")]));
    let decision = Some(Decision::allow("r".into(), PUBLIC, None));
    Exchange { decision, ..Exchange::new(request, Some(NOW)) }
}

fn log(stage: &mut AuditLog, exchange: &Exchange) -> Vec<String> {
    let mut written = Written::default();
    stage.on_log(exchange, &Completion { status: Some(200), ..Completion::default() }, NOW, &mut written);
    written.0
}

fn due(stage: &mut AuditLog, seconds: u64) -> Vec<Fetch> {
    stage.due(NOW.saturating_add(Duration::from_secs(seconds)), &mut Alone).fetches
}

fn text(fetch: &Fetch) -> String {
    String::from_utf8(fetch.post.as_ref().unwrap().body.to_vec()).unwrap()
}

#[test]
fn posts_events_as_lines_with_the_headers_that_the_sink_wants() {
    let headers = json!([{"name": "X-Scope-OrgID", "value": "acme"}, {"name": "x-api-key", "secret": {"env": "TOKEN"}}]);
    let mut stage = stage(&json!([http(json!({"authorization": {"bearer": {"env": "TOKEN"}}, "headers": headers}))]));
    assert_eq!(log(&mut stage, &exchange("/a")), Vec::<String>::new());
    log(&mut stage, &exchange("/b"));
    assert_eq!(due(&mut stage, 0), []);
    let [fetch] = &due(&mut stage, 1)[..] else { panic!("one batch") };
    assert_eq!((&*fetch.cluster, &*fetch.authority, &*fetch.path), ("siem", "siem.example.com", "/ingest?a=b"));
    assert_eq!((&*fetch.scheme, fetch.timeout), ("https", Duration::from_secs(5)));
    let post = fetch.post.as_ref().unwrap();
    assert_eq!((post.content_type, post.authorization.as_deref()), ("application/x-ndjson", Some("Bearer t0k3n")));
    let headers: Vec<_> = post.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(headers[..2], [("x-scope-orgid", "acme"), ("x-api-key", "t0k3n")]);
    let (name, key) = headers[2];
    assert!(name == "idempotency-key" && key.starts_with('"') && key.ends_with("-1\"") && headers.len() == 3, "{headers:?}");
    let text = text(fetch);
    assert!(text.ends_with("}\n"));
    let paths: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(paths.iter().map(|event: &Value| event["request"]["path"].clone()).collect::<Vec<_>>(), ["/a", "/b"]);
    assert!(!format!("{stage:?} {fetch:?}").contains("t0k3n"), "no secret in debug output");
}

#[test]
fn several_sinks_get_the_same_events_each_at_its_own_pace() {
    let other = http(json!({"uri": "https://other.example.com/", "batch": {"records": 1}}));
    let mut stage = stage(&json!([{"type": "accesslog"}, {"type": "stdout"}, http(json!({})), other]));
    let written = log(&mut stage, &exchange("/a"));
    assert_eq!(written.len(), 2);
    assert!(stage.is_pressing(NOW));
    let first = due(&mut stage, 0);
    assert_eq!(first.iter().map(|fetch| &*fetch.authority).collect::<Vec<_>>(), ["other.example.com"]);
    let second = due(&mut stage, 1);
    assert_eq!(second.iter().map(|fetch| &*fetch.authority).collect::<Vec<_>>(), ["siem.example.com"]);
    assert!(first.iter().chain(&second).all(|fetch| text(fetch).trim() == written[0]));
    let answered = FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body: Vec::new() };
    stage.on_fetched(first[0].id, answered.clone(), NOW, &mut Alone);
    assert!(!stage.drain());
    stage.on_fetched(second[0].id, answered, NOW, &mut Alone);
    assert!(stage.drain());
}

#[test]
fn batches_are_compressed_where_the_proxy_can() {
    let gzip = json!([http(json!({"compression": "gzip"}))]);
    let (sinks, warnings) = compile_on(&gzip, Some(Rc::new(Absent)));
    assert!(sinks.is_ok());
    assert_eq!(warnings, ["sinks[0].compression: the proxy does not compress: batches are sent as they are"]);
    assert_eq!(compile(&gzip).1, Vec::<String>::new(), "nobody knows it where there is no proxy");

    let (sinks, warnings) = compile_on(&gzip, Some(Rc::new(Upper)));
    assert_eq!(warnings, Vec::<String>::new());
    let mut stage = AuditLog { sinks: sinks.unwrap(), ..stage(&json!([http(json!({}))])) };
    log(&mut stage, &exchange("/a"));
    let fetch = due(&mut stage, 1).remove(0);
    assert!(text(&fetch).starts_with("{\"SCHEMA\""));
    let headers = fetch.post.unwrap().headers;
    assert!(headers.iter().any(|(name, value)| (&**name, &**value) == ("content-encoding", "gzip")), "{headers:?}");
}

#[test]
fn what_could_not_be_recorded_is_not_let_in() {
    let limits = json!({"overflow": "block", "batch": {"records": 2}, "buffer": {"records": 2}, "retry": {"attempts": 0}});
    let mut stage = stage(&json!([{"type": "stdout"}, http(limits)]));
    let ask = |stage: &mut AuditLog, path: &str| {
        let mut exchange = exchange(path);
        let verdict = stage.on_request(&mut exchange, NOW, &mut Alone);
        (verdict, exchange)
    };
    let (_, first) = ask(&mut stage, "/a");
    let (_, second) = ask(&mut stage, "/a");
    let refused = Verdict::Refuse(Rejection::AuditUnavailable.into());
    assert_eq!(ask(&mut stage, "/a").0, refused, "two that were let in are not recorded yet");
    assert_eq!(ask(&mut stage, "/ping").0, Verdict::Continue, "it is never recorded");
    log(&mut stage, &first);
    log(&mut stage, &second);
    assert_eq!(ask(&mut stage, "/a").0, refused);
    let mut exchange = exchange("/refused");
    exchange.conclude(Some(&Rejection::AuditUnavailable.into()));
    assert_eq!(log(&mut stage, &exchange).len(), 1, "other sinks are told of it");
    let fetch = due(&mut stage, 0).remove(0);
    assert!(!text(&fetch).contains("audit_unavailable"), "{}", text(&fetch));
    let answered = FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body: Vec::new() };
    stage.on_fetched(fetch.id, answered, NOW, &mut Alone);
    assert_eq!(ask(&mut stage, "/a").0, Verdict::Continue);
    let gap = text(&due(&mut stage, 1).remove(0));
    assert!(gap.contains("\"dropped\":1,\"reason\":\"blocked\",\"first\":\"f56ece944e25fc4c-3\""), "{gap}");
}

#[test]
fn only_what_has_to_asks_for_requests_and_ticks() {
    let cases = [
        (json!([{"type": "accesslog"}]), false, None),
        (json!([http(json!({}))]), false, Some(250)),
        (json!([http(json!({"overflow": "block"}))]), true, Some(250)),
        (json!([http(json!({"batch": {"interval": "10ms"}}))]), false, Some(100)),
        (json!([http(json!({"batch": {"interval": "60s"}, "retry": {"backoff": "30s"}}))]), false, Some(1000)),
    ];
    for (sinks, decides, period) in cases {
        let stage = stage(&sinks);
        assert_eq!((stage.decides(), stage.tick_period()), (decides, period.map(Duration::from_millis)), "{sinks}");
    }
}

#[test]
fn what_is_left_goes_to_the_log() {
    let mut stage = stage(&json!([http(json!({}))]));
    log(&mut stage, &exchange("/a"));
    let mut written = Written::default();
    stage.abandon(&mut written);
    assert_eq!(written.0.len(), 1);
    assert!(written.0[0].starts_with("{\"schema\":\"portcullis.audit/1\""));
    assert!(stage.drain());
}

#[test]
fn errors_name_the_place_and_say_what_would_be_right() {
    let one = |more: Value| json!([http(more)]);
    let sized = |batch: Value, buffer: Value| one(json!({"batch": batch, "buffer": buffer}));
    for (sinks, expected) in [
        (json!([]), "sinks: is empty, so that nothing would be recorded; leave it out for `accesslog`"),
        (json!([{"type": "stdout"}, {"type": "stdout"}]), "sinks[1].type: is named twice"),
        (json!([{"type": "stdout", "uri": "x"}]), "sinks[0].uri: is only for sinks of `type: http`"),
        (json!([{"type": "accesslog", "batch": {}}]), "sinks[0].batch: is only for sinks of `type: http`"),
        (one(json!({"bulkAction": "index"})), "sinks[0].bulkAction: is only for sinks of `format: elasticsearch`"),
        (json!([{"type": "http", "uri": "https://a/"}]), "sinks[0].format: is missing; for example `ndjson`"),
        (json!([{"type": "http", "format": "ndjson"}]), "sinks[0].uri: is missing"),
        (one(json!({"uri": "/x"})), "sinks[0].uri: is not an absolute URI"),
        (
            one(json!({"uri": "http://169.254.169.254/"})),
            "sinks[0].uri: leads to a link-local address or a cloud's metadata service",
        ),
        (json!([http(json!({})), http(json!({"name": "b"}))]), "sinks[1].uri: is that of a sink before it"),
        (
            json!([http(json!({"name": "a"})), http(json!({"name": "a", "cluster": "other"}))]),
            "sinks[1].name: is the name of a sink before it",
        ),
        (one(json!({"name": " "})), "sinks[0].name: is empty"),
        (one(json!({"timeout": "2m"})), "sinks[0].timeout: is not between 1ms and 60s"),
        (one(json!({"inFlight": 17})), "sinks[0].inFlight: is too many; at most 16"),
        (one(json!({"inFlight": 0})), "sinks[0].inFlight: is not 1 or more"),
        (sized(json!({"records": 0}), json!({})), "sinks[0].batch.records: is not 1 or more"),
        (sized(json!({"bytes": "0B"}), json!({})), "sinks[0].batch.bytes: is not 1 byte or more"),
        (sized(json!({"interval": "2m"}), json!({})), "sinks[0].batch.interval: is not between 1ms and 60s"),
        (sized(json!({}), json!({"records": 100})), "sinks[0].buffer.records: is less than a batch: no batch would ever be full"),
        (sized(json!({}), json!({"bytes": "1KiB"})), "sinks[0].buffer.bytes: is less than a batch: no batch would ever be full"),
        (one(json!({"retry": {"backoff": "2s", "maxBackoff": "1s"}})), "sinks[0].retry.maxBackoff: is shorter than `backoff`"),
        (one(json!({"authorization": {}})), "sinks[0].authorization: is empty; give `bearer` or `basic`"),
        (
            one(json!({"authorization": {"basic": {"username": "a:b", "password": {"env": "TOKEN"}}}})),
            "sinks[0].authorization.basic.username: is empty, or has a colon or control characters in it",
        ),
        (
            one(json!({"authorization": {"bearer": {"env": "NEWLINE"}}})),
            "sinks[0].authorization.bearer: cannot stand in a header; visible ASCII, with no white space at either end",
        ),
        (
            one(json!({"headers": [{"name": "Authorization", "value": "x"}]})),
            "sinks[0].headers[0].name: has a key of its own; give `authorization: {bearer: …}` or `{basic: …}`",
        ),
        (
            one(json!({"headers": [{"name": "content-type", "value": "x"}]})),
            "sinks[0].headers[0].name: is set by the gateway itself",
        ),
        (one(json!({"headers": [{"name": ":path", "value": "x"}]})), "sinks[0].headers[0].name: is not the name of a header"),
        (
            one(json!({"headers": [{"name": "a", "value": "x"}, {"name": "A", "value": "y"}]})),
            "sinks[0].headers[1].name: is named twice",
        ),
        (one(json!({"headers": [{"name": "a"}]})), "sinks[0].headers[0]: has no value; give `value` or `secret`"),
        (
            one(json!({"headers": [{"name": "a", "value": "x\r\ny: z"}]})),
            "sinks[0].headers[0].value: cannot stand in a header; visible ASCII, with no white space at either end",
        ),
    ] {
        assert_eq!(compile(&sinks).0.map(|_| ()), Err(expected.to_owned()), "{sinks}");
    }
    for unknown in
        [json!({"format": "syslog"}), json!({"overflow": "drop"}), json!({"compression": "zstd"}), json!({"retries": 1})]
    {
        let config = json!({"sinks": [http(unknown)]});
        assert!(serde_json::from_value::<AuditLogConfig>(config.clone()).is_err(), "{config}");
    }
}

#[test]
fn warns_of_what_deserves_a_second_look() {
    let bearer = json!({"bearer": {"env": "TOKEN"}});
    for (sink, expected) in [
        (http(json!({"authorization": bearer})), vec![]),
        (http(json!({"uri": "http://siem/"})), vec![]),
        (
            http(json!({"uri": "http://siem/", "authorization": bearer})),
            vec!["sinks[0].uri: is not https: whoever sees the connection sees the secret"],
        ),
        (
            http(json!({"uri": "http://siem/", "headers": [{"name": "x-key", "secret": {"env": "TOKEN"}}]})),
            vec!["sinks[0].uri: is not https: whoever sees the connection sees the secret"],
        ),
        (
            http(json!({"overflow": "block"})),
            vec![
                "sinks[0].overflow: refuses requests while the sink is away for longer than the buffer lasts",
                "sinks[0].retry.attempts: drops events all the same, once they were sent in vain that often; 0 keeps them",
            ],
        ),
        (
            http(json!({"authorization": {"bearer": {"env": "ELSEWHERE"}}})),
            vec!["sinks[0].authorization.bearer.env: the variable cannot be checked here"],
        ),
    ] {
        let (sinks, warnings) = compile(&json!([sink]));
        assert!(sinks.is_ok());
        assert_eq!(warnings, expected, "{sink}");
    }
}

#[test]
fn names_the_clusters_that_the_proxy_must_have() {
    let config: AuditLogConfig = serde_json::from_value(json!({"sinks": [
        {"type": "stdout"}, http(json!({})), {"type": "http", "format": "ndjson", "uri": "https://b.example.com/"},
    ]}))
    .unwrap();
    let found: Vec<_> = destinations(&config.sinks.unwrap())
        .into_iter()
        .map(|destination| (destination.path, destination.cluster.to_string(), destination.is_named))
        .collect();
    let expected = [
        ("sinks[1].cluster".to_owned(), "siem".to_owned(), true),
        ("sinks[2].cluster".to_owned(), "outbound|443||b.example.com".to_owned(), false),
    ];
    assert_eq!(found, expected);
}
