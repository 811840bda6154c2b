//! A `JwtRequirement`: a tree of providers.
//!
//! It is taken apart into alternatives. One that names several providers needs a token for each of them; one that names none is a
//! request without a token.

use std::collections::BTreeSet;

use anyhow::bail;

use super::provider::Providers;
use crate::import::formula::{Fact, Formula};
use crate::import::note::Notes;
use crate::import::plan::Gate;
use crate::import::source::Node;

/// The most alternatives that a requirement may have.
const MAX_ALTERNATIVES: usize = 64;

/// A provider with the audiences that are asked for in place of its own.
type Asked = (String, Option<BTreeSet<String>>);

/// What a requirement asks of a request.
///
/// # Errors
/// It names a provider that there is not, or is too large.
pub fn gate(requirement: &Node<'_>, providers: &mut Providers, notes: &mut Notes) -> anyhow::Result<Gate> {
    let alternatives = alternatives(requirement, providers, notes)?;
    let names_nobody = alternatives.iter().all(BTreeSet::is_empty);
    if names_nobody {
        // A token that is sent must be good, whoever made it.
        return Ok(Gate::Callers(Formula::True));
    }
    let everybody = providers.names();
    let formulas = alternatives.iter().map(|asked| {
        let mut asked_for = asked.iter();
        match (asked_for.next(), asked_for.next()) {
            (None, _) => Formula::IsNot(Fact::Issuer(everybody.clone())),
            (Some((name, audiences)), None) => providers.formula(name, audiences.as_ref()),
            _ => providers.together(asked).unwrap_or_else(|| {
                let text = "tokens of several providers are asked for together, in one place or in a way that cannot be expressed: \
                            a request with more than one token is refused here";
                match alternatives.len() {
                    1 => notes.no_equal(&requirement.place(), text),
                    _ => notes.remark(&requirement.place(), text),
                }
                Formula::False
            }),
        }
    });
    Ok(Gate::Callers(Formula::any(formulas.collect::<Vec<_>>())))
}

fn alternatives(requirement: &Node<'_>, providers: &Providers, notes: &mut Notes) -> anyhow::Result<Vec<BTreeSet<Asked>>> {
    let one = |name: &str, audiences| {
        if providers.is_known(name) {
            Ok(vec![BTreeSet::from([(name.to_owned(), audiences)])])
        } else {
            bail!("{}: `{name}` is not a provider", requirement.place())
        }
    };
    if let Some(name) = requirement.text("provider_name") {
        return one(name, None);
    }
    if let Some(node) = requirement.get("provider_and_audiences") {
        let audiences: BTreeSet<String> = node.texts("audiences").into_iter().collect();
        return one(node.text("provider_name").unwrap_or_default(), Some(audiences));
    }
    if let Some(node) = requirement.get("requires_any") {
        let mut found = Vec::new();
        for member in node.list("requirements") {
            found.extend(alternatives(&member, providers, notes)?);
        }
        return Ok(found);
    }
    if let Some(node) = requirement.get("requires_all") {
        let mut found = vec![BTreeSet::new()];
        for member in node.list("requirements") {
            let choices = alternatives(&member, providers, notes)?;
            found = found.iter().flat_map(|before: &BTreeSet<Asked>| choices.iter().map(move |choice| before | choice)).collect();
            if found.len() > MAX_ALTERNATIVES {
                bail!("{}: has too many alternatives", requirement.place());
            }
        }
        return Ok(found);
    }
    if let Some(node) = requirement.get("allow_missing_or_failed") {
        notes.no_equal(
            &node.place(),
            "a token that is sent and is not valid is refused here, as with allow_missing: a service would take it for none",
        );
        return Ok(vec![BTreeSet::new()]);
    }
    if requirement.get("allow_missing").is_some() {
        return Ok(vec![BTreeSet::new()]);
    }
    for (key, node) in requirement.others(&[]) {
        notes.no_equal(&node.place(), format!("the requirement `{key}` is not known here: nobody satisfies it"));
    }
    Ok(if requirement.others(&[]).is_empty() { vec![BTreeSet::new()] } else { Vec::new() })
}
