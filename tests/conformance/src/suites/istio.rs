//! Istio: its tokens, RequestAuthentication with AuthorizationPolicy, and the paths of claims.
//!
//! A `jwtRules` entry is taken as it is. An AuthorizationPolicy that allows becomes a list of rules with `default: denied`; without
//! one, a request without a token passes, which is `access: optional`.

use std::path::Path;

use anyhow::{Context, Result};
use portcullis_core::claim_set::claim_at;
use portcullis_core::stage::{Fetch, FetchOutcome};
use portcullis_core::time::UnixTime;
use serde_json::{Map, Value, json};

use super::istio_policy::rules;
use crate::gate::{Answer, Ask, Gate};
use crate::row::{Expected, Row};
use crate::{list, read, text};

const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);
/// What stands in for `JWKS_URI`.
const KEYS: &str = "https://keys.example.com/jwks";

/// Every token with the key set that signed it: the ones that have not expired are accepted.
pub(super) fn tokens(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "istio/tokens.json")?;
    let mut rows = Vec::new();
    for (name, token) in document["tokens"].as_object().context("no tokens")? {
        let set = token.get("jwks").and_then(Value::as_str).unwrap_or("default");
        let payload = &token["payload"];
        let issuer = payload.get("iss").and_then(Value::as_str).unwrap_or("test-issuer-1@istio.io");
        let rule = json!({"issuer": issuer, "jwks": document["jwks"][set]});
        let holds = payload["exp"].as_u64().is_some_and(|end| end > NOW.as_secs());
        let answer = Gate::load(&json!({"jwtRules": [rule]}))?.ask(&Ask::get("/").bearer(text(token, "token")), NOW);
        rows.push(Row::answered(name, Expected::accepted(holds), &answer));
    }
    Ok(rows)
}

/// Requests under RequestAuthentication and AuthorizationPolicy.
pub(super) fn request_authn(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "istio/request_authn.json")?;
    let tokens = read(folder, "istio/tokens.json")?;
    let run = |case: &Value| {
        let expected = Expected::accepted(case["status"] == json!(200));
        let ours = request(case, &document["configs"][text(case, "config")], &tokens).unwrap_or_else(|reason| reason);
        Row::new(text(case, "id"), expected, ours)
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

fn request(case: &Value, config: &Value, tokens: &Value) -> Result<String, String> {
    let configuration = match config.as_array() {
        Some(objects) => configuration(objects)?,
        None => ingress(config, tokens),
    };
    let mut gate = Gate::load(&configuration).map_err(|error| format!("not loaded: {error}"))?;
    let ask = Ask::get(fill(text(case, "path"), tokens)).method(text(case, "method"));
    let headers = case["headers"].as_object().into_iter().flatten();
    let ask = headers.fold(ask, |ask, (name, value)| ask.header(name, fill(value.as_str().unwrap_or_default(), tokens)));
    let answer = gate.ask_with(&ask, NOW, |fetch| served(fetch, tokens));
    Ok(with_upstream(case, &answer, tokens))
}

/// Claim-based authorization: who may have which path.
pub(super) fn authz_jwt(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "istio/authz_jwt.json")?;
    let tokens = read(folder, "istio/tokens.json")?;
    let configuration = configuration(list(&document, "policy"));
    let run = |case: &Value| {
        let expected = Expected::accepted(case["allow"] == json!(true));
        let gate = configuration
            .clone()
            .and_then(|configuration| Gate::load(&configuration).map_err(|error| format!("not loaded: {error}")));
        let ours = gate.map_or_else(
            |reason| reason,
            |mut gate| {
                let ask = Ask::get(text(case, "path"));
                let ask = match case["token"].as_str() {
                    Some(name) => ask.bearer(text(&tokens["tokens"][name], "token")),
                    None => ask,
                };
                gate.ask_with(&ask, NOW, |fetch| served(fetch, &tokens)).outcome()
            },
        );
        Row::new(text(case, "id"), expected, ours)
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

/// Whether a claim that Istio names has a name here, and is found under it.
pub(super) fn claim_paths(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "istio/claim_path_syntax.json")?;
    let run = |case: &Value| {
        let name = text(case, "header_name");
        if case["match"] != json!(true) {
            return Row::not_run(name, Expected::Refused, "header names of a VirtualService have no equal");
        }
        let path: Vec<&str> = list(case, "claims").iter().filter_map(Value::as_str).collect();
        let claims = path.iter().rev().fold(json!("found"), |inner, name| json!({ *name: inner }));
        let found = claims.as_object().and_then(|claims| claim_at(claims, &path.join(".")));
        Row::new(name, Expected::Accepted, if found == Some(&json!("found")) { "accepted" } else { "refused: no such path" })
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

/// Our configuration of a list of objects.
fn configuration(objects: &[Value]) -> Result<Value, String> {
    let of = |kind: &'static str| objects.iter().filter(move |object| text(object, "kind") == kind);
    let mut entries: Vec<Value> = Vec::new();
    for entry in of("RequestAuthentication").flat_map(|object| list(&object["spec"], "jwtRules")) {
        let mut entry = entry.clone();
        entry["jwksUri"] = json!(text(&entry, "jwksUri").replace("JWKS_URI", KEYS));
        // Either of two entries for one issuer may take a token: the audiences of one count only when both have some.
        match entries.iter_mut().find(|earlier| earlier["issuer"] == entry["issuer"]) {
            None => entries.push(entry),
            Some(earlier) if entry.get("audiences").is_none() => {
                earlier.as_object_mut().map(|members| members.remove("audiences"));
            }
            Some(_) => return Err("not run: two entries for one issuer, both with audiences".into()),
        }
    }
    let policies: Vec<_> = of("AuthorizationPolicy").collect();
    if policies.is_empty() {
        return Ok(json!({"jwtRules": entries, "rules": [{"access": "optional"}], "bypassCorsPreflight": true}));
    }
    let mut all = Vec::new();
    for rule in policies.iter().flat_map(|policy| list(&policy["spec"], "rules")) {
        all.extend(rules(rule)?);
    }
    open_first(&mut all);
    Ok(json!({"jwtRules": entries, "rules": all, "default": "denied"}))
}

/// Any rule of a policy may allow, and of ours the first that matches decides: what asks for nothing comes first.
fn open_first(rules: &mut [Value]) {
    rules.sort_by_key(|rule| rule.get("access") != Some(&json!("public")));
}

/// The configuration of the gateway's tests, which the data writes shorter.
fn ingress(config: &Value, tokens: &Value) -> Value {
    let entry = |rule: &Value| json!({"issuer": rule["issuer"], "jwks": tokens["jwks"][text(rule, "jwks")]});
    let rule = |short: &Value| {
        let mut source = json!({});
        if let Some(principals) = short.get("requestPrincipals") {
            source = json!([{"source": {"requestPrincipals": principals}}]);
        }
        let mut operation = Map::new();
        for member in ["hosts", "paths"] {
            short.get(member).map(|value| operation.insert(member.to_owned(), value.clone()));
        }
        rules(&json!({"from": source, "to": [{"operation": operation}]})).unwrap_or_default()
    };
    let entries: Vec<_> = list(config, "jwtRules").iter().map(entry).collect();
    let mut rules: Vec<_> = list(config, "authz").iter().flat_map(rule).collect();
    open_first(&mut rules);
    json!({"jwtRules": entries, "rules": rules, "default": "denied"})
}

/// The server of keys: it is slow where the query says so, and knows one path.
fn served(fetch: &Fetch, tokens: &Value) -> FetchOutcome {
    let status = match &*fetch.path {
        "/jwks" => 200,
        path if path.contains("delay") => 504,
        _ => 404,
    };
    FetchOutcome::Answered { status, max_age: None, retry_after: None, body: tokens["jwks"]["default"].to_string().into_bytes() }
}

fn fill(template: &str, tokens: &Value) -> String {
    let names = tokens["tokens"].as_object().into_iter().flatten();
    names.fold(template.to_owned(), |filled, (name, token)| filled.replace(&format!("{{{name}}}"), text(token, "token")))
}

fn with_upstream(case: &Value, answer: &Answer, tokens: &Value) -> String {
    if answer.refusal.is_some() {
        return answer.outcome();
    }
    for (name, value) in case["upstream"].as_object().into_iter().flatten() {
        let wanted = fill(value.as_str().unwrap_or_default(), tokens);
        if answer.upstream(name).collect::<Vec<_>>() != [wanted.as_bytes()] {
            return format!("accepted, but with another {name}");
        }
    }
    let mut absent = list(case, "upstream_absent").iter().filter_map(Value::as_str);
    absent
        .find(|name| answer.upstream(name).next().is_some())
        .map_or("accepted".into(), |name| format!("accepted, but with {name}"))
}
