//! Who is told, from what the operator wrote.
//!
//! Refused are no webhook at all, one without a place or with two, a place that is no URL, a DSN that is none, and two of the same name.

use std::rc::Rc;
use std::time::Duration;

use portcullis_minting::digest;

use super::form::Form;
use super::group::Pace;
use super::report::Report;
use crate::authn::Destination;
use crate::config::exceptions::{WebhookConfig, WebhookFormat};
use crate::config::secret::SecretConfig;
use crate::config::sink::{Compression, HeaderConfig, Overflow};
use crate::config::{ConfigError, Environment, Warning};
use crate::delivery::{Backoff, Delivery, Limits, Policy, Record, Surroundings, Target, TargetConfig, seed_of};
use crate::platform::Platform;
use crate::time::UnixTime;

/// How many reports wait for one who does not take them.
const BUFFER_RECORDS: usize = 1000;
const BUFFER_BYTES: usize = 1024 * 1024;
/// What the seed is hashed with.
const PURPOSE: &[u8] = b"portcullis exception webhook";
/// What the keys of groups in shared data begin with.
const KEY: &str = "portcullis.exceptions";

/// Somebody who is told.
#[derive(Debug)]
pub(super) struct Webhook {
    form: Form,
    pub delivery: Delivery,
}

impl Webhook {
    /// Tells of a group.
    pub fn tell(&mut self, report: &Report, now: UnixTime) {
        self.delivery.push(Record { id: report.id().into(), time: now, body: self.form.render(report) }, now);
    }
}

/// What tells the groups of a configuration from those of another: who is told, and how often.
pub(super) fn prefix(webhooks: &[Webhook], pace: Pace) -> String {
    let places: Vec<_> = webhooks.iter().map(|webhook| webhook.delivery.policy().target.place()).collect();
    let hash = digest(format!("{places:?} {pace:?}").as_bytes());
    hash.iter().take(8).fold(format!("{KEY}."), |key, byte| format!("{key}{byte:02x}"))
}

/// The webhooks of a list at `path`. Those whose place cannot be known here are left out, with a warning.
pub(super) fn compile(
    config: &[WebhookConfig],
    path: &str,
    platform: &Platform<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Webhook>, ConfigError> {
    if config.is_empty() {
        return Err(ConfigError::new(path, "is empty, so that nobody would be told"));
    }
    let mut webhooks: Vec<Webhook> = Vec::new();
    for (index, config) in config.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let label: Rc<str> = config.name.as_ref().map_or_else(|| format!("webhook{index}"), Clone::clone).into();
        if label.trim().is_empty() {
            return Err(ConfigError::new(format!("{path}.name"), "is empty"));
        }
        if webhooks.iter().any(|other| other.delivery.policy().label == label) {
            return Err(ConfigError::new(format!("{path}.name"), "is the name of a webhook before it"));
        }
        let retry = config.retry.unwrap_or_default();
        let limits = Limits {
            batch_records: 1,
            interval: Duration::ZERO,
            buffer_records: BUFFER_RECORDS,
            buffer_bytes: BUFFER_BYTES,
            ..Limits::compile(Default::default(), Default::default(), retry, Some(1), &path)?
        };
        let backoff = Backoff::compile(retry, &path)?;
        let Some(place) = Place::of(config, &path, platform.environment, warnings)? else { continue };
        if place.key != "uri" && !place.uri.starts_with("https:") {
            warnings
                .push(Warning::new(format!("{path}.{}", place.key), "is not https: whoever sees the connection sees the secret"));
        }
        let headers: Vec<_> = config.headers.iter().cloned().chain(place.header.clone()).collect();
        let target = TargetConfig { uri: Some(&place.uri), headers: &headers, ..target(config) };
        let around = Surroundings { path: &path, environment: platform.environment, compressor: None };
        let target = Target::compile(&target, &around, warnings).map_err(|error| place.told(error, &path))?;
        let form = Form(config.format);
        let overflow = Overflow::DropOldest;
        let policy = Policy { label, target, framing: Rc::new(form), limits, backoff, overflow, gap_seal: None };
        let seed = platform.seed.as_ref().map_or(0, |seed| seed_of(seed, PURPOSE, index));
        webhooks.push(Webhook { form, delivery: Delivery::new(policy, seed) });
    }
    Ok(webhooks)
}

fn target(config: &WebhookConfig) -> TargetConfig<'_> {
    TargetConfig {
        uri: config.uri.as_deref(),
        cluster: config.cluster.as_deref(),
        timeout: config.timeout,
        authorization: config.authorization.as_ref(),
        headers: &config.headers,
        compression: Compression::None,
    }
}

/// The clusters that the proxy must have, as far as the configuration alone says.
#[must_use]
pub fn destinations(config: &[WebhookConfig], path: &str) -> Vec<Destination> {
    let named = |config: &WebhookConfig, path: String| {
        let cluster = config.cluster.as_deref()?.into();
        Some(Destination { path: format!("{path}.cluster"), cluster, is_named: true })
    };
    let destination = |(index, config): (usize, &WebhookConfig)| {
        let path = format!("{path}[{index}]");
        target(config).destination(&path).or_else(|| named(config, path))
    };
    config.iter().enumerate().filter_map(destination).collect()
}

/// Where something is posted to.
struct Place {
    uri: String,
    /// Which key said so.
    key: &'static str,
    header: Option<HeaderConfig>,
}

impl Place {
    fn of(
        config: &WebhookConfig,
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Self>, ConfigError> {
        let is_sentry = config.format == WebhookFormat::Sentry;
        let mut secret = |secret: &SecretConfig, key: &'static str| {
            let place = format!("{path}.{key}");
            let bytes = secret.resolve_of_any_length(&place, environment, warnings)?;
            let text = bytes.map(|bytes| String::from_utf8(bytes).map_err(|_| ConfigError::new(&place, "is not text")));
            text.transpose()
        };
        match (&config.uri, &config.secret_uri, &config.dsn) {
            (Some(uri), None, None) if !is_sentry => Ok(Some(Self { uri: uri.clone(), key: "uri", header: None })),
            (None, Some(uri), None) if !is_sentry => {
                Ok(secret(uri, "secretUri")?.map(|uri| Self { uri, key: "secretUri", header: None }))
            }
            (None, None, Some(dsn)) if is_sentry => {
                let Some(dsn) = secret(dsn, "dsn")? else { return Ok(None) };
                let wrong = || ConfigError::new(format!("{path}.dsn"), "is not a DSN").hint("https://KEY@HOST/PROJECT");
                Self::of_dsn(&dsn).map(Some).ok_or_else(wrong)
            }
            _ if is_sentry => Err(ConfigError::new(path, "of the format `sentry` has `dsn`, and neither `uri` nor `secretUri`")),
            _ => Err(ConfigError::new(path, "has not exactly one of `uri` and `secretUri`, and no `dsn`")),
        }
    }

    /// Where events of a project are posted to (<https://develop.sentry.dev/sdk/overview/#parsing-the-dsn>).
    fn of_dsn(dsn: &str) -> Option<Self> {
        let (scheme, rest) = dsn.split_once("://")?;
        let (user, rest) = rest.split_once('@')?;
        let key = user.split(':').next()?;
        let (server, project) = rest.rsplit_once('/')?;
        let (host, path) = server.split_once('/').map_or((server, String::new()), |(host, path)| (host, format!("/{path}")));
        let is_word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_word(key) || !is_word(project) {
            return None;
        }
        let value = format!("Sentry sentry_version=7, sentry_client=portcullis/{}, sentry_key={key}", env!("CARGO_PKG_VERSION"));
        Some(Self {
            uri: format!("{scheme}://{host}{path}/api/{project}/envelope/"),
            key: "dsn",
            header: Some(HeaderConfig { name: "x-sentry-auth".to_owned(), value: Some(value), secret: None }),
        })
    }

    /// An error about the place, where that is a secret.
    fn told(&self, error: ConfigError, path: &str) -> ConfigError {
        if self.key == "uri" || error.path != format!("{path}.uri") {
            return error;
        }
        ConfigError::new(format!("{path}.{}", self.key), "does not hold a URL that may be posted to")
    }
}
