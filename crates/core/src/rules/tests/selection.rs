//! What else than the path selects rules: headers, the proxy's route, and whether a rule is in shadow.

use super::*;
use crate::matcher::Condition;

fn with(path: &str, headers: &[(&str, &str)]) -> Request {
    let pseudo = [(":method", "GET"), (":authority", "h"), (":path", path)];
    Request::new(Headers::from_pairs(pseudo.into_iter().chain(headers.iter().copied())))
}

#[test]
fn a_repeated_header_neither_lets_in_nor_keeps_off() {
    let (rules, _) = compile(&json!({"rules": [
        {"name": "probe", "match": {"headers": [{"name": "x-probe", "exact": "yes"}]}, "access": "public"},
        {"name": "guest", "match": {"headers": [{"name": "x-role", "exact": "guest"}]}, "access": "denied"},
        {"name": "staff", "match": {"headers": [{"name": "x-role", "exact": "staff"}]}},
        {"name": "all", "match": {"paths": ["/**"]}, "require": {"roles": ["ADMIN"]}},
    ]}))
    .unwrap();
    for (headers, expected) in [
        (&[][..], "required all"),
        (&[("x-probe", "yes")], "public probe"),
        (&[("X-Probe", "yes")], "public probe"),
        (&[("x-probe", "yes"), ("x-probe", "yes")], "required all"),
        (&[("x-probe", "yes, yes")], "required all"),
        (&[("x-role", "guest")], "denied guest"),
        (&[("x-role", "staff")], "required staff"),
        (&[("x-role", "staff"), ("x-role", "guest")], "denied all+guest+staff"),
        (&[("x-role", "staff,guest")], "denied all+guest+staff"),
        (&[("x-role", "other"), ("x-role", "staff")], "required all+staff"),
        (&[("x-probe", "yes"), ("x-role", "other"), ("x-role", "staff")], "public probe"),
    ] {
        assert_eq!(selected(&rules, &with("/x", headers)), expected, "{headers:?}");
    }
}

#[test]
fn the_rule_that_the_route_names_wins_over_matching() {
    let rules = shop("required");
    let named = |rule: &[u8], path: &str| {
        let route = Route { name: None, rule: Some(rule.to_vec()), ..Route::default() };
        on_route(&rules, &with(path, &[]), &route)
    };
    for (rule, path, expected) in [
        (&b"approve"[..], "/admin", "required approve"),
        (b"admin", "/healthz", "required admin"),
        (b"health", "/admin", "public health"),
        (b"closed", "/healthz", "denied closed"),
        (b"health", "//admin", "required default+admin+health"),
        (b"closed", "//cart", "denied default+cart+closed"),
        (b"Admin", "/admin", "unknown"),
        (b"admin ", "/admin", "unknown"),
        (b"", "/admin", "unknown"),
        (b"default", "/admin", "unknown"),
        (b"adm\xff", "/admin", "unknown"),
        (&1.0f64.to_le_bytes(), "/admin", "unknown"),
    ] {
        assert_eq!(named(rule, path), expected, "{} {path}", rule.escape_ascii());
    }
}

#[test]
fn a_rule_in_shadow_weakens_no_other() {
    let (rules, _) = compile(&json!({"rules": [
        {"name": "trial", "match": {"paths": ["/orders/**"]}, "require": {"roles": ["NEW"]}, "shadow": true},
        {"name": "closed-trial", "match": {"paths": ["/orders/**", "/open/**"]}, "access": "denied", "shadow": true},
        {"name": "orders", "match": {"paths": ["/orders/{id}"]}, "require": {"roles": ["ADMIN"]}},
        {"name": "closed", "match": {"paths": ["/closed"]}, "access": "denied"},
    ]}))
    .unwrap();
    for (path, expected) in [
        ("/orders/7", "required orders (trial)"),
        ("/orders/7/x", "public default (trial)"),
        ("/open/x", "public default (closed-trial)"),
        ("/closed", "denied closed"),
        ("/else", "required default"),
        ("/orders//7", "required default+orders"),
        ("//open/x", "required default"),
    ] {
        assert_eq!(selected(&rules, &with(path, &[])), expected, "{path}");
    }
    let route = |rule: &str| Route { name: None, rule: Some(rule.as_bytes().to_vec()), ..Route::default() };
    for (rule, path, expected) in [
        ("trial", "/closed", "denied closed (trial)"),
        ("closed-trial", "/orders/7", "required orders (closed-trial)"),
        ("trial", "/else", "public default (trial)"),
        ("trial", "//else", "required default"),
        ("closed", "/orders/7", "denied closed"),
    ] {
        assert_eq!(on_route(&rules, &with(path, &[]), &route(rule)), expected, "{rule} {path}");
    }
}

#[test]
fn says_which_condition_a_request_does_not_fulfil() {
    let (rules, _) = compile(&json!({"rules": [
        {"match": {"paths": ["/a"]}, "access": "public"},
        {"match": {"paths": ["/a"]}},
        {"match": {"paths": ["/a"], "headers": [{"name": "x-a", "exact": "1"}]}},
    ]}))
    .unwrap();
    let (headers, paths) = (Some(Condition::Headers), Some(Condition::Paths));
    for (path, values, expected) in [
        ("/a", &["1"][..], [None, None, None]),
        ("/b", &["1"], [paths, paths, paths]),
        ("/a/", &["1"], [paths, None, None]),
        ("//a", &["2"], [paths, paths, headers]),
        ("/a", &["2"], [None, None, headers]),
        ("/a", &["1", "2"], [None, None, None]),
        ("/b", &["1", "2"], [paths, paths, paths]),
    ] {
        let headers: Vec<_> = values.iter().map(|value| ("x-a", *value)).collect();
        let request = with(path, &headers);
        let unmet: Vec<_> = rules.rules.iter().map(|rule| rule.unmet(&request, None)).collect();
        assert_eq!(unmet, expected, "{path} {values:?}");
    }
}

#[test]
fn few_of_many_rules_are_asked() {
    let many: Vec<_> = (0..100).map(|number| json!({"match": {"paths": [format!("/p{number}")]}})).collect();
    let (rules, _) = compile(&json!({"rules": many})).unwrap();
    let asked = |path: &str| {
        let request = request("GET", "h", path.as_bytes());
        let mut asked = Vec::new();
        rules.index.visit(&request, None, request.path_text(), &mut |place| asked.push(place));
        asked
    };
    for (path, expected) in [("/p7", vec![7]), ("/p7/x", vec![]), ("/p", vec![])] {
        assert_eq!(asked(path), expected, "{path}");
    }
}
