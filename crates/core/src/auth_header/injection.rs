//! One header that says who is calling.

use std::rc::Rc;

use super::name_pattern::NamePattern;
use super::rendering::{TooLarge, Values, render};
use crate::claim_set::Claim;
use crate::config::ConfigError;
use crate::config::auth_header::{Format, InjectConfig};
use crate::principal::Principal;

/// Where the value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    Subject,
    Roles,
    Scopes,
    Claim(String),
}

/// A header, the part of the principal that it carries, and how that becomes text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    header: Rc<str>,
    name: NamePattern,
    source: Source,
    format: Format,
}

impl Injection {
    /// The injection that an operator wrote.
    ///
    /// # Errors
    /// When the header is no name or may not be set, or the claim is empty.
    pub fn compile(config: &InjectConfig, path: &str) -> Result<Self, ConfigError> {
        let name = NamePattern::exact(&config.header, &format!("{path}.header"))?;
        let source = match config.claim.as_str() {
            "subject" => Source::Subject,
            "roles" => Source::Roles,
            "scopes" => Source::Scopes,
            claim if claim.trim().is_empty() => {
                return Err(ConfigError::new(format!("{path}.claim"), "is empty").hint("name a claim of the token: sub"));
            }
            claim => Source::Claim(claim.to_owned()),
        };
        Ok(Self { header: config.header.to_ascii_lowercase().into(), name, source, format: config.format })
    }

    /// The header's name, lower-case.
    #[must_use]
    pub const fn header(&self) -> &Rc<str> {
        &self.header
    }

    /// The header's name, in any disguise.
    #[must_use]
    pub const fn name(&self) -> &NamePattern {
        &self.name
    }

    /// The header's values for a caller; none when the header is to be left out, as it is without any role or scope.
    ///
    /// # Errors
    /// [`TooLarge`] when the claim is too long for a header.
    pub fn values<'a>(&self, principal: &'a Principal) -> Result<Values<'a>, TooLarge> {
        let list = |names: &'a [String]| if names.is_empty() { None } else { Some(Claim::Texts(names)) };
        let claim = match &self.source {
            Source::Subject => principal.subject.as_deref().map(Claim::Text),
            Source::Roles => list(&principal.roles),
            Source::Scopes => list(&principal.scopes),
            Source::Claim(path) => principal.claim(path),
        };
        claim.map_or(Ok(Values::default()), |claim| render(claim, self.format))
    }
}
