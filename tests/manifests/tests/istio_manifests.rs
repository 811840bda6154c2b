//! Each manifest in `istio/` against Istio's own resource definitions, and its `pluginConfig` against the module's parser.

use std::env;
use std::path::{Path, PathBuf};

use portcullis_core::config::Variable;
use portcullis_core::metrics::catalogue::label_names;
use portcullis_core::module::Module;
use portcullis_manifests::definition::Definition;
use portcullis_manifests::{documents, merged, root, yaml_files};
use serde_json::{Value, json};

/// The kinds whose definitions are at hand; the others are only known to be YAML.
const DEFINED: [&str; 5] = ["WasmPlugin", "Telemetry", "DestinationRule", "PeerAuthentication", "AuthorizationPolicy"];

/// The folder of Istio's resource definitions. Only somebody who has them can run these checks.
fn definitions() -> Option<PathBuf> {
    let folder = env::var_os("CONFORMANCE").filter(|folder| !folder.is_empty());
    if folder.is_none() {
        println!("skipped: CONFORMANCE does not name a folder with istio/crds");
    }
    folder.map(|folder| Path::new(&folder).join("istio/crds"))
}

fn resources(folder: &str) -> Vec<Value> {
    let files = yaml_files(&root().join("istio").join(folder)).expect("the folder");
    let all = files.iter().flat_map(|file| documents(file).expect("YAML"));
    all.filter(|resource| resource["kind"] != "Kustomization").collect()
}

fn named<'a>(resources: &'a [Value], like: &Value) -> &'a Value {
    let same = |resource: &&Value| {
        resource["kind"] == like["kind"]
            && resource["metadata"]["name"] == like["metadata"]["name"]
            && resource["metadata"]["namespace"] == like["metadata"]["namespace"]
    };
    resources.iter().find(same).unwrap_or_else(|| panic!("the base has no {}", like["metadata"]))
}

/// The base, and the base as the example overlay makes it.
fn renderings() -> Vec<Value> {
    let base = resources("base");
    let patched: Vec<_> = resources("overlays/example").iter().map(|patch| merged(named(&base, patch), patch)).collect();
    assert_eq!(patched.len(), 2);
    base.into_iter().chain(patched).collect()
}

fn plugins() -> Vec<Value> {
    let plugins: Vec<_> = renderings().into_iter().filter(|resource| resource["kind"] == "WasmPlugin").collect();
    assert_eq!(plugins.len(), 4);
    plugins
}

#[test]
fn each_meets_its_definition() {
    let Some(folder) = definitions() else { return };
    let mut kinds = Vec::new();
    for resource in renderings().iter().filter(|resource| DEFINED.contains(&resource["kind"].as_str().unwrap())) {
        let problems = Definition::of(&folder, resource).unwrap().problems(resource);
        assert!(problems.is_empty(), "{}: {problems:#?}", resource["metadata"]);
        kinds.push(resource["kind"].as_str().unwrap().to_owned());
    }
    for kind in DEFINED {
        assert!(kinds.iter().any(|found| found == kind), "no {kind} was checked");
    }
}

#[test]
fn a_plugin_that_is_wrong_does_not_meet_it() {
    let Some(folder) = definitions() else { return };
    let good = plugins().remove(0);
    let definition = Definition::of(&folder, &good).unwrap();
    let target = json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public"}]);
    let env = |name: &str| json!({"env": [{"name": name, "valueFrom": "HOST", "value": "secret"}]});
    for (name, patch) in [
        ("a phase that does not exist", json!({"spec": {"phase": "FIRST"}})),
        ("an unknown key", json!({"spec": {"uurl": "oci://a"}})),
        ("a digest that is none", json!({"spec": {"sha256": "sha256:12"}})),
        ("both ways to choose pods", json!({"spec": {"targetRefs": target}})),
        ("a secret in clear beside HOST", json!({"spec": {"vmConfig": env("A")}})),
        ("a url of another kind", json!({"spec": {"url": "ftp://a/b"}})),
    ] {
        assert!(!definition.problems(&merged(&good, &patch)).is_empty(), "{name} was taken");
    }
}

#[test]
fn plugins_come_first_and_fail_closed() {
    for plugin in plugins() {
        let spec = &plugin["spec"];
        assert_eq!(spec["phase"], "AUTHN");
        assert!(spec["priority"].as_i64().is_some_and(|priority| priority > 0));
        assert!(["FAIL_CLOSE", "FAIL_RELOAD"].contains(&spec["failStrategy"].as_str().unwrap()));
        assert!(spec["url"].as_str().unwrap().starts_with("oci://"));
    }
}

/// siutsin/otaru#2955: a pod that is reached around its proxy believes any identity header.
#[test]
fn case_44_nobody_reaches_a_workload_around_its_proxy() {
    let all = renderings();
    let workloads = all.iter().filter(|resource| resource["kind"] == "WasmPlugin" && resource["spec"]["match"].is_array());
    let mut found = 0;
    for plugin in workloads {
        let guards = |kind: &str| {
            let is_meant = |resource: &&Value| {
                resource["kind"] == kind
                    && resource["metadata"]["namespace"] == plugin["metadata"]["namespace"]
                    && resource["spec"]["selector"] == plugin["spec"]["selector"]
            };
            all.iter().find(is_meant).map(|resource| &resource["spec"]).unwrap_or_else(|| panic!("no {kind}"))
        };
        let authentication = guards("PeerAuthentication");
        assert_eq!(authentication["mtls"]["mode"], "STRICT");
        assert!(authentication.get("portLevelMtls").is_none(), "a port without TLS is a way around");
        let authorization = guards("AuthorizationPolicy");
        assert_eq!(authorization["action"], "DENY");
        let principals = &authorization["rules"][0]["from"][0]["source"]["notPrincipals"];
        let principals: Vec<_> = principals.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert!(!principals.is_empty() && principals.iter().all(|name| !name.contains('*')), "{principals:?}");
        found += 1;
    }
    assert_eq!(found, 2);
    let guide = std::fs::read_to_string(root().join("istio/README.md")).unwrap();
    for word in ["STRICT", "AuthorizationPolicy", "waypoint", "istio.io/ingress-use-waypoint", "no-way-around.yaml"] {
        assert!(guide.contains(word), "the guide says nothing of {word}");
    }
}

#[test]
fn plugin_configurations_load_without_a_warning() {
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==".to_owned();
    let environment = move |_: &str| Variable::Set(secret.clone());
    for plugin in plugins() {
        let document = plugin["spec"]["pluginConfig"].to_string();
        let loaded = Module::Bundle.load(document.as_bytes(), &environment).unwrap_or_else(|error| panic!("{error}"));
        assert!(loaded.warnings.is_empty(), "{}: {:?}", plugin["metadata"], loaded.warnings);
    }
}

#[test]
fn secrets_come_from_the_proxys_environment() {
    for plugin in plugins() {
        for variable in plugin["spec"]["vmConfig"]["env"].as_array().into_iter().flatten() {
            assert_eq!(variable["valueFrom"], "HOST");
            assert!(variable.get("value").is_none());
        }
        assert!(!plugin["spec"]["pluginConfig"].to_string().contains("\"inline\""));
    }
}

#[test]
fn labels_are_found_as_the_module_writes_them() {
    let expected: Vec<&str> = label_names().collect();
    let values = documents(&root().join("istio/istiod-values.yaml")).unwrap().remove(0);
    assert_eq!(values["meshConfig"]["defaultConfig"]["extraStatTags"], json!(expected));
}

/// Istio's proxies keep only statistics that begin with certain words: these always, others where its values say so.
#[test]
fn proxies_keep_what_the_rules_ask_of_envoy() {
    let values = documents(&root().join("istio/istiod-values.yaml")).unwrap().remove(0);
    let added = values["meshConfig"]["defaultConfig"]["proxyStatsMatcher"]["inclusionPrefixes"].as_array().unwrap();
    let kept: Vec<_> = added.iter().map(|prefix| prefix.as_str().unwrap()).chain(["listener_manager", "wasm"]).collect();
    let rules = std::fs::read_to_string(root().join("observability/prometheus/rules.yaml")).unwrap();
    let words = rules.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'));
    let asked: Vec<_> = words.filter_map(|word| word.strip_prefix("envoy_")).collect();
    assert!(asked.len() > 3, "{asked:?}");
    for name in asked {
        assert!(kept.iter().any(|prefix| name.starts_with(prefix)), "{name}");
    }
}

#[test]
fn kustomizations_name_files_that_exist_and_all_of_them() {
    for folder in ["base", "overlays/example"] {
        let folder = root().join("istio").join(folder);
        let kustomization = documents(&folder.join("kustomization.yaml")).unwrap().remove(0);
        let resources = kustomization["resources"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap());
        let patches = kustomization["patches"].as_array().into_iter().flatten().map(|patch| patch["path"].as_str().unwrap());
        let named: Vec<_> = resources.chain(patches).map(|name| folder.join(name).canonicalize().expect(name)).collect();
        for file in yaml_files(&folder).unwrap() {
            let file = file.canonicalize().unwrap();
            assert!(file.ends_with("kustomization.yaml") || named.contains(&file), "{} is in no list", file.display());
        }
    }
}
