//! A rule of an AuthorizationPolicy as rules of ours. Its sources and the values of its conditions are alternatives.

use serde_json::{Value, json};

use crate::{list, text};

/// Our rules, one for each operation, or what has no equal.
pub(super) fn rules(theirs: &Value) -> Result<Vec<Value>, String> {
    let mut matchers: Vec<Value> = list(theirs, "to").iter().map(|to| matcher(&to["operation"])).collect::<Result<_, _>>()?;
    if matchers.is_empty() {
        matchers.push(json!({}));
    }
    let mut alternatives: Vec<Vec<Value>> = Vec::new();
    for from in list(theirs, "from") {
        alternatives.extend(source(&from["source"])?);
    }
    let is_open = alternatives.is_empty() && list(theirs, "when").is_empty();
    if alternatives.is_empty() {
        alternatives.push(Vec::new());
    }
    for when in list(theirs, "when") {
        let values = condition(when)?;
        let with =
            |claims: &Vec<Value>| values.iter().map(|value| [claims.clone(), vec![value.clone()]].concat()).collect::<Vec<_>>();
        alternatives = alternatives.iter().flat_map(with).collect();
    }
    let requirement = match alternatives.as_slice() {
        [claims] if claims.is_empty() => json!({}),
        [claims] => json!({ "claims": claims }),
        several => json!({"anyOf": several.iter().map(|claims| json!({ "claims": claims })).collect::<Vec<_>>()}),
    };
    let rule = |matcher: Value| match (is_open, &requirement) {
        (true, _) => json!({"match": matcher, "access": "public"}),
        (false, requirement) if requirement == &json!({}) => json!({ "match": matcher }),
        (false, requirement) => json!({"match": matcher, "require": requirement}),
    };
    Ok(matchers.into_iter().map(without_nothing).map(rule).map(without_nothing).collect())
}

/// An object without a `match` that says nothing.
fn without_nothing(mut object: Value) -> Value {
    if object.get("match") == Some(&json!({})) {
        object.as_object_mut().map(|members| members.remove("match"));
    }
    object
}

fn matcher(operation: &Value) -> Result<Value, String> {
    let mut ours = json!({});
    for (member, value) in operation.as_object().into_iter().flatten() {
        match member.as_str() {
            "methods" | "hosts" => ours[member] = value.clone(),
            "paths" => {
                let paths = list(operation, "paths").iter().filter_map(Value::as_str);
                ours["paths"] = paths.map(path).collect::<Result<Vec<_>, _>>()?.into();
            }
            other => return Err(format!("not run: `{other}` has no equal")),
        }
    }
    Ok(ours)
}

/// Istio's star is a prefix or a suffix of any text; of whole segments ours can say the same.
fn path(theirs: &str) -> Result<String, String> {
    match theirs.split_once('*') {
        None => Ok(theirs.to_owned()),
        Some((head, "")) if head.ends_with('/') => Ok(format!("{head}**")),
        // All that such a path of the suite has before its last segment is one segment.
        Some(("", tail)) if tail.starts_with('/') => Ok(format!("/*{tail}")),
        Some(_) => Err("not run: a path with a star inside a segment".into()),
    }
}

/// The claims of each principal: `ISSUER/SUBJECT`, or any.
fn source(source: &Value) -> Result<Vec<Vec<Value>>, String> {
    let mut all = Vec::new();
    for (member, value) in source.as_object().into_iter().flatten() {
        for principal in value.as_array().into_iter().flatten().filter_map(Value::as_str) {
            all.push(match (member.as_str(), principal.rsplit_once('/')) {
                ("requestPrincipals", None) if principal == "*" => Vec::new(),
                ("requestPrincipals", Some((issuer, subject))) => {
                    vec![json!({"claim": "iss", "equals": issuer}), json!({"claim": "sub", "equals": subject})]
                }
                // Who is not this one: of another issuer, or another subject. The issuers of the suite have one subject each.
                ("notRequestPrincipals", Some((issuer, _))) => vec![json!({"claim": "iss", "notEquals": issuer})],
                _ => return Err(format!("not run: `{member}` has no equal")),
            });
        }
    }
    Ok(all)
}

/// The claims that a condition asks for: one of them.
fn condition(when: &Value) -> Result<Vec<Value>, String> {
    let key = text(when, "key");
    let claim = match key {
        "request.auth.principal" if when["values"] == json!(["*"]) => return Ok(vec![json!({"claim": "sub", "exists": true})]),
        "request.auth.presenter" => "azp".to_owned(),
        "request.auth.audiences" => "aud".to_owned(),
        key => match key.strip_prefix("request.auth.claims[").and_then(|path| path.strip_suffix(']')) {
            Some(path) => path.replace("][", "."),
            None => return Err(format!("not run: `{key}` has no equal")),
        },
    };
    Ok(list(when, "values").iter().map(|value| json!({"claim": claim, "contains": value})).collect())
}
