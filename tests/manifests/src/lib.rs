//! Reading the shipped configurations, and the definitions that Istio's have to meet.

pub mod definition;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The files of a folder and of the folders in it whose names end with `.yaml`, in order.
///
/// # Errors
/// When a folder cannot be read.
pub fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(yaml_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The documents of a YAML file.
///
/// # Errors
/// When the file cannot be read or is not YAML.
pub fn documents(file: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_saphyr::from_multiple(&text).with_context(|| file.display().to_string())
}

/// Every object at any depth of a document, the document itself among them.
#[must_use]
pub fn objects(document: &Value) -> Vec<&serde_json::Map<String, Value>> {
    match document {
        Value::Object(object) => std::iter::once(object).chain(object.values().flat_map(objects)).collect(),
        Value::Array(items) => items.iter().flat_map(objects).collect(),
        _ => Vec::new(),
    }
}

/// One document after a merge patch (RFC 7396), which is what kustomize does to a resource whose kind it does not know.
#[must_use]
pub fn merged(target: &Value, patch: &Value) -> Value {
    let (Value::Object(target), Value::Object(patch)) = (target, patch) else { return patch.clone() };
    let mut result = target.clone();
    for (key, value) in patch {
        if value.is_null() {
            result.remove(key);
        } else {
            let before = result.get(key).cloned().unwrap_or_default();
            result.insert(key.clone(), merged(&before, value));
        }
    }
    Value::Object(result)
}
