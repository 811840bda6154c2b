//! The header of a signed text (RFC 7515 section 4), read as far as it decides anything.
//!
//! It is as strict as [`strict_json`]: whatever stands in it, a repeated name is refused at any depth.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Value;

use super::Algorithm;
use super::malformed::{Malformed, Part};
use super::strict_json::{self, Strict};

/// Header parameters that change how a token is to be read. The keys that a token names or brings (`jku`, `jwk`, `x5u`, `x5c`)
/// are not looked at.
const REFUSED_PARAMETERS: [&str; 4] = ["crit", "b64", "zip", "enc"];

/// What is used of a header.
#[derive(Debug)]
pub(super) struct JoseHeader {
    /// `alg`.
    pub algorithm: Algorithm,
    /// `kid`.
    pub key_id: Option<String>,
    /// `typ`.
    pub media_type: Option<String>,
}

impl JoseHeader {
    /// Read the JSON of a signed text's first part.
    ///
    /// # Errors
    /// [`Malformed`], in this order: no JSON object; a parameter that is refused; `alg`, `kid`, `typ` of another kind.
    pub fn read(json: &[u8]) -> Result<Self, Malformed> {
        strict_json::begins_object(Part::Header, json)?;
        let found = strict_json::read_as::<Found>(json).map_err(|error| Malformed::Json(Part::Header, error))?;
        if let Some(name) = REFUSED_PARAMETERS.into_iter().find(|name| found.others.contains(*name)) {
            return Err(Malformed::Parameter(name));
        }
        let algorithm = text("alg", found.alg)?.ok_or(Malformed::AlgorithmMissing)?;
        let algorithm = Algorithm::parse(&algorithm).ok_or(Malformed::AlgorithmUnknown)?;
        Ok(Self { algorithm, key_id: text("kid", found.kid)?, media_type: text("typ", found.typ)? })
    }
}

fn text(name: &'static str, value: Option<Value>) -> Result<Option<String>, Malformed> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Malformed::ParameterType(name)),
    }
}

/// The parameters as they stand.
#[derive(Default)]
struct Found {
    alg: Option<Value>,
    kid: Option<Value>,
    typ: Option<Value>,
    /// The names of all others.
    others: BTreeSet<String>,
}

impl Found {
    /// Takes a parameter; its name back when it is repeated.
    fn insert(&mut self, name: Name, value: Value) -> Result<(), String> {
        let (name, place) = match name {
            Name::Alg => ("alg", &mut self.alg),
            Name::Kid => ("kid", &mut self.kid),
            Name::Typ => ("typ", &mut self.typ),
            Name::Other(name) if self.others.contains(&name) => return Err(name),
            Name::Other(name) => {
                self.others.insert(name);
                return Ok(());
            }
        };
        if place.replace(value).is_some() { Err(name.to_owned()) } else { Ok(()) }
    }
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FoundVisitor)
    }
}

struct FoundVisitor;

impl<'de> Visitor<'de> for FoundVisitor {
    type Value = Found;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        while let Some((name, Strict(value))) = members.next_entry::<Name, Strict>()? {
            found.insert(name, value).map_err(|name| A::Error::custom(format_args!("the name `{name}` is repeated")))?;
        }
        Ok(found)
    }
}

/// The name of a parameter; an allocation only where it is not one of the usual.
enum Name {
    Alg,
    Kid,
    Typ,
    Other(String),
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Name, E> {
        Ok(match name {
            "alg" => Name::Alg,
            "kid" => Name::Kid,
            "typ" => Name::Typ,
            other => Name::Other(other.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_not_every_reader_understands_alike() {
        let repeated =
            |name| format!("the header is not JSON that every reader understands alike: the name `{name}` is repeated");
        let object = "the header is not a JSON object".to_owned();
        let cases = [
            (r#"{"alg":"RS256","\u0061lg":"HS256"}"#, repeated("alg")),
            (r#"{"alg":"RS256","kid":"a","kid":"a"}"#, repeated("kid")),
            (r#"{"alg":"RS256","typ":null,"typ":null}"#, repeated("typ")),
            (r#"{"alg":"RS256","x":1,"\u0078":1}"#, repeated("x")),
            (r#"{"alg":"RS256","crit":[],"crit":[]}"#, repeated("crit")),
            (r#"{"alg":"RS256","x":[{"a":1,"a":1}]}"#, repeated("a")),
            (r#"{"kid":{"a":1,"a":1}}"#, repeated("a")),
            (r#"[{"a":1,"a":1}]"#, repeated("a")),
            ("[]", object.clone()),
            ("null", object.clone()),
            (" \"{}\"", object),
        ];
        for (json, expected) in cases {
            let found = JoseHeader::read(json.as_bytes()).err().unwrap().to_string();
            assert!(found.starts_with(&expected), "{json}: {found}");
        }
        for json in [&b""[..], b"{", b"{} {}", b"\xff", b"{\"alg\":\"RS256\",\"x\":\"\xff\"}"] {
            assert!(matches!(JoseHeader::read(json), Err(Malformed::Json(Part::Header, _))), "{json:?}");
        }
    }

    #[test]
    fn decides_by_the_first_thing_that_is_wrong() {
        let cases = [
            (r#"{"crit":[],"alg":7}"#, "`crit`"),
            (r#"{"enc":1,"zip":1,"b64":1}"#, "`b64`"),
            (r#"{"kid":7,"typ":7}"#, "`alg` is missing"),
            (r#"{"alg":"x","kid":7}"#, "names no algorithm"),
            (r#"{"alg":"RS256","kid":7,"typ":7}"#, "`kid`"),
        ];
        for (json, expected) in cases {
            let found = JoseHeader::read(json.as_bytes()).err().unwrap().to_string();
            assert!(found.contains(expected), "{json}: {found}");
        }
    }
}
