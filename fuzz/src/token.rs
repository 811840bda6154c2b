//! Tokens: what is accepted was signed, and says what was signed.
//!
//! The keys are made when the process starts, so an input is no token but a recipe for one. Its first byte chooses: an algorithm,
//! and whether the rest changes a good token (a list of edits) or writes header and claims, which are then truly signed.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_conformance::others::{self, Policy, Verdict};
use portcullis_conformance::{Ask, Gate};
use portcullis_core::time::UnixTime;
use portcullis_testbed::{Algorithm, Issuer, SigningKey};
use serde_json::{Value, json};

const NOW: u64 = 1_700_000_000;
const ISSUER: &str = "https://issuer.example.com";

/// Four keys of one issuer, and a gate that knows their public parts.
struct World {
    gate: Gate,
    keys: Vec<SigningKey>,
    jwks: Value,
    /// A good token of each key.
    good: Vec<String>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

impl World {
    fn new() -> Self {
        let keys: Vec<_> = [Algorithm::Hs256, Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256]
            .into_iter()
            .map(|algorithm| SigningKey::generate(algorithm, algorithm.as_str()).unwrap())
            .collect();
        let jwks = json!({"keys": keys.iter().map(|key| key.jwk().unwrap()).collect::<Vec<_>>()});
        let gate = Gate::load(&json!({"jwtRules": [{"issuer": ISSUER, "jwks": jwks, "audiences": ["orders"]}]})).unwrap();
        let claims = Issuer::with_keys(ISSUER, Vec::new()).claims();
        let claims = claims.with("iat", NOW - 10).with("exp", NOW + 60).with("n", json!({"a": [1, null, "b"]}));
        let good = keys.iter().map(|key| key.sign(&claims).unwrap()).collect();
        Self { gate, keys, jwks, good }
    }

    fn is_accepted(&mut self, token: &[u8]) -> bool {
        let ask = Ask::get("/").header("authorization", [b"Bearer ", token].concat());
        self.gate.ask(&ask, UnixTime::from_secs(NOW)).refusal.is_none()
    }
}

/// Nothing is accepted that another library does not take for signed by the key that the token names.
pub fn token(input: &[u8]) {
    let Some((choice, recipe)) = input.split_first() else { return };
    WORLD.with_borrow_mut(|world| {
        let key = usize::from(choice & 3);
        let token = match (choice >> 2) & 3 {
            0 | 1 => changed(&world.good[key], recipe),
            2 => written(world, recipe),
            _ => recipe.to_vec(),
        };
        // A good token just before: what is remembered of it is not taken for anything else.
        let good = world.good[key].clone();
        assert!(world.is_accepted(good.as_bytes()), "a good token is refused");
        let accepted = world.is_accepted(&token);
        assert_eq!(world.is_accepted(&token), accepted, "the same token has two fates");
        if accepted {
            let token = std::str::from_utf8(&token).unwrap().trim_matches([' ', '\t']);
            let Some(claims) = others::signed(token, &world.jwks) else { panic!("accepted, but not signed: {}", shown(token)) };
            assert_eq!(claims.get("iss"), Some(&json!(ISSUER)), "accepted for another issuer");
            assert!(claims.get("exp").is_some_and(Value::is_number), "accepted without an end");
            let policy = Policy { jwks: &world.jwks, issuer: ISSUER, audience: "orders" };
            // Within the skew, which the other library is not given.
            let (early, late) = (NOW - 60, NOW + 60);
            let verdicts = [early, NOW, late].map(|now| others::jwt_simple(token, policy, now));
            let is_right = |verdict: &Verdict| *verdict != Verdict::Refuses;
            assert!(verdicts.iter().any(is_right), "accepted, but refused by jwt-simple: {}", shown(token));
        }
    });
}

/// A token for a message: what it says in place of base64.
fn shown(token: &str) -> String {
    token
        .split('.')
        .map(|part| String::from_utf8_lossy(&URL_SAFE_NO_PAD.decode(part).unwrap_or_default()).into_owned())
        .collect::<Vec<_>>()
        .join(" . ")
}

/// Edits of three bytes: what to do, where, with what.
pub(crate) fn changed(good: &str, recipe: &[u8]) -> Vec<u8> {
    let mut token = good.as_bytes().to_vec();
    for edit in recipe.chunks_exact(4).take(64) {
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]])) % (token.len() + 1);
        match edit[0] % 6 {
            0 => token.insert(at, edit[3]),
            1 if at < token.len() => drop(token.remove(at)),
            2 if at < token.len() => token[at] = edit[3],
            3 if at < token.len() => token[at] ^= 1 << (edit[3] & 7),
            4 => token.truncate(at),
            _ => {
                let end = (at + usize::from(edit[3])).min(token.len());
                let part = token[at..end].to_vec();
                drop(token.splice(at..at, part));
            }
        }
    }
    token
}

/// Header and claims as the recipe says, separated by a line feed, under a true HMAC.
fn written(world: &World, recipe: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(recipe);
    let (header, claims) = text.split_once('\n').unwrap_or((&text, ""));
    world.keys[0].sign_text(header, claims).unwrap().into_bytes()
}
