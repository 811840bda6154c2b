//! Attacks on tokens: malformed, forged, confused, and the honest ones beside them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use portcullis_core::time::UnixTime;
use serde_json::{Value, json};

use crate::gate::{Ask, Gate};
use crate::row::{Expected, Row};
use crate::{list, read, text};

/// The claim that is passed on, so that what a claim can do to a header is seen.
const HEADER: &str = "x-sub";

pub(super) fn run(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "jwt_attacks/attack_tokens.json")?;
    let context = &document["context"];
    let now = UnixTime::from_secs(context["now"].as_u64().context("no time")?);
    let rule = |jwks: &Value| {
        json!({
            "name": "theirs", "issuer": context["issuer"], "audiences": [context["audience"]], "jwks": jwks, "clockSkew": "0s",
            "outputClaimToHeaders": [{"header": HEADER, "claim": "sub"}],
        })
    };
    let mut gates = BTreeMap::new();
    for (name, jwks) in document["jwks"].as_object().context("no key sets")? {
        let mut typed = rule(jwks);
        typed["requireType"] = json!("at+jwt");
        let load = |rule: Value| Gate::load(&json!({"jwtRules": [rule]}));
        gates.insert(name.as_str(), (load(rule(jwks))?, load(typed)?));
    }
    let mut rows = Vec::new();
    for case in list(&document, "cases") {
        let (id, token) = (text(case, "id"), text(case, "token"));
        let (gate, typed) = gates.get_mut(text(case, "jwks")).context("an unknown key set")?;
        let ask = Ask::get("/").bearer(token);
        rows.push(Row::new(id, expected(case), ours(gate, &ask, now)));
        if text(case, "category") == "typ" && text(case, "note").contains("at+jwt") {
            let is_access_token = id.to_ascii_lowercase().ends_with("at+jwt");
            rows.push(Row::new(format!("{id}#requireType"), Expected::accepted(is_access_token), ours(typed, &ask, now)));
        }
    }
    Ok(rows)
}

fn expected(case: &Value) -> Expected {
    match text(case, "expect") {
        "accept" => Expected::Accepted,
        "policy" => Expected::Either,
        _ => Expected::Refused,
    }
}

/// Nothing that a token says makes us fetch, and no claim breaks out of a header.
fn ours(gate: &mut Gate, ask: &Ask, now: UnixTime) -> String {
    let answer = gate.ask(ask, now);
    let is_unsafe = |value: &[u8]| value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    if answer.fetches > 0 {
        return "accepted, but something was fetched".to_owned();
    }
    if answer.upstream(HEADER).any(is_unsafe) {
        return "accepted, but a header was split".to_owned();
    }
    answer.outcome()
}
