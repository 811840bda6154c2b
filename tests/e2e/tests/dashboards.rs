//! The shipped dashboard and rules, asked by a real Prometheus of a real Envoy under traffic of all kinds.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use portcullis_e2e::Stack;
use portcullis_testbed::{
    Algorithm, FakeKeyServer, FakeSink, Health, Issuer, JwksServer, Listener, Module, Plugin, Prometheus, Request, Route, poll,
    workspace,
};
use serde_json::{Value, json};

const ISSUER: &str = "https://uaa.example.com";
const PARTNER: &str = "https://partner.example.com";
/// Long enough for the windows of rates to hold some scrapes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is recorded of the day before, and of a control plane.
const SILENT: [&str; 3] = [
    "portcullis:config_refusals:total",
    "portcullis:denials:ratio_rate5m_avg1d",
    "portcullis:stripped_headers:ratio_rate5m_avg1d",
];

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn configuration() -> Value {
    let sink = json!({
        "type": "http", "name": "siem", "format": "ndjson", "cluster": "sink", "uri": "http://sink.example.com/in",
        "batch": {"records": 5, "interval": "200ms"},
    });
    let hook = json!({"format": "generic", "uri": "http://hooks.example.com/", "cluster": "hook"});
    let credentials = |cluster: &str| {
        let uri = format!("http://{cluster}.example.com/token");
        json!({"tokenUri": uri, "cluster": cluster, "clientId": "gw", "clientSecret": {"env": "CLIENT_SECRET"}})
    };
    let spans = json!({"format": "zipkin", "uri": "http://hooks.example.com/api/v2/spans", "cluster": "hook"});
    let keys = |cluster: &str| format!("http://{cluster}.example.com/jwks.json");
    json!({
        "jwtAuth": {
            "jwtRules": [
                {"name": "uaa", "issuer": ISSUER, "jwksUri": keys("uaa"), "cluster": "uaa", "refresh": "1s"},
                {"name": "partner", "issuer": PARTNER, "jwksUri": keys("partner"), "cluster": "nowhere", "timeout": "500ms"},
            ],
            "tracing": {"propagate": ["w3c"]},
            "rules": [
                {"name": "open", "match": {"paths": ["/open", "/down"]}, "access": "public"},
                {"name": "admin", "match": {"paths": ["/admin/**"]}, "require": {"roles": ["ADMIN"]}},
                {"name": "strict", "match": {"paths": ["/reports"]}, "require": {"roles": ["AUDITOR"]}, "shadow": true},
            ],
        },
        "spans": spans,
        "authHeader": {
            "strip": ["x-user-*"], "inject": [{"header": "x-user-id", "claim": "subject"}],
            "upstream": [
                {"name": "billing", "match": {"paths": ["/billing"]}, "clientCredentials": credentials("idp")},
                {"name": "ledger", "match": {"paths": ["/ledger"]}, "clientCredentials": credentials("nowhere")},
            ],
        },
        "auditLog": {"default": {"record": "always"}, "sinks": [sink], "exceptions": {"window": "1s", "webhooks": [hook]}},
        "metrics": {
            "health": {"path": "/healthz"},
            "business": [
                {"name": "placed_orders", "match": {"methods": ["POST"], "paths": ["/orders"]}, "labels": {"issuer": "{issuer}"}},
                {"name": "order", "kind": "gauge", "value": "timestamp_seconds", "match": {"paths": ["/orders"]}},
                {"name": "answer_size", "kind": "histogram", "value": "response_bytes", "match": {"paths": ["/orders"]}},
            ],
        },
    })
}

struct World {
    stack: Stack,
    issuer: Issuer,
    partner: Issuer,
    /// They serve until the end.
    _servers: (JwksServer, FakeKeyServer, [FakeSink; 2]),
}

impl World {
    fn new() -> Self {
        let [issuer, partner] = [ISSUER, PARTNER].map(|name| Issuer::new(name, &[Algorithm::Es256]).unwrap());
        let keys = JwksServer::start(&issuer.jwks().unwrap()).unwrap();
        let [sink, hook] = [(); 2].map(|()| FakeSink::start().unwrap());
        let idp = FakeKeyServer::start(Health::Good(Duration::ZERO)).unwrap();
        idp.serve("/token", &json!({"access_token": "t0ken", "token_type": "Bearer", "expires_in": 600}));
        let plugin = Plugin::new(Module::Portcullis, &configuration()).variable("CLIENT_SECRET", "s3cret");
        let listener = Listener::new("shop").plugin(plugin).route(Route::prefix("down", "/down").cluster("nowhere"));
        let clusters = [
            ("uaa", keys.address()),
            ("idp", idp.address()),
            ("sink", sink.address()),
            ("hook", hook.address()),
            ("nowhere", nowhere()),
        ];
        let stack = Stack::start([listener], &clusters);
        Self { stack, issuer, partner, _servers: (keys, idp, [sink, hook]) }
    }

    /// One request of each kind.
    fn visit(&self) {
        let token = |roles: &[&str]| self.issuer.sign(&self.issuer.claims().with("roles", json!(roles))).unwrap();
        let expired = self.issuer.sign(&self.issuer.claims().expiring_in(-600)).unwrap();
        let sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let (customer, admin) = (token(&["CUSTOMER"]), token(&["ADMIN"]));
        let requests = [
            Request::get("/open").header("x-user-id", "admin"),
            Request::get("/orders"),
            Request::get("/orders").bearer(&customer),
            Request::get("/orders").bearer(&customer).header("X-User-Roles", "ADMIN"),
            Request::new("POST", "/orders").header("content-length", "0").bearer(&customer),
            Request::get("/orders").bearer(&expired),
            Request::get("/orders").bearer(&self.partner.token().unwrap()).header("traceparent", sampled),
            Request::get("/admin/keys").bearer(&customer),
            Request::get("/admin/keys").bearer(&admin),
            Request::get("/reports").bearer(&customer),
            Request::get("/billing").bearer(&customer),
            Request::get("/down"),
            Request::get("/healthz"),
        ];
        for request in &requests {
            let _ = self.stack.envoy.listener("shop").send(request);
        }
    }
}

/// The business metrics that are chosen: a counter, a gauge, a histogram.
const BUSINESS: [&str; 3] =
    ["portcullis_placed_orders_total", "portcullis_order_timestamp_seconds", "portcullis_answer_size_bytes_bucket"];

/// The queries of the dashboard as Grafana would send them, with the titles of their panels.
fn panels([counter, gauge, histogram]: [&str; 3]) -> Vec<(String, String)> {
    let text = fs::read_to_string(workspace().join("observability/grafana/dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let query = |target: &Value| {
        let query = target["expr"].as_str().unwrap().replace("$job", ".*").replace("$__rate_interval", "10s");
        query.replace("$business_gauge", gauge).replace("$business_histogram", histogram).replace("$business", counter)
    };
    let panels = dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row");
    let queries = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap();
        panel["targets"].as_array().unwrap().iter().map(move |target| (title.to_owned(), query(target)))
    });
    queries.collect()
}

/// The names of the rules in which Prometheus sees nothing wrong, and of the others.
fn evaluated(prometheus: &Prometheus) -> (BTreeSet<String>, BTreeSet<String>) {
    let answer = prometheus.get("/api/v1/rules");
    let groups = answer["data"]["groups"].as_array().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
    let (good, bad): (Vec<_>, Vec<_>) = rules.partition(|rule| rule["health"] == "ok");
    [good, bad].map(|rules| rules.iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()).into()
}

#[test]
fn every_panel_and_rule_has_data() {
    let world = World::new();
    let rules = ["rules.yaml", "alerts.yaml"].map(|file| workspace().join("observability/prometheus").join(file));
    let prometheus = Prometheus::start(&[("gateway", world.stack.envoy.admin_address())], &rules).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                world.visit();
            }
        });
        let ask = || {
            let has_data = |query: &str| prometheus.query(query).iter().any(|sample| sample.value.is_finite());
            let missing = || -> Vec<_> { panels(BUSINESS).into_iter().filter(|(_, query)| !has_data(query)).collect() };
            let mut last = Vec::new();
            let all = poll("data for every panel", PATIENCE, || {
                last = missing();
                last.is_empty().then_some(())
            });
            assert!(all.is_ok(), "without data: {last:#?}");
            // Where the configuration defines none there is nothing to choose, which is no error.
            let business = panels([""; 3]).into_iter().filter(|(title, _)| title.starts_with("$business"));
            let found: Vec<_> = business.map(|(_, query)| prometheus.query(&query).len()).collect();
            assert_eq!(found, [0; 3]);

            let names = |(good, bad): (BTreeSet<String>, BTreeSet<String>)| {
                assert!(bad.is_empty(), "{bad:?}");
                good
            };
            let recorded: Vec<_> = names(evaluated(&prometheus)).into_iter().filter(|name| name.contains(':')).collect();
            assert_eq!(recorded.len(), 21, "{recorded:?}");
            for name in recorded.iter().filter(|name| !SILENT.contains(&name.as_str())) {
                prometheus.query_until(name, |samples| samples.iter().any(|sample| sample.value.is_finite()));
            }
        };
        let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask));
        is_over.store(true, Ordering::SeqCst);
        if let Err(panic) = asked {
            std::panic::resume_unwind(panic);
        }
    });
}
