//! The shipped alerts, fired by a real Prometheus over real gateways: silent while all is well, and each comes when something is wrong.
//!
//! They are loaded as they are shipped, but that they [wait for seconds](hurried_rules) where the file says minutes.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use portcullis_e2e::{Discovered, Stack, hurried_rules};
use portcullis_testbed::{
    Algorithm, FakeSink, Issuer, JwksServer, Listener, Manner, Prometheus, Request, Scratch, poll, workspace,
};
use serde_json::{Value, json};

const ISSUER: &str = "https://uaa.example.com";
const PARTNER: &str = "https://partner.example.com";
const PATIENCE: Duration = Duration::from_secs(60);

/// Those that no trouble of some seconds brings about, each with the reason.
const UNREACHABLE: [(&str, &str); 4] = [
    ("PortcullisVmDead", "the module does not trap: case_41 has it fire for one that does"),
    ("PortcullisKeysOld", "keys must have been there for four hours"),
    ("PortcullisKeysExpiring", "keys must have been there for twenty hours"),
    ("PortcullisVmRestarts", "the module does not trap: case_41 has it fire for one that does"),
];

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Every alert that is shipped.
fn all_alerts() -> BTreeSet<String> {
    let text = fs::read_to_string(workspace().join("observability/prometheus/alerts.yaml")).unwrap();
    text.lines().filter_map(|line| line.trim_start().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

/// The names of the alerts that fire, or wait to.
fn alerts(prometheus: &Prometheus, states: &[&str]) -> BTreeSet<String> {
    let answer = prometheus.get("/api/v1/alerts");
    let alerts = answer["data"]["alerts"].as_array().unwrap();
    let found = alerts.iter().filter(|alert| states.contains(&alert["state"].as_str().unwrap()));
    found.map(|alert| alert["labels"]["alertname"].as_str().unwrap().to_owned()).collect()
}

fn sink(name: &str, cluster: &str) -> Value {
    json!({
        "type": "http", "name": name, "format": "ndjson", "cluster": cluster, "uri": "http://sink.example.com/in",
        "batch": {"records": 2, "interval": "200ms"},
    })
}

/// All is well with it.
fn good() -> Value {
    json!({
        "jwtAuth": {
            "jwtRules": [{"name": "uaa", "issuer": ISSUER, "jwksUri": "http://uaa.example.com/jwks.json", "cluster": "uaa"}],
            "rules": [
                {"name": "open", "match": {"paths": ["/open"]}, "access": "public"},
                {"name": "admin", "match": {"paths": ["/admin"]}, "require": {"roles": ["ADMIN"]}},
            ],
        },
        "authHeader": {"strip": ["x-user-*"]},
        "auditLog": {
            "events": [{"name": "order.place", "match": {"methods": ["POST"], "paths": ["/orders"]}}],
            "sinks": [sink("siem", "sink")],
        },
        "metrics": {"health": {"path": "/healthz"}},
    })
}

/// The same with servers that are not there: an issuer's, an upstream's token endpoint, and a sink that must have every event.
fn troubled() -> Value {
    let mut configuration = good();
    let partner = json!({
        "name": "partner", "issuer": PARTNER, "jwksUri": "http://partner.example.com/jwks.json", "cluster": "nowhere",
        "refresh": "1s", "timeout": "500ms",
    });
    configuration["jwtAuth"]["jwtRules"].as_array_mut().unwrap().push(partner);
    let mut archive = sink("archive", "nowhere");
    archive["overflow"] = json!("block");
    archive["buffer"] = json!({"records": 4});
    archive["retry"] = json!({"attempts": 0});
    configuration["auditLog"]["sinks"].as_array_mut().unwrap().push(archive);
    configuration["authHeader"]["upstream"] = json!([{
        "name": "billing", "match": {"paths": ["/billing"]},
        "clientCredentials": {
            "tokenUri": "http://idp.example.com/token", "cluster": "nowhere", "clientId": "gw",
            "clientSecret": {"inline": "s3cret"},
        },
    }]);
    configuration
}

struct Gateway {
    stack: Stack,
    plugin: Discovered,
}

impl Gateway {
    /// One with the good configuration.
    fn new(clusters: &[(&str, SocketAddr)]) -> Self {
        let mut plugin = Discovered::new();
        plugin.publish(&good());
        let stack = Stack::start([Listener::new("shop").native(plugin.filter())], clusters);
        let is_well = || (stack.envoy.listener("shop").get("/healthz").status == 200).then_some(());
        poll("a gateway that is well", PATIENCE, is_well).unwrap();
        Self { stack, plugin }
    }
}

/// Sends these over and over while `during` runs.
fn under_traffic<T>(stacks: &[&Stack], requests: &[Request], during: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    let result = thread::scope(|scope| {
        let _over = scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                for request in requests {
                    for stack in stacks {
                        let _ = stack.envoy.listener("shop").send(request);
                    }
                }
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(during));
        is_over.store(true, Ordering::SeqCst);
        result
    });
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

#[test]
fn alerts_are_silent_while_all_is_well_and_each_comes_when_something_is_wrong() {
    let [issuer, partner] = [ISSUER, PARTNER].map(|name| Issuer::new(name, &[Algorithm::Es256]).unwrap());
    let keys = JwksServer::start(&issuer.jwks().unwrap()).unwrap();
    let sink = FakeSink::start().unwrap();
    let clusters = [("uaa", keys.address()), ("sink", sink.address()), ("nowhere", nowhere())];
    let [mut first, mut second] = [(); 2].map(|()| Gateway::new(&clusters));
    let scratch = Scratch::new().unwrap();
    let rules = hurried_rules(&scratch);
    let targets = [&first, &second].map(|gateway| ("gateway", gateway.stack.envoy.admin_address()));
    let prometheus = Prometheus::start(&targets, &rules).unwrap();

    let token = issuer.token().unwrap();
    let order = Request::new("POST", "/orders").header("content-length", "0").bearer(&token);
    let usual = [Request::get("/open"), Request::get("/orders").bearer(&token), Request::get("/healthz"), order];
    under_traffic(&[&first.stack, &second.stack], &usual, || {
        // Long enough for whatever would have come by then.
        let evaluated = "count_over_time(portcullis:denials:ratio_rate5m[20s]) >= 8";
        let _ = prometheus.query_until(evaluated, |samples| !samples.is_empty());
        assert_eq!(alerts(&prometheus, &["firing", "pending"]), BTreeSet::new());
    });

    first.plugin.publish(&json!({"jwtAuth": {"jwtRules": [{"issuer": "x"}]}}));
    second.plugin.publish(&troubled());
    sink.set_manner(Manner::Refusing("/orders".to_owned()));
    let trouble = [
        Request::get("/admin").bearer(&token),
        Request::get("/orders"),
        Request::get("/open").header("x-user-id", "admin"),
        Request::get("/orders").bearer(&partner.token().unwrap()),
        Request::get("/billing").bearer(&token),
        usual[2].clone(),
        usual[3].clone(),
    ];
    let unreachable: BTreeSet<_> = UNREACHABLE.iter().map(|(name, _)| (*name).to_owned()).collect();
    let absent = "PortcullisAbsent".to_owned();
    let expected: BTreeSet<_> = all_alerts().into_iter().filter(|name| !unreachable.contains(name) && *name != absent).collect();
    under_traffic(&[&first.stack, &second.stack], &trouble, || {
        let mut fired = BTreeSet::new();
        let all = poll("every alert", PATIENCE, || {
            fired.append(&mut alerts(&prometheus, &["firing"]));
            fired.is_superset(&expected).then_some(())
        });
        assert!(all.is_ok(), "did not come: {:?}", expected.difference(&fired));
        assert_eq!(fired, expected, "came, although it cannot");
    });

    // And the one that is about gateways that nobody sees.
    let blind = Prometheus::start(&[("gateway", nowhere())], &rules).unwrap();
    poll("the alert", PATIENCE, || (alerts(&blind, &["firing"]) == BTreeSet::from([absent.clone()])).then_some(())).unwrap();
}
