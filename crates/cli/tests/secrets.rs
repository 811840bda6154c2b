//! Whatever in a configuration is secret has no part in its version, so nobody can try guesses by it: each place of the schema whose type
//! or name says so.

#![allow(clippy::unwrap_used, reason = "a broken expectation ends the test")]

use std::path::Path;

use portcullis_core::config::document::canonical;
use serde_json::{Map, Value, json};

const SECRET: &str = "S3CRET";
/// What the names of texts say that are secrets themselves, or by which one can be recognised.
const WORDS: [&str; 9] = ["secret", "password", "passphrase", "credential", "bearer", "dsn", "sha", "hash", "salt"];

/// Documents with a secret in each place that is made for one, with the path of the place.
struct Secrets<'a> {
    definitions: &'a Value,
    found: Vec<(String, Value)>,
}

impl Secrets<'_> {
    /// Looks through a schema that stands in these keys; `[]` is an element of a list.
    fn search(&mut self, schema: &Value, keys: &[String], within: &[&str]) {
        if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
            match name {
                "SecretConfig" => self.add(keys, &json!({"inline": SECRET})),
                "Jwks" => {
                    let members = ["k", "d", "p", "q", "dp", "dq", "qi", "oth", "priv"];
                    let key: Map<_, _> = members.into_iter().map(|member| (member.to_owned(), json!(SECRET))).collect();
                    let set = json!({"keys": [key]});
                    self.add(keys, &set);
                    self.add(keys, &json!(set.to_string()));
                }
                _ if within.contains(&name) => {}
                _ => self.search(&self.definitions[name].clone(), keys, &[within, &[name]].concat()),
            }
            return;
        }
        let last = keys.iter().rev().find(|key| *key != "[]").map(|key| key.to_lowercase()).unwrap_or_default();
        let says_so = WORDS.iter().any(|word| last.contains(word)) || last.ends_with("key");
        if schema["type"].to_string().contains("\"string\"") && says_so {
            self.add(keys, &json!(SECRET));
        }
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            self.search(property, &[keys, std::slice::from_ref(key)].concat(), within);
        }
        if schema["items"].is_object() {
            self.search(&schema["items"], &[keys, &["[]".to_owned()]].concat(), within);
        }
        for choice in ["anyOf", "oneOf", "allOf"].iter().filter_map(|choice| schema[*choice].as_array()).flatten() {
            self.search(choice, keys, within);
        }
    }

    fn add(&mut self, keys: &[String], secret: &Value) {
        let document = keys.iter().rev().fold(secret.clone(), |value, key| match key.as_str() {
            "[]" => json!([value]),
            key => json!({ key: value }),
        });
        self.found.push((keys.join("."), document));
    }
}

#[test]
fn no_secret_is_a_part_of_what_the_version_is_made_of() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../filters/portcullis/schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut secrets = Secrets { definitions: &schema["$defs"], found: Vec::new() };
    secrets.search(&schema, &[], &[]);
    for (place, document) in &secrets.found {
        let canonical = String::from_utf8(canonical(document.to_string().as_bytes())).unwrap();
        assert!(!canonical.contains(SECRET), "{place}: {canonical}");
        assert!(document.to_string().contains(SECRET) && !canonical.is_empty(), "{place}");
    }
    let places: Vec<_> = secrets.found.iter().map(|(place, _)| place.as_str()).collect();
    for expected in [
        "jwtAuth.jwtRules.[].jwks",
        "jwtAuth.jwtRules.[].secret",
        "jwtAuth.apiKeys.[].keys.[].sha256",
        "authHeader.token.internal.previousKeys.[]",
        "authHeader.upstream.[].clientCredentials.clientSecret",
        "auditLog.chain.key",
        "auditLog.sinks.[].authorization.basic.password",
        "spans.headers.[].secret",
    ] {
        assert!(places.contains(&expected), "{expected} is none of {places:?}");
    }
}
