//! Where audit events go: `sinks` of the `auditLog` object.

use serde::Deserialize;

use crate::byte_size::ByteSize;
use crate::duration::DurationText;
use crate::secret::SecretConfig;

/// Where events go. All keys but `type` and `members` are for `http`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SinkConfig {
    /// The kind of sink.
    pub r#type: SinkType,
    /// Which members of the event the filter state holds, for `accesslog`; default `all`.
    pub members: Option<Members>,
    /// The label in metrics and in the log; default: `sink` with the place in the list, from 0.
    pub name: Option<String>,
    /// How events are written into a batch; required.
    pub format: Option<SinkFormat>,
    /// What `format: elasticsearch` asks for each event; default `create`.
    pub bulk_action: Option<BulkAction>,
    /// Where batches are posted to: https://siem.example.com/ingest; required.
    pub uri: Option<String>,
    /// The proxy's cluster that leads there; default: Istio's name of the host.
    pub cluster: Option<String>,
    /// How long an answer is waited for, at most 60s; default 5s.
    pub timeout: Option<DurationText>,
    /// When a batch is full.
    pub batch: Option<BatchConfig>,
    /// How much is kept until the sink has it, in each worker.
    pub buffer: Option<BufferConfig>,
    /// What becomes of a batch that the sink does not take.
    pub retry: Option<RetryConfig>,
    /// How many batches may be under way, at most 16; default 4.
    pub in_flight: Option<u32>,
    /// What happens when the buffer is full; default `dropOldest`.
    pub overflow: Option<Overflow>,
    /// Whether batches are compressed; default `none`.
    pub compression: Option<Compression>,
    /// Who the gateway is to the sink.
    pub authorization: Option<AuthorizationConfig>,
    /// Headers of every request to the sink: an API key, a tenant.
    #[serde(default)]
    pub headers: Vec<HeaderConfig>,
}

/// Which members of the event the filter state holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Members {
    /// All: the event is whole.
    All,
    /// Those that the access log cannot write itself, without the outer braces. Its format adds the rest.
    Own,
}

/// A kind of sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SinkType {
    /// The filter state `portcullis.audit`, which the proxy's access log prints.
    Accesslog,
    /// One line in the proxy's own log.
    Stdout,
    /// Batches that are posted to a server.
    Http,
}

/// How events are written into a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SinkFormat {
    /// One line of JSON for each event.
    Ndjson,
    /// Log records of OpenTelemetry, over HTTP as JSON.
    Otlp,
    /// Streams of Loki's push API.
    Loki,
    /// Documents of the Elastic Common Schema for `_bulk`; the index stands in `uri`.
    Elasticsearch,
    /// Rows for `INSERT … FORMAT JSONEachRow`, which stands in `uri`.
    Clickhouse,
}

/// What is asked of `_bulk` for each event.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum BulkAction {
    /// A new document; one that is there is never overwritten. Data streams take nothing else.
    #[default]
    Create,
    /// A document, new or in place of one with its id: for stores that know no other.
    Index,
}

/// When a batch is full: whatever comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BatchConfig {
    /// The most events; default 500.
    pub records: Option<u32>,
    /// The most bytes, but for an event that is larger and sent alone; default 1MiB.
    pub bytes: Option<ByteSize>,
    /// The longest time that an event waits for others; default 1s.
    pub interval: Option<DurationText>,
}

/// How much is kept until the sink has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BufferConfig {
    /// The most events; default 10000.
    pub records: Option<u32>,
    /// The most bytes; default 32MiB.
    pub bytes: Option<ByteSize>,
}

/// What becomes of a batch that the sink does not take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryConfig {
    /// How often a batch is sent at most, 0 for without end; default 10.
    pub attempts: Option<u32>,
    /// The longest pause before the first repetition, twice as long before each further one; default 500ms.
    pub backoff: Option<DurationText>,
    /// The longest pause at all; default 30s.
    pub max_backoff: Option<DurationText>,
}

/// What happens when the buffer is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Overflow {
    /// The oldest event is dropped and counted, and a gap record stands in its place.
    #[default]
    DropOldest,
    /// Requests that could have to be recorded are refused with 503 `audit_unavailable`: nothing is done unaudited.
    Block,
}

/// Whether batches are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// They are not.
    #[default]
    None,
    /// By gzip, where the proxy can.
    Gzip,
}

/// Who the gateway is to the sink: exactly one of `bearer` and `basic`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthorizationConfig {
    /// A token.
    pub bearer: Option<SecretConfig>,
    /// A name with a password.
    pub basic: Option<BasicConfig>,
}

/// A name with a password.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BasicConfig {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretConfig,
}

/// A header of every request to the sink: exactly one of `value` and `secret`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeaderConfig {
    /// Its name.
    pub name: String,
    /// Its value, where it is none that has to be hidden.
    pub value: Option<String>,
    /// Its value, where it is a secret.
    pub secret: Option<SecretConfig>,
}
