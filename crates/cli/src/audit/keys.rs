//! Keys that the command line names: in the environment or in a file, never on the command line itself.

use std::path::Path;

use anyhow::{Context, bail};
use portcullis_core::config::secret::{Encoding, MIN_SECRET_BYTES};

/// How the bytes of a key are written.
///
/// # Errors
/// The word is none of those that a configuration knows.
pub fn encoding(word: &str) -> Result<Encoding, String> {
    serde_json::from_value(word.into()).map_err(|_| "is none of utf8, base64, base64url and hex".to_owned())
}

/// The key in a variable of this process's environment.
///
/// # Errors
/// There is none, or it is too short.
pub fn from_environment(name: &str, encoding: Encoding) -> anyhow::Result<Vec<u8>> {
    let Some(text) = std::env::var_os(name) else { bail!("the environment does not have {name}") };
    let text = text.into_string().ok().with_context(|| format!("{name}: is not text"))?;
    read(&text, encoding).with_context(|| name.to_owned())
}

/// The key in a file, without a line end after it.
///
/// # Errors
/// The file cannot be read, or the key is too short.
pub fn from_file(path: &Path, encoding: Encoding) -> anyhow::Result<Vec<u8>> {
    let name = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", name()))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    read(text, encoding).with_context(name)
}

fn read(text: &str, encoding: Encoding) -> anyhow::Result<Vec<u8>> {
    let key = encoding.read(text).context("the key is not written so; --key-encoding says how it is")?;
    if key.len() < MIN_SECRET_BYTES {
        bail!("the key is too short: it has {} bytes, and needs {MIN_SECRET_BYTES}", key.len());
    }
    Ok(key)
}
