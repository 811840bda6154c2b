//! Claims: when, for whom and by whom, and where the principal's fields are found.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_e2e::{Stack, bundle, jwt_auth};
use portcullis_testbed::{Algorithm, Claims, Issuer, Request, SigningKey};
use serde_json::{Value, json};

const ISSUER: &str = "https://uaa.example.com";

struct World {
    stack: Stack,
    issuer: Issuer,
    seed: SigningKey,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap();
        let seed = SigningKey::generate(Algorithm::Hs512, "seed").unwrap();
        let with = |more: Value| {
            let mut rule = json!({"name": "uaa", "issuer": ISSUER, "jwks": issuer.jwks().unwrap()});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "jwtRules": [rule] })
        };
        let telling = |name: &str, jwt: Value| {
            let inject = ["subject", "roles", "scopes"].map(|field| json!({"header": format!("x-{field}"), "claim": field}));
            bundle(name, &json!({"jwtAuth": jwt, "authHeader": {"inject": inject}}))
        };
        let inline = STANDARD.encode(seed.secret().unwrap());
        let seed_rule = json!({
            "name": "seed", "secret": {"inline": inline, "encoding": "base64"},
            "algorithms": ["HS512"], "claims": {"roles": "auth"},
        });
        let mut typed = seed_rule.clone();
        typed["requireType"] = json!("at+jwt");
        let listeners = [
            jwt_auth("default", &with(json!({"audiences": ["orders", "billing"]}))),
            jwt_auth("no-skew", &with(json!({"clockSkew": "0s"}))),
            jwt_auth("eternal", &with(json!({"requireExpiration": false}))),
            jwt_auth("short", &with(json!({"maxLifetime": "10m"}))),
            jwt_auth("typed", &json!({"jwtRules": [typed]})),
            telling("plain", with(json!({}))),
            telling("keycloak", with(json!({"claims": {"roles": "realm_access.roles", "subject": "preferred_username"}}))),
            telling("seed", json!({ "jwtRules": [seed_rule] })),
        ];
        World { stack: Stack::start(listeners, &[]), issuer, seed }
    })
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

#[track_caller]
fn outcome(listener: &str, claims: &Claims) -> String {
    let World { stack, issuer, .. } = world();
    stack.outcome(listener, &Request::get("/").bearer(&issuer.sign(claims).unwrap()))
}

#[test]
fn honours_exp_with_skew_and_fraction() {
    let claims = || world().issuer.claims();
    let valid = "200";
    let expired = "401 token_expired";
    for (name, listener, claims, expected) in [
        ("in five minutes", "default", claims(), valid),
        ("within the skew", "default", claims().expiring_in(-30), valid),
        ("beyond the skew", "default", claims().expiring_in(-61), expired),
        ("long ago", "default", claims().with("exp", 1), expired),
        ("zero", "default", claims().with("exp", 0), expired),
        ("without skew, future", "no-skew", claims().expiring_in(5), valid),
        ("without skew, past", "no-skew", claims().expiring_in(-1), expired),
        ("fraction, future", "no-skew", claims().with("exp", now() + 5.5), valid),
        ("fraction, past", "no-skew", claims().with("exp", now() - 0.5), expired),
        ("exponent", "default", claims().with("exp", json!(1.7e9)), expired),
        ("missing", "default", claims().without("exp"), "401 expiration_missing"),
        ("missing where allowed", "eternal", claims().without("exp"), valid),
        ("past where it may be missing", "eternal", claims().expiring_in(-61), expired),
    ] {
        assert_eq!(outcome(listener, &claims), expected, "{name}");
    }
}

#[test]
fn denies_times_that_are_no_numeric_dates() {
    for claim in ["exp", "nbf", "iat"] {
        for value in
            [json!("9999999999"), json!(null), json!(true), json!([9_999_999_999_u64]), json!({}), json!(-1), json!(1e308)]
        {
            let claims = world().issuer.claims().with(claim, value.clone());
            assert_eq!(outcome("eternal", &claims), "401 token_malformed", "{claim}: {value}");
        }
    }
}

#[test]
fn honours_nbf_and_iat() {
    let claims = || world().issuer.claims();
    #[allow(clippy::cast_possible_truncation, reason = "seconds since 1970 fit")]
    let at = |offset: i64| now() as i64 + offset;
    for (name, listener, claims, expected) in [
        ("nbf past", "default", claims().with("nbf", at(-10)), "200"),
        ("nbf within the skew", "default", claims().with("nbf", at(30)), "200"),
        ("nbf beyond the skew", "default", claims().with("nbf", at(90)), "401 token_not_yet_valid"),
        ("nbf without skew", "no-skew", claims().with("nbf", at(5)), "401 token_not_yet_valid"),
        ("iat in the future", "default", claims().with("iat", at(90)), "401 token_not_yet_valid"),
        ("lifetime", "short", claims(), "200"),
        ("lifetime too long", "short", claims().expiring_in(1000), "401 lifetime_too_long"),
        ("lifetime unknown", "short", claims().without("iat"), "401 lifetime_too_long"),
    ] {
        assert_eq!(outcome(listener, &claims), expected, "{name}");
    }
}

#[test]
fn matches_audience_exactly() {
    for (name, audience, expected) in [
        ("one", Some(json!("orders")), "200"),
        ("the other one", Some(json!("billing")), "200"),
        ("in a list", Some(json!(["x", "orders"])), "200"),
        ("another", Some(json!("payments")), "401 audience_mismatch"),
        ("prefix", Some(json!("order")), "401 audience_mismatch"),
        ("longer", Some(json!("orders2")), "401 audience_mismatch"),
        ("other case", Some(json!("Orders")), "401 audience_mismatch"),
        ("joined", Some(json!("orders,billing")), "401 audience_mismatch"),
        ("empty list", Some(json!([])), "401 audience_mismatch"),
        ("missing", None, "401 audience_mismatch"),
        ("number", Some(json!(7)), "401 token_malformed"),
    ] {
        let claims = world().issuer.claims().without("aud");
        let claims = match audience {
            Some(audience) => claims.with("aud", audience),
            None => claims,
        };
        assert_eq!(outcome("default", &claims), expected, "{name}");
    }
}

#[test]
fn matches_issuer_exactly() {
    for (name, issuer, expected) in [
        ("as configured", Some(json!(ISSUER)), "200"),
        ("slash added", Some(json!("https://uaa.example.com/")), "401 issuer_unknown"),
        ("other case", Some(json!("https://UAA.example.com")), "401 issuer_unknown"),
        ("longer", Some(json!("https://uaa.example.com.evil.com")), "401 issuer_unknown"),
        ("missing", None, "401 issuer_unknown"),
        ("number", Some(json!(1)), "401 token_malformed"),
    ] {
        let claims = world().issuer.claims().without("iss");
        let claims = match issuer {
            Some(issuer) => claims.with("iss", issuer),
            None => claims,
        };
        assert_eq!(outcome("default", &claims), expected, "{name}");
    }
}

#[test]
fn denies_other_type_where_one_is_required() {
    let World { stack, seed, .. } = world();
    let claims = Value::Object(Claims::new().with("sub", "2").expiring_in(300).as_map().clone()).to_string();
    for (typ, expected) in [
        (json!("at+jwt"), "200"),
        (json!("application/at+jwt"), "200"),
        (json!("AT+JWT"), "200"),
        (json!("JWT"), "401 type_mismatch"),
        (json!("rt+jwt"), "401 type_mismatch"),
        (json!(null), "401 token_malformed"),
    ] {
        let header = json!({"alg": "HS512", "typ": typ}).to_string();
        let request = Request::get("/").bearer(&seed.sign_text(&header, &claims).unwrap());
        assert_eq!(stack.outcome("typed", &request), expected, "{typ}");
    }
    let untyped = seed.sign_text(r#"{"alg":"HS512"}"#, &claims).unwrap();
    assert_eq!(stack.outcome("typed", &Request::get("/").bearer(&untyped)), "401 type_mismatch");
}

/// The headers that the upstream got: subject, roles, scopes.
#[track_caller]
fn told(listener: &str, token: &str) -> [Option<String>; 3] {
    let seen = world().stack.passes(listener, &Request::get("/").bearer(token));
    ["x-subject", "x-roles", "x-scopes"].map(|name| seen.headers.get(name))
}

#[test]
fn seed_style_token_works_by_configuration_alone() {
    let World { stack, seed, .. } = world();
    let claims = Claims::new().with("sub", "2").with("auth", "ROLE_USER").expiring_in(300);
    let told_of = told("seed", &seed.sign(&claims).unwrap());
    assert_eq!(told_of, [Some("2".to_owned()), Some("ROLE_USER".to_owned()), None]);
    let several = claims.clone().with("auth", "ROLE_USER,ROLE_ADMIN");
    assert_eq!(told("seed", &seed.sign(&several).unwrap())[1].as_deref(), Some("ROLE_USER,ROLE_ADMIN"));
    let expired = claims.expiring_in(-3600);
    let request = Request::get("/").bearer(&seed.sign(&expired).unwrap());
    assert_eq!(stack.outcome("seed", &request), "401 token_expired");
}

#[test]
fn finds_roles_and_scopes_where_issuers_put_them() {
    let World { issuer, .. } = world();
    let claims = || issuer.claims();
    for (name, listener, claims, expected) in [
        ("list of roles", "plain", claims().with("roles", json!(["A", "B"])), ["alice", "A,B", ""]),
        (
            "realm_access.roles",
            "keycloak",
            claims().with("realm_access", json!({"roles": ["USER", "ADMIN"]})).with("preferred_username", "bob"),
            ["bob", "USER,ADMIN", ""],
        ),
        ("roles elsewhere do not count", "keycloak", claims().with("roles", json!(["ADMIN"])), ["", "", ""]),
        ("scope as text", "plain", claims().with("scope", "orders.read orders.write"), ["alice", "", "orders.read,orders.write"]),
        (
            "scope as a list",
            "plain",
            claims().with("scope", json!(["orders.read", "orders.write"])),
            ["alice", "", "orders.read,orders.write"],
        ),
    ] {
        let told = told(listener, &issuer.sign(&claims).unwrap());
        assert_eq!(told.map(Option::unwrap_or_default), expected, "{name}");
    }
}

#[test]
fn hostile_claim_never_becomes_a_raw_header() {
    let World { stack, issuer, .. } = world();
    for (name, subject, header) in [
        ("line breaks", "a\r\nx-admin: 1", "a%0D%0Ax-admin: 1"),
        ("NUL", "a\0b", "a%00b"),
        ("non-ASCII", "José", "Jos%C3%A9"),
        ("percent", "100%0A", "100%250A"),
    ] {
        let token = issuer.sign(&issuer.claims().with("sub", subject)).unwrap();
        let seen = stack.passes("plain", &Request::get("/").bearer(&token));
        assert_eq!(seen.headers.get("x-subject").as_deref(), Some(header), "{name}");
        assert_eq!(seen.headers.get("x-admin"), None, "{name}");
    }
    let huge = issuer.sign(&issuer.claims().with("sub", "a".repeat(9_000))).unwrap();
    assert_eq!(stack.outcome("plain", &Request::get("/").bearer(&huge)), "403 claim_too_large");
}
