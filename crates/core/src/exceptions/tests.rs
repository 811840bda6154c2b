mod telling;

use std::collections::HashMap;

use serde_json::{Value, json};

use super::*;
use crate::audit::Policy as AuditPolicy;
use crate::config::Variable;
use crate::config::audit_log::AuditLogConfig;
use crate::decision::{Decision, HEALTH, PUBLIC};
use crate::headers::Headers;
use crate::rejection::Rejection;
use crate::request::Request;
use crate::response_flags::ResponseFlags;
use crate::stage::{Alone, Completion, Facts, Fetch, MetricId, MetricKind, NotShared, Over, Written};

const START: u64 = 1_709_210_100;
const UC: u64 = 1 << 6;
const UT: u64 = 1 << 2;
const UF: u64 = 1 << 5;
const NR: u64 = 1 << 8;
const UAEX: u64 = 1 << 12;
const DC: u64 = 1 << 14;

/// Shared data as a proxy has it.
#[derive(Default)]
struct Shared(HashMap<String, (Vec<u8>, u32)>);

impl SharedData for Shared {
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared> {
        Ok(self.0.get(key).cloned())
    }

    fn write(&mut self, key: &str, value: &[u8], over: Over) -> Result<Written, NotShared> {
        let version = self.0.get(key).map(|(_, version)| *version);
        let is_meant = match over {
            Over::Nothing => version.is_none(),
            Over::Version(wanted) => version == Some(wanted),
            Over::Anything => true,
        };
        if is_meant {
            self.0.insert(key.to_owned(), (value.to_owned(), version.unwrap_or_default() + 1));
        }
        Ok(if is_meant { Written::Done } else { Written::Outdated })
    }
}

fn environment(name: &str) -> Variable {
    match name {
        "SLACK" => Variable::Set("https://hooks.slack.com/services/T0/B0/S3CRET".to_owned()),
        "PLAIN" => Variable::Set("http://hooks.slack.com/services/T0/B0/S3CRET".to_owned()),
        "DSN" => Variable::Set("https://abcdef@o1.ingest.sentry.io/42".to_owned()),
        "METADATA" => Variable::Set("http://169.254.169.254/S3CRET".to_owned()),
        "ELSEWHERE" => Variable::Unknown,
        _ => Variable::Unset,
    }
}

fn compile(exceptions: Value) -> Result<(Exceptions, Vec<String>), String> {
    let events = json!([{"name": "order.read", "match": {"paths": ["/orders/{orderId}"]}}]);
    let config: AuditLogConfig = serde_json::from_value(json!({"events": events, "exceptions": exceptions})).unwrap();
    let (policy, _) = AuditPolicy::compile(&config).unwrap();
    let mut warnings = Vec::new();
    let platform = Platform::from(&environment);
    let stage = Exceptions::compile(&config.exceptions.unwrap(), "exceptions", Rc::new(policy), false, &platform, &mut warnings);
    stage.map(|stage| (stage, warnings.iter().map(ToString::to_string).collect())).map_err(|error| error.to_string())
}

fn generic() -> Value {
    json!({"format": "generic", "uri": "https://hooks.example.com/in?a=b", "cluster": "hooks"})
}

fn stage(webhook: Value) -> Exceptions {
    compile(json!({"webhooks": [webhook]})).unwrap().0
}

fn exchange(path: &str, headers: &[(&str, &str)]) -> Exchange {
    let pseudo = [(":method", "GET"), (":path", path), (":authority", "api.example.com")];
    let decision = Some(Decision::allow("read-orders".into(), PUBLIC, None));
    Exchange { decision, ..Exchange::new(Request::new(Headers::from_pairs(pseudo.iter().chain(headers).copied())), None) }
}

fn ended(status: u16, flags: u64, grpc: Option<u64>) -> Completion {
    let facts = Facts { flags: ResponseFlags(flags), grpc_status: grpc, ..Facts::default() };
    Completion { status: (status > 0).then_some(status), facts, ..Completion::default() }
}

/// An observer that counts: names, increments, lines and gauges.
#[derive(Default)]
struct Counters(Vec<String>, Vec<(u32, u64)>, Vec<String>, HashMap<u32, i64>);

impl Observer for Counters {
    fn define_metric(&mut self, _: MetricKind, name: &str) -> Option<MetricId> {
        self.0.push(name.to_owned());
        u32::try_from(self.0.len() - 1).ok().map(MetricId)
    }
    fn increment(&mut self, metric: MetricId, amount: u64) {
        self.1.push((metric.0, amount));
    }
    fn record(&mut self, _: MetricId, _: u64) {}
    fn adjust(&mut self, metric: MetricId, by: i64) {
        *self.3.entry(metric.0).or_default() += by;
    }
    fn set_state(&mut self, _: &str, _: &str) {}
    fn print(&mut self, line: &str) {
        self.2.push(line.to_owned());
    }
}

/// Lets an exchange end like this at a second after the start.
fn fail(stage: &mut Exceptions, at: u64, end: &Completion) {
    stage.on_log(&exchange("/orders/4711?token=x", &[]), end, UnixTime::from_secs(START + at), &mut Counters::default());
}

/// What is posted at that second, each answered with 200.
fn posted(stage: &mut Exceptions, at: u64, shared: &mut dyn SharedData) -> Vec<String> {
    let now = UnixTime::from_secs(START + at);
    let mut texts = Vec::new();
    loop {
        let fetches: Vec<Fetch> = stage.due(now, shared).fetches;
        if fetches.is_empty() {
            return texts;
        }
        for fetch in fetches {
            texts.push(String::from_utf8(fetch.post.unwrap().body.to_vec()).unwrap());
            let answer = FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body: Vec::new() };
            stage.on_fetched(fetch.id, answer, now, shared);
        }
    }
}

/// State, count and total of what is posted.
fn told(stage: &mut Exceptions, at: u64, shared: &mut dyn SharedData) -> Vec<(String, u64, u64)> {
    let report = |text: String| {
        let value: Value = serde_json::from_str(&text).unwrap();
        (value["state"].as_str().unwrap().to_owned(), value["count"].as_u64().unwrap(), value["total"].as_u64().unwrap())
    };
    posted(stage, at, shared).into_iter().map(report).collect()
}

#[test]
fn knows_what_is_the_fault_of_an_upstream() {
    let refused = |rejection| Some(Decision::refuse("a".into(), rejection, None));
    let health = || Some(Decision::allow("default".into(), HEALTH, None));
    let allowed = || Some(Decision::allow("a".into(), PUBLIC, None));
    let shadow = || refused(Rejection::RoleMissing).map(Decision::in_shadow);
    let grpc = [("content-type", "application/grpc")];
    for (case, decision, headers, end, expected) in [
        ("an answer", allowed(), &[][..], ended(200, 0, None), None),
        ("a refusal of the upstream", allowed(), &[], ended(404, 0, None), None),
        ("500", allowed(), &[], ended(500, 0, None), Some(Kind::Status)),
        ("500 where nothing was decided", None, &[], ended(500, 0, None), Some(Kind::Status)),
        ("500 in shadow", shadow(), &[], ended(500, 0, None), Some(Kind::Status)),
        ("the gateway says that it has none", health(), &[], ended(503, 0, None), None),
        ("the gateway has no keys", refused(Rejection::KeysUnavailable), &[], ended(503, 0, None), None),
        ("no connection", allowed(), &[], ended(503, UF, None), Some(Kind::Reset)),
        ("reset within the answer", allowed(), &[], ended(200, UC, None), Some(Kind::Reset)),
        ("no answer at all", allowed(), &[], ended(0, UC, None), Some(Kind::Reset)),
        ("timeout", allowed(), &[], ended(504, UT, None), Some(Kind::Timeout)),
        ("no route", allowed(), &[], ended(404, NR, None), None),
        ("an authorization service fails", allowed(), &[], ended(500, UAEX, None), None),
        ("the client leaves", allowed(), &[], ended(0, DC, None), None),
        ("the client leaves a 500", allowed(), &[], ended(500, DC, None), None),
        ("an upgraded connection is closed behind", allowed(), &[], ended(101, UC, None), None),
        ("gRPC, unavailable", allowed(), &grpc, ended(200, 0, Some(14)), Some(Kind::Grpc)),
        ("gRPC, not found", allowed(), &grpc, ended(200, 0, Some(5)), None),
        ("gRPC, fine", allowed(), &grpc, ended(200, 0, Some(0)), None),
        ("gRPC, no connection", allowed(), &grpc, ended(200, UF, Some(14)), Some(Kind::Reset)),
        ("not gRPC, but Envoy makes a status up", allowed(), &[], ended(200, 0, Some(2)), None),
    ] {
        let exchange = Exchange { decision, ..exchange("/orders/1", headers) };
        assert_eq!(Fault::of(&exchange, &end, || None).map(|fault| fault.kind), expected, "{case}");
    }
}

#[test]
fn tells_the_first_at_once_then_the_count_of_the_window_then_that_it_is_quiet() {
    let (mut stage, mut shared) = (stage(generic()), Shared::default());
    let end = ended(503, UF, None);
    assert!(!stage.is_pressing(UnixTime::from_secs(START)));
    fail(&mut stage, 0, &end);
    assert!(stage.is_pressing(UnixTime::from_secs(START)));
    assert_eq!(told(&mut stage, 0, &mut shared), [("first".to_owned(), 1, 1)]);
    for second in 1..=100 {
        fail(&mut stage, second, &end);
        assert!(!stage.is_pressing(UnixTime::from_secs(START + second)), "it waits for the end of the window");
        assert_eq!(told(&mut stage, second, &mut shared), []);
    }
    assert_eq!(told(&mut stage, 299, &mut shared), []);
    assert_eq!(told(&mut stage, 300, &mut shared), [("repeated".to_owned(), 100, 101)]);
    // No window is open any more in which something was counted: the next one is told of at once.
    assert_eq!(told(&mut stage, 600, &mut shared), []);
    fail(&mut stage, 650, &end);
    assert!(stage.is_pressing(UnixTime::from_secs(START + 650)));
    assert_eq!(told(&mut stage, 650, &mut shared), [("repeated".to_owned(), 1, 102)]);
    assert_eq!(told(&mut stage, 1249, &mut shared), []);
    assert_eq!(told(&mut stage, 1250, &mut shared), [("resolved".to_owned(), 0, 102)]);
    assert_eq!(told(&mut stage, 9999, &mut shared), []);
    // It is new again then.
    fail(&mut stage, 10_000, &end);
    assert_eq!(told(&mut stage, 10_000, &mut shared), [("first".to_owned(), 1, 1)]);
}

#[test]
fn workers_count_together_and_tell_once() {
    let (mut one, mut other, mut shared) = (stage(generic()), stage(generic()), Shared::default());
    let end = ended(500, 0, None);
    for stage in [&mut one, &mut other] {
        fail(stage, 0, &end);
        fail(stage, 0, &end);
    }
    assert_eq!(told(&mut one, 0, &mut shared), [("first".to_owned(), 1, 2)]);
    assert_eq!(told(&mut other, 0, &mut shared), []);
    assert_eq!(told(&mut other, 300, &mut shared), [("repeated".to_owned(), 3, 4)]);
    assert_eq!(told(&mut one, 300, &mut shared), []);
    assert_eq!(told(&mut one, 600, &mut shared), [("resolved".to_owned(), 0, 4)]);
    assert_eq!(told(&mut other, 600, &mut shared), []);
    assert!(one.groups.is_empty() && other.groups.is_empty());
}

#[test]
fn where_nothing_is_shared_each_worker_tells_for_itself() {
    let mut stage = stage(generic());
    fail(&mut stage, 0, &ended(500, 0, None));
    fail(&mut stage, 1, &ended(500, 0, None));
    assert_eq!(told(&mut stage, 1, &mut Alone), [("first".to_owned(), 1, 2)]);
    assert_eq!(told(&mut stage, 301, &mut Alone), [("repeated".to_owned(), 1, 2)]);
    assert_eq!(told(&mut stage, 601, &mut Alone), [("resolved".to_owned(), 0, 2)]);
}

#[test]
fn shared_data_that_makes_no_sense_is_none() {
    for nonsense in ["", "x", "1 2 3", "-1 0 0 0 0", "99999999999 5 5 5 99999999999", "1 2 3 4 18446744073709551616"] {
        let (mut stage, mut shared) = (stage(generic()), Shared::default());
        fail(&mut stage, 0, &ended(500, 0, None));
        let key = stage.groups.values().map(|group| format!("{}.{}", stage.prefix, group.id())).next().unwrap();
        shared.0.insert(key, (nonsense.as_bytes().to_vec(), 7));
        assert_eq!(told(&mut stage, 0, &mut shared), [("first".to_owned(), 1, 1)], "{nonsense}");
    }
}

#[test]
fn groups_are_told_apart_and_bounded() {
    let (mut stage, mut shared) = (stage(generic()), Shared::default());
    for end in [ended(500, 0, None), ended(502, 0, None), ended(503, UF, None), ended(503, UC, None), ended(500, 0, None)] {
        fail(&mut stage, 0, &end);
    }
    assert_eq!(told(&mut stage, 0, &mut shared).len(), 4);
    for rule in 0..MAX_GROUPS + 100 {
        let decision = Some(Decision::allow(format!("rule-{rule}").into(), PUBLIC, None));
        let exchange = Exchange { decision, ..exchange("/", &[]) };
        stage.on_log(&exchange, &ended(500, 0, None), UnixTime::from_secs(START), &mut Counters::default());
    }
    assert_eq!(stage.groups.len(), MAX_GROUPS + 1);
    assert!(stage.groups.contains_key(&Fault::other(Kind::Status)));
}

#[test]
fn counts_what_failed_and_what_was_told() {
    let (mut stage, mut shared) = (stage(generic()), Shared::default());
    for end in [ended(500, 0, None), ended(500, 0, None), ended(504, UT, None)] {
        fail(&mut stage, 0, &end);
    }
    let _ = posted(&mut stage, 0, &mut shared);
    let mut counters = Counters::default();
    stage.on_tick(UnixTime::from_secs(START), &mut counters);
    let counted: Vec<_> =
        counters.1.iter().map(|(id, amount)| (counters.0[usize::try_from(*id).unwrap()].as_str(), *amount)).collect();
    for expected in [
        ("reason=.=status;.;portcullis_exceptions_total", 2),
        ("reason=.=timeout;.;portcullis_exceptions_total", 1),
        ("outcome=.=first;.;portcullis_exception_reports_total", 2),
    ] {
        assert!(counted.contains(&expected), "{expected:?} in {counted:?}");
    }
}
