//! The library inside Envoy's `jwt_authn`: parsing, key sets, verification, time, audience.

use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use portcullis_core::jose::{Algorithm, KeySet, Token};
use portcullis_core::time::UnixTime;
use portcullis_testbed::{Algorithm as SigningAlgorithm, SigningKey};
use serde_json::{Map, Value, json};

use crate::gate::{Ask, Gate};
use crate::row::{Expected, Row};
use crate::{jws, list, read, text};

fn expected(case: &Value) -> Expected {
    Expected::accepted(text(case, "status") == "Ok")
}

/// A well-formed token, as far as that can be told without a key.
pub(super) fn jwt_parse(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "jwt_verify_lib/jwt_parse.json")?;
    let run = |case: &Value| {
        let ours = match Token::parse(text(case, "token").as_bytes()) {
            Ok(_) => "accepted".to_owned(),
            Err(rejection) => format!("refused: {}", rejection.code()),
        };
        Row::new(text(case, "id"), expected(case), ours)
    };
    Ok(list(&document, "cases").iter().map(run).collect())
}

/// A key set, and how many keys of it can be used.
pub(super) fn jwks_parse(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "jwt_verify_lib/jwks_parse.json")?;
    Ok(list(&document, "cases").iter().map(jwks_row).collect())
}

fn jwks_row(case: &Value) -> Row {
    let (id, keys) = (text(case, "id"), text(case, "text"));
    if text(case, "type") == "PEM" {
        let ours = if KeySet::from_pem(keys.as_bytes(), None).is_ok() { "accepted" } else { "refused: key set" };
        return Row::new(id, expected(case), ours);
    }
    let ours = match KeySet::from_jwks(keys.as_bytes()) {
        Ok(set) => {
            let all = serde_json::from_str(keys).map_or(0, |keys: Value| list(&keys, "keys").len());
            let used = all - set.skipped().len();
            match case.get("key_count").and_then(Value::as_u64) {
                Some(count) if usize::try_from(count) != Ok(used) => "accepted, but with other keys".to_owned(),
                _ => "accepted".to_owned(),
            }
        }
        Err(_) => "refused: key set".to_owned(),
    };
    Row::new(id, expected(case), ours)
}

/// An issuer whose tokens are signed with HS256 by a key of this run.
struct Minted {
    key: SigningKey,
    secret: String,
}

impl Minted {
    fn new() -> Result<Self> {
        let key = SigningKey::generate(SigningAlgorithm::Hs256, "minted")?;
        let secret = URL_SAFE_NO_PAD.encode(key.secret()?);
        Ok(Self { key, secret })
    }

    fn rule(&self) -> Value {
        json!({"name": "minted", "secret": {"inline": self.secret, "encoding": "base64url"}, "requireExpiration": false})
    }

    fn token(&self, claims: &Value) -> Result<String> {
        self.key.sign_text(r#"{"alg":"HS256"}"#, &claims.to_string())
    }
}

/// Our own tokens with the times of theirs, whose signatures are dummies.
pub(super) fn time(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "jwt_verify_lib/time.json")?;
    let minted = Minted::new()?;
    let run = |case: &Value| {
        let mut claims = Map::new();
        for name in ["exp", "nbf"] {
            if !list(case, "ignore_claims").contains(&json!(name)) {
                claims.insert(name.to_owned(), document[name].clone());
            }
        }
        let mut rule = minted.rule();
        rule["clockSkew"] = json!(format!("{}s", case["clock_skew_seconds"]));
        let mut gate = Gate::load(&json!({"jwtRules": [rule]}))?;
        let now = UnixTime::from_secs(case["now"].as_u64().context("no time")?);
        let answer = gate.ask(&Ask::get("/").bearer(&minted.token(&claims.into())?), now);
        Ok(Row::answered(text(case, "id"), expected(case), &answer))
    };
    list(&document, "cases").iter().map(run).collect()
}

/// Our own tokens with the audiences of the case.
pub(super) fn audience(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "jwt_verify_lib/audience.json")?;
    let minted = Minted::new()?;
    let run = |case: &Value| {
        let expected = Expected::accepted(case["allowed"] == json!(true));
        let mut rule = minted.rule();
        rule["audiences"] = case["configured"].clone();
        let token = minted.token(&json!({"aud": case["jwt_aud"]}))?;
        Ok(match Gate::load(&json!({"jwtRules": [rule]})) {
            Ok(mut gate) => {
                Row::answered(text(case, "id"), expected, &gate.ask(&Ask::get("/").bearer(&token), UnixTime::from_secs(0)))
            }
            Err(_) => Row::new(text(case, "id"), expected, "refused: configuration"),
        })
    };
    list(&document, "cases").iter().map(run).collect()
}

/// Tokens with keys and a clock, and every small change of their signatures.
///
/// Envoy does not look at `iat`, and some clocks stand before it: such a token has a second row, at the time of its `iat`.
///
/// Envoy tries all keys of a set with a token that names none of them. We take such a token only when one key fits, so a token that
/// Envoy takes has a second row, with the one key of the set that signed it; its changes are tried against that key.
pub(super) fn verify(folder: &Path) -> Result<Vec<Row>> {
    let document = read(folder, "jwt_verify_lib/verify.json")?;
    let mut rows = Vec::new();
    for case in list(&document, "cases") {
        let keys = &document["jwks"][text(case, "jwks")];
        let (id, token) = (text(case, "id"), text(case, "token"));
        let mut lock = Lock::load(keys, case);
        let ours = lock.outcome(token);
        rows.push(Row::new(id, expected(case), &ours));
        if expected(case) == Expected::Accepted && ours == "refused: token_not_yet_valid" {
            lock.now = issued_at(token).unwrap_or(lock.now);
            rows.push(Row::new(format!("{id}#later"), Expected::Accepted, lock.outcome(token)));
        } else if expected(case) == Expected::Accepted && ours != "accepted" {
            let mut single = Lock::single(keys, case, token);
            if let Some(single) = &mut single {
                rows.push(Row::new(format!("{id}#its-key"), Expected::Accepted, single.outcome(token)));
            }
            lock = single.unwrap_or(lock);
        }
        for mutation in list(case, "mutations") {
            let id = format!("{id}#{}", text(mutation, "op"));
            rows.push(Row::new(id, expected(mutation), lock.worst(&mutated(token, text(mutation, "op"))?)));
        }
    }
    Ok(rows)
}

/// A gate with the keys of a case, or why there is none.
struct Lock {
    gate: Result<Judge, &'static str>,
    now: UnixTime,
}

/// What decides about a token: the stage, or for a key in PEM, which no key set holds, the signature layer.
enum Judge {
    Stage(Box<Gate>),
    Key(Box<KeySet>),
}

impl Lock {
    fn load(keys: &Value, case: &Value) -> Self {
        // The texts of some key sets have a trailing comma, which only Envoy's reader allows.
        Self::of(keys, keys.get("text_strict").unwrap_or(&keys["text"]), case)
    }

    fn of(keys: &Value, jwks: &Value, case: &Value) -> Self {
        let now = UnixTime::from_secs(case["now"].as_u64().unwrap_or_default());
        if text(keys, "type") == "PEM" {
            let algorithm = Algorithm::parse(text(keys, "set_alg"));
            let key = KeySet::from_pem(text(keys, "text").as_bytes(), algorithm);
            return Self { gate: key.map(Box::new).map(Judge::Key).map_err(|_| "refused: key set"), now };
        }
        let claims = claims(text(case, "token"));
        let mut rule = json!({"name": "theirs", "jwks": jwks, "requireExpiration": false});
        if let Some(issuer) = claims.get("iss") {
            rule["issuer"] = issuer.clone();
        }
        for name in ["audiences", "aud"] {
            if let Some(audiences) = case.get(name) {
                rule["audiences"] = audiences.clone();
            }
        }
        let gate = Gate::load(&json!({"jwtRules": [rule]}));
        Self { gate: gate.map(Box::new).map(Judge::Stage).map_err(|_| "refused: key set"), now }
    }

    /// The first key of a set that takes the token when it is alone.
    fn single(keys: &Value, case: &Value, token: &str) -> Option<Self> {
        let text = text(keys, if keys.get("text_strict").is_some() { "text_strict" } else { "text" });
        let set: Value = serde_json::from_str(text).ok()?;
        let mut locks = list(&set, "keys").iter().map(|key| Self::of(keys, &json!({"keys": [key]}), case));
        locks.find_map(|mut lock| (lock.outcome(token) == "accepted").then_some(lock))
    }

    fn outcome(&mut self, token: &str) -> String {
        match &mut self.gate {
            Ok(Judge::Stage(gate)) => gate.ask(&Ask::get("/").bearer(token), self.now).outcome(),
            Ok(Judge::Key(keys)) => jws::under(token, keys),
            Err(reason) => (*reason).to_owned(),
        }
    }

    /// `accepted` when any of the tokens is, else how the last one was refused.
    fn worst(&mut self, tokens: &[String]) -> String {
        let mut last = "not run: no change".to_owned();
        for token in tokens {
            last = self.outcome(token);
            if last == "accepted" {
                break;
            }
        }
        last
    }
}

/// The claims of a token, as far as they can be read.
fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).and_then(|claims| URL_SAFE.decode(pad(claims)).ok());
    claims.and_then(|claims| serde_json::from_slice(&claims).ok()).unwrap_or_default()
}

fn issued_at(token: &str) -> Option<UnixTime> {
    claims(token)["iat"].as_u64().map(UnixTime::from_secs)
}

fn pad(part: &str) -> String {
    let part = part.trim_end_matches('=');
    format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4))
}

/// The tokens that a change makes out of a good one.
fn mutated(token: &str, change: &str) -> Result<Vec<String>> {
    let (signed, signature) = token.rsplit_once('.').context("no signature")?;
    let signature = URL_SAFE.decode(pad(signature))?;
    let with = |signature: &[u8]| format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
    Ok(match change {
        "flip_each_signature_bit" => {
            let bits = 0..signature.len() * 8;
            let flipped = bits.map(|bit| {
                let mut signature = signature.clone();
                signature[bit / 8] ^= 1 << (bit % 8);
                with(&signature)
            });
            flipped.collect()
        }
        change if change.starts_with("truncate_signature") => (1..signature.len()).map(|size| with(&signature[..size])).collect(),
        change => anyhow::bail!("a change that is not known: {change}"),
    })
}
