//! What is kept of a verified token, and what is read from it again.

use super::*;
use crate::principal::Identity;

/// The identity that a request with this token has, the second time that it comes.
fn remembered(config: &Value, token: &str) -> Rc<Identity> {
    let mut stage = authn(config);
    let identities: Vec<_> = (0..2)
        .map(|_| {
            let mut exchange = exchange("/", &[("authorization", token)]);
            assert_eq!(stage.on_request(&mut exchange, NOW, &mut Alone), Verdict::Continue);
            exchange.identity.unwrap()
        })
        .collect();
    assert!(Rc::ptr_eq(&identities[0], &identities[1]), "a token is verified once");
    Rc::clone(&identities[1])
}

fn entry(publish: &Value) -> Value {
    json!({
        "publish": publish,
        "jwtRules": [{
            "name": "uaa", "issuer": "https://uaa", "secret": {"env": "S"}, "claims": {"subject": "user.id", "roles": "groups"},
            "outputClaimToHeaders": [{"header": "x-user", "claim": "user.name"}, {"header": "x-groups", "claim": "groups"}],
        }],
    })
}

#[test]
fn a_principal_that_is_read_when_it_is_asked_for_is_the_one_that_was_verified() {
    let claims = json!({
        "iss": "https://uaa", "exp": 1_700_000_100, "aud": ["a", "b"], "jti": "t\n", "scope": "r w", "groups": "x y,z",
        "user": {"id": 42, "name": "Jos\u{e9}"}, "\u{e9}\"": [1.5, null, {"a": true}],
    });
    let token = bearer(&claims);
    let told = remembered(&entry(&json!(["principal", "decision"])), &token);
    let untold = remembered(&entry(&json!([])), &token);
    assert!(told.principal().is_some());
    assert_eq!(told.principal(), untold.principal());
    assert_eq!(told.json(), untold.json());
    let principal = untold.principal().unwrap();
    assert_eq!(principal.subject.as_deref(), Some("42"));
    assert_eq!((principal.roles.join("|"), principal.scopes.join("|")), ("x|y|z".into(), "r|w".into()));
    assert_eq!((principal.audiences.join("|"), principal.token_id.as_deref()), ("a|b".into(), Some("t\n")));
    assert_eq!(serde_json::to_value(&principal.claims).unwrap(), claims);
    assert_eq!(serde_json::from_str::<Value>(told.json()).unwrap(), serde_json::to_value(principal).unwrap());
}

#[test]
fn claims_that_are_split_are_so_in_headers_and_when_they_are_read_again() {
    for publish in [json!([]), json!(["principal"])] {
        let mut config = entry(&publish);
        config["jwtRules"][0]["spaceDelimitedClaims"] = json!(["groups"]);
        let token = bearer(&with(with(valid(), "groups", json!("x y")), "user", json!({"id": "7"})));
        assert_eq!(Value::from(remembered(&config, &token).principal().unwrap().claim("groups").unwrap()), json!(["x", "y"]));
        let mut exchange = exchange("/", &[("authorization", &token)]);
        authn(&config).on_request(&mut exchange, NOW, &mut Alone);
        let is_split = |edit: &Edit| matches!(edit, Edit::Set(name, value) if &**name == "x-groups" && value.contains("x,y"));
        assert!(exchange.edits.iter().any(is_split), "{:?}", exchange.edits);
    }
}

#[test]
fn the_memory_of_a_token_is_counted_with_all_that_may_be_made_of_it() {
    let many: serde_json::Map<String, Value> = (0..40).map(|number| (format!("claim-{number}"), json!("some text"))).collect();
    for claims in [valid(), with(valid(), "many", Value::Object(many)), with(valid(), "text", json!("x".repeat(4000)))] {
        let identity = remembered(&entry(&json!([])), &bearer(&with(claims, "user", json!({"id": 1}))));
        let before = identity.bytes();
        assert!(!identity.json().is_empty());
        assert!(identity.bytes() <= before, "{} of {before}", identity.bytes());
    }
}
