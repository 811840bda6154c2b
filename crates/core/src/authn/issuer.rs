//! One `jwtRules` entry, checked: which tokens it is for, which keys vouch for them, and what the upstream is told of them.
//!
//! Refused, in this order: a missing name or issuer, a key source that is missing or given twice, options that belong to another
//! key source, algorithms that the keys cannot serve, keys that cannot be used, malformed sources and output headers.

use std::rc::Rc;
use std::time::Duration;

use super::key_location;
use super::outputs::Outputs;
use crate::config::duration::DurationText;
use crate::config::jwt_rule::JwtRuleConfig;
use crate::config::suggestion;
use crate::config::{ConfigError, Environment, Warning};
use crate::extractor::Source;
use crate::jose::{Algorithm, AlgorithmSet, ClaimRules, KeySet, Token};
use crate::keyring::Keyring;
use crate::request::is_token_byte;
use crate::stage::FetchId;

const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(60);
const MAX_CLOCK_SKEW: Duration = Duration::from_secs(300);
const DEFAULT_REFRESH: Duration = Duration::from_secs(300);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// No request is held longer than this for its keys.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);

/// One `jwtRules` entry.
#[derive(Debug)]
pub(super) struct Issuer {
    /// The label in metrics, audit and rules.
    pub name: Rc<str>,
    /// The `iss` of its tokens; absent for tokens that have none.
    pub issuer: Option<String>,
    /// The algorithms that its tokens may be signed with.
    pub algorithms: AlgorithmSet,
    /// What its claims must say.
    pub claims: ClaimRules,
    /// Where its tokens may stand.
    pub sources: Vec<Source>,
    /// Whether the upstream gets the token.
    pub forward: Option<bool>,
    /// The headers that it sets by itself.
    pub outputs: Outputs,
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
        let keyring = keyring(config, path, fetch, environment, warnings)?;
        let issuer = Self {
            name,
            issuer: config.issuer.clone(),
            algorithms: algorithms(config, &keyring, path, warnings)?,
            claims: claim_rules(config, path)?,
            sources: sources(config, path)?,
            forward: config.forward_original_token,
            outputs: Outputs::compile(config, path)?,
        };
        Ok((issuer, keyring))
    }

    /// Whether the entry is for tokens like this one, at this place.
    pub fn takes(&self, token: &Token<'_>, source: &Source) -> bool {
        self.issuer.as_deref() == token.unverified_issuer() && self.sources.contains(source)
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

/// The keys, from exactly one place.
fn keyring(
    config: &JwtRuleConfig,
    path: &str,
    fetch: FetchId,
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<Keyring, ConfigError> {
    let given: Vec<&str> =
        [("jwks", config.jwks.is_some()), ("jwksUri", config.jwks_uri.is_some()), ("secret", config.secret.is_some())]
            .into_iter()
            .filter_map(|(key, is_given)| is_given.then_some(key))
            .collect();
    if given.len() > 1 {
        return Err(ConfigError::new(path, format!("has both `{}`", given.join("` and `"))).hint("keys come from one place"));
    }
    if config.jwks_uri.is_none() {
        let only_fetched =
            [("cluster", config.cluster.is_some()), ("refresh", config.refresh.is_some()), ("timeout", config.timeout.is_some())];
        if let Some((key, _)) = only_fetched.into_iter().find(|(_, is_given)| *is_given) {
            return Err(ConfigError::new(format!("{path}.{key}"), "has no effect without `jwksUri`").hint("remove it"));
        }
    }
    if let Some(jwks) = &config.jwks {
        let path = format!("{path}.jwks");
        let keys = KeySet::from_jwks(jwks.as_str().as_bytes()).map_err(|error| ConfigError::new(&path, error.to_string()))?;
        warnings.extend(keys.skipped().iter().map(|skipped| Warning::new(&path, skipped.to_string())));
        return Ok(Keyring::fixed(keys));
    }
    if let Some(secret) = &config.secret {
        let path = format!("{path}.secret");
        return match secret.resolve(&path, environment, warnings)? {
            Some(bytes) => {
                let keys = KeySet::from_secret(&bytes).map_err(|error| ConfigError::new(&path, error.to_string()))?;
                Ok(Keyring::fixed(keys))
            }
            None => Ok(Keyring::missing()),
        };
    }
    let Some(uri) = &config.jwks_uri else {
        return Err(ConfigError::new(path, "has no keys").hint("give one of `jwks`, `jwksUri`, `secret`"));
    };
    let target = key_location::parse(uri, config.cluster.as_deref(), path, warnings)?;
    let refresh = positive(config.refresh, DEFAULT_REFRESH, &format!("{path}.refresh"), Duration::from_secs(1))?;
    let timeout = positive(config.timeout, DEFAULT_TIMEOUT, &format!("{path}.timeout"), Duration::from_millis(1))?;
    if timeout > MAX_TIMEOUT {
        return Err(ConfigError::new(format!("{path}.timeout"), "is longer than a minute")
            .hint("requests are held that long while the keys are fetched"));
    }
    Ok(Keyring::fetched(target.fetch(fetch, timeout), refresh))
}

fn positive(text: Option<DurationText>, default: Duration, path: &str, least: Duration) -> Result<Duration, ConfigError> {
    let duration = text.map_or(default, DurationText::get);
    if duration < least {
        return Err(ConfigError::new(path, "is too short").hint(format!("it is at least {} ms", least.as_millis())));
    }
    Ok(duration)
}

/// The algorithms asked for, or all that the keys can serve. A symmetric one needs a `secret` or `oct` keys: the public keys of
/// an issuer are known to everyone.
fn algorithms(
    config: &JwtRuleConfig,
    keyring: &Keyring,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<AlgorithmSet, ConfigError> {
    let served = match keyring.known_algorithms() {
        Some(served) => served,
        None if config.secret.is_some() => Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_symmetric()).collect(),
        None => Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()).collect(),
    };
    let Some(names) = &config.algorithms else { return Ok(served) };
    if names.is_empty() {
        return Err(ConfigError::new(format!("{path}.algorithms"), "is empty").hint("leave it out to allow what the keys allow"));
    }
    let mut allowed = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let path = format!("{path}.algorithms[{index}]");
        let known: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
        let Some(algorithm) = Algorithm::parse(name) else {
            let error = ConfigError::new(path, "is not an algorithm that is supported");
            return Err(match suggestion::nearest(name, known.iter().copied()) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint(format!("known are {}", known.join(", "))),
            });
        };
        if algorithm.is_symmetric() && config.jwks_uri.is_some() {
            return Err(ConfigError::new(path, format!("`{name}` needs a shared secret, and keys at a URI are public"))
                .hint("use `secret`, or an algorithm with a public key"));
        }
        if !served.contains(algorithm) {
            warnings.push(Warning::new(path, format!("none of the keys is for {name}")));
        }
        allowed.push(algorithm);
    }
    Ok(allowed.into_iter().collect())
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

/// Where tokens may stand: what is given, else the Authorization header (RFC 6750 section 2.1).
fn sources(config: &JwtRuleConfig, path: &str) -> Result<Vec<Source>, ConfigError> {
    let mut sources = Vec::new();
    for (index, header) in config.from_headers.iter().flatten().enumerate() {
        let path = format!("{path}.fromHeaders[{index}].name");
        if header.name.is_empty() || !header.name.bytes().all(is_token_byte) {
            return Err(ConfigError::new(path, "is not a header name").hint("for example Authorization"));
        }
        let prefix = header.prefix.clone().unwrap_or_default();
        sources.push(Source::Header { name: header.name.to_ascii_lowercase().into(), prefix });
    }
    for (key, names, make) in [
        ("fromParams", &config.from_params, Source::Param as fn(String) -> Source),
        ("fromCookies", &config.from_cookies, Source::Cookie as fn(String) -> Source),
    ] {
        for (index, name) in names.iter().flatten().enumerate() {
            if name.is_empty() || !name.bytes().all(is_token_byte) {
                return Err(ConfigError::new(format!("{path}.{key}[{index}]"), "is not a name")
                    .hint("use letters, digits, `-`, `_` and `.`"));
            }
            sources.push(make(name.clone()));
        }
    }
    if sources.is_empty() {
        sources.push(Source::Header { name: "authorization".into(), prefix: "Bearer ".to_owned() });
    }
    Ok(sources)
}
