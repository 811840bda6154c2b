mod api_keys;
mod encrypted_tokens;
mod entries;
mod fetched_keys;
mod known_tokens;
mod measuring;
mod possession;
mod rules;
mod tenants;

use serde_json::{Value, json};

use super::*;
use crate::config::Variable;
use crate::config::jwt_auth::JwtAuthConfig;
use crate::decision::Effect;
use crate::edits::Edit;
use crate::headers::Headers;
use crate::jose::{Algorithm, Malformed};
use crate::request::Request;
use crate::stage::Alone;
use portcullis_signatures::test_keys::{SECRET, TestKeys, authenticate, oct_jwk};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn authn(config: &Value) -> Authn {
    let config = JwtAuthConfig::parse(config.to_string().as_bytes()).unwrap();
    let environment = |_: &str| Variable::Set(String::from_utf8(SECRET.to_vec()).unwrap());
    let (policy, keyrings) = Policy::compile(&config, None, &environment, &mut Vec::new()).unwrap();
    Authn::new(policy, keyrings)
}

fn error(config: &Value) -> String {
    let config = JwtAuthConfig::parse(config.to_string().as_bytes()).unwrap();
    let environment = |_: &str| Variable::Set(String::from_utf8(SECRET.to_vec()).unwrap());
    Policy::compile(&config, None, &environment, &mut Vec::new()).unwrap_err().to_string()
}

fn exchange(path: &str, headers: &[(&str, &str)]) -> Exchange {
    let pseudo = [(":method", "GET"), (":path", path), (":authority", "api.example.com")];
    Exchange::new(Request::new(Headers::from_pairs(pseudo.into_iter().chain(headers.iter().copied()))), Some(NOW))
}

/// A shared-secret issuer `uaa` with one rule of each kind.
fn config() -> Value {
    json!({
        "jwtRules": [{"name": "uaa", "issuer": "https://uaa", "secret": {"env": "S"}}],
        "rules": [
            {"name": "admin", "match": {"paths": ["/admin/**"]}, "require": {"roles": ["ADMIN"]}},
            {"name": "write", "match": {"paths": ["/write"]}, "require": {"scopes": ["w", "x"]}},
            {"name": "open", "match": {"paths": ["/open"]}, "access": "public"},
            {"name": "maybe", "match": {"paths": ["/maybe"]}, "access": "optional"},
            {"name": "closed", "match": {"paths": ["/closed"]}, "access": "denied"},
        ],
        "realm": "orders",
    })
}

fn signed(claims: &Value) -> String {
    authenticate(Algorithm::Hs256, SECRET, r#"{"alg":"HS256"}"#, &claims.to_string())
}

fn bearer(claims: &Value) -> String {
    format!("Bearer {}", signed(claims))
}

fn valid() -> Value {
    json!({"iss": "https://uaa", "sub": "alice", "exp": 1_700_000_100, "roles": ["USER"], "scope": "r w"})
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

#[test]
fn decides_by_rule_and_token() {
    let (good, expired) = (bearer(&valid()), bearer(&with(valid(), "exp", json!(1_699_999_000))));
    let admin = bearer(&with(valid(), "roles", json!(["ADMIN"])));
    let stranger = bearer(&with(valid(), "iss", json!("https://else")));
    let cases: &[(&str, &str, Option<&str>, &str, &str)] = &[
        ("no token", "/", None, "default", "token_missing"),
        ("valid token", "/", Some(&good), "default", "token_valid"),
        ("expired token", "/", Some(&expired), "default", "token_expired"),
        ("issuer that is not known", "/", Some(&stranger), "default", "issuer_unknown"),
        ("another scheme", "/", Some("Basic YTpi"), "default", "token_missing"),
        ("nothing after the scheme", "/", Some("Bearer "), "default", "authorization_malformed"),
        ("no token at all", "/", Some("Bearer abc"), "default", "token_malformed"),
        ("role missing", "/admin/x", Some(&good), "admin", "role_missing"),
        ("role there", "/admin/x", Some(&admin), "admin", "token_valid"),
        ("role asked for behind a disguised path", "//admin/x", Some(&good), "admin", "role_missing"),
        ("scope missing", "/write", Some(&good), "write", "scope_missing"),
        ("public", "/open", None, "open", "public"),
        ("public does not look at tokens", "/open", Some("Bearer abc"), "open", "public"),
        ("optional without token", "/maybe", None, "maybe", "anonymous"),
        ("optional with token", "/maybe", Some(&good), "maybe", "token_valid"),
        ("optional with a bad token", "/maybe", Some(&expired), "maybe", "token_expired"),
        ("optional with a token of an unknown issuer", "/maybe", Some(&stranger), "maybe", "issuer_unknown"),
        ("denied", "/closed", Some(&good), "closed", "access_denied"),
    ];
    let mut stage = authn(&config());
    for (case, path, authorization, rule, reason) in cases {
        let headers: Vec<_> = authorization.iter().map(|value| ("authorization", *value)).collect();
        let mut exchange = exchange(path, &headers);
        let verdict = stage.on_request(&mut exchange, NOW, &mut Alone);
        let decision = exchange.decision.unwrap();
        assert_eq!((&*decision.rule, &*decision.reason), (*rule, *reason), "{case}");
        assert_eq!(decision.effect == Effect::Allow, verdict == Verdict::Continue, "{case}");
        assert_eq!(decision.issuer.is_some(), exchange.identity.is_some(), "{case}");
    }
}

/// The reason of the first step that fails.
fn first_failure(examination: &Examination) -> Option<Rejection> {
    let claims = examination.claims.iter().map(|(_, holds)| *holds);
    let form = examination.form.as_ref().map(|_| ()).map_err(Malformed::rejection);
    let entry = examination.entry.map(|_| ()).ok_or(Rejection::IssuerUnknown);
    let signature = examination.signature.unwrap_or(Err(Rejection::KeysUnavailable));
    [form, entry, signature].into_iter().chain(claims).find_map(Result::err)
}

#[test]
fn the_steps_of_an_examination_end_where_the_stage_ends() {
    let config = json!({"jwtRules": [{
        "issuer": "https://uaa", "secret": {"env": "S"}, "audiences": ["a"], "maxLifetime": "1h", "requireType": "JWT",
    }]});
    let good = json!({"iss": "https://uaa", "aud": "a", "iat": 1_700_000_000, "exp": 1_700_000_100});
    let sign = |header: &str, claims: &Value| authenticate(Algorithm::Hs256, SECRET, header, &claims.to_string());
    let typed = |claims: &Value| sign(r#"{"alg":"HS256","typ":"JWT"}"#, claims);
    let mut unsigned = typed(&good);
    unsigned.replace_range(unsigned.len() - 4.., "AAAA");
    for (case, token, expected) in [
        ("good", typed(&good), None),
        ("no token", "abc".to_owned(), Some(Rejection::TokenMalformed)),
        ("too long", "a".repeat(20_000), Some(Rejection::TokenTooLarge)),
        ("alg none", sign(r#"{"alg":"none"}"#, &good), Some(Rejection::AlgorithmNotAllowed)),
        ("another algorithm", sign(r#"{"alg":"RS256"}"#, &good), Some(Rejection::AlgorithmNotAllowed)),
        ("issuer", typed(&with(good.clone(), "iss", json!("https://else"))), Some(Rejection::IssuerUnknown)),
        ("signature", unsigned, Some(Rejection::SignatureInvalid)),
        ("type", sign(r#"{"alg":"HS256"}"#, &good), Some(Rejection::TypeMismatch)),
        ("expired", typed(&with(good.clone(), "exp", json!(1_699_999_000))), Some(Rejection::TokenExpired)),
        ("early", typed(&with(good.clone(), "nbf", json!(1_700_000_090))), Some(Rejection::TokenNotYetValid)),
        ("long-lived", typed(&with(good.clone(), "exp", json!(1_700_010_000))), Some(Rejection::LifetimeTooLong)),
        ("audience", typed(&with(good.clone(), "aud", json!("b"))), Some(Rejection::AudienceMismatch)),
    ] {
        let mut stage = authn(&config);
        let examination = stage.examine(token.as_bytes(), None, NOW);
        assert_eq!(first_failure(&examination), expected, "{case}");
        assert_eq!(examination.verdict.err(), expected.map(Doubt::Refused), "{case}");
        let mut exchange = exchange("/", &[("authorization", &format!("Bearer {token}"))]);
        stage.on_request(&mut exchange, NOW, &mut Alone);
        assert_eq!(exchange.decision.unwrap().reason, expected.map_or("token_valid", Rejection::code), "{case}");
    }
}

#[test]
fn challenge_names_the_scopes_of_the_rule() {
    let mut exchange = exchange("/write", &[("authorization", &bearer(&valid()))]);
    let verdict = authn(&config()).on_request(&mut exchange, NOW, &mut Alone);
    let Verdict::Refuse(refusal) = verdict else { panic!("{verdict:?}") };
    assert_eq!(refusal.scopes, ["w", "x"]);
    assert_eq!(refusal.realm.as_deref(), Some("orders"));
}

#[test]
fn a_token_without_iss_is_for_the_entry_without_issuer() {
    let seed = json!({"jwtRules": [{"name": "seed", "secret": {"env": "S"}, "claims": {"roles": "auth"}}]});
    let mut stage = authn(&seed);
    let mut first = exchange("/", &[("authorization", &bearer(&json!({"sub": "2", "auth": "ROLE_USER", "exp": 1_700_000_100})))]);
    assert_eq!(stage.on_request(&mut first, NOW, &mut Alone), Verdict::Continue);
    let identity = first.identity.unwrap();
    let principal = identity.principal().unwrap();
    assert_eq!((&*principal.issuer, principal.subject.as_deref()), ("seed", Some("2")));
    assert_eq!(principal.roles, ["ROLE_USER"]);

    let mut other = exchange("/", &[("authorization", &bearer(&valid()))]);
    stage.on_request(&mut other, NOW, &mut Alone);
    assert_eq!(other.decision.unwrap().reason, "issuer_unknown");

    let mut strict = exchange("/", &[("authorization", &bearer(&json!({"sub": "2", "exp": 1_700_000_100})))]);
    authn(&config()).on_request(&mut strict, NOW, &mut Alone);
    assert_eq!(strict.decision.unwrap().reason, "issuer_unknown");
}

#[test]
fn asks_for_the_rule_of_the_route_and_for_its_name_when_a_rule_does() {
    let mut by_route = config();
    by_route["rules"][0]["match"] = json!({"routes": ["orders"]});
    for (config, route_name) in [(config(), false), (by_route, true)] {
        assert_eq!(authn(&config).needs(), Needs { route_name, route_rule: true, ..Needs::default() });
    }
}

#[test]
fn keys_that_are_written_down_allow_what_they_serve() {
    let keys = json!({"keys": [oct_jwk(SECRET)]}).to_string();
    let mut stage = authn(&json!({"jwtRules": [{"issuer": "https://uaa", "jwks": keys}]}));
    let mut exchange = exchange("/", &[("authorization", &bearer(&valid()))]);
    stage.on_request(&mut exchange, NOW, &mut Alone);
    assert_eq!(exchange.decision.unwrap().reason, "token_valid");
}

#[test]
fn a_token_is_taken_only_from_the_places_of_its_issuer() {
    let two = json!({"jwtRules": [
        {"issuer": "https://a", "secret": {"env": "S"}, "fromHeaders": [{"name": "x-token"}]},
        {"issuer": "https://uaa", "secret": {"env": "S"}},
    ]});
    let token = signed(&valid());
    let mut stage = authn(&two);
    for (headers, reason) in [
        (vec![("authorization", format!("Bearer {token}"))], "token_valid"),
        (vec![("x-token", token.clone())], "issuer_unknown"),
        (vec![("x-token", token.clone()), ("authorization", format!("Bearer {token}"))], "credentials_multiple"),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut exchange = exchange("/", &headers);
        stage.on_request(&mut exchange, NOW, &mut Alone);
        assert_eq!(exchange.decision.unwrap().reason, reason, "{headers:?}");
    }
}

#[test]
fn keeps_the_token_from_the_upstream_unless_told_otherwise() {
    for (forward, expected) in [(None, true), (Some(false), true), (Some(true), false)] {
        let mut config = config();
        if let Some(forward) = forward {
            config["jwtRules"][0]["forwardOriginalToken"] = json!(forward);
        }
        let mut exchange = exchange("/", &[("authorization", &bearer(&valid()))]);
        authn(&config).on_request(&mut exchange, NOW, &mut Alone);
        let removed = exchange.edits.iter().any(|edit| *edit == Edit::Remove("authorization".into()));
        assert_eq!(removed, expected);
    }
}

#[test]
fn output_headers_are_set_when_allowed_and_a_forged_one_never_passes() {
    let mut config = config();
    config["jwtRules"][0]["outputPayloadToHeader"] = json!("x-payload");
    config["jwtRules"][0]["outputClaimToHeaders"] =
        json!([{"header": "x-sub", "claim": "sub"}, {"header": "x-none", "claim": "none"}]);
    let mut stage = authn(&config);
    let token = bearer(&valid());

    let mut allowed = exchange("/", &[("authorization", &token), ("X_Sub", "forged"), ("x-none", "forged")]);
    stage.on_request(&mut allowed, NOW, &mut Alone);
    let edits: Vec<_> = allowed.edits.iter().cloned().collect();
    assert_eq!(edits[..2], [Edit::Remove("x-none".into()), Edit::Remove("x_sub".into())]);
    assert!(edits.contains(&Edit::Set("x-sub".into(), "alice".into())));
    assert!(edits.contains(&Edit::Set("x-payload".into(), token.split('.').nth(1).unwrap().into())));
    assert!(!edits.iter().any(|edit| matches!(edit, Edit::Set(name, _) if **name == *"x-none")));

    for path in ["/open", "/closed", "/admin/x"] {
        let mut other = exchange(path, &[("authorization", &token), ("X-Sub", "forged")]);
        stage.on_request(&mut other, NOW, &mut Alone);
        assert!(other.edits.iter().any(|edit| *edit == Edit::Remove("x-sub".into())), "{path}");
        assert!(!other.edits.iter().any(|edit| matches!(edit, Edit::Set(..))), "{path}");
    }
}

#[test]
fn keeps_what_an_earlier_stage_asked_for() {
    let mut exchange = exchange("/open", &[]);
    exchange.edits.remove("x-earlier");
    authn(&config()).on_request(&mut exchange, NOW, &mut Alone);
    assert_eq!(exchange.edits.iter().next(), Some(&Edit::Remove("x-earlier".into())));
}

mod remembering;

#[test]
fn discovery_begins_under_the_issuers_own_path() {
    for (uri, expected) in [
        ("https://id.example.com", "/.well-known/openid-configuration"),
        ("https://id.example.com/", "/.well-known/openid-configuration"),
        ("https://id.example.com/realms/r", "/realms/r/.well-known/openid-configuration"),
        ("https://id.example.com/realms/r/", "/realms/r/.well-known/openid-configuration"),
    ] {
        let mut stage = authn(&json!({"jwtRules": [{"issuer": "https://id.example.com/realms/r", "discovery": uri}]}));
        let fetches = stage.due(NOW, &mut crate::stage::Alone).fetches;
        assert_eq!(fetches.iter().map(|fetch| &*fetch.path).collect::<Vec<_>>(), [expected], "{uri}");
    }
}

#[test]
fn refuses_configurations_that_cannot_work() {
    let entry = |entry: Value| json!({"jwtRules": [entry]});
    let cases = [
        (
            entry(json!({"secret": {"env": "S"}})),
            "jwtRules[0]: has neither `issuer` nor `name`; `issuer` is the tokens' `iss`; \
          tokens without `iss` need a `name` here",
        ),
        (
            entry(json!({"issuer": "", "secret": {"env": "S"}})),
            "jwtRules[0].issuer: is empty; leave it out, and give a `name`, \
          when the tokens have no `iss`",
        ),
        (
            entry(json!({"issuer": "a"})),
            "jwtRules[0]: has no keys; give one of `jwks`, `jwksUri`, `tokenKeyUri`, `discovery`, `secret`",
        ),
        (
            entry(json!({"issuer": "a", "secret": {"env": "S"}, "jwksUri": "https://a"})),
            "jwtRules[0]: has both `jwksUri` and `secret`; keys come from one place",
        ),
        (
            entry(json!({"issuer": "a", "secret": {"env": "S"}, "refresh": "5m"})),
            "jwtRules[0].refresh: has no effect without keys that are fetched; remove it",
        ),
        (
            entry(json!({"issuer": "a", "jwks": "<html>"})),
            "jwtRules[0].jwks: the key set is not JSON, or an object in it repeats a name",
        ),
        (
            entry(json!({"issuer": "a", "jwksUri": "https://a", "algorithms": ["HS256"]})),
            "jwtRules[0].algorithms[0]: `HS256` needs a shared secret, and keys at a URI are public; use `secret`, or an algorithm \
          with a public key",
        ),
        (
            entry(json!({"issuer": "a", "jwksUri": "https://a", "algorithms": ["RS265"]})),
            "jwtRules[0].algorithms[0]: is not an algorithm that is supported; did you mean `RS256`?",
        ),
        (
            entry(json!({"issuer": "a", "jwksUri": "https://a", "discovery": "https://a"})),
            "jwtRules[0]: has both `jwksUri` and `discovery`; keys come from one place",
        ),
        (
            entry(json!({"name": "a", "discovery": "https://a"})),
            "jwtRules[0].discovery: needs `issuer`; the `issuer` of the discovery document must equal it",
        ),
        (
            entry(json!({"issuer": "a", "discovery": "https://a/.well-known/openid-configuration"})),
            "jwtRules[0].discovery: is not the URI of an issuer; `/.well-known/openid-configuration` is put behind it; \
          for example https://issuer.example.com",
        ),
        (
            entry(json!({"issuer": "a", "discovery": "https://169.254.169.254"})),
            "jwtRules[0].discovery: leads to a link-local address or a cloud's metadata service; \
          for example https://issuer.example.com",
        ),
        (
            entry(json!({"issuer": "a", "discovery": "https://a", "algorithms": ["HS256"]})),
            "jwtRules[0].algorithms[0]: `HS256` needs a shared secret, and keys at a URI are public; use `secret`, or an algorithm \
          with a public key",
        ),
        (
            entry(json!({"issuer": "a", "jwksUri": "https://a", "jwksHosts": [{"host": "b"}]})),
            "jwtRules[0].jwksHosts: has no effect without `discovery`; remove it",
        ),
        (
            entry(json!({"issuer": "a", "discovery": "https://a", "jwksHosts": [{"host": "https://b"}]})),
            "jwtRules[0].jwksHosts[0].host: has no host; for example keys.example.com or keys.example.com:8443",
        ),
        (
            entry(json!({"issuer": "a", "secret": {"env": "S"}, "clockSkew": "1h"})),
            "jwtRules[0].clockSkew: is longer than 5 minutes; it is for clocks that differ a little, not for expired tokens",
        ),
        (
            entry(json!({"issuer": "a", "jwksUri": "https://a", "timeout": "2m"})),
            "jwtRules[0].timeout: is longer than a minute; requests are held that long while the keys are fetched",
        ),
        (
            entry(json!({"issuer": "a", "secret": {"env": "S"}, "audiences": []})),
            "jwtRules[0].audiences: is empty; leave it out to accept every audience",
        ),
        (
            json!({"jwtRules": [{"issuer": "a", "secret": {"env": "S"}}, {"name": "b", "issuer": "a", "secret": {"env": "S"}}]}),
            "jwtRules[1].issuer: jwtRules[0] is for the same issuer; put its keys into one key set",
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(error(&config), expected);
    }
}
