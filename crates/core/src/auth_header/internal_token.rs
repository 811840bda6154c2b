//! The token that the gateway signs for the upstream, in place of the caller's.
//!
//! It is an access token as RFC 9068 has them, `typ` `at+jwt`: `iss` and `aud` as configured, `sub` and `client_id` of the caller,
//! `iat`, `exp` in `ttl` and never after the caller's own, a `jti` that no other token has, the claims that are to be copied, the
//! caller's `act` (RFC 8693 section 4.1) and, in `origin`, which token it was made from (`iss`, `jti`).
//!
//! It is signed when a request of the caller first needs it, and the same one is handed on until four fifths of `ttl` have gone,
//! or to its end where that is the end of the caller's token. Of the clock only this depends.
//!
//! Refused: a caller without subject (`claim_missing`), claims too long for a header (`claim_too_large`); and everything where there
//! is no key or no randomness (`host_error`).

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use portcullis_minting::{PublicKey, SigningKey, Unique, digest};
use serde_json::{Map, Value, json};

use super::carrier::Carrier;
use super::rendering::MAX_VALUE_BYTES;
use crate::claim_set::Claim;
use crate::config::duration::DurationText;
use crate::config::internal_token::{InternalAlgorithm, InternalTokenConfig};
use crate::config::secret::SecretConfig;
use crate::config::{ConfigError, Warning};
use crate::edits::Edit;
use crate::jose::Algorithm;
use crate::platform::Platform;
use crate::principal::{Identity, Lasting, Principal};
use crate::rejection::Rejection;
use crate::time::UnixTime;

/// The `typ` of an access token (RFC 9068 section 2.1).
const TYPE: &str = "at+jwt";
const DEFAULT_TTL: Duration = Duration::from_secs(60);
const MAX_TTL: Duration = Duration::from_secs(300);
/// How long a token is handed on at least: one of a caller whose own has just run out would else be made for each request.
const SHORTEST_USE: Duration = Duration::from_secs(1);
/// How many tokens are kept of callers of whom nothing else is.
const MAX_KEPT: usize = 4096;
/// Claims that say what this token is, and not what the caller's was.
const RESERVED: [&str; 11] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "act", "cnf", "client_id", "origin"];

/// What makes the tokens.
#[derive(Debug)]
pub struct InternalToken {
    issuer: String,
    audience: String,
    ttl: Duration,
    claims: Vec<Copied>,
    carrier: Carrier,
    key: Option<SigningKey>,
    names: Option<Unique>,
    kept: BTreeMap<[u8; 32], Lasting>,
}

/// A claim that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Copied {
    Roles,
    Scopes,
    Claim(String),
}

impl InternalToken {
    /// What makes the tokens of a configuration that stands at `path`, and the public keys by which others verify them.
    ///
    /// # Errors
    /// When a text is empty, `ttl` is out of bounds, a key is none or not for the algorithm, a key is named twice, or a claim may not
    /// be copied.
    pub fn compile(
        config: &InternalTokenConfig,
        path: &str,
        platform: &Platform<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(Self, Vec<PublicKey>), ConfigError> {
        for (key, text) in [("issuer", &config.issuer), ("audience", &config.audience)] {
            if text.trim().is_empty() {
                return Err(ConfigError::new(format!("{path}.{key}"), "is empty"));
            }
        }
        let ttl = config.ttl.map_or(DEFAULT_TTL, DurationText::get);
        if !(SHORTEST_USE..=MAX_TTL).contains(&ttl) {
            return Err(ConfigError::new(format!("{path}.ttl"), "is not between 1s and 5m"));
        }
        let carrier = Carrier::compile(config.header.as_deref(), config.prefix.as_deref(), path)?;
        let claims = copied(&config.claims, &format!("{path}.claims"))?;
        let mut keys = Vec::new();
        let key = signing_key(config, path, platform, warnings)?;
        keys.extend(key.iter().map(|key| key.public().clone()));
        let others = config.previous_keys.iter().enumerate().map(|(index, key)| (format!("previousKeys[{index}]"), key));
        for (place, secret) in others.chain(config.next_key.iter().map(|key| ("nextKey".to_owned(), key))) {
            let place = format!("{path}.{place}");
            let Some(public) = public_key(secret, &place, platform, warnings)? else { continue };
            if keys.contains(&public) {
                return Err(ConfigError::new(place, "is the same key as one before it"));
            }
            keys.push(public);
        }
        let token = Self {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            ttl,
            claims,
            carrier,
            key,
            names: platform.seed.map(Unique::new),
            kept: BTreeMap::new(),
        };
        Ok((token, keys))
    }

    /// The header for a caller. Where the identity is not kept from one request to the next, `is_kept` is false and the token is kept
    /// here.
    ///
    /// # Errors
    /// Why there is none.
    pub fn header_for(&mut self, identity: &Identity, is_kept: bool, now: UnixTime) -> Result<Edit, Rejection> {
        let header = Rc::clone(self.carrier.header());
        if is_kept {
            return identity.lasting(now, || self.make(identity, now)).map(|value| Edit::Set(header, value));
        }
        let caller = digest(identity.json().as_bytes());
        if let Some(lasting) = self.kept.get(&caller).filter(|lasting| lasting.holds(now)) {
            return Ok(Edit::Set(header, Rc::clone(&lasting.value)));
        }
        let lasting = self.make(identity, now)?;
        if self.kept.len() >= MAX_KEPT {
            self.kept.retain(|_, lasting| lasting.holds(now));
        }
        if self.kept.len() >= MAX_KEPT {
            self.kept.clear();
        }
        let value = Rc::clone(&lasting.value);
        self.kept.insert(caller, lasting);
        Ok(Edit::Set(header, value))
    }

    fn make(&mut self, identity: &Identity, now: UnixTime) -> Result<Lasting, Rejection> {
        let principal = identity.principal().ok_or(Rejection::TokenMalformed)?;
        let (Some(key), Some(names)) = (&self.key, &mut self.names) else { return Err(Rejection::HostError) };
        let usual_end = now.saturating_add(self.ttl).as_secs();
        let end = principal.expires_at.map_or(usual_end, |own| own.min(usual_end));
        let mut claims = about(principal, &self.claims)?;
        claims.extend([
            ("iss".to_owned(), json!(self.issuer)),
            ("aud".to_owned(), json!(self.audience)),
            ("iat".to_owned(), json!(now.as_secs())),
            ("exp".to_owned(), json!(end)),
            ("jti".to_owned(), json!(names.next_name())),
        ]);
        let claims = serde_json::to_vec(&claims).map_err(|_| Rejection::HostError)?;
        let token = key.sign(TYPE, &claims).map_err(|_| Rejection::HostError)?;
        let value = self.carrier.value(&token);
        if value.len() > MAX_VALUE_BYTES {
            return Err(Rejection::ClaimTooLarge);
        }
        let most = self.ttl.saturating_mul(4).checked_div(5).unwrap_or_default();
        let until = if end < usual_end { UnixTime::from_secs(end) } else { now.saturating_add(most) };
        Ok(Lasting { value, from: now, until: until.max(now.saturating_add(SHORTEST_USE)) })
    }
}

/// The claims that say who is calling.
fn about(principal: &Principal, copied: &[Copied]) -> Result<Map<String, Value>, Rejection> {
    let mut claims = Map::new();
    for copy in copied {
        match copy {
            Copied::Roles if principal.roles.is_empty() => {}
            Copied::Roles => put(&mut claims, "roles", json!(principal.roles)),
            Copied::Scopes if principal.scopes.is_empty() => {}
            Copied::Scopes => put(&mut claims, "scope", json!(principal.scopes.join(" "))),
            Copied::Claim(path) => {
                let Some(claim) = principal.claim(path).filter(|claim| !claim.is_null()) else { continue };
                // A claim whose own name has dots in it keeps that name.
                if principal.claims.get(path).is_some() {
                    put(&mut claims, path, claim.into());
                } else {
                    put_at(&mut claims, path, claim.into());
                }
            }
        }
    }
    let text = |name: &str| principal.claims.get(name).and_then(Claim::as_str).filter(|text| !text.is_empty());
    let client = text("client_id").or_else(|| text("azp"));
    // Where no user is concerned, the subject is the client (RFC 9068 section 2.2).
    let subject = principal.subject.as_deref().filter(|subject| !subject.is_empty()).or(client);
    put(&mut claims, "sub", json!(subject.ok_or(Rejection::ClaimMissing)?));
    if let Some(client) = client {
        put(&mut claims, "client_id", json!(client));
    }
    if let Some(Claim::Value(actor @ Value::Object(_))) = principal.claims.get("act") {
        put(&mut claims, "act", actor.clone());
    }
    let mut origin = Map::new();
    put(&mut origin, "iss", json!(principal.issuer));
    if let Some(id) = &principal.token_id {
        put(&mut origin, "jti", json!(id));
    }
    put(&mut claims, "origin", origin.into());
    Ok(claims)
}

fn put(claims: &mut Map<String, Value>, name: &str, value: Value) {
    claims.insert(name.to_owned(), value);
}

/// Puts a value where it stood: inside objects, the names of which are joined by dots.
fn put_at(claims: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => put(claims, path, value),
        Some((head, rest)) => {
            if let Value::Object(inner) = claims.entry(head).or_insert_with(|| Map::new().into()) {
                put_at(inner, rest, value);
            }
        }
    }
}

fn copied(config: &[String], path: &str) -> Result<Vec<Copied>, ConfigError> {
    let mut copied = Vec::with_capacity(config.len());
    for (index, claim) in config.iter().enumerate() {
        let place = format!("{path}[{index}]");
        let copy = match claim.as_str() {
            "roles" => Copied::Roles,
            "scopes" => Copied::Scopes,
            claim if claim.split('.').any(|name| name.trim().is_empty()) => {
                return Err(ConfigError::new(place, "is not the path of a claim").hint("for example tenant"));
            }
            claim if claim.split('.').next().is_some_and(|head| RESERVED.contains(&head)) => {
                return Err(ConfigError::new(place, "is a claim that the token has of its own").hint("leave it out"));
            }
            claim => Copied::Claim(claim.to_owned()),
        };
        if copied.contains(&copy) {
            return Err(ConfigError::new(place, "is named twice"));
        }
        copied.push(copy);
    }
    Ok(copied)
}

fn signing_key(
    config: &InternalTokenConfig,
    path: &str,
    platform: &Platform<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Option<SigningKey>, ConfigError> {
    let place = format!("{path}.key");
    let Some(bytes) = config.key.resolve(&place, platform.environment, warnings)? else { return Ok(None) };
    let key = SigningKey::read(&bytes).map_err(|problem| ConfigError::new(&place, problem.to_string()))?;
    let wanted = config.algorithm.map(|algorithm| match algorithm {
        InternalAlgorithm::Es256 => Algorithm::Es256,
        InternalAlgorithm::EdDsa => Algorithm::EdDsa,
    });
    let own = key.public().algorithm();
    if wanted.is_some_and(|wanted| wanted != own) {
        let problem = format!("does not fit the key, which is for {}", own.as_str());
        return Err(ConfigError::new(format!("{path}.algorithm"), problem));
    }
    Ok(Some(key))
}

fn public_key(
    secret: &SecretConfig,
    place: &str,
    platform: &Platform<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Option<PublicKey>, ConfigError> {
    let mut said = Vec::new();
    let Some(bytes) = secret.resolve(place, platform.environment, &mut said)? else {
        warnings.append(&mut said);
        return Ok(None);
    };
    // What is public may stand in the configuration.
    if SigningKey::read(&bytes).is_ok() {
        warnings.append(&mut said);
    }
    PublicKey::read(&bytes).map(Some).map_err(|problem| ConfigError::new(place, problem.to_string()))
}

#[cfg(test)]
mod tests;
