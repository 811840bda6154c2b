mod claims;

use serde_json::{Value, json};

use super::*;
use crate::claim_set::ClaimSet;
use crate::principal::{Method, Principal};

fn compile(require: &Value) -> Result<Requirement, String> {
    let config = RequireConfig::parse(require.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let names = Names { issuers: &["uaa".into(), "partner".into(), "services".into()], parameters: &["tenant", "id"] };
    Requirement::compile(&config, names, "require").map_err(|error| error.to_string())
}

/// What is said of callers, each a name of a `jwtRules` entry and a principal, for a plain request.
fn check(requirement: &Requirement, callers: &[(&str, &Principal)]) -> Result<usize, Rejection> {
    let (request, matcher) = (Request::default(), Matcher::default());
    let callers: Vec<_> = callers.iter().map(|(issuer, caller)| Identity::new((*caller).clone(), (*issuer).into())).collect();
    requirement.check(&callers.iter().collect::<Vec<_>>(), &Facts { request: &request, matcher: &matcher })
}

fn principal() -> Principal {
    Principal {
        issuer: "https://uaa.example.com".to_owned(),
        subject: None,
        roles: vec!["ADMIN".to_owned(), "USER".to_owned()],
        scopes: vec!["orders.read".to_owned(), "orders.write".to_owned()],
        audiences: vec!["orders".to_owned()],
        claims: ClaimSet::default(),
        method: Method::Jwt,
        token_id: None,
        expires_at: None,
    }
}

#[test]
fn a_token_that_is_bound_to_its_sender_says_so() {
    let requirement = compile(&json!({"senderConstrained": true})).unwrap();
    let bound = Principal { claims: ClaimSet::read(r#"{"cnf":{"jkt":"x"}}"#.into()).unwrap(), ..principal() };
    assert_eq!(check(&requirement, &[("uaa", &bound)]), Ok(0));
    assert_eq!(check(&requirement, &[("uaa", &principal())]), Err(Rejection::TokenNotBound));
    let empty = "require: is empty; leave `require` out to ask for no more than a valid token";
    assert_eq!(compile(&json!({"senderConstrained": false})).unwrap_err(), empty);
}

#[test]
fn checks_issuer_then_audience_then_scopes_then_roles() {
    for (require, expected) in [
        (json!({"issuers": ["uaa"]}), Ok(())),
        (json!({"issuers": ["partner", "uaa"]}), Ok(())),
        (json!({"issuers": ["partner"]}), Err(Rejection::IssuerNotAllowed)),
        (json!({"audiences": ["carts", "orders"]}), Ok(())),
        (json!({"audiences": ["order"]}), Err(Rejection::AudienceMismatch)),
        (json!({"audiences": ["orders2"]}), Err(Rejection::AudienceMismatch)),
        (json!({"scopes": ["orders.read", "orders.write"]}), Ok(())),
        (json!({"scopes": ["orders.read", "orders.admin"]}), Err(Rejection::ScopeMissing)),
        (json!({"scopes": ["orders"]}), Err(Rejection::ScopeMissing)),
        (json!({"roles": ["RESTAURANT", "ADMIN"]}), Ok(())),
        (json!({"roles": ["admin"]}), Err(Rejection::RoleMissing)),
        (json!({"issuers": ["partner"], "audiences": ["x"], "scopes": ["x"], "roles": ["x"]}), Err(Rejection::IssuerNotAllowed)),
        (json!({"issuers": ["uaa"], "audiences": ["x"], "scopes": ["x"], "roles": ["x"]}), Err(Rejection::AudienceMismatch)),
        (json!({"scopes": ["x"], "roles": ["x"]}), Err(Rejection::ScopeMissing)),
    ] {
        let found = check(&compile(&require).unwrap(), &[("uaa", &principal())]);
        assert_eq!(found.map(|_| ()), expected, "{require}");
    }
    assert_eq!(check(&Requirement::default(), &[("uaa", &principal())]), Ok(0));
}

#[test]
fn has_32_alternatives_at_most() {
    let any_of = |count: usize| json!({"anyOf": vec![json!({"roles": ["a"]}); count]});
    let too_many = Err("require: has more than 32 alternatives; make several rules of it".to_owned());
    for (counts, expected) in [([2, 16], Ok(())), ([3, 11], too_many.clone()), ([8, 5], too_many)] {
        let members = counts.map(any_of);
        assert_eq!(compile(&json!({"allOf": members})).map(drop), expected, "{counts:?}");
    }
}

#[test]
fn asks_for_four_callers_at_most() {
    let known: Vec<Rc<str>> = (0..6).map(|number| format!("issuer-{number}").into()).collect();
    let names = Names { issuers: &known, parameters: &[] };
    let of = |callers: usize| {
        let members: Vec<_> = known.iter().take(callers).map(|name| json!({"issuers": [name]})).collect();
        let config = RequireConfig::parse(json!({"allOf": members}).to_string().as_bytes()).unwrap();
        let requirement = Requirement::compile(&config, names, "require").map_err(|error| error.to_string())?;
        Ok(requirement.max_credentials())
    };
    let too_many = || Err("require: asks for more than 4 callers at once".to_owned());
    for (callers, expected) in [(1, Ok(1)), (4, Ok(4)), (5, too_many()), (6, too_many())] {
        assert_eq!(of(callers), expected, "{callers}");
    }
}

#[test]
fn refuses_what_cannot_be_meant() {
    for (require, expected) in [
        (json!({}), "require: is empty; leave `require` out to ask for no more than a valid token"),
        (json!({"roles": []}), "require.roles: is empty; leave it out to ask for nothing here"),
        (json!({"audiences": ["a", ""]}), "require.audiences[1]: is empty"),
        (json!({"issuers": ["uaaa"]}), "require.issuers[0]: is not the name of a `jwtRules` entry; did you mean `uaa`?"),
        (
            json!({"issuers": ["uaa", "https://uaa.example.com"]}),
            "require.issuers[1]: is not the name of a `jwtRules` entry; names of `jwtRules` entries: `uaa`, `partner`, `services`",
        ),
        (
            json!({"scopes": ["a b"]}),
            "require.scopes[0]: is not a scope; a scope is visible ASCII without spaces, `\"` and `\\`; write several as several \
             elements",
        ),
        (json!({"claims": []}), "require.claims: is empty; leave it out to ask for nothing here"),
        (json!({"anyOf": []}), "require.anyOf: is empty; leave it out to ask for nothing here"),
        (json!({"allOf": [{}]}), "require.allOf[0]: is empty; leave `require` out to ask for no more than a valid token"),
        (
            json!({"allOf": [{"anyOf": [{"roles": []}]}]}),
            "require.allOf[0].anyOf[0].roles: is empty; leave it out to ask for nothing here",
        ),
        (
            json!({"anyOf": [{"anyOf": [{"anyOf": [{"anyOf": [{"roles": ["a"]}]}]}]}]}),
            "require.anyOf[0].anyOf[0].anyOf[0].anyOf[0]: stands too deep; requirements have at most 4 levels",
        ),
        (
            json!({"allOf": vec![json!({"anyOf": [{"roles": ["a"]}, {"roles": ["b"]}]}); 6]}),
            "require: has more than 32 alternatives; make several rules of it",
        ),
        (
            json!({"allOf": [{"issuers": ["uaa", "partner"]}, {"issuers": ["partner", "services"]}]}),
            "require: has members whose `issuers` overlap in part; members for one caller name the same issuers, members for several \
             have none in common",
        ),
    ] {
        assert_eq!(compile(&require), Err(expected.to_owned()), "{require}");
    }
}

#[test]
fn any_of_takes_the_first_alternative_that_holds() {
    let requirement = compile(&json!({
        "audiences": ["orders"],
        "anyOf": [{"roles": ["OWNER"]}, {"scopes": ["orders.admin"]}, {"issuers": ["partner"], "roles": ["USER"]}],
    }))
    .unwrap();
    let mut owner = principal();
    owner.roles = vec!["OWNER".to_owned()];
    let mut other = principal();
    other.audiences.clear();
    for (name, issuer, caller, expected) in [
        ("the first", "uaa", &owner, Ok(0)),
        ("the last", "partner", &principal(), Ok(0)),
        ("none: the first that is for the caller tells why", "uaa", &principal(), Err(Rejection::RoleMissing)),
        ("not what all ask for", "partner", &other, Err(Rejection::AudienceMismatch)),
    ] {
        assert_eq!(check(&requirement, &[(issuer, caller)]), expected, "{name}");
    }
    assert_eq!(requirement.max_credentials(), 1);
    assert_eq!(check(&requirement, &[("uaa", &owner), ("partner", &owner)]), Err(Rejection::CredentialsMultiple));
    let named = compile(&json!({"anyOf": [{"issuers": ["uaa"]}, {"issuers": ["partner"]}]})).unwrap();
    assert_eq!(check(&named, &[("services", &owner)]), Err(Rejection::IssuerNotAllowed));
}

#[test]
fn all_of_issuers_that_have_none_in_common_asks_for_a_caller_of_each() {
    let (caller, mut service) = (principal(), principal());
    service.roles = vec!["GATEWAY".to_owned()];
    let pair = compile(&json!({"allOf": [
        {"issuers": ["uaa", "partner"], "roles": ["ADMIN"]},
        {"issuers": ["services"], "anyOf": [{"roles": ["BATCH"]}, {"roles": ["GATEWAY"]}]},
        {"scopes": ["orders.read"]},
    ]}))
    .unwrap();
    assert_eq!(pair.max_credentials(), 2);
    let without_scopes = Principal { scopes: Vec::new(), ..service.clone() };
    for (name, callers, expected) in [
        ("both", vec![("uaa", &caller), ("services", &service)], Ok(0)),
        ("both, the other way round", vec![("services", &service), ("partner", &caller)], Ok(1)),
        ("what no issuer is named for is asked of the first", vec![("uaa", &caller), ("services", &without_scopes)], Ok(0)),
        ("the first without a role", vec![("uaa", &service), ("services", &service)], Err(Rejection::RoleMissing)),
        ("the second without a role", vec![("uaa", &caller), ("services", &caller)], Err(Rejection::RoleMissing)),
        ("the first alone", vec![("uaa", &caller)], Err(Rejection::TokenMissing)),
        ("the second alone", vec![("services", &service)], Err(Rejection::TokenMissing)),
        ("nobody", vec![], Err(Rejection::TokenMissing)),
        ("two of the first", vec![("uaa", &caller), ("partner", &caller)], Err(Rejection::TokenMissing)),
        (
            "one too many",
            vec![("uaa", &caller), ("services", &service), ("services", &service)],
            Err(Rejection::CredentialsMultiple),
        ),
    ] {
        assert_eq!(check(&pair, &callers), expected, "{name}");
    }
    let one = compile(
        &json!({"issuers": ["uaa", "partner"], "allOf": [{"issuers": ["uaa"], "roles": ["ADMIN"]}, {"roles": ["USER"]}]}),
    );
    let one = one.unwrap();
    assert_eq!(one.max_credentials(), 1);
    assert_eq!(check(&one, &[("uaa", &caller)]), Ok(0));
    assert_eq!(check(&one, &[("partner", &caller)]), Err(Rejection::IssuerNotAllowed));
}
