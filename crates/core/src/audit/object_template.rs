//! What an event was about: literal text with parameters of the path in it, `order/{path.orderId}`.

use crate::config::ConfigError;
use crate::config::document::key_in_path;
use crate::matcher::PathParameters;
use crate::template::{Piece, Template};

/// A compiled `object`. Its values are the names of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectTemplate(Template<String>);

impl ObjectTemplate {
    /// Compile an `object` that stands at `path` in the document, beside a match whose every path gives these parameters.
    ///
    /// # Errors
    /// When it is empty, has a brace that opens or closes no parameter, or names a parameter that some path does not give.
    pub fn parse(text: &str, parameters: &[&str], path: &str) -> Result<Self, ConfigError> {
        let malformed = |problem: &str| ConfigError::new(path, problem).hint("write parameters as `{path.NAME}`");
        if text.is_empty() {
            return Err(malformed("is empty"));
        }
        let parameter = |expression: &str| {
            let name = expression
                .strip_prefix("path.")
                .ok_or_else(|| malformed("has braces around something else than a parameter of the path"))?;
            if parameters.contains(&name) { Ok(name.to_owned()) } else { Err(unknown(name, parameters, path)) }
        };
        Template::parse(text, parameter, malformed).map(Self)
    }

    /// The object of a request whose path gave these parameters; `None` when one is missing, because the path can be read in
    /// too many ways.
    #[must_use]
    pub fn render<'t>(&'t self, parameters: &PathParameters<'t>) -> Option<String> {
        let text = |piece: &'t Piece<String>| match piece {
            Piece::Literal(text) => Some(text.as_str()),
            Piece::Value(name) => parameters.get(name),
        };
        self.0.pieces().iter().map(text).collect()
    }
}

fn unknown(name: &str, parameters: &[&str], path: &str) -> ConfigError {
    let names: Vec<_> = parameters.iter().map(|name| format!("{{path.{name}}}")).collect();
    let hint = if names.is_empty() {
        "the paths of its match have no parameter in common".to_owned()
    } else {
        format!("there is {}", names.join(", "))
    };
    let name = key_in_path(name);
    ConfigError::new(path, format!("`{{path.{name}}}` is not in every path of its match")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_no_path_gives() {
        let cases = [
            ("", "object: is empty; write parameters as `{path.NAME}`"),
            ("{path.orderId", "object: has a `{` without its `}`; write parameters as `{path.NAME}`"),
            ("orderId}", "object: has a `}` without its `{`; write parameters as `{path.NAME}`"),
            (
                "{orderId}",
                "object: has braces around something else than a parameter of the path; write parameters as `{path.NAME}`",
            ),
            ("{{path.orderId}}", "object: has a `{` without its `}`; write parameters as `{path.NAME}`"),
            ("{path.id}", "object: `{path.id}` is not in every path of its match; there is {path.orderId}, {path.line}"),
        ];
        for (text, expected) in cases {
            let error = ObjectTemplate::parse(text, &["orderId", "line"], "object").unwrap_err();
            assert_eq!(error.to_string(), expected, "{text:?}");
        }
        let error = ObjectTemplate::parse("{path.id}", &[], "object").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("the paths of its match have no parameter in common"));
    }
}
