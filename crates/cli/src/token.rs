//! The `token` command: what a token says, whether it is good, and if not, why.
//!
//! A token is judged by the stage that judges it in the proxy. Keys that are given alone are put into a configuration with
//! nothing but these keys and the token's own issuer.

pub mod anatomy;
mod report;

use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::Args;
use portcullis_core::authn::{Authn, Doubt, Policy};
use portcullis_core::config::ConfigError;
use portcullis_core::config::jwt_auth::JwtAuthConfig;
use portcullis_core::jose::{KeySet, Token};
use portcullis_core::keyring::Keyring;
use portcullis_core::time::UnixTime;
use serde_json::{Map, Value, json};

use self::anatomy::Anatomy;
use self::report::{Report, Verdict};
use crate::configuration::Configuration;
use crate::credential::{self, Judge};
use crate::discretion::Discretion;
use crate::instant;
use crate::module_name::ModuleName;
use crate::report::FormatArguments;
use crate::stand_ins::{JwksArgument, StandIns};
use crate::step::Step;
use crate::token_input;

/// Shows what a token says, and whether it is good: offline, in words.
///
/// The token is read from the standard input (or from --file), because what stands in a command line is seen by every user of the
/// machine and remembered by the shell. `Authorization:` and `Bearer` or `DPoP` before it are taken off.
///
/// With --config, the token is judged as the module would judge it: which jwtRules entry takes it, which key signed it, and
/// each of the entry's rules. With keys alone (--jwks, --key-pem, --secret-env), it is judged by the defaults of an entry. With neither,
/// it is only shown.
///
/// Nothing is fetched: for an entry with `jwksUri`, give its keys with --jwks.
///
/// The token itself is not printed, unless --show-token asks for it. Its claims are: they may be personal data. What is in an
/// encrypted token is not printed either, unless --show-token asks for it.
///
/// Exit codes: 0 the token is valid, 1 it is not or this cannot be told, 2 the command line is wrong or a file cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pbpaste | portcullis token
  portcullis token --config portcullis.yaml --jwks keys.json < token.txt
  portcullis token --config portcullis.yaml --jwks uaa=keys.json --at 2026-11-25T20:00:00Z --file token.txt
  PARTNER_SECRET=… portcullis token --secret-env PARTNER_SECRET --secret-encoding base64 --file token.txt")]
pub struct TokenArguments {
    /// The token; - or nothing for the standard input, which is better: others can see a command line.
    #[arg(value_name = "TOKEN", conflicts_with = "file")]
    token: Option<String>,
    /// The file that holds the token.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The configuration that judges the token: every form that `check` reads.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The module that the configuration is for, where it does not tell.
    #[arg(long, value_name = "MODULE", requires = "config")]
    module: Option<ModuleName>,
    /// A key set (JWKS) that judges the token; with --config, the one that stands in for keys which are fetched.
    #[arg(long, value_name = "[NAME=]FILE")]
    jwks: Vec<JwksArgument>,
    /// The public key (PEM) that judges the token, whatever its `kid`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "jwks", "secret_env"])]
    key_pem: Option<PathBuf>,
    /// The environment variable that holds the secret of an HS256, HS384 or HS512 token.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config", "jwks"])]
    secret_env: Option<String>,
    /// How the secret is written: utf8, base64, base64url or hex.
    #[arg(long, value_name = "ENCODING", default_value = "utf8", requires = "secret_env")]
    secret_encoding: String,
    /// The time to judge by, default now: RFC 3339, seconds since 1970, or a distance from now such as -10m.
    #[arg(long, value_name = "TIME", value_parser = instant::parse, allow_hyphen_values = true)]
    at: Option<UnixTime>,
    /// Print whole tokens too.
    #[arg(long)]
    show_token: bool,
    #[command(flatten)]
    format: FormatArguments,
}

/// Runs the command; whether the token is valid.
///
/// # Errors
/// Something that is needed cannot be read.
pub fn run(arguments: &TokenArguments) -> anyhow::Result<bool> {
    let token = match (&arguments.file, &arguments.token) {
        (Some(file), _) => token_input::from_file(file)?,
        (None, Some(token)) => token_input::from_argument(token)?,
        (None, None) => token_input::from_stdin()?,
    };
    if token.is_empty() {
        bail!("there is no token: the input is empty");
    }
    let now = arguments.at.unwrap_or_else(instant::now);
    let anatomy = Anatomy::of(&token);
    let report = match Keys::of(arguments, &anatomy)? {
        Some(keys) => judged(arguments, &keys, &token, anatomy, now)?,
        None => shown(&token, anatomy),
    };
    let mut discretion = Discretion::new(arguments.show_token);
    discretion.add_credential(&token);
    report.print(arguments.format.get(), &discretion, &token, now).context("the report cannot be written")?;
    Ok(report.verdict == Verdict::Valid)
}

/// What judges the token.
enum Keys {
    /// A configuration: the one given, or one around the keys that are given.
    Configuration(Configuration),
    /// A key that no configuration can hold.
    Key { configuration: Configuration, key: PathBuf },
}

impl Keys {
    /// What the arguments give.
    fn of(arguments: &TokenArguments, anatomy: &Anatomy) -> anyhow::Result<Option<Self>> {
        if let Some(path) = &arguments.config {
            return Ok(Some(Self::Configuration(Configuration::read(path, arguments.module)?)));
        }
        let mut entry = Map::from_iter([("name".to_owned(), "given".into())]);
        let mut give = |key: &str, value: Value| drop(entry.insert(key.to_owned(), value));
        if let Some(issuer) = anatomy.claim("iss") {
            give("issuer", issuer.into());
        }
        if let Some(key) = &arguments.key_pem {
            // A place for the key: what would be fetched is replaced.
            give("jwksUri", "https://key.invalid/".into());
            return Ok(Some(Self::Key { configuration: around(entry), key: key.clone() }));
        }
        match (arguments.jwks.as_slice(), &arguments.secret_env) {
            ([], None) => return Ok(None),
            ([], Some(variable)) if std::env::var_os(variable).is_none() => bail!("--secret-env: {variable} is not set here"),
            ([], Some(variable)) => give("secret", json!({"env": variable, "encoding": arguments.secret_encoding})),
            ([jwks], _) if jwks.name().is_none() => give("jwks", key_set(&jwks.read()?)),
            _ => bail!("without --config, one --jwks FILE is taken, without the name of an entry"),
        }
        Ok(Some(Self::Configuration(around(entry))))
    }

    const fn configuration(&self) -> &Configuration {
        match self {
            Self::Configuration(configuration) | Self::Key { configuration, .. } => configuration,
        }
    }

    /// The stage that judges.
    fn authn(&self, arguments: &TokenArguments) -> anyhow::Result<Authn> {
        let configuration = self.configuration();
        if let Self::Key { key, .. } = self {
            let pem = std::fs::read(key).with_context(|| format!("{}: the key cannot be read", key.display()))?;
            let keys = KeySet::from_pem(&pem, None).map_err(|error| anyhow!("{}: {error}", key.display()))?.for_any_kid();
            let config = JwtAuthConfig::parse(&configuration.bytes)?;
            let (policy, _) = Policy::compile(&config, None, configuration, &mut Vec::new())?;
            return Ok(Authn::new(policy, vec![Keyring::fixed(keys)]));
        }
        let authn = configuration.module.module().authn(&configuration.bytes, configuration);
        let authn = authn.map_err(|error| match arguments.config {
            Some(_) => configuration.place(error),
            // The entry was made here: its place says nothing to whoever gave the keys.
            None => ConfigError { path: "the keys".to_owned(), ..error },
        })?;
        authn.with_context(|| format!("{} does not authenticate", configuration.module.as_str()))
    }
}

fn around(entry: Map<String, Value>) -> Configuration {
    Configuration::of_jwt_auth(&json!({"jwtRules": [entry]}))
}

/// The key set in a file; a key alone is a set of one.
fn key_set(document: &[u8]) -> Value {
    match serde_json::from_slice::<Value>(document) {
        Ok(key) if key.get("kty").is_some() => json!({"keys": [key]}).to_string().into(),
        _ => String::from_utf8_lossy(document).into(),
    }
}

fn judged(arguments: &TokenArguments, keys: &Keys, token: &[u8], anatomy: Anatomy, now: UnixTime) -> anyhow::Result<Report> {
    let (authn, configuration) = (keys.authn(arguments)?, keys.configuration());
    let stand_ins = match arguments.config {
        Some(_) => StandIns::read(&arguments.jwks, &authn, now)?,
        None => StandIns::default(),
    };
    let mut judge = Judge { authn, configuration, stand_ins: &stand_ins, now, shows_tokens: arguments.show_token };
    let examination = judge.examine(token, None)?;
    let steps = judge.steps(token, &examination);
    let hides = examination.decrypted.is_some() && !arguments.show_token;
    let (verdict, principal) = match examination.verdict {
        Ok(_) if hides => (Verdict::Valid, None),
        Ok(identity) => (Verdict::Valid, Some(serde_json::to_value(identity.principal())?)),
        Err(doubt) if credential::is_unknown(doubt) => (Verdict::Unknown, None),
        Err(Doubt::Refused(rejection)) => (Verdict::Invalid(rejection), None),
        Err(Doubt::KeysPending(_)) => (Verdict::Unknown, None),
    };
    Ok(Report { verdict, anatomy, steps, principal })
}

/// The report on a token that nothing is there to judge.
fn shown(token: &[u8], anatomy: Anatomy) -> Report {
    let (verdict, step) = match Token::read(token) {
        Ok(_) => (Verdict::Unknown, Step::unknown("signature", "not looked at: neither --config nor keys are given")),
        Err(malformed) => (Verdict::Invalid(malformed.rejection()), Step::failed("form", malformed.to_string())),
    };
    Report { verdict, anatomy, steps: vec![step], principal: None }
}
