//! A real Envoy with everything around it, on ephemeral loopback ports.
//!
//! A test builds a [`Bootstrap`] out of [`Listener`]s with [`Plugin`]s, starts [`Envoy`] with it and talks through a
//! [`Client`] to an [`Upstream`] that keeps what it saw. An [`Issuer`] signs tokens; a [`JwksServer`] serves its keys, and a
//! [`FakeJwksServer`] fails in a chosen way. An [`AuthorizationServer`] is a real one.
//!
//! Setting up returns `anyhow::Result`. Once a test runs, an exchange that cannot take place is a failed test, so these
//! calls panic with a sentence. Nothing waits without a deadline, and nothing sleeps for a fixed time.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `PORTCULLIS_ENVOY` | the Envoy binary | `.tools/envoy/envoy` of the workspace |
//! | `PORTCULLIS_DIST` | the folder of the built modules | `dist` of the workspace |
//! | `PORTCULLIS_KEEP` | set: configurations and logs stay, in `portcullis-*` of the temporary folder | |

mod access_log;
mod authorization_server;
mod bootstrap;
mod certificate;
mod claims;
mod clickhouse;
mod client;
mod collector;
mod envoy;
mod exposition;
mod fake_jwks_server;
mod fake_key_server;
mod fake_sink;
mod flood;
mod holder;
mod http;
mod issuer;
mod jwks_server;
mod listener;
mod plugin;
mod poll;
mod postgres;
mod process;
mod prometheus;
mod qryn;
mod rsyslog;
mod scratch;
mod server;
mod signing_key;
mod troubled_upstream;
mod upstream;

pub use access_log::AccessLine;
pub use authorization_server::AuthorizationServer;
pub use bootstrap::Bootstrap;
pub use certificate::Certificate;
pub use claims::Claims;
pub use clickhouse::ClickHouse;
pub use client::{Client, Request, Response};
pub use collector::{CollectedSpan, Collector, LogRecord};
pub use envoy::{Envoy, validate};
pub use exposition::{Exposition, Sample};
pub use fake_jwks_server::{FakeJwksServer, Fault};
pub use fake_key_server::{FakeKeyServer, Health};
pub use fake_sink::{Batch, FakeSink, Manner};
pub use holder::Holder;
pub use http::Headers;
pub use issuer::Issuer;
pub use jwks_server::JwksServer;
pub use listener::{Listener, Route};
pub use plugin::{Module, Plugin, workspace};
pub use poll::poll;
pub use postgres::{DATABASE, Postgres};
pub use prometheus::{Prometheus, lint};
pub use qryn::Qryn;
pub use rsyslog::Rsyslog;
pub use scratch::Scratch;
pub use signing_key::{Algorithm, SigningKey};
pub use troubled_upstream::TroubledUpstream;
pub use upstream::{Seen, Upstream};
