//! What a `jwtRules` entry asks of the sender of its tokens, checked once.

use std::time::Duration;

use crate::nonces::Nonces;
use crate::origin::Origin;
use portcullis_config::duration::DurationText;
use portcullis_config::sender::{CertificateSource, ClientCertificateConfig, DpopConfig, DpopNonceConfig};
use portcullis_config::{ConfigError, Environment, Warning};
use portcullis_request::jose::{Algorithm, AlgorithmSet};

const DEFAULT_WINDOW: Duration = Duration::from_secs(60);
const MAX_WINDOW: Duration = Duration::from_secs(300);
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);
const MIN_LIFETIME: Duration = Duration::from_secs(10);

/// The algorithms of proofs where the operator names none.
const DEFAULT_ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Ps256, Algorithm::Rs256];

/// What the sender of an entry's tokens has to show.
#[derive(Debug, Clone)]
pub struct SenderPolicy {
    /// How proofs are checked.
    pub dpop: Dpop,
    /// Whether the operator has spoken of proofs: challenges then name DPoP.
    pub offers_dpop: bool,
    /// Where the client's certificate is found; the number is that of the elements after its own.
    pub certificate: Certificate,
}

/// Where the client's certificate is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// In the handshake with this proxy.
    OfConnection,
    /// In `x-forwarded-client-cert`, before so many elements.
    Forwarded(u8),
}

/// How proofs are checked.
#[derive(Debug, Clone)]
pub struct Dpop {
    /// Whether a token that is not bound to a key is refused.
    pub required: bool,
    /// How far a proof's `iat` may be from now.
    pub window: Duration,
    /// The algorithms that proofs may be signed with; none of them is symmetric.
    pub algorithms: AlgorithmSet,
    /// The origins that proofs may be for; empty where the proxy's own view counts.
    pub origins: Vec<Origin>,
    /// The nonces, where proofs need one.
    pub nonces: Option<Nonces>,
}

impl SenderPolicy {
    /// What an entry that stands at `path` asks for.
    ///
    /// # Errors
    /// A [`ConfigError`] for a window or lifetime out of bounds, an algorithm that is symmetric or none, a text that is no origin, a
    /// key that cannot be used, and `hops` without `from: xfcc`.
    pub fn compile(
        dpop: Option<&DpopConfig>,
        certificate: ClientCertificateConfig,
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let certificate = match (certificate.from, certificate.hops) {
            (CertificateSource::Connection, None) => Certificate::OfConnection,
            (CertificateSource::Connection, Some(_)) => {
                return Err(ConfigError::new(format!("{path}.clientCertificate.hops"), "is for `from: xfcc`"));
            }
            (CertificateSource::Xfcc, hops) => {
                warnings.push(Warning::new(
                    format!("{path}.clientCertificate.from"),
                    "believes `x-forwarded-client-cert`; the proxy must not take it from clients (`forward_client_cert_details`)",
                ));
                Certificate::Forwarded(hops.unwrap_or(0))
            }
        };
        let offers_dpop = dpop.is_some();
        let dpop = Dpop::compile(dpop.unwrap_or(&DpopConfig::default()), &format!("{path}.dpop"), environment, warnings)?;
        Ok(Self { dpop, offers_dpop, certificate })
    }
}

impl Dpop {
    fn compile(
        config: &DpopConfig,
        path: &str,
        environment: &dyn Environment,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let window = config.iat_window.map_or(DEFAULT_WINDOW, DurationText::get);
        if window.is_zero() || window > MAX_WINDOW {
            return Err(ConfigError::new(format!("{path}.iatWindow"), "is not between 1ns and 5m"));
        }
        let nonces = config.nonce.as_ref().map(|nonce| nonces(nonce, &format!("{path}.nonce"), environment, warnings));
        Ok(Self {
            required: config.required,
            window,
            algorithms: algorithms(config.algorithms.as_deref(), &format!("{path}.algorithms"))?,
            origins: origins(config.origins.as_deref(), &format!("{path}.origins"))?,
            nonces: nonces.transpose()?,
        })
    }
}

/// The names of algorithms as a challenge has them (RFC 9449 section 7.1).
#[must_use]
pub fn algorithm_names(algorithms: AlgorithmSet) -> String {
    algorithms.to_string().replace(',', "")
}

fn algorithms(names: Option<&[String]>, path: &str) -> Result<AlgorithmSet, ConfigError> {
    let Some(names) = names else { return Ok(DEFAULT_ALGORITHMS.into_iter().collect()) };
    if names.is_empty() {
        return Err(ConfigError::new(path, "is empty"));
    }
    let named = names.iter().enumerate().map(|(index, name)| {
        let algorithm = Algorithm::parse(name).filter(|algorithm| !algorithm.is_symmetric());
        algorithm.ok_or_else(|| {
            ConfigError::new(format!("{path}[{index}]"), "is no algorithm with a public key")
                .hint("for example ES256, EdDSA, PS256, RS256")
        })
    });
    named.collect()
}

fn origins(texts: Option<&[String]>, path: &str) -> Result<Vec<Origin>, ConfigError> {
    let Some(texts) = texts else { return Ok(Vec::new()) };
    if texts.is_empty() {
        return Err(ConfigError::new(path, "is empty").hint("leave it out to go by what the proxy sees"));
    }
    let read = |(index, text): (usize, &String)| match Origin::split(text) {
        Some((origin, "")) => Ok(origin),
        _ => Err(ConfigError::new(format!("{path}[{index}]"), "is not a scheme and an authority")
            .hint("for example https://api.example.com, without a path")),
    };
    texts.iter().enumerate().map(read).collect()
}

fn nonces(
    config: &DpopNonceConfig,
    path: &str,
    environment: &dyn Environment,
    warnings: &mut Vec<Warning>,
) -> Result<Nonces, ConfigError> {
    let lifetime = config.lifetime.map_or(DEFAULT_LIFETIME, DurationText::get);
    if lifetime < MIN_LIFETIME {
        return Err(ConfigError::new(format!("{path}.lifetime"), "is shorter than 10 seconds"));
    }
    let key = config.key.resolve(&format!("{path}.key"), environment, warnings)?;
    Ok(Nonces::new(key.as_deref(), lifetime))
}
