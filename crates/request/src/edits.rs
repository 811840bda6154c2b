//! Changes to the request's headers, collected while stages decide and applied afterwards, in one place.

use std::fmt;
use std::rc::Rc;

/// One change. Names are lower-case. A text that many requests share is shared, not copied.
#[derive(Clone, PartialEq, Eq)]
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

impl fmt::Debug for Edit {
    /// Names the header only: its value may be a token, or what an issuer encrypted.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (change, value) = match self {
            Self::Remove(_) => ("Remove", None),
            Self::Set(_, value) => ("Set", Some(value)),
            Self::Append(_, value) => ("Append", Some(value)),
        };
        let mut shown = formatter.debug_tuple(change);
        shown.field(&self.name());
        if let Some(value) = value {
            shown.field(&format_args!("{} bytes", value.len()));
        }
        shown.finish()
    }
}

/// The changes that the stages of one request ask for, in order.
#[derive(Debug, Clone, Default)]
pub struct HeaderEdits(Vec<Asked>);

/// What was asked for at once.
#[derive(Debug, Clone)]
enum Asked {
    One(Edit),
    /// What is asked for in many requests: it is shared, not copied.
    Several(Rc<[Edit]>),
    /// The same, of headers that the request does not have.
    New(Rc<[Edit]>),
}

impl Asked {
    fn edits(&self) -> &[Edit] {
        match self {
            Self::One(edit) => std::slice::from_ref(edit),
            Self::Several(edits) | Self::New(edits) => edits,
        }
    }
}

/// The same changes in the same order, however they were asked for.
impl PartialEq for HeaderEdits {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for HeaderEdits {}

impl HeaderEdits {
    /// Ask to remove every copy of a header.
    pub fn remove(&mut self, name: impl Into<Rc<str>>) {
        self.push(Edit::Remove(name.into()));
    }

    /// Ask to replace every copy of a header.
    pub fn set(&mut self, name: impl Into<Rc<str>>, value: impl Into<Rc<str>>) {
        self.push(Edit::Set(name.into(), value.into()));
    }

    /// Ask to add one more copy of a header.
    pub fn append(&mut self, name: impl Into<Rc<str>>, value: impl Into<Rc<str>>) {
        self.push(Edit::Append(name.into(), value.into()));
    }

    /// Ask for one more change, after those that are here.
    pub fn push(&mut self, edit: Edit) {
        self.0.push(Asked::One(edit));
    }

    /// Ask for further changes, after those that are here.
    pub fn extend(&mut self, later: &Rc<[Edit]>) {
        if !later.is_empty() {
            self.0.push(Asked::Several(Rc::clone(later)));
        }
    }

    /// Ask for further headers, after the changes that are here, that the request does not have and no change sets. There is nothing
    /// to replace, and to add a header costs the proxy less.
    pub fn extend_new(&mut self, later: &Rc<[Edit]>) {
        if !later.is_empty() {
            self.0.push(Asked::New(Rc::clone(later)));
        }
    }

    /// Ask for all changes of another collection, after those that are here.
    pub fn append_all(&mut self, mut later: Self) {
        if self.0.is_empty() {
            *self = later;
        } else {
            self.0.append(&mut later.0);
        }
    }

    /// The changes in the order in which they are to be applied, each with whether the header that it sets is new.
    pub fn writes(&self) -> impl Iterator<Item = (&Edit, bool)> {
        self.0.iter().flat_map(|asked| {
            let is_new = matches!(asked, Asked::New(_));
            asked.edits().iter().map(move |edit| (edit, is_new))
        })
    }

    /// The changes in the order in which they are to be applied.
    pub fn iter(&self) -> impl Iterator<Item = &Edit> {
        self.0.iter().flat_map(Asked::edits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_no_value() {
        let edits =
            [Edit::Set("x-a".into(), "S3CRET".into()), Edit::Remove("x-b".into()), Edit::Append("x-c".into(), "S".into())];
        assert_eq!(format!("{edits:?}"), r#"[Set("x-a", 6 bytes), Remove("x-b"), Append("x-c", 1 bytes)]"#);
    }

    #[test]
    fn changes_are_applied_in_the_order_in_which_they_were_asked_for() {
        let shared: Rc<[Edit]> = [Edit::Remove("b".into()), Edit::Set("c".into(), "1".into())].into();
        let (mut first, mut second) = (HeaderEdits::default(), HeaderEdits::default());
        first.remove("a");
        first.extend(&shared);
        first.extend(&Rc::from([]));
        second.append("d", "2");
        second.append_all(HeaderEdits::default());
        first.append_all(second);
        let mut all = HeaderEdits::default();
        all.append_all(first);
        assert_eq!(all.iter().map(Edit::name).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    }

    #[test]
    fn what_is_new_is_told_apart() {
        let shared: Rc<[Edit]> = [Edit::Set("b".into(), "1".into()), Edit::Append("b".into(), "2".into())].into();
        let mut edits = HeaderEdits::default();
        edits.remove("a");
        edits.extend_new(&shared);
        edits.extend_new(&Rc::from([]));
        edits.extend(&shared);
        let writes: Vec<_> = edits.writes().map(|(edit, is_new)| (edit.name(), is_new)).collect();
        assert_eq!(writes, [("a", false), ("b", true), ("b", true), ("b", false), ("b", false)]);
        assert!(edits.iter().eq(edits.writes().map(|(edit, _)| edit)));
    }

    #[test]
    fn the_same_changes_in_the_same_order_are_equal() {
        let edits = [Edit::Remove("a".into()), Edit::Set("b".into(), "1".into())];
        let (mut together, mut apart, mut reversed) = (HeaderEdits::default(), HeaderEdits::default(), HeaderEdits::default());
        together.extend(&Rc::from(edits.clone()));
        edits.iter().for_each(|edit| apart.push(edit.clone()));
        edits.iter().rev().for_each(|edit| reversed.push(edit.clone()));
        assert_eq!(together, apart);
        assert_ne!(together, reversed);
        assert_ne!(together, HeaderEdits::default());
    }

    #[test]
    fn a_change_takes_the_memory_of_its_texts() {
        let bytes = [Edit::Remove("name".into()), Edit::Set("name".into(), "value".into()), Edit::Append("n".into(), "v".into())];
        assert_eq!(bytes.map(|edit| edit.bytes() - size_of::<Edit>()), [4, 9, 2]);
    }
}
