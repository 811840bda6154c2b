//! Envoy's configuration under construction.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

use crate::listener::Listener;

/// The cluster to which routes lead. It has no endpoint until it is given one.
pub(crate) const UPSTREAM: &str = "upstream";

/// A bootstrap configuration: listeners, clusters and the tags that give statistics their labels.
#[derive(Debug, Clone, Default)]
pub struct Bootstrap {
    listeners: Vec<Listener>,
    clusters: Vec<(String, SocketAddr)>,
    http2_clusters: Vec<String>,
    stats_tags: Vec<Value>,
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

    /// The same with one more tag: its name, and the regular expression that finds it in the name of a statistic.
    #[must_use]
    pub fn stats_tag(mut self, name: &str, regex: &str) -> Self {
        self.stats_tags.push(json!({"tag_name": name, "regex": regex}));
        self
    }

    /// How many listeners have a port.
    pub(crate) fn listeners(&self) -> usize {
        self.listeners.iter().filter(|listener| listener.has_port()).count()
    }

    pub(crate) fn to_json(&self, folder: &Path) -> Result<Value> {
        let listeners: Vec<_> = self.listeners.iter().map(|listener| listener.to_json(folder)).collect::<Result<_>>()?;
        let mut clusters: Vec<_> = self.clusters.iter().map(|(name, address)| cluster(name, Some(*address))).collect();
        clusters.extend(self.http2_clusters.iter().map(|socket| http2_cluster(socket)));
        if !self.clusters.iter().any(|(name, _)| name == UPSTREAM) {
            clusters.push(cluster(UPSTREAM, None));
        }
        Ok(json!({
            // Who watches files for its configuration must have a name.
            "node": {"id": "test", "cluster": "test"},
            "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
            "static_resources": {"listeners": listeners, "clusters": clusters},
            "stats_config": {"stats_tags": self.stats_tags},
            // How often histograms are merged for those who ask.
            "stats_flush_interval": "0.2s",
        }))
    }
}

fn http2_cluster(socket: &str) -> Value {
    let pipe = json!({"endpoint": {"address": {"pipe": {"path": format!("@{socket}")}}}});
    json!({
        "name": socket,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": socket, "endpoints": [{"lb_endpoints": [pipe]}]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }},
    })
}

fn cluster(name: &str, address: Option<SocketAddr>) -> Value {
    let endpoint = |address: SocketAddr| {
        let socket_address = json!({"address": address.ip(), "port_value": address.port()});
        json!({"lb_endpoints": [{"endpoint": {"address": {"socket_address": socket_address}}}]})
    };
    let endpoints: Vec<_> = address.map(endpoint).into_iter().collect();
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
    })
}
