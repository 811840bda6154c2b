//! AuthorizationPolicy objects as rules of a plan.
//!
//! A condition that cannot be expressed does not hold where it would admit somebody, and holds where it would refuse somebody.

use std::collections::BTreeSet;

use serde_json::json;

use crate::import::formula::{Fact, Formula, Issuers, Text};
use crate::import::hosts::{HostSet, MethodSet};
use crate::import::note::Notes;
use crate::import::paths::PathSet;
use crate::import::plan::{Condition, Effect, Gate, Plan, PlanRule, Subject};
use crate::import::source::Node;
use crate::import::truth::Truth;

/// What a policy does with the requests that its rules match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Allow,
    Deny,
    /// Somebody else decides about them, and here nobody does.
    Custom,
}

/// Adds the rules of all policies to a plan, for callers from these issuers.
pub fn translate(policies: &[Node<'_>], issuers: &Issuers, plan: &mut Plan, notes: &mut Notes) {
    for policy in policies {
        let Some(spec) = policy.get("spec") else { continue };
        let metadata = policy.get("metadata");
        let annotations = metadata.as_ref().and_then(|metadata| metadata.get("annotations"));
        if annotations.is_some_and(|annotations| annotations.text("istio.io/dry-run") == Some("true")) {
            notes.remark(&policy.place(), "is a dry run, which enforces nothing: left out");
            continue;
        }
        let action = match spec.text("action").unwrap_or("ALLOW") {
            "ALLOW" => Action::Allow,
            "DENY" => Action::Deny,
            "AUDIT" => {
                notes.no_equal(&policy.place(), "action AUDIT decides nothing: left out; `auditLog` says what is recorded here");
                continue;
            }
            other => {
                notes.no_equal(
                    &policy.place(),
                    format!(
                        "action {other} has another service decide: what it matches is denied here; keep the policy in Istio and \
                         remove its rules here"
                    ),
                );
                Action::Custom
            }
        };
        if action == Action::Allow {
            plan.otherwise = Gate::Callers(Formula::False);
        }
        let name = metadata.and_then(|metadata| metadata.text("name")).unwrap_or("policy").to_owned();
        let rules = spec.list("rules");
        for (index, rule) in rules.iter().enumerate() {
            let label = if rules.len() > 1 { format!("{name}[{index}]") } else { name.clone() };
            Translator { action, issuers, plan, notes }.rule(label, rule);
        }
    }
}

struct Translator<'a> {
    action: Action,
    issuers: &'a Issuers,
    plan: &'a mut Plan,
    notes: &'a mut Notes,
}

impl Translator<'_> {
    fn rule(&mut self, name: String, rule: &Node<'_>) {
        self.unknown_members(rule, &["from", "to", "when"]);
        let sources = rule.list("from");
        let sources = sources.iter().map(|from| match from.get("source") {
            Some(source) => self.source(&source),
            None => Formula::True,
        });
        let sources: Vec<Formula> = sources.collect();
        let from = if sources.is_empty() { Formula::True } else { Formula::any(sources) };
        let mut callers = vec![from];
        let mut around = Vec::new();
        for condition in rule.list("when") {
            self.when(&condition, &mut callers, &mut around);
        }
        let callers = Formula::all(callers);
        let operations = rule.list("to");
        let mut alternatives: Vec<Vec<Condition>> = operations
            .iter()
            .map(|to| to.get("operation").map(|operation| self.operation(&operation)).unwrap_or_default())
            .collect();
        if alternatives.is_empty() {
            alternatives.push(Vec::new());
        }
        for mut conditions in alternatives {
            conditions.extend(around.iter().cloned());
            let effect = match self.action {
                Action::Allow => Effect::Allow(callers.clone()),
                Action::Deny => Effect::Deny(callers.clone()),
                Action::Custom => Effect::Deny(Formula::True),
            };
            self.plan.rules.push(PlanRule { name: name.clone(), conditions, effect });
        }
    }

    fn unknown_members(&mut self, node: &Node<'_>, known: &[&str]) -> bool {
        let others = node.others(known);
        for (_, node) in &others {
            self.cannot(node, "has no equal");
        }
        !others.is_empty()
    }

    /// Says that a condition is not looked at, and what comes of it.
    fn cannot(&mut self, node: &Node<'_>, problem: &str) {
        let consequence = match self.action {
            Action::Allow => "what needs it to be admitted is refused here",
            Action::Deny => {
                "it is taken to hold, and so more is denied here; keep the policy in Istio and remove its rules here to deny no more \
                 than before"
            }
            Action::Custom => return,
        };
        self.notes.no_equal(&node.place(), format!("{problem}; {consequence}"));
    }

    /// The value of a condition on the caller that is not looked at.
    const fn unknown(&self) -> Formula {
        match self.action {
            Action::Allow => Formula::False,
            Action::Deny | Action::Custom => Formula::True,
        }
    }

    fn source(&mut self, source: &Node<'_>) -> Formula {
        let mut callers = Vec::new();
        if source.get("request_principals").is_some() {
            callers.push(self.principals(&source.texts("request_principals")));
        }
        if source.get("not_request_principals").is_some() {
            callers.push(self.principals(&source.texts("not_request_principals")).negated());
        }
        if self.unknown_members(source, &["request_principals", "not_request_principals"]) {
            callers.push(self.unknown());
        }
        Formula::all(callers)
    }

    /// One of some principals, `issuer/subject` with wildcards; the subject is what stands behind the last slash.
    fn principals(&self, values: &[String]) -> Formula {
        Formula::any(values.iter().map(|value| {
            let (issuer, subject) = principal(value);
            let issuers: Issuers = self.issuers.iter().filter(|name| issuer.holds(name)).cloned().collect();
            if issuers.is_empty() {
                return Formula::False;
            }
            Formula::all([Formula::Is(Fact::Issuer(issuers)), Formula::Is(Fact::Claim("sub".to_owned(), subject))])
        }))
    }

    fn operation(&mut self, operation: &Node<'_>) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let known = ["hosts", "paths", "methods", "ports"];
        for (negated, prefix) in [(false, ""), (true, "not_")] {
            for name in known {
                let Some(list) = operation.get(&format!("{prefix}{name}")).filter(|list| !list.elements().is_empty()) else {
                    continue;
                };
                let any_of = list.elements().iter().map(|node| self.pattern(name, node)).collect();
                conditions.push(Condition { any_of, negated });
            }
        }
        let negated = known.map(|name| format!("not_{name}"));
        let all: Vec<&str> = known.into_iter().chain(negated.iter().map(String::as_str)).collect();
        if self.unknown_members(operation, &all) {
            let unknown = self.plan.subject(Subject::Unknown);
            conditions.push(Condition { any_of: vec![unknown], negated: false });
        }
        conditions
    }

    /// One value of an operation as a subject of the plan.
    fn pattern(&mut self, of: &str, node: &Node<'_>) -> usize {
        let value = node.value.as_str().unwrap_or_default();
        let text = Text::parse(value);
        let (subject, is_doubtful) = match of {
            "paths" => {
                let set = if value.contains('{') { PathSet::uri_template(value) } else { PathSet::of_text(&text) };
                let is_doubtful = set.is_doubtful();
                (Subject::Path(set), is_doubtful)
            }
            "hosts" => {
                let set = HostSet::of_text(&text);
                self.notes.remark("", "the port in the Host header is not compared");
                let is_doubtful = set.others == Truth::Doubt;
                (Subject::Host(set), is_doubtful)
            }
            "methods" => {
                let set = MethodSet::of_text(&text);
                let is_doubtful = set.others == Truth::Doubt;
                (Subject::Method(set), is_doubtful)
            }
            _ => (Subject::Unknown, true),
        };
        if is_doubtful {
            let limit = if of == "paths" && value.starts_with('*') { ": at most 6 segments may stand before it" } else { "" };
            self.cannot(node, &format!("`{}` cannot be expressed in full{limit}", node.value.to_string().trim_matches('"')));
        }
        self.plan.subject(subject)
    }

    fn when(&mut self, condition: &Node<'_>, callers: &mut Vec<Formula>, around: &mut Vec<Condition>) {
        let key = condition.text("key").unwrap_or_default();
        for (list, negated) in [("values", false), ("not_values", true)] {
            if condition.list(list).is_empty() {
                continue;
            }
            let values = condition.texts(list);
            if let Some(header) = bracketed(key, "request.headers").and_then(|names| names.into_iter().next()) {
                let any_of = self.header(&header, &values, condition);
                around.push(Condition { any_of, negated });
                continue;
            }
            let formula = match self.claim_of(key, &values) {
                Some(formula) if negated => formula.negated(),
                Some(formula) => formula,
                None => {
                    self.cannot(condition, &format!("`{key}` has no equal"));
                    self.unknown()
                }
            };
            callers.push(formula);
        }
    }

    /// What a condition on the credential says, if the key is one.
    fn claim_of(&self, key: &str, values: &[String]) -> Option<Formula> {
        let claim =
            |path: &str| Formula::any(values.iter().map(|value| Formula::Is(Fact::Claim(path.to_owned(), Text::parse(value)))));
        match key {
            "request.auth.principal" => Some(self.principals(values)),
            "request.auth.presenter" => Some(claim("azp")),
            "request.auth.audiences" if values.iter().all(|value| matches!(Text::parse(value), Text::Exact(_))) => {
                Some(Formula::Is(Fact::Audience(values.iter().cloned().collect())))
            }
            "request.auth.audiences" => Some(claim("aud")),
            _ => Some(claim(&bracketed(key, "request.auth.claims")?.join("."))),
        }
    }

    fn header(&mut self, name: &str, values: &[String], condition: &Node<'_>) -> Vec<usize> {
        let texts: Vec<Text> = values.iter().map(|value| Text::parse(value)).collect();
        match name.to_ascii_lowercase().as_str() {
            ":method" => return texts.iter().map(|text| self.plan.subject(Subject::Method(MethodSet::of_text(text)))).collect(),
            ":authority" | "host" => {
                return texts.iter().map(|text| self.plan.subject(Subject::Host(HostSet::of_text(text)))).collect();
            }
            pseudo if pseudo.starts_with(':') => {
                self.cannot(condition, &format!("the header `{pseudo}` cannot be looked at"));
                return vec![self.plan.subject(Subject::Unknown)];
            }
            _ => {}
        }
        let mut exact: BTreeSet<&str> = BTreeSet::new();
        let mut subjects = Vec::new();
        for text in &texts {
            match text {
                Text::Exact(value) => drop(exact.insert(value)),
                Text::Prefix(start) => subjects.push(json!({"name": name, "prefix": start})),
                Text::Suffix(end) => subjects.push(json!({"name": name, "suffix": end})),
                Text::Present => subjects.push(json!({"name": name, "present": true})),
            }
        }
        match exact.first() {
            Some(only) if exact.len() == 1 => subjects.insert(0, json!({"name": name, "exact": only})),
            Some(_) => subjects.insert(0, json!({"name": name, "in": exact})),
            None => {}
        }
        subjects.into_iter().map(|subject| self.plan.subject(Subject::Header(subject))).collect()
    }
}

/// The conditions on issuer and subject that a value of `requestPrincipals` means.
fn principal(value: &str) -> (Text, Text) {
    let split = value.rsplit_once('/');
    match (value, split) {
        ("*", _) => (Text::Present, Text::Present),
        (_, Some(("*", subject))) => (Text::Present, Text::Exact(subject.to_owned())),
        (_, Some((issuer, subject))) if value.starts_with('*') => {
            (Text::Suffix(issuer.trim_start_matches('*').to_owned()), Text::Exact(subject.to_owned()))
        }
        (_, None) if value.starts_with('*') => (Text::Present, Text::parse(value)),
        (_, Some((issuer, subject))) => {
            let subject = if value.ends_with('*') { Text::parse(subject) } else { Text::Exact(subject.to_owned()) };
            (Text::Exact(issuer.to_owned()), subject)
        }
        (_, None) if value.ends_with('*') => (Text::parse(value), Text::Present),
        (_, None) => (Text::Exact(value.to_owned()), Text::Exact(String::new())),
    }
}

/// The names in brackets behind a key: `request.auth.claims[a][b]`.
fn bracketed(key: &str, prefix: &str) -> Option<Vec<String>> {
    let inner = key.strip_prefix(prefix)?.strip_prefix('[')?.strip_suffix(']')?;
    let names: Vec<String> = inner.split("][").map(str::to_owned).collect();
    names.iter().all(|name| !name.is_empty() && !name.contains(['[', ']'])).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_principals_apart() {
        let exact = |text: &str| Text::Exact(text.into());
        for (value, issuer, subject) in [
            ("*", Text::Present, Text::Present),
            ("https://i/sub", exact("https://i"), exact("sub")),
            ("i/*", exact("i"), Text::Present),
            ("i/s*", exact("i"), Text::Prefix("s".into())),
            ("*/s", Text::Present, exact("s")),
            ("*i/s", Text::Suffix("i".into()), exact("s")),
            ("*s", Text::Present, Text::Suffix("s".into())),
            ("i*", Text::Prefix("i".into()), Text::Present),
            ("i", exact("i"), exact("")),
        ] {
            assert_eq!(principal(value), (issuer, subject), "{value}");
        }
    }

    #[test]
    fn reads_names_in_brackets() {
        for (key, expected) in [
            ("request.auth.claims[a]", Some(vec!["a"])),
            ("request.auth.claims[a][b]", Some(vec!["a", "b"])),
            ("request.auth.claims[https://example.com/roles]", Some(vec!["https://example.com/roles"])),
            ("request.auth.claims", None),
            ("request.auth.claims[]", None),
            ("request.auth.claims[a", None),
            ("source.ip", None),
        ] {
            let names = bracketed(key, "request.auth.claims");
            assert_eq!(names, expected.map(|names| names.into_iter().map(str::to_owned).collect()), "{key}");
        }
    }
}
