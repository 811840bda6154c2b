//! Which configuration is in force: a number that tells it from others, and nothing of its secrets.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::config::document::canonical;

/// The version of a configuration: the first 48 bits of the SHA-256 of its [canonical](canonical) text, so that a double, which is what a
/// Prometheus holds, has it exactly. Its text is twelve hexadecimal digits.
///
/// Secrets are no part of it, neither those that the configuration reads from the environment nor those that stand in it, and nothing by
/// which one could be recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigVersion(u64);

impl ConfigVersion {
    /// The version of the configuration that these bytes hold, be they JSON or a Struct of the proxy's.
    #[must_use]
    pub fn of(document: &[u8]) -> Self {
        let hash: [u8; 32] = Sha256::digest(canonical(document)).into();
        let [a, b, c, d, e, f, ..] = hash;
        Self(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ConfigVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:012x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_common_tools_make_of_the_configuration() {
        // printf '{"a":1,"b":2}' | sha256sum
        let version = ConfigVersion::of(br#" {"b": 2, "a": 1} "#);
        assert_eq!(version.to_string(), "43258cff783f");
        assert_eq!(version.get(), 0x4325_8cff_783f);
        assert_eq!(ConfigVersion::of(br#"{"b":2,"a":1}"#), version);
        assert_ne!(ConfigVersion::of(br#"{"b":2,"a":2}"#), version);
        assert_eq!(ConfigVersion(0xff).to_string(), "0000000000ff");
    }
}
