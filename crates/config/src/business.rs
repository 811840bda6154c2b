//! `business`: metrics of what the requests mean, in the service's own words.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::matching::MatchConfig;

/// A metric of the operator's own: which requests it is about, what is counted of them, and its labels.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BusinessConfig {
    /// Its name: `placed_orders` is shown as `portcullis_placed_orders_total`.
    pub name: String,
    /// The requests; default: all.
    pub r#match: Option<MatchConfig>,
    /// The statuses of their answers; default `2xx`.
    #[serde(default)]
    pub status: StatusSet,
    /// Its labels: each is a text with `{claim.NAME}`, `{path.NAME}`, `{rule}`, `{decision}`, `{reason}`, `{issuer}`, `{method}` or
    /// `{status_class}` in it. Where there is no such claim or parameter the value is `none`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// What kind of metric it is; default `counter`.
    #[serde(default)]
    pub kind: BusinessKind,
    /// What is added, recorded or shown; a counter does without, and counts the requests.
    pub value: Option<BusinessValue>,
    /// How many different values each label may have in a worker before `other` stands for the rest; default 100.
    pub max_values: Option<u32>,
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BusinessKind {
    /// The number of the requests, or the sum of their values.
    #[default]
    Counter,
    /// The value of the last request.
    Gauge,
    /// How the values are distributed.
    Histogram,
}

/// A number that a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BusinessValue {
    /// The bytes of the request's body, as the client announced them, but no more than came of the whole request, which may have been
    /// answered before; the name gets `_bytes`.
    RequestBytes,
    /// The bytes of the answer's body; the name gets `_bytes`.
    ResponseBytes,
    /// The time from the request's headers to the end of the exchange; the name gets `_ms`.
    DurationMs,
    /// When the request ended, in seconds since 1970, for a gauge; the name gets `_timestamp_seconds`.
    TimestampSeconds,
}

const EXPECTED: &str = "a status such as 201, a class such as \"2xx\", or a list of them";

/// Statuses of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(Vec<(u16, u16)>);

impl Default for StatusSet {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

impl StatusSet {
    /// Whether a status is among them.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }
}

/// The statuses that one word is.
struct StatusRange(u16, u16);

impl StatusRange {
    fn of_class(text: &str) -> Option<Self> {
        let digit = text.strip_suffix("xx").filter(|digit| matches!(*digit, "1" | "2" | "3" | "4" | "5"))?;
        let first = digit.parse::<u16>().ok()?.checked_mul(100)?;
        Some(Self(first, first.checked_add(99)?))
    }

    fn of_status(status: u64) -> Option<Self> {
        let status = u16::try_from(status).ok().filter(|status| (100..=599).contains(status))?;
        Some(Self(status, status))
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusVisitor { takes_list: true }).map(Self)
    }
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ranges = deserializer.deserialize_any(StatusVisitor { takes_list: false })?;
        ranges.first().map(|(first, last)| Self(*first, *last)).ok_or_else(wrong)
    }
}

struct StatusVisitor {
    /// Whether it may be a list, which no element of a list may be.
    takes_list: bool,
}

fn wrong<E: Error>() -> E {
    E::custom(format_args!("must be {EXPECTED}"))
}

fn only<E: Error>(range: Option<StatusRange>) -> Result<Vec<(u16, u16)>, E> {
    range.map(|StatusRange(first, last)| vec![(first, last)]).ok_or_else(wrong)
}

impl<'de> Visitor<'de> for StatusVisitor {
    type Value = Vec<(u16, u16)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(EXPECTED)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        only(StatusRange::of_class(text))
    }

    fn visit_u64<E: Error>(self, status: u64) -> Result<Self::Value, E> {
        only(StatusRange::of_status(status))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        only(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        only(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        if !self.takes_list {
            return Err(wrong());
        }
        let mut all = Vec::new();
        while let Some(StatusRange(first, last)) = elements.next_element()? {
            all.push((first, last));
        }
        if all.is_empty() {
            return Err(A::Error::custom("is empty, so nothing would be counted"));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_the_same_in_a_struct_which_holds_every_number_as_a_double() {
        let read = |status: &str| {
            crate::document::parse::<BusinessConfig>(format!(r#"{{"name":"a","status":{status}}}"#).as_bytes())
                .map(|read| read.status)
        };
        for (double, whole) in [("201.0", "201"), ("[201.0,\"4xx\"]", "[201,\"4xx\"]"), ("2.01e2", "201")] {
            assert_eq!(read(double), read(whole), "{double}");
            assert!(read(double).is_ok());
        }
        for refused in ["201.5", "-201.0", "99.0", "1e300", "-1e300", "-0.0"] {
            let error = read(refused).unwrap_err().to_string();
            assert_eq!(error, format!("status: must be {EXPECTED}"), "{refused}");
        }
    }

    #[test]
    fn statuses_are_numbers_classes_and_lists_of_them() {
        for (text, inside, outside) in [
            ("\"2xx\"", &[200, 204, 299][..], &[199, 300][..]),
            ("404", &[404], &[403, 405]),
            ("[\"5xx\", 429]", &[500, 599, 429], &[428, 600]),
        ] {
            let set: StatusSet = serde_json::from_str(text).unwrap();
            assert!(inside.iter().all(|status| set.contains(*status)), "{text}");
            assert!(!outside.iter().any(|status| set.contains(*status)), "{text}");
        }
        assert_eq!(StatusSet::default(), serde_json::from_str("\"2xx\"").unwrap());
        for text in [
            "\"2XX\"", "\"6xx\"", "\"200\"", "\"\"", "\"xx\"", "99", "600", "70000", "-1", "2.5", "[]", "[[201]]", "[[]]", "{}",
            "null", "true",
        ] {
            assert!(serde_json::from_str::<StatusSet>(text).is_err(), "{text}");
        }
    }
}
