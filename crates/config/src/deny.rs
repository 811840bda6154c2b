//! `deny`: how a rule refuses.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::{Map, Value};

/// How a rule refuses. The reason stays in the response code details, the audit event and the metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DenyConfig {
    /// The status, 400 to 599. Where the gateway could not decide, it stays 500 or 503.
    pub status: Option<u16>,
    /// The body: an object becomes JSON, a text stays one. Without it a status of its own comes with a problem document that does
    /// not tell the reason.
    pub body: Option<DenyBody>,
}

/// The body of a refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DenyBody {
    /// Sent as `text/plain`.
    Text(String),
    /// Sent as `application/json`.
    Object(Map<String, Value>),
}

impl<'de> Deserialize<'de> for DenyBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DenyBodyVisitor)
    }
}

struct DenyBodyVisitor;

impl<'de> Visitor<'de> for DenyBodyVisitor {
    type Value = DenyBody;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string or an object")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<DenyBody, E> {
        Ok(DenyBody::Text(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<DenyBody, A::Error> {
        Map::deserialize(MapAccessDeserializer::new(entries)).map(DenyBody::Object)
    }
}
