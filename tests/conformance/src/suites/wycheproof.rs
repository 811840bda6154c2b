//! Wycheproof's files about JWS and JWK: on the signature layer, for what they sign is no claims. Its file about JWE: by what decrypts
//! tokens; what is encrypted in a way that does not exist here, or is compressed, must be refused.
//!
//! `overrides.json` names the rows whose label is wrong upstream or a matter of policy, and is followed. Among signed texts a JWE is
//! input that must be refused.

use std::path::Path;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::encryption::{ContentEncryption, KeyManagement};
use portcullis_core::jwe::{DecryptionKeys, EncryptedToken};
use serde_json::{Value, json};

use crate::row::{Expected, Row};
use crate::{jws, list, read, text};

pub(super) fn crypto(folder: &Path) -> Result<Vec<Row>> {
    run(folder, "json_web_crypto_test.json")
}

pub(super) fn encryption(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "wycheproof/json_web_encryption_test.json")?;
    let mut rows = Vec::new();
    for group in list(&document, "testGroups") {
        for case in list(group, "tests") {
            let token = case["jwe"].as_str().map_or_else(|| case["jwe"].to_string(), str::to_owned);
            let is_good = text(case, "result") == "valid" && is_done_here(&token, &group["private"]);
            let id = format!("{} ({})", case["tcId"], text(case, "comment"));
            let expected = Expected::accepted(is_good);
            let is_lacking = text(&group["private"], "kty") != "oct" && group["private"].get("d").is_none();
            rows.push(if is_good && is_lacking {
                Row::not_run(id, expected, "the data holds the public part of the key only")
            } else {
                Row::new(id, expected, opened(&token, &group["private"], text(case, "pt")))
            });
        }
    }
    Ok(rows)
}

/// Whether a token is encrypted in a way that exists here, to a key of a kind that exists here.
fn is_done_here(token: &str, key: &Value) -> bool {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap_or_default()).unwrap_or_default();
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    let is_known = KeyManagement::parse(text(&header, "alg")).is_some();
    let is_known = is_known && ContentEncryption::JWE.iter().any(|encryption| encryption.as_str() == text(&header, "enc"));
    is_known && header.get("zip").is_none() && matches!(key.get("crv").and_then(Value::as_str), None | Some("P-256"))
}

/// What comes of a token under a key; its content is given in hex.
fn opened(token: &str, key: &Value, content: &str) -> String {
    let refused = |code: &str| format!("refused: {code}");
    let Ok((keys, _)) = DecryptionKeys::from_jwks(json!({"keys": [key]}).to_string().as_bytes()) else {
        return refused("key set");
    };
    let encrypted = match EncryptedToken::read(token.as_bytes()) {
        Ok(encrypted) => encrypted,
        Err(malformed) => return refused(malformed.rejection().code()),
    };
    match keys.open(&encrypted) {
        Ok(opened) if opened.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == content => "accepted".to_owned(),
        Ok(_) => "accepted, but the content is another".to_owned(),
        Err(_) => refused("token_undecryptable"),
    }
}

pub(super) fn key(folder: &Path) -> Result<Vec<Row>> {
    run(folder, "json_web_key_test.json")
}

pub(super) fn signature(folder: &Path) -> Result<Vec<Row>> {
    run(folder, "json_web_signature_test.json")
}

fn run(folder: &Path, file: &str) -> Result<Vec<Row>> {
    let document = read(folder, &format!("wycheproof/{file}"))?;
    let overrides = &read(folder, "wycheproof/overrides.json")?["files"][file];
    let mut rows = Vec::new();
    for group in list(&document, "testGroups") {
        let keys = group.get("public").unwrap_or(&group["private"]);
        for case in list(group, "tests") {
            let id = case["tcId"].to_string();
            let expected = match overrides.get(&id).map(|entry| text(entry, "recommended")) {
                Some("policy" | "IGNORE") => Expected::Either,
                Some(_) => Expected::Refused,
                None => Expected::accepted(text(case, "result") == "valid" && case.get("jwe").is_none()),
            };
            let token = case.get("jws").or(case.get("jwe")).unwrap_or(&Value::Null);
            let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
            let id = format!("{id} ({})", text(case, "comment"));
            rows.push(Row::new(id, expected, jws::compact(&token, keys)));
        }
    }
    Ok(rows)
}
