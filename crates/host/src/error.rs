//! What can go wrong with a call into the proxy.

use std::fmt;

use crate::abi;

/// A call into the proxy that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {cause}")]
pub struct Error {
    /// What was called, without its `proxy_`.
    pub call: &'static str,
    /// Why it failed.
    pub cause: Cause,
}

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The proxy answered with this status, which is not success.
    Status(u32),
    /// The proxy answered with success, but with something that its interface does not allow.
    Malformed,
}

/// The result of a call into the proxy.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The answer to a call that does not fit the interface.
    #[must_use]
    pub const fn malformed(call: &'static str) -> Self {
        Self { call, cause: Cause::Malformed }
    }

    /// Whether the proxy says that there is no such thing.
    #[must_use]
    pub const fn is_not_found(self) -> bool {
        matches!(self.cause, Cause::Status(1))
    }

    /// Whether somebody else has written before.
    #[must_use]
    pub const fn is_outdated(self) -> bool {
        matches!(self.cause, Cause::Status(8))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Malformed => "the proxy's answer is malformed",
            Self::Status(1) => "not found",
            Self::Status(2) => "bad argument",
            Self::Status(3) => "serialization failure",
            Self::Status(4) => "parse failure",
            Self::Status(5) => "bad expression",
            Self::Status(6) => "invalid memory access",
            Self::Status(7) => "empty",
            Self::Status(8) => "compare-and-swap mismatch",
            Self::Status(9) => "result mismatch",
            Self::Status(10) => "internal failure, or not among the plugin's capabilities",
            Self::Status(11) => "broken connection",
            Self::Status(12) => "unimplemented",
            Self::Status(status) => return write!(formatter, "status {status}"),
        };
        formatter.write_str(word)
    }
}

/// Turns the status of a call into a result.
///
/// # Errors
/// Every status but success.
pub const fn check(call: &'static str, status: u32) -> Result<()> {
    if status == abi::OK { Ok(()) } else { Err(Error { call, cause: Cause::Status(status) }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_call_and_the_cause() {
        assert_eq!(check("http_call", 0), Ok(()));
        for (status, sentence) in
            [(2, "http_call: bad argument"), (12, "http_call: unimplemented"), (4242, "http_call: status 4242")]
        {
            assert_eq!(check("http_call", status).unwrap_err().to_string(), sentence);
        }
        assert_eq!(Error::malformed("get_property").to_string(), "get_property: the proxy's answer is malformed");
    }

    #[test]
    fn only_status_1_means_absent() {
        assert!(check("get_property", 1).unwrap_err().is_not_found());
        assert!((2..20).all(|status| !check("get_property", status).unwrap_err().is_not_found()));
        assert!(!Error::malformed("get_property").is_not_found());
    }
}
