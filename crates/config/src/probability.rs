//! How likely something is: from 0, never, to 1, always.

use serde::Deserialize;
use serde::de::Deserializer;

use crate::number_visitor::NumberVisitor;

const EXPECTED: &str = "a number from 0 to 1, such as 0.1";

/// A probability in a configuration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probability(f64);

// It is never a number that differs from itself.
impl Eq for Probability {}

impl Probability {
    /// Certainty.
    pub const ALWAYS: Self = Self(1.0);

    /// The probability that this number is; `None` when it is none.
    #[must_use]
    pub fn new(number: f64) -> Option<Self> {
        (0.0..=1.0).contains(&number).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = NumberVisitor { expected: EXPECTED, is_within: |number| Self::new(number).is_some() };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_from_never_to_always() {
        for (text, expected) in [
            ("0", Some(0.0)),
            ("0.0", Some(0.0)),
            ("0.25", Some(0.25)),
            ("1", Some(1.0)),
            ("1.01", None),
            ("2", None),
            ("-1", None),
            ("-0.5", None),
            ("\"0.1\"", None),
            ("null", None),
        ] {
            let read = serde_json::from_str::<Probability>(text);
            assert_eq!(read.as_ref().ok().map(|probability| probability.get()), expected, "{text}: {read:?}");
        }
        let error = serde_json::from_str::<Probability>("2").unwrap_err().to_string();
        assert!(error.starts_with("must be a number from 0 to 1, such as 0.1"), "{error}");
    }
}
