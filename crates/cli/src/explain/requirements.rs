//! Each thing that a `require` asks for, asked alone: a requirement of its own with nothing else in it, decided by the code that
//! decides about the whole.

use std::rc::Rc;

use portcullis_core::config::require::RequireConfig;
use portcullis_core::principal::{Identity, Method};
use portcullis_core::request::Request;
use portcullis_core::requirement::{Names, Requirement};
use portcullis_core::rules::Rule;
use serde_json::{Value, json};

use crate::step::{Outcome, Step};

/// The keys, in the order in which they are looked at.
const KEYS: [&str; 8] = ["issuers", "senderConstrained", "audiences", "scopes", "roles", "claims", "allOf", "anyOf"];

/// A step for each thing that is asked for. Where a request has several callers, what is asked of which is not taken apart.
pub fn steps(require: &Value, rule: &Rule, callers: &[&Identity], request: &Request, issuers: &[Rc<str>]) -> Vec<Step> {
    let [caller] = callers else { return Vec::new() };
    let facts = rule.facts(request);
    let parameters = facts.matcher.parameters();
    let names = Names { issuers, parameters: &parameters };
    let mut steps = Vec::new();
    for key in KEYS {
        let Some(asked) = require.get(key) else { continue };
        let parts = match (key, asked) {
            ("claims", Value::Array(claims)) => claims.iter().map(|claim| json!([claim])).collect(),
            _ => vec![asked.clone()],
        };
        for part in parts {
            let alone = json!({ key: part }).to_string();
            let requirement = RequireConfig::parse(alone.as_bytes()).and_then(|config| Requirement::compile(&config, names, key));
            let Ok(requirement) = requirement else { continue };
            let holds = requirement.check(callers, &facts).is_ok();
            steps.push(Step::new(key, if holds { Outcome::Ok } else { Outcome::Failed }, words(key, &part, caller)));
        }
    }
    steps
}

fn words(key: &str, asked: &Value, caller: &Identity) -> String {
    let Some(principal) = caller.principal() else { return format!("{asked}; the caller is not known") };
    let list = |list: &[String]| Value::from(list.to_vec()).to_string();
    match key {
        "issuers" => format!("one of {asked}; the caller comes from {}", Value::from(&*caller.issuer_name)),
        "audiences" => format!("one of {asked}; the token is for {}", list(&principal.audiences)),
        "scopes" => format!("all of {asked}; the caller has {}", list(&principal.scopes)),
        "senderConstrained" => {
            let is_bound = principal.method == Method::Jwt && principal.claims.get("cnf").is_some();
            format!("the token has to be bound to its sender; it {}", if is_bound { "is" } else { "is not" })
        }
        "roles" => format!("one of {asked}; the caller has {}", list(&principal.roles)),
        "claims" => {
            let asked = asked.get(0).unwrap_or(asked);
            let name = asked.get("claim").and_then(Value::as_str).unwrap_or_default();
            let found = match name {
                "subject" => principal.subject.as_deref().map(Value::from),
                "roles" => Some(Value::from(principal.roles.clone())),
                "scopes" => Some(Value::from(principal.scopes.clone())),
                name => principal.claim(name).map(Value::from),
            };
            format!("{asked}; the token has {}", found.map_or_else(|| "none".to_owned(), |found| found.to_string()))
        }
        _ => format!("{asked}"),
    }
}
