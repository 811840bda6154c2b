//! The value of a label, as the operator writes it: text with `{claim.tenant}`, `{path.kind}` or `{rule}` in it.

use std::borrow::Cow;

use serde_json::Value;

use super::super::labels::{LabelValues, OTHER, WireLabels};
use crate::claim_set::Claim;
use crate::config::document::key_in_path;
use crate::config::metrics::Label;
use crate::config::{ConfigError, suggestion};
use crate::matcher::PathParameters;
use crate::stage::{Ending, Exchange};
use crate::template::{Piece, Template};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Claim(String),
    Parameter(String),
    Request(Label),
}

/// A compiled value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LabelTemplate(Template<Part>);

impl LabelTemplate {
    /// Compile a value that stands at `path` in the document, beside a match whose every path gives these parameters.
    pub fn parse(text: &str, parameters: &[&str], path: &str) -> Result<Self, ConfigError> {
        if text.is_empty() {
            return Err(malformed("is empty", path));
        }
        Template::parse(text, |name| Part::named(name, parameters, path), |problem| malformed(problem, path)).map(Self)
    }

    /// The value for an exchange; `None` when a part of it is not there.
    pub fn render<'a>(
        &'a self,
        exchange: &'a Exchange,
        ending: &dyn Ending,
        parameters: &PathParameters<'a>,
    ) -> Option<Cow<'a, str>> {
        let text = |piece: &'a Piece<Part>| match piece {
            Piece::Literal(text) => Some(Cow::Borrowed(text.as_str())),
            Piece::Value(part) => part.of(exchange, ending, parameters),
        };
        if let [piece] = self.0.pieces() {
            return text(piece);
        }
        self.0.pieces().iter().map(text).collect::<Option<String>>().map(Cow::Owned)
    }
}

impl Part {
    fn named(name: &str, parameters: &[&str], path: &str) -> Result<Self, ConfigError> {
        if let Some(label) = Label::ALL.into_iter().find(|label| label.as_str() == name) {
            return Ok(Self::Request(label));
        }
        match name.split_once('.') {
            Some(("claim", name)) if !name.is_empty() => Ok(Self::Claim(name.to_owned())),
            Some(("path", name)) if parameters.contains(&name) => Ok(Self::Parameter(name.to_owned())),
            Some(("path", name)) => {
                let hint = if parameters.is_empty() {
                    "the paths of its match have no parameter in common".to_owned()
                } else {
                    suggestion::hint(name, parameters, "parameters of its match")
                };
                let problem = format!("`{{path.{}}}` is not in every path of its match", key_in_path(name));
                Err(ConfigError::new(path, problem).hint(hint))
            }
            _ => Err(malformed("has braces around something that is no value", path)),
        }
    }

    fn of<'a>(&'a self, exchange: &'a Exchange, ending: &dyn Ending, parameters: &PathParameters<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Claim(name) => text_of(exchange.identity.as_ref()?.principal()?.claim(name)?),
            Self::Parameter(name) => parameters.get(name).map(Cow::Borrowed),
            Self::Request(label) => {
                Some(Cow::Borrowed(LabelValues::of(exchange, WireLabels::of(exchange, ending, true)).get(*label)))
            }
        }
    }
}

/// A claim as the value of a label: what is no single value has no text that would not be new each time.
fn text_of(claim: Claim<'_>) -> Option<Cow<'_, str>> {
    match claim {
        Claim::Text(text) => Some(Cow::Borrowed(text)),
        Claim::Value(Value::Null) => None,
        Claim::Value(value @ (Value::Bool(_) | Value::Number(_))) => Some(Cow::Owned(value.to_string())),
        Claim::Texts(_) | Claim::Value(_) => Some(Cow::Borrowed(OTHER)),
    }
}

fn malformed(problem: &str, path: &str) -> ConfigError {
    let request = Label::ALL.map(|label| format!("`{{{}}}`", label.as_str())).join(", ");
    ConfigError::new(path, problem).hint(format!("values are `{{claim.NAME}}`, `{{path.NAME}}`, {request}"))
}
