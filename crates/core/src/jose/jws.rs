//! A signed text in compact form (RFC 7515 section 7.1), before anybody has looked at what it says.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Algorithm;
use super::jose_header::JoseHeader;
use super::malformed::{Malformed, Part};

/// The longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A well-formed signed text. Nobody has vouched for it.
pub struct Jws<'a> {
    signed_text: &'a [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
    algorithm: Algorithm,
    key_id: Option<String>,
    media_type: Option<String>,
}

impl<'a> Jws<'a> {
    /// Read a text in compact form.
    ///
    /// # Errors
    /// [`Malformed`], in this order: more than [`MAX_TOKEN_BYTES`]; anything but three non-empty parts of strict base64url; a
    /// header that is not an object with a known `alg`, or that asks for more than this crate does.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(Malformed::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| Malformed::NotText(error.valid_up_to()))?;
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::Parts(text.split('.').count()));
        };
        let (header, payload) = (decode(Part::Header, header)?, decode(Part::Claims, payload)?);
        let signature = decode(Part::Signature, signature)?;
        let signed_text = text.rsplit_once('.').map(|(signed_text, _)| signed_text.as_bytes()).unwrap_or_default();

        let JoseHeader { algorithm, key_id, media_type } = JoseHeader::read(&header)?;
        Ok(Self { signed_text, payload, signature, algorithm, key_id, media_type })
    }

    /// A signature apart from the text that is signed, which may be any bytes.
    #[must_use]
    pub const fn detached(algorithm: Algorithm, signed_text: &'a [u8], signature: Vec<u8>) -> Self {
        Self { signed_text, payload: Vec::new(), signature, algorithm, key_id: None, media_type: None }
    }

    /// The algorithm that the text claims to be signed by.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What is signed (RFC 7515 section 5.1).
    pub(super) const fn signed_text(&self) -> &'a [u8] {
        self.signed_text
    }

    /// What is signed beside the header. It is given away once.
    pub(super) fn take_payload(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.payload)
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The header's `typ`.
    pub(super) fn into_media_type(self) -> Option<String> {
        self.media_type
    }
}

impl fmt::Debug for Jws<'_> {
    /// Names the algorithm only: a token is a credential and must not reach a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Jws").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The bytes of a non-empty part.
fn decode(part: Part, text: &str) -> Result<Vec<u8>, Malformed> {
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        Ok(_) => Err(Malformed::Empty(part)),
        Err(error) => Err(Malformed::Encoding(part, error)),
    }
}
