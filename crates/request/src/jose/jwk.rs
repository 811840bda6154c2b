//! One JSON Web Key (RFC 7517) as a key that verifies, or the reason why it does not.
//!
//! A key serves the algorithm that its `alg` names, or all that fit its type. Skipped: private keys, keys for something else
//! than verifying signatures, numbers that [`RsaKey`], [`EllipticKey`] or [`EdwardsKey`] refuses, short secrets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_signatures::{
    Algorithm, AlgorithmSet, Curve, EdwardsKey, EllipticKey, KeyError, Material, RsaKey, SecretKey, VerificationKey,
};
use serde_json::{Map, Value};

use portcullis_config::secret::{MIN_SECRET_BYTES, PRIVATE_MEMBERS};

/// Why a key of a key set is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// It is not a JSON object.
    #[error("it is not an object")]
    NotAnObject,
    /// Its `kid` is not text.
    #[error("its `kid` is not a string")]
    KeyIdNotText,
    /// Its `alg` does not exist here, or does not fit the key.
    #[error("its `alg` is not supported, or does not fit its type")]
    AlgorithmUnsupported,
    /// It is not for signatures.
    #[error("its `use` is not `sig`")]
    NotForSignatures,
    /// It is not for verifying.
    #[error("its `key_ops` do not hold `verify`")]
    NotForVerifying,
    /// It holds what only the signer may know.
    #[error("it holds a private key; publish the public part only")]
    Private,
    /// A member that it needs is missing, or is not base64url.
    #[error("a member that its type needs is missing or is not unpadded base64url")]
    MemberMalformed,
    /// It is not PEM, or PEM of something else.
    #[error("it is not PEM with the label `PUBLIC KEY` or `RSA PUBLIC KEY`")]
    NotPem,
    /// Its secret can be guessed.
    #[error("its secret is shorter than 32 bytes")]
    SecretTooShort,
    /// It is no key that verifies here.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Read a member of `keys`.
///
/// # Errors
/// The reason why it cannot be used.
pub(super) fn read(jwk: &Value) -> Result<VerificationKey, SkipReason> {
    let jwk = jwk.as_object().ok_or(SkipReason::NotAnObject)?;
    let id = key_id(jwk)?;
    check_purpose(jwk)?;
    let material = match jwk.get("kty").and_then(Value::as_str) {
        Some("RSA") => Material::Rsa(RsaKey::new(&bytes(jwk, "n")?, &bytes(jwk, "e")?)?),
        Some("EC") => elliptic(jwk)?,
        Some("OKP") => edwards(jwk)?,
        Some("oct") => secret(&bytes(jwk, "k")?)?,
        _ => return Err(SkipReason::Key(KeyError::TypeUnsupported)),
    };
    let algorithms = match jwk.get("alg") {
        None => material.algorithms(),
        Some(named) => only(named.as_str().and_then(Algorithm::parse), &material)?,
    };
    Ok(VerificationKey { id, algorithms, material })
}

/// The `kid` of a key.
pub(super) fn key_id(jwk: &Map<String, Value>) -> Result<Option<String>, SkipReason> {
    match jwk.get("kid") {
        None => Ok(None),
        Some(id) => id.as_str().map(|id| Some(id.to_owned())).ok_or(SkipReason::KeyIdNotText),
    }
}

/// The algorithm that a key is published for, when it exists and fits the key.
pub(super) fn only(named: Option<Algorithm>, material: &Material) -> Result<AlgorithmSet, SkipReason> {
    let fitting = named.filter(|algorithm| material.algorithms().contains(*algorithm));
    fitting.map(|algorithm| AlgorithmSet::default().with(algorithm)).ok_or(SkipReason::AlgorithmUnsupported)
}

/// Whether a key is public, and for verifying signatures.
pub(super) fn check_purpose(jwk: &Map<String, Value>) -> Result<(), SkipReason> {
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err(SkipReason::NotForSignatures);
    }
    let verifies = |operations: &Value| operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"));
    if jwk.get("key_ops").is_some_and(|operations| !verifies(operations)) {
        return Err(SkipReason::NotForVerifying);
    }
    if PRIVATE_MEMBERS.iter().any(|member| jwk.contains_key(*member)) {
        return Err(SkipReason::Private);
    }
    Ok(())
}

fn bytes(jwk: &Map<String, Value>, member: &str) -> Result<Vec<u8>, SkipReason> {
    let text = jwk.get(member).and_then(Value::as_str).ok_or(SkipReason::MemberMalformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| SkipReason::MemberMalformed)
}

fn elliptic(jwk: &Map<String, Value>) -> Result<Material, SkipReason> {
    let name = jwk.get("crv").and_then(Value::as_str);
    let curve =
        Curve::ALL.into_iter().find(|curve| name == Some(curve.as_str())).ok_or(SkipReason::Key(KeyError::CurveUnsupported))?;
    Ok(Material::Elliptic(curve, EllipticKey::new(curve, &bytes(jwk, "x")?, &bytes(jwk, "y")?)?))
}

fn edwards(jwk: &Map<String, Value>) -> Result<Material, SkipReason> {
    if jwk.get("crv").is_none_or(|curve| curve != "Ed25519") {
        return Err(SkipReason::Key(KeyError::CurveUnsupported));
    }
    Ok(Material::Edwards(EdwardsKey::new(&bytes(jwk, "x")?)?))
}

/// A secret that cannot be guessed.
pub(super) fn secret(bytes: &[u8]) -> Result<Material, SkipReason> {
    if bytes.len() < MIN_SECRET_BYTES {
        return Err(SkipReason::SecretTooShort);
    }
    SecretKey::new(bytes).map(|key| Material::Secret(Box::new(key))).ok_or(SkipReason::Key(KeyError::NotAKey))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::test_keys::{self, TestKeys};
    use serde_json::json;

    fn served(jwk: &Value) -> Result<Vec<&'static str>, SkipReason> {
        read(jwk).map(|key| key.algorithms.iter().map(Algorithm::as_str).collect())
    }

    fn with(jwk: &Value, member: &str, value: Value) -> Value {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        jwk
    }

    #[test]
    fn serves_the_algorithms_that_fit_its_type_or_the_one_it_names() {
        let keys = TestKeys::get();
        let (rsa, p256, ed25519) = (keys.rsa_jwk(), keys.p256_jwk(), keys.ed25519_jwk());
        let oct = test_keys::oct_jwk(&[7; 32]);
        let cases = [
            (rsa.clone(), Ok(vec!["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])),
            (with(&rsa, "alg", json!("PS256")), Ok(vec!["PS256"])),
            (with(&rsa, "alg", json!("RS384")), Ok(vec!["RS384"])),
            (with(&rsa, "alg", json!("RSA-OAEP")), Err(SkipReason::AlgorithmUnsupported)),
            (with(&rsa, "alg", json!("HS256")), Err(SkipReason::AlgorithmUnsupported)),
            (with(&rsa, "alg", json!("none")), Err(SkipReason::AlgorithmUnsupported)),
            (with(&rsa, "alg", json!(null)), Err(SkipReason::AlgorithmUnsupported)),
            (p256.clone(), Ok(vec!["ES256"])),
            (with(&p256, "alg", json!("ES384")), Err(SkipReason::AlgorithmUnsupported)),
            (keys.p384_jwk(), Ok(vec!["ES384"])),
            (keys.p521_jwk(), Ok(vec!["ES512"])),
            (ed25519, Ok(vec!["EdDSA"])),
            (oct.clone(), Ok(vec!["HS256", "HS384", "HS512"])),
            (with(&oct, "alg", json!("RS256")), Err(SkipReason::AlgorithmUnsupported)),
        ];
        for (jwk, expected) in cases {
            assert_eq!(served(&jwk), expected, "{jwk}");
        }
    }

    #[test]
    fn skips_keys_that_are_not_for_verifying() {
        let rsa = TestKeys::get().rsa_jwk();
        let cases = [
            ("use", json!("enc"), SkipReason::NotForSignatures),
            ("use", json!(null), SkipReason::NotForSignatures),
            ("key_ops", json!(["encrypt"]), SkipReason::NotForVerifying),
            ("key_ops", json!([]), SkipReason::NotForVerifying),
            ("key_ops", json!("verify"), SkipReason::NotForVerifying),
            ("d", json!("AQAB"), SkipReason::Private),
            ("oth", json!([]), SkipReason::Private),
            ("priv", json!("AQAB"), SkipReason::Private),
            ("kid", json!(7), SkipReason::KeyIdNotText),
            ("kty", json!("rsa"), SkipReason::Key(KeyError::TypeUnsupported)),
        ];
        for (member, value, expected) in cases {
            assert_eq!(served(&with(&rsa, member, value)), Err(expected), "{member}");
        }
        assert!(served(&with(&rsa, "use", json!("sig"))).is_ok());
        assert!(served(&with(&rsa, "key_ops", json!(["sign", "verify"]))).is_ok());
        assert_eq!(served(&json!("text")), Err(SkipReason::NotAnObject));
    }

    #[test]
    fn skips_weak_and_broken_numbers() {
        let keys = TestKeys::get();
        let (rsa, p256, ed25519) = (keys.rsa_jwk(), keys.p256_jwk(), keys.ed25519_jwk());
        let number = |size: usize| json!(URL_SAFE_NO_PAD.encode(vec![0xff; size]));
        // y = p + 1, which is 1 in its shortest encoding; the last byte is without the sign.
        let point = |first: &[u8]| json!(URL_SAFE_NO_PAD.encode([first, &[0xff; 30], &[0x7f]].concat()));
        let cases = [
            ("1024 bits", with(&rsa, "n", number(128)), SkipReason::Key(KeyError::ModulusSize)),
            (
                "2047 bits",
                with(&rsa, "n", json!(URL_SAFE_NO_PAD.encode([vec![0x7f], vec![0xff; 255]].concat()))),
                SkipReason::Key(KeyError::ModulusSize),
            ),
            ("4104 bits", with(&rsa, "n", number(513)), SkipReason::Key(KeyError::ModulusSize)),
            ("even modulus", with(&rsa, "n", json!(URL_SAFE_NO_PAD.encode(vec![0xfe; 256]))), SkipReason::Key(KeyError::NotAKey)),
            ("no modulus", with(&rsa, "n", json!("")), SkipReason::Key(KeyError::ModulusSize)),
            ("exponent 1", with(&rsa, "e", json!("AQ")), SkipReason::Key(KeyError::Exponent)),
            ("exponent 3", with(&rsa, "e", json!("Aw")), SkipReason::Key(KeyError::Exponent)),
            ("exponent 65536", with(&rsa, "e", json!("AQAA")), SkipReason::Key(KeyError::Exponent)),
            ("no exponent", with(&rsa, "e", json!("AAAA")), SkipReason::Key(KeyError::Exponent)),
            ("padded", with(&rsa, "e", json!("AQAB====")), SkipReason::MemberMalformed),
            ("not text", with(&rsa, "e", json!(65537)), SkipReason::MemberMalformed),
            ("off the curve", with(&p256, "x", number(32)), SkipReason::Key(KeyError::NotAKey)),
            ("long coordinate", with(&p256, "x", number(33)), SkipReason::Key(KeyError::NotAKey)),
            ("another curve's length", with(&p256, "crv", json!("P-384")), SkipReason::Key(KeyError::NotAKey)),
            ("a curve's other name", with(&p256, "crv", json!("secp256r1")), SkipReason::Key(KeyError::CurveUnsupported)),
            ("another curve", with(&p256, "crv", json!("secp256k1")), SkipReason::Key(KeyError::CurveUnsupported)),
            ("short point", with(&ed25519, "x", number(31)), SkipReason::Key(KeyError::NotAKey)),
            (
                "point of small order",
                with(&ed25519, "x", json!(URL_SAFE_NO_PAD.encode([0; 32]))),
                SkipReason::Key(KeyError::NotAKey),
            ),
            ("point in a longer encoding", with(&ed25519, "x", point(&[0xee])), SkipReason::Key(KeyError::NotAKey)),
            ("X25519", with(&ed25519, "crv", json!("X25519")), SkipReason::Key(KeyError::CurveUnsupported)),
            ("short secret", test_keys::oct_jwk(&[7; 31]), SkipReason::SecretTooShort),
        ];
        for (name, jwk, expected) in cases {
            assert_eq!(served(&jwk), Err(expected), "{name}");
        }
    }

    #[test]
    fn reads_a_modulus_with_a_leading_zero() {
        let rsa = TestKeys::get().rsa_jwk();
        let modulus = URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
        let padded = URL_SAFE_NO_PAD.encode([vec![0], modulus].concat());
        assert!(served(&with(&rsa, "n", json!(padded))).is_ok());
    }
}
