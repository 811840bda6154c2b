//! What the operator wants, checked once: which headers only the gateway may set, and what it sets them to.

use std::rc::Rc;

use super::AUTHORIZATION;
use super::identifier_cipher::IdentifierCipher;
use super::injection::Injection;
use super::name_pattern::NamePattern;
use super::name_set::NameSet;
use crate::authn::Inject;
use crate::config::auth_header::{AuthHeaderConfig, Forward, TokenConfig};
use crate::config::{ConfigError, Environment, Warning};
use crate::edits::Edit;
use crate::principal::{Identity, Principal};
use crate::rejection::Rejection;
use crate::sender::proof;
use crate::stage::Exchange;

/// The policy of the stage auth-header.
#[derive(Debug, Clone)]
pub struct Policy {
    owned: NameSet,
    /// The headers that are the same for every request of a caller.
    of_the_caller: Vec<Injection>,
    /// The others.
    of_the_request: Vec<Injection>,
    forward: Option<Forward>,
    strip_response: NameSet,
    clear_route_cache: bool,
}

impl Policy {
    /// The policy for a configuration, whose own place in the document is the empty path.
    ///
    /// # Errors
    /// When a name is no header name or may not be changed, two injections set the same header, one takes its value from a header
    /// that is removed, and for what is wrong with one by itself.
    pub fn compile(config: &AuthHeaderConfig, environment: &dyn Environment) -> Result<(Self, Vec<Warning>), ConfigError> {
        let mut owned = patterns(&config.strip, "strip")?;
        let strip_response = patterns(&config.strip_response, "stripResponse")?;
        let mut inject: Vec<Injection> = Vec::with_capacity(config.inject.len());
        let mut warnings = Vec::new();
        for (index, entry) in config.inject.iter().enumerate() {
            let path = format!("inject[{index}]");
            let injection = Injection::compile(entry, &path, environment, &mut warnings)?;
            if let Some(first) = inject.iter().position(|earlier| earlier.name().matches(entry.header.as_bytes())) {
                return Err(ConfigError::new(
                    format!("{path}.header"),
                    format!("`{}` is already set by inject[{first}]", entry.header),
                )
                .hint("letter case does not count in a name, and `_` and `-` are alike"));
            }
            inject.push(injection);
        }
        let forward = config.token.as_ref().map(|token| token.forward);
        if let Some(token) = &config.token {
            owned.extend(names_of_the_own_token(token, &inject)?);
        }
        let does_nothing = owned.is_empty() && inject.is_empty() && strip_response.is_empty();
        if does_nothing && forward.is_none() && config.upstream.is_empty() {
            warnings.push(Warning::new("", "strips and injects nothing"));
        }
        owned.extend(inject.iter().map(|injection| injection.name().clone()));
        let owned = NameSet::new(owned);
        for (index, injection) in inject.iter().enumerate() {
            if let Some(header) = injection.header_among(&owned) {
                let problem = format!("takes its value from `{header}`, which is removed from every request");
                return Err(ConfigError::new(format!("inject[{index}].template"), problem)
                    .hint("a header that only the gateway may set tells nothing of a client"));
            }
        }
        let (of_the_caller, of_the_request) = inject.into_iter().partition(Injection::is_of_the_caller);
        let strip_response = NameSet::new(strip_response);
        let clear_route_cache = config.clear_route_cache;
        Ok((Self { owned, of_the_caller, of_the_request, forward, strip_response, clear_route_cache }, warnings))
    }

    /// Whether the upstream gets the token, when the operator says so here.
    #[must_use]
    pub const fn forward(&self) -> Option<Forward> {
        self.forward
    }

    /// Whether the route is chosen anew by the headers that are set.
    #[must_use]
    pub const fn clears_route_cache(&self) -> bool {
        self.clear_route_cache
    }

    /// What decrypts the claim that a header carries; `None` where nothing does.
    #[must_use]
    pub fn cipher_of(&self, header: &str) -> Option<&IdentifierCipher> {
        let mut all = self.of_the_caller.iter().chain(&self.of_the_request);
        all.find(|injection| injection.name().matches(header.as_bytes()))?.cipher()
    }

    /// The headers that only the gateway may set.
    pub(super) const fn owned(&self) -> &NameSet {
        &self.owned
    }

    /// The headers that no answer may have.
    pub(super) const fn strip_response(&self) -> &NameSet {
        &self.strip_response
    }

    /// Whether the name of the proxy's route must be known.
    pub(super) fn needs_route_name(&self) -> bool {
        self.of_the_request.iter().any(Injection::needs_route_name)
    }

    /// The other headers, for one request.
    ///
    /// # Errors
    /// The [`Rejection`] of this request.
    pub(super) fn injected_here(&self, exchange: &Exchange, identity: Option<&Identity>) -> Result<Vec<Edit>, Rejection> {
        let mut edits = Vec::new();
        for injection in &self.of_the_request {
            let principal = match identity.filter(|_| injection.needs_a_caller()) {
                Some(identity) => Some(identity.principal().ok_or(Rejection::TokenMalformed)?),
                None => None,
            };
            let route_name = exchange.route.name.as_deref();
            injection.push_for_request(principal, &exchange.request, route_name, &mut edits)?;
        }
        Ok(edits)
    }
}

/// The headers that only the gateway may set because it puts a token of its own there.
fn names_of_the_own_token(config: &TokenConfig, inject: &[Injection]) -> Result<Vec<NamePattern>, ConfigError> {
    let internal = match (config.forward, &config.internal) {
        (Forward::Replace, Some(internal)) => internal,
        (Forward::Replace, None) => {
            return Err(ConfigError::new("token.internal", "is missing").hint("it says what the token is replaced by"));
        }
        (Forward::Keep | Forward::Strip, Some(_)) => {
            return Err(ConfigError::new("token.internal", "is for `forward: replace` only"));
        }
        (Forward::Keep | Forward::Strip, None) => return Ok(Vec::new()),
    };
    let header = internal.header.as_deref().unwrap_or(AUTHORIZATION);
    let owned = [header, AUTHORIZATION, proof::DPOP];
    for name in owned {
        if let Some(first) = inject.iter().position(|injection| injection.name().matches(name.as_bytes())) {
            return Err(ConfigError::new("token.internal.header", format!("`{name}` is already set by inject[{first}]")));
        }
    }
    owned.into_iter().map(|name| NamePattern::exact(name, "token.internal.header")).collect()
}

impl Inject for Policy {
    /// The first value of each header replaces what the client sent under its name. It refuses where a value cannot be passed on, or
    /// is absent where one is required.
    fn injected(&self, principal: &Principal) -> Result<Rc<[Edit]>, Rejection> {
        let mut edits = Vec::with_capacity(self.of_the_caller.len());
        self.of_the_caller.iter().try_for_each(|injection| injection.push_for(principal, &mut edits))?;
        Ok(edits.into())
    }

    /// What is made later than the headers of `inject` is the gateway's own token.
    fn later_bytes(&self) -> usize {
        const OWN_TOKEN: usize = 1024;
        match self.forward {
            Some(Forward::Replace) => OWN_TOKEN,
            Some(Forward::Keep | Forward::Strip) | None => 0,
        }
    }
}

fn patterns(texts: &[String], key: &str) -> Result<Vec<NamePattern>, ConfigError> {
    texts.iter().enumerate().map(|(index, text)| NamePattern::parse(text, &format!("{key}[{index}]"))).collect()
}
