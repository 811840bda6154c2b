//! The `jwtAuth` object, checked: issuers with their keys, and the rules that say who may do what.

use std::rc::Rc;

use super::issuer::Issuer;
use crate::auth_header::NameSet;
use crate::config::auth_header::Forward;
use crate::config::jwt_auth::JwtAuthConfig;
use crate::config::{ConfigError, Environment, Warning};
use crate::extractor::Source;
use crate::keyring::Keyring;
use crate::rules::RuleSet;
use crate::stage::FetchId;

/// The policy of the stage.
#[derive(Debug)]
pub struct Policy {
    pub(super) issuers: Vec<Issuer>,
    pub(super) sources: Vec<Source>,
    pub(super) rules: RuleSet,
    pub(super) realm: Option<String>,
    pub(super) bypass_cors_preflight: bool,
    /// The headers that issuers' outputs set; a client's own are removed.
    pub(super) owned: NameSet,
}

impl Policy {
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
        for (index, entry) in config.jwt_rules.iter().enumerate() {
            let path = format!("jwtRules[{index}]");
            let (mut issuer, keyring) = Issuer::compile(entry, &path, FetchId(index), environment, warnings)?;
            if let Some(earlier) = issuers.iter().position(|earlier| earlier.name == issuer.name) {
                return Err(ConfigError::new(format!("{path}.name"), format!("jwtRules[{earlier}] has the same name")));
            }
            if let Some(earlier) = issuers.iter().position(|earlier| earlier.issuer == issuer.issuer) {
                return Err(ConfigError::new(format!("{path}.issuer"), format!("jwtRules[{earlier}] is for the same issuer"))
                    .hint("put its keys into one key set"));
            }
            issuer.forward = agreed_forward(issuer.forward, forward, &path)?;
            issuers.push(issuer);
            keyrings.push(keyring);
        }
        if issuers.is_empty() {
            warnings.push(Warning::new("jwtRules", "there is no issuer, so no token will ever be valid"));
        }
        let names: Vec<Rc<str>> = issuers.iter().map(|issuer| Rc::clone(&issuer.name)).collect();
        let (rules, more) = RuleSet::compile(&config.rules, config.default, &names)?;
        warnings.extend(more);
        refuse_shared_places(&rules, &issuers)?;
        let sources = issuers.iter().flat_map(|issuer| issuer.sources.iter().cloned()).collect();
        let realm = config.realm.as_ref().map(|realm| realm.as_str().to_owned());
        let bypass_cors_preflight = config.bypass_cors_preflight;
        let owned = NameSet::new(issuers.iter().flat_map(|issuer| issuer.outputs.names().cloned()).collect());
        Ok((Self { issuers, sources, rules, realm, bypass_cors_preflight, owned }, keyrings))
    }

    /// Whether the upstream gets the tokens of an issuer.
    pub(super) fn forwards(&self, issuer: usize) -> bool {
        self.issuers.get(issuer).and_then(|issuer| issuer.forward).unwrap_or(false)
    }

    /// Whether an issuer's outputs set a header of this name.
    pub(super) fn sets(&self, issuer: usize, name: &str) -> bool {
        self.issuers.get(issuer).is_some_and(|issuer| issuer.outputs.names().any(|pattern| pattern.matches(name.as_bytes())))
    }
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
fn refuse_shared_places(rules: &RuleSet, issuers: &[Issuer]) -> Result<(), ConfigError> {
    let sources = |names: &[Rc<str>]| -> Vec<&Source> {
        issuers.iter().filter(|issuer| names.contains(&issuer.name)).flat_map(|issuer| &issuer.sources).collect()
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
