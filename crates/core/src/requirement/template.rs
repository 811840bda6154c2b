//! A text with values of the request in it: `tenant-{path.tenant}`, `{header.x-tenant}`, `{host}`, `{method}`.
//!
//! A value that is not there, is empty or cannot be read in one way only makes the whole text absent, and what is compared with
//! it fails.

use std::borrow::Cow;

use super::Facts;
use crate::config::document::key_in_path;
use crate::config::{ConfigError, suggestion};
use crate::request::is_token_byte;
use crate::template::{self, Piece};

/// A value of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RequestValue {
    Parameter(String),
    Header(String),
    Host,
    Method,
}

/// A compiled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(template::Template<RequestValue>);

impl Template {
    /// Compile a text that stands at `path` in the document, beside a match whose every path gives these parameters.
    ///
    /// # Errors
    /// When a brace opens or closes no value, or a value is none that a request has.
    pub fn parse(text: &str, parameters: &[&str], path: &str) -> Result<Self, ConfigError> {
        let value = |name: &str| RequestValue::named(name, parameters, path);
        template::Template::parse(text, value, |problem| malformed(problem, path)).map(Self)
    }

    /// The text, when no value of a request is in it.
    pub fn constant(&self) -> Option<&str> {
        self.0.constant()
    }

    /// Whether the request decides how the text ends.
    pub fn ends_with_a_value(&self) -> bool {
        matches!(self.0.pieces().last(), Some(Piece::Value(_)))
    }

    /// The text for a request.
    pub fn render<'a>(&'a self, facts: &Facts<'a>) -> Option<Cow<'a, str>> {
        let text = |piece: &'a Piece<RequestValue>| match piece {
            Piece::Literal(text) => Some(Cow::Borrowed(text.as_str())),
            Piece::Value(value) => value.of(facts),
        };
        if let [piece] = self.0.pieces() {
            return text(piece);
        }
        self.0.pieces().iter().map(text).collect::<Option<String>>().map(Cow::Owned)
    }
}

impl RequestValue {
    fn named(name: &str, parameters: &[&str], path: &str) -> Result<Self, ConfigError> {
        match (name, name.split_once('.')) {
            ("host", _) => Ok(Self::Host),
            ("method", _) => Ok(Self::Method),
            (_, Some(("path", name))) if parameters.contains(&name) => Ok(Self::Parameter(name.to_owned())),
            (_, Some(("path", name))) => Err(unknown_parameter(name, parameters, path)),
            (_, Some(("header", name))) if !name.is_empty() && name.bytes().all(is_token_byte) => {
                Ok(Self::Header(name.to_ascii_lowercase()))
            }
            _ => Err(malformed("has braces around something that is no value of a request", path)),
        }
    }

    fn of<'a>(&'a self, facts: &Facts<'a>) -> Option<Cow<'a, str>> {
        let value = match self {
            Self::Parameter(name) => Cow::Owned(facts.parameter(name)?),
            Self::Header(name) => Cow::Borrowed(str::from_utf8(facts.request.headers().single(name).ok()??).ok()?),
            Self::Host => Cow::Borrowed(facts.request.host()?),
            Self::Method => Cow::Borrowed(facts.request.method()?),
        };
        Some(value).filter(|value| !value.is_empty())
    }
}

fn malformed(problem: &str, path: &str) -> ConfigError {
    ConfigError::new(path, problem).hint("values are `{path.NAME}`, `{header.NAME}`, `{host}` and `{method}`")
}

fn unknown_parameter(name: &str, parameters: &[&str], path: &str) -> ConfigError {
    let hint = if parameters.is_empty() {
        "the paths of its match have no parameter in common".to_owned()
    } else {
        suggestion::hint(name, parameters, "parameters of its match")
    };
    ConfigError::new(path, format!("`{{path.{}}}` is not in every path of its match", key_in_path(name))).hint(hint)
}
