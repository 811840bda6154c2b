use std::cell::Cell;

use super::*;
use crate::edwards_key::EdwardsKey;
use crate::elliptic_key::{Curve, EllipticKey};
use crate::rsa_key::RsaKey;
use crate::test_keys::TestKeys;
use crate::verification_key::{Material, VerificationKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Verifier;
use serde_json::{Value, json};

const NATIVE: &str = "RS256, RS384, RS512, ES256, ES384, ES512";

/// How a proxy answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    Right,
    YesToAll,
    NoToAll,
    NeverAnswers,
    IgnoresTheKey,
    IgnoresTheText,
    IgnoresTheHash,
    IgnoresTheSignature,
    KnowsRsaOnly,
}

/// A proxy that verifies as Envoy does: the type of the key chooses the algorithm.
struct Proxy {
    manner: Cell<Manner>,
    asked: Cell<usize>,
}

impl Proxy {
    fn new(manner: Manner) -> Rc<Self> {
        Rc::new(Self { manner: Cell::new(manner), asked: Cell::new(0) })
    }
}

impl NativeSignatures for Proxy {
    fn verify(&self, hash: Hash, key: &[u8], signature: &[u8], text: &[u8]) -> Result<bool, NoAnswer> {
        self.asked.set(self.asked.get().saturating_add(1));
        let is_right = |hash, text| verify(hash, key, signature, text);
        let hashes = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
        match self.manner.get() {
            Manner::Right => Ok(is_right(hash, text)),
            Manner::YesToAll => Ok(true),
            Manner::NoToAll => Ok(false),
            Manner::NeverAnswers => Err(NoAnswer),
            Manner::IgnoresTheKey => Ok(known_answers::holds(signature, text)),
            Manner::IgnoresTheText => Ok(is_right(hash, text) || is_right(hash, text.strip_suffix(b".").unwrap_or(text))),
            Manner::IgnoresTheHash => Ok(hashes.into_iter().any(|hash| is_right(hash, text))),
            Manner::IgnoresTheSignature => Ok(text.ends_with(b"signatures.")),
            Manner::KnowsRsaOnly if key.len() < 200 => Err(NoAnswer),
            Manner::KnowsRsaOnly => Ok(is_right(hash, text)),
        }
    }
}

fn verify(hash: Hash, key: &[u8], signature: &[u8], text: &[u8]) -> bool {
    let algorithm = match hash {
        Hash::Sha256 => Algorithm::Rs256,
        Hash::Sha384 => Algorithm::Rs384,
        Hash::Sha512 => Algorithm::Rs512,
    };
    match (Material::from_spki(key), hash) {
        (Ok(Material::Rsa(key)), _) => key.verifies(algorithm, text, signature),
        (Ok(Material::Elliptic(curve, _)), Hash::Sha256) if curve.size() == 32 => {
            let verifier = p256::ecdsa::VerifyingKey::from_sec1_bytes(key.last_chunk::<65>().unwrap()).unwrap();
            p256::ecdsa::DerSignature::from_bytes(signature).is_ok_and(|signature| verifier.verify(text, &signature).is_ok())
        }
        (Ok(Material::Elliptic(curve, _)), Hash::Sha384) if curve.size() == 48 => {
            let verifier = p384::ecdsa::VerifyingKey::from_sec1_bytes(key.last_chunk::<97>().unwrap()).unwrap();
            p384::ecdsa::DerSignature::from_bytes(signature).is_ok_and(|signature| verifier.verify(text, &signature).is_ok())
        }
        (Ok(Material::Elliptic(curve, _)), Hash::Sha512) if curve.size() == 66 => {
            let verifier = p521::ecdsa::VerifyingKey::from_sec1_bytes(key.last_chunk::<133>().unwrap()).unwrap();
            p521::ecdsa::DerSignature::from_bytes(signature).is_ok_and(|signature| verifier.verify(text, &signature).is_ok())
        }
        _ => false,
    }
}

#[test]
fn believes_a_proxy_only_about_what_it_tells_apart() {
    let cases = [
        (Manner::Right, NATIVE, ""),
        (Manner::YesToAll, "", NATIVE),
        (Manner::NoToAll, "", NATIVE),
        (Manner::NeverAnswers, "", NATIVE),
        (Manner::IgnoresTheKey, "", NATIVE),
        (Manner::IgnoresTheText, "", NATIVE),
        (Manner::IgnoresTheHash, "", NATIVE),
        (Manner::IgnoresTheSignature, "", NATIVE),
        (Manner::KnowsRsaOnly, "RS256, RS384, RS512", "ES256, ES384, ES512"),
    ];
    for (manner, by_proxy, not_by_proxy) in cases {
        let signatures = Signatures::tested(Proxy::new(manner));
        assert_eq!(signatures.by_proxy().to_string(), by_proxy, "{manner:?}");
        assert_eq!(signatures.not_by_proxy().to_string(), not_by_proxy, "{manner:?}");
    }
    assert!(Signatures::in_module().by_proxy().is_empty());
    assert!(Signatures::in_module().not_by_proxy().is_empty());
}

/// Every asymmetric algorithm with its key, and the half that its signatures consist of, in bytes; 0 for those in one piece.
const ALGORITHMS: [(Algorithm, usize); 10] = [
    (Algorithm::Rs256, 0),
    (Algorithm::Rs384, 0),
    (Algorithm::Rs512, 0),
    (Algorithm::Ps256, 0),
    (Algorithm::Ps384, 0),
    (Algorithm::Ps512, 0),
    (Algorithm::Es256, 32),
    (Algorithm::Es384, 48),
    (Algorithm::Es512, 66),
    (Algorithm::EdDsa, 32),
];

fn key(algorithm: Algorithm) -> VerificationKey {
    let keys = TestKeys::get();
    let bytes = |jwk: &Value, member: &str| URL_SAFE_NO_PAD.decode(jwk[member].as_str().unwrap()).unwrap();
    let elliptic =
        |curve, jwk: Value| Material::Elliptic(curve, EllipticKey::new(curve, &bytes(&jwk, "x"), &bytes(&jwk, "y")).unwrap());
    let material = match algorithm {
        Algorithm::Es256 => elliptic(Curve::P256, keys.p256_jwk()),
        Algorithm::Es384 => elliptic(Curve::P384, keys.p384_jwk()),
        Algorithm::Es512 => elliptic(Curve::P521, keys.p521_jwk()),
        Algorithm::EdDsa => Material::Edwards(EdwardsKey::new(&bytes(&keys.ed25519_jwk(), "x")).unwrap()),
        _ => Material::Rsa(RsaKey::new(&bytes(&keys.rsa_jwk(), "n"), &bytes(&keys.rsa_jwk(), "e")).unwrap()),
    };
    VerificationKey { id: None, algorithms: material.algorithms(), material }
}

/// Text and signature of a token.
fn parts(token: &str) -> (&[u8], Vec<u8>) {
    let (text, signature) = token.rsplit_once('.').unwrap();
    (text.as_bytes(), URL_SAFE_NO_PAD.decode(signature).unwrap())
}

/// A right token, and what can be made of it; none of the latter is right.
fn corpus(algorithm: Algorithm, half: usize) -> Vec<(String, String, bool)> {
    let token = TestKeys::get().sign(algorithm, None, &json!({"iss": "a", "exp": 1}));
    let (text, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let with = |signature: &[u8]| format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature));
    let mut corpus = vec![("as it is".to_owned(), token.clone(), true)];
    let mut add = |name: &str, signature: &[u8]| corpus.push((name.to_owned(), with(signature), false));
    for index in (0..signature.len()).step_by(29).chain([signature.len().saturating_sub(1)]) {
        let mut changed = signature.clone();
        changed[index] ^= 0x10;
        add(&format!("byte {index} changed"), &changed);
    }
    add("a zero before it", &[&[0], signature.as_slice()].concat());
    add("a zero behind it", &[signature.as_slice(), &[0]].concat());
    add("a byte short", &signature[1..]);
    add("zeros", &vec![0; signature.len()]);
    add("ones", &vec![0xff; signature.len()]);
    add("one byte", &[1]);
    add("twice", &[signature.as_slice(), signature.as_slice()].concat());
    if half > 0 {
        let (r, s) = signature.split_at(half);
        add("r is 0", &[&vec![0; half], s].concat());
        add("s is 0", &[r, &vec![0; half]].concat());
        add("s is too large", &[r, &vec![0xff; half]].concat());
        add("r and s changed over", &[s, r].concat());
    }
    if algorithm == Algorithm::Es256 {
        let der = p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der();
        add("DER", der.as_bytes());
    }
    let other = TestKeys::get().sign(algorithm, None, &json!({"iss": "b", "exp": 1}));
    let other_text = other.rsplit_once('.').unwrap().0;
    corpus.push(("other claims".to_owned(), format!("{other_text}.{}", URL_SAFE_NO_PAD.encode(&signature)), false));
    corpus
}

#[test]
fn whoever_verifies_the_verdict_is_the_same() {
    let proxy = Proxy::new(Manner::Right);
    let signatures = Signatures::tested(Rc::clone(&proxy) as Rc<dyn NativeSignatures>);
    for (algorithm, half) in ALGORITHMS {
        let key = key(algorithm);
        let verdict = |signatures: &Signatures, token: &str| {
            let (text, signature) = parts(token);
            key.has_signed(algorithm, text, &signature, signatures)
        };
        let corpus = corpus(algorithm, half);
        let length = parts(&corpus[0].1).1.len();
        for (name, token, is_right) in corpus {
            let case = format!("{}, {name}", algorithm.as_str());
            assert_eq!(verdict(&Signatures::in_module(), &token), is_right, "{case}, by the module");
            proxy.asked.set(0);
            assert_eq!(verdict(&signatures, &token), is_right, "{case}, by the proxy");
            let is_native = signatures.by_proxy().contains(algorithm);
            assert!(proxy.asked.get() <= usize::from(is_native), "{case}");
            assert!(!is_right || proxy.asked.get() == usize::from(is_native), "{case}: the proxy is asked");
            let has_length = parts(&token).1.len() == length;
            assert!(has_length || proxy.asked.get() == 0, "{case}: the proxy is asked about what can be no signature");
            proxy.manner.set(Manner::NeverAnswers);
            assert_eq!(verdict(&signatures, &token), is_right, "{case}, by a proxy that fails");
            proxy.manner.set(Manner::Right);
        }
    }
}

/// ECDSA signatures come in pairs: `n - s` verifies as `s` does, and a JWS does not say which of the two it holds.
#[test]
fn both_values_of_s_are_taken_by_either() {
    let signatures = Signatures::tested(Proxy::new(Manner::Right));
    let token = TestKeys::get().sign(Algorithm::Es256, None, &json!({"iss": "a"}));
    let (text, signature) = parts(&token);
    let signature = p256::ecdsa::Signature::from_slice(&signature).unwrap();
    let (r, s) = signature.split_scalars();
    let negated = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    let key = key(Algorithm::Es256);
    for signature in [signature, negated] {
        for signatures in [&signatures, &Signatures::in_module()] {
            assert!(key.has_signed(Algorithm::Es256, text, &signature.to_bytes(), signatures));
        }
    }
}

/// A key published for one algorithm does not vouch by another that its numbers could serve.
#[test]
fn a_key_serves_no_algorithm_that_it_was_not_published_for() {
    let token = TestKeys::get().sign(Algorithm::Rs256, None, &json!({"iss": "a"}));
    let (text, signature) = parts(&token);
    let key = key(Algorithm::Rs256);
    assert!(key.has_signed(Algorithm::Rs256, text, &signature, &Signatures::in_module()));
    let other = VerificationKey { algorithms: AlgorithmSet::default().with(Algorithm::Rs384), ..key };
    assert!(!other.has_signed(Algorithm::Rs256, text, &signature, &Signatures::in_module()));
}
