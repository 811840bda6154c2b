//! Who verifies signatures: the proxy, at native speed, where it was tested and found right; else the module.
//!
//! A proxy is believed about an algorithm only after it told right from wrong in a test of known answers, so one that says yes
//! to everything, or no, or nothing, is not asked again. A call that fails later is no answer, and the module verifies instead:
//! whoever verifies, the verdict is the same.

use std::fmt;
use std::rc::Rc;

use crate::algorithm::{Algorithm, AlgorithmSet};
use crate::hash::Hash;
use crate::known_answers;

/// A proxy that offers to verify signatures.
pub trait NativeSignatures {
    /// Whether `signature` is the signature of `text` by `key`, a DER SubjectPublicKeyInfo whose type (RSA or ECDSA) chooses
    /// the algorithm: RSASSA-PKCS1-v1_5, or ECDSA with its signature as DER.
    ///
    /// # Errors
    /// [`NoAnswer`], when the proxy does not say.
    fn verify(&self, hash: Hash, key: &[u8], signature: &[u8], text: &[u8]) -> Result<bool, NoAnswer>;
}

/// The proxy did not say whether a signature is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the proxy did not say whether the signature is right")]
pub struct NoAnswer;

/// Who verifies signatures.
#[derive(Clone, Default)]
pub struct Signatures {
    native: Option<Rc<dyn NativeSignatures>>,
    trusted: AlgorithmSet,
}

impl Signatures {
    /// The module verifies all of them.
    #[must_use]
    pub fn in_module() -> Self {
        Self::default()
    }

    /// The proxy verifies those of its algorithms about which it tells right from wrong, here and now.
    #[must_use]
    pub fn tested(native: Rc<dyn NativeSignatures>) -> Self {
        let trusted = known_answers::right_answers(&*native).collect();
        Self { native: Some(native), trusted }
    }

    /// The algorithms that the proxy was asked about and did not get right.
    #[must_use]
    pub fn not_by_proxy(&self) -> AlgorithmSet {
        let is_asked = self.native.is_some();
        known_answers::algorithms().filter(|algorithm| is_asked && !self.trusted.contains(*algorithm)).collect()
    }

    /// The algorithms that the proxy verifies.
    #[must_use]
    pub const fn by_proxy(&self) -> AlgorithmSet {
        self.trusted
    }

    /// What the proxy says of a signature; `None` where it is not asked or does not say.
    pub(crate) fn ask_proxy(&self, algorithm: Algorithm, key: &[u8], signature: &[u8], text: &[u8]) -> Option<bool> {
        if !self.trusted.contains(algorithm) {
            return None;
        }
        self.native.as_ref()?.verify(algorithm.hash(), key, signature, text).ok()
    }
}

impl fmt::Debug for Signatures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signatures").field("trusted", &self.trusted).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
