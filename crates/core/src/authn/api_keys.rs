//! Callers who bring a key of their own. Only hashes of keys are kept, and each of them is compared, in constant time, whichever
//! matches.

use std::rc::Rc;

use ctutils::CtEq;
use sha2::{Digest, Sha256};

use super::places;
use crate::config::api_key::{ApiKeyConfig, ApiKeysConfig};
use crate::config::{ConfigError, Environment, Warning};
use crate::extractor::Source;
use crate::principal::{Method, Principal};

/// A set of keys.
#[derive(Debug)]
pub(super) struct ApiKeys {
    pub name: Rc<str>,
    pub sources: Vec<Source>,
    pub forward: bool,
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    /// Absent where the key cannot be known.
    hash: Option<[u8; 32]>,
    principal: Principal,
}

impl ApiKeys {
    /// The set that an operator wrote at `path`.
    ///
    /// # Errors
    /// When it has no name or no keys, a key has no subject, not exactly one of `sha256` and `secret`, is empty, or is there twice.
    pub fn compile(
        config: &ApiKeysConfig,
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        if config.name.trim().is_empty() {
            return Err(ConfigError::new(format!("{path}.name"), "is empty"));
        }
        if config.keys.is_empty() {
            return Err(ConfigError::new(format!("{path}.keys"), "is empty"));
        }
        let default = Source::Header { name: "x-api-key".into(), prefix: String::new() };
        let (headers, params, cookies) = (&config.from_headers, &config.from_params, &config.from_cookies);
        let sources = places::compile(headers.as_deref(), params.as_deref(), cookies.as_deref(), &[default], path)?;
        if params.as_ref().is_some_and(|params| !params.is_empty()) {
            let message = "a key in an address stands in logs and histories; a header keeps it out";
            warnings.push(Warning::new(format!("{path}.fromParams"), message));
        }
        let mut keys: Vec<Key> = Vec::with_capacity(config.keys.len());
        for (index, key) in config.keys.iter().enumerate() {
            let path = format!("{path}.keys[{index}]");
            if key.subject.trim().is_empty() {
                return Err(ConfigError::new(format!("{path}.subject"), "is empty"));
            }
            let hash = hash(key, &path, environment, warnings)?;
            if hash == Some(Sha256::digest(b"").into()) {
                return Err(ConfigError::new(path, "is an empty key, which nobody can bring")
                    .hint("was the variable set when it was hashed?"));
            }
            if let Some(first) = keys.iter().position(|other| hash.is_some() && other.hash == hash) {
                return Err(ConfigError::new(path, format!("is the same key as keys[{first}]")));
            }
            keys.push(Key { hash, principal: principal(key, &config.name) });
        }
        Ok(Self { name: config.name.as_str().into(), sources, forward: config.forward_original_key, keys })
    }

    /// The place of a key among the keys, and whose it is.
    pub fn find(&self, key: &[u8]) -> Option<(usize, &Principal)> {
        let hash: [u8; 32] = Sha256::digest(key).into();
        let mut found = None;
        for (index, known) in self.keys.iter().enumerate() {
            if known.hash.is_some_and(|known| known.ct_eq(&hash).to_bool()) {
                found = Some((index, &known.principal));
            }
        }
        found
    }
}

fn principal(config: &ApiKeyConfig, issuer: &str) -> Principal {
    Principal {
        issuer: issuer.to_owned(),
        subject: Some(config.subject.clone()),
        roles: config.roles.clone(),
        scopes: config.scopes.clone(),
        audiences: Vec::new(),
        claims: config.claims.clone().into(),
        method: Method::ApiKey,
        token_id: None,
        expires_at: None,
    }
}

/// The SHA-256 of the key; `None` with a warning when it cannot be known here.
fn hash(
    config: &ApiKeyConfig,
    path: &str,
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<Option<[u8; 32]>, ConfigError> {
    match (&config.sha256, &config.secret) {
        (Some(digits), None) => {
            let wrong = || {
                ConfigError::new(format!("{path}.sha256"), "is not a SHA-256")
                    .hint("write 64 hexadecimal digits: `printf %s \"$KEY\" | sha256sum`")
            };
            let mut hash = [0; 32];
            if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(wrong());
            }
            for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
                *byte = str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or_else(wrong)?;
            }
            Ok(Some(hash))
        }
        (None, Some(secret)) => {
            let key = secret.resolve(&format!("{path}.secret"), environment, warnings)?;
            Ok(key.map(|key| Sha256::digest(&key).into()))
        }
        _ => Err(ConfigError::new(path, "has not exactly one of `sha256` and `secret`")
            .hint("a hash keeps the key out of the configuration")),
    }
}
