//! Configurations of `jwt_authn`, decided about by what was imported and by a model of the filter.

use serde_json::{Value, json};

use crate::envoy_model::{Sample, admits};
use crate::gate::{Ask, Gate};
use crate::run::{Signer, import, run};

const FIRST: &str = "https://first.example.com";
const SECOND: &str = "second";

fn samples() -> Vec<Sample> {
    let callers = [
        None,
        Some(json!({"iss": FIRST, "sub": "anna", "aud": "orders"})),
        Some(json!({"iss": FIRST, "sub": "bob", "aud": "carts"})),
        Some(json!({"iss": SECOND, "sub": "svc:a", "aud": "orders"})),
        Some(json!({"iss": SECOND, "sub": "carl"})),
    ];
    let paths =
        ["/", "/health", "/healthz", "/HEALTH", "/api", "/apix", "/api/a", "/api/a/b", "/admin", "/admin/x", "/q?x=1", "/q?x=2"];
    let mut samples = Vec::new();
    for claims in callers {
        for path in paths {
            for (method, header) in [("GET", None), ("POST", Some(("x-client", "app"))), ("OPTIONS", Some(("x-client", "apple")))]
            {
                samples.push(Sample { method, path, header, claims: claims.clone() });
            }
        }
    }
    samples
}

/// Rules, each set with whether all of it has an equal.
fn rules() -> Vec<(&'static str, Value, bool)> {
    let name = |name: &str| json!({"provider_name": name});
    let any = |members: &[Value]| json!({"requires_any": {"requirements": members}});
    let all = |members: &[Value]| json!({"requires_all": {"requirements": members}});
    let missing = json!({"allow_missing": {}});
    vec![
        ("none", json!([]), true),
        ("everything", json!([{"match": {"prefix": "/"}, "requires": name("first")}]), true),
        (
            "the first that matches",
            json!([
                {"match": {"prefix": "/health"}},
                {"match": {"path": "/admin"}, "requires": name("first")},
                {"match": {"path_separated_prefix": "/api"}, "requires": any(&[name("first"), name("second")])},
                {"match": {"prefix": "/"}, "requires": any(&[name("second"), missing.clone()])},
            ]),
            true,
        ),
        (
            "nothing needs nothing",
            json!([
                {"match": {"prefix": "/api"}, "requires": name("second")},
                {"match": {"prefix": "/ad"}, "requirement_name": "both"},
            ]),
            true,
        ),
        (
            "audiences",
            json!([
                {"match": {"prefix": "/api"}, "requires": {"provider_and_audiences": {"provider_name": "first", "audiences": ["carts"]}}},
                {"match": {"prefix": "/admin"}, "requires": name("first")},
                {"match": {"prefix": "/q"}, "requires": any(&[name("carts"), name("second")])},
            ]),
            true,
        ),
        ("subjects", json!([{"match": {"prefix": "/"}, "requires": any(&[name("services"), name("first")])}]), true),
        (
            "lists in lists",
            json!([
                {"match": {"prefix": "/api"}, "requires": all(&[any(&[name("first"), name("second")]), name("second")])},
                {"match": {"prefix": "/admin"}, "requires": all(&[name("first"), missing.clone()])},
                {"match": {"prefix": "/"}, "requires": any(&[all(&[name("first"), name("first")]), missing])},
            ]),
            true,
        ),
        (
            "headers and methods",
            json!([
                {"match": {"prefix": "/", "headers": [{"name": ":method", "string_match": {"exact": "OPTIONS"}}]}},
                {"match": {"prefix": "/api", "headers": [{"name": "x-client", "string_match": {"prefix": "app"}}]}, "requires": name("first")},
                {"match": {"prefix": "/", "headers": [{"name": "x-client", "invert_match": true}]}, "requires": name("second")},
            ]),
            true,
        ),
        ("connect", json!([{"match": {"connect_matcher": {}}, "requires": name("first")}]), true),
        (
            "what cannot be matched",
            json!([
                {"match": {"path": "/health", "case_sensitive": false}},
                {"match": {"path": "/q", "query_parameters": [{"name": "x", "string_match": {"exact": "1"}}]}, "requires": name("first")},
                {"match": {"path": "/q"}},
                {"match": {"path": "/API", "case_sensitive": false}, "requires": name("second")},
            ]),
            false,
        ),
    ]
}

fn filter(rules: &Value, first: &Signer, second: &Signer) -> Value {
    let provider = |issuer: &str, keys: &Signer| json!({"issuer": issuer, "local_jwks": {"inline_string": keys.jwks()}});
    let with = |mut provider: Value, key: &str, value: Value| {
        provider[key] = value;
        provider
    };
    let mut providers = json!({
        "first": with(provider(FIRST, first), "audiences", json!(["orders"])),
        "second": provider(SECOND, second),
    });
    let text = rules.to_string();
    if text.contains("carts") {
        providers["carts"] = with(provider(FIRST, first), "audiences", json!(["carts"]));
    }
    if text.contains("services") {
        providers["services"] = with(provider(SECOND, second), "subjects", json!({"prefix": "svc:"}));
    }
    json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": providers,
        "rules": rules,
        "requirement_map": {"both": {"requires_any": {"requirements": [{"provider_name": "first"}, {"provider_name": "second"}]}}},
    })
}

#[test]
fn admits_whom_jwt_authn_admits() {
    let (first, second) = (Signer::new(FIRST), Signer::new(SECOND));
    let sign = |claims: &Value| if claims["iss"] == FIRST { first.token(claims) } else { second.token(claims) };
    let samples = samples();
    for (case, rules, has_equal) in rules() {
        let filter = filter(&rules, &first, &second);
        let imported = import(&filter);
        assert_eq!(imported.lost.is_empty(), has_equal, "{case}: {:#?}", imported.lost);
        let mut gate = Gate::new(&imported.configuration, &Value::Null);
        for sample in &samples {
            let request = sample.claims.iter().fold(sample.ask(), |ask, claims| ask.bearer(&sign(claims)));
            let answer = gate.decide(&request);
            let ours = answer.refusal.is_none();
            let place = || format!("{case}: {sample:?}: {:?}\n{:#}", answer.refusal, imported.configuration);
            assert!(!ours || admits(&filter, sample, false), "admitted: {}", place());
            if has_equal {
                assert!(ours || !admits(&filter, sample, true), "refused: {}", place());
            }
        }
    }
}

/// Two tokens, each in the place where its provider looks for it.
#[test]
fn asks_for_both_tokens_where_jwt_authn_does() {
    let (first, second) = (Signer::new(FIRST), Signer::new(SECOND));
    let provider = |issuer: &str, keys: &Signer, header: &str| json!({"issuer": issuer, "local_jwks": {"inline_string": keys.jwks()}, "from_headers": [{"name": header}]});
    let filter = json!({
        "providers": {"user": provider(FIRST, &first, "x-user"), "service": provider(SECOND, &second, "x-service")},
        "rules": [{"match": {"prefix": "/"}, "requires": {"requires_all": {"requirements": [{"provider_name": "user"}, {"provider_name": "service"}]}}}],
    });
    let imported = import(&filter);
    assert_eq!(imported.lost, Vec::<String>::new());
    let mut gate = Gate::new(&imported.configuration, &Value::Null);
    let (user, service) = (first.token(&json!({"sub": "a"})), second.token(&json!({"sub": "b"})));
    for (case, headers, expected) in [
        ("both", vec![("x-user", &user), ("x-service", &service)], None),
        ("one", vec![("x-user", &user)], Some("token_missing")),
        ("none", vec![], Some("token_missing")),
        ("exchanged", vec![("x-user", &service), ("x-service", &user)], Some("issuer_unknown")),
    ] {
        let ask = headers.into_iter().fold(Ask::new("GET", "h", "/"), |ask, (name, token)| ask.header(name, token));
        assert_eq!(gate.decide(&ask).refusal, expected, "{case}");
    }
}

#[test]
fn finds_the_filter_and_what_routes_say_in_a_whole_configuration() {
    let keys = Signer::new(FIRST);
    let mut filter = filter(&json!([{"match": {"prefix": "/"}, "requires": {"provider_name": "first"}}]), &keys, &keys);
    filter["bypass_cors_preflight"] = json!(true);
    let per_route = |config: Value| {
        let mut config = config;
        config["@type"] = json!("type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig");
        json!({"envoy.filters.http.jwt_authn": config})
    };
    let route = |name: &str, prefix: &str, own: Value| json!({"name": name, "match": {"prefix": prefix}, "route": {"cluster": "c"}, "typed_per_filter_config": own});
    let bootstrap = |name: &str| {
        json!({"static_resources": {"listeners": [{"filter_chains": [{"filters": [{"typed_config": {
            "http_filters": [{"name": "jwt", "typed_config": filter}],
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                route("open", "/open", per_route(json!({"disabled": true}))),
                route(name, "/both", per_route(json!({"requirement_name": "both"}))),
                {"match": {"prefix": "/"}, "route": {"cluster": "c"}},
            ]}]},
        }}]}]}]}})
    };
    let imported = import(&bootstrap("both"));
    assert_eq!(imported.lost, Vec::<String>::new());
    let rules = json!([
        {"name": "route:both", "match": {"routes": ["both"]}, "access": "required"},
        {"name": "route:open", "match": {"routes": ["open"]}, "access": "public"},
    ]);
    let found =
        (&imported.configuration["rules"], &imported.configuration["default"], &imported.configuration["bypassCorsPreflight"]);
    let last = json!({"name": "rule[0]", "access": "required", "require": {"issuers": ["first"]}});
    let rules: Vec<Value> = rules.as_array().unwrap().iter().cloned().chain([last]).collect();
    assert_eq!(found, (&json!(rules), &json!("required"), &json!(true)));
    let refused = run(&[("e.json", &bootstrap("").to_string())], &["import", "e.json"]);
    let place =
        "e.json: static_resources.listeners[0].filter_chains[0].filters[0].typed_config.route_config.virtual_hosts[0].routes[1]";
    assert_eq!(
        (refused.code, refused.stderr),
        (2, format!("error: {place}: asks for something of its own and has no name; give the route a `name`\n"))
    );
}
