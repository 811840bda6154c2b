mod index;
mod selection;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::config::jwt_auth::JwtAuthConfig;
use crate::headers::Headers;
use crate::path::targets::targets;

fn compile(document: &Value) -> Result<(RuleSet, Vec<String>), String> {
    let config = JwtAuthConfig::parse(document.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let compiled = RuleSet::compile(&config.rules, config.default, &["uaa".into()]);
    let (rules, warnings) = compiled.map_err(|error| error.to_string())?;
    Ok((rules, warnings.iter().map(ToString::to_string).collect()))
}

/// A shop: public pages and a health probe, orders for a role, an area that is closed.
fn shop(default: &str) -> RuleSet {
    let (rules, _) = compile(&json!({
        "rules": [
            {"name": "health", "match": {"paths": ["/healthz"], "methods": ["GET"]}, "access": "public"},
            {"name": "pages", "match": {"paths": ["/public/**"]}, "access": "public"},
            {"name": "cart", "match": {"paths": ["/cart"]}, "access": "optional"},
            {"name": "closed", "match": {"paths": ["/internal/**"]}, "access": "denied"},
            {"name": "approve", "match": {"paths": ["/orders/{id}/approve"], "methods": ["POST"]}, "require": {"roles": ["ADMIN"]}},
            {"name": "admin", "match": {"paths": ["/admin/**"]}, "require": {"roles": ["ADMIN"]}},
            {"name": "backoffice", "match": {"hosts": ["backoffice.example.com"]}, "require": {"scopes": ["backoffice"]}}
        ],
        "default": default
    }))
    .unwrap();
    rules
}

fn request(method: &str, host: &str, path: &[u8]) -> Request {
    Request::new(Headers::from_pairs([(&b":method"[..], method.as_bytes()), (b":authority", host.as_bytes()), (b":path", path)]))
}

/// The names of the rules that must hold, the access in front.
fn selected(rules: &RuleSet, request: &Request) -> String {
    on_route(rules, request, &Route::default())
}

/// The same on a route of the proxy; a rule in shadow stands in brackets.
fn on_route(rules: &RuleSet, request: &Request, route: &Route) -> String {
    let Ok(Selection { enforced, shadow, .. }) = rules.select(request, route) else { return "unknown".to_owned() };
    let names: Vec<&str> = enforced.rules().map(|rule| &**rule.name()).collect();
    let shadow = shadow.map(|rule| format!(" ({})", rule.name())).unwrap_or_default();
    format!("{:?} {}{shadow}", enforced.access(), names.join("+")).to_lowercase()
}

#[test]
fn path_spellings_do_not_leave_their_rule() {
    let rules = shop("required");
    for (path, expected) in [
        ("/admin", "required admin"),
        ("/admin/", "required admin"),
        ("/%61dmin", "required admin"),
        ("/x/../admin", "required admin"),
        ("/public/../admin", "required admin"),
        ("/public/%2e%2e/admin", "required admin"),
        ("//admin", "required default+admin"),
        ("/admin//", "required default+admin"),
        ("/a/..%2fadmin", "required default+admin"),
        ("/public/..%2fadmin", "required default+admin"),
        ("/public/..%252fadmin", "required default+admin"),
        ("/public/%252e%252e/admin", "required default+admin"),
        ("/public/..%5cadmin", "required default+admin"),
        ("/public\\..\\admin", "required default+admin"),
        ("/public/..;/admin", "required default+admin"),
        ("/admin;x=1", "required default+admin"),
        ("/admin%00", "required default+admin"),
        ("/admin%00.png", "required default+admin"),
        ("/%2561dmin", "required default+admin"),
        ("//admin/x%2f..%2f..%2f..%2fpublic/y", "required default+admin"),
        ("/public//x", "required default"),
        ("/public/x;y", "required default"),
        ("/public%2fx", "required default"),
        ("//internal", "denied default+closed"),
        ("/public/..%2finternal/x", "denied default+closed"),
        ("/orders/7%2f8/approve", "required default+approve"),
        ("//cart", "required default+cart"),
        ("/Admin", "required default"),
    ] {
        let method = if path.contains("approve") { "POST" } else { "GET" };
        assert_eq!(selected(&rules, &request(method, "shop.example.com", path.as_bytes())), expected, "{path}");
    }
}

#[test]
fn host_spellings_do_not_leave_their_rule() {
    let rules = shop("required");
    for (host, expected) in [
        ("backoffice.example.com", "required backoffice"),
        ("BackOffice.Example.COM", "required backoffice"),
        ("backoffice.example.com.", "required backoffice"),
        ("backoffice.example.com:8443", "required backoffice"),
        ("shop.example.com", "required default"),
        ("user@backoffice.example.com", "required default+backoffice"),
        ("", "required default+backoffice"),
    ] {
        assert_eq!(selected(&rules, &request("GET", host, b"/x")), expected, "{host}");
    }
}

#[test]
fn query_and_fragment_do_not_satisfy_a_public_rule() {
    let rules = shop("required");
    for (path, expected) in [
        ("/admin?x=/public/", "required admin"),
        ("/admin#/public/x", "required admin"),
        ("/admin?/../public/x", "required admin"),
        ("/x?/public/y", "required default"),
        ("/public/x?next=/admin", "public pages"),
        ("/public/x?a=%2f..//;", "public pages"),
        ("?/public/x", "required default"),
    ] {
        assert_eq!(selected(&rules, &request("GET", "shop.example.com", path.as_bytes())), expected, "{path}");
    }
}

#[test]
fn forged_original_path_never_changes_the_rule() {
    let rules = shop("required");
    for name in [
        "x-envoy-original-path",
        "x-original-url",
        "x-rewrite-url",
        "x-forwarded-uri",
        "x-forwarded-path",
        "x-forwarded-prefix",
        "x-forwarded-host",
        "x-forwarded-method",
        "x-forwarded-proto",
        "x-http-method-override",
        "x-envoy-original-host",
        "host",
        "path",
        "forwarded",
    ] {
        for value in ["/public/x", "/healthz", "GET", "shop.example.com", "http://h/public/x"] {
            let pairs = [(":method", "DELETE"), (":authority", "backoffice.example.com"), (":path", "/admin/x"), (name, value)];
            assert_eq!(selected(&rules, &Request::new(Headers::from_pairs(pairs))), "required admin", "{name}: {value}");
            let pairs = [(":method", "GET"), (":authority", "backoffice.example.com"), (":path", "/x"), (name, value)];
            assert_eq!(selected(&rules, &Request::new(Headers::from_pairs(pairs))), "required backoffice", "{name}: {value}");
        }
    }
}

#[test]
fn health_probe_is_public_by_exact_path_and_method_only() {
    let rules = shop("required");
    for (method, path, expected) in [
        ("GET", "/healthz", "public health"),
        ("GET", "/healthz?verbose", "public health"),
        ("POST", "/healthz", "required default"),
        ("HEAD", "/healthz", "required default"),
        ("get", "/healthz", "required default"),
        ("GET", "/healthz/", "required default"),
        ("GET", "/healthz/x", "required default"),
        ("GET", "/healthzx", "required default"),
        ("GET", "/Healthz", "required default"),
        ("GET", "/healthz%20", "required default"),
        ("GET", "/healthz;x", "required default"),
    ] {
        let pairs = [(":method", method), (":authority", "h"), (":path", path), ("user-agent", "kube-probe/1.30")];
        assert_eq!(selected(&rules, &Request::new(Headers::from_pairs(pairs))), expected, "{method} {path}");
    }
}

#[test]
fn methods_in_lower_case_or_unknown_do_not_leave_their_rule() {
    let rules = shop("denied");
    for (method, path, expected) in [
        ("POST", "/orders/7/approve", "required approve"),
        ("post", "/orders/7/approve", "required approve"),
        ("PoSt", "/orders/7/approve/", "required approve"),
        ("PUT", "/orders/7/approve", "denied default"),
        ("FOO", "/orders/7/approve", "denied default"),
        ("P\u{e9}", "/orders/7/approve", "denied default+approve"),
        ("FOO", "/admin", "required admin"),
        ("OPTIONS", "*", "denied default"),
        ("CONNECT", "h:443", "denied default"),
        ("FOO", "/nowhere", "denied default"),
    ] {
        assert_eq!(selected(&rules, &request(method, "h", path.as_bytes())), expected, "{method} {path}");
    }
}

#[test]
fn requests_without_a_readable_part_are_for_the_default() {
    let rules = shop("public");
    for (name, pairs, expected) in [
        ("nothing", &[][..], "required default+backoffice"),
        ("no path", &[(":method", "CONNECT"), (":authority", "h:443")], "public default"),
        ("asterisk", &[(":method", "OPTIONS"), (":authority", "h"), (":path", "*")], "public default"),
        ("two paths", &[(":method", "GET"), (":authority", "h"), (":path", "/healthz"), (":path", "/admin")], "denied default"),
        (
            "two hosts",
            &[(":method", "GET"), (":authority", "h"), (":authority", "i"), (":path", "/healthz")],
            "required default+backoffice",
        ),
        (
            "two methods",
            &[(":method", "GET"), (":method", "GET"), (":authority", "h"), (":path", "/admin")],
            "required default+admin",
        ),
    ] {
        let request = Request::new(Headers::from_pairs(pairs.iter().copied()));
        assert_eq!(selected(&rules, &request), expected, "{name}");
    }
}

#[test]
fn an_optional_rule_hides_none_behind_it_from_an_ambiguous_path() {
    let (rules, _) = compile(&json!({"rules": [
        {"name": "maybe", "match": {"paths": ["/a/b"]}, "access": "optional"},
        {"name": "must", "match": {"paths": ["/a/*"]}, "require": {"roles": ["ADMIN"]}},
        {"name": "hidden", "match": {"paths": ["/a/**"]}, "require": {"roles": ["OTHER"]}},
    ]}))
    .unwrap();
    let request = request("GET", "api.example.com", b"/a%2fb");
    assert_eq!(selected(&rules, &request), "required default+maybe+must");
    let Ok(selection) = rules.select(&request, &Route::default()) else { panic!("no rule is named") };
    assert_eq!(&**selection.enforced.name(), "default", "the first of those that are as strict decides");
}

#[test]
fn ambiguous_path_is_never_public() {
    for (default, path, expected) in [
        ("public", "/nowhere", "public default"),
        ("public", "//nowhere", "required default"),
        ("public", "//internal", "denied default+closed"),
        ("public", "/public/x;y", "required default"),
        ("denied", "/public/x;y", "denied default"),
        ("denied", "//admin", "denied default+admin"),
    ] {
        assert_eq!(selected(&shop(default), &request("GET", "h", path.as_bytes())), expected, "{default} {path}");
    }
}

#[test]
fn path_with_too_many_meanings_is_denied() {
    let path = format!("//{}", "a".repeat(4000));
    assert_eq!(selected(&shop("public"), &request("GET", "h", path.as_bytes())), "denied default");
}

#[test]
fn optional_rule_matches_exactly() {
    let rules = shop("required");
    assert_eq!(selected(&rules, &request("GET", "h", b"/cart")), "optional cart");
    assert_eq!(selected(&rules, &request("GET", "h", b"/cart/")), "required default");
}

#[test]
fn first_rule_that_matches_wins() {
    let document = json!({"rules": [
        {"name": "a", "match": {"paths": ["/x/{id}"]}, "access": "denied"},
        {"name": "b", "match": {"paths": ["/x/y"]}, "access": "public"},
        {"name": "c", "match": {"routes": ["r"]}, "access": "public"},
        {"match": {"methods": ["GET"]}}
    ]});
    let (rules, warnings) = compile(&document).unwrap();
    assert!(rules.needs_route_name());
    assert_eq!(warnings, ["rules[2]: lets everyone in on every path"]);
    let on = |path: &[u8], name: Option<&str>| {
        let route = Route { name: name.map(str::to_owned), rule: None, ..Route::default() };
        on_route(&rules, &request("GET", "h", path), &route)
    };
    assert_eq!(on(b"/x/y", None), "denied a");
    assert_eq!(on(b"/z", Some("r")), "public c");
    assert_eq!(on(b"/z", None), "required rule-3");
}

#[test]
fn all_selected_rules_must_hold() {
    let rules = shop("required");
    let principal = crate::principal::Principal {
        issuer: String::new(),
        subject: None,
        roles: vec!["USER".to_owned()],
        scopes: Vec::new(),
        audiences: Vec::new(),
        claims: crate::claim_set::ClaimSet::default(),
        method: crate::principal::Method::Jwt,
        token_id: None,
        expires_at: None,
    };
    let caller = Identity::new(principal, "uaa".into());
    for (path, expected) in [
        ("/nowhere", Ok(())),
        ("/admin", Err(("admin", Rejection::RoleMissing))),
        ("//admin", Err(("admin", Rejection::RoleMissing))),
        ("//internal", Err(("closed", Rejection::AccessDenied))),
    ] {
        let request = request("GET", "h", path.as_bytes());
        let selected = rules.select(&request, &Route::default()).unwrap().enforced;
        let checked = selected
            .check(&[&caller], &request)
            .map(|first| assert_eq!(first, 0))
            .map_err(|refused| (&**refused.rule.name(), refused.rejection));
        assert_eq!(checked, expected, "{path}");
    }
}

#[test]
fn refuses_rules_that_cannot_be_meant() {
    let label = "does not fit as a label; use 1 to 64 characters of visible ASCII without spaces and `;`";
    for (rules, expected) in [
        (json!([{"name": "a"}, {"name": "a"}]), "rules[1].name: rules[0] has the same name".to_owned()),
        (json!([{"name": "rule-1"}, {}]), "rules[1].name: rules[0] has the same name".to_owned()),
        (
            json!([{"name": "default"}]),
            "rules[0].name: is the name of the rule for requests that no rule matches; choose another".to_owned(),
        ),
        (json!([{"name": ""}]), format!("rules[0].name: {label}")),
        (json!([{"name": "a b"}]), format!("rules[0].name: {label}")),
        (json!([{"name": "a;b"}]), format!("rules[0].name: {label}")),
        (json!([{"name": "\u{e9}"}]), format!("rules[0].name: {label}")),
        (json!([{"name": "a".repeat(65)}]), format!("rules[0].name: {label}")),
        (
            json!([{"access": "public", "require": {"roles": ["a"]}}]),
            "rules[0].require: contradicts `access: public`, which looks at no credential; leave one of them out".to_owned(),
        ),
        (
            json!([{"access": "denied", "require": {"roles": ["a"]}}]),
            "rules[0].require: contradicts `access: denied`, which lets nobody pass; leave one of them out".to_owned(),
        ),
        (json!([{"access": "publik"}]), "rules[0].access: is none of the values allowed here; did you mean `public`?".to_owned()),
        (json!([{"match": null}]), "rules[0].match: is null; give it a value or leave the key out".to_owned()),
        (json!([{"match": {}}]), "rules[0].match: is empty; leave `match` out to match every request".to_owned()),
        (
            json!([{}, {"require": {"issuers": ["ua"]}}]),
            "rules[1].require.issuers[0]: is not the name of a `jwtRules` entry; did you mean `uaa`?".to_owned(),
        ),
        (
            json!([{"access": "public", "shadow": true}]),
            "rules[0].shadow: contradicts `access: public`, which refuses nobody; leave one of them out".to_owned(),
        ),
        (
            json!([{"access": "public", "deny": {"status": 404}}]),
            "rules[0].deny: contradicts `access: public`, which refuses nobody; leave one of them out".to_owned(),
        ),
        (json!([{"deny": {}}]), "rules[0].deny: is empty; give `status`, `body` or both".to_owned()),
        (json!([{"deny": {"status": 302}}]), "rules[0].deny.status: is not the status of a refusal; use 400 to 599".to_owned()),
        (json!([{"deny": {"body": ["a"]}}]), "rules[0].deny.body: must be a string or an object, not a list".to_owned()),
        (json!([{"deny": {"body": "a".repeat(16385)}}]), "rules[0].deny.body: is longer than 16384 bytes".to_owned()),
        (
            json!([{"match": {"paths": ["/{id}"]}, "require": {"claims": [{"claim": "sub", "equals": "{path.ID}"}]}}]),
            "rules[0].require.claims[0].equals: `{path.ID}` is not in every path of its match; did you mean `id`?".to_owned(),
        ),
        (json!([{"shadows": true}]), "rules[0].shadows: unknown key; did you mean `shadow`?".to_owned()),
    ] {
        assert_eq!(compile(&json!({"rules": rules})).map(|(_, warnings)| warnings), Err(expected), "{rules}");
    }
    assert!(compile(&json!({"rules": [{"name": "a".repeat(64)}]})).is_ok(), "64 characters are not too many");
    assert!(compile(&json!({"rules": [{"deny": {"body": "a".repeat(16384)}}]})).is_ok(), "16384 bytes are not too many");
}

#[test]
fn warns_of_what_is_probably_not_meant() {
    for (document, expected) in [
        (json!({"default": "public"}), &["default: a request that no rule matches passes without a credential"][..]),
        (
            json!({"rules": [{}, {"match": {"paths": ["/a"]}}]}),
            &["rules[1]: decides about no request: rules[0] comes before it and matches every request"],
        ),
        (
            json!({"rules": [{"match": {"paths": ["/a"]}}, {}, {"match": {"paths": ["/a"]}, "access": "denied"}]}),
            &["rules[2]: decides about no request: rules[0] comes before it and has the same `match`"],
        ),
        (
            json!({"rules": [{"shadow": true}, {}]}),
            &["rules[0]: is in shadow: it refuses nobody, and where no other rule matches a request passes"],
        ),
        (json!({"rules": [{"access": "public"}]}), &["rules[0]: lets everyone in on every path"]),
        (json!({"rules": [{"match": {"paths": ["/**"]}, "access": "public"}]}), &["rules[0]: lets everyone in on every path"]),
        (json!({"rules": [{"match": {"paths": ["/a/**"]}, "access": "public"}, {"access": "denied"}]}), &[]),
    ] {
        assert_eq!(compile(&document).unwrap().1, expected, "{document}");
    }
}

proptest! {
    #[test]
    fn no_ambiguous_path_is_public(target in targets()) {
        let (rules, _) = compile(&json!({"rules": [{"access": "public"}], "default": "public"})).unwrap();
        let request = request("GET", "h", &target);
        let ambiguous = request.path().is_some_and(crate::path::RequestPath::is_ambiguous);
        let selection = rules.select(&request, &Route::default()).unwrap();
        prop_assert_eq!(selection.enforced.access() == Access::Public, !ambiguous);
    }

    #[test]
    fn any_bytes_are_selected_without_a_panic(
        method in prop::collection::vec(any::<u8>(), 0..8),
        host in prop::collection::vec(any::<u8>(), 0..16),
        target in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let rules = shop("required");
        let request = Request::new(Headers::from_pairs([(&b":method"[..], method), (b":authority", host), (b":path", target)]));
        prop_assert!(rules.select(&request, &Route::default()).unwrap().enforced.rules().count() >= 1);
    }
}
