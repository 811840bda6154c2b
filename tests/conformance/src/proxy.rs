//! A proxy that verifies signatures, as Envoy's `verify_signature` does: RSA and ECDSA, by a library that comes from BoringSSL.

use std::rc::Rc;

use portcullis_core::jose::{Hash, NativeSignatures, NoAnswer, Signatures};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};

thread_local! {
    static BY_PROXY: Signatures = Signatures::tested(Rc::new(Ring));
}

/// Signatures that the proxy verifies where it was found right, after the same test as in a real one.
#[must_use]
pub fn by_proxy() -> Signatures {
    BY_PROXY.with(Clone::clone)
}

struct Ring;

impl NativeSignatures for Ring {
    fn verify(&self, hash: Hash, key: &[u8], signature: &[u8], text: &[u8]) -> Result<bool, NoAnswer> {
        let (is_rsa, key) = public_key(key).ok_or(NoAnswer)?;
        let algorithm: &dyn VerificationAlgorithm = match (is_rsa, hash, key.len()) {
            (true, Hash::Sha256, _) => &RSA_PKCS1_2048_8192_SHA256,
            (true, Hash::Sha384, _) => &RSA_PKCS1_2048_8192_SHA384,
            (true, Hash::Sha512, _) => &RSA_PKCS1_2048_8192_SHA512,
            (false, Hash::Sha256, 65) => &ECDSA_P256_SHA256_ASN1,
            (false, Hash::Sha384, 97) => &ECDSA_P384_SHA384_ASN1,
            // The library has a curve with its own hash only, which is all that a JWS has.
            (false, _, 65 | 97) => return Ok(false),
            (false, ..) => return Err(NoAnswer),
        };
        Ok(UnparsedPublicKey::new(algorithm, key).verify(text, signature).is_ok())
    }
}

/// The key in a SubjectPublicKeyInfo (RFC 5280 section 4.1), and whether its algorithm is rsaEncryption.
fn public_key(spki: &[u8]) -> Option<(bool, &[u8])> {
    const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    let (content, _) = element(spki)?;
    let (algorithm, rest) = element(content)?;
    let (bits, _) = element(rest)?;
    Some((algorithm.starts_with(RSA_ENCRYPTION), bits.strip_prefix(&[0])?))
}

/// The content of the first element in DER, and what follows it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (size, rest) = match der.get(1..)? {
        [size, rest @ ..] if *size < 0x80 => (usize::from(*size), rest),
        [0x81, size, rest @ ..] => (usize::from(*size), rest),
        [0x82, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        _ => return None,
    };
    rest.split_at_checked(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_is_trusted_with_what_it_verifies() {
        let names: Vec<_> = by_proxy().by_proxy().iter().map(|algorithm| algorithm.as_str()).collect();
        assert_eq!(names, ["RS256", "RS384", "RS512", "ES256", "ES384"]);
    }
}
