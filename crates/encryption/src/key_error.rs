//! Why a key of the configuration is no key that decrypts here.

/// Why a key cannot be used. It says nothing of the key but its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A symmetric key is not as long as the algorithm asks for.
    #[error("the key has {found} bytes, and {algorithm} needs {needed}")]
    Length {
        /// The algorithm.
        algorithm: &'static str,
        /// The length that it asks for, in bytes.
        needed: usize,
        /// The length that the key has.
        found: usize,
    },
    /// No algorithm has keys of this length.
    #[error("no algorithm for encryption has keys of {0} bytes")]
    NoSuchLength(usize),
    /// The RSA modulus is outside 2048 to 4096 bits.
    #[error("the RSA key has fewer than 2048 or more than 4096 bits")]
    ModulusSize,
    /// The numbers make no private key.
    #[error("its numbers make no private key")]
    NotAKey,
}
