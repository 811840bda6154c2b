//! The `encrypt-claim` command: a claim as an issuer would write it that encrypts an identifier, for tests.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use portcullis_core::auth_header::{IdentifierCipher, Policy};
use portcullis_core::config::auth_header::AuthHeaderConfig;
use portcullis_core::config::bundle::BundleConfig;
use portcullis_core::encryption::Undecryptable;
use portcullis_core::principal::{Method, Principal};
use serde_json::{Map, Value, json};

use crate::configuration::Configuration;
use crate::module_name::ModuleName;

/// Encrypts an identifier as an issuer would, for the claim of a token in a test.
///
/// The algorithm, the key and what the identifier is bound to are those of a header in a configuration (--config), or are given
/// (--algorithm, --key). The key is read from the environment of this process, or stands in the configuration. The nonce is chance,
/// unless it stands in a claim of its own, which --claims then has to hold.
///
/// Prints the claim, and nothing else.
///
/// Exit codes: 0 the claim is printed, 2 the command line is wrong, a file cannot be read or a value is missing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  UID_KEY=… portcullis encrypt-claim --config portcullis.yaml --claims '{\"iss\":\"https://uaa.example.com\",\"sub\":\"alice\"}' member-4711
  UID_KEY=… portcullis encrypt-claim --algorithm A256GCM --key env:UID_KEY --key-encoding base64 --aad '{sub}' \\
    --claims '{\"sub\":\"alice\"}' < identifier.txt")]
pub struct EncryptClaimArguments {
    /// The identifier; - or nothing for the standard input, which is better: others can see a command line.
    #[arg(value_name = "VALUE")]
    value: Option<String>,
    /// The configuration whose header carries the identifier: every form that `check` reads.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The module that the configuration is for, where it does not tell.
    #[arg(long, value_name = "MODULE", requires = "config")]
    module: Option<ModuleName>,
    /// The header; without it, the only one that is decrypted.
    #[arg(long, value_name = "NAME", requires = "config")]
    header: Option<String>,
    /// The other claims of the token, as a JSON object: what the identifier is bound to is made of them.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    claims: String,
    /// The id of the key, where there are several; without it, the first.
    #[arg(long, value_name = "ID")]
    key_id: Option<String>,
    /// The algorithm, as `decrypt.algorithm` names it.
    #[arg(long, value_name = "NAME", required_unless_present = "config", conflicts_with = "config", requires = "key")]
    algorithm: Option<String>,
    /// The environment variable that holds the key: env:NAME.
    #[arg(long, value_name = "env:NAME", conflicts_with = "config")]
    key: Option<String>,
    /// How the key is written: utf8, base64, base64url or hex.
    #[arg(long, value_name = "ENCODING", default_value = "utf8", requires = "key")]
    key_encoding: String,
    /// The text that the identifier is bound to, as `decrypt.aad`.
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "config")]
    aad: Option<String>,
    /// How the claim is written: base64url, base64 or hex.
    #[arg(long, value_name = "ENCODING", default_value = "base64url", conflicts_with = "config")]
    encoding: String,
}

/// Runs the command; the claim with a line end.
///
/// # Errors
/// Something that is needed cannot be read or is missing.
pub fn run(arguments: &EncryptClaimArguments) -> anyhow::Result<String> {
    let configuration = match &arguments.config {
        Some(path) => Configuration::read_auth_header(path, arguments.module)?,
        None => Configuration::of_auth_header(&given(arguments)?),
    };
    let config = auth_header(&configuration)?;
    let header = header(&config, arguments.header.as_deref())?;
    let policy = Policy::compile(&config, &configuration).map_err(|error| configuration.place(error))?.0;
    if let [first, ..] = &configuration.missing_variables()[..] {
        bail!("the environment does not have {first}");
    }
    let cipher = policy.cipher_of(&header).with_context(|| format!("the claim of {header} is not decrypted"))?;
    let claims: Map<String, Value> = serde_json::from_str(&arguments.claims).context("--claims is not a JSON object")?;
    let claim = sealed(cipher, &value(arguments)?, &caller(claims), arguments.key_id.as_deref());
    let claim = claim.context(
        "there is no such key, or --claims lacks a claim that `aad`, `nonce` or `keyId` names (or holds a nonce of another length)",
    )?;
    Ok(format!("{claim}\n"))
}

fn sealed(cipher: &IdentifierCipher, value: &str, caller: &Principal, key_id: Option<&str>) -> Result<String, Undecryptable> {
    cipher.seal(value, caller, key_id, |nonce| getrandom::fill(nonce).map_err(|_| Undecryptable))
}

/// A configuration with nothing but what the arguments give.
fn given(arguments: &EncryptClaimArguments) -> anyhow::Result<Value> {
    let key = arguments.key.as_deref().unwrap_or_default();
    let Some(variable) = key.strip_prefix("env:") else {
        bail!("--key is not env:NAME: a key does not stand in a command line");
    };
    let algorithm = arguments.algorithm.as_deref().unwrap_or_default();
    let mut decrypt = json!({
        "algorithm": algorithm, "key": {"env": variable, "encoding": arguments.key_encoding}, "encoding": arguments.encoding,
        "legacy": algorithm.ends_with("CBC"),
    });
    if let (Some(aad), Some(members)) = (&arguments.aad, decrypt.as_object_mut()) {
        members.insert("aad".to_owned(), aad.as_str().into());
    }
    Ok(json!({"inject": [{"header": "given", "claim": "given", "decrypt": decrypt}]}))
}

/// The part that injects headers.
fn auth_header(configuration: &Configuration) -> anyhow::Result<AuthHeaderConfig> {
    let bytes = &configuration.bytes;
    let parsed = match configuration.module {
        ModuleName::Portcullis => BundleConfig::parse(bytes).map(|bundle| bundle.auth_header),
        _ => AuthHeaderConfig::parse(bytes).map(Some),
    };
    parsed.map_err(|error| configuration.place(error))?.context("the configuration has no `authHeader`")
}

/// The header that carries the identifier.
fn header(config: &AuthHeaderConfig, named: Option<&str>) -> anyhow::Result<String> {
    if let Some(name) = named {
        return Ok(name.to_owned());
    }
    let decrypted: Vec<&str> =
        config.inject.iter().filter(|inject| inject.decrypt.is_some()).map(|inject| inject.header.as_str()).collect();
    match decrypted[..] {
        [only] => Ok(only.to_owned()),
        [] => bail!("no header of the configuration has `decrypt`"),
        _ => bail!("--header says which one: {}", decrypted.join(", ")),
    }
}

fn value(arguments: &EncryptClaimArguments) -> anyhow::Result<String> {
    match arguments.value.as_deref() {
        Some(value) if value != "-" => Ok(value.to_owned()),
        _ => {
            let mut value = String::new();
            std::io::stdin().read_to_string(&mut value).context("the standard input cannot be read")?;
            Ok(value.strip_suffix('\n').map_or(value.as_str(), |line| line.strip_suffix('\r').unwrap_or(line)).to_owned())
        }
    }
}

/// Whoever a token with these claims would name, by the names that claims have by default.
fn caller(claims: Map<String, Value>) -> Principal {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
    let list = |name: &str| match claims.get(name) {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_owned).collect(),
        Some(Value::Array(elements)) => elements.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    Principal {
        issuer: text("iss").unwrap_or_default(),
        subject: text("sub"),
        roles: list("roles"),
        scopes: list("scope"),
        audiences: list("aud"),
        token_id: text("jti"),
        claims: claims.into(),
        method: Method::Jwt,
        expires_at: None,
    }
}
