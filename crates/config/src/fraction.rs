//! A part of a whole: above 0, and 1 at most.

use serde::Deserialize;
use serde::de::Deserializer;

use crate::number_visitor::NumberVisitor;

const EXPECTED: &str = "a number above 0 and at most 1, such as 0.1";

/// A part of a whole in a configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fraction(f64);

// It is never a number that differs from itself.
impl Eq for Fraction {}

impl Fraction {
    /// The whole of it.
    pub const ALL: Self = Self(1.0);

    /// The part that this number is; `None` when it is none.
    #[must_use]
    pub fn new(part: f64) -> Option<Self> {
        (part > 0.0 && part <= 1.0).then_some(Self(part))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = NumberVisitor { expected: EXPECTED, is_within: |number| Self::new(number).is_some() };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_above_nothing_and_at_most_the_whole() {
        for (text, expected) in [
            ("1", Some(1.0)),
            ("1.0", Some(1.0)),
            ("0.1", Some(0.1)),
            ("1e-9", Some(1e-9)),
            ("0", None),
            ("0.0", None),
            ("1.01", None),
            ("2", None),
            ("-1", None),
            ("-0.5", None),
            ("\"0.1\"", None),
            ("null", None),
        ] {
            let read = serde_json::from_str::<Fraction>(text);
            assert_eq!(read.as_ref().ok().map(|fraction| fraction.get()), expected, "{text}: {read:?}");
        }
        let error = serde_json::from_str::<Fraction>("2").unwrap_err().to_string();
        assert!(error.starts_with("must be a number above 0 and at most 1, such as 0.1"), "{error}");
    }
}
