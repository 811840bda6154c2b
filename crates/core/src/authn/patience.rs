//! How often a private RSA key may be used in vain.
//!
//! Anyone can send what looks as if it were encrypted to such a key, and to find out takes the module milliseconds. So after some
//! failures in a row there is a pause, in which what is known already is not affected, nor what another way of encryption needs.

use crate::time::UnixTime;

/// The most failures at once.
const MOST: u64 = 20;
/// How many more there may be after each second.
const PER_SECOND: u64 = 5;

/// What is left of it.
#[derive(Debug)]
pub(super) struct Patience {
    left: u64,
    /// The second up to which it has grown.
    at: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { left: MOST, at: 0 }
    }
}

impl Patience {
    /// Whether there is any at this time.
    pub fn is_left(&mut self, now: UnixTime) -> bool {
        let grown = now.as_secs().saturating_sub(self.at).saturating_mul(PER_SECOND);
        self.left = self.left.saturating_add(grown).min(MOST);
        self.at = now.as_secs();
        self.left > 0
    }

    /// The key was used in vain.
    pub const fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_after_some_failures_and_grows_again() {
        let mut patience = Patience::default();
        let mut used = |seconds, wanted: u64| {
            let now = UnixTime::from_secs(seconds);
            (0..wanted).filter(|_| patience.is_left(now).then(|| patience.take()).is_some()).count()
        };
        assert_eq!(used(1000, 50), 20);
        assert_eq!(used(1000, 50), 0);
        assert_eq!(used(1001, 50), 5);
        assert_eq!(used(1003, 4), 4);
        assert_eq!(used(1003, 50), 6, "what was not used is kept");
        assert_eq!(used(900, 50), 0, "a clock that goes back gives nothing");
        assert_eq!(used(901, 50), 5);
        assert_eq!(used(90_000, 50), 20, "and never more than at first");
    }
}
