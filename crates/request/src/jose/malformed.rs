//! Why something is no token that is read here, told precisely to whoever holds it.
//!
//! A client is told the [`Rejection`] only. The sentences here hold places and names, and nothing else of the token.

use std::fmt;

use base64::DecodeError;

use super::jws::MAX_TOKEN_BYTES;
use crate::rejection::Rejection;

/// A part of a token in compact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first: what it is signed with.
    Header,
    /// The second.
    Claims,
    /// The third.
    Signature,
}

impl fmt::Display for Part {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Header => "header",
            Self::Claims => "claims",
            Self::Signature => "signature",
        })
    }
}

/// The first thing that is wrong with a token's form.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It has so many bytes.
    #[error("it is {0} bytes long, and more than {MAX_TOKEN_BYTES} are not looked at")]
    TooLong(usize),
    /// The byte at this offset is not UTF-8.
    #[error("it is not text: byte {0} is not UTF-8")]
    NotText(usize),
    /// It has so many parts.
    #[error("{}", parts(*.0))]
    Parts(usize),
    /// The part is empty.
    #[error("{}", empty(*.0))]
    Empty(Part),
    /// The part is not base64url.
    #[error("the {0} is not unpadded base64url: {why}", why = base64url(.1))]
    Encoding(Part, DecodeError),
    /// The part is not JSON, or an object in it repeats a name.
    #[error("the {0} is not JSON that every reader understands alike: {1}")]
    Json(Part, serde_json::Error),
    /// The part is JSON, but not an object.
    #[error("the {0} is not a JSON object")]
    NotAnObject(Part),
    /// The header holds a parameter that changes how the token is to be read.
    #[error("the header holds `{0}`, which asks for more than is done here")]
    Parameter(&'static str),
    /// The header parameter is not a string.
    #[error("`{0}` in the header is not a string")]
    ParameterType(&'static str),
    /// The header names no algorithm.
    #[error("the header names no algorithm: `alg` is missing")]
    AlgorithmMissing,
    /// The header names no [`Algorithm`](super::Algorithm).
    #[error("`alg` in the header names no algorithm that exists here; `none` is not one")]
    AlgorithmUnknown,
    /// The registered claim is of another type (RFC 7519 section 4.1).
    #[error("the claim `{0}` is not {expected}", expected = claim_type(.0))]
    Claim(&'static str),
}

impl Malformed {
    /// What the client is told.
    #[must_use]
    pub const fn rejection(&self) -> Rejection {
        match self {
            Self::TooLong(_) => Rejection::TokenTooLarge,
            Self::AlgorithmUnknown => Rejection::AlgorithmNotAllowed,
            _ => Rejection::TokenMalformed,
        }
    }
}

impl From<Malformed> for Rejection {
    fn from(malformed: Malformed) -> Self {
        malformed.rejection()
    }
}

fn parts(count: usize) -> String {
    match count {
        1 => "it has no dot; a signed token has three parts with dots between them".to_owned(),
        5 => "it has five parts, so it is encrypted (JWE), and only signed tokens (JWS) are read here".to_owned(),
        count => format!("it has {count} parts with dots between them; a signed token has three"),
    }
}

fn empty(part: Part) -> String {
    match part {
        Part::Signature => "the signature is empty: the token is not signed".to_owned(),
        part => format!("the {part} is empty"),
    }
}

fn base64url(error: &DecodeError) -> String {
    match *error {
        DecodeError::InvalidByte(at, b'+' | b'/') => format!("byte {at} of it belongs to base64, not to base64url"),
        DecodeError::InvalidByte(at, byte) if byte.is_ascii_whitespace() => format!("byte {at} of it is white space"),
        DecodeError::InvalidByte(at, _) => format!("byte {at} of it does not belong to the alphabet"),
        DecodeError::InvalidLength(length) => format!("no bytes are written with {length} characters"),
        DecodeError::InvalidLastSymbol(at, _) => format!("byte {at}, its last, has bits set that belong to no byte"),
        DecodeError::InvalidPadding => "it ends with padding, `=`".to_owned(),
    }
}

fn claim_type(name: &str) -> &'static str {
    match name {
        "exp" | "nbf" | "iat" => "a number of seconds since 1970, at most to the year 9999",
        "aud" => "a string or a list of strings",
        _ => "a string",
    }
}
