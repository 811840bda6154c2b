//! How the encrypted tokens of one `jwtRules` entry are decrypted, checked.
//!
//! Refused: a key set that cannot be read or that holds nothing that decrypts, lists that are empty, names that do not exist.

use crate::config::decryption::DecryptionConfig;
use crate::config::{ConfigError, Environment, Warning, suggestion};
use crate::encryption::{ContentEncryption, KeyManagement, Zeroizing};
use crate::jwe::{DecryptionKeys, EncryptedToken};
use crate::rejection::Rejection;

/// How tokens are decrypted.
#[derive(Debug)]
pub(super) struct Decryption {
    /// What the operator wrote: entries that wrote the same share one.
    config: DecryptionConfig,
    keys: DecryptionKeys,
    algorithms: Vec<KeyManagement>,
    encryptions: Vec<ContentEncryption>,
}

impl Decryption {
    /// What stands at `path`. Where the environment cannot be known, there are no keys.
    pub fn compile(
        config: &DecryptionConfig,
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let place = format!("{path}.jwks");
        let document = config.jwks.resolve_of_any_length(&place, environment, warnings)?.map(Zeroizing::new);
        let keys = match &document {
            Some(document) => {
                let (keys, skipped) =
                    DecryptionKeys::from_jwks(document).map_err(|error| ConfigError::new(&place, error.to_string()))?;
                let warning = |(index, reason)| Warning::new(&place, format!("keys[{index}] is not used: {reason}"));
                warnings.extend(skipped.into_iter().map(warning));
                Some(keys)
            }
            None => None,
        };
        let algorithms = named(
            config.algorithms.as_deref(),
            &KeyManagement::ALL,
            KeyManagement::as_str,
            &format!("{path}.algorithms"),
            "algorithms",
        )?;
        for (index, algorithm) in config.algorithms.iter().flat_map(|_| &algorithms).enumerate() {
            if keys.as_ref().is_some_and(|keys| !keys.serve(*algorithm)) {
                let message = format!("none of the keys is for {}", algorithm.as_str());
                warnings.push(Warning::new(format!("{path}.algorithms[{index}]"), message));
            }
        }
        let place = format!("{path}.encryptions");
        let encryptions =
            named(config.encryptions.as_deref(), &ContentEncryption::JWE, ContentEncryption::as_str, &place, "encryptions")?;
        Ok(Self { config: config.clone(), keys: keys.unwrap_or_default(), algorithms, encryptions })
    }

    /// Whether this was made of what an operator wrote.
    pub fn is_of(&self, config: &DecryptionConfig) -> bool {
        self.config == *config
    }

    /// Whether a token that is not encrypted is refused.
    pub const fn is_required(&self) -> bool {
        self.config.required
    }

    /// Whether a private RSA key may be asked for the token, which takes long.
    pub fn is_costly(&self, token: &EncryptedToken<'_>) -> bool {
        let algorithm = token.management();
        algorithm == KeyManagement::RsaOaep256 && self.algorithms.contains(&algorithm) && self.keys.serve(algorithm)
    }

    /// What is in a token.
    pub fn open(&self, token: &EncryptedToken<'_>) -> Result<Zeroizing<Vec<u8>>, Rejection> {
        if !self.algorithms.contains(&token.management()) || !self.encryptions.contains(&token.encryption()) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        self.keys.open(token).map_err(|_| Rejection::TokenUndecryptable)
    }
}

/// What the names mean; without any, all that there is.
fn named<T: Copy>(
    names: Option<&[String]>,
    all: &[T],
    name_of: fn(T) -> &'static str,
    path: &str,
    kind: &str,
) -> Result<Vec<T>, ConfigError> {
    let Some(names) = names else { return Ok(all.to_vec()) };
    if names.is_empty() {
        return Err(ConfigError::new(path, "is empty").hint("leave it out to allow what there is"));
    }
    let known: Vec<&str> = all.iter().map(|one| name_of(*one)).collect();
    let meant = |(index, name): (usize, &String)| {
        all.iter().copied().find(|one| name_of(*one) == name).ok_or_else(|| {
            ConfigError::new(format!("{path}[{index}]"), "is not one that is supported")
                .hint(suggestion::hint(name, &known, kind))
        })
    };
    names.iter().enumerate().map(meant).collect()
}
