//! What the stores are given: requests of which each leaves one event, and the events as the proxy wrote them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_e2e::Stack;
use portcullis_testbed::{Algorithm, Envoy, Issuer, Listener, Module, Plugin, Request, Upstream, poll};
use serde_json::{Value, json};

/// The longest way of an event into a store.
pub const ARRIVAL: Duration = Duration::from_secs(30);

/// A gateway that records every request.
pub struct Gateway {
    /// The proxy and the service.
    stack: Stack,
    issuer: Issuer,
}

/// Who issues tokens.
pub fn issuer() -> Issuer {
    Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap()
}

/// What the gateway does, with these members more in `auditLog`.
pub fn configuration(issuer: &Issuer, more: &Value) -> Value {
    let mut audit = json!({
        "events": [{"name": "order.approve", "match": {"paths": ["/orders/{orderId}/approve"], "methods": ["POST"]}, "object": "{path.orderId}"}],
        "default": {"record": "always"},
        "include": {"requestHeaders": ["user-agent"], "queryParams": ["page"], "claims": ["tenant"]},
    });
    audit.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({
        "jwtAuth": {
            "jwtRules": [{"name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap()}],
            "rules": [
                {"name": "approve-order", "match": {"paths": ["/orders/{orderId}/approve"]}, "require": {"roles": ["ADMIN"]}},
                {"name": "reports", "match": {"paths": ["/reports/**"]}, "require": {"roles": ["AUDITOR"]}, "shadow": true},
            ],
        },
        "authHeader": {"strip": ["x-user-*"]},
        "auditLog": audit,
    })
}

impl Gateway {
    /// One, with these members more in its `auditLog`, and these clusters.
    pub fn start(more: &Value, clusters: &[(&str, std::net::SocketAddr)]) -> Self {
        let issuer = issuer();
        let plugin = Plugin::new(Module::Portcullis, &configuration(&issuer, more));
        Self { stack: Stack::start([Listener::new("gateway").plugin(plugin)], clusters), issuer }
    }

    /// One that was started by hand; its listener is `gateway`.
    pub const fn of(envoy: Envoy, upstream: Upstream, issuer: Issuer) -> Self {
        Self { stack: Stack { envoy, upstream }, issuer }
    }

    /// The file with nothing but the events.
    pub fn file(&self) -> PathBuf {
        self.stack.envoy.audit_file("gateway")
    }

    fn token(&self, subject: &str, roles: &[&str]) -> String {
        let claims = self.issuer.claims().with("sub", subject).with("roles", json!(roles)).with("tenant", "ünï 'q' \"d\" \\ {}");
        self.issuer.sign(&claims).unwrap()
    }

    /// So many requests of every kind; each leaves one event.
    pub fn load(&self, requests: usize) {
        let client = self.stack.envoy.listener("gateway");
        let (alice, bob) = (self.token("alice", &["ADMIN"]), self.token("bob", &[]));
        for number in 0..requests {
            let order = 40 + number % 5;
            let approve = || Request::new("POST", format!("/orders/{order}/approve?page={number}")).header("content-length", "0");
            let request = match number % 5 {
                0 => approve().bearer(&alice).header("user-agent", "it's \"odd\" \\n ☃"),
                1 => approve().bearer(&bob),
                2 => Request::get("/orders"),
                3 => Request::get("/reports/1").bearer(&bob).header("x-user-id", "admin"),
                _ => Request::get(format!("/orders/{order}/%27quoted%27")).bearer(&alice),
            };
            let _ = client.send(&request);
        }
    }

    /// The events that the proxy wrote, by their ids, as soon as there are so many.
    pub fn written(&self, expected: usize) -> BTreeMap<String, String> {
        let file = self.file();
        poll("the events in the proxy's log", ARRIVAL, || Some(events(&file)).filter(|events| events.len() >= expected)).unwrap()
    }
}

/// The lines of a file that are events, by their ids.
pub fn events(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let event = |line: &str| {
        let event: Value = serde_json::from_str(line).ok()?;
        Some((event["id"].as_str()?.to_owned(), line.to_owned()))
    };
    text.lines().filter_map(event).collect()
}
