//! Signed JSON Web Tokens in compact form (RFC 7515, RFC 7519): who signed one, and whether it holds here and now.
//!
//! A credential passes four steps, and each step is the only way to the next:
//! [`Token::parse`] (well formed; what it says is not to be believed) → [`KeySet::verify`] (signed with a key of the issuer, by
//! an algorithm that is allowed) → [`Verified`] → [`ClaimRules::check`] (for us, and now) → [`Accepted`].
//! Claims come out of the last two only, and out of a [`KnownToken`], which is what is kept of an accepted one. A [`Jws`] is a token
//! without regard to what it says.
//!
//! Refused everywhere: unsigned and encrypted tokens, headers that ask for extensions (`crit`, `b64`, `zip`), repeated names in
//! any JSON object, base64url with padding or stray bits, a `kid` that no key bears, an algorithm that does not fit the key.

mod accepted;
mod claim_rules;
mod claims;
mod jose_header;
mod jwk;
mod jws;
mod key_set;
mod known_header;
mod malformed;
mod part;
pub mod strict_json;
mod token;
mod token_key;

pub use accepted::{Accepted, KnownToken, Validity};
pub use claim_rules::{ClaimCheck, ClaimRules};
pub use jwk::SkipReason;
pub use jws::{Jws, MAX_TOKEN_BYTES};
pub use key_set::{KeySet, KeySetError, KeyView, SkippedKey};
pub use known_header::KnownHeader;
pub use malformed::{Malformed, Part};
pub use portcullis_signatures::{Algorithm, AlgorithmSet, Hash, NativeSignatures, NoAnswer, Signatures};
pub use token::{Token, Verified};

#[cfg(test)]
pub(crate) use portcullis_signatures::test_keys;
