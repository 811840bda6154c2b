use serde_json::{Value, json};

use super::*;
use crate::nonces::Nonces;
use crate::thumbprint::thumbprint;
use portcullis_signatures::Algorithm;
use portcullis_signatures::test_keys::{HolderKey, SECRET, authenticate, oct_jwk};

const INVALID: Result<(), Rejection> = Err(Rejection::DpopProofInvalid);
const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);
const TOKEN: &[u8] = b"a.b.c";

fn dpop() -> Dpop {
    Dpop {
        required: false,
        window: Duration::from_secs(60),
        algorithms: [Algorithm::Es256, Algorithm::EdDsa].into_iter().collect(),
        origins: Vec::new(),
        nonces: None,
    }
}

fn key() -> HolderKey {
    HolderKey::new(7)
}

fn header() -> Value {
    json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": key().jwk()})
}

fn claims() -> Value {
    json!({
        "jti": "id", "htm": "GET", "htu": "https://api.example.com/orders", "iat": NOW.as_secs(),
        "ath": URL_SAFE_NO_PAD.encode(Sha256::digest(TOKEN)),
    })
}

/// The same with a member set, or left out.
fn with(mut object: Value, name: &str, value: Option<Value>) -> Value {
    let members = object.as_object_mut().unwrap();
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.remove(name),
    };
    object
}

fn request(proofs: &[&str]) -> Request {
    let pseudo = [(":method", "GET"), (":path", "/orders?page=2"), (":authority", "api.example.com")];
    Request::new(Headers::from_pairs(pseudo.into_iter().chain(proofs.iter().map(|proof| (DPOP, *proof)))))
}

fn outcome_of(request: &Request, dpop: &Dpop) -> Result<(), Rejection> {
    let origins = [Origin::new(true, b"api.example.com").unwrap()];
    let bound_to = thumbprint(key().jwk().as_object().unwrap()).unwrap();
    let asked = Asked { request, origins: &origins, token: TOKEN, key: &bound_to, now: NOW };
    check(&asked, dpop, &Signatures::in_module()).map(drop)
}

fn outcome(header: &Value, claims: &Value) -> Result<(), Rejection> {
    outcome_of(&request(&[&key().sign(header, claims)]), &dpop())
}

/// RFC 9449 section 7.1: the request with the token of section 6.1, as it stands there.
#[test]
fn takes_the_proof_of_the_rfc() {
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRj\
                 QyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGki\
                 OiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSI\
                 sImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-\
                 Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
    let (origin, path) = read_uri("https://resource.example.org/protectedresource").unwrap();
    let pairs = [(":method", "GET"), (":path", path.as_str()), (":authority", "resource.example.org"), (DPOP, proof)];
    let request = Request::new(Headers::from_pairs(pairs));
    let key: Digest = URL_SAFE_NO_PAD.decode("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I").unwrap().try_into().unwrap();
    let at = |seconds| Asked {
        request: &request,
        origins: std::slice::from_ref(&origin),
        token: b"Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
        key: &key,
        now: UnixTime::from_secs(seconds),
    };
    let outcome = |asked: Asked<'_>| check(&asked, &dpop(), &Signatures::in_module());
    let proven = outcome(at(1_562_262_620)).unwrap();
    assert_eq!(proven, Proven { id: "e1j3V_bKic8-LAEB".into(), until: UnixTime::from_secs(1_562_262_678) });
    assert_eq!(outcome(at(1_562_262_679)), Err(Rejection::DpopProofInvalid));
    assert_eq!(outcome(Asked { token: b"another", ..at(1_562_262_620) }), Err(Rejection::DpopProofInvalid));
    assert_eq!(outcome(Asked { key: &[0; 32], ..at(1_562_262_620) }), Err(Rejection::TokenBindingMismatch));
}

#[test]
fn holds_the_header_to_its_form() {
    let other_key = HolderKey::new(8);
    let jwk = |name: &str, value: Value| with(header(), "jwk", Some(with(key().jwk(), name, Some(value))));
    for (name, header, expected) in [
        ("as it should be", header(), Ok(())),
        ("with a kid", with(header(), "kid", Some(json!("a"))), Ok(())),
        ("a key for signatures", jwk("use", json!("sig")), Ok(())),
        ("no type", with(header(), "typ", None), INVALID),
        ("another type", with(header(), "typ", Some(json!("JWT"))), INVALID),
        ("the type in full", with(header(), "typ", Some(json!("application/dpop+jwt"))), INVALID),
        ("no algorithm", with(header(), "alg", None), INVALID),
        ("alg none", with(header(), "alg", Some(json!("none"))), INVALID),
        ("an algorithm that is not allowed", with(header(), "alg", Some(json!("RS256"))), INVALID),
        ("a symmetric algorithm", with(header(), "alg", Some(json!("HS256"))), INVALID),
        ("no key", with(header(), "jwk", None), INVALID),
        ("a key that is no object", with(header(), "jwk", Some(json!("key"))), INVALID),
        ("another key", with(header(), "jwk", Some(other_key.jwk())), Err(Rejection::TokenBindingMismatch)),
        ("a private key", with(header(), "jwk", Some(key().private_jwk())), INVALID),
        ("a private exponent of no meaning", jwk("d", json!("")), INVALID),
        ("a key for something else", jwk("use", json!("enc")), INVALID),
        ("a key for another algorithm", jwk("alg", json!("ES384")), INVALID),
        ("an extension", with(header(), "crit", Some(json!(["b64"]))), INVALID),
        ("a key by address", with(with(header(), "jwk", None), "jku", Some(json!("https://h"))), INVALID),
    ] {
        assert_eq!(outcome(&header, &claims()), expected, "{name}");
    }
}

#[test]
fn a_symmetric_key_proves_nothing() {
    let header = json!({"typ": "dpop+jwt", "alg": "HS256", "jwk": oct_jwk(SECRET)});
    let proof = authenticate(Algorithm::Hs256, SECRET, &header.to_string(), &claims().to_string());
    assert_eq!(outcome_of(&request(&[&proof]), &dpop()), INVALID);
    let all = Dpop { algorithms: Algorithm::ALL.into_iter().collect(), ..dpop() };
    assert_eq!(outcome_of(&request(&[&proof]), &all), INVALID);
}

#[test]
fn is_for_one_request_token_and_time() {
    for (name, member, value, expected) in [
        ("a nonce that nobody asked for", "nonce", Some(json!("n")), Ok(())),
        ("a query", "htu", Some(json!("https://api.example.com/orders?page=2")), Ok(())),
        ("another query", "htu", Some(json!("https://api.example.com/orders?a#b")), Ok(())),
        ("another spelling", "htu", Some(json!("HTTPS://API.example.com:443/./%6frders")), Ok(())),
        ("another method", "htm", Some(json!("POST")), INVALID),
        ("the method in another case", "htm", Some(json!("get")), INVALID),
        ("no method", "htm", None, INVALID),
        ("a method that is no text", "htm", Some(json!(["GET"])), INVALID),
        ("another host", "htu", Some(json!("https://example.com/orders")), INVALID),
        ("another scheme", "htu", Some(json!("http://api.example.com/orders")), INVALID),
        ("another port", "htu", Some(json!("https://api.example.com:8443/orders")), INVALID),
        ("another path", "htu", Some(json!("https://api.example.com/orders/")), INVALID),
        ("a path that goes on", "htu", Some(json!("https://api.example.com/orders/1")), INVALID),
        ("the path alone", "htu", Some(json!("/orders")), INVALID),
        ("no URI", "htu", None, INVALID),
        ("another token", "ath", Some(json!(URL_SAFE_NO_PAD.encode(Sha256::digest("a")))), INVALID),
        ("the hash with padding", "ath", Some(json!(format!("{}=", URL_SAFE_NO_PAD.encode(Sha256::digest(TOKEN))))), INVALID),
        ("a part of the hash", "ath", Some(json!(URL_SAFE_NO_PAD.encode(&Sha256::digest(TOKEN)[..16]))), INVALID),
        ("no token", "ath", None, INVALID),
        ("the oldest", "iat", Some(json!(NOW.as_secs() - 60)), Ok(())),
        ("too old", "iat", Some(json!(NOW.as_secs() - 61)), INVALID),
        ("too old by a fraction", "iat", Some(json!(1_699_999_939.9)), INVALID),
        ("the latest", "iat", Some(json!(NOW.as_secs() + 60)), Ok(())),
        ("from the future", "iat", Some(json!(NOW.as_secs() + 61)), INVALID),
        ("a time that is text", "iat", Some(json!(NOW.as_secs().to_string())), INVALID),
        ("no time", "iat", None, INVALID),
        ("no id", "jti", None, INVALID),
        ("an empty id", "jti", Some(json!("")), INVALID),
        ("an id that is no text", "jti", Some(json!(1)), INVALID),
        ("the longest id", "jti", Some(json!("i".repeat(256))), Ok(())),
        ("a longer id", "jti", Some(json!("i".repeat(257))), INVALID),
    ] {
        assert_eq!(outcome(&header(), &with(claims(), member, value)), expected, "{name}");
    }
}

#[test]
fn there_is_one_and_it_is_whole() {
    let proof = key().sign(&header(), &claims());
    let other = HolderKey::new(8).sign(&header(), &claims());
    let long = key().sign(&with(header(), "x", Some(json!("x".repeat(5000)))), &claims());
    assert_eq!(outcome_of(&request(&[&proof]), &dpop()), Ok(()));
    assert_eq!(outcome_of(&request(&[]), &dpop()), Err(Rejection::DpopProofMissing));
    for proofs in [
        &[&*proof, &*proof][..],
        &[&format!("{proof},{proof}")],
        &[&format!("{proof}, {proof}")],
        &[&other],
        &[&long],
        &[""],
        &["a.b.c"],
        &[proof.split_at(1).1],
        &[proof.split_at(proof.len() - 4).0],
        &[&format!("DPoP {proof}")],
    ] {
        assert_eq!(outcome_of(&request(proofs), &dpop()), INVALID, "{proofs:?}");
    }
}

#[test]
fn holds_a_nonce_where_one_is_asked_for() {
    let nonces = Nonces::new(Some(&[7; 32]), Duration::from_secs(300));
    let nonce = nonces.current(NOW).unwrap();
    let dpop = Dpop { nonces: Some(nonces), ..dpop() };
    let outcome = |nonce: Option<Value>, claims: Value| {
        outcome_of(&request(&[&key().sign(&header(), &with(claims, "nonce", nonce))]), &dpop)
    };
    assert_eq!(outcome(Some(json!(nonce)), claims()), Ok(()));
    for wrong in [None, Some(json!("")), Some(json!("n")), Some(json!(nonce.to_lowercase()))] {
        assert_eq!(outcome(wrong, claims()), Err(Rejection::DpopNonceRequired));
    }
    assert_eq!(outcome(Some(json!(nonce)), with(claims(), "htm", Some(json!("POST")))), INVALID, "it alone is not enough");
}
