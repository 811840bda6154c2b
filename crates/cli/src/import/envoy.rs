//! From Envoy's `jwt_authn` filter, found in a whole configuration, a listener, or by itself.
//!
//! Its first rule that matches decides, and a request that none matches needs nothing. What a route's own configuration says
//! comes before the rules. What has no equal is resolved to the stricter side.

mod matching;
mod provider;
mod regex;
mod requirement;

use std::collections::BTreeMap;

use anyhow::bail;
use serde_json::Value;

use crate::import::Imported;
use crate::import::envoy::provider::Providers;
use crate::import::formula::Formula;
use crate::import::note::Notes;
use crate::import::plan::{Condition, Effect, Gate, Plan, PlanRule, Subject};
use crate::import::source::Node;
use crate::place::{for_each_object, member};

const FILTER: &str = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication";
const PER_ROUTE: &str = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig";

/// Whether a document holds the configuration of the filter.
pub fn is_source(document: &Value) -> bool {
    !filters(&Node::root(document, "")).is_empty()
}

/// Imports the filter, with what routes say about it.
///
/// # Errors
/// There is not exactly one, it is wrong in itself, or a route without a name needs something of its own.
pub fn import(documents: &[Node<'_>], notes: &mut Notes) -> anyhow::Result<Imported> {
    let mut found: Vec<Node<'_>> = documents.iter().flat_map(filters).collect();
    found.dedup_by(|one, other| one.value == other.value);
    let [filter] = found.as_slice() else {
        let places: Vec<_> = found.iter().map(Node::place).collect();
        match places.as_slice() {
            [] => bail!("there is no jwt_authn filter"),
            places => bail!("there are several jwt_authn filters, {}; import one at a time", places.join(" and ")),
        }
    };
    let known = [
        "@type",
        "providers",
        "rules",
        "requirement_map",
        "bypass_cors_preflight",
        "filter_state_rules",
        "strip_failure_response",
        "stat_prefix",
    ];
    for (key, node) in filter.others(&known) {
        notes.no_equal(&node.place(), format!("`{key}` is not known here: left out"));
    }
    let requirements: BTreeMap<&str, Node<'_>> =
        filter.get("requirement_map").map(|map| map.members().into_iter().collect()).unwrap_or_default();
    let rules = filter.list("rules");
    let mut providers = Providers::read(filter, &rules, &requirements, notes);
    let mut translator = Translator { requirements, plan: Plan::new(Gate::Open), notes };
    for document in documents {
        translator.routes(document, &mut providers)?;
    }
    for (index, rule) in rules.iter().enumerate() {
        translator.rule(format!("rule[{index}]"), rule, &mut providers)?;
    }
    let mut plan = translator.plan;
    if let Some(node) = filter.get("filter_state_rules") {
        notes.no_equal(&node.place(), "what filter state asks for is not known here: a request that no rule matches is denied");
        plan.otherwise = Gate::Callers(Formula::False);
    }
    if plan.otherwise == Gate::Open {
        notes.remark(
            &filter.place(),
            "a request that no rule matches needs no token, as before; `default: required` would close that",
        );
    }
    Ok(Imported { entries: providers.entries, plan, bypass_cors_preflight: filter.flag("bypass_cors_preflight") })
}

/// The configurations of the filter in a document.
fn filters<'a>(document: &Node<'a>) -> Vec<Node<'a>> {
    let mut found = Vec::new();
    for_each_object(document.value, &document.path, &mut |path, object| {
        let node = |value, path: String| Node { value, document: document.document, path };
        let kind = object.get("@type").and_then(Value::as_str);
        let inner = ["type_url", "typeUrl"].iter().find_map(|key| object.get(key)).and_then(Value::as_str);
        if kind == Some(FILTER) {
            found.push(node(object, path.to_owned()));
            return false;
        }
        if inner == Some(FILTER)
            && let Some(value) = object.get("value")
        {
            found.push(node(value, member(path, "value")));
            return false;
        }
        let is_bare = path.is_empty() && object.get("providers").is_some_and(Value::is_object);
        if is_bare {
            found.push(node(object, path.to_owned()));
        }
        !is_bare
    });
    found
}

struct Translator<'n, 'a> {
    requirements: BTreeMap<&'a str, Node<'a>>,
    plan: Plan,
    notes: &'n mut Notes,
}

impl<'a> Translator<'_, 'a> {
    /// The requirement that a name in `requirement_map` stands for.
    fn named(&mut self, name: &str, at: &Node<'_>, providers: &mut Providers) -> anyhow::Result<Gate> {
        match self.requirements.get(name).cloned() {
            Some(requirement) => requirement::gate(&requirement, providers, self.notes),
            None => bail!("{}: `{name}` is not in requirement_map", at.place()),
        }
    }

    fn rule(&mut self, name: String, rule: &Node<'a>, providers: &mut Providers) -> anyhow::Result<()> {
        let gate = match (rule.text("requirement_name"), rule.get("requires")) {
            (Some(name), _) => self.named(name, rule, providers)?,
            (None, Some(requirement)) => requirement::gate(&requirement, providers, self.notes)?,
            (None, None) => Gate::Open,
        };
        for (key, node) in rule.others(&["match", "requires", "requirement_name"]) {
            self.notes.no_equal(&node.place(), format!("`{key}` is not known here: left out"));
        }
        let conditions = match rule.get("match") {
            Some(matching) => matching::conditions(&matching, &mut self.plan, self.notes),
            None => Vec::new(),
        };
        self.plan.rules.push(PlanRule { name, conditions, effect: Effect::Decide(gate) });
        Ok(())
    }

    /// What routes say about the filter themselves.
    fn routes(&mut self, document: &Node<'a>, providers: &mut Providers) -> anyhow::Result<()> {
        let mut hosts = Vec::new();
        for_each_object(document.value, &document.path, &mut |path, object| {
            let node = Node { value: object, document: document.document, path: path.to_owned() };
            if node.get("domains").is_some() && node.get("routes").is_some() {
                hosts.push(node);
                return false;
            }
            true
        });
        for host in &hosts {
            let of_host = per_route(host);
            for route in host.list("routes") {
                let Some(own) = per_route(&route).or_else(|| of_host.clone()) else { continue };
                let Some(name) = route.text("name").filter(|name| !name.is_empty()) else {
                    bail!("{}: asks for something of its own and has no name; give the route a `name`", route.place());
                };
                let gate = match own.text("requirement_name") {
                    Some(requirement) => self.named(requirement, &own, providers)?,
                    None if own.flag("disabled") => Gate::Open,
                    None => continue,
                };
                let subject = self.plan.subject(Subject::Route(name.to_owned()));
                let conditions = vec![Condition { any_of: vec![subject], negated: false }];
                self.plan.rules.push(PlanRule { name: format!("route:{name}"), conditions, effect: Effect::Decide(gate) });
            }
        }
        Ok(())
    }
}

/// What a route or a virtual host says about the filter.
fn per_route<'a>(node: &Node<'a>) -> Option<Node<'a>> {
    let configs = node.get("typed_per_filter_config")?;
    configs.members().into_iter().map(|(_, config)| config).find_map(|config| {
        let inner = config.text("@type").filter(|kind| kind.ends_with(".FilterConfig")).and_then(|_| config.get("config"));
        inner.into_iter().chain([config]).find(|config| config.text("@type") == Some(PER_ROUTE))
    })
}
