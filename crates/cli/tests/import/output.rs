//! What is printed, where, and the exit code.

use crate::run::run;

const AUTHENTICATION: &str = "apiVersion: security.istio.io/v1\nkind: RequestAuthentication\nmetadata: {name: jwt, namespace: shop}\n\
                              spec:\n  selector: {matchLabels: {app: orders}}\n  jwtRules:\n  - issuer: https://uaa.example.com\n    \
                              jwksUri: https://uaa.example.com/jwks.json\n    fromHeaders: [{name: x-jwt}]\n";

fn policy(name: &str, labels: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec: {{selector: {{matchLabels: {{{labels}}}}}, {spec}}}\n"
    )
}

const NOTES: &str = "note: a token without `exp` is refused; write `requireExpiration: false` in its entry to take it, as before\n\
                     note: the proxy fetches the keys itself: their host must be known to it (a ServiceEntry), or name the `cluster` \
                     that leads there\n";

#[test]
fn prints_yaml_with_the_notes_above_it_and_on_the_standard_error() {
    let rules =
        "rules: [{from: [{source: {requestPrincipals: ['*']}}], to: [{operation: {paths: [/orders/*], methods: [GET]}}]}]";
    let found =
        run(&[("a.yaml", AUTHENTICATION), ("b.yaml", &policy("read", "app: orders", rules))], &["import", "a.yaml", "b.yaml"]);
    let spelling = "note: a path with and without a slash at its end is one path to a rule that asks for a token\n";
    let notes = format!("{NOTES}{spelling}");
    let comments: String = notes.lines().map(|line| format!("# {line}\n")).collect();
    let configuration = "jwtAuth:\n  jwtRules:\n  - issuer: https://uaa.example.com\n    jwksUri: https://uaa.example.com/jwks.json\n    \
                         fromHeaders: [{name: x-jwt}]\n  rules:\n  - name: read\n    match: {paths: ['/orders/**'], methods: [GET]}\n    \
                         access: required\n    require: {claims: [{claim: sub, notEquals: ''}]}\n  default: denied\n";
    assert_eq!(found.stderr, notes);
    assert_eq!(found.stdout, format!("{comments}{configuration}"));
    assert_eq!(found.code, 0);
}

#[test]
fn says_what_has_no_equal_and_exits_with_1() {
    let rules = "rules: [{from: [{source: {ipBlocks: [10.0.0.0/8]}}]}]";
    let text = format!("{AUTHENTICATION}{}", policy("inside", "app: orders", rules));
    let found = run(&[("p.yaml", &text)], &["import", "p.yaml", "-o", "json", "--module", "jwt-auth"]);
    let lost = "no equal: p.yaml, document 2: spec.rules[0].from[0].source.ipBlocks: has no equal; what needs it to be admitted is \
                refused here\n";
    assert_eq!(found.stderr, format!("{lost}{NOTES}"));
    assert!(found.stdout.starts_with("{\n  \"default\": \"denied\",\n  \"jwtRules\": ["), "{}", found.stdout);
    assert_eq!(found.code, 1);
}

#[test]
fn chooses_the_policies_of_a_workload() {
    let everything = "rules: [{}]";
    let text = format!(
        "{AUTHENTICATION}{}{}",
        policy("ours", "app: orders", everything),
        policy("theirs", "app: carts", "action: DENY, rules: [{}]")
    );
    let files = [("p.yaml", text.as_str())];
    let unsaid = run(&files, &["import", "p.yaml"]);
    let several = "error: the objects are for several workloads, app=carts and app=orders; say the labels of one with --selector, or \
                   import one at a time\n";
    assert_eq!((unsaid.stderr.as_str(), unsaid.code), (several, 2));
    let ours = run(&files, &["import", "p.yaml", "--selector", "app=orders,tier=front", "--namespace", "shop"]);
    assert!(ours.stderr.contains("note: p.yaml, document 3: is for workloads with other labels: left out\n"), "{}", ours.stderr);
    assert!(ours.stdout.contains("access: optional"), "{}", ours.stdout);
    let elsewhere = run(&files, &["import", "p.yaml", "--namespace", "other"]);
    assert_eq!(elsewhere.code, 2);
    assert!(
        elsewhere.stderr.contains("no RequestAuthentication or AuthorizationPolicy is for this workload"),
        "{}",
        elsewhere.stderr
    );
}

#[test]
fn refuses_what_cannot_be_used_and_exits_with_2() {
    let filter = r#"{"providers": {"p": {"issuer": "i", "remote_jwks": {"http_uri": {"uri": "https://i/k", "cluster": "i"}}}}, "rules": RULES}"#;
    let unknown = filter.replace("RULES", r#"[{"match": {"prefix": "/"}, "requires": {"provider_name": "q"}}]"#);
    let right = filter.replace("RULES", "[]");
    for (case, files, arguments, expected) in [
        (
            "nothing in it",
            vec![("a.yaml", "a: 1")],
            vec![],
            "error: the files hold no RequestAuthentication, AuthorizationPolicy or jwt_authn filter",
        ),
        ("no YAML", vec![("a.yaml", "a: [")], vec![], "error: a.yaml: line "),
        ("no file", vec![], vec!["missing.yaml"], "error: missing.yaml: cannot be read: No such file"),
        (
            "both",
            vec![("a.yaml", AUTHENTICATION), ("b.json", &right)],
            vec![],
            "error: the files hold policies of Istio and a filter of Envoy; say with --from",
        ),
        (
            "a provider that there is not",
            vec![("a.json", &unknown)],
            vec![],
            "error: a.json: rules[0].requires: `q` is not a provider\n",
        ),
        (
            "two filters",
            vec![("a.json", &right), ("b.json", &unknown)],
            vec![],
            "error: there are several jwt_authn filters, a.json and b.json; ",
        ),
        (
            "labels for a filter",
            vec![("a.json", &right)],
            vec!["--selector", "a=b"],
            "error: --namespace and --selector are for policies of Istio\n",
        ),
        (
            "keys that are none",
            vec![("a.yaml", &AUTHENTICATION.replace("jwksUri: https://uaa.example.com/jwks.json", "jwks: '{}'"))],
            vec![],
            "error: what came of the files cannot be loaded: jwtAuth.jwtRules[0].jwks: ",
        ),
    ] {
        let names = files.iter().map(|(name, _)| *name);
        let arguments: Vec<&str> = std::iter::once("import").chain(names).chain(arguments.iter().copied()).collect();
        let found = run(&files, &arguments);
        assert!(found.stderr.starts_with(expected), "{case}: {}", found.stderr);
        assert_eq!((found.stdout.as_str(), found.code), ("", 2), "{case}");
    }
}

#[test]
fn keys_that_are_not_named_are_found_at_the_issuer() {
    let text = AUTHENTICATION.replace("    jwksUri: https://uaa.example.com/jwks.json\n", "  - issuer: not-a-url\n");
    let found = run(&[("a.yaml", &text)], &["import", "a.yaml"]);
    assert!(
        found.stdout.contains("\n  - issuer: https://uaa.example.com\n    discovery: https://uaa.example.com\n"),
        "{}",
        found.stdout
    );
    let lost = "no equal: a.yaml: spec.jwtRules[1]: has no keys, and its issuer is no https URL at which they could be found: left out\n";
    assert!(found.stderr.starts_with(lost), "{}", found.stderr);
    assert_eq!(found.code, 1);
}

/// The example in the README is what comes of the policies above it.
#[test]
fn the_example_in_the_readme_is_true() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let block = |info: &str| {
        let start = readme.split_once(&format!("```{info}\n")).unwrap_or_else(|| panic!("no block {info}")).1;
        start.split_once("```").unwrap().0.to_owned()
    };
    let found = run(&[("policies.yaml", &block("yaml istio-policies"))], &["import", "policies.yaml"]);
    let configuration: String =
        found.stdout.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    assert_eq!(configuration, block("yaml portcullis imported"));
    assert_eq!(found.code, 0, "{}", found.stderr);
}
