//! The one answer to whatever does not decrypt.

/// It cannot be decrypted. Why is not told, for whoever learns why can decrypt step by step what is not meant for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be decrypted")]
pub struct Undecryptable;
