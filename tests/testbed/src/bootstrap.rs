//! Envoy's configuration under construction.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::certificate::Certificate;
use crate::listener::{Listener, Route, tls_socket};

/// The cluster to which routes lead. It has no endpoint until it is given one.
pub(crate) const UPSTREAM: &str = "upstream";

/// The file of dynamic listeners.
const LISTENERS: &str = "listeners.json";

/// A bootstrap configuration: listeners, clusters and the tags that give statistics their labels.
#[derive(Debug, Clone, Default)]
pub struct Bootstrap {
    listeners: Vec<Listener>,
    clusters: Vec<(String, SocketAddr)>,
    http2_clusters: Vec<String>,
    grpc_clusters: Vec<(String, SocketAddr)>,
    stats_tags: Vec<Value>,
    tls_clients: Vec<TlsClient>,
    are_listeners_dynamic: bool,
}

/// A client that reaches a listener over TLS.
#[derive(Debug, Clone)]
struct TlsClient {
    name: String,
    listener: String,
    certificate: Option<(PathBuf, PathBuf)>,
}

impl Bootstrap {
    /// A proxy without listeners.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one more listener.
    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// The same with one more cluster of one endpoint. The routes lead to the cluster `upstream`.
    #[must_use]
    pub fn cluster(mut self, name: &str, address: SocketAddr) -> Self {
        self.clusters.push((name.to_owned(), address));
        self
    }

    /// The same with one more cluster, whose endpoint is the abstract socket of its own name and speaks HTTP/2.
    #[must_use]
    pub fn http2_cluster(mut self, socket: &str) -> Self {
        self.http2_clusters.push(socket.to_owned());
        self
    }

    /// The same with one more cluster of one endpoint that speaks gRPC.
    #[must_use]
    pub fn grpc_cluster(mut self, name: &str, address: SocketAddr) -> Self {
        self.grpc_clusters.push((name.to_owned(), address));
        self
    }

    /// The same with one more tag: its name, and the regular expression that finds it in the name of a statistic.
    #[must_use]
    pub fn stats_tag(mut self, name: &str, regex: &str) -> Self {
        self.stats_tags.push(json!({"tag_name": name, "regex": regex}));
        self
    }

    /// The same with a listener that passes requests on to one that speaks [TLS](Listener::tls), as a client with this certificate.
    #[must_use]
    pub fn tls_client(mut self, name: &str, listener: &str, certificate: Option<&Certificate>) -> Self {
        let certificate = certificate.map(|certificate| (certificate.file(), certificate.key_file()));
        self.listeners.push(Listener::new(name).route(Route::prefix("tls", "/").cluster(name)));
        self.tls_clients.push(TlsClient { name: name.to_owned(), listener: listener.to_owned(), certificate });
        self
    }

    /// The same with listeners that Envoy reads from a file, so that they can be [replaced](crate::Envoy::update) while it runs.
    #[must_use]
    pub const fn dynamic_listeners(mut self) -> Self {
        self.are_listeners_dynamic = true;
        self
    }

    /// Write the file of dynamic listeners. Envoy looks at it when another file is moved to its place.
    pub(crate) fn write_listeners(&self, folder: &Path) -> Result<()> {
        if !self.are_listeners_dynamic {
            return Ok(());
        }
        let mut listeners = self.listeners_json(folder)?;
        for listener in listeners.iter_mut().filter_map(Value::as_object_mut) {
            listener.insert("@type".to_owned(), "type.googleapis.com/envoy.config.listener.v3.Listener".into());
        }
        let new = folder.join("listeners.new.json");
        fs::write(&new, json!({ "resources": listeners }).to_string())?;
        fs::rename(new, folder.join(LISTENERS))?;
        Ok(())
    }

    fn listeners_json(&self, folder: &Path) -> Result<Vec<Value>> {
        self.listeners.iter().map(|listener| listener.to_json(folder)).collect()
    }

    /// How many listeners have a port.
    pub(crate) fn listeners(&self) -> usize {
        self.listeners.iter().filter(|listener| listener.has_port()).count()
    }

    pub(crate) fn to_json(&self, folder: &Path) -> Result<Value> {
        let listeners = if self.are_listeners_dynamic { Vec::new() } else { self.listeners_json(folder)? };
        let file = json!({"path_config_source": {"path": folder.join(LISTENERS)}, "resource_api_version": "V3"});
        let dynamic = if self.are_listeners_dynamic { json!({"lds_config": file}) } else { json!({}) };
        let mut clusters: Vec<_> = self.clusters.iter().map(|(name, address)| cluster(name, Some(*address))).collect();
        let pipe = |socket: &String| http2_cluster(socket, &json!({"pipe": {"path": format!("@{socket}")}}));
        clusters.extend(self.http2_clusters.iter().map(pipe));
        clusters.extend(self.grpc_clusters.iter().map(|(name, address)| http2_cluster(name, &socket_address(*address))));
        if !self.clusters.iter().any(|(name, _)| name == UPSTREAM) {
            clusters.push(cluster(UPSTREAM, None));
        }
        clusters.extend(self.tls_clients.iter().map(|client| client.cluster(folder)));
        Ok(json!({
            // Who watches files for its configuration must have a name.
            "node": {"id": "test", "cluster": "test"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "dynamic_resources": dynamic,
            "static_resources": {"listeners": listeners, "clusters": clusters},
            "stats_config": {"stats_tags": self.stats_tags},
            // How often histograms are merged for those who ask.
            "stats_flush_interval": "0.2s",
        }))
    }
}

fn socket_address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
}

fn http2_cluster(name: &str, address: &Value) -> Value {
    let endpoint = json!({"endpoint": {"address": address}});
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }},
    })
}

impl TlsClient {
    fn cluster(&self, folder: &Path) -> Value {
        let files = |(certificate, key): &(PathBuf, PathBuf)| json!({"certificate_chain": {"filename": certificate}, "private_key": {"filename": key}});
        let certificates: Vec<_> = self.certificate.iter().map(files).collect();
        let address = json!({"pipe": {"path": tls_socket(folder, &self.listener)}});
        json!({
            "name": self.name,
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": {
                "cluster_name": self.name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
            },
            "transport_socket": {
                "name": "tls",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    "common_tls_context": {"tls_certificates": certificates},
                },
            },
        })
    }
}

fn cluster(name: &str, address: Option<SocketAddr>) -> Value {
    let endpoint = |address| json!({"lb_endpoints": [{"endpoint": {"address": socket_address(address)}}]});
    let endpoints: Vec<_> = address.map(endpoint).into_iter().collect();
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        // An upstream may answer with trailers.
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
        }},
    })
}
