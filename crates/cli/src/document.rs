//! A file as text, and the documents in it.
//!
//! YAML is read as Istio and Envoy read it: `yes`, `no`, `on` and `off` are booleans, a key stands at most once, and what
//! anchors expand to is bounded. JSON must be JSON: what a module would refuse (a comma too many) is refused here too.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use portcullis_core::config::ConfigError;
use serde_json::Value;
use serde_saphyr::{MessageFormatter, UserMessageFormatter};

/// The longest file that is read.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Where a text comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// The standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// The source that an argument names: `-` is the standard input.
    pub fn from_argument(argument: &Path) -> Self {
        if argument == Path::new("-") { Self::Stdin } else { Self::File(argument.to_owned()) }
    }

    /// The name to print.
    pub fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }

    /// All bytes of it.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self {
            Self::Stdin => io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes)?,
            Self::File(path) => std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?,
        };
        Ok(bytes)
    }

    fn syntax(&self, text: &str) -> Syntax {
        let extension = match self {
            Self::Stdin => None,
            Self::File(path) => path.extension().and_then(|extension| extension.to_str()),
        };
        match extension {
            Some("json") => Syntax::Json,
            Some("yaml" | "yml") => Syntax::Yaml,
            _ if text.trim_start().starts_with('{') => Syntax::Json,
            _ => Syntax::Yaml,
        }
    }
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Json,
    Yaml,
}

/// One document.
#[derive(Debug, Clone)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// The bytes that a module would be given if this document is its configuration.
    pub bytes: Vec<u8>,
}

/// The documents of a file; at least one.
///
/// # Errors
/// The text is not UTF-8, is empty or too long, or is not well-formed. The path is then the line and column.
pub fn documents(source: &Source, bytes: Vec<u8>) -> Result<Vec<Document>, ConfigError> {
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ConfigError::new("", "is longer than 16 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|error| not_text(&error))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let syntax = source.syntax(text);
    if syntax == Syntax::Json && !text.trim().is_empty() {
        serde_json::from_str::<Value>(text).map_err(|error| not_json(&error))?;
    }
    let values = yaml_values(text)?;
    if values.is_empty() {
        return Err(ConfigError::new("", "is empty"));
    }
    Ok(values
        .into_iter()
        .map(|value| {
            let bytes = if syntax == Syntax::Json { text.as_bytes().to_vec() } else { value.to_string().into_bytes() };
            Document { value, bytes }
        })
        .collect())
}

/// The documents of a YAML text as JSON values; empty ones are left out. JSON is YAML too.
fn yaml_values(text: &str) -> Result<Vec<Value>, ConfigError> {
    // A snippet of the source in an error could hold a secret.
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| not_yaml(&error))
}

fn not_text(error: &std::string::FromUtf8Error) -> ConfigError {
    let valid = error.utf8_error().valid_up_to();
    ConfigError::new("", format!("is not UTF-8 text: the first wrong byte is at offset {valid}"))
}

fn not_json(error: &serde_json::Error) -> ConfigError {
    let message = error.to_string();
    let problem = message.split(" at line ").next().unwrap_or("is malformed").to_owned();
    ConfigError::new(place(error.line() as u64, error.column() as u64), format!("is not JSON: {problem}"))
}

fn not_yaml(error: &serde_saphyr::Error) -> ConfigError {
    let problem = UserMessageFormatter.format_message(error.without_snippet()).into_owned();
    let path = error.location().map(|location| place(location.line(), location.column())).unwrap_or_default();
    ConfigError::new(path, format!("is not YAML: {problem}"))
}

fn place(line: u64, column: u64) -> String {
    format!("line {line}, column {column}")
}
