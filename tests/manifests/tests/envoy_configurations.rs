//! Each configuration in `envoy/` is taken by the real Envoy, which loads and configures the modules that it names.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use portcullis_core::config::Variable;
use portcullis_core::metrics::stats_tags;
use portcullis_core::module::Module;
use portcullis_manifests::{documents, objects, root, yaml_files};
use serde_json::{Value, json};

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// What `stack.yaml` wants to be in the environment.
const AUDIT_KEY: (&str, &str) = ("AUDIT_KEY", "0123456789abcdef0123456789abcdef");

/// The plugins of a configuration: the file of the module, with the object that configures the plugin.
fn plugins(bootstrap: &Value) -> Vec<(String, Value)> {
    let filters = objects(bootstrap).into_iter().filter(|object| object.get("@type") == Some(&json!(WASM)));
    filters
        .map(|filter| {
            let file = filter["config"]["vm_config"]["code"]["local"]["filename"].as_str().expect("a local module");
            (file.to_owned(), filter["config"].clone())
        })
        .collect()
}

fn configurations() -> Vec<(PathBuf, Value)> {
    let files = yaml_files(&root().join("envoy")).expect("the folder envoy");
    files
        .into_iter()
        .map(|file| {
            let mut found = documents(&file).expect("YAML");
            assert_eq!(found.len(), 1, "{}", file.display());
            (file, found.remove(0))
        })
        .collect()
}

#[test]
fn there_is_one_for_each_module() {
    let found = configurations();
    let names: Vec<_> = found.iter().map(|(file, _)| file.file_stem().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["audit_log", "auth_header", "jwt_auth", "metrics", "portcullis", "stack", "tracing"]);
    for (file, bootstrap) in &found {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let module = format!("dist/{}.wasm", if ["stack", "tracing"].contains(&name) { "portcullis" } else { name });
        assert!(plugins(bootstrap).iter().any(|(name, _)| *name == module), "{}", file.display());
    }
}

#[test]
fn envoy_takes_each_and_the_modules_take_their_configuration() {
    let envoy = env::var_os("PORTCULLIS_ENVOY").map_or_else(|| root().join(".tools/envoy/envoy"), PathBuf::from);
    for (file, _) in configurations() {
        let output = Command::new(&envoy)
            .args(["--mode", "validate", "--log-level", "warning", "-c"])
            .arg(file.canonicalize().unwrap())
            .current_dir(root())
            .env(AUDIT_KEY.0, AUDIT_KEY.1)
            .output()
            .unwrap_or_else(|error| panic!("{} does not run: {error}; `make tools` installs it", envoy.display()));
        assert!(output.status.success(), "{}:\n{}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_configuration_that_the_module_refuses_is_refused() {
    let envoy = env::var_os("PORTCULLIS_ENVOY").map_or_else(|| root().join(".tools/envoy/envoy"), PathBuf::from);
    let good = fs::read_to_string(root().join("envoy/portcullis.yaml")).unwrap();
    let bad = good.replacen("\"access\": \"public\"", "\"acess\": \"public\"", 1);
    assert_ne!(good, bad);
    let output = Command::new(envoy)
        .args(["--mode", "validate", "--log-level", "warning", "--config-yaml", &bad])
        .current_dir(root())
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(log.contains("jwtAuth.rules[0].acess"), "{log}");
}

#[test]
fn each_fails_closed_and_recovers() {
    for (file, bootstrap) in configurations() {
        for (module, plugin) in plugins(&bootstrap) {
            assert_eq!(plugin["failure_policy"], "FAIL_RELOAD", "{module} in {}", file.display());
            assert!(plugin.get("fail_open").is_none() && plugin.get("allow_on_headers_stop_iteration").is_none());
        }
    }
}

#[test]
fn authentication_shares_its_vm_with_no_other_module() {
    for (file, bootstrap) in configurations() {
        let mut ids: Vec<_> = plugins(&bootstrap).iter().map(|(_, plugin)| plugin["vm_config"]["vm_id"].to_string()).collect();
        let all = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all, "{}", file.display());
    }
}

#[test]
fn labels_are_found_as_the_module_writes_them() {
    let expected: Vec<Value> = stats_tags().map(|(name, regex)| json!({"tag_name": name, "regex": regex})).collect();
    for (file, bootstrap) in configurations() {
        let counts = ["metrics", "portcullis", "jwt_auth"];
        let has_metrics = plugins(&bootstrap).iter().any(|(module, _)| counts.iter().any(|name| module.contains(name)));
        let tags = &bootstrap["stats_config"]["stats_tags"];
        assert_eq!(*tags, if has_metrics { json!(expected) } else { Value::Null }, "{}", file.display());
    }
}

#[test]
fn the_parser_of_the_modules_warns_of_nothing_but_the_demo_issuer() {
    for (file, bootstrap) in configurations() {
        for (name, plugin) in plugins(&bootstrap) {
            let module = match name.as_str() {
                "dist/jwt_auth.wasm" => Module::JwtAuth,
                "dist/auth_header.wasm" => Module::AuthHeader,
                "dist/audit_log.wasm" => Module::AuditLog,
                "dist/metrics.wasm" => Module::Metrics,
                _ => Module::Bundle,
            };
            let document = plugin["configuration"]["value"].as_str().expect("a StringValue");
            let loaded = module.load(document.as_bytes(), &|name: &str| {
                if name == AUDIT_KEY.0 { Variable::Set(AUDIT_KEY.1.to_owned()) } else { Variable::Unset }
            });
            let warnings = loaded.unwrap_or_else(|error| panic!("{}: {error}", file.display())).warnings;
            let others: Vec<_> = warnings.iter().filter(|warning| !warning.path.ends_with("jwksUri")).collect();
            assert!(others.is_empty(), "{}: {others:?}", file.display());
        }
    }
}
