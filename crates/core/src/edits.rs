//! Changes to the request's headers, collected while stages decide and applied afterwards, in one place.

use std::rc::Rc;

/// One change. Names are lower-case. A text that many requests share is shared, not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Remove every copy of the header.
    Remove(Rc<str>),
    /// Replace every copy of the header by this one.
    Set(Rc<str>, Rc<str>),
    /// Add one more copy of the header.
    Append(Rc<str>, Rc<str>),
}

impl Edit {
    /// The header's name.
    #[must_use]
    pub fn name(&self) -> &str {
        let (Self::Remove(name) | Self::Set(name, _) | Self::Append(name, _)) = self;
        name
    }

    /// The memory that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let (Self::Remove(name) | Self::Set(name, _) | Self::Append(name, _)) = self;
        let value = if let Self::Set(_, value) | Self::Append(_, value) = self { value.len() } else { 0 };
        size_of::<Self>().saturating_add(name.len()).saturating_add(value)
    }
}

/// The changes that the stages of one request ask for, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderEdits(Vec<Edit>);

impl HeaderEdits {
    /// Ask to remove every copy of a header.
    pub fn remove(&mut self, name: impl Into<Rc<str>>) {
        self.0.push(Edit::Remove(name.into()));
    }

    /// Ask to replace every copy of a header.
    pub fn set(&mut self, name: impl Into<Rc<str>>, value: impl Into<Rc<str>>) {
        self.0.push(Edit::Set(name.into(), value.into()));
    }

    /// Ask to add one more copy of a header.
    pub fn append(&mut self, name: impl Into<Rc<str>>, value: impl Into<Rc<str>>) {
        self.0.push(Edit::Append(name.into(), value.into()));
    }

    /// Ask for further changes, after those that are here.
    pub fn extend(&mut self, later: &[Edit]) {
        self.0.extend_from_slice(later);
    }

    /// Ask for all changes of another collection, after those that are here.
    pub fn append_all(&mut self, mut later: Self) {
        self.0.append(&mut later.0);
    }

    /// The changes in the order in which they are to be applied.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
    }
}
