//! The answer to whoever asks how the gateway is doing.

use serde::Serialize;

use super::{Health, IssuerHealth, KeyState, SinkState};
use crate::answer::LocalReply;
use crate::config_version::ConfigVersion;
use crate::decision::HEALTH;

/// What an answer holds beside what the stages tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The version of the configuration.
    pub version: ConfigVersion,
    /// Whether issuers and sinks are told of.
    pub has_details: bool,
    /// The names of issuers that may be without keys.
    pub optional_issuers: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    status: &'static str,
    config_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuers: Option<Vec<Issuer>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sinks: Option<Vec<Sink<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Issuer {
    name: String,
    keys: KeyState,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys_age_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Sink<'a> {
    name: &'a str,
    state: SinkState,
    queued: usize,
}

impl Answer {
    /// The answer for this health.
    #[must_use]
    pub fn reply(&self, health: &Health) -> LocalReply {
        let (status, word) = if health.is_available(&self.optional_issuers) { (200, "ok") } else { (503, "unavailable") };
        let body = Body {
            status: word,
            config_version: self.version.to_string(),
            issuers: self.has_details.then(|| health.issuers.iter().map(Issuer::of).collect()),
            sinks: self.has_details.then(|| {
                let sinks = health.sinks.iter();
                sinks.map(|sink| Sink { name: &sink.name, state: sink.state, queued: sink.queued }).collect()
            }),
        };
        LocalReply {
            status,
            headers: vec![("content-type", "application/json".to_owned()), ("cache-control", "no-store".to_owned())],
            body: serde_json::to_vec(&body).unwrap_or_default(),
            details: format!("portcullis{{{HEALTH}}}"),
        }
    }
}

impl Issuer {
    fn of(health: &IssuerHealth) -> Self {
        // An entry without a name is named by its issuer, which is a part of the configuration and is not told.
        let name = if health.is_named { health.name.to_string() } else { format!("issuer{}", health.place) };
        Self { name, keys: health.keys, keys_age_seconds: health.age.map(|age| age.as_secs()) }
    }
}
