//! The claims of a token: its JSON as it was signed, and where each claim stands in it.
//!
//! Of most claims nothing is ever asked, and what is asked is mostly text. So a text without escapes is not copied, but looked up
//! in the JSON; whatever else a claim is, is read into a value of its own.

use std::fmt;
use std::ops::Range;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

mod claim;
mod reading;

pub use claim::Claim;

use crate::memory;

/// Claims by their names, which are told apart.
#[derive(Clone, Default)]
pub struct ClaimSet {
    json: String,
    members: Vec<Member>,
    /// Whether the JSON says the same as the members, on one line.
    is_verbatim: bool,
}

#[derive(Debug, Clone)]
struct Member {
    name: Name,
    value: Stored,
}

#[derive(Debug, Clone)]
enum Name {
    /// It stands in the JSON.
    At(Span),
    Own(Box<str>),
}

#[derive(Debug, Clone)]
enum Stored {
    /// A text that stands in the JSON.
    At(Span),
    Value(Value),
}

/// A part of the JSON.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// The place of a part in a whole; `None` when it is none.
    fn of(part: &str, whole: &str) -> Option<Self> {
        let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
        let end = start.checked_add(part.len())?;
        if end > whole.len() {
            return None;
        }
        Some(Self { start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? })
    }

    fn len(self) -> usize {
        self.range().len()
    }

    fn range(self) -> Range<usize> {
        let place = |at: u32| usize::try_from(at).unwrap_or(usize::MAX);
        place(self.start)..place(self.end)
    }
}

impl ClaimSet {
    /// The memory that the places of claims take at least.
    pub(crate) const USUAL_BYTES: usize = reading::USUAL_MEMBERS.saturating_mul(size_of::<Member>());

    /// Read a JSON object in which no name is repeated at any depth.
    ///
    /// # Errors
    /// Where and why the JSON is not one.
    pub fn read(json: String) -> Result<Self, serde_json::Error> {
        let members = reading::members(&json)?;
        let is_verbatim = !json.bytes().any(|byte| byte.is_ascii_control());
        Ok(Self { json, members, is_verbatim })
    }

    /// The claim of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Claim<'_>> {
        self.members.iter().find(|member| self.is_named(member, name)).map(|member| self.claim(member))
    }

    /// The claim at a path of names joined by dots (`realm_access.roles`).
    ///
    /// A claim whose own name is the whole text wins, so that `https://example.com/roles` can be named too.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<Claim<'_>> {
        if let Some(claim) = self.get(path) {
            return Some(claim);
        }
        let (head, rest) = path.split_once('.')?;
        let Claim::Value(Value::Object(members)) = self.get(head)? else { return None };
        claim_at(members, rest).map(Claim::from)
    }

    /// All claims, in the token's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Claim<'_>)> {
        self.members.iter().map(|member| (self.name(member), self.claim(member)))
    }

    /// Put another value in place of that at a path, which is read as by [`at`](Self::at), if this makes one of it.
    pub fn replace_at(&mut self, path: &str, replace: impl FnOnce(Claim<'_>) -> Option<Value>) {
        if let Some(index) = self.members.iter().position(|member| self.is_named(member, path)) {
            let replaced = self.members.get(index).and_then(|member| replace(self.claim(member)));
            if let (Some(value), Some(member)) = (replaced, self.members.get_mut(index)) {
                member.value = Stored::Value(value);
                self.is_verbatim = false;
            }
            return;
        }
        let Some((head, rest)) = path.split_once('.') else { return };
        let Some(index) = self.members.iter().position(|member| self.is_named(member, head)) else { return };
        if let Some(Member { value: Stored::Value(Value::Object(members)), .. }) = self.members.get_mut(index)
            && let Some(value) = value_at(members, rest)
            && let Some(replaced) = replace(Claim::from(&*value))
        {
            *value = replaced;
            self.is_verbatim = false;
        }
    }

    /// Write the claims as JSON on one line: that of the token where it is so.
    pub(crate) fn write_json(&self, json: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        if self.is_verbatim {
            json.extend_from_slice(self.json.as_bytes());
            return Ok(());
        }
        serde_json::to_writer(json, self)
    }

    /// How long its JSON is.
    pub(crate) const fn json_length(&self) -> usize {
        self.json.len()
    }

    /// The memory that it takes beside its own place.
    pub(crate) fn heap_bytes(&self) -> usize {
        let members = self.members.iter().map(|member| {
            let name = if let Name::Own(name) = &member.name { name.len() } else { 0 };
            let value = if let Stored::Value(value) = &member.value { memory::of_value(value) } else { 0 };
            name.saturating_add(value)
        });
        let places = self.members.capacity().saturating_mul(size_of::<Member>());
        memory::sum(members.chain([places, self.json.capacity()]))
    }

    /// Most names differ in length already, and then no byte is looked at.
    fn is_named(&self, member: &Member, name: &str) -> bool {
        match &member.name {
            Name::At(span) => span.len() == name.len() && self.json.as_bytes().get(span.range()) == Some(name.as_bytes()),
            Name::Own(own) => **own == *name,
        }
    }

    fn name<'a>(&'a self, member: &'a Member) -> &'a str {
        match &member.name {
            Name::At(span) => self.part(*span),
            Name::Own(name) => name,
        }
    }

    fn claim<'a>(&'a self, member: &'a Member) -> Claim<'a> {
        match &member.value {
            Stored::At(span) => Claim::Text(self.part(*span)),
            Stored::Value(value) => Claim::from(value),
        }
    }

    fn part(&self, span: Span) -> &str {
        self.json.get(span.range()).unwrap_or_default()
    }
}

/// The value at a path of names joined by dots; a claim whose own name is the whole text wins.
#[must_use]
pub fn claim_at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (head, rest) = path.split_once('.')?;
    claim_at(claims.get(head)?.as_object()?, rest)
}

fn value_at<'a>(members: &'a mut Map<String, Value>, path: &str) -> Option<&'a mut Value> {
    if members.contains_key(path) {
        return members.get_mut(path);
    }
    let (head, rest) = path.split_once('.')?;
    value_at(members.get_mut(head)?.as_object_mut()?, rest)
}

impl From<Map<String, Value>> for ClaimSet {
    fn from(members: Map<String, Value>) -> Self {
        let members = members.into_iter();
        let members = members.map(|(name, value)| Member { name: Name::Own(name.into()), value: Stored::Value(value) });
        Self { json: String::new(), members: members.collect(), is_verbatim: false }
    }
}

impl From<&ClaimSet> for Map<String, Value> {
    fn from(claims: &ClaimSet) -> Self {
        claims.iter().map(|(name, claim)| (name.to_owned(), claim.into())).collect()
    }
}

impl PartialEq for ClaimSet {
    fn eq(&self, other: &Self) -> bool {
        self.members.len() == other.members.len() && self.iter().all(|(name, claim)| other.get(name) == Some(claim))
    }
}

impl fmt::Debug for ClaimSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for ClaimSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.members.len()))?;
        for (name, claim) in self.iter() {
            map.serialize_entry(name, &claim)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ClaimSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(members) => Ok(Self::from(members)),
            _ => Err(D::Error::custom("claims are an object")),
        }
    }
}

#[cfg(test)]
mod tests;
