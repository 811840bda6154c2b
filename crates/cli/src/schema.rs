//! The JSON Schema of a module's configuration, made from the types that the module reads it into.

use portcullis_core::config::audit_log::AuditLogConfig;
use portcullis_core::config::auth_header::AuthHeaderConfig;
use portcullis_core::config::bundle::BundleConfig;
use portcullis_core::config::jwt_auth::JwtAuthConfig;
use portcullis_core::config::metrics::MetricsConfig;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

use crate::module_name::ModuleName;

/// The schema of a module's configuration, with definitions.
pub fn of(module: ModuleName) -> Schema {
    with_settings(module, SchemaSettings::draft2020_12())
}

/// The schema of a module's configuration, every definition where it is used.
pub fn inlined(module: ModuleName) -> Schema {
    with_settings(module, SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true))
}

/// The keys that a module's configuration may have.
pub fn keys_of(module: ModuleName) -> Vec<String> {
    properties(of(module).as_value()).map(|(key, _)| key.clone()).collect()
}

/// The properties of an object's schema.
pub fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn with_settings(module: ModuleName, settings: SchemaSettings) -> Schema {
    let mut schema = match module {
        ModuleName::JwtAuth => generate::<JwtAuthConfig>(settings),
        ModuleName::AuthHeader => generate::<AuthHeaderConfig>(settings),
        ModuleName::AuditLog => generate::<AuditLogConfig>(settings),
        ModuleName::Metrics => generate::<MetricsConfig>(settings),
        ModuleName::Portcullis => generate::<BundleConfig>(settings),
    };
    schema.insert("title".to_owned(), format!("Configuration of the Portcullis module {}", module.as_str()).into());
    schema
}

fn generate<T: JsonSchema>(settings: SchemaSettings) -> Schema {
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    RecursiveTransform(without_null).transform(&mut schema);
    schema
}

/// `Option` makes a type nullable, but in a configuration null is refused: a key is given or left out.
fn without_null(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    for choice in ["anyOf", "oneOf"] {
        lift_only_choice(object, choice);
    }
}

fn lift_only_choice(object: &mut Map<String, Value>, key: &str) {
    let Some(Value::Array(choices)) = object.get_mut(key) else { return };
    let is_null = |choice: &Value| choice.get("type").is_some_and(|kind| kind == "null");
    if !choices.iter().any(is_null) {
        return;
    }
    choices.retain(|choice| !is_null(choice));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        object.remove(key);
        for (name, value) in only {
            object.entry(name).or_insert(value);
        }
    }
}
