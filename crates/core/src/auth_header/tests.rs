use super::*;
use crate::config::auth_header::AuthHeaderConfig;
use crate::config::{Variable, Warning};
use crate::decision::{PUBLIC, TOKEN_VALID};
use crate::headers::Headers;
use crate::principal::{Identity, Method, Principal};
use crate::request::Request;
use crate::stage::Alone;
use serde_json::{Value, json};

mod decrypting;
mod injecting;
mod replacing;

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

/// An environment without any variable.
const NOWHERE: fn(&str) -> Variable = |_| Variable::Unset;

fn policy(config: &Value) -> Rc<Policy> {
    let config: AuthHeaderConfig = serde_json::from_value(config.clone()).unwrap();
    Rc::new(Policy::compile(&config, &NOWHERE).unwrap().0)
}

fn identity(claims: Value) -> Rc<Identity> {
    let principal = Principal {
        issuer: "https://uaa.example.com".into(),
        subject: Some("alice".into()),
        roles: vec!["ADMIN".into(), "USER".into()],
        scopes: vec![],
        audiences: vec![],
        claims: claims.as_object().unwrap().clone().into(),
        method: Method::Jwt,
        token_id: None,
        expires_at: None,
    };
    Rc::new(Identity::new(principal, "uaa".into()))
}

fn exchange(headers: &[(&str, &str)]) -> Exchange {
    let pseudo = [(":method", "GET"), (":path", "/orders"), (":authority", "api.example.com")];
    let headers = Headers::from_pairs(pseudo.iter().chain(headers).copied());
    Exchange::new(Request::new(headers), Some(NOW))
}

fn allow(mut exchange: Exchange, claims: Value) -> Exchange {
    exchange.identity = Some(identity(claims));
    exchange.decision = Some(Decision::allow("orders".into(), TOKEN_VALID, Some("uaa".into())));
    exchange
}

/// The headers that the upstream gets, pseudo-headers aside, sorted.
fn upstream(exchange: &Exchange) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = exchange
        .request
        .headers()
        .iter()
        .filter(|(name, _)| !name.starts_with(b":"))
        .map(|(name, value)| (String::from_utf8_lossy(name).to_ascii_lowercase(), String::from_utf8_lossy(value).into_owned()))
        .collect();
    for edit in exchange.edits.iter() {
        match edit {
            Edit::Remove(name) => headers.retain(|(found, _)| **found != **name),
            Edit::Set(name, value) => {
                headers.retain(|(found, _)| **found != **name);
                headers.push((name.to_string(), value.to_string()));
            }
            Edit::Append(name, value) => headers.push((name.to_string(), value.to_string())),
        }
    }
    headers.sort();
    headers
}

fn run(config: &Value, exchange: &mut Exchange) -> Verdict {
    AuthHeader::new(policy(config), false).on_request(exchange, NOW, &mut Alone)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn sets_the_headers_that_were_made_before() {
    let config = json!({"inject": [{"header": "x-sub", "claim": "sub"}]});
    let ready: Rc<[Edit]> = [Edit::Set("x-sub".into(), "ready".into())].into();
    for (injected, expected) in [
        (None, Ok("made now")),
        (Some(Ok(ready)), Ok("ready")),
        (Some(Err(Rejection::ClaimTooLarge)), Err(Rejection::ClaimTooLarge)),
    ] {
        let mut exchange = allow(exchange(&[("x-sub", "mallory")]), json!({"sub": "made now"}));
        Rc::get_mut(exchange.identity.as_mut().unwrap()).unwrap().injected = injected;
        let verdict = run(&config, &mut exchange);
        match expected {
            Ok(value) => assert_eq!((verdict, upstream(&exchange)), (Verdict::Continue, pairs(&[("x-sub", value)]))),
            Err(rejection) => assert_eq!((verdict, upstream(&exchange)), (Verdict::Refuse(rejection.into()), pairs(&[]))),
        }
    }
}

#[test]
fn strips_forged_identity_header_in_every_disguise() {
    let config = json!({"strip": ["x-user-*"], "inject": [{"header": "x-member", "claim": "absent"}]});
    let forged: &[(&str, &str)] = &[
        ("x-user-id", "root"),
        ("X-USER-NAME", "root"),
        ("X_User_Id", "root"),
        ("x-user_role", "root"),
        ("x-user-id", "again"),
        ("X_MEMBER", "root"),
        ("x-member", "root"),
        ("accept", "*/*"),
    ];
    let refused = || {
        let mut exchange = exchange(forged);
        exchange.decision = Some(Decision::refuse("orders".into(), Rejection::TokenMissing, None));
        exchange
    };
    let public = || {
        let mut exchange = exchange(forged);
        exchange.decision = Some(Decision::allow("health".into(), PUBLIC, None));
        exchange
    };
    let cases = [
        ("allowed", allow(exchange(forged), json!({}))),
        ("refused", refused()),
        ("public", public()),
        ("without a decision", exchange(forged)),
    ];
    for (case, mut exchange) in cases {
        assert_eq!(run(&config, &mut exchange), Verdict::Continue, "{case}");
        assert_eq!(upstream(&exchange), pairs(&[("accept", "*/*")]), "{case}");
    }
}

#[test]
fn removes_each_forged_header_once_and_before_setting_the_true_one() {
    let config = json!({"inject": [{"header": "X-User-Id", "claim": "subject"}]});
    let mut exchange = allow(exchange(&[("x_user_id", "root"), ("X-User-ID", "root"), ("x-user-id", "root")]), json!({}));
    assert_eq!(run(&config, &mut exchange), Verdict::Continue);
    let expected =
        [Edit::Remove("x-user-id".into()), Edit::Remove("x_user_id".into()), Edit::Set("x-user-id".into(), "alice".into())];
    assert_eq!(exchange.edits.iter().cloned().collect::<Vec<_>>(), expected);
}

#[test]
fn injects_the_claims_of_the_principal() {
    let config = json!({"inject": [
        {"header": "x-user-id", "claim": "subject"},
        {"header": "x-user-roles", "claim": "roles"},
        {"header": "x-user-scopes", "claim": "scopes"},
        {"header": "x-tenant", "claim": "org.tenant"},
        {"header": "x-groups", "claim": "groups", "format": "repeat"},
        {"header": "x-org", "claim": "org", "format": "json"},
        {"header": "x-nickname", "claim": "nickname"}
    ]});
    let claims = json!({"org": {"tenant": 7}, "groups": ["a", "b"], "nickname": null});
    let mut exchange = allow(exchange(&[("x-groups", "root")]), claims);
    assert_eq!(run(&config, &mut exchange), Verdict::Continue);
    let expected = pairs(&[
        ("x-groups", "a"),
        ("x-groups", "b"),
        ("x-org", r#"{"tenant":7}"#),
        ("x-tenant", "7"),
        ("x-user-id", "alice"),
        ("x-user-roles", "ADMIN,USER"),
    ]);
    assert_eq!(upstream(&exchange), expected);
}

#[test]
fn encodes_claim_with_cr_lf() {
    let config = json!({"inject": [{"header": "x-name", "claim": "name"}]});
    let mut exchange = allow(exchange(&[]), json!({"name": "a\r\nx-admin: 1"}));
    assert_eq!(run(&config, &mut exchange), Verdict::Continue);
    assert_eq!(upstream(&exchange), pairs(&[("x-name", "a%0D%0Ax-admin: 1")]));
}

#[test]
fn refuses_claim_of_a_megabyte() {
    let config = json!({"inject": [{"header": "x-user-id", "claim": "subject"}, {"header": "x-name", "claim": "name"}]});
    let mut exchange = allow(exchange(&[("x-name", "root")]), json!({"name": "a".repeat(1 << 20)}));
    assert_eq!(run(&config, &mut exchange), Verdict::Refuse(Rejection::ClaimTooLarge.into()));
    assert_eq!(exchange.decision, Some(Decision::refuse("orders".into(), Rejection::ClaimTooLarge, Some("uaa".into()))));
    assert_eq!(upstream(&exchange), []);
}

#[test]
fn injects_nothing_without_an_allowed_principal() {
    let config = json!({"inject": [{"header": "x-user-id", "claim": "subject"}]});
    let decided = |effect: Option<Rejection>, known: bool| {
        let mut exchange = exchange(&[("x-user-id", "root")]);
        exchange.identity = known.then(|| identity(json!({})));
        exchange.decision = effect.map(|rejection| Decision::refuse("orders".into(), rejection, None));
        exchange
    };
    // (case, standalone, exchange, what the upstream gets)
    let cases = [
        ("refused", false, decided(Some(Rejection::RoleMissing), true), &[][..]),
        ("not decided", false, decided(None, true), &[]),
        ("standalone, refused", true, decided(Some(Rejection::RoleMissing), true), &[]),
        ("standalone, nobody known", true, decided(None, false), &[]),
        ("standalone, not decided", true, decided(None, true), &[("x-user-id", "alice")]),
        ("standalone, allowed", true, allow(exchange(&[]), json!({})), &[("x-user-id", "alice")]),
    ];
    for (case, standalone, mut exchange, expected) in cases {
        let mut stage = AuthHeader::new(policy(&config), standalone);
        assert_eq!(stage.needs().upstream_identity, standalone);
        assert_eq!(stage.on_request(&mut exchange, NOW, &mut Alone), Verdict::Continue, "{case}");
        assert_eq!(upstream(&exchange), pairs(expected), "{case}");
    }
}

#[test]
fn keeps_what_an_earlier_stage_set() {
    let config = json!({"strip": ["x-user*"]});
    let mut exchange = allow(exchange(&[("x-user", "root"), ("x_user", "root")]), json!({}));
    exchange.edits.set("x-user", "alice");
    assert_eq!(run(&config, &mut exchange), Verdict::Continue);
    assert_eq!(upstream(&exchange), pairs(&[("x-user", "alice")]));
}

#[test]
fn strips_bearer_token_and_no_other_credentials() {
    let strip = json!({"token": {"forward": "strip"}});
    let keep = json!({"token": {"forward": "keep"}});
    // (configuration, Authorization values, whether they stay)
    let cases: &[(&Value, &[&str], bool)] = &[
        (&strip, &["Bearer a.b.c"], false),
        (&strip, &["bEARER a.b.c"], false),
        (&strip, &["Bearer"], false),
        (&strip, &["Bearer\ta.b.c"], false),
        (&strip, &["Basic YTpi, Bearer a.b.c"], false),
        (&strip, &["Basic YTpi", "Bearer a.b.c"], false),
        (&strip, &["Basic YTpi"], true),
        (&strip, &["Bearers a.b.c"], true),
        (&strip, &["DPoP a.b.c"], false),
        (&strip, &["Basic YTpi, dpop a.b.c"], false),
        (&strip, &["DPoPs a.b.c"], true),
        (&keep, &["DPoP a.b.c"], true),
        (&keep, &["Bearer a.b.c"], true),
    ];
    for (config, values, stays) in cases {
        let headers: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
        let mut exchange = exchange(&headers);
        assert_eq!(run(config, &mut exchange), Verdict::Continue);
        assert_eq!(upstream(&exchange), pairs(if *stays { &headers } else { &[] }), "{values:?}");
    }
}

#[test]
fn refuses_forged_header_whose_name_is_no_text() {
    let headers = Headers::from_pairs([(&b"x-user-\xff"[..], &b"root"[..])]);
    let mut exchange = Exchange::new(Request::new(headers), None);
    let verdict = run(&json!({"strip": ["x-user-*"]}), &mut exchange);
    assert_eq!(verdict, Verdict::Refuse(Rejection::RequestMalformed.into()));
    assert_eq!(exchange.decision.unwrap().reason, "request_malformed");
}

#[test]
fn refuses_bad_configuration() {
    let cases = [
        (
            json!({"inject": [{"header": "x-user-id", "claim": "sub"}, {"header": "X_User_ID", "claim": "uid"}]}),
            "inject[1].header: `X_User_ID` is already set by inject[0]; letter case does not count in a name, and `_` and `-` \
             are alike",
        ),
        (json!({"inject": [{"header": "x-user-id", "claim": ""}]}), "inject[0].claim: is empty; name a claim of the token: sub"),
        (
            json!({"inject": [{"header": ":path", "claim": "sub"}]}),
            "inject[0].header: is a pseudo-header, which no filter here may change",
        ),
        (
            json!({"strip": ["x-a", "host"]}),
            "strip[1]: would change `host`, which belongs to the connection; name only headers that carry identity",
        ),
    ];
    for (config, expected) in cases {
        let config: AuthHeaderConfig = serde_json::from_value(config).unwrap();
        assert_eq!(Policy::compile(&config, &NOWHERE).unwrap_err().to_string(), expected);
    }
    for unknown in [json!({"stripp": []}), json!({"token": {"forward": "replaced"}}), json!({"inject": [{"claim": "x"}]})] {
        assert!(serde_json::from_value::<AuthHeaderConfig>(unknown).is_err());
    }
}

#[test]
fn warns_of_a_policy_that_does_nothing() {
    let (_, warnings) = Policy::compile(&AuthHeaderConfig::default(), &NOWHERE).unwrap();
    assert_eq!(warnings, [Warning::new("", "strips and injects nothing")]);
}
