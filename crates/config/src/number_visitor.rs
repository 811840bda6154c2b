//! Reads a number that has to lie within bounds, whole or not.

use std::fmt;

use serde::de::{Error, Visitor};

/// Takes the numbers that are within; says what was expected of any other.
pub struct NumberVisitor {
    /// What is expected, in words.
    pub expected: &'static str,
    /// Whether a number is within.
    pub is_within: fn(f64) -> bool,
}

impl Visitor<'_> for NumberVisitor {
    type Value = f64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        if (self.is_within)(number) { Ok(number) } else { Err(E::custom(format_args!("must be {}", self.expected))) }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<f64, E> {
        self.visit_f64(match number {
            0 => 0.0,
            1 => 1.0,
            _ => f64::INFINITY,
        })
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<f64, E> {
        self.visit_f64(f64::NEG_INFINITY)
    }
}
