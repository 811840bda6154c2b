//! Wycheproof's vectors of bare signatures: ECDSA, Ed25519, RSA with both paddings, HMAC.
//!
//! An `acceptable` signature (an old encoding that some take) may be refused or accepted.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::jose::{Algorithm, KeySet};
use serde_json::{Value, json};

use crate::row::{Expected, Row};
use crate::{jws, list, read, text};

/// A file with the algorithm whose signatures it holds.
#[derive(Clone, Copy)]
struct Vectors(&'static str, Algorithm);

macro_rules! vectors {
    ($($name:ident: $file:literal, $algorithm:ident;)+) => {
        $(pub(super) fn $name(folder: &Path) -> Result<Vec<Row>> {
            Vectors($file, Algorithm::$algorithm).run(folder)
        })+
    };
}

vectors! {
    es256: "ecdsa_secp256r1_sha256_p1363_test", Es256;
    es384: "ecdsa_secp384r1_sha384_p1363_test", Es384;
    es512: "ecdsa_secp521r1_sha512_p1363_test", Es512;
    ed25519: "ed25519_test", EdDsa;
    ed448: "ed448_test", EdDsa;
    hs256: "hmac_sha256_test", Hs256;
    hs384: "hmac_sha384_test", Hs384;
    hs512: "hmac_sha512_test", Hs512;
    ps256: "rsa_pss_2048_sha256_mgf1_32_test", Ps256;
    ps384: "rsa_pss_2048_sha384_mgf1_48_test", Ps384;
    ps512: "rsa_pss_4096_sha512_mgf1_64_test", Ps512;
    rs256: "rsa_signature_2048_sha256_test", Rs256;
    rs384: "rsa_signature_2048_sha384_test", Rs384;
    rs512: "rsa_signature_2048_sha512_test", Rs512;
}

impl Vectors {
    fn run(self, folder: &Path) -> Result<Vec<Row>> {
        let document = read(folder, &format!("wycheproof/primitives/{}.json", self.0))?;
        let mut rows = Vec::new();
        for group in list(&document, "testGroups") {
            let shared = if self.1.is_symmetric() { None } else { Some(self.key(group, group)?) };
            for case in list(group, "tests") {
                let id = format!("{}{}", self.kind(group), case["tcId"]);
                let expected = match text(case, "result") {
                    "valid" => Expected::Accepted,
                    "acceptable" => Expected::Either,
                    _ => Expected::Refused,
                };
                let own = if shared.is_none() { Some(self.key(group, case)?) } else { None };
                let keys = shared.as_ref().or(own.as_ref()).context("no key")?;
                rows.push(Row::new(id, expected, self.ours(keys, case)?));
            }
        }
        Ok(rows)
    }

    /// What sets the cases of a group apart from those of the others, for the names of rows.
    fn kind(self, group: &Value) -> String {
        match self.1 {
            algorithm if algorithm.is_symmetric() => format!("key {}, tag {}/", group["keySize"], group["tagSize"]),
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => {
                format!("e {}/", text(&group["publicKey"], "publicExponent"))
            }
            _ => String::new(),
        }
    }

    fn ours(self, jwk: &Value, case: &Value) -> Result<String> {
        let signature = case.get("sig").or(case.get("tag")).and_then(Value::as_str).context("no signature")?;
        let Ok(keys) = KeySet::from_jwks(json!({"keys": [jwk]}).to_string().as_bytes()) else {
            return Ok("refused: key set".into());
        };
        let (message, signature) = (bytes(text(case, "msg"))?, bytes(signature)?);
        Ok(jws::detached(self.1, &keys, &message, &signature))
    }

    /// The JWK of a group; of HMAC each case has a key of its own.
    fn key(self, group: &Value, case: &Value) -> Result<Value> {
        let encode = |hex: &str| bytes(hex).map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let key = &group["publicKey"];
        Ok(match self.1 {
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => json!({"kty": "oct", "k": encode(text(case, "key"))?}),
            Algorithm::EdDsa => json!({"kty": "OKP", "crv": curve(key), "x": encode(text(key, "pk"))?}),
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => {
                let point = bytes(text(key, "uncompressed"))?;
                let half = point.len() / 2;
                let (x, y) = (point.get(1..=half).context("no point")?, point.get(half + 1..).context("no point")?);
                json!({"kty": "EC", "crv": curve(key), "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
            }
            _ => json!({"kty": "RSA", "n": encode(text(key, "modulus"))?, "e": encode(text(key, "publicExponent"))?}),
        })
    }
}

/// The name of a curve in a JWK.
fn curve(key: &Value) -> &str {
    match text(key, "curve") {
        "secp256r1" => "P-256",
        "secp384r1" => "P-384",
        "secp521r1" => "P-521",
        "edwards25519" => "Ed25519",
        "edwards448" => "Ed448",
        other => other,
    }
}

/// The bytes of a text in hexadecimal.
fn bytes(hex: &str) -> Result<Vec<u8>> {
    let digits = |index: usize| hex.get(index..index + 2).context("half a byte");
    (0..hex.len()).step_by(2).map(|index| Ok(u8::from_str_radix(digits(index)?, 16)?)).collect()
}
