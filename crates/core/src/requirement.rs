//! What a caller must have beside a valid credential: issuer, audience, scopes, roles, checked in this order.
//!
//! Refused when compiling: a requirement or a list that is empty, an issuer that no `jwtRules` entry is named after, and a scope
//! that a challenge could not repeat.

use std::rc::Rc;

use crate::config::rule::RequireConfig;
use crate::config::{ConfigError, suggestion};
use crate::principal::Principal;
use crate::rejection::Rejection;

/// A compiled `require`. The default asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requirement {
    issuers: Option<Vec<Rc<str>>>,
    audiences: Option<Vec<String>>,
    scopes: Vec<String>,
    roles: Option<Vec<String>>,
}

impl Requirement {
    /// Compile a `require` that stands at `path` in the document; `issuers` are the names of the `jwtRules` entries.
    ///
    /// # Errors
    /// A [`ConfigError`] for an empty list, an unknown issuer or a malformed scope.
    pub fn compile(config: &RequireConfig, issuers: &[Rc<str>], path: &str) -> Result<Self, ConfigError> {
        if *config == RequireConfig::default() {
            return Err(ConfigError::new(path, "is empty").hint("leave `require` out to ask for no more than a valid token"));
        }
        let list = |list: &Option<Vec<String>>, key: &str| check_list(list.as_deref(), &format!("{path}.{key}"));
        let scopes = list(&config.scopes, "scopes")?.unwrap_or_default();
        if let Some((index, _)) = scopes.iter().enumerate().find(|(_, scope)| !is_scope(scope)) {
            return Err(ConfigError::new(format!("{path}.scopes[{index}]"), "is not a scope")
                .hint("a scope is visible ASCII without spaces, `\"` and `\\`; write several as several elements"));
        }
        let issuers = list(&config.issuers, "issuers")?
            .map(|names| {
                let known = names.iter().enumerate().map(|(index, name)| known_issuer(name, issuers, path, index));
                known.collect::<Result<Vec<_>, _>>()
            })
            .transpose()?;
        let audiences = list(&config.audiences, "audiences")?;
        Ok(Self { issuers, audiences, scopes, roles: list(&config.roles, "roles")? })
    }

    /// Whether a caller, vouched for by the `jwtRules` entry `issuer`, has what is asked for.
    ///
    /// # Errors
    /// The [`Rejection`] for the first thing that is missing.
    pub fn check(&self, principal: &Principal, issuer: &str) -> Result<(), Rejection> {
        let any = |wanted: &Option<Vec<String>>, held: &[String]| {
            wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| held.contains(wanted)))
        };
        if self.issuers.as_ref().is_some_and(|issuers| !issuers.iter().any(|name| **name == *issuer)) {
            Err(Rejection::IssuerNotAllowed)
        } else if !any(&self.audiences, &principal.audiences) {
            Err(Rejection::AudienceMismatch)
        } else if !self.scopes.iter().all(|scope| principal.scopes.contains(scope)) {
            Err(Rejection::ScopeMissing)
        } else if !any(&self.roles, &principal.roles) {
            Err(Rejection::RoleMissing)
        } else {
            Ok(())
        }
    }

    /// The scopes asked for: what a challenge names (RFC 6750 section 3).
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }
}

fn check_list(list: Option<&[String]>, path: &str) -> Result<Option<Vec<String>>, ConfigError> {
    let Some(list) = list else { return Ok(None) };
    if list.is_empty() {
        return Err(ConfigError::new(path, "is empty").hint("leave it out to ask for nothing here"));
    }
    match list.iter().position(String::is_empty) {
        Some(index) => Err(ConfigError::new(format!("{path}[{index}]"), "is empty")),
        None => Ok(Some(list.to_vec())),
    }
}

fn known_issuer(name: &str, issuers: &[Rc<str>], path: &str, index: usize) -> Result<Rc<str>, ConfigError> {
    issuers.iter().find(|issuer| ***issuer == *name).cloned().ok_or_else(|| {
        let names: Vec<&str> = issuers.iter().map(|issuer| &**issuer).collect();
        ConfigError::new(format!("{path}.issuers[{index}]"), "is not the name of a `jwtRules` entry").hint(suggestion::hint(
            name,
            &names,
            "names of `jwtRules` entries",
        ))
    })
}

/// Whether a text is a `scope-token` (RFC 6749 section 3.3).
fn is_scope(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::principal::Method;

    fn compile(require: &Value) -> Result<Requirement, String> {
        let config = crate::config::parse(require.to_string().as_bytes()).map_err(|error| error.to_string())?;
        Requirement::compile(&config, &["uaa".into(), "partner".into()], "require").map_err(|error| error.to_string())
    }

    fn principal() -> Principal {
        Principal {
            issuer: "https://uaa.example.com".to_owned(),
            subject: None,
            roles: vec!["ADMIN".to_owned(), "USER".to_owned()],
            scopes: vec!["orders.read".to_owned(), "orders.write".to_owned()],
            audiences: vec!["orders".to_owned()],
            claims: Map::new(),
            method: Method::Jwt,
            token_id: None,
            expires_at: None,
        }
    }

    #[test]
    fn checks_issuer_then_audience_then_scopes_then_roles() {
        for (require, expected) in [
            (json!({"issuers": ["uaa"]}), Ok(())),
            (json!({"issuers": ["partner", "uaa"]}), Ok(())),
            (json!({"issuers": ["partner"]}), Err(Rejection::IssuerNotAllowed)),
            (json!({"audiences": ["carts", "orders"]}), Ok(())),
            (json!({"audiences": ["order"]}), Err(Rejection::AudienceMismatch)),
            (json!({"audiences": ["orders2"]}), Err(Rejection::AudienceMismatch)),
            (json!({"scopes": ["orders.read", "orders.write"]}), Ok(())),
            (json!({"scopes": ["orders.read", "orders.admin"]}), Err(Rejection::ScopeMissing)),
            (json!({"scopes": ["orders"]}), Err(Rejection::ScopeMissing)),
            (json!({"roles": ["RESTAURANT", "ADMIN"]}), Ok(())),
            (json!({"roles": ["admin"]}), Err(Rejection::RoleMissing)),
            (
                json!({"issuers": ["partner"], "audiences": ["x"], "scopes": ["x"], "roles": ["x"]}),
                Err(Rejection::IssuerNotAllowed),
            ),
            (json!({"issuers": ["uaa"], "audiences": ["x"], "scopes": ["x"], "roles": ["x"]}), Err(Rejection::AudienceMismatch)),
            (json!({"scopes": ["x"], "roles": ["x"]}), Err(Rejection::ScopeMissing)),
        ] {
            assert_eq!(compile(&require).unwrap().check(&principal(), "uaa"), expected, "{require}");
        }
        assert_eq!(Requirement::default().check(&principal(), "uaa"), Ok(()));
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        for (require, expected) in [
            (json!({}), "require: is empty; leave `require` out to ask for no more than a valid token"),
            (json!({"roles": []}), "require.roles: is empty; leave it out to ask for nothing here"),
            (json!({"audiences": ["a", ""]}), "require.audiences[1]: is empty"),
            (json!({"issuers": ["uaaa"]}), "require.issuers[0]: is not the name of a `jwtRules` entry; did you mean `uaa`?"),
            (
                json!({"issuers": ["uaa", "https://uaa.example.com"]}),
                "require.issuers[1]: is not the name of a `jwtRules` entry; names of `jwtRules` entries: `uaa`, `partner`",
            ),
            (
                json!({"scopes": ["a b"]}),
                "require.scopes[0]: is not a scope; a scope is visible ASCII without spaces, `\"` and `\\`; write several as several \
                 elements",
            ),
            (json!({"claims": []}), "claims: unknown key; known keys: `issuers`, `audiences`, `scopes`, `roles`"),
        ] {
            assert_eq!(compile(&require), Err(expected.to_owned()), "{require}");
        }
    }
}
