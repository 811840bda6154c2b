//! What does not fit, on its way out of the types: a pointer, because every step of every type hands it on.
//!
//! None of these functions is inlined: they would stand in the module as often as the configuration has keys.

use std::fmt::{self, Display};

use serde::de::{Error, Expected, Unexpected};

use super::key_in_path;
use crate::ConfigError;

/// A [`ConfigError`] behind a pointer.
#[derive(Debug)]
pub(super) struct Misfit(Box<ConfigError>);

impl Misfit {
    /// The same seen from the list that holds the value at this index.
    #[inline(never)]
    pub(super) fn at_index(self, index: usize) -> Self {
        self.within(&format!("[{index}]"))
    }

    /// The same seen from the object that holds the value under this key.
    #[inline(never)]
    pub(super) fn at_key(self, key: &str) -> Self {
        self.within(&key_in_path(key))
    }

    /// The same with a word on what would be right.
    #[inline(never)]
    pub(super) fn hint(self, hint: &str) -> Self {
        self.0.hint(hint).into()
    }

    fn within(self, prefix: &str) -> Self {
        self.0.within(prefix).into()
    }
}

impl From<ConfigError> for Misfit {
    #[inline(never)]
    fn from(error: ConfigError) -> Self {
        Self(Box::new(error))
    }
}

impl From<Misfit> for ConfigError {
    fn from(misfit: Misfit) -> Self {
        *misfit.0
    }
}

impl Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for Misfit {}

impl Error for Misfit {
    fn custom<T: Display>(message: T) -> Self {
        ConfigError::custom(message).into()
    }

    #[inline(never)]
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        ConfigError::invalid_type(unexpected, expected).into()
    }

    #[inline(never)]
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        ConfigError::invalid_value(unexpected, expected).into()
    }

    #[inline(never)]
    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        ConfigError::invalid_length(length, expected).into()
    }

    #[inline(never)]
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        ConfigError::unknown_variant(variant, expected).into()
    }

    #[inline(never)]
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        ConfigError::unknown_field(field, expected).into()
    }

    #[inline(never)]
    fn missing_field(field: &'static str) -> Self {
        ConfigError::missing_field(field).into()
    }

    #[inline(never)]
    fn duplicate_field(field: &'static str) -> Self {
        ConfigError::duplicate_field(field).into()
    }
}
