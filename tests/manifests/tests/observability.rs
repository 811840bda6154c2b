//! The shipped rules, alerts and dashboard: Prometheus takes them, each alert comes when it should and has its runbook, and
//! nothing asks for a metric that there is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use portcullis_core::metrics::catalogue::CATALOGUE;
use portcullis_core::stage::MetricKind;
use portcullis_manifests::{documents, objects, root};
use serde_json::Value;

/// Those of Envoy that are asked for; the plugin's name stands in the middle of the last two.
const OF_ENVOY: [&str; 3] = ["envoy_listener_manager_lds_update_rejected", "envoy_extension_config_discovery_", "envoy_wasm_"];

fn prometheus() -> PathBuf {
    root().join("observability/prometheus")
}

fn document(name: &str) -> Value {
    documents(&prometheus().join(name)).unwrap().remove(0)
}

fn runbooks() -> String {
    fs::read_to_string(root().join("docs/runbooks.md")).unwrap()
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(root().join("observability/grafana/dashboard.json")).unwrap()).unwrap()
}

fn text<'a>(object: &'a serde_json::Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key)?.as_str()
}

/// The rules of a file that have this key, by its value.
fn rules(file: &str, key: &str) -> BTreeMap<String, Value> {
    let document = document(file);
    let rules = objects(&document).into_iter().filter_map(|rule| Some((text(rule, key)?.to_owned(), rule.clone().into())));
    rules.collect()
}

fn panels(dashboard: &Value) -> Vec<&Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row").collect()
}

#[track_caller]
fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).current_dir(prometheus()).output();
    let output = output.expect("run `scripts/tools.sh prometheus` first");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn prometheus_takes_the_rules_and_each_alert_comes_when_it_should() {
    promtool(&["check", "rules", "rules.yaml", "alerts.yaml"]);
    promtool(&["test", "rules", "alerts_test.yaml"]);
}

#[test]
fn each_alert_has_a_case_in_which_it_comes_and_one_in_which_it_does_not() {
    let tests = document("alerts_test.yaml");
    let (mut comes, mut stays_away) = (BTreeSet::new(), BTreeSet::new());
    for case in objects(&tests).into_iter().filter(|object| object.contains_key("alertname")) {
        let is_expected = case["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty());
        let cases = if is_expected { &mut comes } else { &mut stays_away };
        cases.insert(text(case, "alertname").unwrap().to_owned());
    }
    let alerts: BTreeSet<_> = rules("alerts.yaml", "alert").into_keys().collect();
    assert_eq!(comes, alerts);
    assert_eq!(stays_away, alerts);
}

#[test]
fn each_alert_says_what_to_do_and_has_its_runbook() {
    let runbooks = runbooks();
    let alerts = rules("alerts.yaml", "alert");
    let sections: BTreeMap<_, _> = runbooks.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    assert_eq!(sections.keys().map(|name| (*name).to_owned()).collect::<Vec<_>>(), alerts.keys().cloned().collect::<Vec<_>>());
    for (name, alert) in &alerts {
        let section = sections[&**name];
        assert!(["**Means** ", "**See** ", "**Do** ", "**Silence** "].iter().all(|part| section.contains(part)), "{name}");
        let annotations = &alert["annotations"];
        assert!(
            ["summary", "description"].iter().all(|key| annotations[*key].as_str().is_some_and(|text| !text.is_empty())),
            "{name}"
        );
        assert_eq!(annotations["runbook_url"], format!("docs/runbooks.md#{}", name.to_lowercase()));
        assert!(["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{name}");
    }
    let links = runbooks.split("](#").skip(1).filter_map(|rest| rest.split_once(')'));
    for (link, _) in links {
        assert!(alerts.keys().any(|name| name.to_lowercase() == link), "{link} leads nowhere");
    }
}

/// The names of metrics in a query, or in a text with queries in it.
fn metrics(query: &str) -> impl Iterator<Item = &str> {
    let words = query.split(|character: char| !(character.is_ascii_alphanumeric() || "_:".contains(character)));
    words.filter(|word| ["portcullis_", "portcullis:", "envoy_"].iter().any(|prefix| word.starts_with(prefix)))
}

fn is_known(name: &str, recorded: &BTreeSet<String>) -> bool {
    let of_module = CATALOGUE.iter().any(|entry| match entry.family.kind() {
        MetricKind::Histogram => {
            let suffix = name.strip_prefix(entry.family.name());
            suffix.is_some_and(|suffix| ["", "_bucket", "_sum", "_count"].contains(&suffix))
        }
        MetricKind::Counter | MetricKind::Gauge => entry.family.name() == name,
    });
    of_module || recorded.contains(name) || OF_ENVOY.contains(&name)
}

#[test]
fn nothing_asks_for_a_metric_that_there_is_not() {
    let recorded: BTreeSet<_> = rules("rules.yaml", "record").into_keys().collect();
    let dashboard = dashboard();
    let (rules, alerts) = (document("rules.yaml"), document("alerts.yaml"));
    let mut asked = 0;
    for file in [&rules, &alerts, &dashboard] {
        for query in objects(file).into_iter().filter_map(|object| text(object, "expr")) {
            for name in metrics(query) {
                assert!(is_known(name, &recorded), "{name} in {query}");
                asked += 1;
            }
        }
    }
    assert!(asked > 50, "{asked}");
    let runbooks = runbooks();
    for query in runbooks.split('`').skip(1).step_by(2).filter(|code| !code.starts_with("portcullis ")) {
        for name in metrics(query) {
            assert!(is_known(name, &recorded), "{name} in {query}");
        }
    }
}

/// What the modules put out is on the dashboard.
#[test]
fn every_metric_is_on_the_dashboard() {
    let dashboard = dashboard();
    let panels = panels(&dashboard);
    let queries: Vec<_> = panels.iter().flat_map(|panel| objects(panel)).filter_map(|object| text(object, "expr")).collect();
    let shown: BTreeSet<_> =
        queries.iter().flat_map(|query| metrics(query)).map(|name| name.trim_end_matches("_bucket")).collect();
    // These say the same as one beside them.
    let left_out = [
        "portcullis_upstream_credential_fetches_total",
        "portcullis_upstream_credential_consecutive_failures",
        "portcullis_exception_reports_total",
        "portcullis_audit_last_success_timestamp_seconds",
    ];
    for entry in CATALOGUE {
        let name = entry.family.name();
        assert!(shown.contains(name) != left_out.contains(&name), "{name}");
    }
}

/// What the variables for business metrics offer has nothing of the modules' own in it.
#[test]
fn business_metrics_are_those_that_the_catalogue_does_not_have() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    for (variable, kind, ending) in [
        ("business", MetricKind::Counter, "_total"),
        ("business_gauge", MetricKind::Gauge, ""),
        ("business_histogram", MetricKind::Histogram, "_bucket"),
    ] {
        let variable = variables.iter().find(|other| other["name"] == variable).unwrap();
        let regex = variable["regex"].as_str().unwrap().strip_prefix("/^(?!portcullis_(").unwrap();
        let (names, _) = regex.split_once(&format!("){ending}$)(portcullis_")).unwrap();
        let left_out: BTreeSet<_> = names.split('|').map(|name| format!("portcullis_{name}{ending}")).collect();
        let suffix = if kind == MetricKind::Histogram { ending } else { "" };
        let own = CATALOGUE.iter().filter(|entry| entry.family.kind() == kind);
        assert_eq!(left_out, own.map(|entry| format!("{}{suffix}", entry.family.name())).collect());
    }
}

#[test]
fn each_panel_says_what_it_shows() {
    let dashboard = dashboard();
    let mut ids = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        let is_there = |pointer: &str| panel.pointer(pointer).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is taken");
        assert!(is_there("/description") && is_there("/fieldConfig/defaults/unit"), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for target in panel["targets"].as_array().unwrap() {
            assert!(["expr", "legendFormat", "refId"].iter().all(|key| target[*key].as_str().is_some()), "{title}");
            assert!(target["expr"].as_str().unwrap().contains(r#"job=~"$job""#), "{title}: is not of the jobs that are chosen");
        }
    }
}
