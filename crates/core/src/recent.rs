//! What was found for the few keys that come again and again.
//!
//! A request's decision and labels are nearly always among a handful; to walk over these and compare takes less than to hash
//! them. What is asked for moves to the front, and when there is no more room the last makes way.

/// Values of recent keys.
#[derive(Debug, Clone)]
pub struct Recent<K, V> {
    entries: Vec<(K, V)>,
    limit: usize,
}

impl<K, V> Recent<K, V> {
    /// Nothing yet, and at most so many.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { entries: Vec::new(), limit }
    }

    /// The value of the first key that is meant; it moves forward by one place.
    pub fn find(&mut self, is_meant: impl Fn(&K) -> bool) -> Option<&mut V> {
        let place = self.entries.iter().position(|(key, _)| is_meant(key))?;
        let ahead = place.saturating_sub(1);
        self.entries.swap(ahead, place);
        self.entries.get_mut(ahead).map(|(_, value)| value)
    }

    /// Keeps the value of a key that was not found.
    pub fn keep(&mut self, key: K, value: V) {
        self.entries.truncate(self.limit.saturating_sub(1));
        self.entries.push((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_asked_for_and_no_more_than_there_is_room_for() {
        let mut recent = Recent::new(3);
        for key in 0..3 {
            recent.keep(key, key * 10);
        }
        assert_eq!(recent.find(|key| *key == 2), Some(&mut 20));
        recent.keep(3, 30);
        let found: Vec<_> = (0..4).map(|wanted| recent.find(|key| *key == wanted).copied()).collect();
        assert_eq!(found, [Some(0), None, Some(20), Some(30)]);
    }
}
