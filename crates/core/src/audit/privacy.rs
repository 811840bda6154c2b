//! What of an event is written in another way than it is: by a pseudonym, or masked; and how long it may be.
//!
//! Refused are a field that there is not or that is not included, one that is named twice, and limits that leave no event.

use std::borrow::Cow;

use super::event::Included;
use super::pseudonyms::Pseudonyms;
use super::redaction::{MAX_VALUE_BYTES, redact, redact_bytes, redact_claim};
use crate::claim_set::Claim;
use crate::config::audit_log::AuditLogConfig;
use crate::config::document::key_in_path;
use crate::config::{ConfigError, Environment, Warning};
use serde_json::Value;

/// The longest event, in bytes, where the operator does not say.
const MAX_EVENT_BYTES: usize = 16 * 1024;
/// The shortest limits that leave something to be read.
const MIN_VALUE_BYTES: usize = 64;
const MIN_EVENT_BYTES: usize = 4 * 1024;
/// How a masked value begins.
const MASK: &str = "***";
/// How long a value must be for its end to be shown, and how much of it, in characters.
const MIN_MASKED: usize = 12;
const SHOWN: usize = 4;

/// How a field is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Treatment {
    /// As it is.
    #[default]
    Plain,
    /// By its pseudonym.
    Hashed,
    /// By its end, if it is long.
    Masked,
}

/// How the fields of an event are written, and how long it may be.
#[derive(Debug, Clone)]
pub struct Privacy {
    pseudonyms: Option<Pseudonyms>,
    /// How the subject is written.
    pub subject: Treatment,
    /// How the client's address is written.
    pub client: Treatment,
    /// How the object is written. Where it is hashed, the path, which holds it, is left out.
    pub object: Treatment,
    claims: Vec<Treatment>,
    headers: Vec<Treatment>,
    query: Vec<Treatment>,
    value_limit: usize,
    /// The longest event, in bytes.
    pub event_limit: usize,
}

impl Default for Privacy {
    fn default() -> Self {
        Self {
            pseudonyms: None,
            subject: Treatment::Plain,
            client: Treatment::Plain,
            object: Treatment::Plain,
            claims: Vec::new(),
            headers: Vec::new(),
            query: Vec::new(),
            value_limit: MAX_VALUE_BYTES,
            event_limit: MAX_EVENT_BYTES,
        }
    }
}

impl Privacy {
    /// What the operator wrote, for events in which these may stand.
    ///
    /// # Errors
    /// The first thing that this module's documentation says is refused, or that is wrong with the key.
    pub fn compile(
        config: &AuditLogConfig,
        included: &Included,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let mut privacy = Self {
            claims: vec![Treatment::Plain; included.claims.len()],
            headers: vec![Treatment::Plain; included.request_headers.len()],
            query: vec![Treatment::Plain; included.query_params.len()],
            ..Self::default()
        };
        privacy.limit(config)?;
        if let Some(hash) = &config.hash {
            let key = hash.key.resolve("hash.key", environment, warnings)?;
            privacy.pseudonyms = Some(Pseudonyms::new(key.as_deref()));
            let default = ["subject".to_owned()];
            for (index, field) in hash.fields.as_deref().unwrap_or(&default).iter().enumerate() {
                privacy.treat(field, Treatment::Hashed, included, &format!("hash.fields[{index}]"))?;
            }
        }
        for (index, field) in config.mask.iter().enumerate() {
            privacy.treat(field, Treatment::Masked, included, &format!("mask[{index}]"))?;
        }
        privacy.warn(included, warnings);
        Ok(privacy)
    }

    fn limit(&mut self, config: &AuditLogConfig) -> Result<(), ConfigError> {
        let limits = [
            ("value", config.limits.value, MIN_VALUE_BYTES, &mut self.value_limit),
            ("event", config.limits.event, MIN_EVENT_BYTES, &mut self.event_limit),
        ];
        for (key, given, least, limit) in limits {
            let Some(given) = given else { continue };
            if given.get() < least {
                return Err(ConfigError::new(
                    format!("limits.{key}"),
                    format!("is less than {least}B, and leaves nothing to read"),
                ));
            }
            *limit = given.get();
        }
        Ok(())
    }

    /// Says how a field is written.
    fn treat(&mut self, field: &str, treatment: Treatment, included: &Included, path: &str) -> Result<(), ConfigError> {
        let at = |problem: String| ConfigError::new(path, problem);
        let (place, names, list) = match field.split_once('.') {
            Some(("claims", name)) => (place(&included.claims, name), &included.claims, ("claims", "include.claims")),
            Some(("headers", name)) => {
                let name = name.to_ascii_lowercase();
                (place(&included.request_headers, &name), &included.request_headers, ("headers", "include.requestHeaders"))
            }
            Some(("query", name)) => {
                (place(&included.query_params, name), &included.query_params, ("query", "include.queryParams"))
            }
            _ => return self.treat_own(field, treatment, path),
        };
        let (kind, key) = list;
        let Some(place) = place else {
            let known: Vec<_> = names.iter().map(|name| format!("`{kind}.{name}`")).collect();
            let hint = if known.is_empty() { "there is none".to_owned() } else { format!("there is {}", known.join(", ")) };
            return Err(at(format!("`{}` is not in `{key}`, and so in no event", key_in_path(field))).hint(hint));
        };
        let slots = match kind {
            "claims" => &mut self.claims,
            "headers" => &mut self.headers,
            _ => &mut self.query,
        };
        match slots.get_mut(place) {
            Some(slot) => set(slot, treatment, path),
            None => Ok(()),
        }
    }

    fn treat_own(&mut self, field: &str, treatment: Treatment, path: &str) -> Result<(), ConfigError> {
        let slot = match (field, treatment) {
            ("subject", _) => &mut self.subject,
            ("client", _) => &mut self.client,
            ("object", Treatment::Hashed) => &mut self.object,
            // It never stands in an event as it is; with a key it is hashed with the key.
            ("tokenId", Treatment::Hashed) => return Ok(()),
            ("object" | "tokenId", _) => {
                return Err(ConfigError::new(path, "cannot be masked").hint("name it in `hash.fields`"));
            }
            _ => {
                let known = "there is subject, client, tokenId, object, claims.NAME, headers.NAME and query.NAME";
                return Err(ConfigError::new(path, format!("`{}` is no field", key_in_path(field))).hint(known));
            }
        };
        set(slot, treatment, path)
    }

    /// The subject by another name is still the subject.
    fn warn(&self, included: &Included, warnings: &mut Vec<Warning>) {
        if self.subject == Treatment::Plain {
            return;
        }
        let is_plain = |place: usize| self.claims.get(place) == Some(&Treatment::Plain);
        if let Some(place) = place(&included.claims, "sub").filter(|place| is_plain(*place)) {
            let message =
                "is mostly the subject, which is not to stand in events as it is; name `claims.sub` in `hash.fields` too";
            warnings.push(Warning::new(format!("include.claims[{place}]"), message));
        }
    }

    /// A value as it may stand in an event.
    #[must_use]
    pub fn text<'v>(&self, value: &'v str) -> Cow<'v, str> {
        redact(value, self.value_limit)
    }

    /// A value that is treated so.
    #[must_use]
    pub fn treated(&self, value: &str, treatment: Treatment) -> String {
        match (treatment, &self.pseudonyms) {
            (Treatment::Plain, _) => self.text(value).into_owned(),
            (Treatment::Hashed, Some(pseudonyms)) => pseudonyms.of(value),
            (Treatment::Masked, _) | (Treatment::Hashed, None) => self.text(&masked(value)).into_owned(),
        }
    }

    /// The id of a token, of which an event only tells whether it is the same as another.
    #[must_use]
    pub fn token_id(&self, id: &str, digest: impl FnOnce(&str) -> String) -> String {
        self.pseudonyms.as_ref().map_or_else(|| digest(id), |pseudonyms| pseudonyms.of(id))
    }

    /// The claim at this place of those that are included.
    #[must_use]
    pub fn claim(&self, place: usize, claim: Claim<'_>) -> Value {
        match (self.claims.get(place).copied().unwrap_or_default(), claim) {
            (Treatment::Plain, claim) => redact_claim(claim, self.value_limit),
            (treatment, Claim::Text(text)) => self.treated(text, treatment).into(),
            (treatment, claim) => self.treated(&Value::from(claim).to_string(), treatment).into(),
        }
    }

    /// The value of the header at this place of those that are included.
    #[must_use]
    pub fn header<'v>(&self, place: usize, value: &'v [u8]) -> Cow<'v, str> {
        match self.headers.get(place).copied().unwrap_or_default() {
            Treatment::Plain => redact_bytes(value, self.value_limit),
            treatment => self.treated(&String::from_utf8_lossy(value), treatment).into(),
        }
    }

    /// The value of the query parameter at this place of those that are included.
    #[must_use]
    pub fn query(&self, place: usize, value: &str) -> String {
        self.treated(value, self.query.get(place).copied().unwrap_or_default())
    }
}

fn place(names: &[String], name: &str) -> Option<usize> {
    names.iter().position(|other| other == name)
}

fn set(slot: &mut Treatment, treatment: Treatment, path: &str) -> Result<(), ConfigError> {
    match std::mem::replace(slot, treatment) {
        Treatment::Plain => Ok(()),
        Treatment::Hashed | Treatment::Masked => Err(ConfigError::new(path, "is named twice")),
    }
}

/// The end of a long value, behind a mask; of a short one nothing.
fn masked(value: &str) -> String {
    let count = value.chars().count();
    let shown = if count < MIN_MASKED { 0 } else { SHOWN };
    let end: String = value.chars().skip(count.saturating_sub(shown)).collect();
    format!("{MASK}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_end_of_what_is_long_and_nothing_else() {
        for (value, expected) in [
            ("", "***"),
            ("0123456789a", "***"),
            ("0123456789ab", "***89ab"),
            ("+49 170 1234567", "***4567"),
            ("ééééééééééyyzz", "***yyzz"),
        ] {
            assert_eq!(masked(value), expected);
        }
    }
}
