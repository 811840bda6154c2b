//! Keys as DER: PKCS #8 (RFC 5958) with RFC 5915 or RFC 8410 inside, and SubjectPublicKeyInfo (RFC 5280 section 4.1).

use pkcs8::der::Decode;
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef};
use sec1::EcPrivateKey;
use zeroize::Zeroizing;

use crate::{KeyProblem, PublicKey, SigningKey};

/// `id-ecPublicKey` (RFC 5480 section 2.1.1).
const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `secp256r1` (RFC 5480 section 2.1.1.1).
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// `id-Ed25519` (RFC 8410 section 3).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// How the private key of RFC 8410 section 7 begins: an octet string of 32 bytes.
const OCTETS_32: [u8; 2] = [0x04, 0x20];

/// The key in a PrivateKeyInfo.
pub(crate) fn private(der: &[u8]) -> Result<SigningKey, KeyProblem> {
    let info = PrivateKeyInfoRef::try_from(der).map_err(|_| KeyProblem::Malformed)?;
    let inner = info.private_key.as_bytes();
    if info.algorithm.oid == ED25519 {
        let seed = inner.strip_prefix(&OCTETS_32).and_then(|seed| seed.try_into().ok()).map(Zeroizing::<[u8; 32]>::new);
        let key = SigningKey::ed25519(&*seed.ok_or(KeyProblem::Malformed)?)?;
        let stated = info.public_key.as_ref().and_then(|bits| bits.as_bytes());
        return if stated.is_none_or(|stated| key.public().has_bytes(stated)) { Ok(key) } else { Err(KeyProblem::Mismatch) };
    }
    if info.algorithm.oid != ELLIPTIC || info.algorithm.parameters_oid() != Ok(P256) {
        return Err(KeyProblem::Kind);
    }
    let key = EcPrivateKey::from_der(inner).map_err(|_| KeyProblem::Malformed)?;
    let stated = key.public_key;
    let key = SigningKey::p256(key.private_key)?;
    if stated.is_none_or(|stated| key.public().has_bytes(stated)) { Ok(key) } else { Err(KeyProblem::Mismatch) }
}

/// The key in a SubjectPublicKeyInfo.
pub(crate) fn public(der: &[u8]) -> Result<PublicKey, KeyProblem> {
    let info = SubjectPublicKeyInfoRef::try_from(der).map_err(|_| KeyProblem::Malformed)?;
    let bytes = info.subject_public_key.as_bytes().ok_or(KeyProblem::Malformed)?;
    if info.algorithm.oid == ED25519 {
        return PublicKey::ed25519(bytes);
    }
    if info.algorithm.oid != ELLIPTIC || info.algorithm.parameters_oid() != Ok(P256) {
        return Err(KeyProblem::Kind);
    }
    PublicKey::p256_point(bytes)
}
