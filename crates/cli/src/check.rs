//! The `check` command: finds the configurations in a file and loads each as its module would.
//!
//! A file is, in this order: objects of Kubernetes (those that deploy a module are looked at), an Envoy configuration, or the
//! configuration of one module. What it refuses beyond what the module refuses: a deployment that lets requests pass when the
//! module fails, and a cluster that the Envoy configuration does not define.

use std::collections::BTreeSet;

use portcullis_core::authn::Destination;
use portcullis_core::config::{ConfigError, Warning, suggestion};
use portcullis_core::config_version::ConfigVersion;
use serde_json::{Map, Value};

use crate::deployment::{Deployment, Names, OnFailure};
use crate::document::{self, Document, Source};
use crate::environment::VmEnvironment;
use crate::module_name::{Evidence, ModuleName};
use crate::report::{Checked, Report};
use crate::{envoy, istio};

/// Checks what `bytes`, read from `source`, hold; `said` is the module that the operator names.
pub fn check(source: &Source, bytes: Vec<u8>, said: Option<ModuleName>) -> Report {
    let documents = match document::documents(source, bytes) {
        Ok(documents) => documents,
        Err(error) => return Report::of_error(error),
    };
    let mut report = Report::default();
    let several = documents.len() > 1;
    for (index, document) in documents.into_iter().enumerate() {
        let found = check_document(document, said);
        report.append(if several { found.in_document(index + 1) } else { found });
    }
    if report.configurations.is_empty() && report.errors.is_empty() {
        report.errors.push(ConfigError::new("", "holds no configuration of a Portcullis module").hint(
            "a module's own JSON or YAML, an Istio WasmPlugin, or an Envoy configuration with a Wasm filter is looked for",
        ));
    }
    report
}

fn check_document(document: Document, said: Option<ModuleName>) -> Report {
    let mut report = Report::default();
    let is_kubernetes = istio::is_kubernetes_object(&document.value);
    let mut deployments = if is_kubernetes { istio::deployments(&document.value, "") } else { Vec::new() };
    deployments.extend(envoy::deployments(&document.value));
    if deployments.is_empty() && !is_kubernetes && !envoy::is_envoy_document(&document.value) {
        report.check_plain(document, said);
    }
    for deployment in deployments {
        report.check_deployment(deployment, said);
    }
    report
}

impl Report {
    fn append(&mut self, other: Self) {
        self.configurations.extend(other.configurations);
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
        self.notes.extend(other.notes);
    }

    /// The same report seen from the file, where the document is one of several; counted from 1.
    fn in_document(mut self, number: usize) -> Self {
        let places = self
            .configurations
            .iter_mut()
            .map(|checked| &mut checked.path)
            .chain(self.errors.iter_mut().map(|error| &mut error.path))
            .chain(self.warnings.iter_mut().map(|warning| &mut warning.path));
        for path in places {
            *path = if path.is_empty() { format!("document {number}") } else { format!("document {number}, {path}") };
        }
        self
    }

    /// Checks a document that is a module's configuration and nothing else.
    fn check_plain(&mut self, document: Document, said: Option<ModuleName>) {
        let Some(keys) = document.value.as_object() else {
            self.errors.push(ConfigError::new("", "must be an object"));
            return;
        };
        let Some((module, evidence)) = ModuleName::of(&Names::default(), said, Some(keys)) else {
            let names = ModuleName::ALL.map(ModuleName::as_str).join(", ");
            self.errors.push(
                ConfigError::new("", "does not tell by its keys which module it is for")
                    .hint(format!("say it with --module: {names}")),
            );
            return;
        };
        self.load(module, "", &document.bytes, &VmEnvironment::Process, None, None);
        self.note_guess(module, evidence);
    }

    fn check_deployment(&mut self, deployment: Deployment, said: Option<ModuleName>) {
        let value = serde_json::from_slice::<Value>(&deployment.configuration).ok();
        let keys = value.as_ref().and_then(Value::as_object);
        let Some((module, evidence)) = ModuleName::of(&deployment.names, said, keys) else {
            let message = "is not checked: neither the name of the code nor the keys are those of a Portcullis module; \
                           --module says which it is";
            self.warnings.push(Warning::new(deployment.path, message));
            return;
        };
        self.warnings.extend(deployment.warnings);
        if let OnFailure::Pass { path, instead } = deployment.on_failure {
            let problem = format!("when the module fails, {}", module.without_it());
            if module.guards() {
                self.errors.push(ConfigError::new(path, problem).hint(format!("write {instead}")));
            } else {
                self.warnings.push(Warning::new(path, problem));
            }
        }
        if deployment.errors.is_empty() {
            let clusters = deployment.clusters.as_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
            let tags = deployment.stats_tags.as_ref();
            self.load(module, &deployment.path, &deployment.configuration, &deployment.environment, clusters.as_deref(), tags);
        } else {
            self.errors.extend(deployment.errors);
        }
        self.note_guess(module, evidence);
    }

    /// Loads a configuration as the module would, and adds what comes of it.
    fn load(
        &mut self,
        module: ModuleName,
        path: &str,
        configuration: &[u8],
        environment: &VmEnvironment,
        clusters: Option<&[&str]>,
        stats_tags: Option<&BTreeSet<String>>,
    ) {
        let value = serde_json::from_slice::<Value>(configuration).unwrap_or_default();
        let errors_before = self.errors.len();
        match module.module().load(configuration, environment) {
            Ok(loaded) => {
                self.warnings.extend(loaded.warnings.into_iter().map(|warning| warning.within(path)));
                if let Some(known) = stats_tags {
                    self.check_stats_tags(path, &loaded.metric_labels, known);
                }
                if let Some(known) = clusters {
                    self.check_clusters(path, loaded.destinations, known);
                }
            }
            Err(error) => self.errors.push(error.within(path)),
        }
        let is_valid = self.errors.len() == errors_before;
        let version = ConfigVersion::of(configuration);
        self.configurations.push(Checked { path: path.to_owned(), module, version, summary: summary(&value), is_valid });
    }

    fn check_stats_tags(&mut self, path: &str, labels: &[String], known: &BTreeSet<String>) {
        let missing: Vec<_> = labels.iter().map(String::as_str).filter(|label| !known.contains(*label)).collect();
        if !missing.is_empty() {
            let message = format!(
                "stats_config.stats_tags has no {}: metrics keep these labels in their names; `portcullis stats-tags` prints the tags",
                suggestion::list(&missing)
            );
            self.warnings.push(Warning::new(path, message));
        }
    }

    fn check_clusters(&mut self, path: &str, destinations: Vec<Destination>, known: &[&str]) {
        for Destination { path: place, cluster, is_named } in destinations {
            if known.contains(&&*cluster) {
                continue;
            }
            let problem = if is_named {
                format!("no cluster of static_resources has the name `{cluster}`")
            } else {
                format!("is missing, and no cluster of static_resources has the name that stands for it, `{cluster}`")
            };
            let error = ConfigError::new(place, problem).hint(suggestion::hint(&cluster, known, "clusters"));
            self.errors.push(error.within(path));
        }
    }

    fn note_guess(&mut self, module: ModuleName, evidence: Evidence) {
        if evidence == Evidence::Keys && !self.errors.is_empty() {
            self.notes.push(format!("taken for {} because of its keys; --module says otherwise", module.as_str()));
        }
    }
}

/// How many of each thing a configuration holds.
fn summary(value: &Value) -> String {
    const STAGES: [&str; 4] = ["jwtAuth", "authHeader", "auditLog", "metrics"];
    let empty = Map::new();
    let own = value.as_object().unwrap_or(&empty);
    let parts = std::iter::once(own).chain(STAGES.iter().filter_map(|stage| own.get(*stage)?.as_object()));
    let counts: Vec<_> = parts.flat_map(counts).collect();
    if counts.is_empty() { "defaults only".to_owned() } else { counts.join(", ") }
}

fn counts(object: &Map<String, Value>) -> Vec<String> {
    const COUNTED: [(&str, &str, &str); 9] = [
        ("jwtRules", "issuer", "issuers"),
        ("rules", "rule", "rules"),
        ("strip", "stripped header", "stripped headers"),
        ("inject", "injected header", "injected headers"),
        ("events", "event", "events"),
        ("sinks", "sink", "sinks"),
        ("labels", "label", "labels"),
        ("histograms", "histogram", "histograms"),
        ("business", "business metric", "business metrics"),
    ];
    let count = |(key, one, many): &(&str, &str, &str)| {
        let length = object.get(*key)?.as_array()?.len();
        Some(format!("{length} {}", if length == 1 { one } else { many }))
    };
    COUNTED.iter().filter_map(count).collect()
}
