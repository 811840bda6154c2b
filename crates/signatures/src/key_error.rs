//! Why a key is none that verifies here.

/// Why a key is none that verifies here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is of another type than RSA, ECDSA and Ed25519.
    #[error("its type is not RSA, ECDSA or Ed25519")]
    TypeUnsupported,
    /// It is on another curve than P-256, P-384 and P-521.
    #[error("its curve is not P-256, P-384 or P-521")]
    CurveUnsupported,
    /// Its RSA modulus is too short or too long.
    #[error("its RSA modulus is not 2048 to 4096 bits long")]
    ModulusSize,
    /// Its RSA exponent is unusual.
    #[error("its RSA exponent is not 65537")]
    Exponent,
    /// Its numbers are no public key.
    #[error("its numbers are not a valid public key")]
    NotAKey,
}
