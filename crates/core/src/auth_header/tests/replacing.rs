//! `token.forward: replace`: what the upstream gets in place of the caller's token, and that nothing of a client's survives.

use super::*;
use crate::config::Variable;
use crate::platform::Platform;
use crate::stage::Stage;

/// RFC 8037 appendix A.1.
const KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;

fn stage(internal: &Value, standalone: bool) -> AuthHeader {
    let mut all = json!({"issuer": "https://gw", "audience": "services", "key": {"inline": KEY}});
    all.as_object_mut().unwrap().extend(internal.as_object().unwrap().clone());
    let config: AuthHeaderConfig = serde_json::from_value(json!({"token": {"forward": "replace", "internal": all}})).unwrap();
    let environment = |_: &str| Variable::Unset;
    let internal = config.token.as_ref().unwrap().internal.as_ref().unwrap();
    let (token, _) = InternalToken::compile(internal, "", &Platform::from(&environment), &mut Vec::new()).unwrap();
    AuthHeader::new(Rc::new(Policy::compile(&config, &NOWHERE).unwrap().0), standalone).with_token(Some(token))
}

/// The headers that the upstream gets.
fn sent(stage: &mut AuthHeader, exchange: &mut Exchange) -> Vec<(String, String)> {
    assert_eq!(stage.on_request(exchange, NOW, &mut Alone), Verdict::Continue);
    upstream(exchange)
}

fn is_own(value: &str) -> bool {
    value.strip_prefix("Bearer ").is_some_and(|token| token.split('.').count() == 3)
}

#[test]
fn nothing_that_a_client_sends_in_its_place_survives() {
    let forged: &[(&str, &str)] = &[
        ("authorization", "Bearer eyJ.forged.x"),
        ("Authorization", "Basic YTpi"),
        ("X_Internal", "eyJ.forged.x"),
        ("DPoP", "eyJ.forged.x"),
        ("x-internal", "y"),
    ];
    let denied = || Some(Decision::refuse("orders".into(), Rejection::RoleMissing, None));
    for standalone in [false, true] {
        let own = json!({"header": "x-internal"});
        let nobody = |decision: Option<Decision>| Exchange { decision, ..exchange(forged) };
        let anonymous = nobody(Some(Decision::allow("public".into(), PUBLIC, None)));
        let refused = Exchange { identity: Some(identity(json!({}))), ..nobody(denied()) };
        for mut exchange in [anonymous, refused, nobody(None)] {
            assert_eq!(sent(&mut stage(&own, standalone), &mut exchange), [], "{exchange:?}");
        }
        let headers = sent(&mut stage(&own, standalone), &mut allow(exchange(forged), json!({})));
        assert!(matches!(&headers[..], [(name, value)] if name == "x-internal" && value.split('.').count() == 3), "{headers:?}");
        let headers = sent(&mut stage(&json!({}), standalone), &mut allow(exchange(&forged[..2]), json!({})));
        assert!(matches!(&headers[..], [(name, value)] if name == "authorization" && is_own(value)), "{headers:?}");
    }
}

#[test]
fn a_caller_who_comes_again_has_the_same_token() {
    for standalone in [false, true] {
        let mut stage = stage(&json!({}), standalone);
        let first = allow(exchange(&[]), json!({}));
        // Alone, the stage gets another identity with each request; else the one that is remembered with the caller's token.
        let again = if standalone {
            allow(exchange(&[]), json!({}))
        } else {
            Exchange { identity: first.identity.clone(), ..allow(exchange(&[]), json!({})) }
        };
        let tokens = [first, again].map(|mut exchange| sent(&mut stage, &mut exchange));
        assert_eq!(tokens[0], tokens[1]);
    }
}

#[test]
fn refuses_where_the_token_cannot_be_replaced() {
    let config = json!({"token": {"forward": "replace", "internal": {"issuer": "a", "audience": "b", "key": {"inline": KEY}}}});
    let mut without = AuthHeader::new(policy(&config), false);
    let mut exchange = allow(exchange(&[("authorization", "Bearer a.b.c")]), json!({}));
    assert_eq!(without.on_request(&mut exchange, NOW, &mut Alone), Verdict::Refuse(Rejection::HostError.into()));
    assert_eq!(exchange.decision.as_ref().map(|decision| &*decision.reason), Some("host_error"));
    assert_eq!(upstream(&exchange), []);
}

#[test]
fn a_token_that_is_replaced_is_no_forged_header() {
    let headers = [("authorization", "Bearer a.b.c"), ("dpop", "a"), ("x_internal", "b")];
    let mut exchange = allow(exchange(&headers), json!({}));
    sent(&mut stage(&json!({"header": "x-internal"}), false), &mut exchange);
    assert_eq!(exchange.stripped.names(), ["x_internal"]);
}
