//! Whether a condition holds, as far as a configuration can tell.

/// An answer. What cannot be expressed in a configuration is in doubt; whoever uses the answer takes the stricter way then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It does not.
    No,
    /// It may or may not.
    Doubt,
    /// It does.
    Yes,
}

impl Truth {
    /// The opposite; doubt stays.
    pub const fn negated(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Doubt => Self::Doubt,
            Self::Yes => Self::No,
        }
    }
}
