//! What one `require` asks for by itself.

use std::rc::Rc;

use super::claim::ClaimRequirement;
use super::{Facts, Names, suggestion};
use crate::config::ConfigError;
use crate::config::require::RequireConfig;
use crate::principal::{Identity, Method};
use crate::rejection::Rejection;

/// The conditions of one `require` on one caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Its own, or those of the requirement around it.
    pub issuers: Option<Vec<Rc<str>>>,
    audiences: Option<Vec<String>>,
    pub scopes: Vec<String>,
    roles: Option<Vec<String>>,
    claims: Vec<ClaimRequirement>,
    is_sender_constrained: bool,
}

impl Part {
    pub fn compile(
        config: &RequireConfig,
        names: Names<'_>,
        inherited: Option<&[Rc<str>]>,
        path: &str,
    ) -> Result<Self, ConfigError> {
        let list = |list: &Option<Vec<String>>, key: &str| check_list(list.as_deref(), &format!("{path}.{key}"));
        let scopes = list(&config.scopes, "scopes")?.unwrap_or_default();
        if let Some((index, _)) = scopes.iter().enumerate().find(|(_, scope)| !is_scope(scope)) {
            return Err(ConfigError::new(format!("{path}.scopes[{index}]"), "is not a scope")
                .hint("a scope is visible ASCII without spaces, `\"` and `\\`; write several as several elements"));
        }
        let issuers = list(&config.issuers, "issuers")?
            .map(|wanted| {
                let known = wanted.iter().enumerate().map(|(index, name)| known_issuer(name, names.issuers, path, index));
                known.collect::<Result<Vec<_>, _>>()
            })
            .transpose()?;
        for (key, is_empty) in [
            ("claims", config.claims.as_ref().is_some_and(Vec::is_empty)),
            ("anyOf", config.any_of.as_ref().is_some_and(Vec::is_empty)),
            ("allOf", config.all_of.as_ref().is_some_and(Vec::is_empty)),
        ] {
            if is_empty {
                return Err(empty_list(&format!("{path}.{key}")));
            }
        }
        let claims = config.claims.iter().flatten().enumerate();
        let claims =
            claims.map(|(index, claim)| ClaimRequirement::compile(claim, names.parameters, &format!("{path}.claims[{index}]")));
        Ok(Self {
            issuers: issuers.or_else(|| inherited.map(<[_]>::to_vec)),
            audiences: list(&config.audiences, "audiences")?,
            scopes,
            roles: list(&config.roles, "roles")?,
            claims: claims.collect::<Result<_, _>>()?,
            is_sender_constrained: config.sender_constrained,
        })
    }

    /// Whether every caller of one of the issuers has it.
    const fn asks_for_nothing(&self) -> bool {
        self.audiences.is_none()
            && self.scopes.is_empty()
            && self.roles.is_none()
            && self.claims.is_empty()
            && !self.is_sender_constrained
    }

    /// Whether a caller of one of the issuers has what is asked for.
    pub fn check(&self, caller: &Identity, facts: &Facts<'_>) -> Result<(), Rejection> {
        if self.asks_for_nothing() {
            return Ok(());
        }
        let principal = caller.principal().ok_or(Rejection::TokenMalformed)?;
        let any = |wanted: &Option<Vec<String>>, held: &[String]| {
            wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| held.contains(wanted)))
        };
        // A caller whose token is bound has shown what it is bound to.
        let is_bound = principal.method == Method::Jwt && principal.claims.get("cnf").is_some();
        if self.is_sender_constrained && !is_bound {
            Err(Rejection::TokenNotBound)
        } else if !any(&self.audiences, &principal.audiences) {
            Err(Rejection::AudienceMismatch)
        } else if !self.scopes.iter().all(|scope| principal.scopes.contains(scope)) {
            Err(Rejection::ScopeMissing)
        } else if !any(&self.roles, &principal.roles) {
            Err(Rejection::RoleMissing)
        } else {
            self.claims.iter().try_for_each(|claim| claim.check(principal, facts))
        }
    }
}

fn empty_list(path: &str) -> ConfigError {
    ConfigError::new(path, "is empty").hint("leave it out to ask for nothing here")
}

fn check_list(list: Option<&[String]>, path: &str) -> Result<Option<Vec<String>>, ConfigError> {
    let Some(list) = list else { return Ok(None) };
    if list.is_empty() {
        return Err(empty_list(path));
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
