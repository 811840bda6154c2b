//! Fills types from a document and keeps track of where it is.
//!
//! What is here exists once for each type of the configuration, so it leaves what does not depend on the type to functions that
//! are there only once.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Number;

use super::key_in_path;
use super::misfit::Misfit;
use super::node::Node;
use crate::ConfigError;
use crate::suggestion;

/// A value of the document on its way into a type.
pub(super) struct NodeDeserializer(Node);

impl NodeDeserializer {
    pub(super) const fn new(node: Node) -> Self {
        Self(node)
    }

    #[inline(never)]
    fn wrong_kind(&self, expected: &str) -> Misfit {
        match self.0 {
            Node::Null => null(),
            _ => ConfigError::new("", format!("must be {expected}, not {}", self.0.kind())).into(),
        }
    }
}

/// An empty value in YAML arrives as null, and taking it for an absent key could widen a rule: `match:` with nothing in it.
#[inline(never)]
fn null() -> Misfit {
    ConfigError::new("", "is null").hint("give it a value or leave the key out").into()
}

fn visit_list<'de, V: Visitor<'de>>(list: Vec<Node>, visitor: V) -> Result<V::Value, Misfit> {
    visitor.visit_seq(Elements { nodes: list.into_iter(), index: 0 })
}

fn visit_object<'de, V: Visitor<'de>>(object: Vec<(String, Node)>, visitor: V) -> Result<V::Value, Misfit> {
    refuse_repetition(&object)?;
    visitor.visit_map(Entries { nodes: object.into_iter(), value: None })
}

#[inline(never)]
fn refuse_repetition(object: &[(String, Node)]) -> Result<(), Misfit> {
    let is_given_before =
        |(place, (key, _)): &(usize, &(String, Node))| object.iter().take(*place).any(|(before, _)| before == key);
    match object.iter().enumerate().find(is_given_before) {
        Some((_, (key, _))) => Err(ConfigError::new(key_in_path(key), "is given twice").into()),
        None => Ok(()),
    }
}

/// A number that is whole goes on as a whole one, however it is written: a Struct of the proxy holds every number as a double.
fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Misfit> {
    if let Some(whole) = whole(number) {
        visitor.visit_u64(whole)
    } else if let Some(whole) = below_zero(number) {
        visitor.visit_i64(whole)
    } else {
        visitor.visit_f64(number.as_f64().unwrap_or_default())
    }
}

/// The largest number up to which a double has every whole one.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0;

/// The number as a whole one.
#[inline(never)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked first")]
fn whole(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let double = number.as_f64()?;
        (double.fract() == 0.0 && (0.0..=LARGEST_EXACT).contains(&double)).then_some(double as u64)
    })
}

/// The number as a whole one that is less than nothing.
#[inline(never)]
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn below_zero(number: &Number) -> Option<i64> {
    number.as_i64().or_else(|| {
        let double = number.as_f64()?;
        (double.fract() == 0.0 && (-LARGEST_EXACT..0.0).contains(&double)).then_some(double as i64)
    })
}

#[inline(never)]
fn not_whole(number: &Number) -> Misfit {
    let is_too_large = number.as_f64().is_some_and(|double| double > LARGEST_EXACT);
    ConfigError::new("", if is_too_large { "is too large" } else { "must be a whole number of at least 0" }).into()
}

macro_rules! whole_number {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            match &self.0 {
                Node::Number(number) => match whole(number) {
                    Some(whole) => visitor.visit_u64(whole),
                    None => Err(not_whole(number)),
                },
                _ => Err(self.wrong_kind("a whole number")),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for NodeDeserializer {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Node::Null => visitor.visit_unit(),
            Node::Boolean(value) => visitor.visit_bool(value),
            Node::Number(number) => visit_number(&number, visitor),
            Node::Text(text) => visitor.visit_string(text),
            Node::List(list) => visit_list(list, visitor),
            Node::Object(object) => visit_object(object, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Node::Null => Err(null()),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Node::Boolean(value) => visitor.visit_bool(value),
            _ => Err(self.wrong_kind("true or false")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Node::Text(text) => visitor.visit_string(text),
            _ => Err(self.wrong_kind("a string")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Node::List(list) => visit_list(list, visitor),
            _ => Err(self.wrong_kind("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.0 {
            Node::Object(object) => visit_object(object, visitor),
            _ => Err(self.wrong_kind("an object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.0 {
            Node::Text(text) if variants.contains(&text.as_str()) => visitor.visit_enum(text.into_deserializer()),
            Node::Text(text) => Err(Misfit::unknown_variant(&text, variants)),
            Node::Null => Err(null()),
            _ => Err(self.wrong_kind("a string").hint(&format!("allowed: {}", suggestion::list(variants)))),
        }
    }

    whole_number!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct Elements {
    nodes: std::vec::IntoIter<Node>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some(node) = self.nodes.next() else { return Ok(None) };
        let index = self.index;
        self.index = self.index.saturating_add(1);
        seed.deserialize(NodeDeserializer(node)).map(Some).map_err(|error| error.at_index(index))
    }
}

struct Entries {
    nodes: std::vec::IntoIter<(String, Node)>,
    value: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, node)) = self.nodes.next() else { return Ok(None) };
        let (key, _) = self.value.insert((key, node));
        let name: StrDeserializer<'_, Misfit> = key.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let (key, node) = self.value.take().ok_or_else(|| Misfit::custom("a value without a key"))?;
        seed.deserialize(NodeDeserializer(node)).map_err(|error| error.at_key(&key))
    }
}
