//! The status that a host call returns.

/// A status of the ABI (`proxy_status_t`), or a number that the ABI does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// The call did what it says.
    pub const OK: Self = Self(0);
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(1);
    /// An argument is wrong, or does not fit the state of the stream.
    pub const BAD_ARGUMENT: Self = Self(2);
    /// Serialised bytes cannot be read.
    pub const PARSE_FAILURE: Self = Self(4);
    /// A pointer lies outside of the module's memory.
    pub const INVALID_MEMORY_ACCESS: Self = Self(6);
    /// A compare-and-swap lost.
    pub const CAS_MISMATCH: Self = Self(8);
    /// The host failed.
    pub const INTERNAL_FAILURE: Self = Self(10);

    /// Every status of the ABI but OK, and two numbers that it does not know.
    #[must_use]
    pub fn failures() -> Vec<Self> {
        (1..=12).chain([99, u32::MAX]).map(Self).collect()
    }
}
