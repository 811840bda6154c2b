//! Why something is no encrypted token that is decrypted here, told precisely to whoever holds it.
//!
//! A client is told the [`Rejection`] only. The sentences hold nothing of the token.

use std::fmt;

use crate::jose::MAX_TOKEN_BYTES;
use crate::rejection::Rejection;

/// A part of an encrypted token in compact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first: how it is encrypted.
    Header,
    /// The second.
    EncryptedKey,
    /// The third.
    Nonce,
    /// The fourth.
    Ciphertext,
    /// The fifth.
    Tag,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Header => "header",
            Self::EncryptedKey => "encrypted key",
            Self::Nonce => "initialization vector",
            Self::Ciphertext => "ciphertext",
            Self::Tag => "authentication tag",
        })
    }
}

/// The first thing that is wrong with an encrypted token's form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It has so many bytes.
    #[error("it is {0} bytes long, and more than {MAX_TOKEN_BYTES} are not looked at")]
    TooLong(usize),
    /// It has not five parts.
    #[error("an encrypted token has five parts with dots between them")]
    Parts,
    /// The part is empty.
    #[error("the {0} is empty")]
    Empty(Part),
    /// The part is not base64url.
    #[error("the {0} is not unpadded base64url")]
    Encoding(Part),
    /// The header is not a JSON object, or an object in it repeats a name.
    #[error("the header is not a JSON object that every reader understands alike")]
    Header,
    /// The header holds a parameter that changes how the token is to be read.
    #[error("the header holds `{0}`, which asks for more than is done here")]
    Parameter(&'static str),
    /// The header parameter is missing, or is not what it must be.
    #[error("`{0}` in the header is missing or is not what it must be")]
    ParameterType(&'static str),
    /// The key is encrypted in a way that tells too much or costs too much.
    #[error("`alg` in the header is {0}, which is not decrypted: {1}")]
    AlgorithmUnsafe(&'static str, &'static str),
    /// The header names no way to encrypt a key that exists here.
    #[error("`alg` in the header names no key management algorithm that exists here")]
    AlgorithmUnknown,
    /// The header names no content encryption that exists here.
    #[error("`enc` in the header names no content encryption that exists here")]
    EncryptionUnknown,
}

impl Malformed {
    /// What the client is told.
    #[must_use]
    pub const fn rejection(&self) -> Rejection {
        match self {
            Self::TooLong(_) => Rejection::TokenTooLarge,
            Self::AlgorithmUnsafe(..) | Self::AlgorithmUnknown | Self::EncryptionUnknown => Rejection::AlgorithmNotAllowed,
            _ => Rejection::TokenMalformed,
        }
    }
}

impl From<Malformed> for Rejection {
    fn from(malformed: Malformed) -> Self {
        malformed.rejection()
    }
}
