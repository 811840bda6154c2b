//! One `jwtRules` entry, checked: which tokens it is for, which keys vouch for them, and what the upstream is told of them.
//!
//! Refused, in this order: a missing name or issuer, what [`key_source`] refuses, malformed sources and output headers.

use std::rc::Rc;
use std::time::Duration;

use super::decryption::Decryption;
use super::key_source;
use super::outputs::Outputs;
use super::places;
use crate::config::duration::DurationText;
use crate::config::jwt_rule::JwtRuleConfig;
use crate::config::{ConfigError, Environment, Warning};
use crate::extractor::Source;
use crate::jose::{AlgorithmSet, ClaimRules};
use crate::keyring::Keyring;
use crate::sender::SenderPolicy;
use crate::stage::FetchId;

const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(60);
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// One `jwtRules` entry.
#[derive(Debug)]
pub(super) struct Issuer {
    /// Its place in `jwtRules`, which the tenants of one entry share.
    pub place: usize,
    /// The label in metrics, audit and rules.
    pub name: Rc<str>,
    /// Whether the operator gave it this name. If not, it is its issuer's.
    pub is_named: bool,
    /// The label of its keys in metrics and in the log: the name, with the tenant where there is one.
    pub label: Rc<str>,
    /// The `iss` of its tokens; absent for tokens that have none.
    pub issuer: Option<String>,
    /// The algorithms that its tokens may be signed with.
    pub algorithms: AlgorithmSet,
    /// How its encrypted tokens are decrypted; absent where they are refused.
    pub decryption: Option<Rc<Decryption>>,
    /// What its claims must say.
    pub claims: Rc<ClaimRules>,
    /// Where its tokens may stand.
    pub sources: Vec<Source>,
    /// Whether the upstream gets the token.
    pub forward: Option<bool>,
    /// The headers that it sets by itself.
    pub outputs: Outputs,
    /// What the sender of its tokens has to show.
    pub sender: SenderPolicy,
}

impl Issuer {
    /// The entry that stands at `path`, with its keys as they are known now.
    pub fn compile(
        config: &JwtRuleConfig,
        path: &str,
        fetch: FetchId,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<(Self, Keyring), ConfigError> {
        let name = name(config, path)?;
        if config.audiences.as_ref().is_some_and(Vec::is_empty) {
            return Err(ConfigError::new(format!("{path}.audiences"), "is empty").hint("leave it out to accept every audience"));
        }
        let (keyring, algorithms) = key_source::compile(config, path, fetch, environment, warnings)?;
        let issuer = Self {
            place: 0,
            label: Rc::clone(&name),
            name,
            is_named: false,
            issuer: config.issuer.clone(),
            algorithms,
            decryption: None,
            claims: Rc::new(claim_rules(config, path)?),
            sources: sources(config, path)?,
            forward: config.forward_original_token,
            outputs: Outputs::compile(config, path)?,
            sender: SenderPolicy::compile(config.dpop.as_ref(), config.client_certificate, path, environment, warnings)?,
        };
        Ok((issuer, keyring))
    }
}

fn name(config: &JwtRuleConfig, path: &str) -> Result<Rc<str>, ConfigError> {
    if config.issuer.as_deref() == Some("") {
        return Err(ConfigError::new(format!("{path}.issuer"), "is empty")
            .hint("leave it out, and give a `name`, when the tokens have no `iss`"));
    }
    let (key, name) = match (&config.name, &config.issuer) {
        (Some(name), _) => ("name", name),
        (None, Some(issuer)) => ("issuer", issuer),
        (None, None) => {
            return Err(ConfigError::new(path, "has neither `issuer` nor `name`")
                .hint("`issuer` is the tokens' `iss`; tokens without `iss` need a `name` here"));
        }
    };
    if name.is_empty() {
        return Err(ConfigError::new(format!("{path}.{key}"), "is empty"));
    }
    Ok(Rc::from(name.as_str()))
}

fn claim_rules(config: &JwtRuleConfig, path: &str) -> Result<ClaimRules, ConfigError> {
    let clock_skew = config.clock_skew.map_or(DEFAULT_CLOCK_SKEW, DurationText::get);
    if clock_skew > MAX_CLOCK_SKEW {
        return Err(ConfigError::new(format!("{path}.clockSkew"), "is longer than 5 minutes")
            .hint("it is for clocks that differ a little, not for expired tokens"));
    }
    let claim = |name: &str, path_in_token: &Option<String>, default: &str| match path_in_token.as_deref() {
        Some("") => Err(ConfigError::new(format!("{path}.claims.{name}"), "is empty")),
        Some(found) => Ok(found.to_owned()),
        None => Ok(default.to_owned()),
    };
    Ok(ClaimRules {
        issuer: config.issuer.clone(),
        audiences: config.audiences.clone().unwrap_or_default(),
        clock_skew,
        require_expiration: config.require_expiration.unwrap_or(true),
        max_lifetime: config.max_lifetime.map(DurationText::get),
        require_type: config.require_type.clone(),
        subject_claim: claim("subject", &config.claims.subject, "sub")?,
        roles_claim: claim("roles", &config.claims.roles, "roles")?,
        scopes_claim: claim("scopes", &config.claims.scopes, "scope")?,
        space_delimited: config.space_delimited_claims.clone().unwrap_or_default(),
    })
}

/// Where tokens may stand: what is given, else the Authorization header (RFC 6750 section 2.1, RFC 9449 section 7.1).
fn sources(config: &JwtRuleConfig, path: &str) -> Result<Vec<Source>, ConfigError> {
    let name: Rc<str> = "authorization".into();
    let scheme = |prefix: &str| Source::Header { name: Rc::clone(&name), prefix: prefix.to_owned() };
    let (headers, params, cookies) = (&config.from_headers, &config.from_params, &config.from_cookies);
    let default = [scheme("Bearer "), scheme("DPoP ")];
    places::compile(headers.as_deref(), params.as_deref(), cookies.as_deref(), &default, path)
}
