//! Which rules decide about a request.
//!
//! The rule that the proxy's route names decides. When it names none, the first rule that matches does; when none does, the
//! default. Rules that let somebody in without a credential (`public`, `optional`) match exactly, the others broadly (see
//! [`Reading`]). A rule that depends on how a repeated header is read must hold too, and hides none behind it.
//!
//! A request is ambiguous when its path is, or when its host or method cannot be read. No rule matches it, so the default
//! decides, and where that is `public` a credential is required instead. In addition every rule must hold that would decide if
//! the request were understood in one of the ways that upstreams understand it; public rules are passed over here. A path with
//! too many meanings is denied, and so are two paths.
//!
//! A rule in shadow is passed over: it is only reported, and the next rule that matches is enforced. Where none does, the request
//! passes; the default is for requests that no rule matches. Of an ambiguous request no rule in shadow is reported.
//!
//! Refused when compiling: a name that is given twice, reserved, or unfit for a label; `require` where access is `public` or
//! `denied`; `shadow` and `deny` where it is `public`; and what [`Matcher`](crate::matcher::Matcher),
//! [`Requirement`](crate::requirement::Requirement) and [`Denial`](crate::answer::Denial) refuse.

mod rule;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;

pub use self::rule::Rule;
use crate::config::rule::{Access, DefaultAccess, RuleConfig};
use crate::config::{ConfigError, Warning};
use crate::decision::DEFAULT_RULE;
use crate::matcher::{Index, Reading};
use crate::path::RequestPath;
use crate::principal::Identity;
use crate::rejection::Rejection;
use crate::request::Request;
use crate::stage::Route;

/// Places of rules, the first one on top. A heap, because a few places are in it and the code of a sort is ten times as long.
type Places = BinaryHeap<Reverse<usize>>;

/// All rules of a configuration.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    index: Index,
    names: BTreeMap<Rc<str>, usize>,
    default: Rule,
    /// The default for ambiguous requests: never public.
    ambiguous_default: Rule,
    /// For requests with too many meanings.
    denied: Rule,
    /// For requests that only rules in shadow match.
    open: Rule,
}

/// The rules for a request.
#[derive(Debug)]
pub struct Selection<'a> {
    /// The rules that are enforced.
    pub enforced: Selected<'a>,
    /// The rule that is only reported.
    pub shadow: Option<&'a Rule>,
    /// Whether the request can be understood in several ways.
    pub is_ambiguous: bool,
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
            index: Index::of(compiled.iter().map(Rule::matcher)),
            rules: compiled,
            names,
            default: named_default(default.into()),
            ambiguous_default: named_default(if default == DefaultAccess::Denied { Access::Denied } else { Access::Required }),
            denied: named_default(Access::Denied),
            open: named_default(Access::Public),
        };
        Ok((set, warnings))
    }

    /// The rules for a request on a route of the proxy.
    ///
    /// # Errors
    /// [`Rejection::RuleUnknown`] when the route names a rule that does not exist.
    pub fn select(&self, request: &Request, route: &Route) -> Result<Selection<'_>, Rejection> {
        let named = match &route.rule {
            Some(name) => Some(self.named(name).ok_or(Rejection::RuleUnknown)?),
            None => None,
        };
        let route_name = route.name.as_deref();
        if let Some(mut enforced) = self.select_ambiguous(request, route_name) {
            enforced.others.extend(named.filter(|rule| !rule.is_shadow()));
            return Ok(Selection { enforced, shadow: None, is_ambiguous: true });
        }
        Ok(match named {
            Some(rule) if !rule.is_shadow() => Selection::certain(Selected::only(rule), None),
            shadow => self.select_matching(request, route_name, shadow),
        })
    }

    fn named(&self, name: &[u8]) -> Option<&Rule> {
        self.rules.get(*self.names.get(str::from_utf8(name).ok()?)?)
    }

    /// The rules for a request with one meaning; `shadow` is the one that the route names.
    fn select_matching<'a>(&'a self, request: &Request, route_name: Option<&str>, shadow: Option<&'a Rule>) -> Selection<'a> {
        let path = request.path_text();
        let (mut first, mut first_shadow, mut possible) = (usize::MAX, usize::MAX, Places::new());
        self.index.visit(request, route_name, path, &mut |place| {
            let Some(rule) = self.rules.get(place) else { return };
            if place >= first || rule.is_shadow() && (shadow.is_some() || place >= first_shadow) {
                return;
            }
            match (rule.matches(request, route_name), rule.is_shadow()) {
                (Some(true), true) => first_shadow = place,
                (Some(true), false) => first = place,
                (None, false) => possible.push(Reverse(place)),
                (None, true) | (Some(false), _) => {}
            }
        });
        let shadow = shadow.or_else(|| self.rules.get(first_shadow).filter(|_| first_shadow < first));
        let first_rule = self.rules.get(first).unwrap_or(if shadow.is_some() { &self.open } else { &self.default });
        let others = self.in_order(possible).filter(|(place, _)| *place < first).map(|(_, rule)| rule).collect();
        Selection::certain(Selected { first: first_rule, others }, shadow)
    }

    /// The rules at these places, each once and in order.
    fn in_order(&self, mut places: Places) -> impl Iterator<Item = (usize, &Rule)> {
        let mut last = None;
        std::iter::from_fn(move || {
            loop {
                let Reverse(place) = places.pop()?;
                if last.replace(place) != Some(place) {
                    return Some((place, self.rules.get(place)?));
                }
            }
        })
    }

    /// The rules for an ambiguous request; `None` when it has one meaning.
    fn select_ambiguous(&self, request: &Request, route_name: Option<&str>) -> Option<Selected<'_>> {
        if request.headers().single(":path").is_err() {
            return Some(Selected::only(&self.denied));
        }
        let is_readable = request.host().is_some() && request.method().is_some();
        if is_readable && !request.is_path_ambiguous() {
            return None;
        }
        let mut others = Vec::new();
        match request.path().map(RequestPath::readings) {
            None => self.collect(request, route_name, None, &mut others),
            Some(Some(readings)) => {
                for path in readings {
                    self.collect(request, route_name, Some(path), &mut others);
                }
            }
            Some(None) => return Some(Selected::only(&self.denied)),
        }
        Some(Selected { first: &self.ambiguous_default, others })
    }

    /// Add the rules that would decide if the path were this one.
    fn collect<'a>(&'a self, request: &Request, route_name: Option<&str>, path: Option<&str>, found: &mut Vec<&'a Rule>) {
        let mut places = Places::new();
        self.index.visit(request, route_name, path, &mut |place| places.push(Reverse(place)));
        let rules = self.in_order(places).map(|(_, rule)| rule);
        for rule in rules.filter(|rule| rule.access() != Access::Public && !rule.is_shadow()) {
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

    /// The rules, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// Whether a rule asks for the name of the proxy's route.
    #[must_use]
    pub fn needs_route_name(&self) -> bool {
        self.rules.iter().any(Rule::needs_route_name)
    }
}

impl<'a> Selection<'a> {
    const fn certain(enforced: Selected<'a>, shadow: Option<&'a Rule>) -> Self {
        // A rule that may match makes the request ambiguous too.
        let is_ambiguous = !enforced.others.is_empty();
        Self { enforced, shadow, is_ambiguous }
    }
}

impl<'a> Selected<'a> {
    /// One rule alone.
    #[must_use]
    pub const fn only(rule: &'a Rule) -> Self {
        Self { first: rule, others: Vec::new() }
    }

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

    /// How many credentials a request may have: as many as the rule allows that allows most.
    #[must_use]
    pub fn max_credentials(&self) -> usize {
        self.rules().map(|rule| rule.requirement().max_credentials()).max().unwrap_or(1)
    }

    /// Whether the callers have what all rules ask for; the place of the principal among them, by the decisive rule.
    ///
    /// # Errors
    /// The first rule that does not hold; one that denies everyone never does.
    pub fn check(&self, callers: &[&Identity], request: &Request) -> Result<usize, Refused<'a>> {
        let decisive = self.decisive();
        let mut principal = 0;
        for rule in self.rules() {
            let first = rule.check(callers, request).map_err(|rejection| Refused { rule, rejection })?;
            if std::ptr::eq(rule, decisive) {
                principal = first;
            }
        }
        Ok(principal)
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
