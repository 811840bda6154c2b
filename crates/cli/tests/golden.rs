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
