//! Sizes in bytes as text: `"512KiB"`, `"1MiB"`, `"65536B"`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

const EXPECTED: &str = "a size in bytes, a string such as \"512KiB\" or \"1MiB\"";

/// The units with their bytes.
const UNITS: [(&str, usize); 4] = [("GiB", 1024 * 1024 * 1024), ("MiB", 1024 * 1024), ("KiB", 1024), ("B", 1)];

/// The largest size: what a virtual machine of the proxy may hold at all.
const LARGEST: usize = 1024 * 1024 * 1024;

/// A size in a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(usize);

/// A text is not a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("must be {EXPECTED}")]
    Malformed,
    #[error("has no unit; write \"1MiB\" for a mebibyte")]
    UnitMissing,
    #[error("has an unknown unit; known units: B, KiB, MiB, GiB")]
    UnitUnknown,
    #[error("is too large; the largest size is \"1GiB\"")]
    TooLarge,
}

impl ByteSize {
    /// The number of bytes.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at_checked(end).ok_or(Problem::Malformed)?;
        if digits.is_empty() {
            return Err(Problem::Malformed);
        }
        if unit.is_empty() {
            return Err(Problem::UnitMissing);
        }
        let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(Problem::UnitUnknown)?;
        let bytes = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(factor));
        bytes.filter(|bytes| *bytes <= LARGEST).map(Self).ok_or(Problem::TooLarge)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ByteSizeVisitor)
    }
}

struct ByteSizeVisitor;

impl Visitor<'_> for ByteSizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ByteSize, E> {
        ByteSize::parse(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_number_with_its_unit_and_nothing_else() {
        for (text, expected) in [
            ("0B", Ok(0)),
            ("65536B", Ok(65_536)),
            ("512KiB", Ok(524_288)),
            ("1MiB", Ok(1_048_576)),
            ("1GiB", Ok(1_073_741_824)),
            ("", Err(Problem::Malformed)),
            ("MiB", Err(Problem::Malformed)),
            ("-1MiB", Err(Problem::Malformed)),
            ("1000", Err(Problem::UnitMissing)),
            ("1MB", Err(Problem::UnitUnknown)),
            ("1.5MiB", Err(Problem::UnitUnknown)),
            ("2GiB", Err(Problem::TooLarge)),
            ("99999999999999999999B", Err(Problem::TooLarge)),
        ] {
            assert_eq!(ByteSize::parse(text).map(ByteSize::get), expected, "{text}");
        }
    }
}
