//! One rule.

use std::rc::Rc;

use crate::config::rule::{Access, RuleConfig};
use crate::config::{ConfigError, Warning};
use crate::decision::DEFAULT_RULE;
use crate::matcher::{Matcher, Reading};
use crate::request::Request;
use crate::requirement::Requirement;

/// The longest name of a rule, in characters.
const MAX_NAME: usize = 64;

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    name: Rc<str>,
    matcher: Matcher,
    access: Access,
    requirement: Requirement,
}

impl Rule {
    pub(super) fn everything(name: Rc<str>, access: Access) -> Self {
        Self { name, matcher: Matcher::default(), access, requirement: Requirement::default() }
    }

    pub(super) fn compile(config: &RuleConfig, index: usize, issuers: &[Rc<str>], path: &str) -> Result<Self, ConfigError> {
        let name = match &config.name {
            Some(name) => check_name(name, &format!("{path}.name"))?.into(),
            None => format!("rule-{index}").into(),
        };
        let matcher = match &config.r#match {
            Some(matching) => Matcher::compile(matching, &format!("{path}.match"))?,
            None => Matcher::default(),
        };
        let place = format!("{path}.require");
        let requirement = match (&config.require, config.access) {
            (None, _) => Requirement::default(),
            (Some(_), Access::Public) => {
                return Err(ConfigError::new(place, "contradicts `access: public`, which looks at no credential")
                    .hint("leave one of them out"));
            }
            (Some(_), Access::Denied) => {
                return Err(
                    ConfigError::new(place, "contradicts `access: denied`, which lets nobody pass").hint("leave one of them out")
                );
            }
            (Some(require), Access::Required | Access::Optional) => Requirement::compile(require, issuers, &place)?,
        };
        Ok(Self { name, matcher, access: config.access, requirement })
    }

    /// Say what deserves a second look, given the rules that come before.
    pub(super) fn warn(&self, path: &str, earlier: &[Self], warnings: &mut Vec<Warning>) {
        if let Some((index, other)) = earlier.iter().enumerate().find(|(_, other)| other.hides(self)) {
            let reason = if other.matcher.is_everything() { "matches every request" } else { "has the same `match`" };
            warnings.push(Warning::new(path, format!("decides about no request: rules[{index}] comes before it and {reason}")));
        }
        if self.access == Access::Public && self.matcher.is_every_path() {
            warnings.push(Warning::new(path, "lets everyone in on every path"));
        }
    }

    fn hides(&self, later: &Self) -> bool {
        self.matcher.is_everything() || self.matcher == later.matcher
    }

    /// Its name: the label in metrics and audit.
    #[must_use]
    pub const fn name(&self) -> &Rc<str> {
        &self.name
    }

    /// Whether it asks for a credential.
    #[must_use]
    pub const fn access(&self) -> Access {
        self.access
    }

    /// What the caller must have.
    #[must_use]
    pub const fn requirement(&self) -> &Requirement {
        &self.requirement
    }

    pub(super) const fn needs_route_name(&self) -> bool {
        self.matcher.needs_route_name()
    }

    pub(super) fn matches(&self, request: &Request, route_name: Option<&str>) -> bool {
        let reading = match self.access {
            Access::Public | Access::Optional => Reading::Exact,
            Access::Required | Access::Denied => Reading::Broad,
        };
        self.matcher.matches(request, route_name, reading).is_some()
    }

    /// Whether it would match if the path were this one.
    pub(super) fn matches_at(&self, request: &Request, route_name: Option<&str>, path: Option<&str>, reading: Reading) -> bool {
        self.matcher.matches_around(request, route_name, reading)
            && match path {
                Some(path) => self.matcher.matches_path(path, reading).is_some(),
                None => self.matcher.is_every_path(),
            }
    }
}

fn check_name<'a>(name: &'a str, path: &str) -> Result<&'a str, ConfigError> {
    let error = |problem: &str, hint: &str| Err(ConfigError::new(path, problem).hint(hint));
    if name == DEFAULT_RULE {
        return error("is the name of the rule for requests that no rule matches", "choose another");
    }
    if name.is_empty() || name.chars().count() > MAX_NAME || !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';') {
        return error("does not fit as a label", "use 1 to 64 characters of visible ASCII without spaces and `;`");
    }
    Ok(name)
}
