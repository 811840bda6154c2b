//! One rule.

use std::rc::Rc;

use crate::answer::Denial;
use crate::config::rule::{Access, RuleConfig};
use crate::config::{ConfigError, Warning};
use crate::decision::DEFAULT_RULE;
use crate::matcher::{Condition, Matcher, Reading};
use crate::principal::Identity;
use crate::rejection::Rejection;
use crate::request::Request;
use crate::requirement::{Facts, Names, Requirement};

/// The longest name of a rule, in characters.
const MAX_NAME: usize = 64;

/// A compiled rule.
#[derive(Debug)]
pub struct Rule {
    name: Rc<str>,
    matcher: Matcher,
    access: Access,
    requirement: Requirement,
    shadow: bool,
    denial: Option<Rc<Denial>>,
}

impl Rule {
    pub(super) fn everything(name: Rc<str>, access: Access) -> Self {
        let (matcher, requirement) = (Matcher::default(), Requirement::default());
        Self { name, matcher, access, requirement, shadow: false, denial: None }
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
            (Some(require), Access::Required | Access::Optional) => {
                let names = Names { issuers, parameters: &matcher.parameters() };
                Requirement::compile(require, names, &place)?
            }
        };
        if config.access == Access::Public {
            for (key, is_given) in [("shadow", config.shadow), ("deny", config.deny.is_some())] {
                if is_given {
                    return Err(ConfigError::new(format!("{path}.{key}"), "contradicts `access: public`, which refuses nobody")
                        .hint("leave one of them out"));
                }
            }
        }
        let denial = config.deny.as_ref().map(|deny| Denial::compile(deny, &format!("{path}.deny"))).transpose()?;
        Ok(Self { name, matcher, access: config.access, requirement, shadow: config.shadow, denial: denial.map(Rc::new) })
    }

    /// Say what deserves a second look, given the rules that come before.
    pub(super) fn warn(&self, path: &str, earlier: &[Self], warnings: &mut Vec<Warning>) {
        if let Some((index, other)) = earlier.iter().enumerate().find(|(_, other)| other.hides(self)) {
            let reason = if other.matcher.is_everything() { "matches every request" } else { "has the same `match`" };
            warnings.push(Warning::new(path, format!("decides about no request: rules[{index}] comes before it and {reason}")));
        }
        if self.shadow {
            warnings
                .push(Warning::new(path, "is in shadow: it refuses nobody, and where no other rule matches a request passes"));
        }
        if self.access == Access::Public && self.matcher.is_every_path() {
            warnings.push(Warning::new(path, "lets everyone in on every path"));
        }
    }

    fn hides(&self, later: &Self) -> bool {
        !self.shadow && (self.matcher.is_everything() || self.matcher == later.matcher)
    }

    /// Its name: the label in metrics and audit.
    #[must_use]
    pub const fn name(&self) -> &Rc<str> {
        &self.name
    }

    /// Which requests it is for.
    #[must_use]
    pub const fn matcher(&self) -> &Matcher {
        &self.matcher
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

    /// Whether it is only reported.
    #[must_use]
    pub const fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// How it refuses, where it says so itself.
    #[must_use]
    pub const fn denial(&self) -> Option<&Rc<Denial>> {
        self.denial.as_ref()
    }

    /// Whether the callers have what it asks for; the place of the first of them. A rule that denies everyone never holds.
    ///
    /// # Errors
    /// The [`Rejection`] for what is missing.
    pub fn check(&self, callers: &[&Identity], request: &Request) -> Result<usize, Rejection> {
        if self.access == Access::Denied {
            return Err(Rejection::AccessDenied);
        }
        self.requirement.check(callers, &self.facts(request))
    }

    pub(super) const fn needs_route_name(&self) -> bool {
        self.matcher.needs_route_name()
    }

    /// The first condition of its `match` that a request does not fulfil; `None` when it matches or may.
    #[must_use]
    pub fn unmet(&self, request: &Request, route_name: Option<&str>) -> Option<Condition> {
        let reading = match self.access {
            Access::Public | Access::Optional => Reading::Exact,
            Access::Required | Access::Denied if self.matcher.reads_headers() => Reading::Lenient,
            Access::Required | Access::Denied => Reading::Broad,
        };
        let is_unmet = self.matches(request, route_name) == Some(false);
        is_unmet.then(|| self.matcher.unmet(request, route_name, reading)).flatten()
    }

    /// What its requirement is decided by, for a request.
    #[must_use]
    pub const fn facts<'a>(&'a self, request: &'a Request) -> Facts<'a> {
        Facts { request, matcher: &self.matcher }
    }

    /// Whether it matches a request with one path, host and method; `None` when that depends on how a header is read.
    pub(super) fn matches(&self, request: &Request, route_name: Option<&str>) -> Option<bool> {
        let matches = |reading| self.matcher.matches(request, route_name, reading).is_some();
        match self.access {
            Access::Public | Access::Optional => Some(matches(Reading::Exact)),
            Access::Required | Access::Denied if matches(Reading::Broad) => Some(true),
            Access::Required | Access::Denied if self.matcher.reads_headers() && matches(Reading::Lenient) => None,
            Access::Required | Access::Denied => Some(false),
        }
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
