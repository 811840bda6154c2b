//! The thumbprint of a public key (RFC 7638): the SHA-256 of the members that make it, in their one order.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::Digest;

/// The members of an elliptic key, an Edwards key, an RSA key, in the order of their names.
const ELLIPTIC: &[&str] = &["crv", "kty", "x", "y"];
const EDWARDS: &[&str] = &["crv", "kty", "x"];
const RSA: &[&str] = &["e", "kty", "n"];

/// The thumbprint of a JWK; `None` when it is no public key of a kind that signs, or a member of it is missing or would need
/// escapes in JSON.
#[must_use]
pub fn thumbprint(jwk: &Map<String, Value>) -> Option<Digest> {
    let members = match jwk.get("kty")?.as_str()? {
        "EC" => ELLIPTIC,
        "OKP" => EDWARDS,
        "RSA" => RSA,
        _ => return None,
    };
    let mut hash = Sha256::new();
    for (index, name) in members.iter().enumerate() {
        let value = jwk.get(*name)?.as_str()?;
        if !value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')) {
            return None;
        }
        let parts = [if index == 0 { "{\"" } else { "\",\"" }, name, "\":\"", value];
        parts.into_iter().for_each(|part| hash.update(part));
    }
    hash.update("\"}");
    Some(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    fn of(jwk: &Value) -> Option<String> {
        thumbprint(jwk.as_object().unwrap()).map(|digest| URL_SAFE_NO_PAD.encode(digest))
    }

    #[test]
    fn is_that_of_the_rfcs() {
        let rsa = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3okn\
                  jhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qM\
                  QvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJz\
                  KnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        });
        assert_eq!(of(&rsa).as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"), "RFC 7638 section 3.1");
        let edwards = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert_eq!(of(&edwards).as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"), "RFC 8037 appendix A.3");
        let elliptic = json!({
            "kty": "EC",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
            "crv": "P-256",
        });
        assert_eq!(of(&elliptic).as_deref(), Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"), "RFC 9449 section 6.1");
    }

    #[test]
    fn is_none_of_what_is_no_public_key() {
        for jwk in [
            json!({}),
            json!({"kty": "oct", "k": "AAAA"}),
            json!({"kty": 1}),
            json!({"kty": "EC", "crv": "P-256", "x": "a"}),
            json!({"kty": "EC", "crv": "P-256", "x": "a", "y": 1}),
            json!({"kty": "OKP", "crv": "Ed25519\",\"kty\":\"OKP", "x": "a"}),
            json!({"kty": "OKP", "crv": "Ed25519", "x": "a\\"}),
            json!({"kty": "RSA", "e": "AQAB", "n": "é"}),
            json!({"kty": "RSA", "e": "AQAB", "n": "a b"}),
        ] {
            assert_eq!(of(&jwk), None, "{jwk}");
        }
    }
}
