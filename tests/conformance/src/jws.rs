//! The signature layer alone: texts that are no tokens, and bare signatures. Each is verified twice, by the module and by a proxy.

use portcullis_core::jose::{Algorithm, AlgorithmSet, Jws, KeySet, Malformed, Signatures};
use portcullis_core::rejection::Rejection;
use serde_json::{Value, json};

use crate::proxy::by_proxy;

/// `accepted`, or `refused: CODE`, as a [`Row`](crate::Row) says it.
fn said(outcome: Result<(), Rejection>) -> String {
    outcome.map_or_else(|rejection| format!("refused: {}", rejection.code()), |()| "accepted".to_owned())
}

fn all() -> AlgorithmSet {
    Algorithm::ALL.into_iter().collect()
}

/// What both say, the module by itself and with a proxy that verifies; the two of it, if they differ.
fn both(verify: impl Fn(&Signatures) -> String) -> String {
    let (module, proxy) = (verify(&Signatures::in_module()), verify(&by_proxy()));
    if module == proxy { module } else { format!("{module}, but {proxy} by the proxy") }
}

/// A compact text under a JWK or a key set.
#[must_use]
pub fn compact(text: &str, keys: &Value) -> String {
    let jwks = if keys.get("keys").is_some() { keys.clone() } else { json!({"keys": [keys]}) };
    match KeySet::from_jwks(jwks.to_string().as_bytes()) {
        Ok(keys) => under(text, &keys),
        Err(_) => "refused: key set".to_owned(),
    }
}

/// A compact text under a key set.
#[must_use]
pub fn under(text: &str, keys: &KeySet) -> String {
    both(|signatures| {
        let read = Jws::read(text.as_bytes());
        said(read.map_err(|malformed: Malformed| malformed.into()).and_then(|jws| keys.verify_jws(signatures, &jws, all())))
    })
}

/// A bare signature of any bytes.
#[must_use]
pub fn detached(algorithm: Algorithm, keys: &KeySet, message: &[u8], signature: &[u8]) -> String {
    both(|signatures| said(keys.verify_jws(signatures, &Jws::detached(algorithm, message, signature.to_vec()), all())))
}
