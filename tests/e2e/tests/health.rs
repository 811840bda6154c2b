//! How the gateway says how it is doing: to whom, what, and when it is not to be sent requests.

use std::sync::OnceLock;
use std::time::Duration;

use portcullis_core::config_version::ConfigVersion;
use portcullis_e2e::{Discovered, Stack, bundle};
use portcullis_testbed::{Algorithm, FakeSink, Issuer, JwksServer, Listener, Manner, Request, Response, poll};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);
const ISSUER: &str = "https://uaa.example.com";

/// The whole configuration of a bundle whose keys are fetched from this cluster.
fn configuration(cluster: &str, more: &Value) -> Value {
    let rule = json!({
        "name": "uaa", "issuer": ISSUER, "jwksUri": "http://uaa.example.com/jwks.json", "cluster": cluster, "refresh": "1s",
        "timeout": "500ms",
    });
    let mut configuration = json!({
        "jwtAuth": {"jwtRules": [rule], "rules": [{"name": "open", "match": {"paths": ["/open"]}, "access": "public"}]},
        "auditLog": {"default": {"record": "always"}},
        "metrics": {"health": {"path": "/healthz"}},
    });
    let object = configuration.as_object_mut().unwrap();
    object.extend(more.as_object().unwrap().clone());
    configuration
}

fn sinks(list: &Value) -> Value {
    json!({"auditLog": {"default": {"record": "always"}, "sinks": list}})
}

struct World {
    stack: Stack,
    issuer: Issuer,
    starting: JwksServer,
    /// It serves until the end.
    _working: JwksServer,
    sink: FakeSink,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap();
        let starting = JwksServer::start(&json!("no keys yet")).unwrap();
        let working = JwksServer::start(&issuer.jwks().unwrap()).unwrap();
        let sink = FakeSink::start().unwrap();
        let blocking = json!([{"type": "accesslog"}, {
            "type": "http", "name": "siem", "format": "ndjson", "cluster": "sink", "uri": "http://sink.example.com/in",
            "batch": {"records": 1, "interval": "100ms"}, "buffer": {"records": 2}, "inFlight": 1, "overflow": "block",
            "retry": {"attempts": 0, "backoff": "100ms", "maxBackoff": "200ms"},
        }]);
        let listeners = [
            bundle("starting", &configuration("starting", &json!({}))),
            bundle("working", &configuration("working", &json!({}))),
            bundle("brief", &configuration("working", &json!({"metrics": {"health": {"path": "/status", "details": false}}}))),
            bundle("blocking", &configuration("working", &sinks(&blocking))),
        ];
        let clusters = [("starting", starting.address()), ("working", working.address()), ("sink", sink.address())];
        let stack = Stack::start(listeners, &clusters);
        World { stack, issuer, starting, _working: working, sink }
    })
}

impl World {
    fn ask(&self, listener: &str) -> Response {
        self.stack.envoy.listener(listener).get("/healthz")
    }

    /// Ask until both workers say what is wanted.
    #[track_caller]
    fn becomes(&self, listener: &str, status: u16, pointer: &str, wanted: &Value) -> Value {
        let mut last = (0, Value::Null);
        let settled = poll("the health", PATIENCE, || {
            let is_wanted = |answer: &(u16, Value)| answer.0 == status && answer.1.pointer(pointer) == Some(wanted);
            (0..8)
                .all(|_| {
                    let response = self.ask(listener);
                    last = (response.status, response.json());
                    is_wanted(&last)
                })
                .then_some(())
        });
        assert!(settled.is_ok(), "{listener}: {wanted} did not come, the last answer was {last:?}");
        last.1
    }
}

#[test]
fn is_unavailable_before_there_are_keys_then_ok_and_stale_keys_change_nothing() {
    let world = world();
    let answer = world.becomes("starting", 503, "/issuers/0/keys", &json!("none"));
    assert_eq!((&answer["status"], &answer["sinks"]), (&json!("unavailable"), &json!([])));
    world.starting.rotate(&world.issuer.jwks().unwrap());
    world.becomes("starting", 200, "/issuers/0/keys", &json!("fresh"));
    world.starting.rotate(&json!("the issuer is down"));
    let answer = world.becomes("starting", 200, "/issuers/0/keys", &json!("stale"));
    assert_eq!(answer["status"], "ok");
    assert!(answer["issuers"][0]["keysAgeSeconds"].as_u64().is_some_and(|age| age < 60), "{answer}");
    let _ = world.stack.passes("starting", &Request::get("/orders").bearer(&world.issuer.token().unwrap()));
}

#[test]
fn tells_how_it_is_doing_and_nothing_of_how_it_is_configured() {
    let world = world();
    let answer = world.becomes("working", 200, "/issuers/0/keys", &json!("fresh"));
    let version = ConfigVersion::of(configuration("working", &json!({})).to_string().as_bytes()).to_string();
    let age = answer["issuers"][0]["keysAgeSeconds"].clone();
    let issuers = json!([{"name": "uaa", "keys": "fresh", "keysAgeSeconds": age}]);
    assert_eq!(answer, json!({"status": "ok", "configVersion": version, "issuers": issuers, "sinks": []}));
    let response = world.ask("working");
    let header = |name: &str| response.headers.get(name);
    assert_eq!(header("content-type").as_deref(), Some("application/json"));
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    let head = world.stack.envoy.listener("working").send(&Request::new("HEAD", "/healthz"));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(world.stack.upstream.seen(&response.id).is_none());
    let brief = world.stack.envoy.listener("brief").get("/status");
    let keys: Vec<_> = brief.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["configVersion", "status"]);
}

#[test]
fn a_probe_is_known_by_its_path_and_method_and_never_by_its_user_agent_cve_2026_34457() {
    let stack = &world().stack;
    for (method, target) in [
        ("GET", "/orders"),
        ("GET", "/healthz/"),
        ("GET", "/healthz?verbose"),
        ("GET", "//healthz"),
        ("GET", "/%68ealthz"),
        ("GET", "/healthz;a"),
        ("POST", "/healthz"),
        ("OPTIONS", "/healthz"),
    ] {
        for agent in ["kube-probe/1.33", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Envoy/HC"] {
            let request = Request::new(method, target).header("content-length", "0").header("user-agent", agent);
            assert_eq!(stack.outcome("working", &request), "401 token_missing", "{method} {target}");
        }
    }
}

#[test]
fn answers_are_counted_and_not_on_record() {
    let world = world();
    let count = |outcome: &str| world.stack.envoy.metric("portcullis_health_checks_total", &[("outcome", outcome)]);
    let requests = || world.stack.envoy.metric("portcullis_requests_total", &[("reason", "health"), ("decision", "allow")]);
    let before = (count("ok"), requests());
    let asked: Vec<_> = (0..5).map(|_| world.stack.envoy.listener("brief").get("/status").id).collect();
    poll("the counts", PATIENCE, || (count("ok") >= before.0 + 5.0 && requests() >= before.1 + 5.0).then_some(())).unwrap();
    for id in &asked {
        assert_eq!(world.stack.envoy.recorded("brief", id), None);
    }
    let details = world.stack.envoy.access_line("brief", &asked[0]).details;
    assert_eq!(details, "portcullis{health}");
}

#[test]
fn a_full_sink_that_must_have_every_event_makes_the_gateway_unavailable() {
    let world = world();
    world.becomes("blocking", 200, "/sinks/0", &json!({"name": "siem", "state": "ok", "queued": 0}));
    world.sink.set_manner(Manner::Failing(503, None));
    // Each worker has a buffer of its own.
    let refused = poll("full buffers", PATIENCE, || {
        let outcomes = (0..8).map(|_| world.stack.envoy.listener("blocking").get("/open").outcome());
        outcomes.filter(|outcome| outcome != "503 audit_unavailable").count().eq(&0).then_some(())
    });
    refused.unwrap();
    world.becomes("blocking", 503, "/sinks/0/state", &json!("full"));
    world.sink.set_manner(Manner::Good);
    world.becomes("blocking", 200, "/sinks/0", &json!({"name": "siem", "state": "ok", "queued": 0}));
}

#[test]
fn one_module_on_two_listeners_answers_on_the_one_of_the_port() {
    let issuer = Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap();
    let keys = JwksServer::start(&issuer.jwks().unwrap()).unwrap();
    let mut discovered = Discovered::new();
    discovered.publish(&configuration("keys", &json!({"metrics": {}})));
    let listeners = ["public", "probes"].map(|name| Listener::new(name).native(discovered.filter()));
    let stack = Stack::start(listeners, &[("keys", keys.address())]);
    let probes = stack.envoy.listener("probes");
    assert_eq!(probes.get("/healthz").outcome(), "401 token_missing");
    discovered.publish(&configuration("keys", &json!({"metrics": {"health": {"path": "/healthz", "port": probes.port()}}})));
    poll("the new configuration with its keys", PATIENCE, || (0..8).all(|_| probes.get("/healthz").status == 200).then_some(()))
        .unwrap();
    // The port that counts is the proxy's own, whatever a client says of it.
    let host = format!("api.example.com:{}", probes.port());
    let request = || Request::get("/healthz").host(&host).header("x-forwarded-port", probes.port().to_string());
    for _ in 0..8 {
        assert_eq!(stack.outcome("public", &request()), "401 token_missing");
    }
    let token = issuer.token().unwrap();
    let _ = stack.passes("public", &Request::get("/orders").bearer(&token));
    assert_eq!(probes.get("/orders").outcome(), "401 token_missing");
}

#[test]
fn a_new_configuration_has_from_its_first_answer_on_the_keys_that_are_known() {
    let issuer = Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap();
    let keys = JwksServer::start(&issuer.jwks().unwrap()).unwrap();
    let configuration =
        |max_series: u32| configuration("keys", &json!({"metrics": {"health": {"path": "/healthz"}, "maxSeries": max_series}}));
    let mut discovered = Discovered::new();
    discovered.publish(&configuration(1));
    let stack = Stack::start([Listener::new("gateway").native(discovered.filter())], &[("keys", keys.address())]);
    let gateway = stack.envoy.listener("gateway");
    poll("the keys", PATIENCE, || (0..8).all(|_| gateway.get("/healthz").status == 200).then_some(())).unwrap();
    for max_series in [2, 3, 4] {
        let next = configuration(max_series);
        let version = ConfigVersion::of(next.to_string().as_bytes()).to_string();
        discovered.publish(&next);
        let is_in_force = || {
            let response = gateway.get("/healthz");
            assert_eq!(response.status, 200, "{}", response.json());
            response.json()["configVersion"] == json!(version)
        };
        poll("the new configuration", PATIENCE, || (0..8).all(|_| is_in_force()).then_some(())).unwrap();
    }
}
