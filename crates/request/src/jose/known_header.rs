//! The header that was read last, which that of the next token is like as not: an issuer signs with one key for weeks, and writes
//! the same header into each token.

use std::rc::Rc;

use super::jose_header::JoseHeader;
use super::malformed::{Malformed, Part};
use super::part;

/// A header with the text that it was read from. Nobody has vouched for it, and nobody needs to: the same text says the same.
#[derive(Debug, Default)]
pub struct KnownHeader(Option<(Box<str>, Rc<JoseHeader>)>);

impl KnownHeader {
    /// The header that a text says, in base64url.
    ///
    /// # Errors
    /// Those of [`JoseHeader::read`], and of a text that is not base64url.
    pub(super) fn read(&mut self, text: &str) -> Result<Rc<JoseHeader>, Malformed> {
        if let Some((known, header)) = &self.0
            && **known == *text
        {
            return Ok(Rc::clone(header));
        }
        let header = Rc::new(JoseHeader::read(&part::decode(Part::Header, text)?)?);
        self.0 = Some((text.into(), Rc::clone(&header)));
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::jose::Algorithm;

    #[test]
    fn tells_headers_apart_by_their_whole_text_and_keeps_none_that_is_refused() {
        let mut known = KnownHeader::default();
        let mut read =
            |json: &str| known.read(&URL_SAFE_NO_PAD.encode(json)).map(|header| (header.algorithm, header.key_id.clone()));
        let header = |algorithm, key_id: &str| Some((algorithm, Some(key_id.to_owned())));
        for _ in 0..2 {
            assert_eq!(read(r#"{"alg":"RS256","kid":"a"}"#).ok(), header(Algorithm::Rs256, "a"));
            assert_eq!(read(r#"{"alg":"RS256","kid":"a"}"#).ok(), header(Algorithm::Rs256, "a"));
            assert_eq!(read(r#"{"alg":"RS256","kid":"b"}"#).ok(), header(Algorithm::Rs256, "b"));
            assert_eq!(read(r#"{"alg":"ES256","kid":"b"}"#).ok(), header(Algorithm::Es256, "b"));
            for refused in ["{\"alg\":\"none\"}", "{\"alg\":\"RS256\",\"crit\":[]}", "{", ""] {
                assert!(read(refused).is_err() && read(refused).is_err(), "{refused}");
            }
        }
        assert!(known.read("e30=").is_err());
    }
}
