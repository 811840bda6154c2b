//! Identifiers that the issuer encrypted with a shared key: the upstream gets what was encrypted, or nothing.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis_e2e::Stack;
use portcullis_testbed::{Algorithm, Issuer, Listener, Module, Plugin, Request};
use serde_json::{Value, json};

use crate::{hex, made};

const ISSUER: &str = "https://uaa.example.com";
const SUBJECT: &str = "alice";
const AAD: &str = "{issuer}|{sub}";
const IDENTIFIER: &str = "member-4711/ZÜ";
/// The identifier as a header carries it.
const HEADER: &str = "member-4711/Z%C3%9C";

/// Each algorithm with the length of its key and its nonce.
const ALGORITHMS: [(&str, usize, usize); 7] = [
    ("A128GCM", 16, 12),
    ("A256GCM", 32, 12),
    ("XC20P", 32, 24),
    ("A128CBC-HS256", 32, 16),
    ("A256CBC-HS256", 64, 16),
    ("A128CBC", 16, 16),
    ("A256CBC", 32, 16),
];
/// The key of so many bytes, or the one that it replaces.
fn key(bytes: usize, is_old: bool) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from(at * 7 % 251).unwrap() ^ if is_old { 0x55 } else { 0 }).collect()
}

fn is_legacy(algorithm: &str) -> bool {
    algorithm.ends_with("CBC")
}

struct World {
    stack: Stack,
    issuer: Issuer,
}

/// Like Istio's `pluginConfig`, with everything around the one injection that a listener is about.
fn configuration(issuer: &Issuer, inject: &Value) -> Value {
    let mut header = json!({"header": "x-member-id", "claim": "enc.uid"});
    header.as_object_mut().unwrap().extend(inject.as_object().unwrap().clone());
    json!({
        "jwtAuth": {"jwtRules": [{"name": "uaa", "issuer": ISSUER, "jwks": issuer.jwks().unwrap().to_string()}]},
        "authHeader": {"strip": ["x-member-*"], "inject": [header]},
        "auditLog": {"default": {"record": "always"}, "include": {"claims": ["sub"]}},
        "metrics": {},
    })
}

fn decrypt(algorithm: &str, bytes: usize) -> Value {
    let mut decrypt = json!({"algorithm": algorithm, "key": {"env": format!("KEY_{bytes}"), "encoding": "base64"}});
    if is_legacy(algorithm) {
        decrypt["legacy"] = json!(true);
    } else {
        decrypt["aad"] = json!(AAD);
    }
    decrypt
}

fn with(value: &Value, key: &str, member: Value) -> Value {
    let mut value = value.clone();
    value[key] = member;
    value
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap();
        let plugin = |module: Module, configuration: &Value| {
            let plugin = Plugin::new(module, configuration);
            let plugin = [16, 32, 64]
                .into_iter()
                .fold(plugin, |plugin, bytes| plugin.variable(&format!("KEY_{bytes}"), &STANDARD.encode(key(bytes, false))));
            plugin.variable("OLD_KEY", &STANDARD.encode(key(32, true)))
        };
        let bundle =
            |name: &str, inject: Value| Listener::new(name).plugin(plugin(Module::Portcullis, &configuration(&issuer, &inject)));
        let mut listeners: Vec<Listener> = ALGORITHMS
            .into_iter()
            .map(|(algorithm, bytes, _)| bundle(algorithm, json!({"decrypt": decrypt(algorithm, bytes)})))
            .collect();
        let gcm = decrypt("A256GCM", 32);
        let keys = json!([
            {"id": "new", "key": {"env": "KEY_32", "encoding": "base64"}},
            {"id": "old", "key": {"env": "OLD_KEY", "encoding": "base64"}},
        ]);
        let mut rotated = json!({"algorithm": "A256GCM", "keys": keys, "aad": AAD});
        let chained = configuration(&issuer, &json!({"decrypt": gcm}));
        listeners.extend([
            bundle("optional", json!({"decrypt": gcm, "required": false})),
            bundle("required", json!({"decrypt": gcm, "required": true})),
            bundle("other-aad", json!({"decrypt": with(&gcm, "aad", json!("{issuer}|{tokenId}"))})),
            bundle("no-aad", json!({"decrypt": {"algorithm": "A256GCM", "key": {"env": "KEY_32", "encoding": "base64"}}})),
            bundle("old-key", json!({"decrypt": with(&gcm, "key", json!({"env": "OLD_KEY", "encoding": "base64"}))})),
            bundle("nonce-apart", json!({"decrypt": with(&gcm, "nonce", json!({"claim": "enc.nonce"}))})),
            bundle("base64", json!({"decrypt": with(&gcm, "encoding", json!("base64"))})),
            bundle("hex", json!({"decrypt": with(&gcm, "encoding", json!("hex"))})),
            bundle("either-key", json!({"decrypt": rotated})),
        ]);
        rotated["keyId"] = json!("prefix");
        listeners.push(bundle("key-by-prefix", json!({"decrypt": rotated})));
        rotated["keyId"] = json!({"claim": "enc.kid"});
        listeners.push(bundle("key-by-claim", json!({"decrypt": rotated})));
        let parts = [
            (Module::Metrics, "metrics"),
            (Module::AuditLog, "auditLog"),
            (Module::JwtAuth, "jwtAuth"),
            (Module::AuthHeader, "authHeader"),
        ];
        let chain =
            parts.into_iter().fold(Listener::new("chain"), |chain, (module, part)| chain.plugin(plugin(module, &chained[part])));
        listeners.push(chain);
        World { stack: Stack::start(listeners, &[]), issuer }
    })
}

/// What the issuer encrypts with one algorithm.
fn sealed(algorithm: &str, is_old: bool) -> Vec<u8> {
    let (_, key_bytes, nonce_bytes) = ALGORITHMS.into_iter().find(|(name, ..)| *name == algorithm).unwrap();
    let job = json!({
        "make": "identifier", "algorithm": algorithm, "key": hex(&key(key_bytes, is_old)),
        "nonce": hex(&vec![0xa5; nonce_bytes]), "aad": hex(format!("{ISSUER}|{SUBJECT}").as_bytes()),
        "text": hex(IDENTIFIER.as_bytes()),
    });
    let made = made(&[job])[0].as_str().unwrap().to_owned();
    (0..made.len()).step_by(2).map(|at| u8::from_str_radix(&made[at..at + 2], 16).unwrap()).collect()
}

impl World {
    /// A request of a caller whose token has these claims; the client sends the header as well.
    fn request(&self, enc: Value) -> Request {
        let claims = self.issuer.claims().with("sub", SUBJECT).with("jti", "t1").with("enc", enc);
        let token = self.issuer.sign(&claims).unwrap();
        Request::get("/orders").bearer(&token).header("X_Member_Id", "forged").header("x-member-id", "forged")
    }

    /// The header that the upstream gets.
    #[track_caller]
    fn told(&self, listener: &str, enc: Value) -> Vec<String> {
        self.stack.passes(listener, &self.request(enc)).headers.all("x-member-id")
    }

    #[track_caller]
    fn refused(&self, listener: &str, enc: Value, expected: &str) {
        assert_eq!(self.stack.outcome(listener, &self.request(enc)), expected, "{listener}");
    }
}

fn uid(bytes: &[u8]) -> Value {
    json!({"uid": URL_SAFE_NO_PAD.encode(bytes)})
}

#[test]
fn the_upstream_gets_what_another_library_encrypted() {
    for (algorithm, ..) in ALGORITHMS {
        let enc = uid(&sealed(algorithm, false));
        // Twice: the second time from what is remembered of the token.
        let request = world().request(enc);
        for _ in 0..2 {
            let seen = world().stack.passes(algorithm, &request);
            assert_eq!(seen.headers.all("x-member-id"), [HEADER], "{algorithm}");
            assert!(seen.headers.all("x_member_id").is_empty(), "{algorithm}");
        }
    }
    assert_eq!(world().told("chain", uid(&sealed("A256GCM", false))), [HEADER]);
}

#[test]
fn reads_each_encoding_and_a_nonce_apart() {
    let bytes = sealed("A256GCM", false);
    assert_eq!(world().told("base64", json!({"uid": STANDARD.encode(&bytes)})), [HEADER]);
    assert_eq!(world().told("hex", json!({"uid": hex(&bytes).to_uppercase()})), [HEADER]);
    let apart = json!({"nonce": URL_SAFE_NO_PAD.encode(&bytes[..12]), "uid": URL_SAFE_NO_PAD.encode(&bytes[12..])});
    assert_eq!(world().told("nonce-apart", apart.clone()), [HEADER]);
    world().refused("nonce-apart", json!({"uid": apart["uid"]}), "403 identifier_undecryptable");
    world().refused("hex", uid(&bytes), "403 identifier_undecryptable");
}

#[test]
fn a_key_is_replaced_by_another_without_a_gap() {
    let (new, old) = (sealed("A256GCM", false), sealed("A256GCM", true));
    for bytes in [&new, &old] {
        assert_eq!(world().told("either-key", uid(bytes)), [HEADER]);
    }
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let undecryptable = "403 identifier_undecryptable";
    for (bytes, id, other) in [(&new, "new", "old"), (&old, "old", "new")] {
        assert_eq!(world().told("key-by-prefix", json!({"uid": format!("{id}.{}", text(bytes))})), [HEADER]);
        assert_eq!(world().told("key-by-claim", json!({"uid": text(bytes), "kid": id})), [HEADER]);
        world().refused("key-by-prefix", json!({"uid": format!("{other}.{}", text(bytes))}), undecryptable);
        world().refused("key-by-claim", json!({"uid": text(bytes), "kid": other}), undecryptable);
    }
    world().refused("key-by-prefix", uid(&new), undecryptable);
    world().refused("key-by-claim", json!({"uid": text(&new), "kid": "../../old"}), undecryptable);
    world().refused("old-key", uid(&new), undecryptable);
}

/// Case 39: wrong key, wrong AAD, a tampered tag, less than all: refused, or left out where it may be; what was encrypted goes
/// nowhere, and neither does the claim.
#[test]
fn case_39_never_passes_ciphertext_or_partial_plaintext() {
    let bytes = sealed("A256GCM", false);
    let changed = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        uid(&bytes)
    };
    let last = bytes.len() - 1;
    let cases = [
        ("a tampered tag", changed(last)),
        ("a tampered ciphertext", changed(14)),
        ("a tampered nonce", changed(0)),
        ("less than all", uid(&bytes[..last])),
        ("half of it", uid(&bytes[..last / 2])),
        ("less than a nonce", uid(&bytes[..5])),
        ("nothing", json!({"uid": ""})),
        ("another key", uid(&sealed("A256GCM", true))),
        ("another algorithm", uid(&sealed("A128GCM", false))),
        ("not encrypted", json!({"uid": IDENTIFIER})),
        ("not text", json!({"uid": {"a": URL_SAFE_NO_PAD.encode(&bytes)}})),
        ("a line feed", json!({"uid": format!("{}\n", URL_SAFE_NO_PAD.encode(&bytes))})),
    ];
    for (case, enc) in cases {
        for listener in ["A256GCM", "required", "chain"] {
            world().refused(listener, enc.clone(), "403 identifier_undecryptable");
        }
        let seen = world().stack.passes("optional", &world().request(enc));
        let names: Vec<_> = seen.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        assert!(!names.iter().any(|name| name.replace('_', "-") == "x-member-id"), "{case}: {names:?}");
    }
    for listener in ["other-aad", "no-aad"] {
        world().refused(listener, uid(&bytes), "403 identifier_undecryptable");
    }
    // Without the claim there is nothing to decrypt.
    assert!(world().told("A256GCM", json!({})).is_empty() && world().told("optional", json!({})).is_empty());
    world().refused("required", json!({}), "403 claim_missing");
}

/// Case 38: neither the identifier nor its key stands in any log, audit event or figure of the proxy.
#[test]
fn case_38_neither_identifier_nor_key_is_in_any_log() {
    let enc = uid(&sealed("A256GCM", false));
    for listener in ["A256GCM", "chain"] {
        let request = world().request(enc.clone());
        assert_eq!(world().stack.passes(listener, &request).headers.all("x-member-id"), [HEADER]);
        let event = world().stack.envoy.audit_event(listener, request.id());
        assert_eq!(event["principal"]["claims"]["sub"], json!(SUBJECT), "{event}");
    }
    world().refused("old-key", enc, "403 identifier_undecryptable");
    let (logs, stats) = (world().stack.envoy.all_logs(), world().stack.envoy.stats());
    for secret in [
        "member-4711".to_owned(),
        STANDARD.encode(key(32, false)),
        STANDARD.encode(key(64, false)),
        STANDARD.encode(key(32, true)),
    ] {
        assert!(!logs.contains(&secret) && !stats.contains(&secret), "{secret}");
    }
}
