//! What the operator wants, checked once: which requests take which credential along, and where it comes from.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::client::Client;
use super::form;
use crate::auth_header::{AUTHORIZATION, Carrier, NamePattern, NameSet};
use crate::authn::Destination;
use crate::config::duration::DurationText;
use crate::config::upstream::{ClientAuth, ClientCredentialsConfig, UpstreamConfig};
use crate::config::{ConfigError, Environment, Warning};
use crate::keyring::Location;
use crate::matcher::{Matcher, Reading};
use crate::sender::proof;
use crate::stage::{Exchange, Fetch, FetchId, Post};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_TIMEOUT: Duration = Duration::from_secs(30);

/// The policy of the stage.
#[derive(Debug)]
pub struct Policy {
    entries: Vec<Entry>,
    /// The tokens that are to be fetched, of which none is there yet.
    pub(super) clients: Vec<Client>,
}

/// A credential and the requests that it is for.
#[derive(Debug)]
pub(super) struct Entry {
    matcher: Matcher,
    pub carrier: Carrier,
    /// The header in every disguise of its name.
    pub owned: NameSet,
    pub source: Source,
}

/// Where a credential comes from.
pub(super) enum Source {
    /// It is this value of the header.
    Secret(Rc<str>),
    /// It is the token of the client at this place.
    Client(usize),
    /// Its secret cannot be known where the configuration is checked.
    Unknown,
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Client(_) => "Client",
            Self::Unknown => "Unknown",
        })
    }
}

/// Which entry is for a request.
#[derive(Debug)]
pub(super) enum Concern<'a> {
    /// None.
    Nobody,
    /// This one, which is the first.
    Entry(&'a Entry),
    /// It depends on how the request is understood.
    Unclear,
}

impl Policy {
    /// The policy of a list that stands at `path`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn compile(
        config: &[UpstreamConfig],
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let mut policy = Self { entries: Vec::new(), clients: Vec::new() };
        let mut labels: Vec<Rc<str>> = Vec::new();
        for (index, entry) in config.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let label: Rc<str> = entry.name.as_ref().map_or_else(|| format!("upstream{index}"), Clone::clone).into();
            if label.trim().is_empty() {
                return Err(ConfigError::new(format!("{path}.name"), "is empty"));
            }
            if labels.contains(&label) {
                return Err(ConfigError::new(format!("{path}.name"), "is the name of an entry before it"));
            }
            labels.push(Rc::clone(&label));
            let matcher = match &entry.r#match {
                Some(requests) => Matcher::compile(requests, &format!("{path}.match"))?,
                None => Matcher::default(),
            };
            if !matcher.needs_route_name() {
                let message = "names no `routes`: the credential goes wherever the proxy sends these requests";
                warnings.push(Warning::new(format!("{path}.match"), message));
            }
            let carrier = Carrier::compile(entry.header.as_deref(), entry.prefix.as_deref(), &path)?;
            // A proof that belonged to the client's token belongs to nothing then.
            let proof = (&**carrier.header() == AUTHORIZATION).then_some(proof::DPOP);
            let names = [Some(&**carrier.header()), proof].into_iter().flatten();
            let names = names.map(|name| NamePattern::exact(name, &format!("{path}.header")));
            let owned = NameSet::new(names.collect::<Result<_, _>>()?);
            let source = match (&entry.secret, &entry.client_credentials) {
                (Some(secret), None) => {
                    let place = format!("{path}.secret");
                    let bytes = secret.resolve_of_any_length(&place, environment, warnings)?;
                    bytes.map_or(Ok(Source::Unknown), |bytes| {
                        text(&bytes, &place).map(|text| Source::Secret(carrier.value(text)))
                    })?
                }
                (None, Some(client)) => {
                    let id = FetchId(policy.clients.len());
                    match request(client, id, &format!("{path}.clientCredentials"), environment, warnings)? {
                        Some(request) => {
                            policy.clients.push(Client::new(label, request, carrier.clone()));
                            Source::Client(id.0)
                        }
                        None => Source::Unknown,
                    }
                }
                (Some(_), Some(_)) => {
                    return Err(ConfigError::new(path, "has both `secret` and `clientCredentials`").hint("give one of them"));
                }
                (None, None) => {
                    return Err(ConfigError::new(path, "has no credential").hint("give `secret` or `clientCredentials`"));
                }
            };
            policy.entries.push(Entry { matcher, carrier, owned, source });
        }
        Ok(policy)
    }

    /// Whether the name of the proxy's route must be known.
    pub(super) fn needs_route_name(&self) -> bool {
        self.entries.iter().any(|entry| entry.matcher.needs_route_name())
    }

    /// Which entry is for a request.
    pub(super) fn concern(&self, exchange: &Exchange) -> Concern<'_> {
        let (request, route) = (&exchange.request, exchange.route.name.as_deref());
        for entry in &self.entries {
            let matcher = &entry.matcher;
            // Where any path will do, it need not be understood.
            let is_meant = matcher.matches(request, route, Reading::Exact).is_some()
                || (matcher.is_every_path() && matcher.matches_around(request, route, Reading::Exact));
            if is_meant {
                return Concern::Entry(entry);
            }
            if matcher.matches(request, route, Reading::Lenient).is_some() {
                return Concern::Unclear;
            }
        }
        Concern::Nobody
    }
}

/// The clusters from which tokens are fetched.
#[must_use]
pub fn destinations(config: &[UpstreamConfig], path: &str) -> Vec<Destination> {
    let clients = config.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.client_credentials.as_ref()?)));
    let found = clients.filter_map(|(index, client)| {
        let location = Location::parse(&client.token_uri, client.cluster.as_deref()).ok()?;
        Some(Destination {
            path: format!("{path}[{index}].clientCredentials.cluster"),
            cluster: Rc::clone(location.cluster()),
            is_named: client.cluster.is_some(),
        })
    });
    found.collect()
}

/// A secret that can stand in a header.
fn text<'a>(bytes: &'a [u8], path: &str) -> Result<&'a str, ConfigError> {
    let fits = bytes.trim_ascii() == bytes && bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    str::from_utf8(bytes).ok().filter(|_| fits).ok_or_else(|| {
        ConfigError::new(path, "cannot stand in a header").hint("visible ASCII, with no white space at either end")
    })
}

/// The request for a token; `None` when its secret cannot be known here.
fn request(
    config: &ClientCredentialsConfig,
    id: FetchId,
    path: &str,
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Fetch>, ConfigError> {
    let place = format!("{path}.tokenUri");
    let location = Location::parse(&config.token_uri, config.cluster.as_deref())
        .map_err(|problem| ConfigError::new(&place, problem.to_string()))?;
    if !location.is_secure() {
        warnings.push(Warning::new(place, "is not https: whoever sees the connection sees the secret"));
    }
    for (key, text) in [("clientId", Some(&config.client_id)), ("scope", config.scope.as_ref())] {
        if text.is_some_and(|text| text.trim().is_empty()) {
            return Err(ConfigError::new(format!("{path}.{key}"), "is empty"));
        }
    }
    let timeout = config.timeout.map_or(DEFAULT_TIMEOUT, DurationText::get);
    if timeout.is_zero() || timeout > MAX_TIMEOUT {
        return Err(ConfigError::new(format!("{path}.timeout"), "is not between 1ms and 30s"));
    }
    let secret = config.client_secret.resolve_of_any_length(&format!("{path}.clientSecret"), environment, warnings)?;
    let Some(secret) = secret else { return Ok(None) };
    let mut members: Vec<(&str, &[u8])> = vec![("grant_type", b"client_credentials")];
    let optional = [("scope", &config.scope), ("audience", &config.audience), ("resource", &config.resource)];
    members.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?.as_bytes()))));
    let client_id = config.client_id.as_bytes();
    let authorization = match config.client_auth {
        // Both are written as in a form before they are joined (RFC 6749 section 2.3.1).
        ClientAuth::Basic => {
            let credentials = STANDARD.encode(format!("{}:{}", form::encode(client_id), form::encode(&secret)));
            Some(format!("Basic {credentials}").into())
        }
        ClientAuth::Post => {
            members.extend([("client_id", client_id), ("client_secret", &*secret)]);
            None
        }
    };
    let body: Rc<[u8]> = form::body(&members).into_bytes().into();
    let post = Post { content_type: form::CONTENT_TYPE, authorization, headers: Vec::new(), body };
    Ok(Some(Fetch { post: Some(post), ..location.fetch(id, timeout) }))
}
