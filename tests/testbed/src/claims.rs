//! The claims of a token to be signed: any names, any JSON values.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

/// Claims under construction.
#[derive(Debug, Clone, Default)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// No claims at all.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same claims and this one, in place of one with the same name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// The same claims without one.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The same claims, expiring this many seconds from now; before now when negative.
    #[must_use]
    pub fn expiring_in(self, seconds: i64) -> Self {
        self.with("exp", now() + seconds)
    }

    /// As a JSON object.
    #[must_use]
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }
}

/// Whole seconds since the epoch.
pub(crate) fn now() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX)
}
