//! What Istio does with a request, written from its documentation and independent of the import: one function over the objects.
//!
//! A condition that only the network can tell (addresses, certificates, ports) is what the caller of the model says.

use serde_json::Value;

use crate::gate::Ask;

/// A request and, where there is one, the claims of its valid token.
#[derive(Debug, Clone)]
pub struct Sample {
    pub method: &'static str,
    pub host: &'static str,
    pub path: String,
    pub header: Option<(&'static str, &'static str)>,
    pub claims: Option<Value>,
}

impl Sample {
    /// The request without its token.
    pub fn ask(&self) -> Ask {
        let ask = Ask::new(self.method, self.host, &self.path);
        self.header.iter().fold(ask, |ask, (name, value)| ask.header(name, value))
    }

    /// The same request for the path without the slash at its end, or with one.
    pub fn other_spelling(&self) -> Self {
        let path = match self.path.strip_suffix('/') {
            Some("") => "/".to_owned(),
            Some(path) => path.to_owned(),
            None => format!("{}/", self.path),
        };
        Self { path, ..self.clone() }
    }
}

/// Whether the request passes, when the network says `network` to each of its conditions.
pub fn admits(objects: &[Value], sample: &Sample, network: bool) -> bool {
    let of = |kind: &'static str| objects.iter().filter(move |object| object["kind"] == kind);
    let accepts = |rule: &Value, claims: &Value| {
        let audiences = strings(&rule["audiences"]);
        rule["issuer"] == claims["iss"]
            && (audiences.is_empty() || values(&claims["aud"]).iter().any(|aud| audiences.contains(aud)))
    };
    let rules: Vec<&Value> = of("RequestAuthentication").flat_map(|object| list(&object["spec"]["jwtRules"])).collect();
    if let Some(claims) = &sample.claims
        && !rules.is_empty()
        && !rules.iter().any(|rule| accepts(rule, claims))
    {
        return false;
    }
    let claims = sample.claims.as_ref().filter(|_| !rules.is_empty());
    let matched = |action: &str| {
        of("AuthorizationPolicy")
            .filter(|policy| policy["spec"]["action"].as_str().unwrap_or("ALLOW") == action)
            .any(|policy| list(&policy["spec"]["rules"]).iter().any(|rule| matches(rule, sample, claims, network)))
    };
    let allows = of("AuthorizationPolicy").any(|policy| policy["spec"]["action"].as_str().unwrap_or("ALLOW") == "ALLOW");
    !matched("DENY") && (!allows || matched("ALLOW"))
}

fn matches(rule: &Value, sample: &Sample, claims: Option<&Value>, network: bool) -> bool {
    let any = |list: &[Value], test: &dyn Fn(&Value) -> bool| list.is_empty() || list.iter().any(test);
    any(list(&rule["from"]), &|from| source(&from["source"], claims, network))
        && any(list(&rule["to"]), &|to| operation(&to["operation"], sample, network))
        && list(&rule["when"]).iter().all(|when| condition(when, sample, claims, network))
}

fn source(source: &Value, claims: Option<&Value>, network: bool) -> bool {
    source.as_object().into_iter().flatten().all(|(key, patterns)| match key.as_str() {
        "requestPrincipals" => strings(patterns).iter().any(|pattern| principal(pattern, claims)),
        "notRequestPrincipals" => !strings(patterns).iter().any(|pattern| principal(pattern, claims)),
        _ => network,
    })
}

fn operation(operation: &Value, sample: &Sample, network: bool) -> bool {
    operation.as_object().into_iter().flatten().all(|(key, patterns)| {
        let (name, negated) = match key.strip_prefix("not") {
            Some(name) => (name.to_ascii_lowercase(), true),
            None => (key.clone(), false),
        };
        let test = |pattern: &String| match name.as_str() {
            "paths" if pattern.contains('{') => template(pattern, &sample.path),
            "paths" => text(pattern, &sample.path),
            "methods" => text(pattern, sample.method),
            "hosts" => text(&pattern.to_ascii_lowercase(), &sample.host.to_ascii_lowercase()),
            _ => network != negated,
        };
        strings(patterns).iter().any(test) != negated
    })
}

fn condition(when: &Value, sample: &Sample, claims: Option<&Value>, network: bool) -> bool {
    let key = when["key"].as_str().unwrap();
    let inside = |prefix: &str| key.strip_prefix(prefix)?.strip_prefix('[')?.strip_suffix(']').map(str::to_owned);
    let holds = |patterns: &[String]| {
        if let Some(name) = inside("request.headers") {
            return sample
                .header
                .is_some_and(|(found, value)| found == name && patterns.iter().any(|pattern| text(pattern, value)));
        }
        if key == "request.auth.principal" {
            return patterns.iter().any(|pattern| principal(pattern, claims));
        }
        let path = match key {
            "request.auth.audiences" => "aud".to_owned(),
            "request.auth.presenter" => "azp".to_owned(),
            _ => match inside("request.auth.claims") {
                Some(path) => path,
                None => return network,
            },
        };
        let claim = claims.and_then(|claims| path.split("][").try_fold(claims, |value, name| value.get(name)));
        let mut found = claim.map(values).unwrap_or_default();
        if matches!(path.as_str(), "scope" | "permission") {
            found = found.iter().flat_map(|value| value.split(' ').map(str::to_owned)).collect();
        }
        found.iter().any(|value| patterns.iter().any(|pattern| text(pattern, value)))
    };
    let is_network = !key.starts_with("request.");
    let positive = when.get("values").is_none_or(|patterns| holds(&strings(patterns)));
    let negative = when.get("notValues").is_none_or(|patterns| if is_network { network } else { !holds(&strings(patterns)) });
    positive && negative
}

/// `issuer/subject` with wildcards, as Istio takes it apart: at the last slash.
fn principal(pattern: &str, claims: Option<&Value>) -> bool {
    let Some(claims) = claims else { return false };
    let (issuer, subject) = (claims["iss"].as_str().unwrap_or_default(), claims["sub"].as_str().unwrap_or_default());
    if issuer.is_empty() || subject.is_empty() {
        return false;
    }
    match pattern.rsplit_once('/') {
        _ if pattern == "*" => true,
        Some((wanted, exact)) if pattern.starts_with('*') => text(wanted, issuer) && exact == subject,
        Some((wanted, subjects)) => wanted == issuer && text(subjects, subject),
        None if pattern.starts_with('*') => text(pattern, subject),
        None if pattern.ends_with('*') => text(pattern, issuer),
        None => false,
    }
}

fn text(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        _ if pattern == "*" => !text.is_empty(),
        (Some(end), _) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == pattern,
    }
}

fn template(pattern: &str, path: &str) -> bool {
    fn rest(pattern: &str, path: &str) -> bool {
        let Some((literal, tail)) = pattern.split_once('{') else { return pattern == path };
        let Some(path) = path.strip_prefix(literal) else { return false };
        let (variable, tail) = tail.split_once('}').unwrap();
        (0..=path.len()).any(|end| {
            let taken = &path[..end];
            let fits = variable == "**" || (!taken.is_empty() && !taken.contains('/'));
            fits && rest(tail, &path[end..])
        })
    }
    rest(pattern, path)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn strings(value: &Value) -> Vec<String> {
    list(value).iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// The texts of a claim: itself, or the members of a list.
fn values(claim: &Value) -> Vec<String> {
    let one = claim.as_str().map(str::to_owned);
    one.into_iter().chain(list(claim).iter().filter_map(|value| value.as_str().map(str::to_owned))).collect()
}
