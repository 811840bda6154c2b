//! Changes to the request's headers, collected while stages decide and applied afterwards, in one place.

/// One change. Names are lower-case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Remove every copy of the header.
    Remove(String),
    /// Replace every copy of the header by this one.
    Set(String, String),
    /// Add one more copy of the header.
    Append(String, String),
}

/// The changes that the stages of one request ask for, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderEdits(Vec<Edit>);

impl HeaderEdits {
    /// Ask to remove every copy of a header.
    pub fn remove(&mut self, name: impl Into<String>) {
        self.0.push(Edit::Remove(name.into()));
    }

    /// Ask to replace every copy of a header.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push(Edit::Set(name.into(), value.into()));
    }

    /// Ask to add one more copy of a header.
    pub fn append(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push(Edit::Append(name.into(), value.into()));
    }

    /// Ask for all changes of another collection, after those that are here.
    pub fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// The changes in the order in which they are to be applied.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter()
    }
}
