//! A Kubernetes resource definition, as far as it judges objects: its schema, strictly, and its rules in CEL.

use std::path::Path;

use anyhow::{Context, Result};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::documents;

/// What objects of one kind and version have to meet.
pub struct Definition {
    schema: Value,
    strict: Validator,
}

impl Definition {
    /// The definition of a kind in one version, from a folder of CustomResourceDefinitions.
    ///
    /// # Errors
    /// When no file has it, or its schema is none.
    pub fn find(folder: &Path, kind: &str, version: &str) -> Result<Self> {
        let file = folder.join(format!("{}.yaml", kind.to_lowercase()));
        let definitions = documents(&file)?;
        let schemas = definitions.iter().filter(|document| document["spec"]["names"]["kind"] == kind);
        let mut versions = schemas.filter_map(|document| document["spec"]["versions"].as_array()).flatten();
        let Some(found) = versions.find(|found| found["name"] == version) else {
            anyhow::bail!("{} has no {kind} {version}", file.display());
        };
        let schema = found["schema"]["openAPIV3Schema"].clone();
        let mut closed = schema.clone();
        if let Some(spec) = closed.pointer_mut("/properties/spec") {
            close(spec);
        }
        Ok(Self { strict: jsonschema::validator_for(&closed)?, schema })
    }

    /// What is wrong with an object; nothing when it is as it should be.
    #[must_use]
    pub fn problems(&self, object: &Value) -> Vec<String> {
        let of_schema = self.strict.iter_errors(object).map(|error| format!("{}: {error}", error.instance_path()));
        let of_rules = kube_cel::Validator::new().validate(&self.schema, object, None).err();
        let of_rules = of_rules.map(|errors| errors.into_vec()).unwrap_or_default();
        of_schema.chain(of_rules.into_iter().map(|error| format!("{}: {}", error.field_path, error.message))).collect()
    }

    /// The definition of an object's own kind and version.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn of(folder: &Path, object: &Value) -> Result<Self> {
        let kind = object["kind"].as_str().context("has no kind")?;
        let version = object["apiVersion"].as_str().and_then(|version| version.split_once('/')).context("has no apiVersion")?.1;
        Self::find(folder, kind, version)
    }
}

/// Let every object have the properties that its schema names and no others: what an API server would drop without a word.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let is_closed = members.get("type") == Some(&json!("object"))
                && members.contains_key("properties")
                && members.get("x-kubernetes-preserve-unknown-fields") != Some(&json!(true))
                && !members.contains_key("additionalProperties");
            if is_closed {
                members.insert("additionalProperties".into(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
