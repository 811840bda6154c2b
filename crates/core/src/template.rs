//! Text with values in it, as operators write it: `order/{path.orderId}`. What a value may be is for the place to say where the
//! text stands.

use crate::config::ConfigError;

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece<V> {
    /// Text that stands for itself.
    Literal(String),
    /// What stood in braces.
    Value(V),
}

/// A compiled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template<V>(Vec<Piece<V>>);

impl<V> Template<V> {
    /// Compile a text. `value` makes a value of a name that stands in braces.
    ///
    /// # Errors
    /// Those of `value`, and what `malformed` makes of a brace that opens or closes nothing.
    pub fn parse(
        text: &str,
        mut value: impl FnMut(&str) -> Result<V, ConfigError>,
        malformed: impl Fn(&str) -> ConfigError,
    ) -> Result<Self, ConfigError> {
        let mut pieces = Vec::new();
        for (index, part) in text.split('{').enumerate() {
            let literal = match part.split_once('}') {
                _ if index == 0 => part,
                Some((name, literal)) => {
                    pieces.push(Piece::Value(value(name)?));
                    literal
                }
                None => return Err(malformed("has a `{` without its `}`")),
            };
            if literal.contains('}') {
                return Err(malformed("has a `}` without its `{`"));
            }
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
        }
        Ok(Self(pieces))
    }

    /// Its parts, in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece<V>] {
        &self.0
    }

    /// The values in it, in order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().filter_map(|piece| if let Piece::Value(value) = piece { Some(value) } else { None })
    }

    /// The text between the values.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| if let Piece::Literal(text) = piece { Some(text.as_str()) } else { None })
    }

    /// The text, when no value is in it.
    #[must_use]
    pub fn constant(&self) -> Option<&str> {
        match self.pieces() {
            [] => Some(""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template<String>, String> {
        Template::parse(text, |name| Ok(name.to_owned()), |problem| ConfigError::new("t", problem))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn reads_literals_and_values() {
        let template = parse("order/{a}/{b}!").unwrap();
        let literal = |text: &str| Piece::Literal(text.to_owned());
        let value = |text: &str| Piece::Value(text.to_owned());
        assert_eq!(template.pieces(), [literal("order/"), value("a"), literal("/"), value("b"), literal("!")]);
        assert_eq!(template.values().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(template.literals().collect::<Vec<_>>(), ["order/", "/", "!"]);
        assert_eq!(template.constant(), None);
        assert_eq!(parse("").unwrap().constant(), Some(""));
        assert_eq!(parse("a").unwrap().constant(), Some("a"));
        assert_eq!(parse("{a}{b}").unwrap().pieces(), [value("a"), value("b")]);
    }

    #[test]
    fn refuses_braces_that_open_or_close_nothing() {
        for (text, expected) in [
            ("{a", "t: has a `{` without its `}`"),
            ("a}", "t: has a `}` without its `{`"),
            ("{a}}", "t: has a `}` without its `{`"),
            ("{{a}}", "t: has a `{` without its `}`"),
        ] {
            assert_eq!(parse(text).unwrap_err(), expected, "{text}");
        }
    }
}
