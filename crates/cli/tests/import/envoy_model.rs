//! What `jwt_authn` does with a request, written from its documentation and independent of the import.

use serde_json::Value;

use crate::gate::Ask;

/// A request and, where there is one, the claims of its valid token.
#[derive(Debug, Clone)]
pub struct Sample {
    pub method: &'static str,
    pub path: &'static str,
    pub header: Option<(&'static str, &'static str)>,
    pub claims: Option<Value>,
}

impl Sample {
    /// The request without its token.
    pub fn ask(&self) -> Ask {
        let ask = Ask::new(self.method, "api.example.com", self.path);
        self.header.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
    }
}

/// Whether the request passes. The filter's rules are in snake_case here.
///
/// Beside `allow_missing` in a list of which one is enough, a valid token of a provider that the list does not name passes as well;
/// `strict` says that it does not.
pub fn admits(filter: &Value, sample: &Sample, strict: bool) -> bool {
    let rules = filter["rules"].as_array().map_or(&[][..], Vec::as_slice);
    let Some(rule) = rules.iter().find(|rule| matches(&rule["match"], sample)) else { return true };
    let requirement = match rule["requirement_name"].as_str() {
        Some(name) => Some(&filter["requirement_map"][name]),
        None => rule.get("requires"),
    };
    requirement.is_none_or(|requirement| satisfied(requirement, &filter["providers"], sample.claims.as_ref(), strict))
}

fn matches(matching: &Value, sample: &Sample) -> bool {
    let (path, query) = sample.path.split_once('?').unwrap_or((sample.path, ""));
    let path_fits =
        match matching.as_object().and_then(|members| members.iter().find(|(key, _)| key.contains("path") || *key == "prefix")) {
            Some((key, value)) if key == "prefix" => path.starts_with(value.as_str().unwrap()),
            Some((key, value)) if key == "path" => match matching["case_sensitive"] == false {
                true => path.eq_ignore_ascii_case(value.as_str().unwrap()),
                false => path == value.as_str().unwrap(),
            },
            Some((_, value)) => {
                path.strip_prefix(value.as_str().unwrap()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            None => matching.get("connect_matcher").is_none() || sample.method == "CONNECT",
        };
    let header = |header: &Value| {
        let name = header["name"].as_str().unwrap();
        let found = if name == ":method" {
            Some(sample.method)
        } else {
            sample.header.filter(|(found, _)| *found == name).map(|(_, value)| value)
        };
        let test = &header["string_match"];
        let holds = found.is_some_and(|value| match (test["exact"].as_str(), test["prefix"].as_str()) {
            (Some(exact), _) => value == exact,
            (_, Some(prefix)) => value.starts_with(prefix),
            _ => true,
        });
        holds != (header["invert_match"] == true)
    };
    let parameter = |parameter: &Value| {
        let wanted = format!("{}={}", parameter["name"].as_str().unwrap(), parameter["string_match"]["exact"].as_str().unwrap());
        query.split('&').any(|pair| pair == wanted)
    };
    let all = |key: &str, test: &dyn Fn(&Value) -> bool| matching[key].as_array().is_none_or(|list| list.iter().all(test));
    path_fits && all("headers", &header) && all("query_parameters", &parameter)
}

/// Whether a requirement is satisfied; all providers take the token from the same place.
fn satisfied(requirement: &Value, providers: &Value, claims: Option<&Value>, strict: bool) -> bool {
    let provider = |name: &Value, audiences: Option<&Value>| {
        let provider = &providers[name.as_str().unwrap()];
        let audiences = audiences.or(provider.get("audiences"));
        claims.is_some_and(|claims| {
            claims["iss"] == provider["issuer"]
                && audiences.and_then(Value::as_array).is_none_or(|list| list.is_empty() || list.contains(&claims["aud"]))
                && provider["subjects"]["prefix"]
                    .as_str()
                    .is_none_or(|start| claims["sub"].as_str().is_some_and(|sub| sub.starts_with(start)))
        })
    };
    let members = |node: &Value| node["requirements"].as_array().unwrap().clone();
    let (kind, inner) = requirement.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "provider_name" => provider(inner, None),
        "provider_and_audiences" => provider(&inner["provider_name"], inner.get("audiences")),
        "requires_any" => members(inner).iter().any(|member| satisfied(member, providers, claims, strict)),
        "requires_all" => members(inner).iter().all(|member| satisfied(member, providers, claims, false)),
        "allow_missing" => claims.is_none() || !strict,
        other => panic!("{other}"),
    }
}
