//! An OpenTelemetry collector, given events by Envoy's own access log as the documentation has it.

use std::fs;

use portcullis_e2e::bootstrap;
use portcullis_testbed::{Collector, Envoy, Listener, Module, Plugin, Upstream, poll, workspace};
use serde_json::{Value, json};

use crate::auditor::{ARRIVAL, Gateway, configuration, issuer};

/// The access log in the documentation that stands after these words.
fn access_log(words: &str) -> Value {
    let text = fs::read_to_string(workspace().join("docs/audit-stores.md")).unwrap();
    let yaml = text.split_once(&format!("{words}:\n\n```yaml\n")).unwrap().1.split_once("```").unwrap().0;
    serde_saphyr::from_str(yaml).unwrap()
}

#[test]
fn envoy_takes_the_access_log_service_as_documented() {
    let issuer = issuer();
    let plugin = Plugin::new(Module::Portcullis, &configuration(&issuer, &json!({})));
    let log = access_log("no such collector was run");
    let listener = Listener::new("gateway").plugin(plugin).access_log(log);
    let upstream = Upstream::start().unwrap();
    let nobody = "127.0.0.1:9".parse().unwrap();
    let configured = bootstrap().cluster("upstream", upstream.address()).grpc_cluster("otel", nobody).listener(listener);
    let gateway = Gateway::of(Envoy::start(&configured).unwrap(), upstream, issuer);
    gateway.load(5);
    assert_eq!(gateway.written(5).len(), 5);
}

#[test]
fn envoys_own_log_of_events_reaches_a_collector() {
    if !Collector::is_installed() {
        eprintln!("skipped: there is no rotel; scripts/tools.sh stores installs it");
        return;
    }
    const REQUESTS: usize = 100;
    let collector = Collector::start().unwrap();
    let issuer = issuer();
    let plugin = Plugin::new(Module::Portcullis, &configuration(&issuer, &json!({})));
    let listener = Listener::new("gateway").plugin(plugin).access_log(access_log("over HTTP/2"));
    let upstream = Upstream::start().unwrap();
    let configured =
        bootstrap().cluster("upstream", upstream.address()).grpc_cluster("otel", collector.grpc()).listener(listener);
    let envoy = Envoy::start(&configured).unwrap();
    let gateway = Gateway::of(envoy, upstream, issuer);
    gateway.load(REQUESTS);
    let written = gateway.written(REQUESTS);
    let all = || Some(collector.records()).filter(|records| records.len() >= REQUESTS);
    let mut bodies: Vec<_> = poll("the records", ARRIVAL, all).unwrap().into_iter().map(|record| record.body).collect();
    let mut lines: Vec<_> = written.into_values().collect();
    bodies.sort();
    lines.sort();
    assert_eq!(bodies, lines, "each once, byte by byte");
}
