//! From RequestAuthentication and AuthorizationPolicy.
//!
//! The policies that apply to one workload are read together: those of its namespace and of the root namespace, with labels that
//! it has. A RequestAuthentication lets requests without a token pass; an AuthorizationPolicy of action DENY refuses first, and
//! where there is one of action ALLOW, only what such a one admits passes. What has no equal is resolved to the stricter side.

mod authorization_policy;
mod request_authentication;
mod workload;

use anyhow::bail;
use serde_json::Value;

use crate::import::Imported;
use crate::import::formula::Formula;
use crate::import::issuers;
pub use crate::import::istio::workload::Workload;
use crate::import::note::Notes;
use crate::import::plan::{Gate, Plan};
use crate::import::source::Node;

/// Whether a document is one of the objects that are read here, or a list of objects.
pub fn is_source(document: &Value) -> bool {
    let kind = document.get("kind").and_then(Value::as_str).unwrap_or_default();
    document.get("apiVersion").is_some_and(Value::is_string)
        && (kind.ends_with("List") || matches!(kind, "RequestAuthentication" | "AuthorizationPolicy"))
}

/// Imports the objects that apply to a workload.
///
/// # Errors
/// They are for several workloads, or none of them is for this one.
pub fn import(documents: &[Node<'_>], workload: &Workload, notes: &mut Notes) -> anyhow::Result<Imported> {
    let objects: Vec<Node<'_>> = documents.iter().flat_map(objects).collect();
    let chosen = workload.choose(&objects, notes)?;
    let of_kind = |kind: &str| {
        chosen.iter().filter(|object| object.text("kind") == Some(kind)).map(|object| (*object).clone()).collect::<Vec<_>>()
    };
    let (authentications, policies) = (of_kind("RequestAuthentication"), of_kind("AuthorizationPolicy"));
    if authentications.is_empty() && policies.is_empty() {
        bail!("no RequestAuthentication or AuthorizationPolicy is for this workload");
    }
    let mut entries = request_authentication::entries(&authentications, notes);
    let mut plan = Plan::new(Gate::Callers(Formula::True));
    authorization_policy::translate(&policies, &issuers::names(&entries), &mut plan, notes);
    request_authentication::split_claims(&mut entries, &plan, notes);
    let bypass_cors_preflight = plan.rules.is_empty() && plan.otherwise == Gate::Callers(Formula::True) && !entries.is_empty();
    Ok(Imported { entries, plan, bypass_cors_preflight })
}

/// The objects of a document: itself, or what a list holds.
fn objects<'a>(document: &Node<'a>) -> Vec<Node<'a>> {
    match document.text("kind") {
        Some(kind) if kind.ends_with("List") => document.list("items").iter().flat_map(objects).collect(),
        Some(_) => vec![document.clone()],
        None => Vec::new(),
    }
}
