//! Key sets: a document never lets a stranger's token in, and what is secret in it stays so.

use std::sync::OnceLock;

use portcullis_core::jose::{AlgorithmSet, KeySet, Token};
use portcullis_testbed::{Algorithm, Issuer};

/// Tokens of keys that no document can hold, for they are made when the process starts.
fn strangers() -> &'static [String] {
    static TOKENS: OnceLock<Vec<String>> = OnceLock::new();
    TOKENS.get_or_init(|| {
        let algorithms = [Algorithm::Hs256, Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];
        let issuer = Issuer::new("https://issuer.example.com", &algorithms).unwrap();
        algorithms.map(|algorithm| issuer.key(algorithm).unwrap().sign(&issuer.claims()).unwrap()).into()
    })
}

/// A document is read or refused alike each time, uses no more keys than it holds, and vouches for no stranger.
pub fn jwks(input: &[u8]) {
    let (first, second) = (KeySet::from_jwks(input), KeySet::from_jwks(input));
    match (&first, &second) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one.algorithms(), other.algorithms());
            assert_eq!(one.skipped(), other.skipped());
        }
        (Err(one), Err(other)) => assert_eq!(one, other),
        _ => panic!("a document is read once, and refused once"),
    }
    let Ok(keys) = first else { return };
    assert!(!keys.algorithms().is_empty(), "a set without a key");
    let all: AlgorithmSet = keys.algorithms().iter().collect();
    for token in strangers() {
        assert!(keys.verify(Token::parse(token.as_bytes()).unwrap(), all).is_err(), "a stranger's token is taken");
    }
    let document: serde_json::Value = serde_json::from_slice(input).unwrap();
    let shown = format!("{keys:?}");
    for secret in document["keys"].as_array().into_iter().flatten().filter_map(|key| key["k"].as_str()) {
        // A short text may stand anywhere by chance; a secret that is used has 43 characters at least.
        assert!(secret.len() < 43 || !shown.contains(secret), "a secret is shown");
    }
}
