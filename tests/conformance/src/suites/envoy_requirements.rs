//! Envoy's trees of requirements as `anyOf` and `allOf`.
//!
//! A provider that a tree names is an alternative with that issuer. `allow_missing` makes a requirement optional: a token that is
//! sent must be good all the same. `allow_missing_or_failed` alone looks at nothing, which is `access: public`; as an alternative to
//! a provider it has no equal, for a bad credential never passes where a good one would be looked at. Beside parts that must hold
//! both add nothing.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use portcullis_testbed::{Algorithm, Issuer};
use serde_json::{Map, Value, json};

use super::envoy_jwt_authn::{NOW, Tokens, rule};
use crate::gate::{Ask, Gate};
use crate::row::{Expected, Row};
use crate::{list, read, text};

/// Two providers, each with a header of its own, and the tokens of the suite.
pub(super) fn allow_missing_failed(folder: &Path) -> Result<Vec<Row>> {
    let tokens = Tokens::read(folder)?;
    let document = read(folder, "envoy_jwt_authn/requirements_allow_missing_failed.json")?;
    let keys = tokens.good_key()?;
    let mut entries = Vec::new();
    for (name, provider) in document["config"]["providers"].as_object().into_iter().flatten() {
        entries.push(rule(name, provider, &keys).map_err(anyhow::Error::msg)?);
    }
    let run = |case: &Value| {
        let expected = Expected::accepted(text(case, "status") == "Ok");
        let headers = list(case, "request_headers").iter();
        let ask = headers.fold(Ask::get("/"), |ask, header| ask.header(text(header, "name"), tokens.get(text(header, "token"))));
        let ours = tree(&case["requires"]).map_or_else(|reason| reason, |rule| decided(&entries, &rule, &ask));
        Row::new(text(case, "id"), expected, ours)
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

/// Trees of providers whose outcomes are given: each has a header of its own, and a token that has the outcome.
pub(super) fn logic(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "envoy_jwt_authn/requirement_logic.json")?;
    let run = |case: &Value| {
        let expected = Expected::accepted(text(case, "final") == "Ok");
        let ours = Providers::decided(case).unwrap_or_else(|reason| reason);
        Ok(Row::new(text(case, "id"), expected, ours))
    };
    list(&document, "cases").iter().map(run).collect()
}

fn decided(entries: &[Value], rule: &Value, ask: &Ask) -> String {
    match Gate::load(&json!({"jwtRules": entries, "rules": [rule]})) {
        Ok(mut gate) => gate.ask(ask, NOW).outcome(),
        Err(error) => format!("not loaded: {error}"),
    }
}

/// A tree as a rule.
fn tree(requires: &Value) -> Result<Value, String> {
    if let Some(any) = requires.get("requires_any") {
        let members = list(any, "requirements");
        let optional = members.iter().any(|member| member.get("allow_missing").is_some());
        let others: Vec<_> = members.iter().filter(|member| member.get("allow_missing").is_none()).collect();
        let alternatives = others.iter().map(|member| required(member)).collect::<Result<Vec<_>, _>>()?;
        let requirement = one_or("anyOf", alternatives);
        return Ok(match optional {
            true => json!({"access": "optional", "require": requirement}),
            false => json!({ "require": requirement }),
        });
    }
    if requires.get("allow_missing").is_some() {
        return Ok(json!({"access": "optional"}));
    }
    if requires.get("allow_missing_or_failed").is_some() {
        return Ok(json!({"access": "public"}));
    }
    Ok(json!({ "require": required(requires)? }))
}

/// A part of a tree that must hold.
fn required(requires: &Value) -> Result<Value, String> {
    let required_members = |members: &[Value]| members.iter().map(required).collect::<Result<Vec<_>, _>>();
    let only = requires.as_object().and_then(|requires| requires.iter().next());
    let (member, value) = only.ok_or("not run: an empty requirement")?;
    match member.as_str() {
        "provider_name" => Ok(json!({"issuers": [value]})),
        "provider_and_audiences" => Ok(json!({"issuers": [value["provider_name"]], "audiences": value["audiences"]})),
        "requires_any" => Ok(one_or("anyOf", required_members(list(value, "requirements"))?)),
        "requires_all" => {
            let always =
                |member: &&Value| ["allow_missing", "allow_missing_or_failed"].iter().all(|name| member.get(*name).is_none());
            let members: Vec<_> = list(value, "requirements").iter().filter(always).cloned().collect();
            Ok(one_or("allOf", required_members(&members)?))
        }
        "allow_missing" => Err("not run: a part of a requirement cannot be optional".into()),
        "allow_missing_or_failed" => Err("not run: a credential that fails never passes".into()),
        other => Err(format!("not run: `{other}` has no equal")),
    }
}

fn one_or(word: &str, mut members: Vec<Value>) -> Value {
    match (members.pop(), members.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            members.push(last);
            json!({ word: members })
        }
        (None, _) => json!({}),
    }
}

/// Providers that sign tokens with whatever outcome is wanted.
struct Providers;

impl Providers {
    fn decided(case: &Value) -> Result<String, String> {
        let outcomes: BTreeMap<_, _> = list(case, "provider_results_in_order")
            .iter()
            .filter_map(|pair| Some((pair[0].as_str()?, pair[1].as_str()?)))
            .collect();
        let mut names = Vec::new();
        let requirement = Self::tree(&case["tree"], &mut names)?;
        let (mut entries, mut ask) = (Vec::new(), Ask::get("/"));
        for name in names {
            let issuer = Issuer::new(&format!("https://{name}"), &[Algorithm::Es256]).map_err(|error| error.to_string())?;
            let jwks = issuer.jwks().map_err(|error| error.to_string())?;
            entries.push(
                json!({"name": name, "issuer": issuer.name(), "jwks": jwks, "fromHeaders": [{"name": format!("x-{name}")}]}),
            );
            let claims = issuer.claims().with("exp", NOW.as_secs() + 60).without("iat").without("nbf");
            let token = issuer.key(Algorithm::Es256).and_then(|key| key.sign(&claims)).map_err(|error| error.to_string())?;
            // An outcome that is not given belongs to a provider that was not asked any more.
            let sent = match outcomes.get(name.as_str()).copied() {
                Some("JwtMissed") => None,
                Some("Ok") => Some(token),
                Some(_) => Some(format!("{token}AA")),
                None => None,
            };
            if let Some(token) = sent {
                ask = ask.header(&format!("x-{name}"), token);
            }
        }
        let rule = match requirement {
            Value::Object(empty) if empty == Map::new() => json!({"access": "public"}),
            requirement => json!({ "require": requirement }),
        };
        Ok(decided(&entries, &rule, &ask))
    }

    /// `["any" | "all", member…]`, where a member is a name or a tree.
    fn tree(tree: &Value, names: &mut Vec<String>) -> Result<Value, String> {
        if let Some(name) = tree.as_str() {
            return match name {
                "allow_missing_or_failed" => Err("not run: a credential that fails never passes".into()),
                "allow_missing" => Err("not run: a part of a requirement cannot be optional".into()),
                name => {
                    names.push(name.to_owned());
                    Ok(json!({"issuers": [name]}))
                }
            };
        }
        let members = tree.as_array().map(Vec::as_slice).unwrap_or_default();
        let (word, members) = members.split_first().ok_or("not run: an empty tree")?;
        let parts = members.iter().map(|member| Self::tree(member, names)).collect::<Result<Vec<_>, _>>()?;
        let parts = parts.into_iter().filter(|part| part != &json!({})).collect();
        Ok(one_or(if word == "any" { "anyOf" } else { "allOf" }, parts))
    }
}
