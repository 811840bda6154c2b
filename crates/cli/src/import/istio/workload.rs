//! Which objects apply to a workload.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;

use crate::import::note::Notes;
use crate::import::source::Node;

/// The namespace in which policies apply to the whole mesh.
const ROOT_NAMESPACE: &str = "istio-system";

/// The workload that the configuration is for, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct Workload {
    /// Its namespace.
    pub namespace: Option<String>,
    /// Its labels.
    pub labels: Option<BTreeMap<String, String>>,
}

impl Workload {
    /// The objects that apply to it. Where it is not said which it is, they must all be for one.
    ///
    /// # Errors
    /// They are for several.
    pub fn choose<'o, 'a>(&self, objects: &'o [Node<'a>], notes: &mut Notes) -> anyhow::Result<Vec<&'o Node<'a>>> {
        let mut chosen = Vec::new();
        let mut namespaces = BTreeSet::new();
        let mut targets = BTreeSet::new();
        for object in objects {
            let kind = object.text("kind").unwrap_or_default();
            if !matches!(kind, "RequestAuthentication" | "AuthorizationPolicy") {
                notes.remark(&object.place(), format!("a {kind} is not read"));
                continue;
            }
            let namespace = object.get("metadata").and_then(|metadata| metadata.text("namespace")).unwrap_or_default();
            if !matches!(namespace, "" | ROOT_NAMESPACE) {
                if self.namespace.as_ref().is_some_and(|wanted| wanted != namespace) {
                    notes.remark(&object.place(), format!("is for namespace {namespace}: left out"));
                    continue;
                }
                namespaces.insert(namespace);
            }
            let labels = labels(object);
            let references = references(object);
            let has = |(key, value): (&String, &String)| {
                self.labels.as_ref().is_none_or(|known| known.get(key).is_some_and(|known| known == value))
            };
            if !labels.iter().all(has) {
                notes.remark(&object.place(), "is for workloads with other labels: left out");
                continue;
            }
            if self.labels.is_none() && !labels.is_empty() {
                targets.insert(labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","));
            }
            if !references.is_empty() {
                targets.insert(references.join(","));
            }
            chosen.push(object);
        }
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" and ");
        if namespaces.len() > 1 {
            let names = namespaces.iter().map(|name| (*name).to_owned()).collect();
            bail!("the objects are for several namespaces, {}; say which with --namespace", list(&names));
        }
        if targets.len() > 1 {
            bail!(
                "the objects are for several workloads, {}; say the labels of one with --selector, or import one at a time",
                list(&targets)
            );
        }
        Ok(chosen)
    }
}

fn labels(object: &Node<'_>) -> BTreeMap<String, String> {
    let selector = object.get("spec").and_then(|spec| spec.get("selector")).and_then(|selector| selector.get("match_labels"));
    let labels = selector.map(|labels| labels.members()).unwrap_or_default();
    labels.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.value.as_str()?.to_owned()))).collect()
}

/// What `targetRef` and `targetRefs` name.
fn references(object: &Node<'_>) -> Vec<String> {
    let Some(spec) = object.get("spec") else { return Vec::new() };
    let all = spec.list("target_refs").into_iter().chain(spec.get("target_ref"));
    all.map(|target| format!("{} {}", target.text("kind").unwrap_or("?"), target.text("name").unwrap_or("?"))).collect()
}
