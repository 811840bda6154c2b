//! Who is calling: the verified result of authentication.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::edits::Edit;
use crate::rejection::Rejection;

/// What the allocator adds to a short text: its own header, and rounding up.
const ALLOCATION: usize = 12;

/// How the caller was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A signed JWT.
    Jwt,
    /// Nobody: the route is public, or authentication is optional and no credential was sent.
    Anonymous,
}

/// The caller. Every field comes from a verified credential.
///
/// Its JSON is the value of the filter state `portcullis.principal`, which other modules and access logs read and a client
/// cannot write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Principal {
    /// The token's `iss`.
    pub issuer: String,
    /// The subject, from the claim that `claims.subject` names (default `sub`).
    pub subject: Option<String>,
    /// The roles, from the claim that `claims.roles` names (default `roles`).
    pub roles: Vec<String>,
    /// The scopes, from the claim that `claims.scopes` names (default `scope`).
    pub scopes: Vec<String>,
    /// The token's `aud`.
    pub audiences: Vec<String>,
    /// All claims of the token.
    pub claims: Map<String, Value>,
    /// How the caller was authenticated.
    pub method: Method,
    /// The token's `jti`.
    pub token_id: Option<String>,
    /// The token's `exp`, in whole seconds since the epoch.
    pub expires_at: Option<u64>,
}

impl Principal {
    /// The claim at a path of names joined by dots (`realm_access.roles`).
    ///
    /// A claim whose own name is the whole text wins, so that `https://example.com/roles` can be named too.
    #[must_use]
    pub fn claim(&self, path: &str) -> Option<&Value> {
        claim_at(&self.claims, path)
    }

    /// Its JSON, which is about as long as the token that it is of.
    pub(crate) fn to_json(&self, about: usize) -> Option<Box<str>> {
        let mut json = Vec::with_capacity(about);
        serde_json::to_writer(&mut json, self).ok()?;
        String::from_utf8(json).ok().map(String::into_boxed_str)
    }

    /// The memory that it takes beside its own place.
    fn heap_bytes(&self) -> usize {
        const TEXT: usize = size_of::<String>() + ALLOCATION;
        let lists = [&self.roles, &self.scopes, &self.audiences].into_iter().flatten();
        let texts = lists.map(|text| text.len().saturating_add(TEXT));
        let single = [Some(&self.issuer), self.subject.as_ref(), self.token_id.as_ref()].into_iter().flatten().map(String::len);
        sum(texts.chain(single)).saturating_add(members_bytes(&self.claims))
    }
}

/// The memory that a JSON value takes beside its own place.
fn heap_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len().saturating_add(ALLOCATION),
        Value::Array(values) => sum(values.iter().map(|value| size_of::<Value>().saturating_add(heap_bytes(value)))),
        Value::Object(members) => members_bytes(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The memory that the members of a JSON object take. The nodes of a B-tree are two thirds full on average.
fn members_bytes(members: &Map<String, Value>) -> usize {
    const MEMBER: usize = (size_of::<String>() + size_of::<Value>()) * 3 / 2 + ALLOCATION;
    sum(members.iter().map(|(name, value)| MEMBER.saturating_add(name.len()).saturating_add(heap_bytes(value))))
}

fn sum(bytes: impl Iterator<Item = usize>) -> usize {
    bytes.fold(0, usize::saturating_add)
}

/// The value at a path of names joined by dots; a claim whose own name is the whole text wins.
#[must_use]
pub fn claim_at<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    let (head, rest) = path.split_once('.')?;
    claim_at(claims.get(head)?.as_object()?, rest)
}

/// A principal with the jwtRules entry that vouched for it, and what is made of it once for all of its requests.
#[derive(Debug)]
pub struct Identity {
    /// The caller.
    pub principal: Principal,
    /// The caller as JSON.
    pub json: Box<str>,
    /// The name of the `jwtRules` entry: the issuer's label in metrics and audit.
    pub issuer_name: Rc<str>,
    /// The headers that [`auth_header`](crate::auth_header) sets for the caller, or why they cannot be set; absent where the
    /// caller was authenticated by another module.
    pub injected: Option<Result<Rc<[Edit]>, Rejection>>,
}

impl Identity {
    /// The memory that it takes, injected headers aside.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>().saturating_add(self.json.len()).saturating_add(self.principal.heap_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_a_claim_by_its_path_and_prefers_its_own_name() {
        let claims = json!({"realm_access": {"roles": ["a"]}, "https://example.com/roles": ["b"], "a.b": 1, "a": {"b": 2}});
        let claims = claims.as_object().unwrap();
        assert_eq!(claim_at(claims, "realm_access.roles"), Some(&json!(["a"])));
        assert_eq!(claim_at(claims, "https://example.com/roles"), Some(&json!(["b"])));
        assert_eq!(claim_at(claims, "a.b"), Some(&json!(1)));
        assert_eq!(claim_at(claims, "realm_access.roles.x"), None);
        assert_eq!(claim_at(claims, "absent"), None);
    }
}
