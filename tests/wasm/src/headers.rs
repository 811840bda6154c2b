//! A header map of the emulated proxy, and the bytes in which the ABI hands one over.

use std::fmt;

/// Headers in order, with lower-case names. Repeated ones stay apart, as in Envoy.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Vec<u8>, Vec<u8>)>);

impl Headers {
    /// The given headers; names are turned to lower case, as a proxy does.
    pub fn new<N: AsRef<[u8]>, V: AsRef<[u8]>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.as_ref().to_ascii_lowercase(), value.as_ref().to_vec())).collect())
    }

    /// How many headers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a header that is there once; bytes that are not UTF-8 are replaced.
    ///
    /// # Panics
    /// When it is there more than once.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} is there more than once: {all:?}");
        all.into_iter().next()
    }

    /// The values of every header with this name.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect()
    }

    pub(crate) fn first(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.0.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    }

    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) {
        self.0.push((name.to_ascii_lowercase(), value.to_vec()));
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        self.0.retain(|(found, _)| !found.eq_ignore_ascii_case(name));
    }

    pub(crate) fn replace(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    /// The map in the ABI's serialisation: the count, the lengths, then each name and value with a NUL behind it.
    ///
    /// An empty map has no bytes at all.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let word = |length: usize| u32::try_from(length).expect("a test's map is small").to_le_bytes();
        let mut bytes = word(self.0.len()).to_vec();
        for (name, value) in &self.0 {
            bytes.extend(word(name.len()));
            bytes.extend(word(value.len()));
        }
        for text in self.0.iter().flat_map(|(name, value)| [name, value]) {
            bytes.extend(text);
            bytes.push(0);
        }
        bytes
    }

    /// The map that a module serialised; `None` when the bytes do not have that shape to the last one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let (count, mut lengths) = split_word(bytes)?;
        let mut texts = lengths.get(count.checked_mul(8)?..)?;
        let mut headers = Self::default();
        for _ in 0..count {
            let (name, value);
            (name, lengths) = split_word(lengths)?;
            (value, lengths) = split_word(lengths)?;
            let (name, rest) = split_text(texts, name)?;
            let (value, rest) = split_text(rest, value)?;
            texts = rest;
            headers.add(name, value);
        }
        texts.is_empty().then_some(headers)
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()));
        formatter.debug_list().entries(shown).finish()
    }
}

fn split_word(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*word) as usize, rest))
}

fn split_text(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    let (nul, rest) = rest.split_first()?;
    (*nul == 0).then_some((text, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_comes_back_from_its_bytes() {
        let cases = [Headers::default(), Headers::new([("a", "1"), ("b", ""), ("a", "\u{ff}")])];
        for headers in cases {
            assert_eq!(Headers::from_bytes(&headers.to_bytes()), Some(headers));
        }
    }

    #[test]
    fn refuses_bytes_of_another_shape() {
        let whole = Headers::new([("name", "value")]).to_bytes();
        for length in 1..whole.len() {
            assert_eq!(Headers::from_bytes(&whole[..length]), None, "{length}");
        }
        assert_eq!(Headers::from_bytes(&[0xff; 40]), None);
    }
}
