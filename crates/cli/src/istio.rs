//! Istio's way to deploy a module: a `WasmPlugin`, or the `wasm` part of a `TrafficExtension`.

use std::collections::BTreeMap;

use portcullis_core::config::{ConfigError, Variable, Warning};
use serde_json::Value;

use crate::deployment::{Deployment, Names, OnFailure};
use crate::environment::VmEnvironment;
use crate::place::{element, member};

/// Whether a document is an object of Kubernetes, of any kind.
pub fn is_kubernetes_object(document: &Value) -> bool {
    document.get("apiVersion").is_some_and(Value::is_string) && document.get("kind").is_some_and(Value::is_string)
}

/// The deployments in an object of Kubernetes, or in a list of objects. Objects of other kinds have none.
pub fn deployments(object: &Value, path: &str) -> Vec<Deployment> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let spec_path = member(path, "spec");
    match kind {
        "List" | "WasmPluginList" | "TrafficExtensionList" => {
            let items = object.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let items_path = member(path, "items");
            items.iter().enumerate().flat_map(|(index, item)| deployments(item, &element(&items_path, index))).collect()
        }
        "WasmPlugin" => object.get("spec").map(|spec| deployment(spec, spec, &spec_path, &spec_path)).into_iter().collect(),
        "TrafficExtension" => object
            .get("spec")
            .and_then(|spec| Some(deployment(spec, spec.get("wasm")?, &spec_path, &member(&spec_path, "wasm"))))
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

/// `spec` says where the plugin stands in the chain, `plugin` what it is; in a `WasmPlugin` they are the same.
fn deployment(spec: &Value, plugin: &Value, spec_path: &str, plugin_path: &str) -> Deployment {
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    let phase_path = member(spec_path, "phase");
    match spec.get("phase").and_then(Value::as_str) {
        Some("AUTHN") => {}
        Some(_) => {
            warnings.push(Warning::new(phase_path, "is not AUTHN: filters that run before this one see requests unchecked"))
        }
        None => warnings.push(Warning::new(
            phase_path,
            "is missing, so that the filter runs last, behind Istio's own authorization; write `phase: AUTHN`",
        )),
    }
    let on_failure = match plugin.get("failStrategy").and_then(Value::as_str) {
        Some("FAIL_OPEN") => OnFailure::Pass { path: member(plugin_path, "failStrategy"), instead: "FAIL_CLOSE" },
        _ => OnFailure::Refuse,
    };
    let environment = environment(plugin, plugin_path, &mut errors);
    let text = |key| plugin.get(key).and_then(Value::as_str).map(str::to_owned);
    Deployment {
        path: member(plugin_path, "pluginConfig"),
        names: Names { code: text("url"), plugin: text("pluginName").into_iter().collect() },
        configuration: plugin.get("pluginConfig").map(|config| config.to_string().into_bytes()).unwrap_or_default(),
        environment: VmEnvironment::Declared(environment),
        clusters: None,
        stats_tags: None,
        on_failure,
        errors,
        warnings,
    }
}

/// `vmConfig.env`: a value, or the environment of the proxy's host.
fn environment(plugin: &Value, plugin_path: &str, errors: &mut Vec<ConfigError>) -> BTreeMap<String, Variable> {
    let mut environment = BTreeMap::new();
    let Some(list) = plugin.get("vmConfig").and_then(|vm| vm.get("env")) else {
        return environment;
    };
    let list_path = member(&member(plugin_path, "vmConfig"), "env");
    let Some(list) = list.as_array() else {
        errors.push(ConfigError::new(list_path, "must be a list of `{name, value}` or `{name, valueFrom: HOST}`"));
        return environment;
    };
    for (index, entry) in list.iter().enumerate() {
        let path = element(&list_path, index);
        let Some(name) = entry.get("name").and_then(Value::as_str) else {
            errors.push(ConfigError::new(path, "`name` is missing"));
            continue;
        };
        let variable = match (entry.get("valueFrom").and_then(Value::as_str), entry.get("value")) {
            (Some("HOST"), _) => Variable::Unknown,
            (_, Some(Value::String(value))) => Variable::Set(value.clone()),
            (_, Some(_)) => {
                errors.push(ConfigError::new(member(&path, "value"), "must be a string").hint("put it in quotes"));
                Variable::Unknown
            }
            (_, None) => Variable::Set(String::new()),
        };
        if environment.insert(name.to_owned(), variable).is_some() {
            errors.push(ConfigError::new(path, format!("`{name}` is set twice")));
        }
    }
    environment
}
