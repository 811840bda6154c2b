//! `jwtRules` of RequestAuthentication objects.
//!
//! A token is taken if one entry takes it, so entries for one issuer that differ in their audiences only become one; of others
//! the first counts.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::import::formula::{Fact, Formula};
use crate::import::issuers::Entry;
use crate::import::note::Notes;
use crate::import::plan::{Effect, Plan};
use crate::import::source::Node;

/// The claims that Istio always takes apart at spaces.
const SPACE_DELIMITED: [&str; 2] = ["scope", "permission"];

/// What is taken over as it is.
const AS_IS: [&str; 7] = [
    "fromHeaders",
    "fromParams",
    "fromCookies",
    "forwardOriginalToken",
    "outputPayloadToHeader",
    "outputClaimToHeaders",
    "spaceDelimitedClaims",
];

/// The entries of all objects.
pub fn entries(objects: &[Node<'_>], notes: &mut Notes) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for rule in objects.iter().filter_map(|object| object.get("spec")).flat_map(|spec| spec.list("jwt_rules")) {
        let Some(entry) = entry(&rule, notes) else { continue };
        match entries.iter_mut().find(|known| known.name == entry.name) {
            None => entries.push(entry),
            Some(known) if known.is_like(&entry) => join_audiences(known, &entry),
            Some(known) => notes
                .no_equal(&entry.place, format!("an issuer has one entry, and {} is another one for it: left out", known.place)),
        }
    }
    if !entries.is_empty() {
        notes.remark("", "a token without `exp` is refused; write `requireExpiration: false` in its entry to take it, as before");
    }
    if entries.iter().any(|entry| !entry.members.contains_key("jwks")) {
        notes.remark(
            "",
            "the proxy fetches the keys itself: their host must be known to it (a ServiceEntry), or name the `cluster` that leads there",
        );
    }
    entries
}

fn entry(rule: &Node<'_>, notes: &mut Notes) -> Option<Entry> {
    let Some(issuer) = rule.text("issuer").filter(|issuer| !issuer.is_empty()) else {
        notes.no_equal(&rule.place(), "has no issuer: left out");
        return None;
    };
    let mut entry = Entry { name: issuer.to_owned(), members: Map::new(), place: rule.place() };
    entry.members.insert("issuer".to_owned(), issuer.into());
    let audiences = rule.texts("audiences");
    if !audiences.is_empty() {
        if audiences.iter().any(|audience| audience.starts_with("http") || audience.ends_with('/')) {
            notes.remark(&rule.place(), "an audience is compared exactly, its scheme and a slash at its end included");
        }
        entry.members.insert("audiences".to_owned(), audiences.into());
    }
    match (rule.text("jwks"), rule.text("jwks_uri")) {
        (Some(jwks), _) if !jwks.is_empty() => entry.members.insert("jwks".to_owned(), jwks.into()),
        (_, Some(uri)) if !uri.is_empty() => entry.members.insert("jwksUri".to_owned(), uri.into()),
        _ if issuer.starts_with("https://") => entry.members.insert("discovery".to_owned(), issuer.into()),
        _ => {
            notes.no_equal(&rule.place(), "has no keys, and its issuer is no https URL at which they could be found: left out");
            return None;
        }
    };
    let is_fetched = !entry.members.contains_key("jwks");
    entry.add_timeout(rule.text("timeout").filter(|_| is_fetched), notes);
    for key in AS_IS {
        if let Some(node) = rule.get(key).filter(|node| !matches!(node.value, Value::Array(list) if list.is_empty())) {
            entry.members.insert(key.to_owned(), node.value.clone());
        }
    }
    entry.add_default_sources(notes);
    let known = ["issuer", "audiences", "jwks", "jwks_uri", "timeout"];
    for (key, node) in rule.others(&[known.as_slice(), &AS_IS].concat()) {
        notes.no_equal(&node.place(), format!("`{key}` is not known here: left out"));
    }
    Some(entry)
}

/// A token is taken that either takes.
fn join_audiences(entry: &mut Entry, other: &Entry) {
    match (entry.members.get_mut("audiences"), other.members.get("audiences")) {
        (Some(Value::Array(audiences)), Some(Value::Array(more))) => {
            let new: Vec<_> = more.iter().filter(|audience| !audiences.contains(audience)).cloned().collect();
            audiences.extend(new);
        }
        _ => drop(entry.members.remove("audiences")),
    }
}

/// Has the claims taken apart that policies compare and Istio takes apart.
pub fn split_claims(entries: &mut [Entry], plan: &Plan, notes: &mut Notes) {
    let mut compared = BTreeSet::new();
    for rule in &plan.rules {
        if let Effect::Allow(callers) | Effect::Deny(callers) = &rule.effect {
            collect_claims(callers, &mut compared);
        }
    }
    for claim in SPACE_DELIMITED.into_iter().filter(|claim| compared.contains(*claim)) {
        for entry in entries.iter_mut() {
            let list = entry.members.entry("spaceDelimitedClaims").or_insert_with(|| json!([]));
            if let Value::Array(list) = list
                && !list.contains(&json!(claim))
            {
                list.push(claim.into());
            }
            let outputs = entry.members.get("outputClaimToHeaders").and_then(Value::as_array).cloned().unwrap_or_default();
            if outputs.iter().any(|output| output.get("claim").and_then(Value::as_str) == Some(claim)) {
                let text = format!("`{claim}` is taken apart at its spaces, and so its header has commas in their place");
                notes.no_equal(&entry.place, text);
            }
        }
    }
    if compared.contains("roles") {
        notes.remark("", "`roles` written as one text is taken apart at spaces and commas before it is compared");
    }
}

fn collect_claims(formula: &Formula, found: &mut BTreeSet<String>) {
    match formula {
        Formula::Is(Fact::Claim(path, _)) | Formula::IsNot(Fact::Claim(path, _)) => drop(found.insert(path.clone())),
        Formula::All(members) | Formula::Any(members) => members.iter().for_each(|member| collect_claims(member, found)),
        _ => {}
    }
}
