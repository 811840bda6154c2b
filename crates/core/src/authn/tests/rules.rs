//! What rules add: shadow, refusals of their own, preflights, callers that come in pairs, the rule that a route names.

use super::*;
use crate::answer::LocalReply;

/// Two issuers with places of their own, and rules of each kind.
fn pairs() -> Value {
    json!({
        "jwtRules": [
            {"name": "uaa", "issuer": "https://uaa", "secret": {"env": "S"}, "forwardOriginalToken": true,
             "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}, {"header": "x-tenant", "claim": "tenant"}]},
            {"name": "services", "issuer": "https://services", "secret": {"env": "S"}, "fromHeaders": [{"name": "x-service-token"}],
             "outputClaimToHeaders": [{"header": "x-service", "claim": "sub"}, {"header": "x-tenant", "claim": "tenant"}]},
        ],
        "rules": [
            {"name": "both", "match": {"paths": ["/both"]}, "require": {"allOf": [
                {"issuers": ["uaa"], "roles": ["USER"]}, {"issuers": ["services"], "roles": ["GATEWAY"]},
            ]}},
            {"name": "turned", "match": {"paths": ["/turned"]}, "require": {"allOf": [{"issuers": ["services"]}, {"issuers": ["uaa"]}]}},
            {"name": "either", "match": {"paths": ["/either"]}, "require": {"anyOf": [
                {"issuers": ["uaa"], "roles": ["ADMIN"]}, {"issuers": ["services"], "roles": ["GATEWAY"]},
            ]}},
            {"name": "one", "match": {"paths": ["/one"]}},
        ],
    })
}

fn service() -> Value {
    json!({"iss": "https://services", "sub": "gateway", "exp": 1_700_000_100, "roles": ["GATEWAY"], "tenant": "internal"})
}

fn decide(stage: &mut Authn, mut exchange: Exchange) -> (Exchange, Verdict) {
    let verdict = stage.on_request(&mut exchange, NOW, &mut Alone);
    (exchange, verdict)
}

fn reason(exchange: &Exchange) -> String {
    let decision = exchange.decision.as_ref().unwrap();
    format!("{} {}{}", decision.rule, decision.reason, if decision.shadow { " in shadow" } else { "" })
}

#[test]
fn callers_come_in_pairs_where_a_rule_asks_for_a_pair() {
    let (user, gateway) = (bearer(&valid()), signed(&service()));
    let (stale_user, stale_gateway) =
        (bearer(&with(valid(), "exp", json!(1_600_000_000))), signed(&with(service(), "exp", json!(1_600_000_000))));
    let plain_gateway = signed(&with(service(), "roles", json!([])));
    let mut stage = authn(&pairs());
    for (case, path, authorization, x_service_token, expected) in [
        ("both", "/both", Some(&user), Some(&gateway), "both token_valid"),
        ("both, asked for in another order", "/turned", Some(&user), Some(&gateway), "turned token_valid"),
        ("the user alone", "/both", Some(&user), None, "both token_missing"),
        ("the service alone", "/both", None, Some(&gateway), "both token_missing"),
        ("nobody", "/both", None, None, "both token_missing"),
        ("the user's expired", "/both", Some(&stale_user), Some(&gateway), "both token_expired"),
        ("the service's expired", "/both", Some(&user), Some(&stale_gateway), "both token_expired"),
        ("the service without its role", "/both", Some(&user), Some(&plain_gateway), "both role_missing"),
        ("two where one is asked for", "/one", Some(&user), Some(&gateway), "one credentials_multiple"),
        ("two where either is asked for", "/either", Some(&user), Some(&gateway), "either credentials_multiple"),
        ("either: the second", "/either", None, Some(&gateway), "either token_valid"),
        ("either: the first, without its role", "/either", Some(&user), None, "either role_missing"),
        ("two by default", "/else", Some(&user), Some(&gateway), "default credentials_multiple"),
    ] {
        let headers = [("authorization", authorization), ("x-service-token", x_service_token)];
        let headers: Vec<_> = headers.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?.as_str()))).collect();
        let (exchange, _) = decide(&mut stage, exchange(path, &headers));
        assert_eq!(reason(&exchange), expected, "{case}");
    }
    let swapped = [("authorization", bearer(&service())), ("x-service-token", signed(&valid()))];
    let swapped: Vec<_> = swapped.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(reason(&decide(&mut stage, exchange("/both", &swapped)).0), "both issuer_unknown", "each in the other's place");
}

#[test]
fn of_a_pair_the_first_is_the_principal_and_each_token_goes_its_own_way() {
    let (user, gateway) = (bearer(&with(valid(), "tenant", json!("acme"))), signed(&service()));
    let mut stage = authn(&pairs());
    for (path, principal, tenant) in [("/both", "alice", "acme"), ("/turned", "gateway", "internal")] {
        let (exchange, verdict) = decide(&mut stage, exchange(path, &[("authorization", &user), ("x-service-token", &gateway)]));
        assert_eq!(verdict, Verdict::Continue);
        assert_eq!(exchange.identity.as_ref().unwrap().principal().unwrap().subject.as_deref(), Some(principal));
        let edits: Vec<_> = exchange.edits.iter().cloned().collect();
        assert!(
            edits.contains(&Edit::Remove("x-service-token".into())) && !edits.contains(&Edit::Remove("authorization".into()))
        );
        let set = |name: &str| {
            let value = |edit: &Edit| if let Edit::Set(_, value) = edit { Some(value.to_string()) } else { None };
            edits.iter().filter(|edit| edit.name() == name).filter_map(value).collect::<Vec<_>>()
        };
        assert_eq!(set("x-sub"), ["alice"], "{path}");
        assert_eq!(set("x-service"), ["gateway"], "{path}");
        assert_eq!(set("x-tenant"), [tenant], "{path}");
    }
    let (exchange, _) =
        decide(&mut stage, exchange("/both", &[("authorization", &bearer(&valid())), ("x-service-token", &gateway)]));
    let tenant = exchange.edits.iter().any(|edit| matches!(edit, Edit::Set(..)) && edit.name() == "x-tenant");
    assert!(!tenant, "the user has no tenant, and the service's is none of theirs");
}

#[test]
fn refuses_a_pair_that_no_request_can_have() {
    let mut config = pairs();
    config["jwtRules"][1]["fromHeaders"] = json!([{"name": "x-service-token"}, {"name": "Authorization", "prefix": "Service "}]);
    assert_eq!(
        error(&config),
        "rules[0].require: asks for the credentials of several issuers at once, and two of them are taken from the same place; give \
         each of these `jwtRules` entries places of its own: `fromHeaders`, `fromParams`, `fromCookies`"
    );
}

/// A rule in shadow before one that is enforced, and one alone.
fn shadow() -> Value {
    json!({
        "jwtRules": [{"name": "uaa", "issuer": "https://uaa", "secret": {"env": "S"},
                      "outputClaimToHeaders": [{"header": "x-sub", "claim": "sub"}]}],
        "rules": [
            {"name": "trial", "match": {"paths": ["/orders", "/alone"]}, "require": {"roles": ["ADMIN"]}, "shadow": true},
            {"name": "orders", "match": {"paths": ["/orders"]}},
        ],
    })
}

#[test]
fn a_rule_in_shadow_is_reported_and_what_stands_behind_it_enforced() {
    let (user, admin) = (bearer(&valid()), bearer(&with(valid(), "roles", json!(["ADMIN"]))));
    let mut stage = authn(&shadow());
    for (case, path, token, expected, passes, subject) in [
        ("would be refused, for want of a token", "/alone", None, "trial token_missing in shadow", true, None),
        ("would be refused, for a bad token", "/alone", Some("Bearer a.b.c"), "trial token_malformed in shadow", true, None),
        ("would be refused, for want of a role", "/alone", Some(&*user), "trial role_missing in shadow", true, Some("alice")),
        ("would pass", "/alone", Some(&*admin), "trial token_valid in shadow", true, Some("alice")),
        ("refused by the next", "/orders", None, "orders token_missing", false, None),
        ("bad for the next", "/orders", Some("Bearer a.b.c"), "orders token_malformed", false, None),
        (
            "would be refused, and the next lets pass",
            "/orders",
            Some(&*user),
            "trial role_missing in shadow",
            true,
            Some("alice"),
        ),
        ("ambiguous", "//alone", None, "default token_missing", false, None),
    ] {
        let headers: Vec<_> = token.iter().map(|token| ("authorization", *token)).chain([("x-sub", "forged")]).collect();
        let (exchange, verdict) = decide(&mut stage, exchange(path, &headers));
        assert_eq!(reason(&exchange), expected, "{case}");
        assert_eq!((verdict == Verdict::Continue, exchange.is_allowed()), (passes, passes), "{case}");
        let found = exchange.identity.as_ref().and_then(|identity| identity.principal()?.subject.as_deref());
        assert_eq!(found, subject, "{case}");
        let edits: Vec<_> = exchange.edits.iter().collect();
        assert!(edits.contains(&&Edit::Remove("x-sub".into())), "{case}");
        assert_eq!(edits.contains(&&Edit::Set("x-sub".into(), "alice".into())), subject.is_some(), "{case}");
    }
}

#[test]
fn a_preflight_passes_only_where_that_is_wanted_and_nobody_is_denied() {
    let preflight = |path: &str, extra: &[(&str, &str)]| {
        let mut pairs = vec![(":method", "OPTIONS"), (":path", path), (":authority", "h")];
        pairs.extend([("origin", "https://app"), ("access-control-request-method", "PUT")]);
        pairs.extend(extra);
        Exchange::new(Request::new(Headers::from_pairs(pairs)), Some(NOW))
    };
    let mut wanted = config();
    wanted["bypassCorsPreflight"] = json!(true);
    wanted["default"] = json!("denied");
    let (mut wanted, mut not_wanted) = (authn(&wanted), authn(&config()));
    for (case, path, extra, expected) in [
        ("a rule", "/admin/x", &[][..], "admin cors_preflight"),
        ("the default", "/else", &[], "default cors_preflight"),
        ("a rule that denies everyone", "/closed", &[], "closed access_denied"),
        ("an ambiguous path", "//admin", &[], "default access_denied"),
        ("a second origin", "/admin/x", &[("origin", "https://b")], "admin token_missing"),
        ("a body", "/admin/x", &[("content-length", "3")], "admin token_missing"),
    ] {
        let (exchange, _) = decide(&mut wanted, preflight(path, extra));
        assert_eq!(reason(&exchange), expected, "{case}");
        assert!(exchange.identity.is_none());
    }
    assert_eq!(reason(&decide(&mut not_wanted, preflight("/admin/x", &[])).0), "admin token_missing");
}

#[test]
fn the_route_names_the_rule_and_an_unknown_name_denies() {
    let mut stage = authn(&config());
    for (rule, path, expected) in [
        (&b"admin"[..], "/open", "admin token_missing"),
        (b"open", "/admin/x", "open public"),
        (b"opened", "/open", "default rule_unknown"),
        (b"\xff", "/open", "default rule_unknown"),
    ] {
        let mut named = exchange(path, &[]);
        named.route.rule = Some(rule.to_vec());
        assert_eq!(reason(&decide(&mut stage, named).0), expected, "{}", rule.escape_ascii());
    }
}

#[test]
fn the_routes_rule_is_asked_for_unless_told_otherwise() {
    let mut config = config();
    assert!(authn(&config).needs().route_rule);
    config["routeRules"] = json!(false);
    assert!(!authn(&config).needs().route_rule);
}

#[test]
fn a_rule_refuses_in_its_own_way() {
    let mut config = config();
    config["default"] = json!("denied");
    for (index, deny) in
        [(0, json!({"status": 404})), (1, json!({"body": {"error": "no"}})), (4, json!({"status": 401, "body": "go away"}))]
    {
        config["rules"][index]["deny"] = deny;
    }
    let mut stage = authn(&config);
    let mut reply = |path: &str, token: Option<&str>| -> LocalReply {
        let headers: Vec<_> = token.iter().map(|token| ("authorization", *token)).collect();
        let (_, verdict) = decide(&mut stage, exchange(path, &headers));
        let Verdict::Refuse(refusal) = verdict else { panic!("{verdict:?}") };
        refusal.to_reply(Some("id"), None)
    };
    let token = bearer(&valid());
    let header = |reply: &LocalReply, name: &str| {
        reply.headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    for (path, token, status, content_type, challenge, body, details) in [
        (
            "/admin/x",
            Some(&*token),
            404,
            "application/problem+json",
            "",
            r#"{"type":"about:blank","title":"Not Found","status":404,"requestId":"id"}"#,
            "portcullis{role_missing}",
        ),
        (
            "/admin/x",
            None,
            404,
            "application/problem+json",
            "",
            r#"{"type":"about:blank","title":"Not Found","status":404,"requestId":"id"}"#,
            "portcullis{token_missing}",
        ),
        ("/write", None, 401, "application/json", r#"Bearer realm="orders""#, r#"{"error":"no"}"#, "portcullis{token_missing}"),
        ("/closed", None, 401, "text/plain; charset=utf-8", r#"Bearer realm="orders""#, "go away", "portcullis{access_denied}"),
    ] {
        let reply = reply(path, token);
        assert_eq!((reply.status, &*header(&reply, "content-type")), (status, content_type), "{path}");
        assert_eq!(header(&reply, "www-authenticate"), challenge, "{path}");
        assert_eq!((str::from_utf8(&reply.body).unwrap(), &*reply.details), (body, details), "{path}");
    }
}

#[test]
fn what_the_gateway_cannot_decide_is_no_refusal_of_the_rule() {
    let mut stage = authn(&json!({
        "jwtRules": [{"issuer": "https://uaa", "jwksUri": "https://uaa/jwks"}],
        "rules": [{"deny": {"status": 404, "body": "no"}}],
    }));
    stage.due(NOW, &mut Alone);
    stage.on_fetched(FetchId(0), FetchOutcome::Lost, NOW, &mut Alone);
    let token = portcullis_signatures::test_keys::TestKeys::get().sign(Algorithm::Es256, Some("k1"), &valid());
    let (_, verdict) = decide(&mut stage, exchange("/", &[("authorization", &format!("Bearer {token}"))]));
    let Verdict::Refuse(refusal) = verdict else { panic!("{verdict:?}") };
    let reply = refusal.to_reply(None, None);
    assert_eq!((reply.status, &*reply.details), (503, "portcullis{keys_unavailable}"));
    assert!(reply.headers.iter().any(|(name, _)| *name == "retry-after"));
}
