//! The vectors of RFC 7515, RFC 7520, RFC 7797 and RFC 8037: signatures on the signature layer, tokens as tokens.

use std::path::{Path, PathBuf};
use std::{fs, io};

use anyhow::Result;
use portcullis_core::time::UnixTime;
use serde_json::{Value, json};

use crate::gate::{Ask, Gate};
use crate::row::{Expected, Row};
use crate::{jws, list, read, text};

/// RFC 7515 and RFC 8037: each signature, and each token at the times that are given.
pub(super) fn rfc7515(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "jose_rfc/rfc7515_rfc8037.json")?;
    let mut rows = Vec::new();
    for case in list(&document, "cases") {
        let id = text(case, "id");
        let Some(token) = case.get("token") else {
            rows.push(Row::not_run(id, Expected::Accepted, "thumbprints of keys are not used"));
            continue;
        };
        let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
        let is_compact = text(case, "signature") == "valid";
        let ours = jws::compact(&token, &case["jwk"]);
        rows.push(Row::new(format!("{id}#signature"), Expected::accepted(is_compact), ours));
        let times = case["product_expect"].as_object().into_iter().flatten();
        for (time, outcome) in times {
            let now = time.trim_start_matches("now=").parse().map(UnixTime::from_secs)?;
            let expected = Expected::accepted(outcome.as_str().is_some_and(|outcome| outcome.starts_with("accept")));
            rows.push(Row::new(format!("{id}#{time}"), expected, as_token(&token, case, now)));
        }
        if case["product_expect"].is_string() {
            rows.push(Row::new(format!("{id}#token"), Expected::Refused, as_token(&token, case, UnixTime::from_secs(0))));
        }
    }
    Ok(rows)
}

fn as_token(token: &str, case: &Value, now: UnixTime) -> String {
    let mut rule = json!({"name": "theirs", "jwks": {"keys": [case["jwk"]]}, "clockSkew": "0s"});
    if let Some(issuer) = case["jwt"].get("iss") {
        rule["issuer"] = issuer.clone();
    }
    match Gate::load(&json!({"jwtRules": [rule]})) {
        Ok(mut gate) => gate.ask(&Ask::get("/").bearer(token), now).outcome(),
        Err(_) => "refused: key set".into(),
    }
}

/// The cookbook (RFC 7520) and its companions: every form of every example. Only signatures in compact form are taken.
pub(super) fn cookbook(folder: &Path) -> Result<Vec<Row>> {
    let root = folder.join("jose_rfc/cookbook");
    let mut rows = Vec::new();
    for file in files(&root)? {
        let name = file.strip_prefix(&root)?.with_extension("").display().to_string();
        let document: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
        let jwk = document["input"].get("key").unwrap_or(&document);
        if document.get("kty").is_some() {
            // Alone, each key for signing makes a set; one for encrypting none.
            let is_for_signing = text(&document, "use") == "sig";
            let keys = portcullis_core::jose::KeySet::from_jwks(json!({"keys": [jwk]}).to_string().as_bytes());
            let ours = if keys.is_ok() { "accepted" } else { "refused: key set" };
            rows.push(Row::new(name, Expected::accepted(is_for_signing), ours));
            continue;
        }
        let is_plain =
            !name.contains("jwe") && !name.contains("nesting") && !name.contains("b64_false") && !name.contains("detached");
        let steps = [&document["output"], &document["sign"]["output"], &document["encrypt"]["output"]];
        for (index, output) in steps.into_iter().enumerate() {
            for (form, value) in output.as_object().into_iter().flatten() {
                let is_compact = value.is_string();
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let step = ["", "sign/", "encrypt/"][index];
                let expected = Expected::accepted(is_plain && is_compact);
                rows.push(Row::new(format!("{name}/{step}{form}"), expected, jws::compact(&value, jwk)));
            }
        }
    }
    Ok(rows)
}

/// The JSON files of a folder and those in it, in order.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
