//! What the end-to-end tests share: modules in a real Envoy before an upstream, and the checks that hold for every exchange.
//!
//! Each file of tests starts one [`Stack`], with a listener for each configuration. A test sends requests through
//! [`Stack::outcome`], which looks at both ends: what passed must have reached the upstream, and what was refused must not
//! have, and must have been refused in the one form that refusals have.

mod discovered;
mod hurried;

pub use discovered::Discovered;
pub use hurried::hurried_rules;

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use portcullis_core::metrics::stats_tags;
use portcullis_testbed::{Bootstrap, Envoy, Listener, Module, Plugin, Request, Response, Seen, Upstream};
use serde_json::Value;

/// A real Envoy before an upstream.
#[derive(Debug)]
pub struct Stack {
    /// The proxy.
    pub envoy: Envoy,
    /// The service behind it.
    pub upstream: Upstream,
}

/// A bootstrap with the shipped tags.
#[must_use]
pub fn bootstrap() -> Bootstrap {
    stats_tags().fold(Bootstrap::new(), |bootstrap, (name, regex)| bootstrap.stats_tag(name, &regex))
}

/// A listener with the bundle; the configuration is the bundle's.
#[must_use]
pub fn bundle(name: &str, configuration: &Value) -> Listener {
    Listener::new(name).plugin(Plugin::new(Module::Portcullis, configuration))
}

/// A listener with the bundle that only authenticates; the configuration is that of `jwtAuth`.
#[must_use]
pub fn jwt_auth(name: &str, configuration: &Value) -> Listener {
    bundle(name, &serde_json::json!({ "jwtAuth": configuration }))
}

/// A listener with the four single modules in their order; the configuration is the bundle's, taken apart.
#[must_use]
pub fn chain(name: &str, configuration: &Value) -> Listener {
    let modules = [
        (Module::Metrics, "metrics"),
        (Module::AuditLog, "auditLog"),
        (Module::JwtAuth, "jwtAuth"),
        (Module::AuthHeader, "authHeader"),
    ];
    modules.into_iter().fold(Listener::new(name), |listener, (module, key)| {
        listener.plugin(Plugin::new(module, configuration.get(key).unwrap_or(&Value::Null)))
    })
}

/// The Python that has the JOSE libraries of others, as `scripts/tools.sh jose` finds or installs them.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn python() -> &'static str {
    let has = |python: &&str| {
        let imports = Command::new(python).args(["-c", "import jwcrypto, jwt"]).stderr(Stdio::null()).status();
        imports.is_ok_and(|status| status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has);
    found.unwrap_or_else(|| panic!("no python3 has jwcrypto and jwt: run `make tools` first"))
}

/// The token with another character in place of the one that stands `back` characters before the end: never the same token.
///
/// # Panics
/// When the token has no such character.
#[must_use]
pub fn altered(token: &str, back: usize) -> String {
    let at = token.len() - back;
    let other = if token[at..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

impl Stack {
    /// Start an upstream and Envoy with these listeners.
    ///
    /// # Panics
    /// When one of them does not start.
    #[must_use]
    pub fn start(listeners: impl IntoIterator<Item = Listener>, clusters: &[(&str, SocketAddr)]) -> Self {
        let upstream = Upstream::start().unwrap_or_else(|error| panic!("{error:?}"));
        let mut bootstrap = bootstrap().cluster("upstream", upstream.address());
        for (name, address) in clusters {
            bootstrap = bootstrap.cluster(name, *address);
        }
        let bootstrap = listeners.into_iter().fold(bootstrap, Bootstrap::listener);
        let envoy = Envoy::start(&bootstrap).unwrap_or_else(|error| panic!("{error:?}"));
        Self { envoy, upstream }
    }

    /// Send a request that must reach the upstream; returns what the upstream saw.
    ///
    /// # Panics
    /// When it does not pass.
    #[must_use]
    #[track_caller]
    pub fn passes(&self, listener: &str, request: &Request) -> Seen {
        let response = self.envoy.listener(listener).send(request);
        self.seen(&response)
    }

    /// What the upstream saw of the request that was answered so.
    ///
    /// # Panics
    /// When it did not see it, or did not answer 200.
    #[must_use]
    #[track_caller]
    pub fn seen(&self, response: &Response) -> Seen {
        assert_eq!(response.outcome(), "200");
        match self.upstream.seen(&response.id) {
            Some(seen) => seen,
            None => panic!("the upstream did not see the request that was answered: {}", response.text()),
        }
    }

    /// Send a request; returns `200`, or the status and code of the refusal: `401 token_missing`.
    ///
    /// # Panics
    /// When a refusal has not the form of one, or the upstream saw the request.
    #[must_use]
    #[track_caller]
    pub fn outcome(&self, listener: &str, request: &Request) -> String {
        let response = self.envoy.listener(listener).send(request);
        if response.status == 200 {
            let _ = self.seen(&response);
        } else {
            self.assert_refusal(&response);
        }
        response.outcome()
    }

    /// Check what every refusal has in common.
    ///
    /// # Panics
    /// When this one has not.
    #[track_caller]
    pub fn assert_refusal(&self, response: &Response) {
        let text = response.text();
        let header = |name: &str| response.headers.get(name);
        assert!(self.upstream.seen(&response.id).is_none(), "the upstream saw a refused request: {text}");
        assert_eq!(header("content-type").as_deref(), Some("application/problem+json"), "{} {text}", response.status);
        assert_eq!(header("cache-control").as_deref(), Some("no-store"), "{text}");
        let problem = response.json();
        assert_eq!(problem.get("status").and_then(Value::as_u64), Some(u64::from(response.status)), "{text}");
        assert_eq!(problem.get("requestId").and_then(Value::as_str), Some(response.id.as_str()), "{text}");
        assert!(problem.get("code").is_some_and(Value::is_string), "{text}");
        let challenge = header("www-authenticate");
        match response.status {
            401 => assert!(
                challenge.is_some_and(|value| ["Bearer", "DPoP"].iter().any(|scheme| value.starts_with(scheme))),
                "{text}"
            ),
            503 => assert!(header("retry-after").is_some(), "{text}"),
            _ => {}
        }
    }
}
