//! Where the keys of one `jwtRules` entry come from, and which algorithms they may serve.
//!
//! Refused, in this order: a key source that is missing or given twice, options that belong to another one, algorithms that the
//! keys cannot serve, keys that cannot be used, places that keys must not be fetched from.

use std::rc::Rc;
use std::time::Duration;

use super::tenants;
use crate::config::duration::DurationText;
use crate::config::jwt_auth::JwtAuthConfig;
use crate::config::jwt_rule::JwtRuleConfig;
use crate::config::suggestion;
use crate::config::{ConfigError, Environment, Warning};
use crate::jose::{Algorithm, AlgorithmSet, KeySet};
use crate::keyring::{DEFAULT_REFRESH, Discovery, Host, KeyHost, Keyring, Location, Refresh, Source};
use crate::stage::FetchId;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// No request is held longer than this for its keys.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// Where an OpenID provider's configuration is, under its issuer (OpenID Connect Discovery 1.0 section 4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";
const HTTPS_PORT: u16 = 443;

/// A cluster that the proxy must have, so that keys can be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The place in the document that names it, or could.
    pub path: String,
    /// Its name.
    pub cluster: Rc<str>,
    /// Whether the document names it; if not, it is Istio's name for the host.
    pub is_named: bool,
}

impl Destination {
    /// The same destination seen from a document that holds this one at `prefix`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.path = format!("{prefix}.{}", self.path);
        self
    }
}

/// The clusters from which the keys of a configuration are fetched.
#[must_use]
pub fn destinations(config: &JwtAuthConfig) -> Vec<Destination> {
    let mut found: Vec<Destination> = Vec::new();
    for (index, entry) in config.jwt_rules.iter().enumerate() {
        let path = format!("jwtRules[{index}]");
        let expanded = tenants::expand(entry, &path).ok().flatten();
        let entries: Vec<_> = match &expanded {
            Some(tenants) => tenants.iter().map(|tenant| &tenant.entry).collect(),
            None => vec![entry],
        };
        let uris = entries.into_iter().flat_map(|entry| [&entry.jwks_uri, &entry.token_key_uri, &entry.discovery]).flatten();
        let uris = uris.map(|uri| (uri.clone(), &entry.cluster, path.clone()));
        let hosts = entry.jwks_hosts.iter().flatten().enumerate();
        let hosts =
            hosts.map(|(index, host)| (format!("https://{}", host.host), &host.cluster, format!("{path}.jwksHosts[{index}]")));
        for (uri, cluster, path) in uris.chain(hosts) {
            let Ok(location) = Location::parse(&uri, cluster.as_deref()) else { continue };
            let destination = Destination {
                path: format!("{path}.cluster"),
                cluster: Rc::clone(location.cluster()),
                is_named: cluster.is_some(),
            };
            if !found.contains(&destination) {
                found.push(destination);
            }
        }
    }
    found
}

/// The keys as they are known now, and the algorithms that tokens may be signed with.
pub(super) fn compile(
    config: &JwtRuleConfig,
    path: &str,
    fetch: FetchId,
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<(Keyring, AlgorithmSet), ConfigError> {
    let key = the_one(config, path)?;
    let place = format!("{path}.{key}");
    let wrong = |error: crate::jose::KeySetError| ConfigError::new(&place, error.to_string());
    let keyring = if let Some(jwks) = &config.jwks {
        let keys = KeySet::from_jwks(jwks.as_str().as_bytes()).map_err(wrong)?;
        warnings.extend(keys.skipped().iter().map(|skipped| Warning::new(&place, skipped.to_string())));
        Keyring::fixed(keys)
    } else if let Some(secret) = &config.secret {
        match secret.resolve(&place, environment, warnings)? {
            Some(bytes) => Keyring::fixed(KeySet::from_secret(&bytes).map_err(wrong)?),
            None => Keyring::missing(),
        }
    } else {
        let algorithms = algorithms(config, None, path, warnings)?;
        let refresh = refresh(config, path)?;
        let source = source(config, path, warnings)?;
        return Ok((Keyring::fetched(source, fetch, refresh, algorithms), algorithms));
    };
    let algorithms = algorithms(config, keyring.known_algorithms(), path, warnings)?;
    Ok((keyring, algorithms))
}

/// The name of the one key source that is given; no option belongs to another one.
fn the_one(config: &JwtRuleConfig, path: &str) -> Result<&'static str, ConfigError> {
    let sources = [
        ("jwks", config.jwks.is_some()),
        ("jwksUri", config.jwks_uri.is_some()),
        ("tokenKeyUri", config.token_key_uri.is_some()),
        ("discovery", config.discovery.is_some()),
        ("secret", config.secret.is_some()),
    ];
    let given: Vec<_> = sources.into_iter().filter_map(|(key, is_given)| is_given.then_some(key)).collect();
    let [key] = given[..] else {
        return Err(if given.is_empty() {
            let all = sources.map(|(key, _)| key);
            ConfigError::new(path, "has no keys").hint(format!("give one of {}", suggestion::list(&all)))
        } else {
            ConfigError::new(path, format!("has both `{}`", given.join("` and `"))).hint("keys come from one place")
        });
    };
    let is_fetched = matches!(key, "jwksUri" | "tokenKeyUri" | "discovery");
    for (option, is_given, is_useful, owners) in [
        ("cluster", config.cluster.is_some(), is_fetched, "keys that are fetched"),
        ("refresh", config.refresh.is_some(), is_fetched, "keys that are fetched"),
        ("timeout", config.timeout.is_some(), is_fetched, "keys that are fetched"),
        ("jwksHosts", config.jwks_hosts.is_some(), key == "discovery", "`discovery`"),
    ] {
        if is_given && !is_useful {
            return Err(ConfigError::new(format!("{path}.{option}"), format!("has no effect without {owners}")).hint("remove it"));
        }
    }
    Ok(key)
}

fn refresh(config: &JwtRuleConfig, path: &str) -> Result<Refresh, ConfigError> {
    let interval = positive(config.refresh, DEFAULT_REFRESH, &format!("{path}.refresh"), 1_000)?;
    let timeout = positive(config.timeout, DEFAULT_TIMEOUT, &format!("{path}.timeout"), 1)?;
    if timeout > MAX_TIMEOUT {
        return Err(ConfigError::new(format!("{path}.timeout"), "is longer than a minute")
            .hint("requests are held that long while the keys are fetched"));
    }
    Ok(Refresh { interval, timeout })
}

/// What is fetched, and from where.
fn source(config: &JwtRuleConfig, path: &str, warnings: &mut Vec<Warning>) -> Result<Source, ConfigError> {
    let cluster = config.cluster.as_deref();
    if cluster == Some("") {
        return Err(ConfigError::new(format!("{path}.cluster"), "is empty"));
    }
    let is_secret = config.algorithms.iter().flatten().any(|name| Algorithm::parse(name).is_some_and(Algorithm::is_symmetric));
    let mut locate = |key: &str, uri: &str, example: &str| {
        let place = format!("{path}.{key}");
        let location = Location::parse(uri, cluster)
            .map_err(|error| ConfigError::new(&place, error.to_string()).hint(format!("for example {example}")))?;
        if !location.is_secure() {
            warnings.push(Warning::new(&place, "the keys are fetched without TLS; whoever can change them can let anyone in"));
        }
        if is_secret {
            warnings.push(Warning::new(
                &place,
                "whoever can fetch a symmetric key can sign tokens; a `secret` need not be published",
            ));
        }
        Ok(location)
    };
    if let Some(uri) = &config.discovery {
        let Some(issuer) = config.issuer.clone() else {
            return Err(ConfigError::new(format!("{path}.discovery"), "needs `issuer`")
                .hint("the `issuer` of the discovery document must equal it"));
        };
        if uri.contains(['?', '#']) || uri.ends_with(WELL_KNOWN) {
            return Err(ConfigError::new(format!("{path}.discovery"), "is not the URI of an issuer")
                .hint(format!("`{WELL_KNOWN}` is put behind it; for example https://issuer.example.com")));
        }
        let uri = format!("{}{WELL_KNOWN}", uri.strip_suffix('/').unwrap_or(uri));
        let document = locate("discovery", &uri, "https://issuer.example.com")?;
        let hosts = key_hosts(config, path)?;
        return Ok(Source::Discovery(Discovery { issuer, document, hosts }));
    }
    if let Some(uri) = &config.token_key_uri {
        return locate("tokenKeyUri", uri, "https://uaa.example.com/oauth/token_key").map(Source::TokenKey);
    }
    let uri = config.jwks_uri.as_deref().unwrap_or_default();
    locate("jwksUri", uri, "https://issuer.example.com/.well-known/jwks.json").map(Source::KeySet)
}

/// The hosts that `jwksHosts` adds to the one of the discovery document.
fn key_hosts(config: &JwtRuleConfig, path: &str) -> Result<Vec<KeyHost>, ConfigError> {
    let mut hosts = Vec::new();
    for (index, entry) in config.jwks_hosts.iter().flatten().enumerate() {
        let path = format!("{path}.jwksHosts[{index}]");
        if entry.cluster.as_deref() == Some("") {
            return Err(ConfigError::new(format!("{path}.cluster"), "is empty"));
        }
        let host = Host::parse(&entry.host, HTTPS_PORT).map_err(|error| {
            ConfigError::new(format!("{path}.host"), error.to_string())
                .hint("for example keys.example.com or keys.example.com:8443")
        })?;
        hosts.push(KeyHost { host, cluster: entry.cluster.as_deref().map(Rc::from) });
    }
    Ok(hosts)
}

fn positive(text: Option<DurationText>, default: Duration, path: &str, least_ms: u64) -> Result<Duration, ConfigError> {
    let duration = text.map_or(default, DurationText::get);
    if duration < Duration::from_millis(least_ms) {
        return Err(ConfigError::new(path, "is too short").hint(format!("it is at least {least_ms} ms")));
    }
    Ok(duration)
}

/// The algorithms asked for, or all that the keys can serve. A symmetric one needs a `secret` or `oct` keys: the public keys of
/// an issuer are known to everyone.
fn algorithms(
    config: &JwtRuleConfig,
    known: Option<AlgorithmSet>,
    path: &str,
    warnings: &mut Vec<Warning>,
) -> Result<AlgorithmSet, ConfigError> {
    let served = match known {
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
        if algorithm.is_symmetric() && (config.jwks_uri.is_some() || config.discovery.is_some()) {
            return Err(ConfigError::new(path, format!("`{name}` needs a shared secret, and keys at a URI are public"))
                .hint("use `secret`, or an algorithm with a public key"));
        }
        if !served.contains(algorithm) && config.token_key_uri.is_none() {
            warnings.push(Warning::new(path, format!("none of the keys is for {name}")));
        }
        allowed.push(algorithm);
    }
    Ok(allowed.into_iter().collect())
}
