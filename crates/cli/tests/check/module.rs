//! A module's own configuration.

use crate::run::{assert_check, run};

#[test]
fn checks_a_module_configuration() {
    for (case, file, contents, stdout, stderr, code) in [
        (
            "JSON",
            "c.json",
            r#"{"jwtRules": [{"issuer": "https://i", "secret": {"env": "KEY"}}], "rules": [{}, {"access": "denied"}]}"#,
            "ok: c.json: jwt-auth (1 issuer, 2 rules)\n",
            "warning: rules[1]: decides about no request: rules[0] comes before it and matches every request\n",
            0,
        ),
        (
            "YAML",
            "c.yaml",
            "strip: [x-user-*]\ntoken: {forward: strip}\n",
            "ok: c.yaml: auth-header (1 stripped header)\n",
            "",
            0,
        ),
        (
            "the bundle",
            "c.yml",
            "jwtAuth:\n  jwtRules:\n  - {issuer: https://i, secret: {env: KEY}}\nmetrics: {}\nauditLog: {sinks: [{type: stdout}]}\n",
            "ok: c.yml: portcullis (1 issuer, 1 sink)\n",
            "",
            0,
        ),
        (
            "unknown key",
            "c.yaml",
            "jwtRules: []\nrealms: S3CRET\n",
            "",
            "error: realms: unknown key; did you mean `realm`?\nnote: taken for jwt-auth because of its keys; --module says otherwise\n",
            1,
        ),
        (
            "wrong type",
            "c.json",
            r#"{"labels": "S3CRET"}"#,
            "",
            "error: labels: must be a list, not a string\nnote: taken for metrics because of its keys; --module says otherwise\n",
            1,
        ),
        (
            "boolean of YAML 1.1, as Istio and Envoy read it",
            "c.yaml",
            "strip: [no]\n",
            "",
            "error: strip[0]: must be a string, not true or false\n\
             note: taken for auth-header because of its keys; --module says otherwise\n",
            1,
        ),
        (
            "dangling name",
            "c.yaml",
            "jwtRules: [{name: uaa, issuer: https://i, secret: {env: KEY}}]\nrules: [{require: {issuers: [uua]}}]\n",
            "",
            "error: rules[0].require.issuers[0]: is not the name of a `jwtRules` entry; did you mean `uaa`?\n\
             note: taken for jwt-auth because of its keys; --module says otherwise\n",
            1,
        ),
        (
            "variable that is not set here",
            "c.yaml",
            "jwtRules: [{issuer: https://i, secret: {env: ELSEWHERE}}]\n",
            "ok: c.yaml: jwt-auth (1 issuer)\n",
            "warning: jwtRules[0].secret.env: the variable cannot be checked here\n",
            0,
        ),
        (
            "secret in the configuration",
            "c.yaml",
            "jwtRules: [{issuer: https://i, secret: {inline: S3CRET-that-must-not-be-printed-anywhere}}]\n",
            "ok: c.yaml: jwt-auth (1 issuer)\n",
            "warning: jwtRules[0].secret.inline: the secret stands in the configuration; `env` keeps it out\n",
            0,
        ),
        (
            "no module",
            "c.yaml",
            "something: else\n",
            "",
            "error: c.yaml: does not tell by its keys which module it is for; say it with --module: \
             jwt-auth, auth-header, audit-log, metrics, portcullis\n",
            1,
        ),
        ("a list", "c.json", "[1]", "", "error: c.json: must be an object\n", 1),
    ] {
        assert_check(case, file, contents, stdout, stderr, code);
    }
}

#[test]
fn says_which_module_it_is_told() {
    let run = run("c.yaml", b"{}", &["check", "c.yaml", "--module", "metrics"]);
    assert_eq!((run.stdout.as_str(), run.code), ("ok: c.yaml: metrics (defaults only)\n", 0));
}
