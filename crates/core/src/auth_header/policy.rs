//! What the operator wants, checked once: which headers only the gateway may set, and what it sets them to.

use std::rc::Rc;

use super::injection::Injection;
use super::name_pattern::NamePattern;
use super::name_set::NameSet;
use super::rendering::TooLarge;
use crate::config::auth_header::{AuthHeaderConfig, Forward};
use crate::config::{ConfigError, Warning};
use crate::edits::Edit;
use crate::principal::Principal;
use crate::rejection::Rejection;

/// The policy of the stage auth-header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    owned: NameSet,
    inject: Vec<Injection>,
    forward: Option<Forward>,
}

impl Policy {
    /// The policy for a configuration, whose own place in the document is the empty path.
    ///
    /// # Errors
    /// When a name is no header name or may not be changed, a claim is empty, or two injections set the same header.
    pub fn compile(config: &AuthHeaderConfig) -> Result<(Self, Vec<Warning>), ConfigError> {
        let mut owned = Vec::with_capacity(config.strip.len());
        for (index, pattern) in config.strip.iter().enumerate() {
            owned.push(NamePattern::parse(pattern, &format!("strip[{index}]"))?);
        }
        let mut inject: Vec<Injection> = Vec::with_capacity(config.inject.len());
        for (index, entry) in config.inject.iter().enumerate() {
            let path = format!("inject[{index}]");
            let injection = Injection::compile(entry, &path)?;
            if let Some(first) = inject.iter().position(|earlier| earlier.name().matches(entry.header.as_bytes())) {
                return Err(ConfigError::new(
                    format!("{path}.header"),
                    format!("`{}` is already set by inject[{first}]", entry.header),
                )
                .hint("letter case does not count in a name, and `_` and `-` are alike"));
            }
            inject.push(injection);
        }
        let forward = config.token.map(|token| token.forward);
        let mut warnings = Vec::new();
        if owned.is_empty() && inject.is_empty() && forward.is_none() {
            warnings.push(Warning::new("", "strips and injects nothing"));
        }
        owned.extend(inject.iter().map(|injection| injection.name().clone()));
        Ok((Self { owned: NameSet::new(owned), inject, forward }, warnings))
    }

    /// Whether the upstream gets the token, when the operator says so here.
    #[must_use]
    pub const fn forward(&self) -> Option<Forward> {
        self.forward
    }

    /// The headers that only the gateway may set.
    pub(super) const fn owned(&self) -> &NameSet {
        &self.owned
    }

    /// The headers for a caller. The first value of each replaces what the client sent under its name.
    ///
    /// # Errors
    /// [`Rejection::ClaimTooLarge`].
    pub fn injected(&self, principal: &Principal) -> Result<Rc<[Edit]>, Rejection> {
        let mut edits = Vec::with_capacity(self.inject.len());
        for injection in &self.inject {
            let values = injection.values(principal).map_err(|TooLarge| Rejection::ClaimTooLarge)?;
            for (index, value) in values.into_iter().enumerate() {
                let (header, value) = (Rc::clone(injection.header()), Rc::from(&*value));
                edits.push(if index == 0 { Edit::Set(header, value) } else { Edit::Append(header, value) });
            }
        }
        Ok(edits.into())
    }
}
