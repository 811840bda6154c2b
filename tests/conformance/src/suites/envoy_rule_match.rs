//! Envoy's route matchers as our rules: does the rule apply to the request?

use std::path::Path;

use anyhow::Result;
use portcullis_core::time::UnixTime;
use serde_json::{Value, json};

use crate::gate::{Ask, Gate};
use crate::row::{Expected, Row};
use crate::{list, read, text};

pub(super) fn run(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "envoy_jwt_authn/rule_match.json")?;
    let run = |case: &Value| {
        let expected = Expected::accepted(case["matches"] == json!(true));
        let ours = matched(case).unwrap_or_else(|reason| reason);
        Row::new(text(case, "id"), expected, ours)
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

/// `accepted` when a rule that denies applies, and all else passes.
fn matched(case: &Value) -> Result<String, String> {
    let configuration = json!({
        "rules": [{"match": matcher(&case["rule"]["match"])?, "access": "denied"}], "default": "public",
    });
    let mut gate = Gate::load(&configuration).map_err(|error| format!("not loaded: {error}"))?;
    let headers = list(case, "headers").iter();
    let ask = headers
        .fold(Ask::get("/"), |ask, pair| ask.header(pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default()));
    let is_match = gate.ask(&ask, UnixTime::from_secs(0)).refusal.is_some();
    Ok(if is_match { "accepted" } else { "refused: no match" }.into())
}

fn matcher(theirs: &Value) -> Result<Value, String> {
    let mut ours = json!({});
    for (member, value) in theirs.as_object().into_iter().flatten() {
        match member.as_str() {
            "prefix" if value == "/" => {}
            "prefix" => {
                let prefix = value.as_str().unwrap_or_default();
                ours["paths"] = json!([prefix, format!("{prefix}/**")]);
            }
            "path" => ours["paths"] = json!([value]),
            "case_sensitive" => {}
            "headers" => ours["headers"] = list(theirs, member).iter().map(header).collect::<Result<_, _>>()?,
            "connect_matcher" => ours["methods"] = json!(["CONNECT"]),
            "regex" | "safe_regex" => return Err("not run: rules know no regular expressions".into()),
            "query_parameters" => return Err("not run: rules do not look at the query".into()),
            other => return Err(format!("not run: `{other}` has no equal")),
        }
    }
    Ok(ours)
}

fn header(theirs: &Value) -> Result<Value, String> {
    let mut ours = json!({"name": theirs["name"]});
    let others: Vec<_> = theirs.as_object().into_iter().flatten().filter(|(member, _)| *member != "name").collect();
    match others.as_slice() {
        [] => ours["present"] = json!(true),
        [(member, value)] if *member == "exact_match" || *member == "value" => ours["exact"] = (*value).clone(),
        [(member, value)] if *member == "prefix_match" => ours["prefix"] = (*value).clone(),
        [(member, _), ..] => return Err(format!("not run: a header by `{member}` has no equal")),
    }
    Ok(ours)
}
