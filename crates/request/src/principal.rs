//! Who is calling: the verified result of authentication.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::claim_set::{Claim, ClaimSet};
use crate::edits::Edit;
use crate::jose::KnownToken;
use crate::memory;
use crate::rejection::Rejection;
use crate::time::UnixTime;

mod lasting;

pub use lasting::Lasting;

/// How the caller was authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A signed JWT.
    Jwt,
    /// A key of the caller's own.
    ApiKey,
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
    pub claims: ClaimSet,
    /// How the caller was authenticated.
    pub method: Method,
    /// The token's `jti`.
    pub token_id: Option<String>,
    /// The token's `exp`, in whole seconds since the epoch.
    pub expires_at: Option<u64>,
}

impl Principal {
    /// The claim at a path of names joined by dots, as [`ClaimSet::at`] reads it.
    #[must_use]
    pub fn claim(&self, path: &str) -> Option<Claim<'_>> {
        self.claims.at(path)
    }

    /// Its JSON. The claims stand in it as the issuer wrote them, where that is one line.
    ///
    /// # Errors
    /// None that a principal can cause: every key is text and every number finite.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut json = Vec::with_capacity(self.json_length());
        let mut field = |name: &[u8], value: &dyn Fn(&mut Vec<u8>) -> Result<(), serde_json::Error>| {
            json.extend_from_slice(name);
            value(&mut json)
        };
        field(b"{\"issuer\":", &|json| serde_json::to_writer(json, &self.issuer))?;
        field(b",\"subject\":", &|json| serde_json::to_writer(json, &self.subject))?;
        field(b",\"roles\":", &|json| serde_json::to_writer(json, &self.roles))?;
        field(b",\"scopes\":", &|json| serde_json::to_writer(json, &self.scopes))?;
        field(b",\"audiences\":", &|json| serde_json::to_writer(json, &self.audiences))?;
        field(b",\"claims\":", &|json| self.claims.write_json(json))?;
        field(b",\"method\":", &|json| serde_json::to_writer(json, &self.method))?;
        field(b",\"tokenId\":", &|json| serde_json::to_writer(json, &self.token_id))?;
        field(b",\"expiresAt\":", &|json| serde_json::to_writer(json, &self.expires_at))?;
        json.push(b'}');
        String::from_utf8(json).map_err(serde::ser::Error::custom)
    }

    /// The same; where the token names no issuer, that of the `jwtRules` entry that vouched for it.
    #[must_use]
    pub fn or_issued_by(mut self, issuer_name: &str) -> Self {
        if self.issuer.is_empty() {
            issuer_name.clone_into(&mut self.issuer);
        }
        self
    }

    /// About how long its JSON is, escapes aside.
    fn json_length(&self) -> usize {
        const NAMES: usize = 192;
        const QUOTES: usize = 3;
        let lists = [&self.roles, &self.scopes, &self.audiences].into_iter().flatten();
        let single = [Some(&self.issuer), self.subject.as_ref(), self.token_id.as_ref()].into_iter().flatten();
        let texts = lists.chain(single).map(|text| text.len().saturating_add(QUOTES));
        memory::sum(texts.chain([NAMES, self.claims.json_length()]))
    }

    /// The memory that it takes beside its own place.
    fn heap_bytes(&self) -> usize {
        const TEXT: usize = size_of::<String>() + memory::ALLOCATION;
        let lists = [&self.roles, &self.scopes, &self.audiences].into_iter().flatten();
        let texts = lists.map(|text| text.len().saturating_add(TEXT));
        let single = [Some(&self.issuer), self.subject.as_ref(), self.token_id.as_ref()].into_iter().flatten().map(String::len);
        memory::sum(texts.chain(single).chain([self.claims.heap_bytes()]))
    }
}

/// Who is calling, with the jwtRules entry that vouched for them, and what is made of it once for all of their requests.
///
/// Of a token that is known only its bytes are kept, and the principal is read from them when somebody asks: most rules ask for a
/// valid token and no more.
#[derive(Debug)]
pub struct Identity {
    /// The name of the `jwtRules` entry: the issuer's label in metrics and audit.
    pub issuer_name: Rc<str>,
    /// The headers that the stage auth-header sets for the caller, or why they cannot be set; absent where the
    /// caller was authenticated by another module.
    pub injected: Option<Result<Rc<[Edit]>, Rejection>>,
    token: Option<KnownToken>,
    principal: OnceCell<Option<Principal>>,
    json: OnceCell<String>,
    lasting: RefCell<Option<Lasting>>,
}

impl Identity {
    /// The identity of a caller, for whom no headers are made yet.
    #[must_use]
    pub fn new(principal: Principal, issuer_name: Rc<str>) -> Self {
        Self {
            issuer_name,
            injected: None,
            token: None,
            principal: Some(principal).into(),
            json: OnceCell::new(),
            lasting: RefCell::new(None),
        }
    }

    /// The identity of whom a token names.
    #[must_use]
    pub const fn of_token(token: KnownToken, issuer_name: Rc<str>) -> Self {
        Self {
            issuer_name,
            injected: None,
            token: Some(token),
            principal: OnceCell::new(),
            json: OnceCell::new(),
            lasting: RefCell::new(None),
        }
    }

    /// The same with the headers that are set for the caller.
    #[must_use]
    pub fn with_injected(self, injected: Option<Result<Rc<[Edit]>, Rejection>>) -> Self {
        Self { injected, ..self }
    }

    /// The same with the caller's JSON.
    #[must_use]
    pub fn with_json(self, json: String) -> Self {
        Self { json: json.into(), ..self }
    }

    /// The caller; `None` should the token not say it any more, and then nothing may be granted.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        let read = || Some(self.token.as_ref()?.principal()?.or_issued_by(&self.issuer_name));
        self.principal.get_or_init(read).as_ref()
    }

    /// The caller as JSON, made when it is first asked for; empty, which nobody takes for a caller, when there is none.
    #[must_use]
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| self.principal().and_then(|principal| principal.to_json().ok()).unwrap_or_default())
    }

    /// What was made for the caller and still holds, or is made now.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn lasting<E>(&self, now: UnixTime, make: impl FnOnce() -> Result<Lasting, E>) -> Result<Rc<str>, E> {
        if let Ok(known) = self.lasting.try_borrow()
            && let Some(lasting) = known.as_ref().filter(|lasting| lasting.holds(now))
        {
            return Ok(Rc::clone(&lasting.value));
        }
        let made = make()?;
        let value = Rc::clone(&made.value);
        if let Ok(mut known) = self.lasting.try_borrow_mut() {
            *known = Some(made);
        }
        Ok(value)
    }

    /// The memory that it takes, injected headers aside, and will take when all of it has been asked for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let token = self.token.as_ref();
        let expected = || token.map_or(0, KnownToken::principal_bytes);
        let principal = self.principal.get().map_or_else(expected, |read| read.as_ref().map_or(0, Principal::heap_bytes));
        let json = self.json.get().map_or(token.map_or(0, |token| token.bytes().len()), String::capacity);
        memory::sum([size_of::<Self>(), principal, json].into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn principal(claims: &str) -> Principal {
        Principal {
            issuer: "https://i.example.com/\"x".into(),
            subject: None,
            roles: vec!["a".into(), "é\n".into()],
            scopes: vec![],
            audiences: vec!["orders".into()],
            claims: ClaimSet::read(claims.into()).unwrap(),
            method: Method::Jwt,
            token_id: Some("t".into()),
            expires_at: Some(7),
        }
    }

    #[test]
    fn its_json_says_what_it_says_and_is_one_line() {
        for claims in [r#"{"a": "x", "b":[1.50,null,{"c":"\u00e9"}]}"#, "{\n\t\"a\":\r1 }", "{}", r#"{"\u0061":"\u000a"}"#] {
            let principal = principal(claims);
            let json = principal.to_json().unwrap();
            let read: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(read, serde_json::to_value(&principal).unwrap(), "{claims}");
            assert_eq!(read["claims"], serde_json::from_str::<Value>(claims).unwrap());
            assert_eq!(serde_json::from_str::<Principal>(&json).unwrap(), principal, "{claims}");
            assert!(json.chars().all(|character| !character.is_control()), "{json}");
            assert!(json.len() <= principal.json_length() + 8, "{json}");
        }
    }

    #[test]
    fn an_issuer_that_the_token_names_is_kept() {
        let without = Principal { issuer: String::new(), ..principal("{}") };
        assert_eq!(without.or_issued_by("uaa").issuer, "uaa");
        assert_eq!(principal("{}").or_issued_by("uaa").issuer, principal("{}").issuer);
    }

    #[test]
    fn its_claims_stand_in_its_json_as_the_issuer_wrote_them() {
        let claims = r#"{"z": 1.50, "big": 12345678901234567890, "a":"\u00e9"}"#;
        assert!(principal(claims).to_json().unwrap().contains(claims));
    }
}
