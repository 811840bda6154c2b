//! What the operator wants of a delivery, checked once.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_chain::GapSeal;

use super::backoff::Backoff;
use super::batch::Batch;
use super::framing::Framing;
use super::record::Gap;
use crate::authn::Destination;
use crate::config::byte_size::ByteSize;
use crate::config::duration::DurationText;
use crate::config::secret::SecretConfig;
use crate::config::sink::{AuthorizationConfig, BatchConfig, BufferConfig, Compression, HeaderConfig, Overflow, RetryConfig};
use crate::config::{ConfigError, Environment, Warning};
use crate::keyring::Location;
use crate::stage::{Fetch, FetchId, Header, Post};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60 * 60);
const MAX_IN_FLIGHT: u32 = 16;
/// Headers that a request to a sink has anyway, or that belong to the connection.
const TAKEN_HEADERS: [&str; 11] = [
    "authorization",
    "b3",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "te",
    "traceparent",
    "transfer-encoding",
];

/// Compresses by gzip (RFC 1952).
pub trait Compressor {
    /// The compressed bytes; `None` when that fails.
    fn gzip(&self, bytes: &[u8]) -> Option<Vec<u8>>;
}

/// What a delivery does by itself.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The label in metrics and in the log.
    pub label: Rc<str>,
    /// Where batches are sent.
    pub target: Target,
    /// How records stand in a batch.
    pub framing: Rc<dyn Framing>,
    /// How much of what.
    pub limits: Limits,
    /// How long a batch waits before it is sent again.
    pub backoff: Backoff,
    /// What happens when the buffer is full.
    pub overflow: Overflow,
    /// What seals gap records, where records are sealed.
    pub gap_seal: Option<GapSeal>,
}

impl Policy {
    /// The line of JSON of a gap.
    pub(super) fn line_of(&self, gap: &Gap) -> String {
        let line = gap.to_line();
        match &self.gap_seal {
            Some(seal) => seal.seal(line),
            None => line,
        }
    }

    /// What sends a batch.
    pub(super) fn fetch(&self, id: FetchId, batch: &Batch) -> Fetch {
        self.target.fetch(id, batch, batch.text(self), self.framing.content_type())
    }
}

/// How much of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most records of a batch.
    pub batch_records: usize,
    /// The most bytes of a batch with more than one record.
    pub batch_bytes: usize,
    /// The longest time that a record waits for others.
    pub interval: Duration,
    /// The most records that wait or are under way.
    pub buffer_records: usize,
    /// Their most bytes.
    pub buffer_bytes: usize,
    /// The most batches under way.
    pub in_flight: usize,
    /// How often a batch is sent at most; absent where there is no end.
    pub attempts: Option<u32>,
}

/// Where batches are sent.
#[derive(Clone)]
pub struct Target {
    request: Fetch,
    authorization: Option<Rc<str>>,
    headers: Vec<Header>,
    compressor: Option<Rc<dyn Compressor>>,
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path of a webhook may be all that is needed to post there.
        formatter.debug_struct("Target").field("cluster", &self.request.cluster).finish_non_exhaustive()
    }
}

/// What is known of the place where the configuration is read.
pub(crate) struct Surroundings<'a> {
    /// The path of the object.
    pub path: &'a str,
    /// What `{env: NAME}` reads.
    pub environment: &'a dyn Environment,
    /// The proxy's own gzip, where there is a proxy; whether it works is to be tried.
    pub compressor: Option<&'a Rc<dyn Compressor>>,
}

impl Target {
    /// The target of a sink.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn compile(
        location: &TargetConfig<'_>,
        around: &Surroundings<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let path = around.path;
        let uri = location.uri.ok_or_else(|| ConfigError::new(format!("{path}.uri"), "is missing"))?;
        let place = format!("{path}.uri");
        let found = Location::parse(uri, location.cluster).map_err(|problem| ConfigError::new(&place, problem.to_string()))?;
        let timeout = duration(location.timeout, DEFAULT_TIMEOUT, LONGEST_TIMEOUT, &format!("{path}.timeout"))?;
        let authorization = match location.authorization {
            Some(config) => authorization(config, &format!("{path}.authorization"), around.environment, warnings)?,
            None => None,
        };
        let headers = headers(location.headers, &format!("{path}.headers"), around.environment, warnings)?;
        let has_secret = location.authorization.is_some() || location.headers.iter().any(|header| header.secret.is_some());
        if has_secret && !found.is_secure() {
            warnings.push(Warning::new(place, "is not https: whoever sees the connection sees the secret"));
        }
        let compressor = match location.compression {
            Compression::None => None,
            Compression::Gzip => {
                let compressor = around.compressor.filter(|compressor| compressor.gzip(b"portcullis").is_some());
                if compressor.is_none() && around.compressor.is_some() {
                    let message = "the proxy does not compress: batches are sent as they are";
                    warnings.push(Warning::new(format!("{path}.compression"), message));
                }
                compressor.cloned()
            }
        };
        Ok(Self { request: found.fetch(FetchId(0), timeout), authorization, headers, compressor })
    }

    /// A target that wants nothing beside the batch.
    #[cfg(test)]
    pub(super) fn plain(location: &Location, timeout: Duration) -> Self {
        Self { request: location.fetch(FetchId(0), timeout), authorization: None, headers: Vec::new(), compressor: None }
    }

    /// The cluster that leads there.
    #[must_use]
    pub fn cluster(&self) -> &Rc<str> {
        &self.request.cluster
    }

    /// How long an answer is waited for.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        self.request.timeout
    }

    /// The place, as it can be compared.
    #[must_use]
    pub fn place(&self) -> (&str, &str, &str, &str) {
        let Fetch { cluster, scheme, authority, path, .. } = &self.request;
        (cluster, scheme, authority, path)
    }

    /// The request that brings a batch there.
    fn fetch(&self, id: FetchId, batch: &Batch, text: String, content_type: &'static str) -> Fetch {
        let text = text.into_bytes();
        let mut headers = self.headers.clone();
        headers.push(("idempotency-key".into(), format!("\"{}\"", batch.id).into()));
        let compressed = self.compressor.as_ref().and_then(|compressor| compressor.gzip(&text));
        if compressed.is_some() {
            headers.push(("content-encoding".into(), "gzip".into()));
        }
        let post =
            Post { content_type, authorization: self.authorization.clone(), headers, body: compressed.unwrap_or(text).into() };
        Fetch { id, post: Some(post), ..self.request.clone() }
    }
}

/// The keys that say where batches are sent.
pub(crate) struct TargetConfig<'a> {
    pub uri: Option<&'a str>,
    pub cluster: Option<&'a str>,
    pub timeout: Option<DurationText>,
    pub authorization: Option<&'a AuthorizationConfig>,
    pub headers: &'a [HeaderConfig],
    pub compression: Compression,
}

impl TargetConfig<'_> {
    /// The cluster that the proxy must have, where the rest is as it should be.
    pub(crate) fn destination(&self, path: &str) -> Option<Destination> {
        let location = Location::parse(self.uri?, self.cluster).ok()?;
        let cluster = Rc::clone(location.cluster());
        Some(Destination { path: format!("{path}.cluster"), cluster, is_named: self.cluster.is_some() })
    }
}

impl Limits {
    /// The limits that an operator wrote, in an object at `path`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn compile(
        batch: BatchConfig,
        buffer: BufferConfig,
        retry: RetryConfig,
        in_flight: Option<u32>,
        path: &str,
    ) -> Result<Self, ConfigError> {
        let limits = Self {
            batch_records: count(batch.records, 500, &format!("{path}.batch.records"))?,
            batch_bytes: size(batch.bytes, 1024 * 1024, &format!("{path}.batch.bytes"))?,
            interval: duration(batch.interval, Duration::from_secs(1), LONGEST_INTERVAL, &format!("{path}.batch.interval"))?,
            buffer_records: count(buffer.records, 10_000, &format!("{path}.buffer.records"))?,
            buffer_bytes: size(buffer.bytes, 32 * 1024 * 1024, &format!("{path}.buffer.bytes"))?,
            in_flight: count(in_flight, 4, &format!("{path}.inFlight"))?,
            attempts: Some(retry.attempts.unwrap_or(10)).filter(|attempts| *attempts > 0),
        };
        if in_flight.is_some_and(|most| most > MAX_IN_FLIGHT) {
            return Err(ConfigError::new(format!("{path}.inFlight"), "is too many").hint(format!("at most {MAX_IN_FLIGHT}")));
        }
        if limits.buffer_records < limits.batch_records {
            return Err(ConfigError::new(format!("{path}.buffer.records"), "is less than a batch: no batch would ever be full"));
        }
        if limits.buffer_bytes < limits.batch_bytes {
            return Err(ConfigError::new(format!("{path}.buffer.bytes"), "is less than a batch: no batch would ever be full"));
        }
        Ok(limits)
    }
}

impl Backoff {
    /// The pauses that an operator wrote, in an object at `path`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn compile(retry: RetryConfig, path: &str) -> Result<Self, ConfigError> {
        let first = duration(retry.backoff, Duration::from_millis(500), LONGEST_BACKOFF, &format!("{path}.retry.backoff"))?;
        let usual = Duration::from_secs(30).max(first);
        let longest = duration(retry.max_backoff, usual, LONGEST_BACKOFF, &format!("{path}.retry.maxBackoff"))?;
        if longest < first {
            return Err(ConfigError::new(format!("{path}.retry.maxBackoff"), "is shorter than `backoff`"));
        }
        Ok(Self { first, longest })
    }
}

fn count(number: Option<u32>, usual: usize, path: &str) -> Result<usize, ConfigError> {
    match number.map(usize::try_from) {
        None => Ok(usual),
        Some(Ok(0) | Err(_)) => Err(ConfigError::new(path, "is not 1 or more")),
        Some(Ok(number)) => Ok(number),
    }
}

fn size(size: Option<ByteSize>, usual: usize, path: &str) -> Result<usize, ConfigError> {
    match size.map_or(usual, ByteSize::get) {
        0 => Err(ConfigError::new(path, "is not 1 byte or more")),
        size => Ok(size),
    }
}

fn duration(text: Option<DurationText>, usual: Duration, longest: Duration, path: &str) -> Result<Duration, ConfigError> {
    let duration = text.map_or(usual, DurationText::get);
    if duration < Duration::from_millis(1) || duration > longest {
        return Err(ConfigError::new(path, format!("is not between 1ms and {}s", longest.as_secs())));
    }
    Ok(duration)
}

/// The header that says who the gateway is; `None` when its secret cannot be known here.
fn authorization(
    config: &AuthorizationConfig,
    path: &str,
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Rc<str>>, ConfigError> {
    let (secret, place) = match (&config.bearer, &config.basic) {
        (Some(secret), None) => (secret, format!("{path}.bearer")),
        (None, Some(basic)) => (&basic.password, format!("{path}.basic.password")),
        (Some(_), Some(_)) => {
            return Err(ConfigError::new(path, "has both `bearer` and `basic`").hint("give one of them"));
        }
        (None, None) => return Err(ConfigError::new(path, "is empty").hint("give `bearer` or `basic`")),
    };
    if let Some(basic) = &config.basic
        && (basic.username.is_empty() || basic.username.contains(':') || basic.username.chars().any(char::is_control))
    {
        return Err(ConfigError::new(format!("{path}.basic.username"), "is empty, or has a colon or control characters in it"));
    }
    let Some(secret) = text(secret, &place, environment, warnings)? else { return Ok(None) };
    Ok(Some(match &config.basic {
        Some(basic) => format!("Basic {}", STANDARD.encode(format!("{}:{secret}", basic.username))).into(),
        None => format!("Bearer {secret}").into(),
    }))
}

fn headers(
    config: &[HeaderConfig],
    path: &str,
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Header>, ConfigError> {
    let mut headers: Vec<Header> = Vec::new();
    for (index, header) in config.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let name = header.name.to_ascii_lowercase();
        let at_name = |problem: &str| ConfigError::new(format!("{path}.name"), problem);
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(at_name("is not the name of a header"));
        }
        if name == "authorization" {
            return Err(at_name("has a key of its own").hint("give `authorization: {bearer: …}` or `{basic: …}`"));
        }
        if TAKEN_HEADERS.contains(&&*name) {
            return Err(at_name("is set by the gateway itself"));
        }
        if headers.iter().any(|(other, _)| **other == *name) {
            return Err(at_name("is named twice"));
        }
        let value = match (&header.value, &header.secret) {
            (Some(value), None) => {
                if !is_header_value(value) {
                    return Err(not_a_value(format!("{path}.value")));
                }
                Some(value.clone())
            }
            (None, Some(secret)) => text(secret, &format!("{path}.secret"), environment, warnings)?,
            (Some(_), Some(_)) => return Err(ConfigError::new(path, "has both `value` and `secret`").hint("give one of them")),
            (None, None) => return Err(ConfigError::new(path, "has no value").hint("give `value` or `secret`")),
        };
        headers.extend(value.map(|value| (name.into(), value.into())));
    }
    Ok(headers)
}

/// A secret that can stand in a header; `None` when it cannot be known here.
fn text(
    secret: &SecretConfig,
    path: &str,
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<Option<String>, ConfigError> {
    let Some(bytes) = secret.resolve_of_any_length(path, environment, warnings)? else { return Ok(None) };
    let text = String::from_utf8(bytes).ok().filter(|text| is_header_value(text));
    text.map(Some).ok_or_else(|| not_a_value(path.to_owned()))
}

fn is_header_value(text: &str) -> bool {
    text.trim() == text && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

fn not_a_value(path: String) -> ConfigError {
    ConfigError::new(path, "cannot stand in a header").hint("visible ASCII, with no white space at either end")
}
