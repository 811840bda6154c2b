//! An identifier that the issuer encrypted with a shared key, and how it is decrypted.
//!
//! A claim holds, in `encoding`: the nonce, unless it stands in a claim of its own, then the ciphertext, then the tag. With
//! `keyId: prefix`, the id of the key and a `.` stand before that.
//!
//! | algorithm | key | nonce | tag | what is vouched for |
//! |---|---|---|---|---|
//! | A128GCM, A256GCM | 16, 32 bytes | 12 | 16 | by AES in GCM: `aad`, ciphertext |
//! | XC20P | 32 bytes | 24 | 16 | by XChaCha20-Poly1305: `aad`, ciphertext |
//! | A128CBC-HS256 | 32 bytes: 16 of the HMAC, then 16 of AES | 16 | 16 | by HMAC-SHA256, its first half: `aad`, nonce, ciphertext, length of `aad` |
//! | A256CBC-HS256 | 64 bytes: 32 of the HMAC, then 32 of AES | 16 | 32 | by HMAC-SHA256: the same |
//! | A128CBC, A256CBC | 16, 32 bytes | 16 | none | nothing: `legacy` |
//!
//! The length of `aad` is in bits, as eight bytes (RFC 7518 section 5.2.2.1). CBC has the padding of PKCS #7.
//!
//! Whatever is wrong, the answer is the same. What was encrypted must be UTF-8. Refused, when the configuration is read: a key of
//! another length, keys that nobody can tell apart, an algorithm that vouches for nothing unless `legacy` says so, and then `aad`,
//! which it would not look at, and several keys to be tried, of which a wrong one can yield something too.

use std::fmt;

use super::identity_template::{Facts, IdentityTemplate};
use crate::config::decrypt::{CiphertextEncoding, ClaimPlace, DecryptConfig, DecryptKeyConfig};
use crate::config::secret::SecretConfig;
use crate::config::{ConfigError, Environment, Warning, suggestion};
use crate::encryption::{ContentEncryption, ContentKey, KeyError, LegacyKey, Sealed, Undecryptable, Zeroizing};
use crate::principal::Principal;

/// The most keys: each may be tried on a claim.
pub const MAX_KEYS: usize = 5;
/// The algorithms that vouch for nothing, and the length of their keys.
const LEGACY: [(&str, usize); 2] = [("A128CBC", 16), ("A256CBC", 32)];

/// How the encrypted identifiers of a claim are decrypted.
pub struct IdentifierCipher {
    keys: Vec<NamedKey>,
    key_id: Option<ClaimPlace>,
    encoding: CiphertextEncoding,
    nonce: ClaimPlace,
    aad: Option<IdentityTemplate>,
}

struct NamedKey {
    id: Option<String>,
    key: Key,
}

/// A key with its algorithm.
enum Key {
    Content(ContentKey),
    Legacy(LegacyKey),
}

/// A key as the operator wrote it: its id, the secret, the place.
type KeyConfig<'a> = (Option<&'a str>, &'a SecretConfig, String);

/// An algorithm by its name.
#[derive(Clone, Copy)]
enum Algorithm {
    Content(ContentEncryption),
    Legacy(&'static str, usize),
}

impl IdentifierCipher {
    /// What stands at `path`. Where the environment cannot be known, there are no keys.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn compile(
        config: &DecryptConfig,
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let algorithm = Algorithm::parse(config, path)?;
        if matches!(algorithm, Algorithm::Legacy(..)) {
            warnings.push(Warning::new(
                format!("{path}.legacy"),
                format!(
                    "{} vouches for nothing: only the token's signature keeps the identifier from being changed",
                    config.algorithm
                ),
            ));
        }
        let configs = key_configs(config, path)?;
        check_ids(config, &configs, path)?;
        if matches!(algorithm, Algorithm::Legacy(..)) && configs.len() > 1 && config.key_id.is_none() {
            return Err(ConfigError::new(
                format!("{path}.keys"),
                "cannot be tried in order: a wrong key may yield something too",
            )
            .hint("say with `keyId` where the id of the key stands"));
        }
        let mut keys = Vec::with_capacity(configs.len());
        for (id, secret, place) in configs {
            let Some(bytes) = secret.resolve_of_any_length(&place, environment, warnings)?.map(Zeroizing::new) else { continue };
            let key = algorithm.key(&bytes).map_err(|error| ConfigError::new(place, error.to_string()))?;
            keys.push(NamedKey { id: id.map(str::to_owned), key });
        }
        for (name, place) in [("keyId", &config.key_id), ("nonce", &config.nonce)] {
            if matches!(place, Some(ClaimPlace::Claim(claim)) if claim.trim().is_empty()) {
                return Err(ConfigError::new(format!("{path}.{name}.claim"), "is empty"));
            }
        }
        Ok(Self {
            keys,
            key_id: config.key_id.clone(),
            encoding: config.encoding,
            nonce: config.nonce.clone().unwrap_or(ClaimPlace::Prefix),
            aad: config.aad.as_deref().map(|text| aad(text, algorithm, &format!("{path}.aad"))).transpose()?,
        })
    }

    /// The identifier that was encrypted for this caller.
    ///
    /// # Errors
    /// [`Undecryptable`].
    pub fn open(&self, claim: &str, principal: &Principal) -> Result<Zeroizing<String>, Undecryptable> {
        let (id, text) = match &self.key_id {
            None => (None, claim),
            Some(ClaimPlace::Prefix) => claim.split_once('.').map(|(id, text)| (Some(id), text)).ok_or(Undecryptable)?,
            Some(ClaimPlace::Claim(path)) => (Some(text_at(principal, path)?), claim),
        };
        let bytes = self.encoding.read(text).ok_or(Undecryptable)?;
        let apart = match &self.nonce {
            ClaimPlace::Prefix => None,
            ClaimPlace::Claim(path) => Some(self.encoding.read(text_at(principal, path)?).ok_or(Undecryptable)?),
        };
        let aad = self.aad_of(principal)?;
        let is_meant = |key: &&NamedKey| id.is_none() || key.id.as_deref() == id;
        let mut opened = self.keys.iter().filter(is_meant).map(|named| named.key.open(apart.as_deref(), &bytes, aad.as_bytes()));
        let mut bytes = opened.find_map(Result::ok).ok_or(Undecryptable)?;
        String::from_utf8(std::mem::take(&mut *bytes)).map(Zeroizing::new).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            Undecryptable
        })
    }

    /// The claim for an identifier and this caller, with the key of this id, or the first. `random` makes the nonce, which otherwise
    /// stands in a claim already.
    ///
    /// # Errors
    /// [`Undecryptable`], when nobody could decrypt it: there is no such key, or a claim that is needed is absent.
    pub fn seal(
        &self,
        identifier: &str,
        principal: &Principal,
        key_id: Option<&str>,
        random: impl FnOnce(&mut [u8]) -> Result<(), Undecryptable>,
    ) -> Result<String, Undecryptable> {
        let id = match &self.key_id {
            Some(ClaimPlace::Claim(path)) => Some(text_at(principal, path)?),
            _ => key_id,
        };
        let named = self.keys.iter().find(|named| id.is_none() || named.id.as_deref() == id).ok_or(Undecryptable)?;
        let (nonce, mut bytes) = match &self.nonce {
            ClaimPlace::Prefix => {
                let mut nonce = vec![0; named.key.nonce_bytes()];
                random(&mut nonce)?;
                (nonce.clone(), nonce)
            }
            ClaimPlace::Claim(path) => (self.encoding.read(text_at(principal, path)?).ok_or(Undecryptable)?, Vec::new()),
        };
        bytes.extend(named.key.seal(&nonce, self.aad_of(principal)?.as_bytes(), identifier.as_bytes())?);
        let text = self.encoding.write(&bytes);
        match (&self.key_id, &named.id) {
            (Some(ClaimPlace::Prefix), Some(id)) => Ok(format!("{id}.{text}")),
            _ => Ok(text),
        }
    }

    /// What an identifier of this caller is bound to.
    fn aad_of(&self, principal: &Principal) -> Result<String, Undecryptable> {
        self.aad.as_ref().map_or(Ok(String::new()), |aad| aad.text(&Facts::of(principal)).ok_or(Undecryptable))
    }
}

impl fmt::Debug for IdentifierCipher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("IdentifierCipher").field("keys", &self.keys.len()).finish_non_exhaustive()
    }
}

impl Key {
    fn open(&self, nonce: Option<&[u8]>, bytes: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
        let (nonce, rest) = match nonce {
            Some(nonce) => (nonce, bytes),
            None => bytes.split_at_checked(self.nonce_bytes()).ok_or(Undecryptable)?,
        };
        match self {
            Self::Content(key) => {
                let end = rest.len().checked_sub(key.algorithm().tag_bytes()).ok_or(Undecryptable)?;
                let (ciphertext, tag) = rest.split_at_checked(end).ok_or(Undecryptable)?;
                key.open(&Sealed { nonce, aad, ciphertext, tag })
            }
            Self::Legacy(key) => key.open(nonce, rest),
        }
    }

    /// The ciphertext and the tag.
    fn seal(&self, nonce: &[u8], aad: &[u8], content: &[u8]) -> Result<Vec<u8>, Undecryptable> {
        match self {
            Self::Content(key) => key.seal(nonce, aad, content).map(|(ciphertext, tag)| [ciphertext, tag].concat()),
            Self::Legacy(key) => key.seal(nonce, content),
        }
    }

    const fn nonce_bytes(&self) -> usize {
        match self {
            Self::Content(key) => key.algorithm().nonce_bytes(),
            Self::Legacy(_) => LegacyKey::NONCE_BYTES,
        }
    }
}

impl Algorithm {
    fn parse(config: &DecryptConfig, path: &str) -> Result<Self, ConfigError> {
        let name = config.algorithm.as_str();
        let place = format!("{path}.algorithm");
        if let Some((name, key_bytes)) = LEGACY.into_iter().find(|(legacy, _)| *legacy == name) {
            if config.legacy {
                return Ok(Self::Legacy(name, key_bytes));
            }
            return Err(ConfigError::new(
                place,
                format!("`{name}` vouches for nothing: whoever changes the claim changes what it says"),
            )
            .hint("use A256GCM; where the issuer cannot, `legacy: true` allows it"));
        }
        match ContentEncryption::parse(name) {
            Some(_) if config.legacy => {
                Err(ConfigError::new(format!("{path}.legacy"), format!("has no effect with {name}")).hint("remove it"))
            }
            Some(algorithm) => Ok(Self::Content(algorithm)),
            None => {
                let known = ContentEncryption::ALL.map(ContentEncryption::as_str);
                Err(ConfigError::new(place, "is not an algorithm that is supported").hint(suggestion::hint(
                    name,
                    &known,
                    "algorithms",
                )))
            }
        }
    }

    fn key(self, bytes: &[u8]) -> Result<Key, KeyError> {
        match self {
            Self::Content(algorithm) => ContentKey::new(algorithm, bytes).map(Key::Content),
            Self::Legacy(name, needed) => LegacyKey::new(name, needed, bytes).map(Key::Legacy),
        }
    }
}

/// The text of a claim.
fn text_at<'a>(principal: &'a Principal, path: &str) -> Result<&'a str, Undecryptable> {
    principal.claim(path).and_then(|claim| claim.as_str()).ok_or(Undecryptable)
}

/// The keys with their ids and places.
fn key_configs<'a>(config: &'a DecryptConfig, path: &str) -> Result<Vec<KeyConfig<'a>>, ConfigError> {
    match (&config.key, &config.keys) {
        (Some(key), None) => Ok(vec![(None, key, format!("{path}.key"))]),
        (None, Some(keys)) if keys.is_empty() => Err(ConfigError::new(format!("{path}.keys"), "is empty")),
        (None, Some(keys)) if keys.len() > MAX_KEYS => {
            Err(ConfigError::new(format!("{path}.keys"), format!("holds more than {MAX_KEYS} keys"))
                .hint("remove those of the past"))
        }
        (None, Some(keys)) => {
            let one = |(index, DecryptKeyConfig { id, key }): (usize, &'a DecryptKeyConfig)| {
                (id.as_deref(), key, format!("{path}.keys[{index}].key"))
            };
            Ok(keys.iter().enumerate().map(one).collect())
        }
        _ => Err(ConfigError::new(path, "has not exactly one of `key` and `keys`")),
    }
}

/// Whether ids tell the keys apart where the claim names one.
fn check_ids(config: &DecryptConfig, keys: &[KeyConfig<'_>], path: &str) -> Result<(), ConfigError> {
    let Some(place) = &config.key_id else { return Ok(()) };
    if config.keys.is_none() {
        return Err(ConfigError::new(format!("{path}.keyId"), "has no effect without `keys`").hint("remove it"));
    }
    for (index, (id, ..)) in keys.iter().enumerate() {
        let wrong = |problem: &str| Err(ConfigError::new(format!("{path}.keys[{index}].id"), problem));
        match id {
            None | Some("") => return wrong("is missing, and `keyId` tells the keys apart by it"),
            Some(id) if *place == ClaimPlace::Prefix && id.contains('.') => {
                return wrong("holds a `.`, which ends it in the claim");
            }
            Some(id) if keys.iter().take(index).any(|(earlier, ..)| *earlier == Some(id)) => return wrong("is given twice"),
            Some(_) => {}
        }
    }
    Ok(())
}

fn aad(text: &str, algorithm: Algorithm, path: &str) -> Result<IdentityTemplate, ConfigError> {
    if let Algorithm::Legacy(name, _) = algorithm {
        return Err(ConfigError::new(path, format!("has no effect with {name}, which vouches for nothing")).hint("remove it"));
    }
    let template = IdentityTemplate::parse(text, None, path)?;
    if template.is_about_the_caller() {
        return Ok(template);
    }
    Err(ConfigError::new(path, "is about the request, and an identifier is decrypted once for all requests of a caller")
        .hint("use values of the principal: `{issuer}|{sub}`"))
}

#[cfg(test)]
mod tests;
