//! The part of an event that the proxy's access log cannot write itself.
//!
//! With `members: own` the filter state holds this part, without the outer braces. The access log's own format puts the rest behind
//! it, and costs less than to read it all into the module: [`FORMAT`] makes the same event of both.

use crate::config::ConfigError;
use crate::config::audit_log::AuditLogConfig;
use crate::config::sink::Members;

/// A format for Envoy's access log, as text, that makes an event of what the filter state holds.
pub const FORMAT: &str = concat!(
    "{%FILTER_STATE(wasm.portcullis.audit:PLAIN)%,\"response\":{\"status\":%RESPONSE_CODE%,\"bytes\":%BYTES_SENT%,",
    "\"flags\":\"%RESPONSE_FLAGS%\"},\"durationMs\":%DURATION%,\"client\":{\"address\":\"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%\"}}\n"
);

/// What stands before the first member that the access log writes. The last place counts: no later member holds such a text.
const FIRST_OF_OTHERS: &str = ",\"response\":{\"status\":";

/// The part of a line that the access log cannot write.
pub fn own(line: &str) -> &str {
    let whole = line.strip_prefix('{').unwrap_or(line);
    whole.rsplit_once(FIRST_OF_OTHERS).map_or(whole, |(own, _)| own)
}

/// Refuses what the access log would undo.
///
/// # Errors
/// Where `members: own` stands beside a chain, or beside a client's address that is not to be written as it is.
pub fn refuse_contradictions(config: &AuditLogConfig) -> Result<(), ConfigError> {
    let sinks = config.sinks.as_deref().unwrap_or_default();
    let Some(index) = sinks.iter().position(|sink| sink.members == Some(Members::Own)) else { return Ok(()) };
    let at = |problem: &str| Err(ConfigError::new(format!("sinks[{index}].members"), problem));
    let names_client = |fields: &[String]| fields.iter().any(|field| field == "client");
    let hashes_client = config.hash.as_ref().and_then(|hash| hash.fields.as_deref()).is_some_and(names_client);
    if config.chain.is_some() {
        return at("contradicts `chain`: what the access log writes itself would not be protected");
    }
    if hashes_client || names_client(&config.mask) {
        return at("contradicts `hash` and `mask`: the access log writes the client's address as it is");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_shows_the_format() {
        let written = serde_json::to_string(FORMAT).unwrap();
        assert!(include_str!("../../../../docs/audit.md").contains(&format!("inline_string: {written}\n")), "{written}");
    }

    #[test]
    fn ends_before_what_the_access_log_writes() {
        let line =
            r#"{"a":{"response":"x","b":",\"response\":{\"status\":"},"truncated":false,"response":{"status":200},"client":{}}"#;
        assert_eq!(own(line), r#""a":{"response":"x","b":",\"response\":{\"status\":"},"truncated":false"#);
    }
}
