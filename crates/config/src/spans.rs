//! `spans` of the bundle: where spans go.

use serde::Deserialize;

use crate::duration::DurationText;
use crate::sink::{AuthorizationConfig, BatchConfig, BufferConfig, HeaderConfig, RetryConfig};

/// Where it is told how the requests went that the gateway sent while another one waited: one span for each. `jwtAuth.tracing` has to
/// be there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpansConfig {
    /// What is posted.
    pub format: SpanFormat,
    /// Where batches are posted to: http://collector.example.com:4318/v1/traces, http://zipkin.example.com:9411/api/v2/spans.
    pub uri: String,
    /// The proxy's cluster that leads there; default: Istio's name of the host.
    pub cluster: Option<String>,
    /// How long an answer is waited for, at most 60s; default 5s.
    pub timeout: Option<DurationText>,
    /// What the service is called whose spans these are; default `portcullis`.
    pub service_name: Option<String>,
    /// When a batch is full.
    pub batch: Option<BatchConfig>,
    /// How much is kept until the server has it, in each worker; the oldest is dropped when it is full.
    pub buffer: Option<BufferConfig>,
    /// What becomes of a batch that the server does not take.
    pub retry: Option<RetryConfig>,
    /// Who the gateway is there.
    pub authorization: Option<AuthorizationConfig>,
    /// Headers of every request there.
    #[serde(default)]
    pub headers: Vec<HeaderConfig>,
}

/// What is posted to a server of traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SpanFormat {
    /// Spans of OpenTelemetry, over HTTP as JSON.
    Otlp,
    /// Spans of the second version of Zipkin's interface, which Tempo, Jaeger and others take as well.
    Zipkin,
}
