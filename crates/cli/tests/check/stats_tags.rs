//! What makes labels out of names: printed for a configuration, and missed in Envoy's.

use crate::run::{Run, assert_check, run};

const BUSINESS: &str = r#"{"business": [
    {"name": "placed_orders", "labels": {"tenant": "{claim.tenant}", "rule": "{rule}"}},
    {"name": "approved_orders", "labels": {"tenant": "{claim.tenant}"}}
]}"#;

const OF_EVERY_MODULE: &str = "rule,decision,reason,issuer,method,status_class,outcome,upstream,sink,callout,module";

fn stats_tags(document: &str, arguments: &[&str]) -> Run {
    run("c.json", document.as_bytes(), &[&["stats-tags", "c.json"], arguments].concat())
}

fn printed(stdout: String) -> Run {
    Run { stdout, stderr: String::new(), code: 0 }
}

fn tag(label: &str) -> String {
    format!(
        r"  - {{tag_name: {label}, regex: '^wasmcustom\.(?:.*;\.;)?({label}=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z0-9_]+$'}}"
    )
}

#[test]
fn prints_the_tags_of_a_configuration() {
    let labels = |more: &[&str]| OF_EVERY_MODULE.split(',').chain(more.iter().copied()).map(tag).collect::<Vec<_>>().join("\n");
    let yaml = |more: &[&str]| format!("stats_config:\n  stats_tags:\n{}\n", labels(more));
    let bundle =
        format!(r#"{{"jwtAuth": {{"jwtRules": [{{"issuer": "i", "secret": {{"env": "UNSET"}}}}]}}, "metrics": {BUSINESS}}}"#);
    assert_eq!(stats_tags(BUSINESS, &["--module", "metrics"]), printed(yaml(&["tenant"])));
    assert_eq!(stats_tags(&bundle, &[]), printed(yaml(&["tenant"])), "no secret needs to be there");
    assert_eq!(stats_tags("{}", &["--module", "metrics"]), printed(yaml(&[])));
    assert_eq!(stats_tags(&bundle, &["--istio"]), printed(format!("{OF_EVERY_MODULE},tenant\n")));
}

#[test]
fn says_what_is_wrong() {
    let wrong = r#"{"jwtAuth": {}, "metrics": {"business": [{"name": "x", "labels": {"Tenant": "a"}}]}}"#;
    let run = stats_tags(wrong, &[]);
    assert_eq!((run.stdout.as_str(), run.code), ("", 2));
    assert!(run.stderr.starts_with("error: c.json: metrics.business[0].labels.Tenant: is not a name"), "{}", run.stderr);
    let run = stats_tags(r#"{"jwtRules": []}"#, &[]);
    assert!(run.stderr.contains("holds no configuration that counts requests"), "{}", run.stderr);
}

#[test]
fn check_misses_the_tags_that_an_envoy_configuration_lacks() {
    let envoy = |tags: &[&str]| {
        let tags: Vec<_> = tags.iter().map(|tag| format!("{{tag_name: {tag}, regex: x}}")).collect();
        format!(
            r#"static_resources: {{listeners: [{{"@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {{
                vm_config: {{code: {{local: {{filename: metrics.wasm}}}}}},
                configuration: {{"@type": type.googleapis.com/google.protobuf.Struct, value: {{labels: [rule, decision, reason], business: [
                    {{name: placed_orders, labels: {{tenant: "{{claim.tenant}}"}}}}]}}}}}}}}], clusters: []}}
stats_config: {{stats_tags: [{}]}}
"#,
            tags.join(", ")
        )
    };
    let at = "static_resources.listeners[0].config.configuration.value";
    let ok = format!("ok: e.yaml: {at}: metrics (3 labels, 1 business metric)\n");
    for (tags, missing) in [
        (&["rule", "decision", "reason", "tenant"][..], ""),
        (&["rule", "reason"], "`decision`, `tenant`"),
        (&[], "`rule`, `decision`, `reason`, `tenant`"),
    ] {
        let warning = format!(
            "warning: {at}: stats_config.stats_tags has no {missing}: metrics keep these labels in their names; `portcullis stats-tags` \
             prints the tags\n"
        );
        assert_check(missing, "e.yaml", &envoy(tags), &ok, if missing.is_empty() { "" } else { &warning }, 0);
    }
}
