//! Envoy's `jwt_authn`: requests under a provider's configuration, and its tokens.
//!
//! Most of its tokens name no key, and its key set has three that fit. We refuse to guess (the rows of `tokens` show it), so the
//! other suites run with the one key of the set that signed them.

use std::path::Path;

use anyhow::{Context, Result};
use portcullis_core::stage::FetchOutcome;
use portcullis_core::time::UnixTime;
use serde_json::{Map, Value, json};

use crate::gate::{Answer, Ask, Gate};
use crate::row::{Expected, Row};
use crate::{list, read, text};

/// When the requests are made: most tokens end in 2033.
pub(super) const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

/// The tokens and keys that the other files name.
pub(super) struct Tokens(Value);

impl Tokens {
    /// Read them.
    pub fn read(folder: &Path) -> Result<Self> {
        read(folder, "envoy_jwt_authn/tokens.json").map(Self)
    }

    /// The token of this name.
    pub fn get(&self, name: &str) -> &str {
        text(&self.0["tokens"][name], "token")
    }

    /// A text with tokens in the place of their names in braces.
    pub fn fill(&self, template: &str) -> String {
        let names = self.0["tokens"].as_object().into_iter().flat_map(Map::keys);
        names.fold(template.to_owned(), |text, name| text.replace(&format!("{{{name}}}"), self.get(name)))
    }

    /// The key of a set that signed a token, alone.
    pub fn its_key(&self, set: &str, token: &str) -> Option<Value> {
        let alone = list(&self.0["jwks"][set], "keys").iter().map(|key| json!({"keys": [key]}));
        alone.into_iter().find(|jwks| {
            let mut rule = json!({"name": "theirs", "jwks": jwks, "requireExpiration": false});
            if let Some(issuer) = self.0["tokens"].as_object().and_then(|tokens| {
                tokens.values().find(|other| text(other, "token") == token).and_then(|found| found["payload"].get("iss"))
            }) {
                rule["issuer"] = issuer.clone();
            }
            let gate = Gate::load(&json!({"jwtRules": [rule]}));
            // At the beginning of time nothing has expired.
            gate.is_ok_and(|mut gate| gate.ask(&Ask::get("/").bearer(token), UnixTime::from_secs(0)).refusal.is_none())
        })
    }

    /// The key that signed `GoodToken`, alone.
    pub fn good_key(&self) -> Result<Value> {
        self.its_key("PublicKey", self.get("GoodToken")).context("no key signed GoodToken")
    }
}

/// Whether each token is signed by the set that is said to have signed it: the whole set, then the one key.
pub(super) fn tokens(folder: &Path) -> Result<Vec<Row>> {
    let tokens = Tokens::read(folder)?;
    let mut rows = Vec::new();
    for (name, token) in tokens.0["tokens"].as_object().context("no tokens")? {
        let compact = text(token, "token");
        let sets: Vec<_> = list(token, "signature_valid_with").iter().filter_map(Value::as_str).collect();
        let set = sets.first().copied().unwrap_or("PublicKey");
        let mut rule = json!({"name": "theirs", "jwks": tokens.0["jwks"][set], "requireExpiration": false});
        if let Some(issuer) = token["payload"].get("iss") {
            rule["issuer"] = issuer.clone();
        }
        let expected = Expected::accepted(!sets.is_empty());
        let mut gate = Gate::load(&json!({"jwtRules": [rule]}))?;
        rows.push(Row::answered(name, expected, &gate.ask(&Ask::get("/").bearer(compact), UnixTime::from_secs(0))));
        let single = tokens.its_key(set, compact).map_or("refused: no key of the set", |_| "accepted");
        rows.push(Row::new(format!("{name}#its-key"), expected, single));
    }
    Ok(rows)
}

/// A provider as a `jwtRules` entry; the first member that has no equal otherwise.
pub(super) fn rule(name: &str, provider: &Value, keys: &Value) -> Result<Value, String> {
    let mut rule = json!({"name": name, "requireExpiration": false});
    let mut locations = json!({});
    for (member, value) in provider.as_object().into_iter().flatten() {
        if value.is_null() {
            continue;
        }
        match member.as_str() {
            "issuer" => rule["issuer"] = value.clone(),
            "audiences" => rule["audiences"] = value.clone(),
            "jwks" | "local_jwks" => {}
            "jwks_inline" => rule["jwks"] = value.clone(),
            "forward" => rule["forwardOriginalToken"] = value.clone(),
            "forward_payload_header" => rule["outputPayloadToHeader"] = value.clone(),
            "claim_to_headers" => {
                let output = |one: &Value| json!({"header": one["header_name"], "claim": one["claim_name"]});
                rule["outputClaimToHeaders"] = list(provider, member).iter().map(output).collect();
            }
            "normalize.space_delimited_claims" => rule["spaceDelimitedClaims"] = value.clone(),
            "from_headers" => {
                let source = |one: &Value| json!({"name": one["name"], "prefix": text(one, "value_prefix")});
                locations["fromHeaders"] = list(provider, member).iter().map(source).collect();
            }
            "from_params" => locations["fromParams"] = value.clone(),
            "from_cookies" => locations["fromCookies"] = value.clone(),
            "payload_in_metadata" => {}
            other => return Err(format!("not run: `{other}` has no equal")),
        }
    }
    if locations == json!({}) {
        locations = json!({"fromHeaders": [{"name": "authorization", "prefix": "Bearer "}], "fromParams": ["access_token"]});
    }
    if rule.get("jwks").is_none() {
        rule["jwks"] = keys.clone();
    }
    let (Some(members), Value::Object(more)) = (rule.as_object_mut(), locations) else { return Ok(rule) };
    members.extend(more);
    Ok(rule)
}

/// Requests under a provider's configuration: the decision, what the upstream sees, and how often the keys are fetched.
pub(super) fn authenticator(folder: &Path) -> Result<Vec<Row>> {
    let tokens = Tokens::read(folder)?;
    let document = read(folder, "envoy_jwt_authn/authenticator.json")?;
    let keys = tokens.good_key()?;
    let run = |case: &Value| {
        let expected = Expected::accepted(text(case, "status") == "Ok");
        let ours = match configuration(&document["base_config"], &case["config_delta"], &keys) {
            Ok(configuration) => authenticated(case, &configuration, &keys, &tokens),
            Err(reason) => reason,
        };
        Row::new(text(case, "id"), expected, ours)
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

/// The configuration of a case: its base with the changes of the case.
fn configuration(base: &Value, delta: &Value, keys: &Value) -> Result<Value, String> {
    let mut providers = base["providers"].clone();
    let mut rule_of_route = json!({"access": "required"});
    for (member, value) in delta.as_object().into_iter().flatten() {
        match member.as_str() {
            "add_provider" => providers["added"] = value.clone(),
            "providers" => providers = value.clone(),
            "allow_missing" | "allow_failed" | "allow_missing_or_failed" if value == &json!(true) => {
                rule_of_route["access"] = json!("optional");
            }
            "requires" => rule_of_route["require"] = requirement(value)?,
            "subjects" => {
                let matcher = value.as_object().and_then(|matcher| matcher.iter().next()).ok_or("not run: no matcher")?;
                match matcher.0.as_str() {
                    "prefix" => rule_of_route["require"] = json!({"claims": [{"claim": "sub", "prefix": matcher.1}]}),
                    "exact" => rule_of_route["require"] = json!({"claims": [{"claim": "sub", "equals": matcher.1}]}),
                    other => return Err(format!("not run: a subject by `{other}` has no equal")),
                }
            }
            member => providers["example_provider"][member] = value.clone(),
        }
    }
    let mut rules = Vec::new();
    for (name, provider) in providers.as_object().into_iter().flatten() {
        let mut rule = rule(name, provider, keys)?;
        if rule.get("jwks") == Some(keys) && delta.get("jwks_inline").is_none() {
            if let Some(members) = rule.as_object_mut() {
                members.remove("jwks");
            }
            rule["jwksUri"] = json!("https://keys.example.com/jwks");
        }
        rules.push(rule);
    }
    Ok(json!({"jwtRules": rules, "rules": [rule_of_route]}))
}

/// What a single provider's requirement asks for.
fn requirement(requires: &Value) -> Result<Value, String> {
    let of_provider = |requires: &Value| json!({"issuers": [requires["provider_name"]]});
    if requires.get("provider_name").is_some() {
        return Ok(of_provider(requires));
    }
    let Some(both) = requires.get("provider_and_audiences") else { return Err("not run: a requirement without equal".into()) };
    let mut requirement = of_provider(both);
    requirement["audiences"] = both["audiences"].clone();
    Ok(requirement)
}

fn authenticated(case: &Value, configuration: &Value, keys: &Value, tokens: &Tokens) -> String {
    let mut gate = match Gate::load(configuration) {
        Ok(gate) => gate,
        Err(_) if case["config_delta"].get("jwks_inline").is_some() => return "refused: key set".into(),
        Err(error) => return format!("not loaded: {error}"),
    };
    let headers = case["headers"].as_object().into_iter().flatten();
    let ask = headers.fold(Ask::get("/"), |ask, (name, value)| ask.header(name, tokens.fill(value.as_str().unwrap_or_default())));
    let served = || FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body: keys.to_string().into_bytes() };
    let mut fetches = 0;
    let mut answer = None;
    for _ in 0..case["repeat"].as_u64().unwrap_or(1) {
        let next = gate.ask_with(&ask, NOW, |_| served());
        fetches += next.fetches;
        answer = Some(next);
    }
    let Some(answer) = answer else { return "not run: never sent".into() };
    if let Some(wanted) = case["expect_jwks_fetches"].as_u64()
        && usize::try_from(wanted) != Ok(fetches)
    {
        return format!("{}, but with {fetches} fetches", answer.outcome());
    }
    with_upstream(case, &answer, tokens)
}

/// The outcome, and the first thing that the upstream sees otherwise than expected.
fn with_upstream(case: &Value, answer: &Answer, tokens: &Tokens) -> String {
    if answer.refusal.is_some() {
        return answer.outcome();
    }
    for (name, value) in case["expect_upstream_headers"].as_object().into_iter().flatten() {
        let wanted = tokens.fill(value.as_str().unwrap_or_default());
        if answer.upstream(name).collect::<Vec<_>>() != [wanted.as_bytes()] {
            return format!("accepted, but with another {name}");
        }
    }
    let names = |member| list(case, member).iter().filter_map(Value::as_str);
    if let Some(name) = names("expect_absent").find(|name| answer.upstream(name).next().is_some()) {
        return format!("accepted, but with {name}");
    }
    if let Some(name) = names("expect_present").find(|name| answer.upstream(name).next().is_none()) {
        return format!("accepted, but without {name}");
    }
    for wanted in case["expect_metadata"].as_object().into_iter().flat_map(Map::values) {
        if answer.claims.as_ref() != wanted.as_object() {
            return "accepted, but with other claims".into();
        }
    }
    "accepted".into()
}
