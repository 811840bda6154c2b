//! A real Prometheus scrapes a real Envoy: each documented metric is there, with its labels, and says what was sent.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::config_version::ConfigVersion;
use portcullis_core::metrics::catalogue::{CATALOGUE, Entry};
use portcullis_core::metrics::stats_tag;
use portcullis_core::stage::MetricKind;
use portcullis_e2e::{Stack, bootstrap, bundle};
use portcullis_testbed::{
    Algorithm, Bootstrap, Envoy, FakeKeyServer, FakeSink, Health, Issuer, JwksServer, Listener, Module, Plugin, Prometheus,
    Request, Route, Sample, Upstream, lint, poll,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(20);
const TOKEN: &str = "/token";
/// Metrics of what this traffic does not do; the tests of their features look at them.
const ELSEWHERE: &[&str] = &["portcullis_spans_total"];
/// Metrics of the configuration's own.
const BUSINESS: [&str; 3] =
    ["portcullis_placed_orders_total", "portcullis_answers_bytes", "portcullis_approval_timestamp_seconds"];

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn configuration(issuer: &Issuer) -> Value {
    json!({
        "jwtAuth": {
            "jwtRules": [{"name": "uaa", "issuer": issuer.name(), "jwksUri": "http://uaa.example.com/jwks.json", "cluster": "keys"}],
            "rules": [
                {"name": "open", "match": {"paths": ["/open", "/down/**"]}, "access": "public"},
                {"name": "admin", "match": {"paths": ["/admin/**"]}, "require": {"roles": ["ADMIN"]}},
                {"name": "planned", "match": {"paths": ["/planned"]}, "require": {"roles": ["ADMIN"]}, "shadow": true},
                {"name": "orders", "match": {"paths": ["/orders/**"]}},
            ],
        },
        "authHeader": {
            "strip": ["x-user-*"],
            "upstream": [{"name": "partner", "match": {"paths": ["/orders/partner"]}, "clientCredentials": {
                "tokenUri": format!("http://idp.example.com{TOKEN}"), "cluster": "idp", "clientId": "gw",
                "clientSecret": {"inline": "s3cret-of-the-gateway"},
            }}],
        },
        "auditLog": {
            "default": {"record": "always"},
            "sinks": [{"type": "http", "name": "siem", "format": "ndjson", "cluster": "sink", "uri": "http://sink.example.com/in",
                "batch": {"interval": "100ms"}}],
            "exceptions": {"webhooks": [{"format": "generic", "uri": "http://hooks.example.com/in", "cluster": "hooks"}]},
        },
        "metrics": {
            "health": {"path": "/healthz"},
            "business": [
                {"name": "placed_orders", "match": {"methods": ["POST"], "paths": ["/orders/{kind}"]}, "status": [200, 201],
                    "labels": {"tenant": "{claim.tenant}", "kind": "{path.kind}"}, "maxValues": 4},
                {"name": "answers", "kind": "histogram", "value": "response_bytes", "match": {"paths": ["/orders/**"]},
                    "labels": {"rule": "{rule}"}},
                {"name": "approval", "kind": "gauge", "value": "timestamp_seconds", "match": {"paths": ["/orders/approve"]}},
            ],
        },
    })
}

struct World {
    stack: Stack,
    issuer: Issuer,
    keys: JwksServer,
    idp: FakeKeyServer,
    sink: FakeSink,
    hooks: FakeSink,
    version: u64,
}

impl World {
    fn start() -> Self {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
        let keys = JwksServer::start(&issuer.jwks().unwrap()).unwrap();
        let idp = FakeKeyServer::start(Health::Good(Duration::ZERO)).unwrap();
        idp.serve(TOKEN, &json!({"access_token": "t", "token_type": "Bearer", "expires_in": 300}));
        let [sink, hooks] = [(); 2].map(|()| FakeSink::start().unwrap());
        let upstream = Upstream::start().unwrap();
        let configuration = configuration(&issuer);
        let version = ConfigVersion::of(configuration.to_string().as_bytes()).get();
        let listener = Listener::new("gateway")
            .plugin(Plugin::new(Module::Portcullis, &configuration))
            .route(Route::prefix("down", "/down/").cluster("down"));
        let clusters = [
            ("upstream", upstream.address()),
            ("keys", keys.address()),
            ("idp", idp.address()),
            ("sink", sink.address()),
            ("hooks", hooks.address()),
            ("down", nowhere()),
        ];
        let bootstrap = ["tenant", "kind"].iter().fold(bootstrap(), |bootstrap, tag| bootstrap.stats_tag(tag, &stats_tag(tag)));
        let bootstrap = clusters.iter().fold(bootstrap, |bootstrap, (name, address)| bootstrap.cluster(name, *address));
        let envoy = Envoy::start(&bootstrap.listener(listener)).unwrap();
        Self { stack: Stack { envoy, upstream }, issuer, keys, idp, sink, hooks, version }
    }

    /// Wait until both workers have the keys; how often that was asked.
    fn wait_for_keys(&self) -> u32 {
        let mut asked = 0;
        let ready = poll("the keys in both workers", PATIENCE, || {
            let all = (0..8).all(|_| {
                asked += 1;
                self.stack.envoy.listener("gateway").get("/healthz").status == 200
            });
            all.then_some(())
        });
        ready.unwrap();
        asked
    }

    fn token(&self, tenant: &str) -> String {
        self.issuer.sign(&self.issuer.claims().with("tenant", tenant)).unwrap()
    }

    #[track_caller]
    fn send(&self, times: usize, request: impl Fn() -> Request, expected: &str) {
        for _ in 0..times {
            let response = self.stack.envoy.listener("gateway").send(&request());
            assert_eq!(response.outcome(), expected);
        }
    }
}

/// The traffic, and how many requests it was.
fn mixed_traffic(world: &World) -> usize {
    let blue = world.token("blue");
    let forged = {
        let (signed, _) = blue.rsplit_once('.').unwrap();
        let other = Issuer::new(world.issuer.name(), &[Algorithm::Es256]).unwrap().token().unwrap();
        format!("{signed}.{}", other.rsplit_once('.').unwrap().1)
    };
    let with = |method: &str, path: &str, token: &str| Request::new(method, path).header("content-length", "0").bearer(token);
    world.send(5, || with("GET", "/orders/1", &blue), "200");
    world.send(3, || Request::get("/orders/1"), "401 token_missing");
    world.send(2, || with("GET", "/orders/1", &forged), "401 signature_invalid");
    world.send(4, || with("GET", "/admin/users", &blue), "403 role_missing");
    world.send(2, || with("DELETE", "/planned", &blue), "200");
    world.send(1, || Request::get("/open"), "200");
    world.send(3, || Request::get("/open").header("x-user-id", "1").header("x-user-role", "ADMIN"), "200");
    world.send(6, || with("POST", "/orders/food", &blue), "200");
    world.send(
        1,
        || with("POST", "/orders/food", &world.token("x;.;rule=.=evil;.;decision=.=evil;.;portcullis_evil_total")),
        "200",
    );
    world.send(1, || with("POST", "/orders/food", &world.token("component.evil.cache.evil.")), "200");
    world.send(1, || with("POST", "/orders/approve", &world.issuer.token().unwrap()), "200");
    world.send(1, || with("GET", "/orders/partner", &blue), "200");
    world.send(2, || Request::get("/down/1"), "503");
    32
}

#[test]
fn prometheus_finds_every_documented_metric_and_what_was_sent() {
    let world = World::start();
    let prometheus = Prometheus::start(&[("envoy", world.stack.envoy.admin_address())], &[]).unwrap();
    let asked = world.wait_for_keys();
    let sent = mixed_traffic(&world);
    let total = f64::from(asked) + sent as f64;
    let said = RefCell::new(Vec::new());
    let is_it = |samples: &[Sample], expected: f64| matches!(samples, [sample] if (sample.value - expected).abs() < 0.001);
    let is = |expression: &str, expected: f64| {
        prometheus.query_until(expression, |samples| is_it(samples, expected));
        said.borrow_mut().push((expression.to_owned(), expected));
    };
    is("sum(portcullis_requests_total)", total);
    for (labels, expected) in [
        (r#"rule="orders",decision="allow",reason="token_valid",issuer="uaa",method="GET",status_class="2xx""#, 6.0),
        (r#"rule="orders",decision="allow",method="POST""#, 9.0),
        (r#"rule="orders",decision="deny",reason="token_missing",issuer="none",method="GET",status_class="4xx""#, 3.0),
        (r#"rule="orders",decision="deny",reason="signature_invalid",status_class="4xx""#, 2.0),
        (r#"rule="admin",decision="deny",reason="role_missing",issuer="uaa",status_class="4xx""#, 4.0),
        (r#"rule="planned",decision="would_deny",reason="role_missing",method="DELETE",status_class="2xx""#, 2.0),
        (r#"rule="open",decision="allow",reason="public",issuer="none",status_class="2xx""#, 4.0),
        (r#"rule="open",decision="allow",reason="public",status_class="5xx""#, 2.0),
        (r#"reason="health""#, f64::from(asked)),
    ] {
        is(&format!("sum(portcullis_requests_total{{{labels}}})"), expected);
    }
    is(r#"sum(portcullis_request_duration_ms_count{rule="orders"})"#, 20.0);
    is(r#"sum(portcullis_stripped_headers_total{rule="open"})"#, 6.0);
    is("sum(portcullis_health_checks_total)", f64::from(asked));
    // Every token was looked for; each was verified once in each worker that saw it, the forged one each time.
    is("sum(portcullis_token_cache_lookups_total)", 23.0);
    let value = |expression: &str| prometheus.query(expression).iter().map(|sample| sample.value).sum::<f64>();
    let misses = value(r#"portcullis_token_cache_lookups_total{outcome="miss"}"#);
    assert!((6.0..=8.0).contains(&misses), "{misses}");
    is(r#"sum(portcullis_verify_duration_us_count{issuer="uaa"})"#, misses);
    is("portcullis_token_cache_entries", misses - 2.0);
    assert!(value("portcullis_token_cache_bytes") > 200.0 * (misses - 2.0));
    assert!(value("portcullis_verify_duration_us_sum") > misses, "a signature takes longer than a microsecond");
    is(r#"portcullis_jwks_keys{issuer="uaa"}"#, 1.0);
    is(r#"portcullis_jwks_consecutive_failures{issuer="uaa"}"#, 0.0);
    is(r#"time() - portcullis_jwks_last_success_timestamp_seconds{issuer="uaa"} < bool 60"#, 1.0);
    for (callout, times) in [("jwks", world.keys.fetches()), ("credential", world.idp.fetches())] {
        is(&format!(r#"portcullis_callouts_total{{callout="{callout}",outcome="success"}}"#), times as f64);
        is(&format!(r#"sum(portcullis_callout_duration_ms_count{{callout="{callout}"}})"#), times as f64);
    }
    is(r#"portcullis_jwks_fetches_total{issuer="uaa",outcome="success"}"#, world.keys.fetches() as f64);
    is(r#"portcullis_upstream_credential_fetches_total{upstream="partner",outcome="success"}"#, world.idp.fetches() as f64);
    is(r#"portcullis_upstream_credential_consecutive_failures{upstream="partner"}"#, 0.0);
    is(r#"portcullis_upstream_credential_expiration_timestamp_seconds{upstream="partner"} - time() > bool 200"#, 1.0);
    is(r#"portcullis_audit_events_total{sink="siem",outcome="queued"}"#, sent as f64);
    is(r#"portcullis_audit_events_total{sink="siem",outcome="sent"}"#, sent as f64);
    is(r#"portcullis_audit_queue_events{sink="siem"}"#, 0.0);
    is(r#"portcullis_audit_queue_limit_events{sink="siem"} >= bool 10000"#, 1.0);
    is(r#"time() - portcullis_audit_last_success_timestamp_seconds{sink="siem"} < bool 60"#, 1.0);
    is(r#"portcullis_vm_seconds_total{module="portcullis"} > bool 0"#, 1.0);
    is(r#"portcullis_audit_batches_total{sink="siem",outcome="sent"}"#, world.sink.batches().len() as f64);
    is(r#"portcullis_callouts_total{callout="audit",outcome="success"}"#, world.sink.batches().len() as f64);
    is("sum(portcullis_exceptions_total)", 2.0);
    is(r#"portcullis_exception_reports_total{outcome="first"}"#, 1.0);
    is(r#"portcullis_callouts_total{callout="exceptions",outcome="success"}"#, world.hooks.batches().len() as f64);
    is(r#"portcullis_config_version{module="portcullis"}"#, world.version as f64);
    is(r#"time() - portcullis_config_applied_timestamp_seconds{module="portcullis"} < bool 120"#, 1.0);
    // Business, also of those whose claims would be something else.
    is(r#"portcullis_placed_orders_total{tenant="blue",kind="food"}"#, 6.0);
    is(r#"portcullis_placed_orders_total{tenant="x___rule___evil___decision___evil___portcullis_evil_total"}"#, 1.0);
    is(r#"portcullis_placed_orders_total{tenant="component_evil_cache_evil_",kind="food"}"#, 1.0);
    is(r#"portcullis_placed_orders_total{tenant="none",kind="approve"}"#, 1.0);
    is(r#"portcullis_answers_bytes_count{rule="orders"}"#, 15.0);
    is("time() - portcullis_approval_timestamp_seconds < bool 120", 1.0);
    all_is_documented(&world, &prometheus);
    // Some of it is told with the next tick: by now nothing is to come.
    for (expression, expected) in said.into_inner() {
        let samples = prometheus.query(&expression);
        assert!(is_it(&samples, expected), "{expression} says {samples:?} and not {expected}");
    }
}

/// Everything that the catalogue says is there, and nothing else.
fn all_is_documented(world: &World, prometheus: &Prometheus) {
    for Entry { family, .. } in CATALOGUE.iter().filter(|entry| !ELSEWHERE.contains(&entry.family.name())) {
        let suffix = if family.kind() == MetricKind::Histogram { "_bucket" } else { "" };
        let samples = prometheus.query(&format!("{}{suffix}", family.name()));
        assert!(!samples.is_empty(), "{} is not there", family.name());
        for sample in samples {
            let labels: Vec<_> = sample.labels.iter().map(|(label, _)| label.as_str()).collect();
            let labels: BTreeSet<_> = labels.into_iter().filter(|label| !["instance", "job", "le"].contains(label)).collect();
            // Only events that were dropped have a reason.
            let optional: &[_] = if family.name() == "portcullis_audit_events_total" { &["reason"] } else { &[] };
            let documented = family.labels().iter().copied().filter(|label| labels.contains(label) || !optional.contains(label));
            assert_eq!(labels, documented.collect(), "{}", family.name());
        }
    }
    let exposition = world.stack.envoy.admin("/stats/prometheus");
    // Envoy's own are of the plugin, whose name is that of the module.
    let is_envoys = |line: &str| line.trim_start_matches("# TYPE ").starts_with("envoy_");
    let own: Vec<_> = exposition.lines().filter(|line| line.contains("portcullis_") && !is_envoys(line)).collect();
    for line in &own {
        let name = line.trim_start_matches("# TYPE ").split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        let is_known = CATALOGUE.iter().any(|entry| [name, family].contains(&entry.family.name()));
        assert!(is_known || [name, family].iter().any(|name| BUSINESS.contains(name)), "{line}");
        assert!(!line.contains("evil\"") && !line.contains("=.="), "{line}");
    }
    // Envoy writes no help, and its histograms of modules have no unit but the one in their names, which is not a base unit.
    let problems = lint(&format!("{}\n", own.join("\n"))).unwrap();
    let is_expected = |problem: &String| {
        problem.ends_with("no help text")
            || (problem.contains("abbreviated units") && ["_ms ", "_us "].iter().any(|unit| problem.contains(unit)))
    };
    let unexpected: Vec<_> = problems.iter().filter(|problem| !is_expected(problem)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

/// What a stranger sends: everything that it may choose is new each time.
fn attack(number: usize) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({"alg": "ES256", "kid": format!("evil{number}")}));
    let issuer = format!("https://evil{number}.example.com");
    let claims = part(&json!({"iss": issuer, "sub": format!("evil{number}"), "exp": 4_102_444_800_u64}));
    let method = if number.is_multiple_of(2) { format!("EVIL{number}") } else { "POST".to_owned() };
    format!(
        "{method} /orders/evil{number} HTTP/1.1\r\nhost: evil{number}.example.com\r\nx-user-id: evil{number}\r\n\
         authorization: Bearer {header}.{claims}.c2lnbmF0dXJl\r\n\r\n"
    )
}

#[test]
fn a_request_adds_what_came_and_not_what_it_announced() {
    let configuration = json!({
        "jwtAuth": {"rules": [{"name": "open", "match": {"paths": ["/open"]}, "access": "public"}]},
        "metrics": {"business": [
            {"name": "taken", "value": "request_bytes"},
            {"name": "refused", "value": "request_bytes", "status": "4xx"},
        ]},
    });
    let stack = Stack::start([bundle("gateway", &configuration)], &[]);
    let client = stack.envoy.listener("gateway");
    let post = |path: &str, length: u64| Request::new("POST", path).header("content-length", length.to_string());
    let mut stream = client.send_only(&post("/open", 5)).unwrap();
    stream.write_all(b"hello").unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let value = |name: &str| stack.envoy.metric(name, &[]);
    poll("the request", PATIENCE, || (value("portcullis_taken_bytes_total") > 0.0).then_some(())).unwrap();
    assert_eq!(value("portcullis_taken_bytes_total"), 5.0);
    assert_eq!(client.send(&post("/closed", 9_000_000_000_000_000_000)).status, 401);
    poll("the request", PATIENCE, || (value("portcullis_refused_bytes_total") > 0.0).then_some(())).unwrap();
    assert!(value("portcullis_refused_bytes_total") < 1_000.0, "its headers: {}", value("portcullis_refused_bytes_total"));
}

#[test]
fn a_hundred_thousand_strangers_make_no_series_and_take_no_memory() {
    const STRANGERS: usize = 100_000;
    const FIRST: usize = 4_000;
    const CONNECTIONS: usize = 8;
    let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let configuration = json!({
        "jwtAuth": {
            "jwtRules": [{"name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap().to_string()}],
            "rules": [{"name": "orders", "match": {"paths": ["/orders/**"]}}],
        },
        "authHeader": {"strip": ["x-user-*"]},
        "metrics": {"business": [
            {"name": "seen", "match": {"paths": ["/orders/{order}"]}, "status": ["2xx", "4xx"], "maxValues": 10,
                "labels": {"order": "{path.order}", "tenant": "{claim.tenant}"}},
        ]},
    });
    let bootstrap = ["tenant", "order"].iter().fold(bootstrap(), |bootstrap, tag| bootstrap.stats_tag(tag, &stats_tag(tag)));
    let listener = Listener::new("gateway").plugin(Plugin::new(Module::Portcullis, &configuration));
    let envoy = Envoy::start(&bootstrap.listener(listener)).unwrap();
    let client = envoy.listener("gateway");
    let flood = |numbers: std::ops::Range<usize>| {
        let threads: Vec<_> = (0..CONNECTIONS)
            .map(|first| {
                let numbers = numbers.clone().skip(first).step_by(CONNECTIONS);
                thread::spawn(move || client.flood(numbers.map(attack)).unwrap())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    };
    // The first ones fill the places that there are: ten values and `other`, in each worker.
    assert_eq!(flood(0..FIRST), FIRST);
    let counted = |expected: usize| {
        let all = || {
            // What a stage counts of itself is shown about once a second.
            (envoy.metric("portcullis_requests_total", &[]) - expected as f64).abs() < 0.5
                && envoy.metric("portcullis_token_cache_lookups_total", &[]) > 0.0
                && envoy.metric("portcullis_vm_seconds_total", &[]) > 0.0
        };
        poll("the count of all", PATIENCE, || all().then_some(())).unwrap();
        let series = envoy.prometheus();
        let series: BTreeSet<_> = series
            .iter()
            .filter(|sample| sample.name.starts_with("portcullis_"))
            .map(|sample| format!("{} {:?}", sample.name, sample.labels))
            .collect();
        let names: BTreeSet<_> =
            envoy.stats().lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned()).collect();
        (series, names)
    };
    let before = (counted(FIRST), envoy.resident_bytes());
    assert_eq!(flood(FIRST..STRANGERS), STRANGERS - FIRST);
    let after = (counted(STRANGERS), envoy.resident_bytes());
    let new = after.0.0.difference(&before.0.0).chain(after.0.1.difference(&before.0.1));
    assert_eq!(new.collect::<Vec<_>>(), Vec::<&String>::new(), "new series");
    let grown = after.1.saturating_sub(before.1);
    assert!(grown < 8 * 1024 * 1024, "{grown} bytes more than {} for {} requests", before.1, STRANGERS - FIRST);
    assert!(!envoy.stats().lines().any(|line| line.contains("EVIL") || line.contains("example.com")));
    let metric = |name: &str, labels: &[(&str, &str)]| envoy.metric(name, labels);
    let sent = STRANGERS as f64;
    assert_eq!(
        metric("portcullis_requests_total", &[("rule", "orders"), ("reason", "issuer_unknown"), ("issuer", "none")]),
        sent
    );
    assert_eq!(metric("portcullis_requests_total", &[("method", "other")]), sent / 2.0);
    assert_eq!(metric("portcullis_stripped_headers_total", &[("rule", "orders")]), sent);
    assert_eq!(metric("portcullis_seen_total", &[]), sent);
    assert!(metric("portcullis_seen_total", &[("order", "other"), ("tenant", "none")]) >= sent - 20.0);
    let orders: BTreeSet<_> = envoy
        .prometheus()
        .samples("portcullis_seen_total", &[])
        .map(|sample| sample.label("order").unwrap().to_owned())
        .collect();
    assert!(orders.len() <= 21, "{orders:?}");
}

#[test]
fn a_configuration_that_ended_leaves_nothing_in_the_gauges() {
    let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let upstream = Upstream::start().unwrap();
    let configuration = |realm: &str| json!({"realm": realm, "jwtRules": [{"name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap().to_string()}]});
    let bootstrap_of = |realm: &str| {
        let single = Plugin::new(Module::JwtAuth, &configuration(realm));
        let bundle = Plugin::new(Module::Portcullis, &json!({"jwtAuth": configuration(realm)}));
        let listeners = [Listener::new("single").plugin(single), Listener::new("bundle").plugin(bundle)];
        let bootstrap = bootstrap().cluster("upstream", upstream.address()).dynamic_listeners();
        listeners.into_iter().fold(bootstrap, Bootstrap::listener)
    };
    let envoy = Envoy::start(&bootstrap_of("first")).unwrap();
    let token = issuer.token().unwrap();
    let entries = || envoy.metric("portcullis_token_cache_entries", &[]);
    let send = || {
        for listener in ["single", "bundle"] {
            assert_eq!(envoy.listener(listener).get_with("/", &token).outcome(), "200");
        }
        poll("the tokens of both", PATIENCE, || (entries() >= 2.0).then_some(())).unwrap();
    };
    send();
    let version = |module: &str| envoy.metric("portcullis_config_version", &[("module", module)]);
    let before = version("portcullis");
    envoy.update(&bootstrap_of("second"));
    poll("the end of the first configuration", PATIENCE, || (entries() == 0.0).then_some(())).unwrap();
    assert_eq!(envoy.metric("portcullis_token_cache_bytes", &[]), 0.0);
    let text = configuration("second").to_string();
    let after = ConfigVersion::of(text.as_bytes()).get() as f64;
    poll("the second one in force", PATIENCE, || (version("jwt-auth") == after && version("portcullis") != before).then_some(()))
        .unwrap();
}
