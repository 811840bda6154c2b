//! Proofs of possession: what is accepted is a proof of the right key, for the right request, token and time.

use std::sync::LazyLock;
use std::time::Duration;

use portcullis_core::headers::Headers;
use portcullis_core::jose::{Algorithm, Signatures};
use portcullis_core::path::decode;
use portcullis_core::rejection::Rejection;
use portcullis_core::request::Request;
use portcullis_core::sender::Dpop;
use portcullis_core::sender::origin::Origin;
use portcullis_core::sender::proof::{Asked, DPOP, check};
use portcullis_core::sender::thumbprint::thumbprint;
use portcullis_core::time::UnixTime;
use portcullis_testbed::Holder;
use serde_json::Value;

const NOW: u64 = 1_700_000_000;
const WINDOW: u64 = 60;
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
/// RFC 9449 section 7.1.
const HASH: &str = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";

static HOLDER: LazyLock<Holder> = LazyLock::new(Holder::new);

/// The header and the claims, a line each, are signed; one line alone is a whole proof.
pub fn proof(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let key = HOLDER.jwk();
    let parts =
        text.split_once('\n').map(|(header, claims)| (header.replace("$key", &key.to_string()), claims.replace("$ath", HASH)));
    let proof = match &parts {
        Some((header, claims)) => HOLDER.sign_text(header, claims).into_bytes(),
        None => input.to_vec(),
    };
    let pairs = [(":method", &b"GET"[..]), (":path", b"/orders?page=2"), (":authority", b"api.example.com"), (DPOP, &proof)];
    let request = Request::new(Headers::from_pairs(pairs));
    let origins: Vec<Origin> = Origin::new(true, b"api.example.com").into_iter().collect();
    let bound_to = key.as_object().and_then(thumbprint).unwrap_or_default();
    let asked =
        Asked { request: &request, origins: &origins, token: TOKEN.as_bytes(), key: &bound_to, now: UnixTime::from_secs(NOW) };
    let dpop = Dpop {
        required: true,
        window: Duration::from_secs(WINDOW),
        algorithms: [Algorithm::Es256, Algorithm::EdDsa].into_iter().collect(),
        origins: Vec::new(),
        nonces: None,
    };
    match check(&asked, &dpop, &Signatures::in_module()) {
        Ok(_) => {
            let (header, claims) = parts.unwrap_or_else(|| panic!("a proof that nobody signed"));
            assert_header(&serde_json::from_str(&header).unwrap_or_default(), &key);
            assert_claims(&serde_json::from_str(&claims).unwrap_or_default());
        }
        Err(rejection) => assert!(
            matches!(rejection, Rejection::DpopProofMissing | Rejection::DpopProofInvalid | Rejection::TokenBindingMismatch),
            "{rejection:?}"
        ),
    }
}

fn assert_header(header: &Value, key: &Value) {
    let jwk = header.get("jwk").unwrap_or(&Value::Null);
    assert_eq!((header.get("typ"), header.get("alg")), (Some(&"dpop+jwt".into()), Some(&"ES256".into())), "{header}");
    assert!(["kty", "crv", "x", "y"].iter().all(|member| jwk.get(member) == key.get(member)), "{header}");
    assert!(jwk.get("d").is_none(), "{header}");
}

fn assert_claims(claims: &Value) {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    assert_eq!((text("htm"), text("ath")), ("GET", HASH), "{claims}");
    assert!(!text("jti").is_empty(), "{claims}");
    let issued_at = claims.get("iat").and_then(Value::as_f64).unwrap_or_default();
    assert!((issued_at - 1_700_000_000.0).abs() <= 60.0, "{claims}");
    let uri = text("htu").split(['?', '#']).next().unwrap_or_default().to_owned();
    let decoded = String::from_utf8_lossy(&decode(uri.as_bytes())).into_owned();
    assert!(decoded.to_ascii_lowercase().starts_with("https://api.example.com"), "{claims}");
    assert!(decoded.contains("/orders"), "{claims}");
}
