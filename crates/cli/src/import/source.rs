//! Reading a source: places for notes, and fields under either of two spellings.

use serde_json::Value;

use crate::place::{element, member};

/// A value in a source and where it stands.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    /// The value.
    pub value: &'a Value,
    /// The file and, where there are several, the document.
    pub document: &'a str,
    /// The path in the document.
    pub path: String,
}

impl<'a> Node<'a> {
    /// The top of a document.
    pub const fn root(value: &'a Value, document: &'a str) -> Self {
        Self { value, document, path: String::new() }
    }

    /// The place to name in a note.
    pub fn place(&self) -> String {
        if self.path.is_empty() { self.document.to_owned() } else { format!("{}: {}", self.document, self.path) }
    }

    /// The member of this name, in snake_case or camelCase; null is none.
    pub fn get(&self, name: &str) -> Option<Self> {
        let camel = camel_case(name);
        let key = [name, camel.as_str()].into_iter().find(|key| self.value.get(key).is_some_and(|value| !value.is_null()))?;
        Some(Self { value: self.value.get(key)?, document: self.document, path: member(&self.path, key) })
    }

    /// The text of a member.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.get(name)?.value.as_str()
    }

    /// Whether a member is true.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|node| node.value == &Value::Bool(true))
    }

    /// The elements, where this is a list.
    pub fn elements(&self) -> Vec<Self> {
        let list = self.value.as_array().map(Vec::as_slice).unwrap_or_default();
        let place = |index| element(&self.path, index);
        list.iter().enumerate().map(|(index, value)| Self { value, document: self.document, path: place(index) }).collect()
    }

    /// The elements of a member.
    pub fn list(&self, name: &str) -> Vec<Self> {
        self.get(name).map(|node| node.elements()).unwrap_or_default()
    }

    /// The members, where this is an object.
    pub fn members(&self) -> Vec<(&'a str, Self)> {
        let members = self.value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        let node = |key: &str, value| Self { value, document: self.document, path: member(&self.path, key) };
        members.map(|(key, value)| (key.as_str(), node(key, value))).collect()
    }

    /// The members whose names, in snake_case, are none of these.
    pub fn others(&self, known: &[&str]) -> Vec<(&'a str, Self)> {
        let is_known = |key: &str| known.iter().any(|name| *name == key || camel_case(name) == key);
        self.members().into_iter().filter(|(key, _)| !is_known(key)).collect()
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).iter().filter_map(|node| node.value.as_str().map(str::to_owned)).collect()
    }
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut text, part| {
        let mut characters = part.chars();
        text.extend(characters.next().map(|character| character.to_ascii_uppercase()));
        text.push_str(characters.as_str());
        text
    })
}
