//! Names that no other token has.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The length of a name before it is written as text, in bytes.
const NAME_BYTES: usize = 16;

/// Makes names (`jti`): a part of the hash of a seed and a count.
///
/// The count tells the names of one seed apart, and 32 random bytes tell seeds apart, so neither a clock that is set back nor
/// another worker, restart or gateway makes a name again. The hash hides the count: nobody learns how many tokens there are.
pub struct Unique {
    seed: Zeroizing<[u8; 32]>,
    count: u64,
}

impl std::fmt::Debug for Unique {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Unique").finish_non_exhaustive()
    }
}

impl Unique {
    /// Names from a random seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self { seed: Zeroizing::new(seed), count: 0 }
    }

    /// The next name: 22 characters of base64url.
    pub fn next_name(&mut self) -> String {
        self.count = self.count.wrapping_add(1);
        let hash = Sha256::new().chain_update(*self.seed).chain_update(self.count.to_be_bytes()).finalize();
        URL_SAFE_NO_PAD.encode(hash.get(..NAME_BYTES).unwrap_or_default())
    }
}

/// What tells a text from others.
#[must_use]
pub fn digest(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}
