//! Durations as Go and Istio write them: `"30s"`, `"1.5s"`, `"300ms"`, `"1h30m"`.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

const EXPECTED: &str = "a duration, a string such as \"30s\", \"5m\" or \"300ms\"";

/// The units with their nanoseconds; where one begins like another, the longer stands first.
const UNITS: [(&str, u64); 7] = [
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A duration in a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationText(Duration);

/// A text is not a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("must be {EXPECTED}")]
    Malformed,
    #[error("has no unit; write \"30s\" for thirty seconds")]
    UnitMissing,
    #[error("has an unknown unit; known units: h, m, s, ms, us, ns")]
    UnitUnknown,
    #[error("has the unit d, which Istio does not know either; write \"24h\" for a day")]
    Day,
    #[error("is negative; write a duration of zero or more")]
    Negative,
    #[error("is too long; the longest duration is \"876000h\", a hundred years")]
    TooLong,
}

impl DurationText {
    /// The duration.
    #[must_use]
    pub const fn get(self) -> Duration {
        self.0
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        const LONGEST: u64 = 876_000 * 3_600 * 1_000_000_000;
        if text.starts_with('-') {
            return Err(Problem::Negative);
        }
        let mut rest = text.strip_prefix('+').unwrap_or(text);
        if rest == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if rest.is_empty() {
            return Err(Problem::Malformed);
        }
        let mut total: u64 = 0;
        while !rest.is_empty() {
            let (part, after) = take_part(rest)?;
            total = total.checked_add(part).filter(|total| *total <= LONGEST).ok_or(Problem::TooLong)?;
            rest = after;
        }
        Ok(Self(Duration::from_nanos(total)))
    }
}

/// The first number with its unit in nanoseconds, and what follows it.
fn take_part(text: &str) -> Result<(u64, &str), Problem> {
    let (whole, rest) = take_digits(text);
    let (fraction, rest) = rest.strip_prefix('.').map_or(("", rest), take_digits);
    if whole.is_empty() && fraction.is_empty() {
        return Err(Problem::Malformed);
    }
    let (unit, rest) = UNITS.iter().find_map(|(name, unit)| Some((*unit, rest.strip_prefix(name)?))).ok_or_else(|| match rest
        .chars()
        .next()
    {
        None => Problem::UnitMissing,
        Some('d') => Problem::Day,
        Some(_) => Problem::UnitUnknown,
    })?;
    let mut nanoseconds = number(whole)?.checked_mul(unit).ok_or(Problem::TooLong)?;
    let mut place = unit;
    for digit in fraction.chars().filter_map(|digit| digit.to_digit(10)) {
        place = place.checked_div(10).unwrap_or_default();
        nanoseconds = nanoseconds.saturating_add(place.saturating_mul(digit.into()));
    }
    Ok((nanoseconds, rest))
}

fn take_digits(text: &str) -> (&str, &str) {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn number(digits: &str) -> Result<u64, Problem> {
    if digits.is_empty() { Ok(0) } else { digits.parse().map_err(|_| Problem::TooLong) }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DurationVisitor)
    }
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = DurationText;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<DurationText, E> {
        DurationText::parse(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_istio_reads() {
        for (text, nanoseconds) in [
            ("30s", 30_000_000_000),
            ("5m", 300_000_000_000),
            ("300ms", 300_000_000),
            ("1h", 3_600_000_000_000),
            ("24h", 86_400_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1m0.25s", 60_250_000_000),
            ("7us", 7_000),
            ("7µs", 7_000),
            ("9ns", 9),
            ("0.0000000019s", 1),
            ("0s", 0),
            ("0", 0),
            ("+1s", 1_000_000_000),
        ] {
            assert_eq!(DurationText::parse(text).map(DurationText::get), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_with_a_word_on_what_is_right() {
        for (json, expected) in [
            ("\"\"", "must be a duration, a string such as \"30s\", \"5m\" or \"300ms\""),
            ("\"soon\"", "must be a duration, a string such as \"30s\", \"5m\" or \"300ms\""),
            ("\".s\"", "must be a duration, a string such as \"30s\", \"5m\" or \"300ms\""),
            ("\"s\"", "must be a duration, a string such as \"30s\", \"5m\" or \"300ms\""),
            ("\"30\"", "has no unit; write \"30s\" for thirty seconds"),
            ("\"1h30\"", "has no unit; write \"30s\" for thirty seconds"),
            ("\"1d\"", "has the unit d, which Istio does not know either; write \"24h\" for a day"),
            ("\"30 s\"", "has an unknown unit; known units: h, m, s, ms, us, ns"),
            ("\"30S\"", "has an unknown unit; known units: h, m, s, ms, us, ns"),
            ("\"-1s\"", "is negative; write a duration of zero or more"),
            ("\"876001h\"", "is too long; the longest duration is \"876000h\", a hundred years"),
            (
                "\"99999999999999999999999999999999999999999999s\"",
                "is too long; the longest duration is \"876000h\", a hundred years",
            ),
            ("30", "must be a duration, a string such as \"30s\", \"5m\" or \"300ms\", not a number"),
        ] {
            let error = crate::document::parse::<Holder>(format!("{{\"timeout\":{json}}}").as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), format!("timeout: {expected}"), "{json}");
        }
    }

    #[derive(Debug, Deserialize)]
    struct Holder {
        #[expect(dead_code, reason = "only the errors are looked at")]
        timeout: Option<DurationText>,
    }
}
