//! How the command exits, and what it prints for machines.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::istio::wasm_plugin;
use crate::run::run;

#[test]
fn exits_with_two_when_it_cannot_begin() {
    let missing = run("c.yaml", b"", &["check", "other.yaml"]);
    assert_eq!(missing.stderr, "error: other.yaml: cannot be read: No such file or directory (os error 2)\n");
    assert_eq!(missing.code, 2);
    for (case, arguments) in [
        ("a folder", &["check", "."][..]),
        ("no file", &["check"]),
        ("unknown module", &["check", "c.yaml", "--module", "jwt"]),
        ("unknown option", &["check", "c.yaml", "--fix"]),
        ("unknown command", &["approve"]),
        ("no command", &[]),
    ] {
        let run = run("c.yaml", b"labels: []", arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{case}: {run:?}");
        assert!(!run.stderr.is_empty(), "{case}");
    }
}

#[test]
fn strict_counts_warnings() {
    let contents = b"jwtRules: [{issuer: https://i, secret: {env: ELSEWHERE}}]";
    let run = run("c.yaml", contents, &["check", "c.yaml", "--strict"]);
    assert_eq!(run.code, 1);
    assert_eq!(run.stdout, "ok: c.yaml: jwt-auth (1 issuer)\n");
}

#[test]
fn prints_json_for_machines() {
    let file = wasm_plugin("{jwtAuth: {realms: S3CRET}}", "");
    let run = run("p.yaml", file.as_bytes(), &["check", "p.yaml", "--format", "json"]);
    assert_eq!((run.stderr.as_str(), run.code), ("", 1));
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let expected = serde_json::json!({
        "file": "p.yaml",
        "ok": false,
        "configurations": [{"path": "spec.pluginConfig", "module": "portcullis", "version": "8e7ad9c3a947", "summary": "defaults only", "ok": false}],
        "errors": [{"path": "spec.pluginConfig.jwtAuth.realms", "problem": "unknown key", "hint": "did you mean `realm`?"}],
        "warnings": [{
            "path": "spec.phase",
            "message": "is missing, so that the filter runs last, behind Istio's own authorization; write `phase: AUTHN`",
        }],
    });
    assert_eq!(report, expected);
}

#[test]
fn reads_the_standard_input() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(["check", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(br#"{"maxSeries": 10}"#).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "ok: stdin: metrics (defaults only), version 696124750b84\n");
}
