//! What a caller must have beside a valid credential: issuer, a token that is bound to its sender, audience, scopes, roles, claims,
//! checked in this order.
//!
//! `allOf` and `anyOf` combine requirements. They are resolved when compiling into alternatives, each of which asks for one
//! caller or, where members name issuers that have none in common, for several at once. A member that names no issuers is
//! about the caller of the requirement around it, and there about the first. The first alternative that holds counts.
//!
//! Refused when compiling: a requirement or a list that is empty, an issuer that no `jwtRules` entry is named after, a scope that
//! a challenge could not repeat, a malformed claim requirement, members whose issuers overlap in part, and too many levels or
//! alternatives.

mod alternative;
mod claim;
mod part;
mod template;

use std::rc::Rc;

use self::alternative::{Alternative, Fit};
use self::part::Part;
use crate::config::require::RequireConfig;
use crate::config::{ConfigError, suggestion};
use crate::matcher::Matcher;
use crate::principal::Identity;
use crate::rejection::Rejection;
use crate::request::Request;

/// How deep requirements may stand in one another.
const MAX_DEPTH: usize = 4;
/// How many alternatives a requirement may have.
const MAX_ALTERNATIVES: usize = 32;

/// A compiled `require`. The default asks for one caller and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// At least one.
    alternatives: Vec<Alternative>,
}

/// What claims may be compared with: a request, as the rule's match understands it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The request.
    pub request: &'a Request,
    /// The match of the rule.
    pub matcher: &'a Matcher,
}

impl Facts<'_> {
    /// What a parameter of the path stands for, decoded; `None` when the path can be read in several ways, or is no text.
    fn parameter(&self, name: &str) -> Option<String> {
        let parameters = self.matcher.path_parameters(self.request)?;
        String::from_utf8(crate::path::decode(parameters.get(name)?.as_bytes())).ok()
    }
}

/// What requirements are compiled against.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The names of the `jwtRules` entries.
    pub issuers: &'a [Rc<str>],
    /// The parameters that every path of the match gives.
    pub parameters: &'a [&'a str],
}

impl Default for Requirement {
    fn default() -> Self {
        Self { alternatives: vec![Alternative::default()] }
    }
}

impl Requirement {
    /// Compile a `require` that stands at `path` in the document.
    ///
    /// # Errors
    /// A [`ConfigError`] for what the module's documentation says is refused.
    pub fn compile(config: &RequireConfig, names: Names<'_>, path: &str) -> Result<Self, ConfigError> {
        let alternatives = expand(config, names, None, MAX_DEPTH, path)?;
        let alternatives = alternatives.into_iter().map(|parts| Alternative::of(parts, path)).collect::<Result<_, _>>()?;
        Ok(Self { alternatives })
    }

    /// Whether these callers have what is asked for; the place of the first of them, by the order of the members.
    ///
    /// # Errors
    /// The [`Rejection`] for the first thing that is missing in the first alternative that is for these callers. When none is:
    /// [`Rejection::TokenMissing`] if some alternative asks for more callers, [`Rejection::CredentialsMultiple`] if some asks for
    /// fewer, else [`Rejection::IssuerNotAllowed`].
    pub fn check(&self, callers: &[&Identity], facts: &Facts<'_>) -> Result<usize, Rejection> {
        let mut failure = None;
        let mut unfit = Fit::Others;
        for alternative in &self.alternatives {
            match alternative.fit(callers) {
                Fit::These => match alternative.check(callers, facts) {
                    Ok(first) => return Ok(first),
                    Err(rejection) => failure = failure.or(Some(rejection)),
                },
                other => unfit = unfit.max(other),
            }
        }
        Err(failure.unwrap_or(match unfit {
            Fit::More => Rejection::TokenMissing,
            Fit::Fewer => Rejection::CredentialsMultiple,
            Fit::Others | Fit::These => Rejection::IssuerNotAllowed,
        }))
    }

    /// How many credentials a request may have.
    #[must_use]
    pub fn max_credentials(&self) -> usize {
        self.alternatives.iter().map(Alternative::callers).max().unwrap_or(1)
    }

    /// The issuers that are asked for together: for each alternative with several callers, the names for each of them.
    pub fn issuers_together(&self) -> impl Iterator<Item = Vec<&[Rc<str>]>> {
        self.alternatives.iter().filter(|alternative| alternative.callers() > 1).map(Alternative::issuers)
    }

    /// The scopes asked for first: what a challenge names (RFC 6750 section 3).
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        self.alternatives.first().map_or(&[], Alternative::scopes)
    }
}

/// The alternatives of a requirement, each as the parts that must all hold.
fn expand(
    config: &RequireConfig,
    names: Names<'_>,
    inherited: Option<&[Rc<str>]>,
    depth: usize,
    path: &str,
) -> Result<Vec<Vec<Part>>, ConfigError> {
    if *config == RequireConfig::default() {
        return Err(ConfigError::new(path, "is empty").hint("leave `require` out to ask for no more than a valid token"));
    }
    let Some(depth) = depth.checked_sub(1) else {
        return Err(ConfigError::new(path, "stands too deep").hint(format!("requirements have at most {MAX_DEPTH} levels")));
    };
    let part = Part::compile(config, names, inherited, path)?;
    let issuers = part.issuers.clone();
    let mut alternatives = vec![vec![part]];
    let members = |list: &Option<Vec<RequireConfig>>, key: &str| -> Result<Vec<Vec<Vec<Part>>>, ConfigError> {
        let list = list.as_deref().unwrap_or_default();
        let expanded = list
            .iter()
            .enumerate()
            .map(|(index, member)| expand(member, names, issuers.as_deref(), depth, &format!("{path}.{key}[{index}]")));
        expanded.collect()
    };
    let any_of: Vec<Vec<Part>> = members(&config.any_of, "anyOf")?.into_iter().flatten().collect();
    let any_of = config.any_of.is_some().then_some(any_of);
    for choice in members(&config.all_of, "allOf")?.into_iter().chain(any_of) {
        alternatives = alternatives.iter().flat_map(|before| choice.iter().map(|after| [&**before, after].concat())).collect();
        if alternatives.len() > MAX_ALTERNATIVES {
            return Err(
                ConfigError::new(path, format!("has more than {MAX_ALTERNATIVES} alternatives")).hint("make several rules of it")
            );
        }
    }
    Ok(alternatives)
}

#[cfg(test)]
mod tests;
