//! Reads the members of a JSON object, and finds where their names and texts stand.

use std::cmp::Ordering;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{Member, Name, Span, Stored};
use crate::jose::strict_json::{Strict, StrictVisitor};

/// How many claims a token has room for before memory is taken again; most have fewer.
pub(super) const USUAL_MEMBERS: usize = 16;

/// The members of a JSON object.
pub(super) fn members(json: &str) -> Result<Vec<Member>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let members = deserializer.deserialize_map(MembersVisitor(json))?;
    deserializer.end()?;
    Ok(members)
}

/// The members that were read so far.
struct Members<'t> {
    json: &'t str,
    members: Vec<Member>,
    /// Their places in the order of their names, by which a repeated name is found however many there are.
    by_name: Vec<u32>,
}

impl<'t> Members<'t> {
    fn name(&self, place: u32) -> &str {
        match usize::try_from(place).ok().and_then(|place| self.members.get(place)).map(|member| &member.name) {
            Some(Name::At(span)) => self.json.get(span.range()).unwrap_or_default(),
            Some(Name::Own(name)) => name,
            None => "",
        }
    }

    /// Adds a member, unless there is one of its name.
    fn push(&mut self, name: FoundName<'t>, value: Stored) -> Result<(), FoundName<'t>> {
        let found = self.by_name.binary_search_by(|place| by_length(self.name(*place), name.text()));
        let (Err(order), Ok(place)) = (found, u32::try_from(self.members.len())) else { return Err(name) };
        self.by_name.insert(order, place);
        self.members.push(Member { name: name.stored(self.json), value });
        Ok(())
    }
}

/// An order of names in which most are told apart without a look at their bytes.
fn by_length(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

enum FoundName<'t> {
    /// A part of the JSON.
    AsWritten(&'t str),
    /// With its escapes replaced.
    Own(Box<str>),
}

impl<'t> FoundName<'t> {
    fn text(&self) -> &str {
        match self {
            Self::AsWritten(name) => name,
            Self::Own(name) => name,
        }
    }

    fn stored(self, json: &'t str) -> Name {
        match self {
            Self::AsWritten(name) => Span::of(name, json).map_or_else(|| Name::Own(name.into()), Name::At),
            Self::Own(name) => Name::Own(name),
        }
    }
}

struct MembersVisitor<'t>(&'t str);

impl<'de> Visitor<'de> for MembersVisitor<'de> {
    type Value = Vec<Member>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Member>, A::Error> {
        let (members, by_name) = (Vec::with_capacity(USUAL_MEMBERS), Vec::with_capacity(USUAL_MEMBERS));
        let mut found = Members { json: self.0, members, by_name };
        while let Some(name) = map.next_key_seed(NameVisitor)? {
            let value = map.next_value_seed(ValueVisitor(self.0))?;
            found.push(name, value).map_err(|name| A::Error::custom(format_args!("the name `{}` is repeated", name.text())))?;
        }
        Ok(found.members)
    }
}

struct NameVisitor;

impl<'de> DeserializeSeed<'de> for NameVisitor {
    type Value = FoundName<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<FoundName<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameVisitor {
    type Value = FoundName<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<FoundName<'de>, E> {
        Ok(FoundName::AsWritten(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<FoundName<'de>, E> {
        Ok(FoundName::Own(name.into()))
    }
}

struct ValueVisitor<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for ValueVisitor<'de> {
    type Value = Stored;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Stored, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn value<E>(read: Result<Strict, E>) -> Result<Stored, E> {
    read.map(|Strict(value)| Stored::Value(value))
}

impl<'de> Visitor<'de> for ValueVisitor<'de> {
    type Value = Stored;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        StrictVisitor.expecting(formatter)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Stored, E> {
        Ok(Span::of(text, self.0).map_or_else(|| Stored::Value(text.into()), Stored::At))
    }

    fn visit_str<E>(self, text: &str) -> Result<Stored, E> {
        Ok(Stored::Value(text.into()))
    }

    fn visit_unit<E>(self) -> Result<Stored, E> {
        Ok(Stored::Value(Value::Null))
    }

    fn visit_bool<E>(self, is: bool) -> Result<Stored, E> {
        Ok(Stored::Value(is.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Stored, E> {
        Ok(Stored::Value(number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Stored, E> {
        Ok(Stored::Value(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Stored, E> {
        Ok(Stored::Value(number.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Stored, A::Error> {
        value(StrictVisitor.visit_seq(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Stored, A::Error> {
        value(StrictVisitor.visit_map(members))
    }
}
