//! ECDSA public keys (RFC 7518 section 6.2) and their signatures (RFC 7518 section 3.4).
//!
//! Each curve serves one algorithm. Refused: a point off the curve, a signature that is not `r‖s` of exactly the curve's length,
//! `r` or `s` that is 0 or not less than the order. Both values of `s` are taken: a JWS does not promise the lower one.

use p256::ecdsa::signature::Verifier;
use p256::elliptic_curve::point::AffineCoordinates;

use crate::algorithm::Algorithm;
use crate::ecdsa_der::EcdsaDer;
use crate::key_error::KeyError;
use crate::spki;

/// The first byte of an uncompressed point (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A curve with an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
}

impl Curve {
    /// Every curve.
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// Its `crv`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    /// The one algorithm that its keys serve.
    pub(crate) const fn algorithm(self) -> Algorithm {
        match self {
            Self::P256 => Algorithm::Es256,
            Self::P384 => Algorithm::Es384,
            Self::P521 => Algorithm::Es512,
        }
    }

    /// The length of a coordinate, and of each half of a signature, in bytes.
    pub(crate) const fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// An ECDSA public key.
#[derive(Debug)]
pub struct EllipticKey {
    point: Point,
    spki: Vec<u8>,
}

#[derive(Debug)]
enum Point {
    P256(Box<p256::ecdsa::VerifyingKey>),
    P384(Box<p384::ecdsa::VerifyingKey>),
    P521(Box<p521::ecdsa::VerifyingKey>),
}

/// A signature whose numbers are in range.
pub(crate) enum Signature {
    P256(p256::ecdsa::Signature),
    P384(p384::ecdsa::Signature),
    P521(p521::ecdsa::Signature),
}

impl EllipticKey {
    /// The key with these coordinates, each of exactly the curve's length (RFC 7518 section 6.2.1).
    ///
    /// # Errors
    /// [`KeyError`], when they make no key that verifies here.
    pub fn new(curve: Curve, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        // From coordinates and not from an encoded point, which may be a compressed one: that would bring square roots along.
        macro_rules! on {
            ($curve:ident) => {{
                let coordinates = x.try_into().ok().zip(y.try_into().ok());
                let point = coordinates.and_then(|(x, y)| $curve::AffinePoint::from_coordinates(x, y).into_option());
                point.and_then(|point| $curve::ecdsa::VerifyingKey::from_affine(point).ok()).map(Box::new)
            }};
        }
        let point = match curve {
            Curve::P256 => on!(p256).map(Point::P256),
            Curve::P384 => on!(p384).map(Point::P384),
            Curve::P521 => on!(p521).map(Point::P521),
        };
        let point = point.ok_or(KeyError::NotAKey)?;
        let spki = spki::of_point(curve, &[&[UNCOMPRESSED], x, y].concat()).ok_or(KeyError::NotAKey)?;
        Ok(Self { point, spki })
    }

    /// The key with this uncompressed point (SEC 1 section 2.3.3).
    pub(crate) fn from_point(curve: Curve, bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes.split_first() {
            Some((&UNCOMPRESSED, coordinates)) => {
                let (x, y) = coordinates.split_at_checked(curve.size()).ok_or(KeyError::NotAKey)?;
                Self::new(curve, x, y)
            }
            _ => Err(KeyError::NotAKey),
        }
    }

    /// The key as a DER SubjectPublicKeyInfo.
    pub(crate) fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The signature in these bytes; `None` when its length or one of its numbers is out of range.
    pub(crate) fn signature(&self, bytes: &[u8]) -> Option<Signature> {
        match &self.point {
            Point::P256(_) => p256::ecdsa::Signature::from_slice(bytes).ok().map(Signature::P256),
            Point::P384(_) => p384::ecdsa::Signature::from_slice(bytes).ok().map(Signature::P384),
            Point::P521(_) => p521::ecdsa::Signature::from_slice(bytes).ok().map(Signature::P521),
        }
    }

    /// Whether this is the key's signature of a text.
    pub(crate) fn verifies(&self, text: &[u8], signature: &Signature) -> bool {
        match (&self.point, signature) {
            (Point::P256(key), Signature::P256(signature)) => key.verify(text, signature).is_ok(),
            (Point::P384(key), Signature::P384(signature)) => key.verify(text, signature).is_ok(),
            (Point::P521(key), Signature::P521(signature)) => key.verify(text, signature).is_ok(),
            _ => false,
        }
    }
}

impl Signature {
    /// The signature as DER (RFC 3279 section 2.2.3), which is how a proxy's library reads it.
    pub fn to_der(&self) -> EcdsaDer {
        match self {
            Self::P256(signature) => EcdsaDer::new(&signature.to_bytes()),
            Self::P384(signature) => EcdsaDer::new(&signature.to_bytes()),
            Self::P521(signature) => EcdsaDer::new(&signature.to_bytes()),
        }
    }
}
