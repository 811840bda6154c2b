//! What Istio and Envoy expect of requests under their own configurations, asked of what was imported from them.
//!
//! The data are not in this repository: `CONFORMANCE` names their folder. Where we refuse what they accept, the reason stands here.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::gate::{Ask, Gate};
use crate::run::{import, import_text};

/// Rows that we refuse though they are accepted there, by a part of their names.
const STRICTER: [(&str, &str); 5] = [
    ("headers-params/valid-token-set", "two credentials in one request are refused, not compared"),
    ("TestMultipleJWTAllGood", "two credentials in one request are refused, not compared"),
    ("TestAllowFailedMultiple", "a token that is sent must be valid, and only one may be sent"),
    ("AllowFailed", "a token that is sent must be valid"),
    ("OtherGoodJwt", "a token of a provider that the rule does not name is refused"),
];

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("CONFORMANCE").map(PathBuf::from).filter(|folder| folder.is_dir());
    if folder.is_none() {
        eprintln!("skipped: CONFORMANCE names no folder");
    }
    folder
}

fn read(folder: &std::path::Path, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap()
}

/// The text with each `{Name}` replaced by the token of this name.
fn fill(text: &str, tokens: &Value) -> String {
    tokens["tokens"].as_object().unwrap().iter().fold(text.to_owned(), |text, (name, token)| {
        text.replace(&format!("{{{name}}}"), token["token"].as_str().unwrap_or_default())
    })
}

/// Checks the answer to a row: never accepted where it is refused there; refused where it is accepted only for a reason.
fn compare(id: &str, accepted: bool, refusal: Option<&str>) {
    assert!(accepted || refusal.is_some(), "{id}: admitted");
    let reason = STRICTER.iter().find(|(part, _)| id.contains(part));
    assert!(!accepted || refusal.is_none() || reason.is_some(), "{id}: refused: {refusal:?}");
}

fn list(objects: &[Value]) -> Value {
    let items = json!(objects).to_string().replace("JWKS_URI", "https://keys.example.com/jwks");
    json!({"apiVersion": "v1", "kind": "List", "items": serde_json::from_str::<Value>(&items).unwrap()})
}

#[test]
fn request_authentication_of_istio() {
    let Some(folder) = folder() else { return };
    let (suite, tokens) = (read(&folder, "istio/request_authn.json"), read(&folder, "istio/tokens.json"));
    let mut run = 0;
    for (name, objects) in suite["configs"].as_object().unwrap() {
        // The gateway's configuration is written shorter there, and two suites are about a server that does not answer.
        let Some(objects) = objects.as_array().filter(|_| !matches!(name.as_str(), "timeout" | "invalid-jwks")) else { continue };
        let imported = import(&list(objects));
        for case in suite["cases"].as_array().unwrap().iter().filter(|case| case["config"] == json!(name)) {
            let mut gate = Gate::new(&imported.configuration, &tokens["jwks"]["default"]);
            let path = fill(case["path"].as_str().unwrap(), &tokens);
            let ask = Ask::new(case["method"].as_str().unwrap(), "api.example.com", &path);
            let headers = case["headers"].as_object().into_iter().flatten();
            let ask = headers.fold(ask, |ask, (name, value)| ask.header(name, &fill(value.as_str().unwrap(), &tokens)));
            let answer = gate.decide(&ask);
            let id = case["id"].as_str().unwrap();
            compare(id, case["status"] == json!(200), answer.refusal);
            for (header, value) in case["upstream"].as_object().into_iter().flatten().filter(|_| answer.refusal.is_none()) {
                let found: Vec<_> =
                    answer.upstream.iter().filter(|(name, _)| name == header).map(|(_, value)| value.clone()).collect();
                assert_eq!(found, [fill(value.as_str().unwrap(), &tokens)], "{id}: {header}");
            }
            run += 1;
        }
    }
    assert!(run >= 15, "only {run} rows were run");
}

#[test]
fn claims_in_authorization_policies_of_istio() {
    let Some(folder) = folder() else { return };
    let (suite, tokens) = (read(&folder, "istio/authz_jwt.json"), read(&folder, "istio/tokens.json"));
    let imported = import(&list(suite["policy"].as_array().unwrap()));
    let cases = suite["cases"].as_array().unwrap();
    for case in cases {
        let ask = Ask::new("GET", "api.example.com", case["path"].as_str().unwrap());
        let token = case["token"].as_str().map(|name| tokens["tokens"][name]["token"].as_str().unwrap());
        let ask = token.into_iter().fold(ask, Ask::bearer);
        let answer = Gate::new(&imported.configuration, &tokens["jwks"]["default"]).decide(&ask);
        compare(case["id"].as_str().unwrap(), case["allow"] == json!(true), answer.refusal);
    }
    assert!(cases.len() >= 15);
}

#[test]
fn rule_matches_of_envoy() {
    let Some(folder) = folder() else { return };
    let tokens = read(&folder, "envoy_jwt_authn/tokens.json");
    let provider =
        json!({"issuer": "https://example.com", "local_jwks": {"inline_string": tokens["jwks"]["PublicKey"].to_string()}});
    for case in read(&folder, "envoy_jwt_authn/rule_match.json")["cases"].as_array().unwrap() {
        let mut rule = case["rule"].clone();
        rule["requires"] = json!({"provider_name": "p"});
        let imported = import(&json!({"providers": {"p": provider}, "rules": [rule]}));
        let headers =
            case["headers"].as_array().unwrap().iter().map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
        let ask = headers
            .filter(|(name, _)| !name.is_empty())
            .fold(Ask::new("GET", "h", "/"), |ask, (name, value)| ask.header(name, value));
        let refusal = Gate::new(&imported.configuration, &Value::Null).decide(&ask).refusal;
        let id = case["id"].as_str().unwrap();
        // A rule that matches asks for a token, and there is none. What cannot be matched in full asks for one as well.
        let accepted = case["matches"] == json!(false);
        assert!(accepted || refusal.is_some(), "{id}: admitted");
        assert!(
            !accepted || refusal.is_none() || !imported.lost.is_empty() || id.contains("TestMatchPath/4"),
            "{id}: {refusal:?}"
        );
    }
}

#[test]
fn requirements_of_envoy() {
    let Some(folder) = folder() else { return };
    let tokens = read(&folder, "envoy_jwt_authn/tokens.json");
    let suite = read(&folder, "envoy_jwt_authn/requirements_allow_missing_failed.json");
    let mut providers = suite["config"]["providers"].clone();
    // The tokens name no key, and so only one may fit.
    let keys = json!({"keys": [tokens["jwks"]["PublicKey"]["keys"][0]]}).to_string();
    for provider in providers.as_object_mut().unwrap().values_mut() {
        provider["local_jwks"] = json!({"inline_string": keys});
    }
    for case in suite["cases"].as_array().unwrap() {
        let rules = json!([{"match": {"prefix": "/"}, "requires": case["requires"]}]);
        let imported = import(&json!({"providers": providers, "rules": rules}));
        let headers = case["request_headers"].as_array().unwrap().iter();
        let ask = headers.fold(Ask::new("GET", "h", "/"), |ask, header| {
            let token = tokens["tokens"][header["token"].as_str().unwrap()]["token"].as_str().unwrap();
            ask.header(header["name"].as_str().unwrap(), token)
        });
        let refusal = Gate::new(&imported.configuration, &Value::Null).decide(&ask).refusal;
        let two = case["request_headers"].as_array().unwrap().len() > 1;
        let accepted = case["status"] == "Ok";
        let id = case["id"].as_str().unwrap();
        match two && accepted && refusal.is_some() {
            // Two credentials are refused where one is asked for.
            true => assert!(
                matches!(
                    refusal,
                    Some("credentials_multiple" | "key_unknown" | "signature_invalid" | "token_expired" | "issuer_not_allowed")
                ),
                "{id}: {refusal:?}"
            ),
            false => compare(id, accepted, refusal),
        }
    }
}

/// Trees of requirements over providers, with a token of each provider that is said to be good, in a place of its own.
#[test]
fn requirement_trees_of_envoy() {
    let Some(folder) = folder() else { return };
    let signers: Vec<crate::run::Signer> = (0..6).map(|index| crate::run::Signer::new(&format!("issuer-{index}"))).collect();
    for case in read(&folder, "envoy_jwt_authn/requirement_logic.json")["cases"].as_array().unwrap() {
        let mut names = Vec::new();
        let requirement = tree(&case["tree"], &mut names);
        let provider = |index: usize, name: &String| {
            let keys = json!({"inline_string": signers[index].jwks()});
            (
                name.clone(),
                json!({"issuer": format!("issuer-{index}"), "local_jwks": keys, "from_headers": [{"name": format!("x-{name}")}]}),
            )
        };
        let providers: serde_json::Map<String, Value> =
            names.iter().enumerate().map(|(index, name)| provider(index, name)).collect();
        let filter = json!({"providers": providers, "rules": [{"match": {"prefix": "/"}, "requires": requirement}]});
        let imported = import_text(&filter.to_string(), "filter.json");
        let results = case["provider_results_in_order"].as_array().unwrap();
        let good = |name: &String| results.iter().any(|result| result[0] == json!(name) && result[1] == "Ok");
        let ask =
            names.iter().enumerate().filter(|(_, name)| good(name)).fold(Ask::new("GET", "h", "/"), |ask, (index, name)| {
                ask.header(&format!("x-{name}"), &signers[index].token(&json!({"sub": "a"})))
            });
        let refusal = Gate::new(&imported.configuration, &Value::Null).decide(&ask).refusal;
        let id = case["id"].as_str().unwrap();
        let accepted = case["final"] == "Ok";
        assert!(accepted || refusal.is_some(), "{id}: admitted");
        // More tokens than one alternative asks for are too many.
        assert!(!accepted || matches!(refusal, None | Some("credentials_multiple")), "{id}: {refusal:?}");
    }
}

fn tree(node: &Value, names: &mut Vec<String>) -> Value {
    match node {
        Value::String(name) if name.starts_with("allow_") => json!({name.as_str(): {}}),
        Value::String(name) => {
            if !names.contains(name) {
                names.push(name.clone());
            }
            json!({"provider_name": name})
        }
        node => {
            let members: Vec<Value> = node.as_array().unwrap().iter().skip(1).map(|member| tree(member, names)).collect();
            json!({if node[0] == "any" { "requires_any" } else { "requires_all" }: {"requirements": members}})
        }
    }
}

/// Requests under one provider, with what each row changes about it.
#[test]
fn providers_of_envoy() {
    let Some(folder) = folder() else { return };
    let (suite, tokens) = (read(&folder, "envoy_jwt_authn/authenticator.json"), read(&folder, "envoy_jwt_authn/tokens.json"));
    // The tokens name no key, and so only one may fit.
    let keys = json!({"inline_string": json!({"keys": [tokens["jwks"]["PublicKey"]["keys"][0]]}).to_string()});
    let mut run = 0;
    for case in suite["cases"].as_array().unwrap() {
        let mut provider = suite["base_config"]["providers"]["example_provider"].clone();
        provider.as_object_mut().unwrap().remove("jwks");
        provider["local_jwks"] = keys.clone();
        let delta = case["config_delta"].as_object().cloned().unwrap_or_default();
        // What is about several providers, or about keys that Envoy fetches, is told by other tests.
        if delta
            .keys()
            .any(|key| matches!(key.as_str(), "providers" | "requires" | "add_provider" | "jwks_inline") || key.contains("jwks"))
        {
            continue;
        }
        for (key, value) in &delta {
            provider[key] = value.clone();
        }
        let requirement = match delta.get("allow_failed") {
            Some(_) => json!({"requires_any": {"requirements": [{"provider_name": "p"}, {"allow_missing_or_failed": {}}]}}),
            None => json!({"provider_name": "p"}),
        };
        let imported =
            import(&json!({"providers": {"p": provider}, "rules": [{"match": {"prefix": "/"}, "requires": requirement}]}));
        let headers = case["headers"].as_object().into_iter().flatten();
        let ask = headers
            .fold(Ask::new("GET", "h", "/"), |ask, (name, value)| ask.header(name, &fill(value.as_str().unwrap(), &tokens)));
        let answer = Gate::new(&imported.configuration, &Value::Null).decide(&ask);
        let id = case["id"].as_str().unwrap();
        let accepted = case["status"] == "Ok";
        let has_equal = imported.lost.is_empty();
        assert!(accepted || answer.refusal.is_some(), "{id}: admitted");
        if has_equal {
            compare(id, accepted, answer.refusal);
        }
        run += 1;
    }
    assert!(run >= 20, "only {run} rows were run");
}
