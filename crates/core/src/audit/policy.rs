//! What the operator wants to be recorded, checked once.
//!
//! Refused are a header or parameter that carries a credential, an object with a parameter that some path of its match does not
//! give, and a name that stands twice in a list.

use std::rc::Rc;

use super::caller::Callers;
use super::event::{Event, Included, Named};
use super::object_template::ObjectTemplate;
use super::privacy::Privacy;
use super::sampler::Sampler;
use super::selection::Selection;
use super::serial::Serials;
use crate::config::audit_log::{AuditLogConfig, EventConfig, IncludeConfig, Record};
use crate::config::{ConfigError, Environment, Warning};
use crate::decision::Decision;
use crate::matcher::{Matcher, PathParameters, Reading};
use crate::path::RequestPath;
use crate::request::Request;
use crate::stage::{Ending, Exchange};
use crate::time::UnixTime;

/// Headers whose value is, or often is, a credential.
const SECRET_HEADERS: [&str; 9] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-forwarded-access-token",
    "x-jwt-assertion",
];
/// Parameters whose value is a credential.
const SECRET_PARAMS: [&str; 9] =
    ["access_token", "api_key", "apikey", "client_assertion", "client_secret", "id_token", "password", "refresh_token", "token"];

#[derive(Debug, Clone)]
struct NamedEvent {
    name: String,
    matcher: Matcher,
    object: Option<ObjectTemplate>,
    selection: Selection,
}

/// An event with the parameters of the path that fulfils it.
struct Match<'a> {
    event: &'a NamedEvent,
    parameters: PathParameters<'a>,
    selection: Selection,
}

/// The policy of the stage audit-log.
#[derive(Debug, Clone)]
pub struct Policy {
    events: Vec<NamedEvent>,
    default: Selection,
    hears_routes: bool,
    included: Included,
    rules: Vec<(Rc<str>, Matcher)>,
}

impl Policy {
    /// The policy for a configuration, whose own place in the document is the empty path.
    ///
    /// # Errors
    /// The first thing that this module's documentation says is refused.
    pub fn compile(config: &AuditLogConfig) -> Result<(Self, Vec<Warning>), ConfigError> {
        let mut events = Vec::with_capacity(config.events.len());
        for (index, event) in config.events.iter().enumerate() {
            events.push(NamedEvent::compile(event, &format!("events[{index}]"))?);
        }
        let default = Selection::compile(config.default.record, config.default.sample, "default")?;
        let included = included(&config.include)?;
        let policy = Self { events, default, hears_routes: config.route_record, included, rules: Vec::new() };
        let warnings = policy.warnings();
        Ok((policy, warnings))
    }

    /// The same for events of which the access log writes itself what only the proxy knows.
    #[must_use]
    pub fn lean(mut self) -> Self {
        self.included.is_lean = true;
        self
    }

    /// The same with the rules of the same module, whose patterns name the paths that no event names.
    #[must_use]
    pub fn with_rules(self, rules: impl IntoIterator<Item = (Rc<str>, Matcher)>) -> Self {
        Self { rules: rules.into_iter().collect(), ..self }
    }

    /// The same with what the same configuration says about how values are written.
    ///
    /// # Errors
    /// Those of [`Privacy::compile`].
    pub fn with_privacy(
        mut self,
        config: &AuditLogConfig,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        self.included.privacy = Privacy::compile(config, &self.included, environment, warnings)?;
        Ok(self)
    }

    /// Whether the name of the proxy's route must be known.
    #[must_use]
    pub fn needs_route_name(&self) -> bool {
        self.events.iter().any(|event| event.matcher.needs_route_name())
    }

    /// Whether routes may say in their metadata what is recorded.
    #[must_use]
    pub const fn hears_routes(&self) -> bool {
        self.hears_routes
    }

    /// Whether a request may have to be recorded, however it ends.
    #[must_use]
    pub fn may_record(&self, exchange: &Exchange) -> bool {
        self.hears_routes || self.named(exchange).map_or(self.default, |named| named.selection).record != Record::Never
    }

    /// The event of an exchange that has ended, with the next serial; `None`, and none is taken, when it is not to be recorded.
    #[must_use]
    pub fn event<'a>(
        &'a self,
        exchange: &'a Exchange,
        ending: &dyn Ending,
        now: UnixTime,
        serials: &mut Serials,
        sampler: Option<&mut Sampler>,
    ) -> Option<Event<'a>> {
        let named = self.named(exchange);
        // Who asks every few seconds how the gateway is doing is on record only by an event of its own.
        if named.is_none() && exchange.decision.as_ref().is_some_and(Decision::is_of_health) {
            return None;
        }
        let selection = named.as_ref().map_or(self.default, |named| named.selection);
        let recorded = selection.on_route(exchange.route.record.as_deref()).takes(exchange, ending, sampler)?;
        let named = self.describe(exchange, named);
        Some(Event::new(exchange, ending, now, serials.take(), named, recorded, &self.included))
    }

    /// The pattern of the request's path, where the event that it fulfils or the rule that decided has one.
    #[must_use]
    pub fn path_template<'a>(&'a self, exchange: &'a Exchange) -> Option<&'a str> {
        self.describe(exchange, self.named(exchange)).path_template
    }

    fn describe<'a>(&'a self, exchange: &'a Exchange, named: Option<Match<'a>>) -> Named<'a> {
        let event = named.as_ref().map(|named| named.event);
        let of_event = event.and_then(|event| event.matcher.path_template(&exchange.request));
        let of_rule = || {
            let decided = &exchange.decision.as_ref()?.rule;
            self.rules.iter().find(|(name, _)| name == decided)?.1.path_template(&exchange.request)
        };
        Named {
            action: event.map(|event| event.name.as_str()),
            object: named.as_ref().and_then(|named| named.event.object.as_ref()?.render(&named.parameters)),
            path_template: of_event.or_else(of_rule),
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let everything = self.events.iter().position(|event| event.matcher.is_everything());
        if let Some(index) = everything.filter(|index| index.saturating_add(1) < self.events.len()) {
            warnings.push(Warning::new(format!("events[{index}]"), "matches every request, so no event after it is ever named"));
        }
        if !self.hears_routes
            && self
                .events
                .iter()
                .map(|event| event.selection)
                .chain([self.default])
                .all(|selection| selection.record == Record::Never)
        {
            warnings.push(Warning::new("", "records nothing"));
        }
        warnings
    }

    /// The first event that the request fulfils.
    ///
    /// A request that can be understood in several ways falls under an event before that one if any of its readings fulfils
    /// it, but only to be recorded more, never less, and not by chance: an odd spelling keeps nothing off the record.
    fn named<'a>(&'a self, exchange: &'a Exchange) -> Option<Match<'a>> {
        let (request, route) = (&exchange.request, exchange.route.name.as_deref());
        let find = |event: &'a NamedEvent, reading| {
            event.matcher.matches(request, route, reading).map(|parameters| Match {
                event,
                parameters,
                selection: event.selection,
            })
        };
        let mut possible: Option<Match<'a>> = None;
        let mut certain = None;
        for event in &self.events {
            certain = find(event, Reading::Broad);
            if certain.is_some() {
                break;
            }
            if (event.matcher.reads_headers() || is_odd(request))
                && possible.as_ref().is_none_or(|other| other.selection.record < event.selection.record)
            {
                let found = find(event, Reading::Lenient);
                possible = found.map(|found| Match { selection: found.selection.whole(), ..found }).or(possible);
            }
        }
        let enough = certain.as_ref().map_or(self.default, |named| named.selection).record;
        possible.filter(|named| named.selection.record >= enough).or(certain)
    }
}

/// Whether the request has a method, host or path that can be understood in several ways.
fn is_odd(request: &Request) -> bool {
    request.method().is_none() || request.host().is_none() || request.path().is_none_or(RequestPath::is_ambiguous)
}

impl NamedEvent {
    fn compile(config: &EventConfig, path: &str) -> Result<Self, ConfigError> {
        if config.name.trim().is_empty() {
            return Err(ConfigError::new(format!("{path}.name"), "is empty").hint("name what is done: order.approve"));
        }
        let matcher = config.r#match.as_ref().map(|config| Matcher::compile(config, &format!("{path}.match"))).transpose()?;
        let matcher = matcher.unwrap_or_default();
        let object = config
            .object
            .as_deref()
            .map(|object| ObjectTemplate::parse(object, &matcher.parameters(), &format!("{path}.object")))
            .transpose()?;
        let selection = Selection::compile(config.record, config.sample, path)?;
        Ok(Self { name: config.name.clone(), matcher, object, selection })
    }
}

fn included(config: &IncludeConfig) -> Result<Included, ConfigError> {
    let request_headers: Vec<_> = config.request_headers.iter().map(|name| name.to_ascii_lowercase()).collect();
    refuse_unfit(&request_headers, "include.requestHeaders", &SECRET_HEADERS)?;
    refuse_unfit(&config.query_params, "include.queryParams", &SECRET_PARAMS)?;
    refuse_unfit(&config.claims, "include.claims", &[])?;
    Ok(Included {
        callers: Callers::default(),
        request_headers,
        query_params: config.query_params.clone(),
        claims: config.claims.clone(),
        protocol: config.protocol,
        privacy: Privacy::default(),
        is_lean: false,
    })
}

fn refuse_unfit(names: &[String], path: &str, secrets: &[&str]) -> Result<(), ConfigError> {
    for (index, name) in names.iter().enumerate() {
        let at = |problem: &str| ConfigError::new(format!("{path}[{index}]"), problem);
        if name.trim().is_empty() {
            return Err(at("is empty"));
        }
        if names.iter().take(index).any(|earlier| earlier == name) {
            return Err(at("is named twice"));
        }
        if secrets.iter().any(|secret| secret.eq_ignore_ascii_case(name)) {
            return Err(at("carries credentials, which no audit event may hold").hint("record a claim of the principal instead"));
        }
    }
    Ok(())
}
