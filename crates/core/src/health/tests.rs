//! Who is answered, and what.

use serde_json::{Value, json};

use super::*;
use crate::config::Variable;
use crate::config::health::HealthConfig;
use crate::config_version::ConfigVersion;
use crate::decision::Decision;
use crate::headers::Headers;
use crate::metrics::Board;
use crate::module::Module;
use crate::request::Request;
use crate::stage::{Completion, Exchange, NotShared, NotTold, Over, SharedData, Stage, Surroundings, Verdict, Written};
use crate::time::UnixTime;

const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

fn config(json: Value) -> HealthConfig {
    serde_json::from_value(json).unwrap()
}

fn compile(json: Value) -> Result<HealthEndpoint, String> {
    let issuers = ["uaa".into(), "partner".into()];
    HealthEndpoint::compile(&config(json), "health", ConfigVersion::of(b"{}"), &issuers).map_err(|error| error.to_string())
}

/// A connection to this port; none where the proxy does not tell.
struct Port(Option<u16>);

impl Surroundings for Port {
    fn is_tls(&mut self) -> Result<bool, NotTold> {
        Err(NotTold)
    }

    fn client_certificate(&mut self) -> Result<Option<Vec<u8>>, NotTold> {
        Err(NotTold)
    }

    fn local_port(&mut self) -> Result<u16, NotTold> {
        self.0.ok_or(NotTold)
    }
}

impl SharedData for Port {
    fn read(&mut self, _key: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared> {
        Err(NotShared)
    }

    fn write(&mut self, _key: &str, _value: &[u8], _over: Over) -> Result<Written, NotShared> {
        Err(NotShared)
    }
}

fn exchange(headers: &[(&str, &str)]) -> Exchange {
    Exchange::new(Request::new(Headers::from_pairs(headers.iter().copied())), None)
}

fn ask(stage: &mut HealthEndpoint, headers: &[(&str, &str)], port: Option<u16>) -> (Verdict, Option<Decision>) {
    let mut exchange = exchange(headers);
    (stage.on_request(&mut exchange, NOW, &mut Port(port)), exchange.decision)
}

#[test]
fn answers_for_exactly_its_path() {
    let mut stage = compile(json!({"path": "/healthz"})).unwrap();
    for method in ["GET", "HEAD"] {
        let (verdict, decision) = ask(&mut stage, &[(":method", method), (":path", "/healthz"), (":authority", "a")], None);
        assert!(matches!(verdict, Verdict::TellHealth(_)), "{verdict:?}");
        assert!(decision.unwrap().is_of_health());
    }
}

#[test]
fn every_other_request_goes_on_to_the_rules_whoever_says_to_ask_cve_2026_34457() {
    let mut stage = compile(json!({"path": "/healthz"})).unwrap();
    let probe = ("user-agent", "kube-probe/1.33");
    for (method, target) in [
        ("POST", "/healthz"),
        ("get", "/healthz"),
        ("OPTIONS", "/healthz"),
        ("GET", "/healthz/"),
        ("GET", "/healthz?"),
        ("GET", "/healthz?verbose"),
        ("GET", "/healthz#a"),
        ("GET", "/healthz;a=b"),
        ("GET", "//healthz"),
        ("GET", "/./healthz"),
        ("GET", "/a/../healthz"),
        ("GET", "/%68ealthz"),
        ("GET", "/HEALTHZ"),
        ("GET", "/healthz%00"),
        ("GET", "/orders"),
        ("GET", "http://a/healthz"),
        ("GET", "*"),
        ("GET", ""),
    ] {
        let headers = [(":method", method), (":path", target), (":authority", "a"), probe, ("x-envoy-original-path", "/healthz")];
        assert_eq!(ask(&mut stage, &headers, None), (Verdict::Continue, None), "{method} {target}");
    }
    let twice = [(":method", "GET"), (":path", "/healthz"), (":path", "/healthz"), probe];
    assert_eq!(ask(&mut stage, &twice, None), (Verdict::Continue, None));
}

#[test]
fn where_there_is_a_port_only_its_listener_answers() {
    let mut stage = compile(json!({"path": "/healthz", "port": 8086})).unwrap();
    let headers = [(":method", "GET"), (":path", "/healthz"), ("host", "a:8086"), ("x-forwarded-port", "8086")];
    for (port, is_answered) in [(Some(8086), true), (Some(8080), false), (None, false)] {
        assert_eq!(ask(&mut stage, &headers, port).0 != Verdict::Continue, is_answered, "{port:?}");
    }
}

#[test]
fn refuses_what_cannot_be_meant() {
    for (document, expected) in [
        (json!({"path": "healthz"}), "health.path: is not an exact path; for example /healthz"),
        (json!({"path": "/health/**"}), "health.path: is not an exact path; for example /healthz"),
        (json!({"path": "/healthz?a"}), "health.path: is not an exact path; for example /healthz"),
        (json!({"path": "/a", "port": 0}), "health.port: must be between 1 and 65535"),
        (
            json!({"path": "/a", "optionalIssuers": ["uaa", "other"]}),
            "health.optionalIssuers[1]: is not the name of a `jwtRules` entry; names of `jwtRules` entries: `uaa`, `partner`",
        ),
        (json!({"path": "/a", "optionalIssuers": ["uaa", "uaa"]}), "health.optionalIssuers[1]: is named twice"),
    ] {
        assert_eq!(compile(document).unwrap_err(), expected);
    }
}

fn issuer(place: usize, name: &str, keys: KeyState, age: Option<u64>) -> IssuerHealth {
    IssuerHealth { place, name: name.into(), is_named: true, keys, age: age.map(Duration::from_secs) }
}

fn sink(state: SinkState, blocks: bool) -> SinkHealth {
    SinkHealth { name: "siem".into(), state, queued: 7, blocks }
}

#[test]
fn the_answer_tells_how_each_part_is_doing_and_nothing_of_how_it_is_configured() {
    let mut stage = compile(json!({"path": "/healthz", "optionalIssuers": ["partner"]})).unwrap();
    let Verdict::TellHealth(answer) = ask(&mut stage, &[(":method", "GET"), (":path", "/healthz")], None).0 else { panic!() };
    let mut health = Health { issuers: Vec::new(), sinks: vec![sink(SinkState::Retrying, true)] };
    health.add_issuer(IssuerHealth { is_named: false, ..issuer(0, "accounts.google.com", KeyState::Fresh, None) });
    health.add_issuer(issuer(1, "tenants", KeyState::Fresh, Some(5)));
    health.add_issuer(issuer(1, "tenants", KeyState::Stale, Some(4000)));
    health.add_issuer(issuer(2, "partner", KeyState::None, None));
    health.add_issuer(issuer(3, "https://named.example.com", KeyState::Fresh, None));
    let reply = answer.reply(&health);
    assert_eq!((reply.status, &*reply.details), (200, "portcullis{health}"));
    assert!(reply.headers.contains(&("content-type", "application/json".to_owned())));
    assert!(reply.headers.contains(&("cache-control", "no-store".to_owned())));
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let expected = json!({
        "status": "ok",
        "configVersion": ConfigVersion::of(b"{}").to_string(),
        "issuers": [
            {"name": "issuer0", "keys": "fresh"},
            {"name": "tenants", "keys": "stale", "keysAgeSeconds": 4000},
            {"name": "partner", "keys": "none"},
            {"name": "https://named.example.com", "keys": "fresh"},
        ],
        "sinks": [{"name": "siem", "state": "retrying", "queued": 7}],
    });
    assert_eq!(body, expected);
    let brief = Answer { has_details: false, ..(*answer).clone() }.reply(&health);
    let body: Value = serde_json::from_slice(&brief.body).unwrap();
    assert_eq!(body, json!({"status": "ok", "configVersion": ConfigVersion::of(b"{}").to_string()}));
}

#[test]
fn is_unavailable_only_when_the_gateway_cannot_do_its_work() {
    let of = |issuers, sinks| Health { issuers, sinks };
    for (health, expected) in [
        (Health::default(), true),
        (of(vec![issuer(0, "uaa", KeyState::Stale, Some(80_000))], vec![sink(SinkState::Retrying, true)]), true),
        (of(vec![issuer(0, "uaa", KeyState::Fresh, None), issuer(1, "b", KeyState::None, None)], vec![]), false),
        (of(vec![issuer(0, "optional", KeyState::None, None)], vec![]), true),
        (of(vec![], vec![sink(SinkState::Full, true)]), false),
        (of(vec![], vec![sink(SinkState::Full, false)]), true),
    ] {
        assert_eq!(health.is_available(&["optional".to_owned()]), expected, "{health:?}");
    }
}

#[test]
fn answers_are_counted_by_what_they_said() {
    let mut stage = compile(json!({"path": "/healthz"})).unwrap();
    let mut board = Board::default();
    for (target, status) in [("/healthz", 200), ("/healthz", 200), ("/healthz", 503), ("/orders", 200)] {
        let mut exchange = exchange(&[(":method", "GET"), (":path", target)]);
        stage.on_request(&mut exchange, NOW, &mut Port(None));
        stage.on_log(&exchange, &Completion { status: Some(status), ..Completion::default() }, NOW, &mut board);
    }
    let counted =
        |outcome: &str| board.values[&format!("outcome=.={outcome};.;portcullis_health_checks_total")].iter().sum::<u64>();
    assert_eq!((counted("ok"), counted("unavailable")), (2, 1));
}

#[test]
fn whoever_asks_for_the_health_is_answered_before_anybody_is_asked_who_they_are() {
    let environment = |_: &str| Variable::Unset;
    let written = r#"{"type":"http","format":"ndjson","uri":"http://siem","cluster":"siem","overflow":"block"}"#;
    let bundle = format!(
        r#"{{"jwtAuth":{{"jwtRules":[{{"name":"uaa","issuer":"a","jwksUri":"http://a","cluster":"a"}}]}},
            "auditLog":{{"sinks":[{written}]}},"metrics":{{"health":{{"path":"/healthz","optionalIssuers":["uaa"]}}}}}}"#
    );
    let mut loaded = Module::Bundle.load(bundle.as_bytes(), &environment).unwrap();
    let mut exchange = exchange(&[(":method", "GET"), (":path", "/healthz")]);
    let verdict = loaded.stages[0].on_request(&mut exchange, NOW, &mut Port(None));
    let Verdict::TellHealth(answer) = verdict else { panic!("{verdict:?}") };
    assert_eq!(answer.version, ConfigVersion::of(bundle.as_bytes()));
    let mut health = Health::default();
    loaded.stages.iter().for_each(|stage| stage.health(NOW, &mut health));
    let issuer = issuer(0, "uaa", KeyState::None, None);
    let sink = SinkHealth { name: "sink0".into(), queued: 0, ..sink(SinkState::Ok, true) };
    assert_eq!(health, Health { issuers: vec![issuer], sinks: vec![sink] });
    let error = Module::Bundle.load(bundle.replace(r#"["uaa"]"#, r#"["uab"]"#).as_bytes(), &environment).unwrap_err().to_string();
    assert_eq!(error, "metrics.health.optionalIssuers[0]: is not the name of a `jwtRules` entry; did you mean `uaa`?");
    let error = Module::Metrics.load(br#"{"health":{"path":"/healthz"}}"#, &environment).unwrap_err().to_string();
    assert!(error.starts_with("health: is for the bundle"), "{error}");
}

#[test]
fn an_entry_without_a_name_is_told_of_by_its_place_whatever_its_issuer_looks_like() {
    let environment = |_: &str| Variable::Unset;
    let entry = |more: &str| format!(r#"{{"jwksUri":"https://a/{{tenant}}","cluster":"a",{more}}}"#);
    let entries = [
        entry(r#""issuer":"accounts.google.com""#),
        entry(r#""issuer":"urn:example:issuer""#),
        entry(r#""issuer":"https://id.example.com/{tenant}","tenants":["a","b"]"#),
        entry(r#""issuer":"https://named.example.com","name":"https://named.example.com""#),
        entry(r#""issuer":"https://other.example.com/{tenant}","name":"tenants","tenants":["a"]"#),
    ];
    let document = format!(r#"{{"jwtRules":[{}]}}"#, entries.join(","));
    let loaded = Module::JwtAuth.load(document.as_bytes(), &environment).unwrap();
    let mut health = Health::default();
    loaded.stages.iter().for_each(|stage| stage.health(NOW, &mut health));
    let answer = Answer { version: ConfigVersion::of(b"{}"), has_details: true, optional_issuers: Vec::new() };
    let body: Value = serde_json::from_slice(&answer.reply(&health).body).unwrap();
    let names: Vec<_> = body["issuers"].as_array().unwrap().iter().map(|issuer| issuer["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["issuer0", "issuer1", "issuer2", "https://named.example.com", "tenants"]);
}
