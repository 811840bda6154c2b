//! Policies of Istio, decided about by what was imported and by a model of Istio.

use serde_json::{Value, json};

use crate::gate::Gate;
use crate::istio_model::{Sample, admits};
use crate::run::{Signer, import};

const FIRST: &str = "https://first.example.com";
const SECOND: &str = "second";

fn authentication(first: &Signer, second: &Signer) -> Value {
    json!({
        "apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication", "metadata": {"name": "jwt"},
        "spec": {"jwtRules": [
            {"issuer": FIRST, "jwks": first.jwks()},
            {"issuer": SECOND, "jwks": second.jwks(), "audiences": ["orders", "carts"]},
        ]},
    })
}

fn policy(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy", "metadata": {"name": name}, "spec": spec})
}

fn samples() -> Vec<Sample> {
    let callers = [
        None,
        Some(json!({"iss": FIRST, "sub": "anna", "groups": ["admin", "staff"], "scope": "read write", "azp": "app"})),
        Some(json!({"iss": FIRST, "sub": "bob", "groups": "staff", "tenant": {"id": "blue"}, "aud": ["x", "orders"]})),
        Some(json!({"iss": FIRST, "groups": "not admin"})),
        Some(json!({"iss": SECOND, "sub": "anna", "aud": "orders", "tenant": {"id": "red"}, "level": 3})),
        Some(json!({"iss": SECOND, "sub": "carl", "aud": "other"})),
    ];
    let paths = [
        "/",
        "/healthz",
        "/healthz/",
        "/admin",
        "/admin/",
        "/admin/users",
        "/administrator",
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/x",
        "/api/v1/x/y",
        "/a/b/c/info",
        "/info",
        "/x.html",
        "/a/x.html",
    ];
    let mut samples = Vec::new();
    for claims in callers {
        for path in paths {
            for (method, host, header) in [
                ("GET", "api.example.com", None),
                ("POST", "API.example.com", Some(("x-client", "app"))),
                ("DELETE", "other.org", Some(("x-client", "apple"))),
            ] {
                samples.push(Sample { method, host, path: path.to_owned(), header, claims: claims.clone() });
            }
        }
    }
    samples
}

/// Sets of policies, each with whether all of it has an equal.
fn policies() -> Vec<(&'static str, Vec<Value>, bool)> {
    let to = |operation: Value| json!([{"operation": operation}]);
    let from = |source: Value| json!([{"source": source}]);
    let one = |spec: Value| vec![policy("one", &spec)];
    vec![
        ("none", vec![], true),
        ("allow nothing", one(json!({})), true),
        ("allow everything", one(json!({"rules": [{}]})), true),
        ("deny nothing", one(json!({"action": "DENY"})), true),
        ("deny everything", one(json!({"action": "DENY", "rules": [{}]})), true),
        ("need a token", one(json!({"action": "DENY", "rules": [{"from": from(json!({"notRequestPrincipals": ["*"]}))}]})), true),
        (
            "need a token except for health",
            one(json!({"action": "DENY", "rules": [
                {"from": from(json!({"notRequestPrincipals": ["*"]})), "to": to(json!({"notPaths": ["/healthz"]}))},
            ]})),
            true,
        ),
        (
            "principals of all forms",
            one(json!({"rules": [
                {"from": from(json!({"requestPrincipals": [format!("{FIRST}/anna")]})), "to": to(json!({"paths": ["/admin"]}))},
                {"from": from(json!({"requestPrincipals": [format!("{FIRST}/*")]})), "to": to(json!({"paths": ["/api"]}))},
                {"from": from(json!({"requestPrincipals": ["*/anna"]})), "to": to(json!({"paths": ["/info"]}))},
                {"from": from(json!({"requestPrincipals": ["https*"]})), "to": to(json!({"paths": ["/api/v1"]}))},
                {"from": from(json!({"requestPrincipals": ["unknown/anna", "second/car*"]})), "to": to(json!({"paths": ["/"]}))},
                {"from": from(json!({"notRequestPrincipals": [format!("{FIRST}/anna")]})), "to": to(json!({"paths": ["/x.html"]}))},
            ]})),
            true,
        ),
        (
            "overlapping paths are a union",
            one(json!({"rules": [
                {"to": to(json!({"paths": ["/healthz"]}))},
                {"from": from(json!({"requestPrincipals": ["*/anna"]})), "to": to(json!({"paths": ["/*"]}))},
                {"from": from(json!({"requestPrincipals": ["second/*"]})), "to": to(json!({"paths": ["/api/*", "/admin*"], "methods": ["GET"]}))},
                {"to": to(json!({"paths": ["/api/v1/*"], "methods": ["POST"]})), "when": [{"key": "request.auth.claims[groups]", "values": ["staff"]}]},
            ]})),
            true,
        ),
        (
            "deny goes before allow",
            vec![
                policy("allow", &json!({"rules": [{"to": to(json!({"methods": ["GET", "POST"]}))}]})),
                policy(
                    "deny",
                    &json!({"action": "DENY", "rules": [
                        {"to": to(json!({"paths": ["/admin*"]})), "when": [{"key": "request.auth.claims[groups]", "notValues": ["admin"]}]},
                        {"to": to(json!({"hosts": ["*.org"]}))},
                    ]}),
                ),
            ],
            true,
        ),
        (
            "claims, headers, audiences, presenter",
            one(json!({"rules": [
                {"when": [{"key": "request.auth.claims[scope]", "values": ["write"]}], "to": to(json!({"paths": ["/api/{*}"]}))},
                {"when": [{"key": "request.auth.claims[tenant][id]", "values": ["blue", "green"]}], "to": to(json!({"paths": ["/api/{**}"]}))},
                {"when": [{"key": "request.auth.audiences", "values": ["orders"]}], "to": to(json!({"notPaths": ["/admin", "/api*"]}))},
                {"when": [{"key": "request.auth.presenter", "values": ["app"]}, {"key": "request.headers[x-client]", "values": ["app"]}]},
                {"when": [{"key": "request.headers[x-client]", "values": ["app*"], "notValues": ["app"]}], "to": to(json!({"notMethods": ["GET"]}))},
                {"when": [{"key": "request.auth.claims[level]", "notValues": ["3"]}], "to": to(json!({"paths": ["/info"]}))},
            ]})),
            false,
        ),
        (
            "hosts and methods",
            one(json!({"rules": [
                {"to": to(json!({"hosts": ["api.example.com"], "methods": ["GET"]}))},
                {"to": to(json!({"hosts": ["*.example.com"], "notMethods": ["GET", "DELETE"]})), "from": from(json!({"requestPrincipals": ["*"]}))},
                {"to": to(json!({"notHosts": ["*.example.com", "api.*"], "paths": ["/info"]}))},
            ]})),
            false,
        ),
        (
            "endings",
            one(json!({"rules": [
                {"to": to(json!({"paths": ["*.html", "*/info"]}))},
                {"to": to(json!({"paths": ["*/v1"]})), "from": from(json!({"requestPrincipals": ["*"]}))},
            ]})),
            false,
        ),
        (
            "what the network knows",
            vec![
                policy(
                    "allow",
                    &json!({"rules": [
                        {"from": from(json!({"ipBlocks": ["10.0.0.0/8"]})), "to": to(json!({"paths": ["/admin"]}))},
                        {"from": json!([{"source": {"principals": ["a"]}}, {"source": {"requestPrincipals": ["*"]}}]), "to": to(json!({"paths": ["/api"]}))},
                        {"to": to(json!({"ports": ["80"], "paths": ["/info"]}))},
                        {"to": to(json!({"notPorts": ["80"], "paths": ["/"]}))},
                        {"when": [{"key": "source.ip", "notValues": ["10.0.0.1"]}], "to": to(json!({"paths": ["/healthz"]}))},
                        {"to": to(json!({"methods": ["GET"]}))},
                    ]}),
                ),
                policy(
                    "deny",
                    &json!({"action": "DENY", "rules": [
                        {"from": from(json!({"namespaces": ["bad"]})), "to": to(json!({"paths": ["/x.html"]}))},
                    ]}),
                ),
            ],
            false,
        ),
        (
            "deny endings and beginnings",
            one(json!({"action": "DENY", "rules": [
                {"to": to(json!({"paths": ["*.html", "/adm*"]})), "from": from(json!({"requestPrincipals": ["*"]}))},
                {"when": [{"key": "request.auth.claims[groups]", "values": ["sta*"]}], "to": to(json!({"methods": ["DELETE"]}))},
            ]})),
            false,
        ),
    ]
}

/// Asks both about every sample.
fn compare(case: &str, policies: Vec<Value>, has_equal: Option<bool>) {
    let (first, second) = (Signer::new(FIRST), Signer::new(SECOND));
    let sign = |claims: &Value| if claims["iss"] == FIRST { first.token(claims) } else { second.token(claims) };
    let objects: Vec<Value> = std::iter::once(authentication(&first, &second)).chain(policies).collect();
    let imported = import(&json!({"apiVersion": "v1", "kind": "List", "items": objects}));
    let about_spelling = |line: &String| line.contains("cannot be told apart from the path without the slash");
    let is_equal = imported.lost.iter().all(about_spelling);
    assert!(has_equal.is_none_or(|expected| expected == is_equal), "{case}: {:#?}", imported.lost);
    let mut gate = Gate::new(&imported.configuration, &Value::Null);
    for sample in &samples() {
        let is_slashed = sample.path.len() > 1 && sample.path.ends_with('/');
        let request = sample.claims.iter().fold(sample.ask(), |ask, claims| ask.bearer(&sign(claims)));
        let answer = gate.decide(&request);
        let ours = answer.refusal.is_none();
        let theirs = |sample: &Sample| admits(&objects, sample, true) && admits(&objects, sample, false);
        let place = || {
            format!("{case}: {sample:?}: {:?}\n{:#}\n{:#}", answer.refusal, Value::from(objects.clone()), imported.configuration)
        };
        // A rule that asks for a token does not tell `/a` from `/a/`.
        assert!(!ours || theirs(sample) || theirs(&sample.other_spelling()), "admitted: {}", place());
        if is_equal && !is_slashed {
            assert!(ours || !theirs(sample), "refused: {}", place());
        }
    }
}

#[test]
fn admits_whom_istio_admits() {
    for (case, policies, has_equal) in policies() {
        compare(case, policies, Some(has_equal));
    }
}

/// Numbers that look random and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    /// One or two of some texts.
    fn some(&mut self, texts: &[&str]) -> Value {
        let count = 1 + self.below(2);
        (0..count).map(|_| json!(texts[self.below(texts.len())])).collect()
    }

    fn policy(&mut self, name: &str) -> Value {
        let principals = ["*", "*/anna", "https://first.example.com/*", "second/carl", "https*"];
        let paths = ["/admin", "/admin*", "/api/*", "/api/v1", "/*", "/healthz", "/info", "/api/{*}", "/api/", "*.html"];
        let mut rules = Vec::new();
        for _ in 0..=self.below(3) {
            let mut rule = json!({});
            if self.below(2) == 0 {
                let key = ["requestPrincipals", "notRequestPrincipals"][self.below(2)];
                rule["from"] = json!([{"source": {key: self.some(&principals)}}]);
            }
            if self.below(4) > 0 {
                let mut operation = json!({});
                operation[["paths", "paths", "notPaths"][self.below(3)]] = self.some(&paths);
                match self.below(4) {
                    0 => operation["methods"] = self.some(&["GET", "POST", "D*"]),
                    1 => operation["notMethods"] = self.some(&["GET", "DELETE"]),
                    2 => operation["hosts"] = self.some(&["api.example.com", "*.org"]),
                    _ => {}
                }
                rule["to"] = json!([{"operation": operation}]);
            }
            match self.below(5) {
                0 => rule["when"] = json!([{"key": "request.auth.claims[groups]", "values": self.some(&["admin", "staff"])}]),
                1 => rule["when"] = json!([{"key": "request.auth.claims[tenant][id]", "notValues": self.some(&["blue", "red"])}]),
                2 => rule["when"] = json!([{"key": "request.headers[x-client]", "values": self.some(&["app", "app*"])}]),
                _ => {}
            }
            rules.push(rule);
        }
        let action = ["ALLOW", "DENY"][self.below(2)];
        policy(name, &json!({"action": action, "rules": rules}))
    }
}

/// Policies that nobody thought of.
#[test]
fn admits_nobody_whom_istio_refuses_whatever_the_policies() {
    let mut numbers = Numbers(20_261_125);
    for round in 0..60 {
        let policies = (0..=numbers.below(3)).map(|index| numbers.policy(&format!("p{index}"))).collect();
        compare(&format!("round {round}"), policies, None);
    }
}

/// What the parser is given is what a person would write.
#[test]
fn writes_rules_that_people_can_read() {
    let (first, second) = (Signer::new(FIRST), Signer::new(SECOND));
    let deny = policy(
        "require-jwt",
        &json!({"action": "DENY", "rules": [{"from": [{"source": {"notRequestPrincipals": ["*"]}}], "to": [{"operation": {"notPaths": ["/healthz"]}}]}]}),
    );
    let allow = policy(
        "admins",
        &json!({"rules": [
            {"to": [{"operation": {"paths": ["/healthz"]}}]},
            {"to": [{"operation": {"paths": ["/admin/*"], "methods": ["GET"]}}], "when": [{"key": "request.auth.claims[groups]", "values": ["admin"]}]},
        ]}),
    );
    for (policies, expected) in [
        (
            vec![deny],
            json!({"default": "required", "rules": [
                {"name": "otherwise", "match": {"paths": ["/healthz"]}, "access": "optional"},
                {"name": "require-jwt", "access": "required", "require": {"claims": [{"claim": "sub", "notEquals": ""}]}},
            ]}),
        ),
        (
            vec![allow],
            json!({"default": "denied", "rules": [
                {"name": "admins[0]", "match": {"paths": ["/healthz"]}, "access": "optional"},
                {
                    "name": "admins[1]", "match": {"paths": ["/admin/**"], "methods": ["GET"]}, "access": "required",
                    "require": {"claims": [{"claim": "groups", "in": ["admin"]}]},
                },
            ]}),
        ),
    ] {
        let objects: Vec<Value> = std::iter::once(authentication(&first, &second)).chain(policies).collect();
        let mut configuration = import(&json!({"apiVersion": "v1", "kind": "List", "items": objects})).configuration;
        configuration.as_object_mut().unwrap().remove("jwtRules");
        assert_eq!(configuration, expected);
    }
}
