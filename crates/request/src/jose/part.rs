//! The parts of a token in compact form, each some bytes in base64url.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::malformed::{Malformed, Part};

/// The bytes of a part, which is not empty.
pub(super) fn decode(part: Part, text: &str) -> Result<Vec<u8>, Malformed> {
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(bytes) if !bytes.is_empty() => Ok(bytes),
        Ok(_) => Err(Malformed::Empty(part)),
        Err(error) => Err(Malformed::Encoding(part, error)),
    }
}
