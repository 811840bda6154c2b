//! The nonces that the proxy gives out for proofs (RFC 9449 section 9). None is remembered: each is the keyed hash of the period in
//! which it is given out, and it is taken in that period and the next.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use portcullis_request::time::UnixTime;

/// What is hashed before the number of the period: the key may serve for something else too.
const PURPOSE: &[u8] = b"portcullis dpop nonce 1";
/// How much of the hash is a nonce.
const NONCE_BYTES: usize = 16;

/// Makes and knows nonces.
#[derive(Clone)]
pub struct Nonces {
    /// Absent where the key cannot be known: no nonce is right then.
    key: Option<Hmac<Sha256>>,
    period: Duration,
}

impl Nonces {
    /// Those of a key, each given out for this long, which is a second at least.
    #[must_use]
    pub fn new(key: Option<&[u8]>, period: Duration) -> Self {
        Self { key: key.and_then(|key| Hmac::new_from_slice(key).ok()), period }
    }

    /// The one that is given out now.
    #[must_use]
    pub fn current(&self, now: UnixTime) -> Option<String> {
        let hash = self.hash(self.number(now))?.finalize().into_bytes();
        Some(URL_SAFE_NO_PAD.encode(hash.get(..NONCE_BYTES)?))
    }

    /// Whether this is the one that is given out now, or the one before.
    #[must_use]
    pub fn accepts(&self, nonce: &str, now: UnixTime) -> bool {
        let Ok(nonce) = URL_SAFE_NO_PAD.decode(nonce) else { return false };
        let current = self.number(now);
        let is_of = |number| self.hash(number).is_some_and(|hash| hash.verify_truncated_left(&nonce).is_ok());
        nonce.len() == NONCE_BYTES && (is_of(current) || current.checked_sub(1).is_some_and(is_of))
    }

    fn number(&self, now: UnixTime) -> u64 {
        now.as_secs().checked_div(self.period.as_secs()).unwrap_or_default()
    }

    fn hash(&self, number: u64) -> Option<Hmac<Sha256>> {
        Some(self.key.clone()?.chain_update(PURPOSE).chain_update(number.to_be_bytes()))
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Nonces").field("period", &self.period).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_700_000_100);
    const PERIOD: Duration = Duration::from_secs(300);

    #[test]
    fn a_nonce_is_taken_in_its_period_and_the_next() {
        let nonces = Nonces::new(Some(&[7; 32]), PERIOD);
        let nonce = nonces.current(NOW).unwrap();
        let begin = NOW.as_secs() - NOW.as_secs() % 300;
        for (seconds, expected) in [(0, true), (299, true), (300, true), (599, true), (600, false), (1_000_000, false)] {
            assert_eq!(nonces.accepts(&nonce, UnixTime::from_secs(begin + seconds)), expected, "{seconds}");
        }
        assert!(!nonces.accepts(&nonce, UnixTime::from_secs(begin - 1)), "not before it is given out");
    }

    #[test]
    fn another_text_or_key_is_no_nonce() {
        let nonces = Nonces::new(Some(&[7; 32]), PERIOD);
        let nonce = nonces.current(NOW).unwrap();
        for other in ["", "a", nonce.split_at(8).1, &format!("{nonce}A"), &format!("{nonce}="), &"A".repeat(nonce.len())] {
            assert!(!nonces.accepts(other, NOW), "{other}");
        }
        let hash = nonces.hash(nonces.number(NOW)).unwrap().finalize().into_bytes();
        assert!(!nonces.accepts(&URL_SAFE_NO_PAD.encode(hash), NOW), "the whole hash");
        assert!(!nonces.accepts(&URL_SAFE_NO_PAD.encode(&hash[..1]), NOW), "a part of it");
        assert!(!Nonces::new(Some(&[8; 32]), PERIOD).accepts(&nonce, NOW));
        let unknown = Nonces::new(None, PERIOD);
        assert_eq!((unknown.current(NOW), unknown.accepts(&nonce, NOW)), (None, false));
    }

    #[test]
    fn debug_output_does_not_hold_the_key() {
        assert_eq!(format!("{:?}", Nonces::new(Some(&[7; 32]), PERIOD)), "Nonces { period: 300s, .. }");
    }
}
