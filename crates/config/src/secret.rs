//! A secret: from the VM's environment, or written into the configuration.
//!
//! It refuses, in this order: both places or none, a variable that is not set, text that is not in its encoding, and a secret
//! that is too short. No error, warning or debug output holds any part of one.

use std::fmt;

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use crate::{ConfigError, Environment, Variable, Warning};

/// The shortest secret that is accepted, whatever the hash. RFC 7518 section 3.2 asks for 48 bytes with HS384 and 64 with HS512;
/// issuers sign HS512 with shorter ones, and 32 bytes of chance are out of reach already.
pub const MIN_SECRET_BYTES: usize = 32;

/// What only the holder of a private key may know of it, as the members of a JWK (RFC 7518 sections 6.2.2 and 6.3.2; `priv` is that of
/// the key type AKP).
pub const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

const BASE64_CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, BASE64_CONFIG);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, BASE64_CONFIG);

/// Where a secret is, and how its bytes are written there.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretConfig {
    /// The name of a variable in the VM's environment.
    pub env: Option<String>,
    /// The secret itself.
    pub inline: Option<String>,
    /// How its bytes are written; default `utf8`.
    #[serde(default)]
    pub encoding: Encoding,
}

/// How bytes are written as text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(serde::Serialize, schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The text's own bytes.
    #[default]
    Utf8,
    /// RFC 4648 section 4; padding may be left out.
    Base64,
    /// RFC 4648 section 5; padding may be left out.
    Base64url,
    /// RFC 4648 section 8, in either case.
    Hex,
}

impl Encoding {
    /// The bytes that a text is the writing of.
    #[must_use]
    pub fn read(self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Utf8 => Some(text.as_bytes().to_vec()),
            Self::Base64 => BASE64.decode(text).ok(),
            Self::Base64url => BASE64_URL.decode(text).ok(),
            Self::Hex => hex(text),
        }
    }
}

impl fmt::Debug for SecretConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SecretConfig")
            .field("env", &self.env)
            .field("inline", &self.inline.as_ref().map(|_| "[secret]"))
            .field("encoding", &self.encoding)
            .finish()
    }
}

impl SecretConfig {
    /// The secret's bytes; `None` with a warning when the environment cannot be known here.
    ///
    /// # Errors
    /// A [`ConfigError`] at `path` when there is no usable secret, or one that is shorter than [`MIN_SECRET_BYTES`].
    pub fn resolve(
        &self,
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Vec<u8>>, ConfigError> {
        self.resolve_from(MIN_SECRET_BYTES, path, environment, warnings)
    }

    /// The same for a secret of which another chose the length.
    ///
    /// # Errors
    /// A [`ConfigError`] at `path` when there is no usable secret, or an empty one.
    pub fn resolve_of_any_length(
        &self,
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Vec<u8>>, ConfigError> {
        self.resolve_from(1, path, environment, warnings)
    }

    fn resolve_from(
        &self,
        shortest: usize,
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Vec<u8>>, ConfigError> {
        let (text, place) = match (&self.env, &self.inline) {
            (Some(name), None) => {
                let place = format!("{path}.env");
                match self.variable(name, &place, environment)? {
                    Some(value) => (value, place),
                    None => {
                        warnings.push(Warning::new(place, "the variable cannot be checked here"));
                        return Ok(None);
                    }
                }
            }
            (None, Some(text)) => {
                let place = format!("{path}.inline");
                warnings.push(Warning::new(&place, "the secret stands in the configuration; `env` keeps it out"));
                (text.clone(), place)
            }
            (Some(_), Some(_)) => {
                return Err(ConfigError::new(path, "has both `env` and `inline`").hint("give one of them"));
            }
            (None, None) => {
                return Err(ConfigError::new(path, "has neither `env` nor `inline`")
                    .hint("`env` names a variable of the VM's environment that holds the secret"));
            }
        };
        self.decode(&text, shortest, &place, warnings).map(Some)
    }

    /// The variable's value; `None` when it cannot be known here.
    fn variable(&self, name: &str, place: &str, environment: &dyn Environment) -> Result<Option<String>, ConfigError> {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(ConfigError::new(place, "is not the name of a variable"));
        }
        match environment.variable(name) {
            Variable::Set(value) if value.is_empty() => Err(ConfigError::new(place, "the variable is empty")),
            Variable::Set(value) => Ok(Some(value)),
            Variable::Unset => Err(ConfigError::new(place, "the variable is not set in the VM's environment")
                .hint("pass it on with `vmConfig.env` (Istio) or `vm_config.environment_variables` (Envoy)")),
            Variable::Unknown => Ok(None),
        }
    }

    fn decode(&self, text: &str, shortest: usize, place: &str, warnings: &mut Vec<Warning>) -> Result<Vec<u8>, ConfigError> {
        let wrong = |encoding: &str| {
            let error = ConfigError::new(place, format!("is not {encoding}"));
            if text.trim() == text { error } else { error.hint("it begins or ends with white space") }
        };
        let bytes = match self.encoding {
            Encoding::Utf8 => {
                if text.trim() != text {
                    warnings.push(Warning::new(place, "begins or ends with white space, which is part of the secret"));
                }
                text.as_bytes().to_vec()
            }
            Encoding::Base64 => BASE64.decode(text).map_err(|_| wrong("base64"))?,
            Encoding::Base64url => BASE64_URL.decode(text).map_err(|_| wrong("base64url"))?,
            Encoding::Hex => hex(text).ok_or_else(|| wrong("hex"))?,
        };
        if bytes.len() < shortest {
            return Err(ConfigError::new(place, format!("the secret is too short: it has {} bytes", bytes.len()))
                .hint(format!("it needs at least {shortest} bytes")));
        }
        Ok(bytes)
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some(digit(high)?.checked_mul(16)? | digit(low)?) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    const LONG: &str = "an-example-of-thirty-two-or-more-bytes";

    fn environment(name: &str) -> Variable {
        match name {
            "SET" => Variable::Set(LONG.to_owned()),
            "NEWLINE" => Variable::Set(format!("{LONG}\n")),
            "EMPTY" => Variable::Set(String::new()),
            "ELSEWHERE" => Variable::Unknown,
            _ => Variable::Unset,
        }
    }

    fn resolve(json: &str) -> (Result<Option<Vec<u8>>, String>, Vec<String>) {
        let secret: SecretConfig = document::parse(json.as_bytes()).unwrap();
        let mut warnings = Vec::new();
        let result = secret.resolve("secret", &environment, &mut warnings).map_err(|error| error.to_string());
        (result, warnings.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_each_encoding() {
        let inline = "secret.inline: the secret stands in the configuration; `env` keeps it out";
        let ones = vec![0xffu8; 32];
        for (json, expected, warned) in [
            (r#"{"env":"SET"}"#.to_owned(), Some(LONG.as_bytes().to_vec()), vec![]),
            (format!(r#"{{"inline":"{LONG}"}}"#), Some(LONG.as_bytes().to_vec()), vec![inline]),
            (format!(r#"{{"inline":"{}8=","encoding":"base64"}}"#, "/".repeat(42)), Some(ones.clone()), vec![inline]),
            (format!(r#"{{"inline":"{}8","encoding":"base64"}}"#, "/".repeat(42)), Some(ones.clone()), vec![inline]),
            (format!(r#"{{"inline":"{}8","encoding":"base64url"}}"#, "_".repeat(42)), Some(ones.clone()), vec![inline]),
            (format!(r#"{{"inline":"{}","encoding":"hex"}}"#, "fF".repeat(32)), Some(ones), vec![inline]),
            (r#"{"env":"ELSEWHERE"}"#.to_owned(), None, vec!["secret.env: the variable cannot be checked here"]),
            (
                r#"{"env":"NEWLINE"}"#.to_owned(),
                Some(format!("{LONG}\n").into_bytes()),
                vec!["secret.env: begins or ends with white space, which is part of the secret"],
            ),
        ] {
            let (result, warnings) = resolve(&json);
            assert_eq!(result, Ok(expected), "{json}");
            assert_eq!(warnings, warned, "{json}");
        }
    }

    #[test]
    fn refuses_what_is_no_secret_without_repeating_it() {
        for (json, expected) in [
            (
                "{}",
                "secret: has neither `env` nor `inline`; `env` names a variable of the VM's environment that holds the secret",
            ),
            (r#"{"env":"SET","inline":"x"}"#, "secret: has both `env` and `inline`; give one of them"),
            (
                r#"{"env":"ABSENT"}"#,
                "secret.env: the variable is not set in the VM's environment; pass it on with `vmConfig.env` (Istio) or \
                 `vm_config.environment_variables` (Envoy)",
            ),
            (r#"{"env":"EMPTY"}"#, "secret.env: the variable is empty"),
            (r#"{"env":""}"#, "secret.env: is not the name of a variable"),
            (r#"{"env":"A=B"}"#, "secret.env: is not the name of a variable"),
            (r#"{"env":"SET","encoding":"base64"}"#, "secret.env: is not base64"),
            (r#"{"env":"NEWLINE","encoding":"base64url"}"#, "secret.env: is not base64url; it begins or ends with white space"),
            (r#"{"env":"SET","encoding":"hex"}"#, "secret.env: is not hex"),
            (r#"{"inline":"abc","encoding":"hex"}"#, "secret.inline: is not hex"),
            (r#"{"inline":"abc"}"#, "secret.inline: the secret is too short: it has 3 bytes; it needs at least 32 bytes"),
        ] {
            assert_eq!(resolve(json).0, Err(expected.to_owned()), "{json}");
        }
    }

    #[test]
    fn debug_output_does_not_hold_the_secret() {
        let secret: SecretConfig = document::parse(br#"{"inline":"S3CRET"}"#).unwrap();
        assert!(!format!("{secret:?}").contains("S3CRET"));
    }
}
