//! A signed text in compact form (RFC 7515 section 7.1), before anybody has looked at what it says.

use std::fmt;
use std::rc::Rc;

use super::Algorithm;
use super::jose_header::JoseHeader;
use super::known_header::KnownHeader;
use super::malformed::{Malformed, Part};
use super::part::decode;

/// The longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A well-formed signed text. Nobody has vouched for it.
pub struct Jws<'a> {
    signed_text: &'a [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
    header: Rc<JoseHeader>,
}

impl<'a> Jws<'a> {
    /// Read a text in compact form.
    ///
    /// # Errors
    /// [`Malformed`], in this order: more than [`MAX_TOKEN_BYTES`]; anything but three non-empty parts of strict base64url; a
    /// header that is not an object with a known `alg`, or that asks for more than this crate does.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        Self::read_knowing(bytes, &mut KnownHeader::default())
    }

    /// The same, faster where the header is known already.
    pub(super) fn read_knowing(bytes: &'a [u8], known: &mut KnownHeader) -> Result<Self, Malformed> {
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(Malformed::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| Malformed::NotText(error.valid_up_to()))?;
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Malformed::Parts(text.split('.').count()));
        };
        let signed_text = bytes.get(..bytes.len().saturating_sub(signature.len()).saturating_sub(1)).unwrap_or_default();
        let (payload, signature) = (decode(Part::Claims, payload)?, decode(Part::Signature, signature)?);
        let header = known.read(header)?;
        Ok(Self { signed_text, payload, signature, header })
    }

    /// A signature apart from the text that is signed, which may be any bytes.
    #[must_use]
    pub fn detached(algorithm: Algorithm, signed_text: &'a [u8], signature: Vec<u8>) -> Self {
        let header = Rc::new(JoseHeader { algorithm, key_id: None, media_type: None });
        Self { signed_text, payload: Vec::new(), signature, header }
    }

    /// The algorithm that the text claims to be signed by.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.header.algorithm
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
        self.header.key_id.as_deref()
    }

    /// The header.
    pub(super) fn into_header(self) -> Rc<JoseHeader> {
        self.header
    }
}

impl fmt::Debug for Jws<'_> {
    /// Names the algorithm only: a token is a credential and must not reach a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Jws").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}
