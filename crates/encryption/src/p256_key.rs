//! Private keys on P-256, and what they agree upon with somebody's ephemeral key (RFC 7518 section 4.6).
//!
//! A point off the curve is refused before anything is multiplied: the answers to such points would tell the key bit by bit.

use std::fmt;

use p256::elliptic_curve::point::AffineCoordinates;
use zeroize::Zeroizing;

use crate::key_error::KeyError;
use crate::undecryptable::Undecryptable;

/// A private key on P-256.
#[derive(Clone)]
pub struct P256Key(p256::SecretKey);

impl P256Key {
    /// The key with these numbers, each of exactly 32 bytes (RFC 7518 section 6.2): the private one, and its public point, which
    /// must belong to it.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`].
    pub fn new(d: &[u8], x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let key = p256::SecretKey::from_slice(d).map_err(|_| KeyError::NotAKey)?;
        let point = point(x, y).map_err(|_| KeyError::NotAKey)?;
        if d.len() == x.len() && key.public_key() == point { Ok(Self(key)) } else { Err(KeyError::NotAKey) }
    }

    /// What this key and the owner of the point agree upon.
    pub(crate) fn agree(&self, x: &[u8], y: &[u8]) -> Result<Zeroizing<Vec<u8>>, Undecryptable> {
        let point = point(x, y)?;
        let shared = p256::ecdh::diffie_hellman(self.0.to_nonzero_scalar(), point.as_affine());
        Ok(Zeroizing::new(shared.raw_secret_bytes().to_vec()))
    }
}

impl fmt::Debug for P256Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("P256Key([secret])")
    }
}

/// The point with these coordinates, when it is one of the curve.
fn point(x: &[u8], y: &[u8]) -> Result<p256::PublicKey, Undecryptable> {
    let (x, y) = x.try_into().ok().zip(y.try_into().ok()).ok_or(Undecryptable)?;
    let point = p256::AffinePoint::from_coordinates(x, y).into_option().ok_or(Undecryptable)?;
    p256::PublicKey::from_affine(point).map_err(|_| Undecryptable)
}
