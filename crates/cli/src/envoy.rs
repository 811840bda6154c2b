//! Envoy's way to deploy a module: an HTTP filter of type `Wasm`, anywhere in a document.
//!
//! Field names are accepted as the proto files spell them and in camelCase, as Envoy does. A filter inside a `TypedStruct`,
//! as an Istio `EnvoyFilter` needs it, is found too.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::config::{ConfigError, Variable};
use serde_json::Value;

use crate::deployment::{Deployment, Names, OnFailure};
use crate::environment::VmEnvironment;
use crate::place::{element, for_each_object, member};

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
const TYPED_STRUCTS: [&str; 2] = ["type.googleapis.com/xds.type.v3.TypedStruct", "type.googleapis.com/udpa.type.v1.TypedStruct"];
const STRING_VALUE: &str = "type.googleapis.com/google.protobuf.StringValue";
const BYTES_VALUE: &str = "type.googleapis.com/google.protobuf.BytesValue";
const STRUCT: &str = "type.googleapis.com/google.protobuf.Struct";
/// The number of FAIL_OPEN in the enum `envoy.extensions.wasm.v3.FailurePolicy`.
const FAIL_OPEN: u64 = 3;

/// Whether a document is an Envoy configuration, or a part of one.
pub fn is_envoy_document(document: &Value) -> bool {
    ["static_resources", "staticResources", "dynamic_resources", "dynamicResources", "resources", "filter_chains", "http_filters"]
        .iter()
        .any(|key| document.get(key).is_some())
}

/// The deployments in a document.
pub fn deployments(document: &Value) -> Vec<Deployment> {
    let (clusters, stats_tags) = (clusters(document), stats_tags(document));
    let mut found = Vec::new();
    for_each_object(document, "", &mut |path, object| {
        let Some((filter, path)) = wasm_filter(object, path) else {
            return true;
        };
        let config_path = member(&path, "config");
        let mut found_here = match filter.get("config") {
            Some(plugin) => deployment(plugin, &config_path),
            None => deployment(&Value::Null, &config_path),
        };
        found_here.clusters.clone_from(&clusters);
        found_here.stats_tags.clone_from(&stats_tags);
        found.push(found_here);
        false
    });
    found
}

/// The Wasm filter that an `Any` holds, and its path.
fn wasm_filter<'a>(any: &'a Value, path: &str) -> Option<(&'a Value, String)> {
    let kind = any.get("@type")?.as_str()?;
    if kind == WASM {
        return Some((any, path.to_owned()));
    }
    let inner = field(any, "type_url", "typeUrl").and_then(|(_, url)| url.as_str());
    (TYPED_STRUCTS.contains(&kind) && inner == Some(WASM)).then(|| Some((any.get("value")?, member(path, "value"))))?
}

/// The clusters of `static_resources`; none when others may come from elsewhere, or when the document defines no resources.
fn clusters(document: &Value) -> Option<BTreeSet<String>> {
    if field(document, "dynamic_resources", "dynamicResources").is_some() {
        return None;
    }
    let (_, resources) = field(document, "static_resources", "staticResources")?;
    let clusters = resources.get("clusters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Some(clusters.iter().filter_map(|cluster| cluster.get("name")?.as_str()).map(str::to_owned).collect())
}

/// The names of `stats_config.stats_tags`; none when the document is no bootstrap.
fn stats_tags(document: &Value) -> Option<BTreeSet<String>> {
    field(document, "static_resources", "staticResources")?;
    let config = field(document, "stats_config", "statsConfig").map(|(_, config)| config);
    let tags = config.and_then(|config| field(config, "stats_tags", "statsTags")?.1.as_array());
    let name = |tag: &Value| Some(field(tag, "tag_name", "tagName")?.1.as_str()?.to_owned());
    Some(tags.map(Vec::as_slice).unwrap_or_default().iter().filter_map(name).collect())
}

fn deployment(plugin: &Value, path: &str) -> Deployment {
    let mut errors = Vec::new();
    let (configuration, configuration_path) = match configuration(plugin, path) {
        Ok(configuration) => configuration,
        Err(error) => {
            let path = error.path.clone();
            errors.push(error);
            (None, path)
        }
    };
    let vm = field(plugin, "vm_config", "vmConfig");
    let (vm_key, vm) = vm.unwrap_or(("vm_config", &Value::Null));
    let environment = environment(vm, &member(path, vm_key), &mut errors);
    let text = |key, camel| field(plugin, key, camel).and_then(|(_, value)| value.as_str()).map(str::to_owned);
    Deployment {
        path: configuration_path,
        names: Names {
            code: code_name(vm),
            plugin: [text("root_id", "rootId"), text("name", "name")].into_iter().flatten().collect(),
        },
        configuration: configuration.unwrap_or_default(),
        environment: VmEnvironment::Declared(environment),
        clusters: None,
        stats_tags: None,
        on_failure: on_failure(plugin, path),
        errors,
        warnings: Vec::new(),
    }
}

/// The bytes that the module reads its configuration from, and the path of what they are made of. Envoy hands a Struct over as
/// protobuf; it is given as JSON here, which the module reads in the same way.
fn configuration(plugin: &Value, path: &str) -> Result<(Option<Vec<u8>>, String), ConfigError> {
    let path = member(path, "configuration");
    let Some(any) = plugin.get("configuration") else {
        return Ok((None, path));
    };
    let value_path = member(&path, "value");
    let value = any.get("value");
    let wrong = |expected: &str| ConfigError::new(value_path.clone(), format!("must be {expected}"));
    let bytes = match (any.get("@type").and_then(Value::as_str), value) {
        (Some(STRING_VALUE), Some(Value::String(text))) => text.clone().into_bytes(),
        (Some(STRING_VALUE), Some(_)) => return Err(wrong("a string").hint("write `value: |` and the JSON below it")),
        (Some(STRING_VALUE | BYTES_VALUE), None) => Vec::new(),
        (Some(BYTES_VALUE), Some(value)) => {
            let decoded = value.as_str().and_then(|text| STANDARD.decode(text).ok());
            decoded.ok_or_else(|| wrong("base64"))?
        }
        (Some(STRUCT), Some(value @ Value::Object(_))) => value.to_string().into_bytes(),
        (Some(STRUCT), Some(_)) => return Err(wrong("an object")),
        (Some(STRUCT), None) => b"{}".to_vec(),
        _ => {
            let problem = format!("`@type` must be `{STRING_VALUE}` or `{STRUCT}`");
            return Err(ConfigError::new(path, problem));
        }
    };
    Ok((Some(bytes), value_path))
}

/// `vm_config.environment_variables`: given values, and names that Envoy's own environment has.
fn environment(vm: &Value, vm_path: &str, errors: &mut Vec<ConfigError>) -> BTreeMap<String, Variable> {
    let mut environment = BTreeMap::new();
    let Some((key, variables)) = field(vm, "environment_variables", "environmentVariables") else {
        return environment;
    };
    let path = member(vm_path, key);
    if let Some((key, names)) = field(variables, "host_env_keys", "hostEnvKeys") {
        let list_path = member(&path, key);
        for (index, name) in names.as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate() {
            match name.as_str() {
                Some(name) => drop(environment.insert(name.to_owned(), Variable::Unknown)),
                None => errors.push(ConfigError::new(element(&list_path, index), "must be a string")),
            }
        }
    }
    if let Some((key, values)) = field(variables, "key_values", "keyValues") {
        let map_path = member(&path, key);
        for (name, value) in values.as_object().into_iter().flatten() {
            let variable = match value.as_str() {
                Some(value) => Variable::Set(value.to_owned()),
                None => {
                    errors.push(ConfigError::new(member(&map_path, name), "must be a string").hint("put it in quotes"));
                    Variable::Unknown
                }
            };
            if environment.insert(name.clone(), variable).is_some() {
                let problem = format!("`{name}` is in host_env_keys as well; Envoy refuses that");
                errors.push(ConfigError::new(map_path.clone(), problem));
            }
        }
    }
    environment
}

fn on_failure(plugin: &Value, path: &str) -> OnFailure {
    let policy = field(plugin, "failure_policy", "failurePolicy");
    let open = field(plugin, "fail_open", "failOpen");
    let policy_is_open = |value: &Value| value.as_str() == Some("FAIL_OPEN") || value.as_u64() == Some(FAIL_OPEN);
    match (policy, open) {
        (Some((key, value)), _) if policy_is_open(value) => OnFailure::Pass { path: member(path, key), instead: "FAIL_CLOSED" },
        (_, Some((key, Value::Bool(true)))) => OnFailure::Pass { path: member(path, key), instead: "false" },
        _ => OnFailure::Refuse,
    }
}

/// The name of the file or image that holds the code.
fn code_name(vm: &Value) -> Option<String> {
    let code = vm.get("code")?;
    let local = code.get("local").and_then(|local| local.get("filename"));
    let remote = || field(code.get("remote")?, "http_uri", "httpUri")?.1.get("uri");
    local.or_else(remote)?.as_str().map(str::to_owned)
}

/// The member of an object under one of the two spellings that Envoy accepts, with the spelling used.
fn field<'a, 'k>(object: &'a Value, snake: &'k str, camel: &'k str) -> Option<(&'k str, &'a Value)> {
    object.get(snake).map(|value| (snake, value)).or_else(|| object.get(camel).map(|value| (camel, value)))
}
