//! Key sets: a document never lets a stranger's token in, and what is secret in it stays so.

use std::sync::OnceLock;

use portcullis_core::jose::{KeySet, KeySetError, Token};
use portcullis_testbed::{Algorithm, Issuer};
use serde_json::Value;

/// Tokens of keys that no document can hold, for they are made when the process starts.
fn strangers() -> &'static [String] {
    static TOKENS: OnceLock<Vec<String>> = OnceLock::new();
    TOKENS.get_or_init(|| {
        let algorithms = [Algorithm::Hs256, Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];
        let issuer = Issuer::new("https://issuer.example.com", &algorithms).unwrap();
        algorithms.map(|algorithm| issuer.key(algorithm).unwrap().sign(&issuer.claims()).unwrap()).into()
    })
}

/// A document is read or refused alike each time, uses no more keys than it holds, and vouches for no stranger: as a JWKS, as the
/// document of a token key, and as PEM.
pub fn jwks(input: &[u8]) {
    check(input, KeySet::from_jwks);
    check(input, KeySet::from_token_key);
    check(input, |input| KeySet::from_pem(input, None));
}

fn check(input: &[u8], read: impl Fn(&[u8]) -> Result<KeySet, KeySetError>) {
    let keys = match (read(input), read(input)) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one.algorithms(), other.algorithms());
            assert_eq!(one.skipped(), other.skipped());
            one
        }
        (Err(one), Err(other)) => return assert_eq!(one, other),
        _ => panic!("a document is read once, and refused once"),
    };
    assert!(!keys.algorithms().is_empty(), "a set without a key");
    for token in strangers() {
        assert!(keys.verify(Token::parse(token.as_bytes()).unwrap(), keys.algorithms()).is_err(), "a stranger's token is taken");
    }
    let document: Value = serde_json::from_slice(input).unwrap_or_default();
    let listed = document["keys"].as_array().into_iter().flatten().map(|key| &key["k"]);
    let shown = format!("{keys:?}");
    for secret in listed.chain([&document["value"]]).filter_map(Value::as_str) {
        // A short text may stand anywhere by chance; a secret that is used has 32 characters at least.
        assert!(secret.len() < 32 || !shown.contains(secret), "a secret is shown");
    }
}
