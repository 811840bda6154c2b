//! The stage that answers whoever asks how the gateway is doing.
//!
//! It is asked by exactly the path that the operator chose, with GET or HEAD, where there is a `port` only on the listener of that
//! port. Nothing else in a request makes it one for this stage, and above all not who says to be asking (`User-Agent`). Every other
//! request goes on to the rules.

use std::rc::Rc;
use std::time::Duration;

use super::Answer;
use crate::config::health::HealthConfig;
use crate::config::{ConfigError, suggestion};
use crate::config_version::ConfigVersion;
use crate::decision::{DEFAULT_RULE, Decision, HEALTH};
use crate::metrics::OwnMetric;
use crate::metrics::catalogue::HEALTH_CHECKS_TOTAL;
use crate::path::RequestPath;
use crate::stage::{Ending, Exchange, Observer, Stage, Surroundings, Verdict};
use crate::time::UnixTime;

/// The values of the label `outcome`, with what they say.
pub const OUTCOMES: [(&str, &str); 2] = [("ok", "The gateway can do its work."), ("unavailable", "It cannot.")];

/// The stage that says how the gateway is doing.
#[derive(Debug)]
pub struct HealthEndpoint {
    path: String,
    port: Option<u16>,
    answer: Rc<Answer>,
    counters: [OwnMetric; OUTCOMES.len()],
}

impl HealthEndpoint {
    /// The stage that an operator wants at `path` in the document, beside issuers of these names.
    ///
    /// # Errors
    /// When the path is not written in the one way in which it is looked for, the port is none, or an issuer is not there.
    pub fn compile(config: &HealthConfig, path: &str, version: ConfigVersion, issuers: &[Rc<str>]) -> Result<Self, ConfigError> {
        if !RequestPath::is_exact(&config.path) {
            return Err(ConfigError::new(format!("{path}.path"), "is not an exact path").hint("for example /healthz"));
        }
        if config.port == Some(0) {
            return Err(ConfigError::new(format!("{path}.port"), "must be between 1 and 65535"));
        }
        for (index, name) in config.optional_issuers.iter().enumerate() {
            let at = |problem: &str| ConfigError::new(format!("{path}.optionalIssuers[{index}]"), problem);
            if !issuers.iter().any(|issuer| **issuer == **name) {
                let names: Vec<_> = issuers.iter().map(|issuer| &**issuer).collect();
                let hint = suggestion::hint(name, &names, "names of `jwtRules` entries");
                return Err(at("is not the name of a `jwtRules` entry").hint(hint));
            }
            if config.optional_issuers.iter().take(index).any(|earlier| earlier == name) {
                return Err(at("is named twice"));
            }
        }
        let answer =
            Answer { version, has_details: config.details.unwrap_or(true), optional_issuers: config.optional_issuers.clone() };
        Ok(Self { path: config.path.clone(), port: config.port, answer: Rc::new(answer), counters: Default::default() })
    }

    fn is_for(&self, exchange: &Exchange, around: &mut dyn Surroundings) -> bool {
        let request = &exchange.request;
        matches!(request.headers().single(":path"), Ok(Some(target)) if target == self.path.as_bytes())
            && matches!(request.method(), Some("GET" | "HEAD"))
            && self.port.is_none_or(|port| around.local_port() == Ok(port))
    }
}

impl Stage for HealthEndpoint {
    fn tick_period(&self) -> Option<Duration> {
        None
    }

    fn on_request(&mut self, exchange: &mut Exchange, _now: UnixTime, around: &mut dyn Surroundings) -> Verdict {
        if !self.is_for(exchange, around) {
            return Verdict::Continue;
        }
        exchange.decision = Some(Decision::allow(DEFAULT_RULE.into(), HEALTH, None));
        Verdict::TellHealth(Rc::clone(&self.answer))
    }

    fn on_log(&mut self, exchange: &Exchange, ending: &dyn Ending, _now: UnixTime, observer: &mut dyn Observer) {
        if !exchange.decision.as_ref().is_some_and(Decision::is_of_health) {
            return;
        }
        let place = usize::from(ending.status() != Some(200));
        if let (Some(counter), Some((outcome, _))) = (self.counters.get_mut(place), OUTCOMES.get(place))
            && let Some(id) = counter.id(&HEALTH_CHECKS_TOTAL, &[outcome], observer)
        {
            observer.increment(id, 1);
        }
    }
}
