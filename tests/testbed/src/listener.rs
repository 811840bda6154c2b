//! A listener of the proxy with one chain of filters.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::access_log;
use crate::bootstrap::UPSTREAM;
use crate::certificate::Certificate;
use crate::plugin::Plugin;

/// A route with a name, to the cluster `upstream`.
#[derive(Debug, Clone)]
pub struct Route {
    name: String,
    matcher: Value,
    metadata: Value,
    cluster: String,
    redirects: bool,
    more: Value,
}

impl Route {
    /// A route for every path that begins so.
    #[must_use]
    pub fn prefix(name: &str, prefix: &str) -> Self {
        Self::matching(name, json!({ "prefix": prefix }))
    }

    /// A route for requests with this header value, on every path.
    #[must_use]
    pub fn header(name: &str, header: &str, value: &str) -> Self {
        let matcher = json!({"prefix": "/", "headers": [{"name": header, "string_match": {"exact": value}}]});
        Self::matching(name, matcher)
    }

    fn matching(name: &str, matcher: Value) -> Self {
        Self {
            name: name.to_owned(),
            matcher,
            metadata: json!({}),
            cluster: UPSTREAM.to_owned(),
            redirects: false,
            more: json!({}),
        }
    }

    /// The same to another cluster.
    #[must_use]
    pub fn cluster(mut self, cluster: &str) -> Self {
        cluster.clone_into(&mut self.cluster);
        self
    }

    /// The same with redirects of the upstream followed by the proxy itself.
    #[must_use]
    pub const fn follow_redirects(mut self) -> Self {
        self.redirects = true;
        self
    }

    /// The same with this metadata in the namespace `portcullis`.
    #[must_use]
    pub fn metadata(mut self, portcullis: &Value) -> Self {
        self.metadata = json!({"filter_metadata": {"portcullis": portcullis}});
        self
    }

    /// The same with more of what Envoy's configuration knows: the members of `route`, or another action in place of it.
    #[must_use]
    pub fn with(mut self, more: Value) -> Self {
        self.more = more;
        self
    }

    fn to_json(&self) -> Value {
        let mut route = json!({"cluster": self.cluster, "timeout": "15s"});
        if self.redirects {
            route["internal_redirect_policy"] = json!({"max_internal_redirects": 2});
        }
        let mut json = json!({"name": self.name, "match": self.matcher, "metadata": self.metadata});
        let action = self.more.get("redirect").or_else(|| self.more.get("direct_response"));
        match (action, route.as_object_mut(), json.as_object_mut()) {
            (None, Some(route), Some(json)) => {
                route.extend(self.more.as_object().cloned().unwrap_or_default());
                json.insert("route".to_owned(), route.clone().into());
            }
            (_, _, Some(json)) => json.extend(self.more.as_object().cloned().unwrap_or_default()),
            _ => {}
        }
        json
    }
}

/// A listener under construction. Its routes end with one named `rest` for every path.
#[derive(Debug, Clone)]
pub struct Listener {
    name: String,
    filters: Vec<Filter>,
    routes: Vec<Route>,
    max_request_headers_kb: u32,
    http2_at: Option<String>,
    tls: Option<Tls>,
    forward_client_cert: Option<String>,
    access_log: Vec<Value>,
    tracing: Option<Value>,
}

/// How a listener speaks TLS.
#[derive(Debug, Clone)]
struct Tls {
    certificate: PathBuf,
    key: PathBuf,
}

#[derive(Debug, Clone)]
enum Filter {
    Plugin(Plugin),
    Native(Value),
}

impl Listener {
    /// A listener without filters.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            filters: Vec::new(),
            routes: Vec::new(),
            max_request_headers_kb: 60,
            http2_at: None,
            tls: None,
            forward_client_cert: None,
            access_log: Vec::new(),
            tracing: None,
        }
    }

    /// The same with a module at the end of its chain.
    #[must_use]
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.filters.push(Filter::Plugin(plugin));
        self
    }

    /// The same with one of Envoy's own filters at the end of its chain.
    #[must_use]
    pub fn native(mut self, filter: Value) -> Self {
        self.filters.push(Filter::Native(filter));
        self
    }

    /// The same with one more route, tried after those before it.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// The same with another limit for all request headers together; Envoy's own default is 60 KiB.
    #[must_use]
    pub const fn max_request_headers_kb(mut self, limit: u32) -> Self {
        self.max_request_headers_kb = limit;
        self
    }

    /// The same, but it speaks HTTP/2 and listens at an abstract socket of this name, which a cluster
    /// [`over HTTP/2`](crate::Bootstrap::http2_cluster) leads to.
    #[must_use]
    pub fn http2_at(mut self, socket: &str) -> Self {
        self.http2_at = Some(socket.to_owned());
        self
    }

    /// The same over TLS, for clients with any certificate or none. It has no port: it is reached through a
    /// [client](crate::Bootstrap::tls_client).
    #[must_use]
    pub fn tls(mut self, certificate: &Certificate) -> Self {
        self.tls = Some(Tls { certificate: certificate.file(), key: certificate.key_file() });
        self
    }

    /// The same with another word on what becomes of `x-forwarded-client-cert`; Envoy's default is to remove it.
    #[must_use]
    pub fn forward_client_cert(mut self, word: &str) -> Self {
        self.forward_client_cert = Some(word.to_owned());
        self
    }

    /// The same with one more access log beside those of the bed.
    #[must_use]
    pub fn access_log(mut self, log: Value) -> Self {
        self.access_log.push(log);
        self
    }

    /// The same with Envoy's own tracer: the `tracing` of its connection manager.
    #[must_use]
    pub fn tracing(mut self, tracing: Value) -> Self {
        self.tracing = Some(tracing);
        self
    }

    pub(crate) const fn has_port(&self) -> bool {
        self.http2_at.is_none() && self.tls.is_none()
    }

    pub(crate) fn to_json(&self, folder: &Path) -> Result<Value> {
        let mut filters = Vec::new();
        for filter in &self.filters {
            filters.push(match filter {
                Filter::Plugin(plugin) => plugin.filter()?,
                Filter::Native(native) => native.clone(),
            });
        }
        filters.push(json!({
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
        }));
        let rest = Route::prefix("rest", "/");
        let routes: Vec<_> = self.routes.iter().chain([&rest]).map(Route::to_json).collect();
        let mut manager = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": self.name,
            "codec_type": if self.http2_at.is_some() { "HTTP2" } else { "HTTP1" },
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            // Anything that a client can say shall reach the modules.
            "http_protocol_options": {"allow_custom_methods": true},
            // The test finds its request in logs by the id that it sent.
            "preserve_external_request_id": true,
            "max_request_headers_kb": self.max_request_headers_kb,
            "access_log": access_log::to_json(folder, &self.name, &self.access_log),
            "route_config": {"name": self.name, "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
            "http_filters": filters,
        });
        if let (Some(word), Some(manager)) = (&self.forward_client_cert, manager.as_object_mut()) {
            manager.insert("forward_client_cert_details".to_owned(), word.as_str().into());
        }
        if let (Some(tracing), Some(manager)) = (&self.tracing, manager.as_object_mut()) {
            manager.insert("tracing".to_owned(), tracing.clone());
        }
        let mut chain = json!({"filters": [{"name": "http", "typed_config": manager}]});
        let mut address = match &self.http2_at {
            Some(socket) => json!({"pipe": {"path": format!("@{socket}")}}),
            None => json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}}),
        };
        if let (Some(tls), Some(chain)) = (&self.tls, chain.as_object_mut()) {
            chain.insert("transport_socket".to_owned(), tls.to_json());
            address = json!({"pipe": {"path": tls_socket(folder, &self.name)}});
        }
        Ok(json!({"name": self.name, "address": address, "filter_chains": [chain]}))
    }
}

impl Tls {
    fn to_json(&self) -> Value {
        json!({
            "name": "tls",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {
                    "tls_certificates": [{
                        "certificate_chain": {"filename": self.certificate}, "private_key": {"filename": self.key},
                    }],
                    // A client is asked for a certificate only where somebody could vouch for it; here nobody has to.
                    "validation_context": {
                        "trusted_ca": {"filename": self.certificate}, "trust_chain_verification": "ACCEPT_UNTRUSTED",
                    },
                },
            },
        })
    }
}

/// The socket of a listener that speaks TLS.
pub(crate) fn tls_socket(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.socket"))
}
