//! The levels of the proxy's log.

use portcullis_core::stage::LogLevel;

/// A level of the proxy's log, with the number that the proxy gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Severity {
    /// Every step.
    Trace = 0,
    /// For those who look for it.
    Debug = 1,
    /// Of interest.
    Info = 2,
    /// Something is wrong that may pass by itself.
    Warn = 3,
    /// Something is wrong.
    Error = 4,
    /// Nothing works.
    Critical = 5,
}

impl Severity {
    /// The level with this number; a number above the last is the last.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            _ => Self::Critical,
        }
    }

    /// The number of this level.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }
}

impl From<LogLevel> for Severity {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Debug => Self::Debug,
            LogLevel::Info => Self::Info,
            LogLevel::Warn => Self::Warn,
            LogLevel::Error => Self::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_both_ways_and_end_at_critical() {
        for number in 0..=5 {
            assert_eq!(Severity::from_number(number).number(), number);
        }
        assert_eq!(Severity::from_number(u32::MAX), Severity::Critical);
    }
}
