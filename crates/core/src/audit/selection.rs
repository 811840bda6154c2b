//! Which requests are recorded: of all, of those that change something, or of those that were refused; all of them, or a part.
//!
//! Only what was let through and answered is ever left to chance. Refused is a part of what is not recorded anyway.

use super::outcome::{Outcome, is_refused_elsewhere};
use super::sampler::Sampler;
use crate::config::ConfigError;
use crate::config::audit_log::Record;
use crate::config::fraction::Fraction;
use crate::decision::Effect;
use crate::request::Request;
use crate::stage::{Ending, Exchange};

/// The methods that change nothing (RFC 9110 section 9.2.1).
const SAFE_METHODS: [&str; 4] = ["GET", "HEAD", "OPTIONS", "TRACE"];

/// Which requests are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// Which of all.
    pub record: Record,
    /// Which part of those that were let through and answered.
    pub sample: Option<Fraction>,
}

/// That a request is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The part of its like that is recorded, if it was let through and answered; absent when all are.
    pub sample: Option<Fraction>,
}

impl Selection {
    /// What the operator wrote at `path` in the document.
    ///
    /// # Errors
    /// When a part is asked for of what is not recorded.
    pub fn compile(record: Record, sample: Option<Fraction>, path: &str) -> Result<Self, ConfigError> {
        if sample.is_some() && matches!(record, Record::Denied | Record::Never) {
            let problem = "is for requests that are let through, of which none is recorded here";
            return Err(ConfigError::new(format!("{path}.sample"), problem).hint("set `record` to `always` or `changes`"));
        }
        Ok(Self { record, sample: sample.filter(|part| *part != Fraction::ALL) })
    }

    /// The same without chance.
    #[must_use]
    pub const fn whole(self) -> Self {
        Self { sample: None, ..self }
    }

    /// The same as a route wants it, by the word in its metadata. A word that is none means all.
    #[must_use]
    pub fn on_route(self, word: Option<&[u8]>) -> Self {
        word.map_or(self, |word| Self { record: record_of(word).unwrap_or(Record::Always), ..self })
    }

    /// Whether an exchange that has ended is recorded.
    pub fn takes(self, exchange: &Exchange, ending: &dyn Ending, sampler: Option<&mut Sampler>) -> Option<Recorded> {
        let is_taken = match self.record {
            Record::Always => true,
            Record::Changes => is_change(&exchange.request) || is_refused(exchange, ending),
            Record::Denied => is_refused(exchange, ending),
            Record::Never => false,
        };
        if !is_taken {
            return None;
        }
        let (Some(part), Some(sampler)) = (self.sample, sampler) else { return Some(Recorded { sample: None }) };
        if exchange.decision.as_ref().is_some_and(|decision| decision.effect != Effect::Allow) {
            return Some(Recorded { sample: None });
        }
        if sampler.takes(part) {
            return Some(Recorded { sample: Some(part) });
        }
        (Outcome::of(exchange, ending) != Outcome::Allowed).then_some(Recorded { sample: None })
    }
}

/// What a word says, as in the configuration.
pub fn record_of(word: &[u8]) -> Option<Record> {
    match word {
        b"always" => Some(Record::Always),
        b"changes" => Some(Record::Changes),
        b"denied" => Some(Record::Denied),
        b"never" => Some(Record::Never),
        _ => None,
    }
}

/// Whether the request may change something: a method that is not known does.
fn is_change(request: &Request) -> bool {
    !request.method().is_some_and(|method| SAFE_METHODS.contains(&method))
}

/// Whether the request was refused, also when the client did not wait for the answer, or would have been by a rule in shadow.
fn is_refused(exchange: &Exchange, ending: &dyn Ending) -> bool {
    match &exchange.decision {
        Some(decision) if decision.effect != Effect::Allow => true,
        Some(_) => is_refused_elsewhere(exchange, ending),
        None => Outcome::of(exchange, ending) == Outcome::Denied,
    }
}
