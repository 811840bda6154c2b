//! Tells a server of traces how the requests went that a module sent because of others: in batches, each span once taken or counted.
//!
//! A span holds names of the configuration, numbers, and the names of the trace: no path, no query, nothing that a client or a server sent
//! but the status.

use std::rc::Rc;

use portcullis_minting::digest;
use serde_json::{Value, json};

use super::context::{SpanId, TraceId};
use super::span::{Span, SpanEnd};
use super::span_sink::SpanSink;
use crate::authn::Destination;
use crate::config::sink::{Compression, Overflow};
use crate::config::spans::{SpanFormat, SpansConfig};
use crate::config::{ConfigError, Warning};
use crate::delivery::{
    Backoff, Delivery, Framing, Gap, Limits, Numbering, Policy, Receipt, Record, Surroundings, Target, TargetConfig, seed_of,
    without_null,
};
use crate::metrics::Callout;
use crate::metrics::catalogue::SPANS_TOTAL;
use crate::platform::Platform;
use crate::stage::{Due, FetchId, FetchOutcome, Observer};
use crate::time::UnixTime;

/// What the seed is hashed with.
const PURPOSE: &[u8] = b"portcullis span export";
const LABEL: &str = "spans";
const USUAL_SERVICE: &str = "portcullis";

/// The delivery of spans.
#[derive(Debug)]
pub struct Export {
    form: Rc<Form>,
    delivery: Delivery,
    numbering: Numbering,
}

impl Export {
    /// The export for a `spans` that stands at `path`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn compile(
        config: &SpansConfig,
        path: &str,
        platform: &Platform<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let service = config.service_name.as_deref().unwrap_or(USUAL_SERVICE);
        if service.trim().is_empty() {
            return Err(ConfigError::new(format!("{path}.serviceName"), "is empty"));
        }
        let seed = platform.seed.ok_or_else(|| ConfigError::new(path, "cannot name batches: the proxy has no randomness"))?;
        let form = Rc::new(Form::new(config.format, service));
        let around = Surroundings { path, environment: platform.environment, compressor: platform.compressor.as_ref() };
        let target = Target::compile(&target(config), &around, warnings)?;
        let retry = config.retry.unwrap_or_default();
        let (batch, buffer) = (config.batch.unwrap_or_default(), config.buffer.unwrap_or_default());
        let limits = Limits::compile(batch, buffer, retry, None, path)?;
        let policy = Policy {
            label: LABEL.into(),
            target,
            framing: Rc::clone(&form) as Rc<dyn Framing>,
            limits,
            backoff: Backoff::compile(retry, path)?,
            overflow: Overflow::DropOldest,
            gap_seal: None,
        };
        Ok(Self { form, delivery: Delivery::new(policy, seed_of(&seed, PURPOSE, 0)), numbering: Numbering::default() })
    }

    /// The cluster that the proxy must have.
    #[must_use]
    pub fn destination(config: &SpansConfig, path: &str) -> Option<Destination> {
        target(config).destination(path)
    }
}

impl SpanSink for Export {
    fn push(&mut self, span: &Span, end: SpanEnd) {
        let body = self.form.render(span, end).to_string();
        self.delivery.push(Record { id: span.context.span.to_string().into(), time: span.start, body }, end.end);
    }

    fn due(&mut self, now: UnixTime) -> Due {
        self.numbering.due(std::iter::once(&mut self.delivery), now)
    }

    fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime) {
        Numbering::on_fetched(std::iter::once(&mut self.delivery), id, outcome, now);
    }

    fn show(&mut self, observer: &mut dyn Observer) {
        self.delivery.show_as(&SPANS_TOTAL, observer);
    }

    fn drain(&mut self) -> bool {
        self.delivery.drain();
        self.delivery.is_idle()
    }

    /// A span that cannot be sent is of no use in a log.
    fn abandon(&mut self, observer: &mut dyn Observer) {
        drop(self.delivery.abandon());
        self.show(observer);
    }
}

fn target(config: &SpansConfig) -> TargetConfig<'_> {
    TargetConfig {
        uri: Some(&config.uri),
        cluster: config.cluster.as_deref(),
        timeout: config.timeout,
        authorization: config.authorization.as_ref(),
        headers: &config.headers,
        compression: Compression::None,
    }
}

/// How spans stand in a batch.
#[derive(Debug)]
struct Form {
    format: SpanFormat,
    service: String,
    prefix: String,
}

/// What either format says of a span.
struct Told<'a> {
    trace: TraceId,
    span: SpanId,
    parent: Option<SpanId>,
    name: &'a str,
    start: UnixTime,
    end: UnixTime,
    server: Option<&'a str>,
    texts: Vec<(&'static str, &'a str)>,
    numbers: Vec<(&'static str, u64)>,
    is_error: bool,
}

impl Form {
    fn new(format: SpanFormat, service: &str) -> Self {
        let prefix = match format {
            SpanFormat::Zipkin => "[".to_owned(),
            SpanFormat::Otlp => {
                let resource = json!({"attributes": [{"key": "service.name", "value": {"stringValue": service}}]});
                format!(r#"{{"resourceSpans":[{{"resource":{resource},"scopeSpans":[{{"scope":{{"name":"portcullis"}},"spans":["#)
            }
        };
        Self { format, service: service.to_owned(), prefix }
    }

    fn render(&self, span: &Span, end: SpanEnd) -> Value {
        let about = match span.callout {
            Callout::Credential => "portcullis.upstream",
            _ => "portcullis.issuer",
        };
        let (method, status) = match self.format {
            SpanFormat::Otlp => ("http.request.method", "http.response.status_code"),
            SpanFormat::Zipkin => ("http.method", "http.status_code"),
        };
        let outcome = match end.status {
            Some(_) if end.is_success() => "success",
            Some(_) => "bad_status",
            None => "no_answer",
        };
        let mut texts = vec![(method, span.method), ("portcullis.outcome", outcome)];
        texts.extend(span.about.as_deref().map(|name| (about, name)));
        self.told(&Told {
            trace: span.context.trace,
            span: span.context.span,
            parent: span.context.parent,
            name: &format!("portcullis {}", span.callout.as_str()),
            start: span.start,
            end: end.end,
            server: Some(&span.server),
            texts,
            numbers: end.status.map(|code| (status, u64::from(code))).into_iter().collect(),
            is_error: !end.is_success(),
        })
    }

    fn told(&self, told: &Told<'_>) -> Value {
        match self.format {
            SpanFormat::Otlp => otlp(told),
            SpanFormat::Zipkin => self.zipkin(told),
        }
    }

    /// A span of the second version of Zipkin's interface.
    fn zipkin(&self, told: &Told<'_>) -> Value {
        let micros = |time: UnixTime| u64::try_from(time.since_epoch().as_micros()).unwrap_or(u64::MAX);
        let numbers = told.numbers.iter().map(|(key, number)| (*key, number.to_string()));
        let texts = told.texts.iter().map(|(key, text)| (*key, (*text).to_owned()));
        let error = told.is_error.then(|| ("error", "true".to_owned()));
        let tags = texts.chain(numbers).chain(error).map(|(key, value)| (key.to_owned(), Value::String(value)));
        without_null(json!({
            "traceId": told.trace.to_string(),
            "id": told.span.to_string(),
            "parentId": told.parent.map(|parent| parent.to_string()),
            "name": told.name,
            "kind": "CLIENT",
            "timestamp": micros(told.start),
            // One of none is taken for one that has not ended.
            "duration": micros(told.end).saturating_sub(micros(told.start)).max(1),
            "localEndpoint": {"serviceName": self.service},
            "remoteEndpoint": told.server.map(|server| json!({"serviceName": server})),
            "tags": Value::Object(tags.collect()),
        }))
    }
}

/// A span of the OpenTelemetry protocol, by HTTP as JSON.
fn otlp(told: &Told<'_>) -> Value {
    const CLIENT: u64 = 3;
    const ERROR: u64 = 2;
    let nanos = |time: UnixTime| time.since_epoch().as_nanos().to_string();
    let text = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let texts = told.texts.iter().copied().chain(told.server.map(|server| ("server.address", server)));
    let numbers = told.numbers.iter().map(|(key, number)| json!({"key": key, "value": {"intValue": number.to_string()}}));
    without_null(json!({
        "traceId": told.trace.padded().to_string(),
        "spanId": told.span.to_string(),
        "parentSpanId": told.parent.map(|parent| parent.to_string()),
        "name": told.name,
        "kind": CLIENT,
        "startTimeUnixNano": nanos(told.start),
        "endTimeUnixNano": nanos(told.end.max(told.start)),
        "attributes": texts.map(|(key, value)| text(key, value)).chain(numbers).collect::<Vec<_>>(),
        "status": told.is_error.then(|| json!({"code": ERROR})),
    }))
}

impl Framing for Form {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }

    fn separator(&self) -> &str {
        ","
    }

    fn suffix(&self) -> &str {
        match self.format {
            SpanFormat::Otlp => "]}]}]}",
            SpanFormat::Zipkin => "]",
        }
    }

    /// A span, alone in a trace, that says how many are missing.
    fn gap(&self, gap: &Gap, _line: String) -> String {
        let name = digest(gap.id().as_bytes()).iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        let trace = TraceId::of_random(name);
        self.told(&Told {
            trace,
            span: SpanId::of_random(name as u64),
            parent: None,
            name: "portcullis spans dropped",
            start: gap.since,
            end: gap.since,
            server: None,
            texts: Vec::new(),
            numbers: vec![("portcullis.dropped", gap.dropped)],
            is_error: true,
        })
        .to_string()
    }

    fn receipt(&self, _records: usize, answer: &[u8]) -> Receipt {
        match self.format {
            SpanFormat::Otlp => Receipt::by_rejected(answer, "/partialSuccess/rejectedSpans"),
            SpanFormat::Zipkin => Receipt::All,
        }
    }
}

#[cfg(test)]
mod tests;
