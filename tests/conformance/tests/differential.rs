//! The same tokens before two other libraries: what they refuse is not accepted here.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_conformance::others::{self, Policy, Verdict};
use portcullis_conformance::{Ask, Gate};
use portcullis_core::time::UnixTime;
use portcullis_testbed::{Algorithm, Issuer, SigningKey};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

const ISSUER: &str = "https://issuer.example.com";
const AUDIENCE: &str = "orders";
/// How many tokens of each kind are tried.
const CASES: u32 = 200;

/// Whether an exception is about a token with this header and these claims.
type Applies = fn(&Map<String, Value>, &Map<String, Value>) -> bool;

/// Where another library refuses what is right all the same: whose fault it is, and of which tokens.
const EXCEPTIONS: [(&str, Applies); 2] = [
    ("a header member that nobody needs is read by its type, or has to be text", |header, _| {
        header.keys().any(|name| !["alg", "kid", "typ"].contains(&name.as_str()))
    }),
    ("a NumericDate has no fraction (RFC 7519 section 2 says that it may)", |_, claims| {
        ["exp", "nbf", "iat"].iter().any(|name| claims.get(*name).is_some_and(|time| time.as_u64().is_none()))
    }),
];

/// A gate, and the same policy for the others.
struct World {
    gate: Gate,
    keys: Vec<SigningKey>,
    jwks: Value,
    now: u64,
    accepted: u32,
}

impl World {
    fn new() -> Self {
        let algorithms =
            [Algorithm::Hs256, Algorithm::Hs512, Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];
        let keys: Vec<_> =
            algorithms.iter().map(|algorithm| SigningKey::generate(*algorithm, algorithm.as_str()).unwrap()).collect();
        let jwks = json!({"keys": keys.iter().map(|key| key.jwk().unwrap()).collect::<Vec<_>>()});
        let rule = json!({"issuer": ISSUER, "audiences": [AUDIENCE], "jwks": jwks, "clockSkew": "0s"});
        let gate = Gate::load(&json!({"jwtRules": [rule]})).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        Self { gate, keys, jwks, now, accepted: 0 }
    }

    fn claims(&self) -> Value {
        Value::Object(
            Issuer::with_keys(ISSUER, Vec::new())
                .claims()
                .with("iat", self.now - 30)
                .with("exp", self.now + 3600)
                .as_map()
                .clone(),
        )
    }

    /// What is accepted here is signed, and accepted by both others, or there is a reason.
    fn compare(&mut self, token: &str) -> Result<(), String> {
        let ask = Ask::get("/").bearer(token);
        if self.gate.ask(&ask, UnixTime::from_secs(self.now)).refusal.is_some() {
            return Ok(());
        }
        self.accepted += 1;
        let token = token.trim_matches(' ');
        let part = |place: usize| {
            let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(place).unwrap_or_default()).unwrap_or_default();
            serde_json::from_slice::<Map<String, Value>>(&bytes).unwrap_or_default()
        };
        let (header, claims) = (part(0), part(1));
        let shown = format!("{} . {}", Value::Object(header.clone()), Value::Object(claims.clone()));
        if others::signed(token, &self.jwks).is_none() {
            return Err(format!("accepted, but not signed: {shown}"));
        }
        let policy = Policy { jwks: &self.jwks, issuer: ISSUER, audience: AUDIENCE };
        let verdicts =
            [("jwt-simple", others::jwt_simple(token, policy, self.now)), ("jsonwebtoken", others::jsonwebtoken(token, policy))];
        for (library, verdict) in verdicts {
            let is_explained = EXCEPTIONS.iter().any(|(_, applies)| applies(&header, &claims));
            if verdict != Verdict::Accepts && !is_explained {
                return Err(format!("accepted, but {library} {verdict:?}: {shown}"));
            }
        }
        Ok(())
    }
}

/// Run a comparison on many inputs; some of them have to be accepted, else nothing was compared.
fn run<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>, token: impl Fn(&World, T) -> String) {
    let world = std::cell::RefCell::new(World::new());
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&strategy, |input| {
        let token = token(&world.borrow(), input);
        world.borrow_mut().compare(&token).map_err(TestCaseError::fail)
    });
    assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    assert!(world.borrow().accepted > 0, "no token was accepted");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,3}", inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A token with any claims beside the ordinary ones, signed by any key.
#[test]
fn case_48_signed_claims_have_one_fate() {
    let names = prop_oneof!["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "roles", "[a-z]{1,4}"];
    let times = prop_oneof![
        Just(json!(0)),
        Just(json!(1)),
        (0..5_000_000_000_u64).prop_map(Value::from),
        (0.0..5e9).prop_map(Value::from)
    ];
    let audiences = prop_oneof![Just(json!("orders")), Just(json!(["x", "orders"])), Just(json!([])), Just(json!("Orders"))];
    let value = prop_oneof![any_json(), times, audiences];
    let changes = proptest::collection::vec((names, value), 0..3);
    run((0..6_usize, changes), |world, (key, changes)| {
        let mut claims = portcullis_testbed::Claims::new();
        for (name, value) in world.claims().as_object().unwrap() {
            claims = claims.with(name, value.clone());
        }
        claims = changes.into_iter().fold(claims, |claims, (name, value)| claims.with(&name, value));
        world.keys[key].sign(&claims).unwrap()
    });
}

/// A token with any header, truly signed.
#[test]
fn case_48_signed_headers_have_one_fate() {
    let names = prop_oneof!["kid", "typ", "cty", "crit", "b64", "zip", "enc", "jwk", "jku", "x5c", "x5u", "alg", "[a-z]{1,3}"];
    let values = prop_oneof![
        any_json(),
        Just(json!("HS256")),
        Just(json!("HS512")),
        Just(json!("none")),
        Just(json!("JWT")),
        Just(json!("at+jwt")),
        Just(json!(["exp"])),
    ];
    let members = proptest::collection::vec((names, values), 0..3);
    run(members, |world, members| {
        let mut header = json!({"alg": "HS256"});
        members.into_iter().for_each(|(name, value)| header[name] = value);
        world.keys[0].sign_text(&header.to_string(), &world.claims().to_string()).unwrap()
    });
}

/// A good token with some of its characters changed.
#[test]
fn case_48_changed_tokens_have_one_fate() {
    let edit = (
        0..6_u8,
        any::<prop::sample::Index>(),
        prop_oneof![Just('.'), Just('='), Just(' '), Just('A'), proptest::char::range('!', '~')],
    );
    let edits = proptest::collection::vec(edit, 0..3);
    run((0..6_usize, edits), |world, (key, edits)| {
        let mut claims = portcullis_testbed::Claims::new();
        for (name, value) in world.claims().as_object().unwrap() {
            claims = claims.with(name, value.clone());
        }
        let mut token: Vec<char> = world.keys[key].sign(&claims).unwrap().chars().collect();
        for (kind, place, character) in edits {
            let place = place.index(token.len().max(1));
            match kind {
                0 => token.insert(place, character),
                1 if place < token.len() => drop(token.remove(place)),
                2 if place < token.len() => token[place] = character,
                3 => token.truncate(place),
                4 => token.push(character),
                _ => token.insert(0, character),
            }
        }
        token.into_iter().collect()
    });
}
