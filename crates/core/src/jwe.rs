//! Encrypted tokens in compact form (JWE, RFC 7516): what one says of itself, and what is in it.
//!
//! [`EncryptedToken::read`] (well formed, and asking for nothing that is not done here) → [`DecryptionKeys::open`] (with the one key
//! that is meant) → the bytes in it, which are then read as any other token: they must be a signed one. What is in it is given
//! out only after its tag was verified.
//!
//! Refused before any key is touched: `RSA1_5` and `PBES2-…` by name (how often the latter hashes a password, `p2c`, is never
//! looked at), `zip`, `crit` and `b64`, repeated names in the header, base64url with padding or stray bits, an ephemeral key that is
//! not on P-256. The keys that a token names or brings (`jku`, `jwk`, `x5u`, `x5c`) are not looked at.

mod decryption_keys;
mod encrypted_token;
mod header;
mod jwk;
mod malformed;

pub use decryption_keys::{DecryptionKeys, KeysError};
pub use encrypted_token::EncryptedToken;
pub use jwk::SkipReason;
pub use malformed::{Malformed, Part};

/// How many parts an encrypted token has in compact form.
pub const PARTS: usize = 5;

#[cfg(test)]
pub(crate) mod tests;
