//! Wycheproof's files about JWS, JWK and JWE: on the signature layer, for what they sign is no claims.
//!
//! `overrides.json` names the rows whose label is wrong upstream or a matter of policy, and is followed. A JWE is input that must be
//! refused.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::row::{Expected, Row};
use crate::{jws, list, read, text};

pub(super) fn crypto(folder: &Path) -> Result<Vec<Row>> {
    run(folder, "json_web_crypto_test.json")
}

pub(super) fn encryption(folder: &Path) -> Result<Vec<Row>> {
    run(folder, "json_web_encryption_test.json")
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
