//! The key of a chain, and the two hashes of a record.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::{Digest, Sha256};

/// A SHA-256, of a text or with a key.
pub(crate) type Hash = [u8; 32];

/// How long a hash is as base64url.
pub(crate) const TEXT_BYTES: usize = 43;

/// The key of the MACs. Whoever has it can verify, and write.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// The key with these bytes; `None` only where the hash takes no key of that length, which none does.
    #[must_use]
    pub fn new(key: &[u8]) -> Option<Self> {
        Hmac::new_from_slice(key).ok().map(Self)
    }

    /// The MAC of a text with this hash.
    pub(crate) fn mac(&self, hash: &Hash) -> Hash {
        self.0.clone().chain_update(hash).finalize().into_bytes().into()
    }

    /// Whether this is the MAC of a text with this hash, told in constant time.
    pub(crate) fn made(&self, mac: &Hash, hash: &Hash) -> bool {
        self.0.clone().chain_update(hash).verify_slice(mac).is_ok()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MacKey").finish_non_exhaustive()
    }
}

/// The hash of a text.
pub(crate) fn hash(text: &[u8]) -> Hash {
    Sha256::digest(text).into()
}

/// A hash as text.
pub(crate) fn encode(hash: &Hash) -> String {
    URL_SAFE_NO_PAD.encode(hash)
}

/// The hash that a text is the only writing of.
pub(crate) fn decode(text: &[u8]) -> Option<Hash> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}
