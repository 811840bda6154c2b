//! Which rules decide about a request.
//!
//! The first rule that matches decides; when none does, the default. Rules that let somebody in without a credential (`public`,
//! `optional`) match exactly, the others broadly (see [`Reading`]).
//!
//! A request is ambiguous when its path is, or when its host or method cannot be read. No rule matches it, so the default
//! decides, and where that is `public` a credential is required instead. In addition every rule must hold that would decide if
//! the request were understood in one of the ways that upstreams understand it; public rules are passed over here. A path with
//! too many meanings is denied, and so are two paths.
//!
//! Refused when compiling: a name that is given twice, reserved, or unfit for a label; `require` where access is `public` or
//! `denied`; and what [`Matcher`](crate::matcher::Matcher) and [`Requirement`](crate::requirement::Requirement)
//! refuse.

mod rule;

use std::collections::BTreeMap;
use std::rc::Rc;

pub use self::rule::Rule;
use crate::config::rule::{Access, DefaultAccess, RuleConfig};
use crate::config::{ConfigError, Warning};
use crate::decision::DEFAULT_RULE;
use crate::matcher::Reading;
use crate::principal::Principal;
use crate::rejection::Rejection;
use crate::request::Request;

/// All rules of a configuration.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    default: Rule,
    /// The default for ambiguous requests: never public.
    ambiguous_default: Rule,
    /// For requests with too many meanings.
    denied: Rule,
}

/// The rules that must hold for a request.
#[derive(Debug)]
pub struct Selected<'a> {
    first: &'a Rule,
    others: Vec<&'a Rule>,
}

/// A rule that does not hold.
#[derive(Debug, Clone, Copy)]
pub struct Refused<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// Why it does not hold.
    pub rejection: Rejection,
}

impl RuleSet {
    /// Compile `rules` and `default`; `issuers` are the names of the `jwtRules` entries.
    ///
    /// # Errors
    /// A [`ConfigError`] for the first rule that is wrong.
    pub fn compile(
        rules: &[RuleConfig],
        default: DefaultAccess,
        issuers: &[Rc<str>],
    ) -> Result<(Self, Vec<Warning>), ConfigError> {
        let mut names = BTreeMap::new();
        let mut compiled: Vec<Rule> = Vec::with_capacity(rules.len());
        let mut warnings = Vec::new();
        for (index, config) in rules.iter().enumerate() {
            let path = format!("rules[{index}]");
            let rule = Rule::compile(config, index, issuers, &path)?;
            if let Some(earlier) = names.insert(Rc::clone(rule.name()), index) {
                return Err(ConfigError::new(format!("{path}.name"), format!("rules[{earlier}] has the same name")));
            }
            rule.warn(&path, &compiled, &mut warnings);
            compiled.push(rule);
        }
        if default == DefaultAccess::Public {
            warnings.push(Warning::new("default", "a request that no rule matches passes without a credential"));
        }
        let named_default = |access| Rule::everything(DEFAULT_RULE.into(), access);
        let set = Self {
            rules: compiled,
            default: named_default(default.into()),
            ambiguous_default: named_default(if default == DefaultAccess::Denied { Access::Denied } else { Access::Required }),
            denied: named_default(Access::Denied),
        };
        Ok((set, warnings))
    }

    /// The rules that must hold for a request on the proxy's route of this name.
    #[must_use]
    pub fn select(&self, request: &Request, route_name: Option<&str>) -> Selected<'_> {
        if request.headers().single(":path").is_err() {
            return Selected { first: &self.denied, others: Vec::new() };
        }
        let path = request.path();
        let readable = request.host().is_some() && request.method().is_some();
        if readable && !path.is_some_and(crate::path::RequestPath::is_ambiguous) {
            let first = self.rules.iter().find(|rule| rule.matches(request, route_name)).unwrap_or(&self.default);
            return Selected { first, others: Vec::new() };
        }
        let mut others = Vec::new();
        match path.map(crate::path::RequestPath::readings) {
            None => self.collect(request, route_name, None, &mut others),
            Some(Some(readings)) => {
                for path in readings {
                    self.collect(request, route_name, Some(path), &mut others);
                }
            }
            Some(None) => return Selected { first: &self.denied, others },
        }
        Selected { first: &self.ambiguous_default, others }
    }

    /// Add the rules that would decide if the path were this one.
    fn collect<'a>(&'a self, request: &Request, route_name: Option<&str>, path: Option<&str>, found: &mut Vec<&'a Rule>) {
        for rule in self.rules.iter().filter(|rule| rule.access() != Access::Public) {
            let matches = |reading| rule.matches_at(request, route_name, path, reading);
            let certain = matches(Reading::Broad);
            if (certain || matches(Reading::Lenient)) && !found.iter().any(|known| std::ptr::eq(*known, rule)) {
                found.push(rule);
            }
            // A rule that may not be meant after all, or that lets everyone in, hides none behind it.
            if certain && rule.access() != Access::Optional {
                break;
            }
        }
    }

    /// Whether a rule asks for the name of the proxy's route.
    #[must_use]
    pub fn needs_route_name(&self) -> bool {
        self.rules.iter().any(Rule::needs_route_name)
    }
}

impl<'a> Selected<'a> {
    /// All rules that must hold: one, or several for an ambiguous request.
    pub fn rules(&self) -> impl Iterator<Item = &'a Rule> {
        std::iter::once(self.first).chain(self.others.iter().copied())
    }

    /// The rule that decides whether a credential is needed: the first of those with the strictest access.
    #[must_use]
    pub fn decisive(&self) -> &'a Rule {
        let stricter = |one: &'a Rule, other: &'a Rule| if strictness(other) > strictness(one) { other } else { one };
        self.others.iter().copied().fold(self.first, stricter)
    }

    /// The name of the decisive rule.
    #[must_use]
    pub fn name(&self) -> &'a Rc<str> {
        self.decisive().name()
    }

    /// Whether a credential is needed.
    #[must_use]
    pub fn access(&self) -> Access {
        self.decisive().access()
    }

    /// Whether a caller, vouched for by the `jwtRules` entry `issuer`, has what all rules ask for.
    ///
    /// # Errors
    /// The first rule that does not hold; one that denies everyone never does.
    pub fn check(&self, principal: &Principal, issuer: &str) -> Result<(), Refused<'a>> {
        self.rules().try_for_each(|rule| {
            let holds = if rule.access() == Access::Denied {
                Err(Rejection::AccessDenied)
            } else {
                rule.requirement().check(principal, issuer)
            };
            holds.map_err(|rejection| Refused { rule, rejection })
        })
    }
}

const fn strictness(rule: &Rule) -> u8 {
    match rule.access() {
        Access::Public => 0,
        Access::Optional => 1,
        Access::Required => 2,
        Access::Denied => 3,
    }
}

#[cfg(test)]
mod tests;
