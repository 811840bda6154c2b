//! Where Envoy's `jwt_authn` looks for tokens.

use std::path::Path;

use anyhow::Result;
use portcullis_core::edits::{Edit, HeaderEdits};
use portcullis_core::extractor::{self, Source};
use portcullis_core::headers::Headers;
use serde_json::{Map, Value};

use crate::row::{Expected, Row};
use crate::{list, read, text};

pub(super) fn run(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "envoy_jwt_authn/extractor.json")?;
    let run = |case: &Value| {
        let config = case.get("config").unwrap_or(&document["config"]);
        Row::new(text(case, "id"), Expected::Accepted, found(case, config))
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

/// `accepted` when the tokens that are found, and who takes them, are those of the case.
fn found(case: &Value, config: &Value) -> String {
    let issuers: Vec<_> = config["providers"].as_object().into_iter().flat_map(Map::values).map(issuer).collect();
    let sources: Vec<Source> = issuers.iter().flat_map(|(_, sources)| sources.clone()).collect();
    let pairs = list(case, "headers").iter().map(|pair| (part(pair, 0), part(pair, 1)));
    let headers = Headers::from_pairs(pairs);
    let found = match extractor::find(&headers, &sources, 1) {
        Ok(found) => found.map(|found| found.first),
        Err(rejection) => return format!("refused: {}", rejection.code()),
    };
    let tokens = list(case, "tokens");
    let [wanted] = tokens else {
        return if found.is_none() == tokens.is_empty() { "accepted".into() } else { "accepted, but with another token".into() };
    };
    let Some(found) = found else { return "accepted, but without a token".into() };
    if found.token != text(wanted, "value").as_bytes() {
        return "accepted, but with another token".into();
    }
    let takers: Vec<_> = issuers.iter().filter(|(_, sources)| sources.contains(found.source)).map(|(name, _)| *name).collect();
    let allowed: Vec<_> = list(wanted, "allowed_issuers").iter().filter_map(Value::as_str).collect();
    let differs = |left: &[&str], right: &[&str]| left.iter().any(|name| !right.contains(name));
    if !allowed.is_empty() && (differs(&takers, &allowed) || differs(&allowed, &takers)) {
        return "accepted, but for other issuers".into();
    }
    let mut edits = HeaderEdits::default();
    extractor::remove([found.source].into_iter(), &headers, &mut edits);
    let is_gone = |name: &str| edits.iter().any(|edit| matches!(edit, Edit::Remove(removed) if **removed == *name));
    let all_gone = list(case, "after_remove_absent").iter().filter_map(Value::as_str).all(is_gone);
    if all_gone { "accepted".into() } else { "accepted, but not removed".into() }
}

fn issuer(provider: &Value) -> (&str, Vec<Source>) {
    let names = |member| list(provider, member).iter().filter_map(Value::as_str).map(str::to_owned);
    let header = |one: &Value| Source::Header { name: text(one, "name").into(), prefix: text(one, "value_prefix").into() };
    let headers = list(provider, "from_headers").iter().map(header);
    let params = names("from_params").map(Source::Param);
    let mut sources: Vec<_> = headers.chain(params).chain(names("from_cookies").map(Source::Cookie)).collect();
    if sources.is_empty() {
        sources.push(Source::Header { name: "authorization".into(), prefix: "Bearer ".into() });
        sources.push(Source::Param("access_token".into()));
    }
    (text(provider, "issuer"), sources)
}

fn part(pair: &Value, index: usize) -> &str {
    pair.get(index).and_then(Value::as_str).unwrap_or_default()
}
