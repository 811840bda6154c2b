//! The `jwtAuth` object, checked: issuers with their keys, and the rules that say who may do what.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::api_keys::ApiKeys;
use super::decryption::Decryption;
use super::issuer::Issuer;
use super::patience::Patience;
use super::tenants;
use crate::answer::DpopChallenge;
use crate::auth_header::NameSet;
use crate::config::auth_header::Forward;
use crate::config::jwt_auth::JwtAuthConfig;
use crate::config::{ConfigError, Environment, Warning};
use crate::encryption::Zeroizing;
use crate::extractor::{Found, Source};
use crate::jose::{AlgorithmSet, Token};
use crate::jwe::EncryptedToken;
use crate::keyring::Keyring;
use crate::matcher::Matcher;
use crate::publication::Publication;
use crate::rejection::Rejection;
use crate::rules::RuleSet;
use crate::sender::{SenderPolicy, algorithm_names};
use crate::stage::FetchId;
use crate::time::UnixTime;

/// The policy of the stage.
#[derive(Debug)]
pub struct Policy {
    /// One for each entry, and for each tenant of an entry that has some.
    pub(super) issuers: Vec<Issuer>,
    by_issuer: BTreeMap<Rc<str>, usize>,
    /// The one for tokens that have no `iss`.
    without_issuer: Option<usize>,
    /// The sets of API keys; their callers' entries come after the issuers.
    pub(super) api_keys: Vec<ApiKeys>,
    /// How the issuers' encrypted tokens are decrypted, each way once.
    pub(super) decryptions: Vec<Rc<Decryption>>,
    pub(super) sources: Vec<Source>,
    pub(super) rules: RuleSet,
    pub(super) realm: Option<String>,
    pub(super) bypass_cors_preflight: bool,
    pub(super) route_rules: bool,
    /// What of the caller is told to others, in filter state.
    pub(super) publication: Publication,
    /// The headers that issuers' outputs set; a client's own are removed.
    pub(super) owned: NameSet,
    /// What challenges say of proofs of possession, where an entry speaks of them.
    pub(super) dpop: Option<Rc<DpopChallenge>>,
}

impl Policy {
    /// What of the caller is told to others, in filter state.
    #[must_use]
    pub const fn publication(&self) -> Publication {
        self.publication
    }

    /// The names of the rules, with what each matches.
    pub fn matchers(&self) -> impl Iterator<Item = (Rc<str>, Matcher)> {
        self.rules.iter().map(|rule| (Rc::clone(rule.name()), rule.matcher().clone()))
    }

    /// Whether rules are selected by the route that the proxy chose.
    #[must_use]
    pub fn looks_at_routes(&self) -> bool {
        self.route_rules || self.rules.needs_route_name()
    }

    /// The policy of a configuration with the keys as they are known now. `forward` is what `authHeader` says about the token.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn compile(
        config: &JwtAuthConfig,
        forward: Option<Forward>,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<(Self, Vec<Keyring>), ConfigError> {
        let (mut issuers, mut keyrings): (Vec<Issuer>, Vec<Keyring>) = (Vec::new(), Vec::new());
        let mut entries: Vec<usize> = Vec::new();
        let mut names: Vec<Rc<str>> = Vec::new();
        let mut by_issuer: BTreeMap<Rc<str>, usize> = BTreeMap::new();
        let mut without_issuer: Option<usize> = None;
        let mut decryptions: Vec<Rc<Decryption>> = Vec::new();
        for (index, entry) in config.jwt_rules.iter().enumerate() {
            let path = format!("jwtRules[{index}]");
            let is_named = entry.name.is_some();
            let tenants = tenants::expand(entry, &path)?;
            let plain = tenants.is_none().then_some((entry, None));
            let tenants = tenants.iter().flatten().map(|tenant| (&tenant.entry, Some(&*tenant.label)));
            for (place, (entry, label)) in plain.into_iter().chain(tenants).enumerate() {
                let fetch = FetchId(issuers.len());
                // What is said of one tenant is true of all.
                let mut said = Vec::new();
                let said_of = if place == 0 { &mut *warnings } else { &mut said };
                let (mut issuer, keyring) = Issuer::compile(entry, &path, fetch, environment, said_of)?;
                if place == 0 {
                    if let Some(earlier) = names.iter().position(|earlier| *earlier == issuer.name) {
                        return Err(ConfigError::new(format!("{path}.name"), format!("jwtRules[{earlier}] has the same name")));
                    }
                    names.push(Rc::clone(&issuer.name));
                    entries.push(fetch.0);
                }
                issuer.place = index;
                issuer.is_named = is_named;
                if let Some(config) = &entry.decryption {
                    let known = decryptions.iter().find(|known| known.is_of(config)).cloned();
                    issuer.decryption = Some(match known {
                        Some(known) => known,
                        None => {
                            let place = format!("{path}.decryption");
                            let made = Rc::new(Decryption::compile(config, &place, environment, warnings)?);
                            decryptions.push(Rc::clone(&made));
                            made
                        }
                    });
                }
                if let Some(label) = label {
                    issuer.label = label.into();
                }
                let other = match &issuer.issuer {
                    Some(name) => by_issuer.insert(name.as_str().into(), fetch.0),
                    None => without_issuer.replace(fetch.0),
                };
                if let Some(other) = other {
                    let earlier = entries.iter().rposition(|first| *first <= other).unwrap_or_default();
                    return Err(ConfigError::new(
                        format!("{path}.issuer"),
                        format!("jwtRules[{earlier}] is for the same issuer"),
                    )
                    .hint("put its keys into one key set"));
                }
                issuer.forward = agreed_forward(issuer.forward, forward, &path)?;
                issuers.push(issuer);
                keyrings.push(keyring);
            }
        }
        let api_keys = api_keys(config, &mut names, &issuers, environment, warnings)?;
        if issuers.is_empty() && api_keys.is_empty() {
            warnings.push(Warning::new("jwtRules", "there is no issuer, so no token will ever be valid"));
        }
        let (rules, more) = RuleSet::compile(&config.rules, config.default, &names)?;
        warnings.extend(more);
        let firsts: Vec<&Issuer> = entries.iter().filter_map(|index| issuers.get(*index)).collect();
        let of_keys = api_keys.iter().map(|set| (&set.name, &*set.sources));
        let takers: Vec<Taker<'_>> = firsts.iter().map(|issuer| (&issuer.name, &*issuer.sources)).chain(of_keys).collect();
        refuse_shared_places(&rules, &takers)?;
        let mut sources: Vec<Source> = Vec::new();
        for source in takers.iter().flat_map(|(_, sources)| *sources) {
            if !sources.contains(source) {
                sources.push(source.clone());
            }
        }
        let dpop = dpop_challenge(&firsts);
        let realm = config.realm.as_ref().map(|realm| realm.as_str().to_owned());
        let (bypass_cors_preflight, route_rules) = (config.bypass_cors_preflight, config.route_rules);
        let publication = Publication::compile(config.publish.as_deref())?;
        if !route_rules {
            warnings.push(Warning::new("routeRules", "a route that names a stricter rule in its metadata is not heard"));
        }
        let owned = NameSet::new(firsts.iter().flat_map(|issuer| issuer.outputs.names().cloned()).collect());
        Ok((
            Self {
                issuers,
                by_issuer,
                without_issuer,
                api_keys,
                decryptions,
                sources,
                rules,
                realm,
                bypass_cors_preflight,
                route_rules,
                publication,
                owned,
                dpop,
            },
            keyrings,
        ))
    }

    /// The issuer that takes tokens like this one, at this place: by its exact name.
    pub(super) fn issuer_of(&self, token: &Token<'_>, source: &Source) -> Option<usize> {
        let index = match token.unverified_issuer() {
            Some(name) => self.by_issuer.get(name).copied(),
            None => self.without_issuer,
        }?;
        self.issuers.get(index)?.sources.contains(source).then_some(index)
    }

    /// What is in an encrypted token: a signed one of an issuer whose own entry decrypts what was found there.
    pub(super) fn decrypted(
        &self,
        found: Found<'_>,
        now: UnixTime,
        patience: &mut Patience,
    ) -> Result<Zeroizing<Vec<u8>>, Rejection> {
        let is_of = |issuer: &Issuer, one: &Rc<Decryption>| issuer.decryption.as_ref().is_some_and(|own| Rc::ptr_eq(own, one));
        let decrypts_here =
            |one: &&Rc<Decryption>| self.issuers.iter().any(|issuer| issuer.sources.contains(found.source) && is_of(issuer, one));
        let mut decryptions = self.decryptions.iter().filter(decrypts_here).peekable();
        if decryptions.peek().is_none() {
            return Err(Rejection::TokenMalformed);
        }
        let encrypted = EncryptedToken::read(found.token)?;
        let mut refusal = None;
        for decryption in decryptions {
            let is_costly = decryption.is_costly(&encrypted);
            if is_costly && !patience.is_left(now) {
                return Err(Rejection::KeysUnavailable);
            }
            match decryption.open(&encrypted) {
                Ok(inner) => {
                    let issuer = self.issuer_of(&Token::read(&inner)?, found.source);
                    if issuer.and_then(|index| self.issuers.get(index)).is_some_and(|issuer| is_of(issuer, decryption)) {
                        return Ok(inner);
                    }
                    refusal = Some(Rejection::IssuerUnknown);
                }
                Err(rejection) => {
                    if is_costly && rejection == Rejection::TokenUndecryptable {
                        patience.take();
                    }
                    refusal = refusal.or(Some(rejection));
                }
            }
        }
        Err(refusal.unwrap_or(Rejection::TokenMalformed))
    }

    /// The set of API keys whose entry has this index; the first of them comes after the last issuer.
    pub(super) fn api_keys_at(&self, entry: usize) -> Option<&ApiKeys> {
        self.api_keys.get(entry.checked_sub(self.issuers.len())?)
    }

    /// The set of API keys that takes credentials from a place, with the index of its entry.
    pub(super) fn api_keys_of(&self, source: &Source) -> Option<(usize, &ApiKeys)> {
        let (index, set) = self.api_keys.iter().enumerate().find(|(_, set)| set.sources.contains(source))?;
        Some((self.issuers.len().saturating_add(index), set))
    }

    /// Whether the upstream gets the credentials of an entry.
    pub(super) fn forwards(&self, entry: usize) -> bool {
        match self.issuers.get(entry) {
            Some(issuer) => issuer.forward.unwrap_or(false),
            None => self.api_keys_at(entry).is_some_and(|set| set.forward),
        }
    }

    /// What the sender of an issuer's tokens has to show.
    pub(super) fn sender(&self, issuer: usize) -> Option<&SenderPolicy> {
        self.issuers.get(issuer).map(|issuer| &issuer.sender)
    }

    /// Whether an issuer's outputs set a header of this name.
    pub(super) fn sets(&self, issuer: usize, name: &str) -> bool {
        self.issuers.get(issuer).is_some_and(|issuer| issuer.outputs.names().any(|pattern| pattern.matches(name.as_bytes())))
    }
}

/// Who takes credentials, by name, and from where.
type Taker<'a> = (&'a Rc<str>, &'a [Source]);

/// The sets of API keys, whose names come to the others.
fn api_keys(
    config: &JwtAuthConfig,
    names: &mut Vec<Rc<str>>,
    issuers: &[Issuer],
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<ApiKeys>, ConfigError> {
    let mut sets: Vec<ApiKeys> = Vec::with_capacity(config.api_keys.len());
    for (index, entry) in config.api_keys.iter().enumerate() {
        let path = format!("apiKeys[{index}]");
        let set = ApiKeys::compile(entry, &path, environment, warnings)?;
        if names.contains(&set.name) {
            return Err(ConfigError::new(format!("{path}.name"), "is the name of another entry"));
        }
        let taken = issuers.iter().flat_map(|issuer| &issuer.sources).chain(sets.iter().flat_map(|set| &set.sources));
        if taken.into_iter().any(|source| set.sources.contains(source)) {
            return Err(ConfigError::new(path, "takes keys from a place where another entry finds its credentials")
                .hint("give it places of its own: `fromHeaders`, `fromParams`, `fromCookies`"));
        }
        names.push(Rc::clone(&set.name));
        sets.push(set);
    }
    Ok(sets)
}

/// What challenges say of DPoP: the algorithms of all entries that speak of it, and whether every entry asks for it.
fn dpop_challenge(issuers: &[&Issuer]) -> Option<Rc<DpopChallenge>> {
    let mut offers = issuers.iter().map(|issuer| &issuer.sender).filter(|sender| sender.offers_dpop).peekable();
    offers.peek()?;
    let algorithms = offers.fold(AlgorithmSet::default(), |all, sender| all.union(sender.dpop.algorithms));
    let is_sole = issuers.iter().all(|issuer| issuer.sender.dpop.required);
    Some(Rc::new(DpopChallenge { algorithms: algorithm_names(algorithms).into(), nonce: None, is_sole }))
}

/// Whether the token goes on, when the entry and `authHeader.token` each may say so.
fn agreed_forward(entry: Option<bool>, shared: Option<Forward>, path: &str) -> Result<Option<bool>, ConfigError> {
    let shared = shared.map(|forward| forward == Forward::Keep);
    match (entry, shared) {
        (Some(entry), Some(shared)) if entry != shared => {
            Err(ConfigError::new(format!("{path}.forwardOriginalToken"), "contradicts `authHeader.token.forward`")
                .hint("leave one of them out"))
        }
        (entry, shared) => Ok(entry.or(shared)),
    }
}

/// Refuse a rule that asks for the credentials of several issuers which are taken from one place: a request could never have both.
fn refuse_shared_places(rules: &RuleSet, takers: &[Taker<'_>]) -> Result<(), ConfigError> {
    let sources = |names: &[Rc<str>]| -> Vec<&Source> {
        takers.iter().filter(|(name, _)| names.contains(*name)).flat_map(|(_, sources)| *sources).collect()
    };
    for (index, rule) in rules.iter().enumerate() {
        for together in rule.requirement().issuers_together() {
            let mut places: Vec<&Source> = Vec::new();
            for names in together {
                let own = sources(names);
                if own.iter().any(|source| places.iter().any(|other| source.is_same_place(other))) {
                    return Err(ConfigError::new(
                        format!("rules[{index}].require"),
                        "asks for the credentials of several issuers at once, and two of them are taken from the same place",
                    )
                    .hint(
                        "give each of these `jwtRules` entries places of its own: `fromHeaders`, `fromParams`, `fromCookies`",
                    ));
                }
                places.extend(own);
            }
        }
    }
    Ok(())
}
