//! Where a credential may stand, that it stands there once, and that the upstream does not get it.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_e2e::{Stack, jwt_auth};
use portcullis_testbed::{Algorithm, Issuer, Request};
use serde_json::{Value, json};

struct World {
    stack: Stack,
    issuer: Issuer,
    by_cookie: Issuer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
        let by_cookie = Issuer::new("https://cookie.example.com", &[Algorithm::Es256]).unwrap();
        let rule = |issuer: &Issuer, more: Value| {
            let mut rule = json!({"name": issuer.name(), "issuer": issuer.name(), "jwks": issuer.jwks().unwrap()});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rule
        };
        let everywhere = json!({
            "fromHeaders": [{"name": "Authorization", "prefix": "Bearer "}, {"name": "x-jwt", "prefix": "Token "}, {"name": "x-bare"}],
            "fromParams": ["access_token"],
            "fromCookies": ["session"],
        });
        let mut forwarding = everywhere.clone();
        forwarding["forwardOriginalToken"] = json!(true);
        let output = json!({
            "outputPayloadToHeader": "x-payload",
            "outputClaimToHeaders": [{"header": "x-user", "claim": "sub"}, {"header": "x-tenant", "claim": "tenant.name"}],
        });
        let listeners = [
            jwt_auth("everywhere", &json!({"jwtRules": [rule(&issuer, everywhere), rule(&by_cookie, json!({"fromCookies": ["session"]}))]})),
            jwt_auth("forwarding", &json!({"jwtRules": [rule(&issuer, forwarding)]})),
            jwt_auth("default", &json!({"jwtRules": [rule(&issuer, json!({}))]})),
            jwt_auth("output", &json!({"jwtRules": [rule(&issuer, output)], "rules": [{"match": {"paths": ["/open"]}, "access": "public"}]})),
        ];
        World { stack: Stack::start(listeners, &[]), issuer, by_cookie }
    })
}

/// The same token at each place where it may stand.
fn at_each_place(token: &str) -> [(&'static str, Request); 5] {
    [
        ("authorization", Request::get("/a?b=c").bearer(token)),
        ("header with its own prefix", Request::get("/a?b=c").header("x-jwt", format!("Token {token}"))),
        ("header without prefix", Request::get("/a?b=c").header("x-bare", token)),
        ("query parameter", Request::get(format!("/a?b=c&access_token={token}&d=e"))),
        ("cookie", Request::get("/a?b=c").header("cookie", format!("theme=dark; session={token}; lang=de"))),
    ]
}

#[test]
fn finds_the_token_at_each_place_and_does_not_forward_it() {
    let World { stack, issuer, .. } = world();
    let token = issuer.token().unwrap();
    for (place, request) in at_each_place(&token) {
        let seen = stack.passes("everywhere", &request);
        let all: Vec<_> =
            seen.headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect();
        assert!(!all.join("\n").contains(&token), "{place}: {all:#?}");
        assert!(!seen.path.contains(&token) && seen.path.starts_with("/a?b=c"), "{place}: {}", seen.path);
        match place {
            "query parameter" => assert_eq!(seen.path, "/a?b=c&d=e"),
            "cookie" => assert_eq!(seen.headers.get("cookie").as_deref(), Some("theme=dark; lang=de")),
            _ => assert_eq!(seen.path, "/a?b=c"),
        }
    }
}

#[test]
fn forwards_the_token_where_that_is_wanted() {
    let World { stack, issuer, .. } = world();
    let token = issuer.token().unwrap();
    for (place, request) in at_each_place(&token) {
        let seen = stack.passes("forwarding", &request);
        let is_there =
            seen.path.contains(&token) || seen.headers.iter().any(|(_, value)| String::from_utf8_lossy(value).contains(&token));
        assert!(is_there, "{place}");
    }
}

#[test]
fn denies_bad_tokens_at_each_place() {
    let World { issuer, .. } = world();
    let expired = issuer.sign(&issuer.claims().expiring_in(-3600)).unwrap();
    for (place, request) in at_each_place(&expired) {
        assert_eq!(world().stack.outcome("everywhere", &request), "401 token_expired", "{place}");
    }
}

#[test]
fn denies_two_credentials_wherever_they_stand() {
    let World { stack, issuer, .. } = world();
    let token = &issuer.token().unwrap();
    let places = ["authorization", "x-jwt", "x-bare", "query", "cookie"];
    let request = |chosen: &[&str]| {
        let target = if chosen.contains(&"query") { format!("/?access_token={token}") } else { "/".to_owned() };
        chosen.iter().fold(Request::get(target), |request, place| match *place {
            "authorization" => request.bearer(token),
            "x-jwt" => request.header("x-jwt", format!("Token {token}")),
            "x-bare" => request.header("x-bare", token),
            "cookie" => request.header("cookie", format!("session={token}")),
            _ => request,
        })
    };
    for (index, first) in places.iter().enumerate() {
        assert_eq!(stack.outcome("everywhere", &request(&[first])), "200", "{first} alone");
        for second in &places[index + 1..] {
            assert_eq!(
                stack.outcome("everywhere", &request(&[first, second])),
                "400 credentials_multiple",
                "{first} and {second}"
            );
        }
    }
    for (name, request) in [
        ("the same header twice", Request::get("/").bearer(token).bearer(token)),
        (
            "two header lines in different case",
            Request::get("/").bearer(token).header("AUTHORIZATION", format!("Bearer {token}")),
        ),
        ("own header twice", Request::get("/").header("x-bare", token).header("X-Bare", token)),
        ("parameter twice", Request::get(format!("/?access_token={token}&access_token={token}"))),
        ("cookie twice", Request::get("/").header("cookie", format!("session={token}; session={token}"))),
    ] {
        assert_eq!(stack.outcome("everywhere", &request), "400 credentials_multiple", "{name}");
    }
}

#[test]
fn looks_nowhere_else() {
    let World { stack, issuer, .. } = world();
    let token = issuer.token().unwrap();
    for (place, request) in at_each_place(&token) {
        let expected = if place == "authorization" { "200" } else { "401 token_missing" };
        assert_eq!(stack.outcome("default", &request), expected, "{place}");
    }
    for (name, request) in [
        ("Basic", Request::get("/").header("authorization", "Basic YWxpY2U6c2VjcmV0")),
        ("another prefix", Request::get("/").header("x-jwt", format!("Bearer {token}"))),
        ("part of a parameter's name", Request::get(format!("/?my_access_token={token}"))),
        ("part of a cookie's name", Request::get("/").header("cookie", format!("mysession={token}"))),
        ("in the fragment of a value", Request::get(format!("/?a=access_token={token}"))),
    ] {
        assert_eq!(stack.outcome("everywhere", &request), "401 token_missing", "{name}");
    }
}

#[test]
fn issuer_is_bound_to_its_own_sources() {
    let World { stack, by_cookie, .. } = world();
    let token = by_cookie.token().unwrap();
    let cookie = Request::get("/").header("cookie", format!("session={token}"));
    assert_eq!(stack.outcome("everywhere", &cookie), "200");
    assert_eq!(stack.outcome("everywhere", &Request::get("/").bearer(&token)), "401 issuer_unknown");
}

#[test]
fn output_headers_are_set_or_removed_and_never_the_clients() {
    let World { stack, issuer, .. } = world();
    let forged = |request: Request| request.header("x-user", "admin").header("x-tenant", "other").header("x-payload", "e30");
    let claims = issuer.claims().with("tenant", json!({"name": "acme"}));
    let seen = stack.passes("output", &forged(Request::get("/").bearer(&issuer.sign(&claims).unwrap())));
    assert_eq!(seen.headers.get("x-user").as_deref(), Some("alice"));
    assert_eq!(seen.headers.get("x-tenant").as_deref(), Some("acme"));
    let payload = URL_SAFE_NO_PAD.decode(seen.headers.get("x-payload").unwrap()).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&payload).unwrap(), Value::Object(claims.as_map().clone()));

    let seen = stack.passes("output", &forged(Request::get("/").bearer(&issuer.token().unwrap())));
    assert_eq!(seen.headers.get("x-tenant"), None, "the token has no tenant");
    let seen = stack.passes("output", &forged(Request::get("/open")));
    for name in ["x-user", "x-tenant", "x-payload"] {
        assert_eq!(seen.headers.get(name), None, "{name} on a public path");
    }
}
