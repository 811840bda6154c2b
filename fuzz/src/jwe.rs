//! Encrypted tokens: nothing opens that was changed, and nothing is accepted that was not signed.
//!
//! The first byte of an input chooses: tokens that another library made and the rest changes (a list of edits), a header and a
//! content that the rest writes and that are then truly encrypted, or the rest as it is. In a written content `@` stands for a
//! good signed token.

use std::cell::RefCell;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_conformance::others;
use portcullis_conformance::{Ask, Gate};
use portcullis_core::encryption::{ContentEncryption, ContentKey};
use portcullis_core::jwe::{DecryptionKeys, EncryptedToken};
use portcullis_core::time::UnixTime;
use portcullis_testbed::{Algorithm, Issuer, SigningKey};
use serde_json::{Value, json};

use crate::token::changed;

const NOW: u64 = 1_700_000_000;
const ISSUER: &str = "https://issuer.example.com";
const SHARED: [u8; 32] = [7; 32];
/// Keys of each kind and tokens that are encrypted to them, made by jwcrypto.
const MADE: &str = include_str!("../../crates/core/src/jwe/tests/jwcrypto.json");

struct World {
    keys: DecryptionKeys,
    /// Tokens with what is in them.
    made: Vec<(String, Vec<u8>)>,
    gate: Gate,
    jwks: Value,
    signed: String,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

impl World {
    fn new() -> Self {
        let made: Value = serde_json::from_str(MADE).unwrap();
        let (keys, _) = DecryptionKeys::from_jwks(MADE.as_bytes()).unwrap();
        let text = |token: &Value| token["token"].as_str().unwrap().to_owned();
        let opened = |token: &Value| keys.open(&EncryptedToken::read(text(token).as_bytes()).unwrap()).unwrap().to_vec();
        let made = made["tokens"].as_array().unwrap().iter().map(|token| (text(token), opened(token))).collect();
        let key = SigningKey::generate(Algorithm::Hs256, "k").unwrap();
        let jwks = json!({"keys": [key.jwk().unwrap()]});
        let shared = json!({"keys": [{"kty": "oct", "k": URL_SAFE_NO_PAD.encode(SHARED)}]});
        let decryption = json!({"jwks": {"inline": shared.to_string()}});
        let gate = Gate::load(&json!({"jwtRules": [{"issuer": ISSUER, "jwks": jwks, "decryption": decryption}]})).unwrap();
        let claims = Issuer::with_keys(ISSUER, Vec::new()).claims().with("iat", NOW - 10).with("exp", NOW + 60);
        let signed = key.sign(&claims).unwrap();
        Self { keys, made, gate, jwks, signed }
    }

    fn is_accepted(&mut self, token: &[u8]) -> bool {
        let ask = Ask::get("/").header("authorization", [b"Bearer ", token].concat());
        self.gate.ask(&ask, UnixTime::from_secs(NOW)).refusal.is_none()
    }
}

/// What opens is what was encrypted, and what is accepted was signed.
pub fn jwe(input: &[u8]) {
    let Some((choice, recipe)) = input.split_first() else { return };
    WORLD.with_borrow_mut(|world| match choice & 3 {
        0 | 1 => {
            let (good, content) = &world.made[usize::from(choice >> 2) % world.made.len()];
            let token = changed(good, recipe);
            if let Ok(encrypted) = EncryptedToken::read(&token)
                && let Ok(opened) = world.keys.open(&encrypted)
            {
                assert!(token == good.as_bytes() && *opened == *content, "a changed token opens");
            }
            assert!(!world.is_accepted(&token), "a token that is not signed is accepted");
        }
        2 => {
            let text = String::from_utf8_lossy(recipe);
            let (header, content) = text.split_once('\n').unwrap_or((&text, "@"));
            let content = content.replace('@', &world.signed);
            let token = sealed(header, content.as_bytes());
            if world.is_accepted(token.as_bytes()) {
                let found: Value = serde_json::from_str(header).unwrap();
                assert_eq!((&found["alg"], &found["enc"]), (&json!("dir"), &json!("A256GCM")), "decrypted in another way");
                let asks = |name: &&str| found.get(*name).is_some();
                assert!(!["zip", "crit", "b64"].iter().any(asks), "a header that asks for more is taken");
                let claims = others::signed(content.trim_matches([' ', '\t']), &world.jwks).expect("accepted, but not signed");
                assert_eq!(claims.get("iss"), Some(&json!(ISSUER)), "accepted for another issuer");
            }
        }
        _ => {
            if let Ok(encrypted) = EncryptedToken::read(recipe) {
                drop(world.keys.open(&encrypted));
            }
            let accepted = world.is_accepted(recipe);
            assert!(!accepted || recipe == world.signed.as_bytes(), "a stranger's token is accepted");
        }
    });
}

/// A token with this header, truly encrypted with the shared key, whatever the header says.
fn sealed(header: &str, content: &[u8]) -> String {
    let header = URL_SAFE_NO_PAD.encode(header);
    let key = ContentKey::new(ContentEncryption::A256Gcm, &SHARED).unwrap();
    let (ciphertext, tag) = key.seal(&[1; 12], header.as_bytes(), content).unwrap();
    let [nonce, ciphertext, tag] = [&[1; 12][..], &ciphertext, &tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}..{nonce}.{ciphertext}.{tag}")
}
