//! Names in place of names: the same for the same value, and told by nobody who has not the key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What every pseudonym begins with.
pub const PREFIX: &str = "hmac:";
/// How much of the hash is kept.
const KEPT_BYTES: usize = 16;

/// Makes pseudonyms: `hmac:` and the first 16 bytes of the HMAC-SHA256 of the value, in base64url.
#[derive(Clone)]
pub struct Pseudonyms {
    /// Absent where the key cannot be known: every pseudonym is the same then.
    key: Option<Hmac<Sha256>>,
}

impl Pseudonyms {
    /// Those of a key; `None` for a key that cannot be known here.
    #[must_use]
    pub fn new(key: Option<&[u8]>) -> Self {
        Self { key: key.and_then(|key| Hmac::new_from_slice(key).ok()) }
    }

    /// The pseudonym of a value.
    #[must_use]
    pub fn of(&self, value: &str) -> String {
        let hash = self.key.clone().map(|key| key.chain_update(value.as_bytes()).finalize().into_bytes());
        let kept = hash.as_ref().and_then(|hash| hash.get(..KEPT_BYTES)).unwrap_or_default();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(kept))
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pseudonyms").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_others_compute_and_needs_the_key() {
        // printf %s alice | openssl dgst -sha256 -hmac kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk -binary | head -c 16 | basenc --base64url
        let pseudonyms = Pseudonyms::new(Some(&[b'k'; 32]));
        assert_eq!(pseudonyms.of("alice"), "hmac:ZmSkIEjG1tf-NlfjmxQVXA");
        assert_ne!(pseudonyms.of("alice"), pseudonyms.of("bob"));
        assert_ne!(pseudonyms.of("alice"), Pseudonyms::new(Some(&[b'l'; 32])).of("alice"));
        assert_eq!(Pseudonyms::new(None).of("alice"), "hmac:");
        assert!(!format!("{pseudonyms:?}").contains("kk"));
    }
}
