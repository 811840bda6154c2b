//! Generated files are what the code generates now. `UPDATE=1 cargo test -p portcullis-cli --test golden` rewrites them.

#![allow(clippy::unwrap_used, reason = "a broken expectation ends the test")]

use std::path::Path;
use std::process::Command;

/// The output of the command, which must be the text of `file` in the repository.
fn assert_generated(file: &str, arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    let generated = String::from_utf8(output.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == generated, "{file} is out of date; UPDATE=1 cargo test -p portcullis-cli --test golden");
}

#[test]
fn schemas_are_up_to_date() {
    for module in ["jwt-auth", "auth-header", "audit-log", "metrics", "portcullis"] {
        assert_generated(&format!("filters/{module}/schema.json"), &["schema", module]);
    }
}

#[test]
fn configuration_reference_is_up_to_date() {
    assert_generated("docs/configuration.md", &["schema", "--markdown"]);
}

#[test]
fn reference_is_up_to_date() {
    assert_generated("docs/reference.md", &["reference"]);
}

/// An editor that knows the schema finds the mistakes that the module would find.
#[test]
fn schema_and_module_agree() {
    for (case, module, configuration, is_valid) in [
        (
            "all of Istio's words",
            "jwt-auth",
            r#"{"jwtRules": [{"issuer": "https://i", "jwksUri": "https://i/k", "audiences": ["a"],
            "fromHeaders": [{"name": "x", "prefix": "y "}], "fromParams": ["t"], "forwardOriginalToken": true,
            "outputClaimToHeaders": [{"header": "x-u", "claim": "sub"}], "spaceDelimitedClaims": ["p"], "timeout": "2.5s"}]}"#,
            true,
        ),
        (
            "keys as text",
            "jwt-auth",
            r#"{"jwtRules": [{"issuer": "i", "jwks": "{\"keys\":[{\"kty\":\"oct\",
            \"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}"}]}"#,
            true,
        ),
        (
            "a rule",
            "jwt-auth",
            r#"{"rules": [{"match": {"paths": ["/a/**"]}, "access": "optional"}], "default": "denied", "realm": "a b"}"#,
            true,
        ),
        ("unknown access", "jwt-auth", r#"{"rules": [{"access": "open"}]}"#, false),
        ("a realm that cannot be quoted", "jwt-auth", r#"{"realm": "a\"b"}"#, false),
        (
            "a duration without unit",
            "jwt-auth",
            r#"{"jwtRules": [{"issuer": "i", "jwksUri": "https://i/k", "refresh": "5"}]}"#,
            false,
        ),
        (
            "a number for a duration",
            "jwt-auth",
            r#"{"jwtRules": [{"issuer": "i", "jwksUri": "https://i/k", "refresh": 5}]}"#,
            false,
        ),
        ("unknown key", "jwt-auth", r#"{"realms": "a"}"#, false),
        ("null", "jwt-auth", r#"{"realm": null}"#, false),
        ("null for a part", "portcullis", r#"{"jwtAuth": {}, "metrics": null}"#, false),
        ("no jwtAuth", "portcullis", r#"{"metrics": {}}"#, false),
        ("defaults", "portcullis", r#"{"jwtAuth": {}, "metrics": {}, "auditLog": {}, "authHeader": {}}"#, true),
        ("injection", "auth-header", r#"{"inject": [{"header": "x-roles", "claim": "roles", "format": "repeat"}]}"#, true),
        ("injection of nothing", "auth-header", r#"{"inject": [{"header": "x-roles"}]}"#, false),
        ("an event", "audit-log", r#"{"events": [{"name": "a", "record": "denied"}], "sinks": [{"type": "stdout"}]}"#, true),
        ("unknown sink", "audit-log", r#"{"sinks": [{"type": "file"}]}"#, false),
        ("labels", "metrics", r#"{"labels": ["rule", "status_class"], "maxSeries": 10}"#, true),
        ("unknown label", "metrics", r#"{"labels": ["path"]}"#, false),
        ("a negative number", "metrics", r#"{"maxSeries": -1}"#, false),
    ] {
        let schema = Command::new(env!("CARGO_BIN_EXE_portcullis")).args(["schema", module]).output().unwrap().stdout;
        let schema: serde_json::Value = serde_json::from_slice(&schema).unwrap();
        let value: serde_json::Value = serde_json::from_str(&configuration.replace('\n', " ")).unwrap();
        assert_eq!(jsonschema::validator_for(&schema).unwrap().is_valid(&value), is_valid, "{case}: schema");

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.json");
        std::fs::write(&file, value.to_string()).unwrap();
        let check =
            Command::new(env!("CARGO_BIN_EXE_portcullis")).arg("check").arg(&file).args(["--module", module]).output().unwrap();
        assert_eq!(check.status.success(), is_valid, "{case}: {}", String::from_utf8_lossy(&check.stderr));
    }
}
