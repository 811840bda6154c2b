//! Envoy's `jwt_authn` end to end: which requests pass.

use std::path::Path;

use anyhow::Result;
use portcullis_core::stage::FetchOutcome;
use serde_json::{Value, json};

use super::envoy_jwt_authn::{NOW, Tokens, rule};
use crate::gate::{Ask, Gate};
use crate::row::{Expected, Row};
use crate::{list, read, text};

pub(super) fn run(folder: &Path) -> Result<Vec<Row>> {
    let tokens = Tokens::read(folder)?;
    let document = read(folder, "envoy_jwt_authn/http.json")?;
    let provider = &read(folder, "envoy_jwt_authn/authenticator.json")?["base_config"]["providers"]["example_provider"];
    let keys = tokens.good_key()?;
    let run = |case: &Value| {
        let expected = Expected::accepted(case["response_status"] == json!(200));
        let ours = answered(case, provider, &keys, &tokens).unwrap_or_else(|reason| reason);
        Row::new(text(case, "id"), expected, ours)
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

fn answered(case: &Value, provider: &Value, keys: &Value, tokens: &Tokens) -> Result<String, String> {
    let mut entry = rule("example_provider", provider, keys)?;
    let mut configuration = json!({"jwtRules": [], "rules": []});
    if let Some(path) = case.get("rule_path") {
        configuration["rules"] = json!([{"match": {"paths": [path]}}]);
        configuration["default"] = json!("public");
    }
    match text(case, "config") {
        "" | "strip_failure_response: true" => {}
        "bypass_cors_preflight: true" => configuration["bypassCorsPreflight"] = json!(true),
        other => return Err(format!("not run: `{other}` has no equal")),
    }
    let status = text(case, "jwks_server").parse().ok();
    if status.is_some() {
        entry["jwksUri"] = json!("https://keys.example.com/jwks");
        entry.as_object_mut().map(|members| members.remove("jwks"));
    }
    configuration["jwtRules"] = json!([entry]);
    let mut gate = Gate::load(&configuration).map_err(|error| format!("not loaded: {error}"))?;
    let headers = case["request"].as_object().into_iter().flatten();
    let ask = headers.fold(Ask::get("/"), |ask, (name, value)| ask.header(name, tokens.fill(value.as_str().unwrap_or_default())));
    let keys =
        |_: &_| FetchOutcome::Answered { status: status.unwrap_or(500), max_age: None, retry_after: None, body: Vec::new() };
    Ok(gate.ask_with(&ask, NOW, keys).outcome())
}
