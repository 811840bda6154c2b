//! What seals the events, from what the operator wrote.
//!
//! Refused are a key of fewer than 32 bytes, one that cannot sign, and a checkpoint after no event or at no distance in time.

use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use portcullis_chain::{Chain, CheckpointPolicy, END_SCHEMA, MacKey};
use portcullis_minting::SigningKey;

use super::serial::Serials;
use super::timestamp::Timestamp;
use crate::config::audit_chain::{ChainConfig, CheckpointConfig};
use crate::config::duration::DurationText;
use crate::config::{ConfigError, Environment, Warning};
use crate::time::UnixTime;

const DEFAULT_RECORDS: u64 = 1000;
const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);

/// The chain of a stream's events, where `config` wants one; its place in the document is `path`. `None` also where a key cannot be
/// known, with a warning.
///
/// # Errors
/// The first thing that this module's documentation says is refused.
pub fn compile(
    config: Option<&ChainConfig>,
    path: &str,
    serials: &Serials,
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Chain>, ConfigError> {
    let Some(config) = config else { return Ok(None) };
    let key = config.key.resolve(&format!("{path}.key"), environment, warnings)?;
    let checkpoint = config.checkpoint.as_ref();
    let checkpoint = checkpoint.map(|config| checkpoints(config, &format!("{path}.checkpoint"), environment, warnings));
    let checkpoint = checkpoint.transpose()?;
    let Some(key) = key.and_then(|key| MacKey::new(&key)) else { return Ok(None) };
    if checkpoint.as_ref().is_some_and(Option::is_none) {
        return Ok(None);
    }
    Ok(Some(Chain::new(key, serials.stream(), checkpoint.flatten())))
}

/// The last record of a stream, without its seal. Its id needs no escape.
pub(super) fn end(id: &str, now: UnixTime) -> String {
    format!(r#"{{"schema":"{END_SCHEMA}","id":"{id}","time":"{}"}}"#, Timestamp(now))
}

fn checkpoints(
    config: &CheckpointConfig,
    path: &str,
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<Option<CheckpointPolicy>, ConfigError> {
    let records = config.records.unwrap_or(DEFAULT_RECORDS);
    if records == 0 {
        return Err(ConfigError::new(format!("{path}.records"), "is 0").hint("1 signs each event, which takes its time"));
    }
    let interval = config.interval.map_or(DEFAULT_INTERVAL, DurationText::get);
    if !INTERVALS.contains(&interval) {
        return Err(ConfigError::new(format!("{path}.interval"), "is not between 1s and 24h"));
    }
    let place = format!("{path}.key");
    let Some(bytes) = config.key.resolve(&place, environment, warnings)? else { return Ok(None) };
    let key = SigningKey::read(&bytes).map_err(|problem| ConfigError::new(place, problem.to_string()))?;
    Ok(Some(CheckpointPolicy { key: Rc::new(key), records, interval }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::config::Variable;

    const SIGNING: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;

    fn environment(name: &str) -> Variable {
        match name {
            "KEY" => Variable::Set("k".repeat(32)),
            "SIGNING" => Variable::Set(SIGNING.to_owned()),
            "ELSEWHERE" => Variable::Unknown,
            _ => Variable::Unset,
        }
    }

    fn compiled(config: Value) -> Result<(Option<Chain>, Vec<String>), String> {
        let config: ChainConfig = serde_json::from_value(config).unwrap();
        let mut warnings = Vec::new();
        let chain = compile(Some(&config), "chain", &Serials::new(&[0; 32]), &environment, &mut warnings);
        chain.map(|chain| (chain, warnings.iter().map(ToString::to_string).collect())).map_err(|error| error.to_string())
    }

    #[test]
    fn seals_in_the_stream_of_the_serials() {
        let checkpoint = json!({"key": {"env": "SIGNING"}, "records": 1});
        let (chain, warnings) = compiled(json!({"key": {"env": "KEY"}, "checkpoint": checkpoint})).unwrap();
        let mut chain = chain.unwrap();
        let first = chain.seal("{\"a\":1}".to_owned(), 1, 0);
        assert!(first.starts_with(r#"{"a":1,"chain":{"stream":"f56ece944e25fc4c","seq":1,"previous":null,"mac":""#), "{first}");
        assert!(chain.seal("{\"a\":1}".to_owned(), 2, 0).contains(r#""checkpoint":"eyJ"#));
        assert_eq!(warnings, Vec::<String>::new());
        assert!(compile(None, "chain", &Serials::new(&[0; 32]), &environment, &mut Vec::new()).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_known_here_is_a_warning() {
        for (config, place) in [
            (json!({"key": {"env": "ELSEWHERE"}}), "chain.key.env"),
            (json!({"key": {"env": "KEY"}, "checkpoint": {"key": {"env": "ELSEWHERE"}}}), "chain.checkpoint.key.env"),
        ] {
            let (chain, warnings) = compiled(config).unwrap();
            assert!(chain.is_none());
            assert_eq!(warnings, [format!("{place}: the variable cannot be checked here")]);
        }
    }

    #[test]
    fn refuses_what_proves_nothing() {
        let with = |checkpoint: Value| json!({"key": {"env": "KEY"}, "checkpoint": checkpoint});
        for (config, expected) in [
            (json!({"key": {"env": "ABSENT"}}), "chain.key.env: the variable is not set"),
            (json!({"key": {"inline": "short"}}), "chain.key.inline: the secret is too short: it has 5 bytes"),
            (with(json!({"key": {"env": "KEY"}})), "chain.checkpoint.key: is neither PEM nor a JWK"),
            (with(json!({"key": {"env": "SIGNING"}, "records": 0})), "chain.checkpoint.records: is 0"),
            (with(json!({"key": {"env": "SIGNING"}, "interval": "0s"})), "chain.checkpoint.interval: is not between 1s and 24h"),
        ] {
            let error = compiled(config).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
