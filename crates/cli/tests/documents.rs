//! Every configuration that the documents show is read by the parser that the modules use.
//!
//! A fenced block is a configuration when its info string has a second word: `yaml jwt-auth`, `json portcullis`,
//! `yaml wasmplugin`, `yaml envoy`, `yaml istio-policies` (which is imported). Other blocks are left alone.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken expectation ends the test")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use portcullis_core::config::audit_log::AuditLogConfig;
use portcullis_core::config::auth_header::AuthHeaderConfig;
use portcullis_core::config::bundle::BundleConfig;
use portcullis_core::config::jwt_auth::JwtAuthConfig;
use portcullis_core::config::metrics::MetricsConfig;
use portcullis_core::config_version::ConfigVersion;
use serde_json::{Number, Value};

const MODULES: [&str; 5] = ["portcullis", "jwt-auth", "auth-header", "audit-log", "metrics"];
/// Blocks that tell by themselves what they are.
const DEPLOYMENTS: [&str; 2] = ["wasmplugin", "envoy"];
/// Blocks that are imported instead of checked.
const POLICIES: &str = "istio-policies";

/// A fenced block with a second word in its info string.
struct Block {
    place: String,
    kind: String,
    text: String,
}

fn markdown_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders = vec![root.join("docs"), root.join("envoy"), root.join("istio")];
    folders.extend(std::fs::read_dir(root.join("filters")).unwrap().map(|entry| entry.unwrap().path()));
    let mut files = vec![root.join("README.md")];
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    files
}

fn blocks(file: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<Option<Block>> = None;
    for (index, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(block)) => {
                found.extend(block.take());
                open = None;
            }
            (Some(info), None) => {
                let mut words = info.split_whitespace();
                let language = words.next().unwrap_or_default();
                let kind = words.next().filter(|_| matches!(language, "yaml" | "json"));
                let place = format!("{}:{}", file.display(), index + 1);
                open = Some(kind.map(|kind| Block { place, kind: kind.to_owned(), text: String::new() }));
            }
            (None, Some(Some(block))) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, _) => {}
        }
    }
    found
}

fn check(block: &Block) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .arg(if block.kind == POLICIES { "import" } else { "check" })
        .arg("-")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    match block.kind.as_str() {
        module if MODULES.contains(&module) => drop(command.args(["--module", module])),
        POLICIES => {}
        deployment if DEPLOYMENTS.contains(&deployment) => {}
        other => panic!("{}: `{other}` is none of {MODULES:?}, {DEPLOYMENTS:?}, {POLICIES}", block.place),
    }
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(block.text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}:\n{}", block.place, String::from_utf8_lossy(&output.stderr));
}

/// Makes every number a double, as a Struct of the proxy holds it.
fn to_doubles(document: &mut Value) {
    match document {
        Value::Number(number) => *number = Number::from_f64(number.as_f64().unwrap()).unwrap(),
        Value::Array(list) => list.iter_mut().for_each(to_doubles),
        Value::Object(object) => object.values_mut().for_each(to_doubles),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

#[test]
fn configurations_mean_the_same_as_text_and_as_a_struct() {
    let mut with_numbers = 0;
    for block in markdown_files().iter().flat_map(|file| blocks(file)).filter(|block| MODULES.contains(&block.kind.as_str())) {
        let mut document: Value = serde_saphyr::from_str(&block.text).unwrap();
        let text = document.to_string();
        to_doubles(&mut document);
        let doubles = document.to_string();
        with_numbers += usize::from(doubles != text);
        macro_rules! assert_same {
            ($config:ty) => {
                assert_eq!(<$config>::parse(doubles.as_bytes()), <$config>::parse(text.as_bytes()), "{}", block.place)
            };
        }
        match block.kind.as_str() {
            "jwt-auth" => assert_same!(JwtAuthConfig),
            "auth-header" => assert_same!(AuthHeaderConfig),
            "audit-log" => assert_same!(AuditLogConfig),
            "metrics" => assert_same!(MetricsConfig),
            _ => assert_same!(BundleConfig),
        }
        assert_eq!(ConfigVersion::of(doubles.as_bytes()), ConfigVersion::of(text.as_bytes()), "{}", block.place);
    }
    assert!(with_numbers >= 5, "only {with_numbers} documents hold numbers");
}

#[test]
fn configurations_in_documents_are_valid() {
    let blocks: Vec<_> = markdown_files().iter().flat_map(|file| blocks(file)).collect();
    blocks.iter().for_each(check);
    assert!(!blocks.is_empty(), "no document shows a configuration; is the info string of the blocks `yaml jwt-auth` or alike?");
}

/// The configurations that are shipped are right; warnings are allowed.
#[test]
fn shipped_configurations_are_valid() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut checked = 0;
    for folder in ["envoy", "istio/base"] {
        let files = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|file| file.extension().is_some_and(|extension| extension == "yaml")) {
            let text = std::fs::read_to_string(&file).unwrap();
            if text.contains("filters.http.wasm.v3.Wasm") || text.contains("kind: WasmPlugin") {
                let output = Command::new(env!("CARGO_BIN_EXE_portcullis")).arg("check").arg(&file).output().unwrap();
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{}:\n{errors}", file.display());
                checked += 1;
            }
        }
    }
    assert!(checked >= 7, "only {checked} configurations were found");
}
