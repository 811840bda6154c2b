//! Published attacks on who a token is for, who signed it, and what is remembered of it. Each test bears the number of its case and,
//! in its text, where it was seen.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::config::Variable;
use portcullis_core::module::Module;
use portcullis_e2e::{Stack, bundle};
use portcullis_testbed::{Algorithm, Claims, Issuer, Request, SigningKey};
use serde_json::{Value, json};

const MALFORMED: &str = "401 token_malformed";
const INVALID: &str = "401 signature_invalid";
/// The order of P-256 (SEC 2 section 2.4.2), big-endian.
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
/// The order of Ed25519's base point (RFC 8032 section 5.1), little-endian.
const ED25519_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

struct World {
    stack: Stack,
    issuer: Issuer,
    /// Takes tokens from a cookie.
    cookies: Issuer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &Algorithm::ASYMMETRIC).unwrap();
        let cookies = Issuer::new("https://cookies.example.com", &[Algorithm::Es256]).unwrap();
        // A second key for one of the algorithms, as while keys are rotated.
        let mut jwks = issuer.jwks().unwrap();
        let next = SigningKey::generate(Algorithm::Es256, "next").unwrap();
        jwks["keys"].as_array_mut().unwrap().push(next.jwk().unwrap());
        let uaa = json!({
            "name": "uaa", "issuer": issuer.name(), "jwks": jwks, "audiences": ["orders"],
            "fromHeaders": [{"name": "Authorization", "prefix": "Bearer "}],
        });
        let mut typed = uaa.clone();
        typed["requireType"] = json!("at+jwt");
        let one_key = json!({"keys": [issuer.key(Algorithm::Es256).unwrap().jwk().unwrap()]});
        let other = json!({
            "name": "cookies", "issuer": cookies.name(), "jwks": cookies.jwks().unwrap(), "fromCookies": ["session"],
        });
        let with = |entries: Value| {
            json!({
                "jwtAuth": {"jwtRules": entries, "rules": [
                    {"name": "admin", "match": {"paths": ["/admin/**"]}, "require": {"roles": ["ADMIN"]}},
                    {"name": "pay", "match": {"paths": ["/pay"]}, "require": {"scopes": ["pay"]}},
                    {"name": "orders", "match": {"paths": ["/orders/**"]}, "require": {"issuers": ["uaa"]}},
                    {"name": "access", "match": {"paths": ["/access"]}, "require": {"claims": [{"claim": "token_use", "equals": "access"}]}},
                ]},
                "authHeader": {"strip": ["x-user-*"], "inject": [{"header": "x-user-id", "claim": "subject"}]},
                "metrics": {"labels": ["decision", "issuer"]},
            })
        };
        // A provider with a tenant in its issuer; all tenants have the same keys.
        let tenants = json!({
            "name": "uaa", "issuer": "https://{tenant}.login.example.com/v2.0", "tenants": ["blue", "green"], "tenantsShareKeys": true,
            "jwks": issuer.jwks().unwrap(),
        });
        let mut alone = uaa.clone();
        alone["jwks"] = one_key;
        let listeners = [
            bundle("gate", &with(json!([uaa, other]))),
            bundle("typed", &with(json!([typed]))),
            bundle("alone", &with(json!([alone]))),
            bundle("tenants", &with(json!([tenants]))),
        ]
        .map(|listener| listener.max_request_headers_kb(96));
        World { stack: Stack::start(listeners, &[]), issuer, cookies }
    })
}

#[track_caller]
fn outcome(listener: &str, path: &str, token: &str) -> String {
    world().stack.outcome(listener, &Request::get(path).bearer(token))
}

fn sign(claims: &Claims) -> String {
    world().issuer.key(Algorithm::Es256).unwrap().sign(claims).unwrap()
}

fn ordinary(algorithm: Algorithm) -> String {
    world().issuer.key(algorithm).unwrap().sign(&world().issuer.claims()).unwrap()
}

fn decoded(token: &str, place: usize) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.split('.').nth(place).unwrap()).unwrap()
}

fn with_part(token: &str, place: usize, part: &str) -> String {
    let mut parts: Vec<_> = token.split('.').collect();
    parts[place] = part;
    parts.join(".")
}

fn with_signature(token: &str, signature: &[u8]) -> String {
    with_part(token, 2, &URL_SAFE_NO_PAD.encode(signature))
}

fn with_header(token: &str, change: impl Fn(&mut Value)) -> String {
    let mut header: Value = serde_json::from_slice(&decoded(token, 0)).unwrap();
    change(&mut header);
    with_part(token, 0, &URL_SAFE_NO_PAD.encode(header.to_string()))
}

fn number(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|place| u8::from_str_radix(&hex[place..place + 2], 16).unwrap()).collect()
}

/// The other signature of the same text by the same key: `n - s` in the place of `s` (SEC 1 section 4.1.4 takes both).
fn twin(token: &str) -> String {
    let (mut signature, order) = (decoded(token, 2), number(P256_ORDER));
    let mut borrow = 0_i16;
    for place in (0..32).rev() {
        let difference = i16::from(order[place]) - i16::from(signature[32 + place]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + place] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    with_signature(token, &signature)
}

/// Gateways that compare the beginning of an audience, or the end of an issuer's host.
#[test]
fn case_19_audiences_and_issuers_are_compared_whole() {
    let World { issuer, .. } = world();
    for (audience, expected) in [
        (json!("orders"), "200"),
        (json!(["billing", "orders"]), "200"),
        (json!(null), MALFORMED),
        (json!("order"), "401 audience_mismatch"),
        (json!("orders2"), "401 audience_mismatch"),
        (json!("Orders"), "401 audience_mismatch"),
        (json!("orders "), "401 audience_mismatch"),
        (json!("orders,billing"), "401 audience_mismatch"),
        (json!("https://orders"), "401 audience_mismatch"),
        (json!("orders/"), "401 audience_mismatch"),
        (json!("*"), "401 audience_mismatch"),
        (json!(""), "401 audience_mismatch"),
        (json!([]), "401 audience_mismatch"),
        (json!([["orders"]]), MALFORMED),
        (json!({"orders": true}), MALFORMED),
        (json!(["orders", 1]), MALFORMED),
    ] {
        assert_eq!(outcome("gate", "/", &sign(&issuer.claims().with("aud", audience.clone()))), expected, "{audience}");
    }
    assert_eq!(outcome("gate", "/", &sign(&issuer.claims().without("aud"))), "401 audience_mismatch", "no audience");
    for name in [
        "https://uaa.example.com/",
        "https://uaa.example.com.evil.com",
        "https://evil-uaa.example.com",
        "https://evil.com/https://uaa.example.com",
        "https://UAA.example.com",
        "http://uaa.example.com",
        "uaa.example.com",
        "https://uaa.example.com\0",
        "",
    ] {
        assert_eq!(outcome("gate", "/", &sign(&issuer.claims().with("iss", name))), "401 issuer_unknown", "{name}");
    }
    for (name, expected) in [
        ("https://blue.login.example.com/v2.0", "200"),
        ("https://green.login.example.com/v2.0", "200"),
        ("https://red.login.example.com/v2.0", "401 issuer_unknown"),
        ("https://evil-blue.login.example.com/v2.0", "401 issuer_unknown"),
        ("https://evil.blue.login.example.com/v2.0", "401 issuer_unknown"),
        ("https://evil.com/.login.example.com/v2.0", "401 issuer_unknown"),
        ("https://blue.login.example.com.evil.com/v2.0", "401 issuer_unknown"),
        ("https://blue.login.example.com/v2.0/", "401 issuer_unknown"),
        ("https://BLUE.login.example.com/v2.0", "401 issuer_unknown"),
        ("https://{tenant}.login.example.com/v2.0", "401 issuer_unknown"),
        ("https://.login.example.com/v2.0", "401 issuer_unknown"),
    ] {
        assert_eq!(outcome("tenants", "/", &sign(&issuer.claims().with("iss", name))), expected, "{name}");
    }
}

/// RFC 9068 section 4: an ID token or a refresh token of the same issuer, with the same keys, sent as an access token.
#[test]
fn case_20_tokens_of_another_type_are_refused() {
    let World { issuer, .. } = world();
    let token = ordinary(Algorithm::Es256);
    // Only the type is looked at before the signature's place: what is changed is signed no more.
    for typ in ["at+jwt", "application/at+jwt"] {
        assert_eq!(outcome("typed", "/", &with_header(&token, |header| header["typ"] = json!(typ))), INVALID, "{typ} unsigned");
    }
    assert_eq!(outcome("typed", "/", &token), "401 type_mismatch", "an ID token is a JWT");
    for (token_use, expected) in [("access", "200"), ("id", "403 claim_mismatch"), ("refresh", "403 claim_mismatch")] {
        let token = sign(&issuer.claims().with("token_use", token_use));
        assert_eq!(outcome("gate", "/access", &token), expected, "{token_use}");
    }
    assert_eq!(outcome("gate", "/access", &token), "403 claim_missing", "no token_use");
}

/// Higress and others that take the first key for one that they do not know.
#[test]
fn case_21_an_unknown_kid_never_falls_back() {
    let token = ordinary(Algorithm::Es256);
    for kid in ["absent", "", "ES256", "es256 ", "0"] {
        for listener in ["gate", "alone"] {
            let forged = with_header(&token, |header| header["kid"] = json!(kid));
            assert_eq!(outcome(listener, "/", &forged), "401 key_unknown", "{kid:?} on {listener}");
        }
    }
    let without = with_header(&token, |header| drop(header.as_object_mut().unwrap().remove("kid")));
    // The header is signed too: with the one key that fits it is the signature that fails, with several nobody guesses.
    assert_eq!(outcome("alone", "/", &without), INVALID, "no kid, one key");
    assert_eq!(outcome("gate", "/", &without), "401 key_unknown", "no kid, several keys");
}

/// CVE-2022-21449, Wycheproof: numbers of a signature out of range, and other encodings of the same ones.
#[test]
fn case_22_signatures_out_of_range_or_in_another_encoding_are_refused() {
    let token = ordinary(Algorithm::Es256);
    let signature = decoded(&token, 2);
    let (r, s) = signature.split_at(32);
    let (zero, order) = (vec![0; 32], number(P256_ORDER));
    let one = [vec![0; 31], vec![1]].concat();
    let der = [&[0x30, 70, 2, 33, 0][..], r, &[2, 33, 0], s].concat();
    for (name, forged) in [
        ("r and s of 0", [&zero[..], &zero].concat()),
        ("r of 0", [&zero, s].concat()),
        ("s of 0", [r, &zero].concat()),
        ("r and s of n", [&order[..], &order].concat()),
        ("s of n", [r, &order].concat()),
        ("r and s of 1", [&one[..], &one].concat()),
        ("63 bytes", signature[..63].to_vec()),
        ("65 bytes", [&signature[..], &[0]].concat()),
        ("numbers of 33 bytes", [&[0], r, &[0], s].concat()),
        ("DER", der),
        ("a P-384 signature's length", vec![1; 96]),
    ] {
        assert_eq!(outcome("gate", "/", &with_signature(&token, &forged)), INVALID, "{name}");
    }
    assert_eq!(outcome("gate", "/", &twin(&token)), "200", "the twin with n - s is a signature of the same text by the same key");

    let token = ordinary(Algorithm::EdDsa);
    let signature = decoded(&token, 2);
    let mut carry = 0;
    let sum: Vec<u8> = signature[32..]
        .iter()
        .zip(number(ED25519_ORDER))
        .map(|(digit, order)| {
            let sum = u16::from(*digit) + u16::from(order) + carry;
            carry = sum >> 8;
            u8::try_from(sum & 0xff).unwrap()
        })
        .collect();
    assert_eq!(outcome("gate", "/", &with_signature(&token, &[&signature[..32], &sum].concat())), INVALID, "S + L");
    for size in [63, 65] {
        let mut signature = signature.clone();
        signature.resize(size, 0);
        assert_eq!(outcome("gate", "/", &with_signature(&token, &signature)), INVALID, "Ed25519, {size} bytes");
    }

    let token = ordinary(Algorithm::Rs256);
    let signature = decoded(&token, 2);
    for (name, forged) in [
        ("a leading zero", [&[0], &signature[..]].concat()),
        ("a byte less", signature[1..].to_vec()),
        ("all ones", vec![0xff; 256]),
        ("one", [vec![0; 255], vec![1]].concat()),
    ] {
        assert_eq!(outcome("gate", "/", &with_signature(&token, &forged)), INVALID, "RSA: {name}");
    }
    let text = token.rsplit_once('.').unwrap().1.to_owned();
    let stray = format!("{}{}", &text[..text.len() - 1], if text.ends_with('B') { 'C' } else { 'B' });
    for (name, forged) in
        [("padding", format!("{text}==")), ("another alphabet", text.replacen(|_: char| true, "+", 1)), ("stray bits", stray)]
    {
        assert_eq!(outcome("gate", "/", &with_part(&token, 2, &forged)), MALFORMED, "base64: {name}");
    }

    let n = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![0xc5; bytes]);
    for (name, n, e) in [("1024 bits", n(128), "AQAB"), ("exponent 1", n(256), "AQ"), ("exponent 3", n(256), "Aw")] {
        let document = json!({"jwtRules": [{"issuer": "a", "jwks": {"keys": [{"kty": "RSA", "n": n, "e": e}]}}]}).to_string();
        let refused = Module::JwtAuth.load(document.as_bytes(), &|_: &str| Variable::Unset).unwrap_err();
        assert!(refused.to_string().starts_with("jwtRules[0].jwks: "), "{name}: {refused}");
    }
}

/// GHSA-rp9m-7r4c-75qg: what is remembered of one token given to the bearer of another; and tokens made to be costly.
#[test]
fn case_23_costly_tokens_are_refused_and_no_two_callers_are_mixed_up() {
    let World { stack, issuer, .. } = world();
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let token = ordinary(Algorithm::Es256);
    for (name, forged, expected) in [
        ("too long", "a".repeat(16 * 1024 + 1), "400 token_too_large"),
        ("nested 5000 deep", with_part(&token, 1, &encode("[".repeat(5_000))), MALFORMED),
        ("objects nested 1500 deep", with_part(&token, 1, &encode("{\"a\":".repeat(1_500))), MALFORMED),
        ("a list of 5000", with_part(&token, 1, &encode(format!("{{\"a\":[{}1]}}", "1,".repeat(5_000)))), "401 issuer_unknown"),
        ("many dots", ".".repeat(16 * 1024), MALFORMED),
        ("1000 parameters", with_header(&token, |header| (0..1_000).for_each(|n| header[format!("p{n}")] = json!(n))), INVALID),
    ] {
        assert_eq!(outcome("gate", "/", &forged), expected, "{name}");
    }
    let tokens: Vec<_> = (0..40)
        .map(|number| {
            let subject = format!("user-{number:02}");
            let token = sign(&issuer.claims().with("sub", subject.as_str()));
            (subject, token)
        })
        .collect();
    for round in 0..3 {
        for (subject, token) in &tokens {
            let seen = stack.passes("gate", &Request::get("/orders/1").bearer(token));
            assert_eq!(seen.headers.get("x-user-id").as_deref(), Some(subject.as_str()), "round {round}");
        }
    }
    for ((_, token), (_, other)) in tokens.iter().zip(&tokens[1..]) {
        let mixed = with_part(token, 2, other.rsplit_once('.').unwrap().1);
        assert_eq!(outcome("gate", "/orders/1", &mixed), INVALID, "the end of one token on the beginning of another");
    }
}

/// OWASP CheatSheetSeries 2242: a list of revoked tokens by their text is passed by with another text for the same token. There is no
/// revocation yet; what it will go by is the token's `jti`, which every copy that is accepted still bears.
#[test]
fn case_24_every_copy_that_is_accepted_is_the_same_token() {
    let World { stack, issuer, .. } = world();
    let token = sign(&issuer.claims().with("jti", "token-24"));
    for (name, copy) in [("the token", token.clone()), ("its twin", twin(&token))] {
        let response = stack.envoy.listener("gate").send(&Request::get("/orders/1").bearer(&copy));
        assert_eq!(response.outcome(), "200", "{name}");
        let principal: Value = serde_json::from_str(&stack.envoy.access_line("gate", &response.id).principal).unwrap();
        assert_eq!(principal["tokenId"], "token-24", "{name}");
    }
    for (name, copy) in [
        ("padding", format!("{token}=")),
        ("a line feed in disguise", format!("{token}%0a")),
        ("a dot at the end", format!("{token}.")),
        ("the header with a space", with_part(&token, 0, &URL_SAFE_NO_PAD.encode([decoded(&token, 0), b" ".to_vec()].concat()))),
    ] {
        assert!(outcome("gate", "/orders/1", &copy).starts_with("401 "), "{name}");
    }
}

/// Envoy pull request 43630: claims that nobody vouched for, used all the same.
#[test]
fn case_25_claims_that_nobody_vouched_for_are_not_used() {
    let World { stack, issuer, .. } = world();
    let claims = issuer.claims().with("sub", "mallory-25").with("roles", json!(["ADMIN"])).with("scope", "pay");
    let forged = with_signature(&sign(&claims), &[7; 64]);
    for path in ["/", "/admin/x", "/pay", "/orders/1"] {
        let request = Request::get(path).bearer(&forged).header("x-user-id", "mallory-25");
        let response = stack.envoy.listener("gate").send(&request);
        assert_eq!(response.outcome(), INVALID, "{path}");
        stack.assert_refusal(&response);
        assert!(!response.text().contains("mallory"), "{path}: {}", response.text());
        let line = stack.envoy.access_line("gate", &response.id);
        assert_eq!(line.principal, "-", "{path}");
        let decision: Value = serde_json::from_str(&line.decision).unwrap();
        assert!(decision["issuer"].is_null(), "{path}: {decision}");
    }
    assert!(!stack.envoy.all_logs().contains("mallory"), "a claim that nobody vouched for is logged");
    assert!(!stack.envoy.stats().contains("mallory"), "a claim that nobody vouched for names a metric");
}

/// The AWS authorizer's cached answer for one route that let callers into another. There is no introspection yet; what is remembered
/// of a token is who it is, never where it may go or where it may stand.
#[test]
fn case_31_what_is_remembered_for_one_route_opens_no_other() {
    let World { stack, issuer, cookies } = world();
    let token = sign(&issuer.claims().with("scope", "pay"));
    for round in 0..3 {
        assert_eq!(outcome("gate", "/orders/1", &token), "200", "round {round}");
        assert_eq!(outcome("gate", "/pay", &token), "200", "round {round}");
        assert_eq!(outcome("gate", "/admin/x", &token), "403 role_missing", "round {round}");
        assert_eq!(outcome("typed", "/orders/1", &token), "401 type_mismatch", "round {round}: under another configuration");
    }
    let session = cookies.token().unwrap();
    let in_cookie = Request::get("/").header("cookie", format!("session={session}"));
    for round in 0..3 {
        assert_eq!(stack.outcome("gate", &in_cookie), "200", "round {round}");
        assert_eq!(
            outcome("gate", "/", &session),
            "401 issuer_unknown",
            "round {round}: in a place that its issuer does not use"
        );
        let theirs = Request::get("/").header("cookie", format!("session={token}"));
        assert_eq!(stack.outcome("gate", &theirs), "401 issuer_unknown", "round {round}: in the place of another issuer");
        assert_eq!(
            stack.outcome("gate", &Request::get("/orders/1").header("cookie", format!("session={session}"))),
            "401 issuer_not_allowed"
        );
    }
}
