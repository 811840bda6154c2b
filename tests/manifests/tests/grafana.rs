//! The dashboard as Grafana's own types read it. They are made from the schemas of the version in `envoy/grafana.compose.yml`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use portcullis_manifests::root;
use serde_json::{Value, json};

/// Lets them read a dashboard; nothing where they are not installed.
fn read(dashboard: &Path) -> Option<Output> {
    let types = root().join(".tools/grafana");
    if !types.is_dir() {
        eprintln!("skipped: there are no types of Grafana here; scripts/tools.sh prometheus installs them where it can");
        return None;
    }
    let script = root().join("tests/manifests/grafana.py");
    let python = Command::new("python3").arg(script).arg(dashboard).env("PYTHONPATH", types).output();
    Some(python.expect("run `scripts/tools.sh prometheus` first"))
}

#[test]
fn the_dashboard_is_one_of_grafana() {
    let file = root().join("observability/grafana/dashboard.json");
    let Some(output) = read(&file) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_grafana_does_not_know_is_found() {
    let mut dashboard: Value =
        serde_json::from_str(&fs::read_to_string(root().join("observability/grafana/dashboard.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let place = panels.iter().position(|panel| panel["type"] == "timeseries").unwrap();
    dashboard["panels"][place]["fieldConfig"]["defaults"]["untis"] = json!("s");
    let file = std::env::temp_dir().join(format!("portcullis-dashboard-{}.json", std::process::id()));
    fs::write(&file, dashboard.to_string()).unwrap();
    let output = read(&file);
    fs::remove_file(&file).unwrap();
    let Some(output) = output else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(&format!("$.panels[{place}].fieldConfig.defaults.untis: ")), "{said}");
}
