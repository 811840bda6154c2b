//! Public keys as DER: SubjectPublicKeyInfo (RFC 5280 section 4.1), and PKCS #1 (RFC 8017 appendix A.1.1) for reading.

use pkcs1::{RsaPublicKeyRef, UintRef};
use spki::der::asn1::{BitStringRef, Null};
use spki::der::{Decode, Encode};
use spki::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::edwards_key::EdwardsKey;
use crate::elliptic_key::{Curve, EllipticKey};
use crate::key_error::KeyError;
use crate::rsa_key::RsaKey;
use crate::verification_key::Material;

/// `rsaEncryption` (RFC 8017 appendix A.1).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// `id-ecPublicKey` (RFC 5480 section 2.1.1).
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `id-Ed25519` (RFC 8410 section 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The name of a curve (RFC 5480 section 2.1.1.1).
const fn name_of(curve: Curve) -> ObjectIdentifier {
    match curve {
        Curve::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        Curve::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
        Curve::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
    }
}

/// An RSA key with these big-endian numbers.
pub(crate) fn of_rsa(modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let modulus = UintRef::new(modulus).ok()?;
    let key = RsaPublicKeyRef { modulus, public_exponent: UintRef::new(exponent).ok()? }.to_der().ok()?;
    encode(AlgorithmIdentifierRef { oid: RSA, parameters: Some(Null.into()) }, &key)
}

/// An ECDSA key with this uncompressed point.
pub(crate) fn of_point(curve: Curve, point: &[u8]) -> Option<Vec<u8>> {
    encode(AlgorithmIdentifierRef { oid: ELLIPTIC, parameters: Some((&name_of(curve)).into()) }, point)
}

fn encode(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> Option<Vec<u8>> {
    SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(key).ok()? }.to_der().ok()
}

/// The key in a SubjectPublicKeyInfo.
pub(crate) fn read(der: &[u8]) -> Result<Material, KeyError> {
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::NotAKey)?;
    let key = spki.subject_public_key.as_bytes().ok_or(KeyError::NotAKey)?;
    if spki.algorithm.oid == RSA {
        return read_rsa(key);
    }
    if spki.algorithm.oid == ED25519 {
        return EdwardsKey::new(key).map(Material::Edwards);
    }
    if spki.algorithm.oid != ELLIPTIC {
        return Err(KeyError::TypeUnsupported);
    }
    let name = spki.algorithm.parameters_oid().map_err(|_| KeyError::CurveUnsupported)?;
    let curve = Curve::ALL.into_iter().find(|curve| name_of(*curve) == name).ok_or(KeyError::CurveUnsupported)?;
    EllipticKey::from_point(curve, key).map(|key| Material::Elliptic(curve, key))
}

/// The key in an RSAPublicKey.
pub(crate) fn read_rsa(der: &[u8]) -> Result<Material, KeyError> {
    let key = RsaPublicKeyRef::from_der(der).map_err(|_| KeyError::NotAKey)?;
    RsaKey::new(key.modulus.as_bytes(), key.public_exponent.as_bytes()).map(Material::Rsa)
}
