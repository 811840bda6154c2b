//! The key ids that tokens name and no key bears: who of them makes the keys be fetched, and who is known not to exist.
//!
//! Anybody can write any key id into a token, so whatever is kept is bounded, and an id that was just looked up in vain is not
//! looked up again.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::UnixTime;

/// The longest key id that is looked up. Those of real keys are thumbprints, names and URLs.
const MAX_KEY_ID_BYTES: usize = 256;
/// How many ids one fetch is for. Requests with further ones do not wait for it.
const MAX_SOUGHT: usize = 64;
/// How many ids are remembered not to exist.
const MAX_ABSENT: usize = 256;
/// How long an id is remembered not to exist.
const ABSENT_FOR: Duration = Duration::from_secs(60);

/// The unknown key ids of one issuer.
#[derive(Debug, Default)]
pub(super) struct UnknownKeys {
    /// Those that a fetch under way is for.
    sought: Vec<Box<str>>,
    /// Those that were looked up in vain, in their order, and until when that counts.
    absent: Vec<(Box<str>, UnixTime)>,
    /// The same by when they came.
    order: VecDeque<Box<str>>,
}

impl UnknownKeys {
    /// Whether it makes no sense to look an id up.
    pub fn is_absent(&self, id: &str, now: UnixTime) -> bool {
        id.len() > MAX_KEY_ID_BYTES
            || self.place_of(id).is_ok_and(|place| self.absent.get(place).is_some_and(|(_, until)| now < *until))
    }

    /// Let an id wait for the fetch under way; whether it may.
    pub fn seek(&mut self, id: &str) -> bool {
        let is_sought = self.sought.iter().any(|sought| **sought == *id);
        if !is_sought && self.sought.len() < MAX_SOUGHT {
            self.sought.push(id.into());
            return true;
        }
        is_sought
    }

    /// Remember that an id was looked up in vain.
    pub fn set_absent(&mut self, id: &str, now: UnixTime) {
        let until = now.saturating_add(ABSENT_FOR);
        match self.place_of(id) {
            Ok(place) => {
                if let Some(known) = self.absent.get_mut(place) {
                    known.1 = until;
                }
            }
            Err(place) => {
                self.absent.insert(place, (id.into(), until));
                self.order.push_back(id.into());
            }
        }
        while self.absent.len() > MAX_ABSENT {
            let Some(oldest) = self.order.pop_front() else { break };
            if let Ok(place) = self.place_of(&oldest) {
                self.absent.remove(place);
            }
        }
    }

    /// The place of an id that does not exist, or where it would stand.
    fn place_of(&self, id: &str) -> Result<usize, usize> {
        self.absent.binary_search_by(|(absent, _)| (**absent).cmp(id))
    }

    /// The fetch under way ended.
    pub fn end_search(&mut self) {
        self.sought.clear();
    }

    /// There are other keys now.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_000_000);

    #[test]
    fn an_id_is_absent_for_a_minute() {
        let mut unknown = UnknownKeys::default();
        unknown.set_absent("k", NOW);
        for (id, seconds, expected) in [("k", 0, true), ("k", 59, true), ("k", 60, false), ("K", 0, false), ("", 0, false)] {
            let now = NOW.saturating_add(Duration::from_secs(seconds));
            assert_eq!(unknown.is_absent(id, now), expected, "{id} after {seconds} s");
        }
        unknown.forget();
        assert!(!unknown.is_absent("k", NOW));
    }

    #[test]
    fn whatever_is_kept_is_bounded() {
        let mut unknown = UnknownKeys::default();
        let joined = (0..10_000).filter(|number| unknown.seek(&format!("k{number}"))).count();
        assert_eq!(joined, MAX_SOUGHT);
        assert!(unknown.seek("k0"), "who waits already may be asked again");
        for number in 0..10_000 {
            unknown.set_absent(&format!("k{number}"), NOW);
            unknown.set_absent("k9999", NOW);
        }
        assert_eq!((unknown.absent.len(), unknown.order.len()), (MAX_ABSENT, MAX_ABSENT));
        assert!(unknown.is_absent("k9999", NOW) && !unknown.is_absent("k0", NOW));
        assert!(unknown.is_absent(&"k".repeat(MAX_KEY_ID_BYTES + 1), NOW), "no key has such an id");
        assert!(!unknown.is_absent(&"k".repeat(MAX_KEY_ID_BYTES), NOW), "a key may have this one");
    }
}
