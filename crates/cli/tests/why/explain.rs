//! `portcullis explain`.

use portcullis_core::config::Variable;
use portcullis_core::headers::Headers;
use portcullis_core::module::Module;
use portcullis_core::request::Request;
use portcullis_core::stage::{Alone, Exchange};
use portcullis_core::time::UnixTime;
use serde_json::{Value, json};

use crate::run::{Run, run};
use crate::signer::{AT, SECRET, claims, ed25519, hs256, hs256_with, jwks};

const NOW: UnixTime = UnixTime::from_secs(1_795_636_800);

/// A shop with a rule of each kind.
fn shop() -> Value {
    json!({
        "jwtAuth": {
            "jwtRules": [
                {
                    "name": "uaa", "issuer": "https://uaa.example.com", "secret": {"env": "SECRET"}, "audiences": ["orders"],
                    "fromHeaders": [{"name": "Authorization", "prefix": "Bearer "}], "fromParams": ["access_token"],
                },
                {
                    "name": "service", "issuer": "https://service.example.com", "secret": {"env": "SECRET"},
                    "fromHeaders": [{"name": "x-service-token"}],
                },
                {"name": "partner", "issuer": "https://partner.example.com", "jwksUri": "https://partner.example.com/jwks.json"},
            ],
            "rules": [
                {"name": "health", "match": {"paths": ["/healthz"], "methods": ["GET"]}, "access": "public"},
                {"name": "closed", "match": {"paths": ["/internal/**"]}, "access": "denied"},
                {"name": "cart", "match": {"paths": ["/cart"]}, "access": "optional"},
                {"name": "canary", "match": {"headers": [{"name": "x-canary", "exact": "1"}]}, "access": "denied"},
                {
                    "name": "approve", "match": {"paths": ["/orders/{id}/approve"], "methods": ["POST"]},
                    "require": {"roles": ["RESTAURANT", "ADMIN"], "claims": [{"claim": "sub", "notEquals": "{path.id}"}]},
                },
                {"name": "trial", "match": {"paths": ["/orders/**"]}, "require": {"scopes": ["orders.admin"]}, "shadow": true},
                {
                    "name": "pair", "match": {"paths": ["/pair"]},
                    "require": {"allOf": [{"issuers": ["uaa"]}, {"issuers": ["service"]}]},
                },
                {"name": "orders", "match": {"hosts": ["api.example.com"], "paths": ["/orders/**"]}, "require": {"scopes": ["orders.read"]}},
                {"name": "hidden", "match": {"paths": ["/hidden"]}, "require": {"roles": ["X"]}, "deny": {"status": 404}},
            ],
            "default": "denied",
            "bypassCorsPreflight": true,
        },
        "authHeader": {
            "strip": ["x-user-*"],
            "inject": [{"header": "x-user-id", "claim": "subject"}],
            "token": {"forward": "strip"},
        },
    })
}

fn explain(token: &str, arguments: &[&str]) -> Run {
    let config = shop().to_string();
    let files = [("c.json", config.as_str()), ("keys.json", &jwks("k1"))];
    let with_token: &[&str] = if token.is_empty() { &[] } else { &["--token", "-"] };
    run(&files, token, &[&["explain", "--config", "c.json", "--at", AT], with_token, arguments].concat())
}

/// The reason code of the step that ends the story.
fn end(report: &Value) -> Option<&str> {
    report["steps"].as_array().unwrap().iter().find_map(|step| step["code"].as_str())
}

/// The steps must end where the decision says.
fn assert_agrees(report: &Value, case: &str) {
    let decision = &report["decision"];
    let refusing = decision["decision"] != "allow";
    assert_eq!(end(report), if refusing { decision["reason"].as_str() } else { None }, "{case}: {report:#}");
    let failed = report["steps"].as_array().unwrap().iter().any(|step| step["outcome"] == "failed");
    assert_eq!(failed, refusing, "{case}: {report:#}");
}

#[test]
fn tells_the_decision_and_where_it_came_from() {
    let good = hs256(&claims(&json!({})));
    let service = format!("X-Service-Token: {}", hs256(&claims(&json!({"iss": "https://service.example.com"}))));
    let with = |changes: Value| hs256(&claims(&changes));
    let partner = ed25519("k1", &claims(&json!({"iss": "https://partner.example.com"})));
    let url = |path: &str| format!("https://api.example.com{path}");
    for (case, token, path, arguments, headline) in [
        ("public", "", "/healthz", &[][..], "allow: public, by rule health"),
        ("anonymous", "", "/cart", &[], "allow: anonymous, by rule cart"),
        ("closed", &good, "/internal/x", &[], "deny: 403 access_denied, by rule closed: Access to this resource is denied."),
        ("default", &good, "/else", &[], "deny: 403 access_denied, by rule default: Access to this resource is denied."),
        (
            "header",
            &good,
            "/cart2",
            &["--header", "X-Canary: 1"],
            "deny: 403 access_denied, by rule canary: Access to this resource is denied.",
        ),
        ("no token", "", "/orders/1", &[], "deny: 401 token_missing, by rule orders: The request has no access token."),
        ("shadow", &good, "/orders/1", &[], "allow, in shadow: deny would be said: scope_missing, by rule trial"),
        ("approved", &good, "/orders/1/approve", &["--method", "POST"], "allow: token_valid, by rule approve"),
        (
            "role",
            &with(json!({"roles": ["COURIER"]})),
            "/orders/1/approve",
            &["--method", "POST"],
            "deny: 403 role_missing, by rule approve: The access token does not have a role that this resource needs.",
        ),
        (
            "claim",
            &good,
            "/orders/anna/approve",
            &["--method", "POST"],
            "deny: 403 claim_mismatch, by rule approve: A claim of the access token is not what this resource needs.",
        ),
        (
            "expired",
            &with(json!({"exp": 1_795_636_000})),
            "/orders/1",
            &[],
            "deny: 401 token_expired, by rule orders: The access token expired.",
        ),
        ("parameter", &good, "/cart?access_token={token}&a=b", &[], "allow: token_valid, by rule cart"),
        (
            "two tokens",
            &good,
            "/cart?access_token={token}",
            &["--header", "Authorization: Bearer {token}"],
            "deny: 400 credentials_multiple, by rule cart: The request has more than one credential.",
        ),
        ("a pair", &good, "/pair", &["--header", &service], "allow: token_valid, by rule pair"),
        ("half a pair", &good, "/pair", &[], "deny: 401 token_missing, by rule pair: The request has no access token."),
        ("ambiguous", &good, "/orders//1", &[], "deny: 403 access_denied, by rule default: Access to this resource is denied."),
        ("named rule", &good, "/else", &["--route-rule", "orders"], "allow: token_valid, by rule orders"),
        (
            "named rule that is not there",
            &good,
            "/else",
            &["--route-rule", "order"],
            "deny: 403 rule_unknown, by rule default: The gateway has no rule of the name that is meant for this resource.",
        ),
        (
            "preflight",
            "",
            "/orders/1",
            &["--method", "OPTIONS", "--header", "Origin: https://app", "--header", "Access-Control-Request-Method: PUT"],
            "allow: cors_preflight, by rule orders",
        ),
        (
            "a rule's own refusal",
            &good,
            "/hidden",
            &[],
            "deny: 404 role_missing, by rule hidden: The access token does not have a role that this resource needs.",
        ),
        ("keys that stand in", &partner, "/cart", &["--jwks", "keys.json"], "allow: token_valid, by rule cart"),
        ("no Bearer token", &good, "/cart", &["--header", "Authorization: Basic {token}"], "allow: anonymous, by rule cart"),
    ] {
        let path = url(path);
        let text = explain(token, &[arguments, &[path.as_str()]].concat());
        assert_eq!((text.stdout.lines().next(), text.stderr.as_str()), (Some(headline), ""), "{case}");
        assert_eq!(text.code, i32::from(headline.starts_with("deny")), "{case}");
        let report: Value = serde_json::from_str(&explain(token, &[arguments, &["--json", &path]].concat()).stdout).unwrap();
        assert_eq!(report["passes"], !headline.starts_with("deny"), "{case}");
        assert_agrees(&report, case);
    }
}

/// What the module's stages decide, without the command.
fn decide(token: Option<&str>, method: &str, path: &str) -> Value {
    let environment = |_: &str| Variable::Set(SECRET.to_owned());
    let stages = Module::Bundle.load(shop().to_string().as_bytes(), &environment).unwrap().stages;
    let authorization = token.map(|token| format!("Bearer {token}"));
    let pairs = [(":method", method), (":authority", "api.example.com"), (":path", path)];
    let pairs = pairs.into_iter().chain(authorization.as_deref().map(|value| ("authorization", value)));
    let mut exchange = Exchange::new(Request::new(Headers::from_pairs(pairs)), Some(NOW));
    for mut stage in stages {
        stage.on_request(&mut exchange, NOW, &mut Alone);
    }
    serde_json::to_value(exchange.decision.unwrap()).unwrap()
}

/// Every token on every path: the explanation is the decision of the module, and its steps end there.
#[test]
fn never_disagrees_with_the_module() {
    let with = |changes: Value| hs256(&claims(&changes));
    let mut unsigned = with(json!({}));
    unsigned.replace_range(unsigned.len() - 4.., "AAAA");
    let tokens = [
        None,
        Some(with(json!({}))),
        Some(with(json!({"exp": 1}))),
        Some(with(json!({"nbf": 1_795_640_000}))),
        Some(with(json!({"exp": null}))),
        Some(with(json!({"aud": "carts"}))),
        Some(with(json!({"iss": "https://else"}))),
        Some(with(json!({"iss": "https://service.example.com"}))),
        Some(with(json!({"roles": [], "scope": ""}))),
        Some(hs256_with(&json!({"alg": "HS256", "typ": "JOSE"}), &claims(&json!({})))),
        Some(hs256_with(&json!({"alg": "ES256"}), &claims(&json!({})))),
        Some(hs256_with(&json!({"alg": "none"}), &claims(&json!({})))),
        Some(unsigned),
        Some("opaque".to_owned()),
    ];
    let requests = [
        ("GET", "/healthz"),
        ("GET", "/cart"),
        ("POST", "/orders/1/approve"),
        ("post", "/orders/anna/approve/"),
        ("GET", "/orders/1"),
        ("GET", "/orders/..//internal/x"),
        ("GET", "/pair"),
        ("GET", "/hidden"),
        ("GET", "*"),
    ];
    for token in &tokens {
        for (method, path) in requests {
            let token = token.as_deref();
            let arguments = ["--json", "--method", method, "--header", "Host: api.example.com", path];
            let report: Value = serde_json::from_str(&explain(token.unwrap_or_default(), &arguments).stdout).unwrap();
            let case = format!("{method} {path} {token:?}");
            assert_eq!(report["decision"], decide(token, method, path), "{case}");
            assert_agrees(&report, &case);
        }
    }
}

#[test]
fn tells_what_the_upstream_sees_and_what_the_client_gets() {
    let good = hs256(&claims(&json!({})));
    let cookies =
        ["--header", "X-User-Id: evil", "--header", "Cookie: a=b", "https://api.example.com/cart?access_token={token}&q=1"];
    let passes = explain(&good, &cookies).stdout;
    let (_, changed) = passes.split_once("what the upstream sees changed\n").unwrap();
    let expected = "  set     :path: /cart?q=1\n  remove  x-user-id\n  set     x-user-id: anna\nprincipal\n";
    assert!(changed.starts_with(expected), "{changed}");
    let refused = explain("", &["https://api.example.com/orders/1"]).stdout;
    let (_, answer) = refused.split_once("answer\n").unwrap();
    let expected = "  401\n  content-type: application/problem+json\n  cache-control: no-store\n  www-authenticate: Bearer\n  {\"type\":\"about:blank\"";
    assert!(answer.starts_with(expected), "{answer}");
}

#[test]
fn says_why_earlier_rules_do_not_match() {
    let report = explain(&hs256(&claims(&json!({}))), &["--json", "https://other.example.com/orders/1"]);
    let report: Value = serde_json::from_str(&report.stdout).unwrap();
    let rules: Vec<_> =
        report["rules"].as_array().unwrap().iter().map(|rule| format!("{}: {}", rule["check"], rule["says"])).collect();
    let expected = [
        r#""health": "path \"/orders/1\" is not in [\"/healthz\"]""#,
        r#""closed": "path \"/orders/1\" is not in [\"/internal/**\"]""#,
        r#""cart": "path \"/orders/1\" is not in [\"/cart\"]""#,
        r#""canary": "headers are not all as in [{\"exact\":\"1\",\"name\":\"x-canary\"}]""#,
        r#""approve": "method \"GET\" is not in [\"POST\"]""#,
        r#""trial": "matches, and is in shadow: a valid credential is required, reported only""#,
        r#""pair": "path \"/orders/1\" is not in [\"/pair\"]""#,
        r#""orders": "host \"other.example.com\" is not in [\"api.example.com\"]""#,
        r#""hidden": "path \"/orders/1\" is not in [\"/hidden\"]""#,
        r#""default": "only a rule in shadow matches: public""#,
    ];
    assert_eq!(rules, expected);
}

#[test]
fn says_what_is_not_known_here() {
    let partner = ed25519("k1", &claims(&json!({"iss": "https://partner.example.com"})));
    let run = explain(&partner, &["https://api.example.com/cart"]);
    assert_eq!((run.stdout.lines().next(), run.code), (Some("not decided: keys that are needed are not known here"), 1));
    assert!(run.stdout.contains("give them with --jwks 'partner=FILE'"));
    let elsewhere = shop().to_string().replace("\"SECRET\"", "\"ELSEWHERE\"");
    let good = hs256(&claims(&json!({})));
    let run = crate::run::run(
        &[("c.json", &elsewhere)],
        &good,
        &["explain", "--config", "c.json", "--token", "-", "https://api.example.com/cart"],
    );
    assert_eq!((run.stdout.lines().next(), run.code), (Some("not decided: keys that are needed are not known here"), 1));
    assert!(run.stdout.contains("the environment does not have ELSEWHERE"), "{}", run.stdout);
}

#[test]
fn a_route_names_no_rule_where_none_is_heard() {
    let mut config = shop();
    config["jwtAuth"]["routeRules"] = json!(false);
    let arguments = ["explain", "--config", "c.json", "--route-rule", "orders", "https://api.example.com/cart"];
    let run = crate::run::run(&[("c.json", &config.to_string())], "", &arguments);
    let expected = "error: the configuration says `routeRules: false`, so no route names a rule: leave --route-rule out\n";
    assert_eq!((run.stderr.as_str(), run.code), (expected, 2));
}

#[test]
fn exits_with_two_when_it_cannot_begin() {
    for (arguments, expected) in [
        (&["orders"][..], "error: the URL begins with neither http://, https:// nor /\n"),
        (&["--header", "no colon", "/"], "error: --header: a header is written `Name: value`\n"),
        (&["--header", "@none", "/"], "error: none: the headers cannot be read: No such file or directory (os error 2)\n"),
        (&["--jwks", "c.json", "/"], "error: --jwks: keys of partner not fetched: the key set has no list `keys`\n"),
        (
            &["--jwks", "uaa=keys.json", "/"],
            "error: --jwks uaa=…: no entry of this name fetches its keys; entries that do: `partner`\n",
        ),
    ] {
        let run = explain(
            &ed25519("k1", &claims(&json!({"iss": "https://partner.example.com"}))),
            &[&["--route-rule", "orders"], arguments].concat(),
        );
        assert_eq!((run.stderr.as_str(), run.code), (expected, 2), "{arguments:?}");
    }
}

#[test]
fn the_gateways_own_credentials_are_never_shown() {
    let mut config = shop();
    config["authHeader"]["upstream"] = json!([
        {"name": "key", "match": {"paths": ["/healthz"]}, "header": "X-Api-Key", "secret": {"env": "SECRET"}},
        {"name": "client", "clientCredentials": {
            "tokenUri": "https://idp.example.com/token", "clientId": "gw", "clientSecret": {"env": "SECRET"},
        }},
    ]);
    let config = config.to_string();
    // `run` looks for the secret in all that is printed.
    for (url, expected) in [("https://a/healthz", "set     x-api-key: …"), ("https://a/cart", "set     authorization: …")] {
        for more in [&[][..], &["--show-token"], &["--format", "json"]] {
            let arguments = [&["explain", "--config", "c.json", "--at", AT, url], more].concat();
            let told = run(&[("c.json", &config)], "", &arguments);
            assert_eq!(told.code, 0, "{told:?}");
            assert!(more.contains(&"json") || told.stdout.contains(expected), "{told:?}");
        }
    }
}
