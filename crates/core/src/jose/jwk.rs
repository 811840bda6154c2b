//! One JSON Web Key (RFC 7517) as a key that verifies, or the reason why it does not.
//!
//! A key serves the algorithm that its `alg` names, or all that fit its type. Skipped: private keys, keys for something else
//! than verifying signatures, RSA outside 2048 to 4096 bits or with another exponent than 65537, short secrets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::key_set::MIN_SECRET_BYTES;
use super::verify::Verifier;

const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 4096;
const RSA_EXPONENT: &[u8] = &[1, 0, 1];
/// The first byte of an uncompressed point (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// Why a key of a key set is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// It is not a JSON object.
    #[error("it is not an object")]
    NotAnObject,
    /// Its `kid` is not text.
    #[error("its `kid` is not a string")]
    KeyIdNotText,
    /// Its `kty` is missing or of no use here.
    #[error("its `kty` is not RSA, EC, OKP or oct")]
    TypeUnsupported,
    /// Its `crv` is missing or of no use here.
    #[error("its `crv` is not P-256 or P-384 (EC), or Ed25519 (OKP)")]
    CurveUnsupported,
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
    /// Its RSA modulus is too short or too long.
    #[error("its RSA modulus is not 2048 to 4096 bits long")]
    ModulusSize,
    /// Its RSA exponent is unusual.
    #[error("its RSA exponent is not 65537")]
    Exponent,
    /// Its numbers are no public key.
    #[error("its numbers are not a valid public key")]
    NotAKey,
    /// Its secret can be guessed.
    #[error("its secret is shorter than 32 bytes")]
    SecretTooShort,
}

/// What a key set keeps of a JWK.
#[derive(Debug)]
pub(super) struct VerificationKey {
    /// Its `kid`.
    pub id: Option<String>,
    /// One verifier for each algorithm that it serves; never empty.
    pub verifiers: Vec<Verifier>,
}

impl VerificationKey {
    /// Read a member of `keys`.
    ///
    /// # Errors
    /// The reason why it cannot be used.
    pub fn from_jwk(jwk: &Value) -> Result<Self, SkipReason> {
        let jwk = jwk.as_object().ok_or(SkipReason::NotAnObject)?;
        let id = match jwk.get("kid") {
            None => None,
            Some(id) => Some(id.as_str().ok_or(SkipReason::KeyIdNotText)?.to_owned()),
        };
        check_purpose(jwk)?;
        let verifiers = match jwk.get("kty").and_then(Value::as_str) {
            Some("RSA") => rsa(jwk),
            Some("EC") => elliptic(jwk),
            Some("OKP") => edwards(jwk),
            Some("oct") => secret(jwk),
            _ => Err(SkipReason::TypeUnsupported),
        }?;
        Ok(Self { id, verifiers })
    }
}

fn check_purpose(jwk: &Map<String, Value>) -> Result<(), SkipReason> {
    if jwk.get("use").is_some_and(|purpose| purpose != "sig") {
        return Err(SkipReason::NotForSignatures);
    }
    let verifies = |operations: &Value| operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"));
    if jwk.get("key_ops").is_some_and(|operations| !verifies(operations)) {
        return Err(SkipReason::NotForVerifying);
    }
    if ["d", "p", "q", "dp", "dq", "qi", "oth"].iter().any(|member| jwk.contains_key(*member)) {
        return Err(SkipReason::Private);
    }
    Ok(())
}

/// Those of the algorithms that fit the key's type which its `alg` leaves.
fn algorithms(jwk: &Map<String, Value>, fitting: &[Algorithm]) -> Result<Vec<Algorithm>, SkipReason> {
    let Some(named) = jwk.get("alg") else { return Ok(fitting.to_vec()) };
    let named = named.as_str().and_then(Algorithm::parse).filter(|algorithm| fitting.contains(algorithm));
    named.map(|algorithm| vec![algorithm]).ok_or(SkipReason::AlgorithmUnsupported)
}

fn bytes(jwk: &Map<String, Value>, member: &str) -> Result<Vec<u8>, SkipReason> {
    let text = jwk.get(member).and_then(Value::as_str).ok_or(SkipReason::MemberMalformed)?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| SkipReason::MemberMalformed)
}

fn rsa(jwk: &Map<String, Value>) -> Result<Vec<Verifier>, SkipReason> {
    let algorithms = algorithms(jwk, &[Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512])?;
    let (modulus, exponent) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    let modulus = without_leading_zeros(&modulus);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bit_length(modulus)) {
        return Err(SkipReason::ModulusSize);
    }
    if without_leading_zeros(&exponent) != RSA_EXPONENT {
        return Err(SkipReason::Exponent);
    }
    let verifiers = algorithms.into_iter().map(|algorithm| Verifier::from_rsa(algorithm, modulus, RSA_EXPONENT));
    verifiers.collect::<Option<_>>().ok_or(SkipReason::NotAKey)
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(first..).unwrap_or_default()
}

fn bit_length(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |byte| byte.leading_zeros());
    number.len().saturating_mul(8).saturating_sub(usize::try_from(unused).unwrap_or(0))
}

fn elliptic(jwk: &Map<String, Value>) -> Result<Vec<Verifier>, SkipReason> {
    let (algorithm, size) = match jwk.get("crv").and_then(Value::as_str) {
        Some("P-256") => (Algorithm::Es256, 32),
        Some("P-384") => (Algorithm::Es384, 48),
        _ => return Err(SkipReason::CurveUnsupported),
    };
    algorithms(jwk, &[algorithm])?;
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != size || y.len() != size {
        return Err(SkipReason::NotAKey);
    }
    let point = [&[UNCOMPRESSED], x.as_slice(), y.as_slice()].concat();
    Verifier::from_point(algorithm, &point).map(|verifier| vec![verifier]).ok_or(SkipReason::NotAKey)
}

fn edwards(jwk: &Map<String, Value>) -> Result<Vec<Verifier>, SkipReason> {
    if jwk.get("crv").is_none_or(|curve| curve != "Ed25519") {
        return Err(SkipReason::CurveUnsupported);
    }
    algorithms(jwk, &[Algorithm::EdDsa])?;
    let point = bytes(jwk, "x")?;
    Verifier::from_point(Algorithm::EdDsa, &point).map(|verifier| vec![verifier]).ok_or(SkipReason::NotAKey)
}

fn secret(jwk: &Map<String, Value>) -> Result<Vec<Verifier>, SkipReason> {
    let algorithms = algorithms(jwk, &[Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512])?;
    let secret = bytes(jwk, "k")?;
    if secret.len() < MIN_SECRET_BYTES {
        return Err(SkipReason::SecretTooShort);
    }
    Ok(algorithms.into_iter().filter_map(|algorithm| Verifier::from_secret(algorithm, &secret)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::test_keys::{self, TestKeys};
    use serde_json::json;

    fn served(jwk: &Value) -> Result<Vec<&'static str>, SkipReason> {
        VerificationKey::from_jwk(jwk).map(|key| key.verifiers.iter().map(|verifier| verifier.algorithm().as_str()).collect())
    }

    fn with(jwk: &Value, member: &str, value: Value) -> Value {
        let mut jwk = jwk.clone();
        jwk[member] = value;
        jwk
    }

    #[test]
    fn serves_the_algorithms_that_fit_its_type_or_the_one_it_names() {
        let keys = TestKeys::get();
        let (rsa, p256, p384, ed25519) = (keys.rsa_jwk(), keys.p256_jwk(), keys.p384_jwk(), keys.ed25519_jwk());
        let oct = test_keys::oct_jwk(&[7; 32]);
        let cases = [
            (rsa.clone(), Ok(vec!["RS256", "RS384", "RS512"])),
            (with(&rsa, "alg", json!("RS384")), Ok(vec!["RS384"])),
            (with(&rsa, "alg", json!("RSA-OAEP")), Err(SkipReason::AlgorithmUnsupported)),
            (with(&rsa, "alg", json!("HS256")), Err(SkipReason::AlgorithmUnsupported)),
            (with(&rsa, "alg", json!("none")), Err(SkipReason::AlgorithmUnsupported)),
            (with(&rsa, "alg", json!(null)), Err(SkipReason::AlgorithmUnsupported)),
            (p256.clone(), Ok(vec!["ES256"])),
            (with(&p256, "alg", json!("ES384")), Err(SkipReason::AlgorithmUnsupported)),
            (p384, Ok(vec!["ES384"])),
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
            ("kid", json!(7), SkipReason::KeyIdNotText),
            ("kty", json!("rsa"), SkipReason::TypeUnsupported),
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
        let cases = [
            ("1024 bits", with(&rsa, "n", number(128)), SkipReason::ModulusSize),
            (
                "2047 bits",
                with(&rsa, "n", json!(URL_SAFE_NO_PAD.encode([vec![0x7f], vec![0xff; 255]].concat()))),
                SkipReason::ModulusSize,
            ),
            ("4104 bits", with(&rsa, "n", number(513)), SkipReason::ModulusSize),
            ("even modulus", with(&rsa, "n", json!(URL_SAFE_NO_PAD.encode(vec![0xfe; 256]))), SkipReason::NotAKey),
            ("no modulus", with(&rsa, "n", json!("")), SkipReason::ModulusSize),
            ("exponent 1", with(&rsa, "e", json!("AQ")), SkipReason::Exponent),
            ("exponent 3", with(&rsa, "e", json!("Aw")), SkipReason::Exponent),
            ("padded", with(&rsa, "e", json!("AQAB====")), SkipReason::MemberMalformed),
            ("not text", with(&rsa, "e", json!(65537)), SkipReason::MemberMalformed),
            ("off the curve", with(&p256, "x", number(32)), SkipReason::NotAKey),
            ("long coordinate", with(&p256, "x", number(33)), SkipReason::NotAKey),
            ("another curve", with(&p256, "crv", json!("secp256k1")), SkipReason::CurveUnsupported),
            ("short point", with(&ed25519, "x", number(31)), SkipReason::NotAKey),
            ("point of small order", with(&ed25519, "x", json!(URL_SAFE_NO_PAD.encode([0; 32]))), SkipReason::NotAKey),
            ("X25519", with(&ed25519, "crv", json!("X25519")), SkipReason::CurveUnsupported),
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
