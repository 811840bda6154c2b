//! Higress: its `jwt-auth` plugins in C++ and Go, and its key and Basic authentication, which have no equal here yet.
//!
//! A consumer becomes a `jwtRules` entry. Consumers of one issuer that a route allows become one entry with the keys and the places
//! of all of them: here an issuer has one set of keys.

use std::path::Path;

use anyhow::Result;
use portcullis_core::time::UnixTime;
use serde_json::{Value, json};

use crate::gate::{Answer, Ask, Gate};
use crate::row::{Expected, Row};
use crate::{list, read, text};

const NOW: UnixTime = UnixTime::from_secs(1_760_000_000);
const NO_API_KEYS: &str = "API keys and Basic authentication have no equal yet";

/// The plugin's configurations and requests in Go and C++, end to end.
pub(super) fn e2e(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "higress/e2e_auth.json")?;
    let run = |case: &Value| {
        let expected = Expected::accepted(text(case, "decision") == "allow");
        let name = text(case, "config");
        if !name.contains("jwt") {
            return Row::not_run(text(case, "id"), expected, NO_API_KEYS);
        }
        let config = &document["configs"][name];
        let fill = |template: &str| {
            let tokens = document["tokens"].as_object().into_iter().flatten();
            tokens.fold(template.to_owned(), |filled, (name, token)| {
                filled.replace(&format!("{{{name}}}"), token.as_str().unwrap_or_default())
            })
        };
        let headers = case["headers"].as_object().into_iter().flatten();
        let ask = headers.fold(Ask::get(fill(text(case, "path"))), |ask, (name, value)| {
            ask.header(name, fill(value.as_str().unwrap_or_default()))
        });
        let allowed = &config["matchRules"][0]["config"]["allow"];
        let ours = match jwt_auth(&config["defaultConfig"], allowed.as_array().map(Vec::as_slice)) {
            Ok(entries) => decided(&json!({"jwtRules": entries}), &ask, NOW, case),
            Err(reason) => reason,
        };
        Row::new(text(case, "id"), expected, ours)
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

/// The unit tests of the plugin in C++.
pub(super) fn cpp(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "higress/cpp_jwt_auth_unit.json")?;
    let run = |case: &Value| {
        let expected = Expected::accepted(text(case, "decision") == "allow");
        let headers = case["request_headers"].as_object().into_iter().flatten();
        let ask = headers.fold(Ask::get("/").route(case["route"].as_str()), |ask, (name, value)| {
            ask.header(name, value.as_str().unwrap_or_default())
        });
        let now = UnixTime::from_secs(case["now"].as_u64().unwrap_or_default());
        let ours = match routed(&case["config"]) {
            Ok(configuration) => decided(&configuration, &ask, now, case),
            Err(reason) => reason,
        };
        Row::new(text(case, "id"), expected, ours)
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

/// The unit tests of key authentication.
pub(super) fn key_auth(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "higress/go_key_auth_unit.json")?;
    let configurations = list(&document, "config_cases").iter().map(|case| (case, case["accepted"] == json!(true)));
    let requests = list(&document, "request_cases").iter().map(|case| (case, text(case, "decision") == "allow"));
    let all = configurations.chain(requests);
    Ok(all.map(|(case, accepted)| Row::not_run(text(case, "id"), Expected::accepted(accepted), NO_API_KEYS)).collect())
}

/// A configuration with rules for routes.
fn routed(config: &Value) -> Result<Value, String> {
    if config.get("enable_headers").is_some() {
        return Err("not run: authentication that a header of the client switches on has no equal".into());
    }
    let mut rules = Vec::new();
    for rule in list(config, "_rules_") {
        rules.push(json!({"match": {"routes": rule["_match_route_"]}, "require": {"issuers": rule["allow"]}}));
    }
    let is_global = config["global_auth"].as_bool().unwrap_or(rules.is_empty());
    let default = if is_global { "required" } else { "public" };
    Ok(json!({"jwtRules": jwt_auth(config, None)?, "rules": rules, "default": default}))
}

/// The consumers that are allowed, or all.
fn jwt_auth(config: &Value, allowed: Option<&[Value]>) -> Result<Vec<Value>, String> {
    if let Some(secret) = config.get("token_secret_key") {
        let source = json!({"name": config["token_headers"]});
        return Ok(vec![json!({"name": "simple", "secret": {"inline": secret}, "fromHeaders": [source]})]);
    }
    let mut entries: Vec<Value> = Vec::new();
    for consumer in list(config, "consumers") {
        if allowed.is_some_and(|allowed| !allowed.contains(&consumer["name"])) {
            continue;
        }
        let entry = entry(consumer)?;
        match entries.iter_mut().find(|earlier| earlier["issuer"] == entry["issuer"]) {
            Some(earlier) => merge(earlier, &entry),
            None => entries.push(entry),
        }
    }
    Ok(entries)
}

fn entry(consumer: &Value) -> Result<Value, String> {
    let jwks: Value = serde_json::from_str(text(consumer, "jwks")).map_err(|_| "refused: key set")?;
    let mut entry = json!({"jwks": jwks, "requireExpiration": false});
    for (member, value) in consumer.as_object().into_iter().flatten() {
        match member.as_str() {
            "jwks" => {}
            "name" | "issuer" => entry[member] = value.clone(),
            "claims_to_headers" => entry["outputClaimToHeaders"] = value.clone(),
            "from_headers" => {
                let source = |one: &Value| json!({"name": one["name"], "prefix": text(one, "value_prefix")});
                entry["fromHeaders"] = list(consumer, member).iter().map(source).collect();
            }
            "from_params" => entry["fromParams"] = value.clone(),
            "from_cookies" => entry["fromCookies"] = value.clone(),
            "clock_skew_seconds" => entry["clockSkew"] = json!(format!("{value}s")),
            "keep_token" => entry["forwardOriginalToken"] = value.clone(),
            other => return Err(format!("not run: `{other}` has no equal")),
        }
    }
    if ["fromHeaders", "fromParams", "fromCookies"].iter().all(|member| entry.get(*member).is_none()) {
        entry["fromHeaders"] = json!([{"name": "authorization", "prefix": "Bearer "}]);
        entry["fromParams"] = json!(["access_token"]);
    }
    Ok(entry)
}

/// One issuer with the keys and places of both.
fn merge(entry: &mut Value, other: &Value) {
    let keys = [list(&entry["jwks"], "keys"), list(&other["jwks"], "keys")].concat();
    let mut distinct: Vec<Value> = Vec::new();
    keys.into_iter().for_each(|key| {
        if !distinct.contains(&key) {
            distinct.push(key)
        }
    });
    entry["jwks"]["keys"] = json!(distinct);
    for member in ["fromHeaders", "fromParams", "fromCookies"] {
        let places = [list(entry, member), list(other, member)].concat();
        if !places.is_empty() {
            entry[member] = json!(places);
        }
    }
}

fn decided(configuration: &Value, ask: &Ask, now: UnixTime, case: &Value) -> String {
    match Gate::load(configuration) {
        Ok(mut gate) => with_headers(case, &gate.ask(ask, now)),
        Err(error) => format!("not loaded: {error}"),
    }
}

/// The outcome, and the first header that the upstream sees otherwise. Its header of the consumer's name is not ours.
fn with_headers(case: &Value, answer: &Answer) -> String {
    for (name, value) in case["added_headers"].as_object().into_iter().flatten() {
        let is_there = answer.upstream(name).any(|found| Some(found) == value.as_str().map(str::as_bytes));
        if answer.refusal.is_none() && name != "x-mse-consumer" && !is_there {
            return format!("accepted, but without {name}");
        }
    }
    answer.outcome()
}
