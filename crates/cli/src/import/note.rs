//! What an import has to say beside the configuration.

use std::fmt;

/// Whether something got lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It has no equal here: left out, or replaced by something stricter. The exit code tells.
    NoEqual,
    /// It was made explicit, or behaves a little differently here.
    Remark,
}

/// A line about something in a source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Whether something got lost.
    pub weight: Weight,
    /// Where it stands: file, document and path; empty for the whole.
    pub place: String,
    /// What became of it.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::NoEqual => "no equal",
            Weight::Remark => "note",
        };
        let separator = if self.place.is_empty() { "" } else { ": " };
        write!(formatter, "{weight}: {}{separator}{}", self.place, self.text)
    }
}

/// All lines of an import, each once, in the order in which they came up.
#[derive(Debug, Default)]
pub struct Notes(Vec<Note>);

impl Notes {
    /// Says that something got lost.
    pub fn no_equal(&mut self, place: &str, text: impl Into<String>) {
        self.add(Weight::NoEqual, place, text.into());
    }

    /// Says that something is a little different.
    pub fn remark(&mut self, place: &str, text: impl Into<String>) {
        self.add(Weight::Remark, place, text.into());
    }

    fn add(&mut self, weight: Weight, place: &str, text: String) {
        let note = Note { weight, place: place.to_owned(), text };
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// The lines: what got lost first.
    pub fn lines(&self) -> Vec<Note> {
        let mut lines = self.0.clone();
        lines.sort_by_key(|note| note.weight);
        lines
    }

    /// Whether nothing got lost.
    pub fn is_complete(&self) -> bool {
        self.0.iter().all(|note| note.weight == Weight::Remark)
    }
}
