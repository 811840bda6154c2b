//! Points in time as values. Nothing in this crate reads a clock: the time of a decision is an argument.

use std::time::Duration;

/// A point in time: the time since 1970-01-01T00:00:00Z, with nanoseconds. Arithmetic saturates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(Duration);

impl UnixTime {
    /// The point `seconds` after the epoch.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The point `nanoseconds` after the epoch, as the proxy's clock gives it.
    #[must_use]
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(Duration::from_nanos(nanoseconds))
    }

    /// The point this long after the epoch.
    #[must_use]
    pub const fn from_epoch(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// The time since the epoch.
    #[must_use]
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }

    /// This point moved forward, at most to the end of time.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// This point moved back, at most to the epoch.
    #[must_use]
    pub const fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }

    /// How long after `earlier` this point is; zero when it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let now = UnixTime::from_secs(10);
        assert_eq!(now.saturating_sub(Duration::from_secs(11)), UnixTime::from_secs(0));
        assert_eq!(now.saturating_add(Duration::MAX).since_epoch(), Duration::MAX);
        assert_eq!(now.since(UnixTime::from_secs(11)), Duration::ZERO);
        assert_eq!(now.since(UnixTime::from_secs(7)), Duration::from_secs(3));
    }
}
