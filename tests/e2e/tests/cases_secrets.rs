//! Security case 38: whatever goes wrong, no answer, log, statistic or record holds a token, a secret, a key or an identifier that was
//! encrypted.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis_e2e::{Stack, altered, bundle, chain};
use portcullis_testbed::{Algorithm, FakeSink, Issuer, Listener, Module, Plugin, Request, SigningKey, poll};
use serde_json::{Value, json};

const UID_KEY: &str = "uid-key-7d0c5f8e9a1b2c3d4e5f6071";
const TOKEN_KEY: &str = "jwe-key-91b2c3d4e5f60718293a4b5c";
const NONCE_KEY: &str = "dpop-nonce-key-5e6f708192a3b4c5d6";
const PSEUDONYM_KEY: &str = "pseudonym-key-8190a2b3c4d5e6f70819";
const SINK_TOKEN: &str = "sink-token-92a1b3c4d5e6f7081929";
const SECRET: &str = "partner-secret-a1b2c3d4e5f60718293";
const API_KEY: &str = "partner-api-key-0f1e2d3c4b5a69788796a5";
const WRONG_KEY: &str = "partner-api-key-000000000000000000000";
/// RFC 8037 appendix A.1.
const OWN_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    "d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;
/// What a claim holds that was never encrypted with the key, and what it would be by another.
const CIPHERTEXT: &str = "AAECAwQFBgcICQoLk3b0c1phZXNjaXBoZXJ0ZXh0dGFndGFndGFndGFn";

fn configuration(issuer: &Issuer) -> Value {
    let key_set = json!({"keys": [{"kty": "oct", "kid": "k", "k": URL_SAFE_NO_PAD.encode(TOKEN_KEY)}]});
    json!({
        "jwtAuth": {
            "jwtRules": [
                {
                    "name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap().to_string(),
                    "decryption": {"jwks": {"inline": key_set.to_string()}},
                    "dpop": {"nonce": {"key": {"env": "NONCE_KEY"}}},
                },
                {"name": "partner", "issuer": "https://partner.example.com", "secret": {"env": "PARTNER_SECRET"}},
            ],
            "apiKeys": [{"name": "partners", "keys": [{"secret": {"env": "API_KEY"}, "subject": "acme", "claims": {"role": "x"}}]}],
            "rules": [
                {"name": "admin", "match": {"paths": ["/admin/**"]}, "require": {"roles": ["ADMIN"]}},
                {"name": "shadow", "match": {"paths": ["/shadow/**"]}, "require": {"roles": ["ADMIN"]}, "shadow": true},
                {"name": "rest", "match": {"paths": ["/**"]}},
            ],
            "publish": ["decision"],
        },
        "authHeader": {
            "strip": ["x-user-*"],
            "inject": [{"header": "x-user-id", "claim": "subject"}, {"header": "x-member-id", "claim": "enc_uid", "decrypt": {"algorithm": "A256GCM", "key": {"env": "UID_KEY"}}}],
            "token": {
                "forward": "replace",
                "internal": {"issuer": "https://gw", "audience": "services", "key": {"env": "OWN_KEY"}, "jwksPath": "/keys"},
            },
        },
        "auditLog": {
            "default": {"record": "always"},
            "include": {"requestHeaders": ["x-copy", "dpop"], "queryParams": ["copy"], "claims": ["email", "enc_uid", "cnf"]},
            "hash": {"key": {"env": "PSEUDONYM_KEY"}, "fields": ["subject", "client", "claims.email", "claims.enc_uid"]},
            "sinks": sinks(),
        },
        "metrics": {},
    })
}

fn sinks() -> Value {
    let http = |format: &str| {
        json!({
            "type": "http", "format": format, "cluster": "sink", "uri": format!("http://sink.example.com/{format}"),
            "authorization": {"bearer": {"env": "SINK_TOKEN"}}, "batch": {"interval": "100ms"},
        })
    };
    let formats = ["ndjson", "otlp", "loki", "elasticsearch", "clickhouse"].map(http);
    [json!({"type": "accesslog"}), json!({"type": "stdout"})].into_iter().chain(formats).collect()
}

/// The parts of a credential by which it would be recognised.
fn parts(token: &str) -> Vec<String> {
    token.split('.').skip(1).filter(|part| part.len() > 15).map(str::to_owned).collect()
}

#[test]
fn case_38_no_answer_log_statistic_or_record_holds_a_credential_or_a_key() {
    let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let stranger = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let partner = SigningKey::from_secret(Algorithm::Hs256, "p", SECRET.as_bytes()).unwrap();
    let plugin = Plugin::new(Module::Portcullis, &configuration(&issuer))
        .variable("UID_KEY", UID_KEY)
        .variable("NONCE_KEY", NONCE_KEY)
        .variable("PSEUDONYM_KEY", PSEUDONYM_KEY)
        .variable("SINK_TOKEN", SINK_TOKEN)
        .variable("PARTNER_SECRET", SECRET)
        .variable("API_KEY", API_KEY)
        .variable("OWN_KEY", OWN_KEY);
    let sink = FakeSink::start().unwrap();
    let stack = Stack::start([Listener::new("all").plugin(plugin)], &[("sink", sink.address())]);

    let claims = || issuer.claims().with("email", json!("alice-7f3a@example.com"));
    let bound = claims().with("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}));
    let valid = issuer.sign(&claims()).unwrap();
    let tampered = altered(&valid, 30);
    let jwe = format!(
        "{}..AAAAAAAAAAAAAAAA.{}.AAAAAAAAAAAAAAAAAAAAAA",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM"}"#),
        CIPHERTEXT
    );
    let tokens = [
        valid.clone(),
        tampered,
        stranger.sign(&claims()).unwrap(),
        issuer.sign(&claims().expiring_in(-4000)).unwrap(),
        issuer.sign(&claims().with("enc_uid", json!(CIPHERTEXT))).unwrap(),
        issuer.sign(&bound).unwrap(),
        partner.sign(&claims().with("iss", json!("https://partner.example.com"))).unwrap(),
        partner.sign(&claims().with("iss", json!("https://nobody.example.com"))).unwrap(),
        jwe,
        format!("{}.{}", valid, "x".repeat(40)),
        valid.replace('.', "-"),
    ];
    let mut needles: Vec<String> = [
        UID_KEY,
        TOKEN_KEY,
        NONCE_KEY,
        PSEUDONYM_KEY,
        SINK_TOKEN,
        SECRET,
        API_KEY,
        WRONG_KEY,
        CIPHERTEXT,
        "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    ]
    .into_iter()
    .flat_map(|secret| [secret.to_owned(), STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(secret)])
    .collect();
    needles.push("alice-7f3a@example.com".to_owned());
    needles.extend(tokens.iter().flat_map(|token| parts(token)));

    let mut told = String::new();
    let mut statuses = Vec::new();
    for token in &tokens {
        for request in [
            Request::get("/orders").bearer(token),
            Request::get("/admin/x").bearer(token),
            Request::get("/shadow/x").bearer(token),
            Request::get("/orders").header("authorization", format!("DPoP {token}")).header("dpop", token),
            Request::get(format!("/orders?access_token={token}&copy={token}")).bearer(token).header("x-copy", token),
            Request::get("/orders").bearer(token).bearer(token),
            Request::get("/orders").header("authorization", format!("Basic {token}")),
            Request::get("/orders").header("x-api-key", API_KEY),
            Request::get(format!("/orders?api_key={API_KEY}")).header("x-api-key", WRONG_KEY),
            Request::get("/orders").header("x-api-key", API_KEY).bearer(token),
        ] {
            let response = stack.envoy.listener("all").send(&request);
            let line = stack.envoy.access_line("all", &response.id);
            statuses.push(response.status);
            told.push_str(&format!("{line:?}\n"));
            if response.status != 200 {
                told.push_str(&format!("{:?}\n{}\n", response.headers, response.text()));
            }
        }
    }
    let kinds: std::collections::BTreeSet<_> = statuses.iter().copied().collect();
    assert!([200, 400, 401, 403].iter().all(|status| kinds.contains(status)), "{kinds:?}");
    let keys = stack.envoy.listener("all").get("/keys");
    assert_eq!(keys.status, 200);
    // Every form of every event has arrived before all of it is looked through.
    let last = stack.envoy.listener("all").send(&Request::get("/the-last"));
    let posted = || sink.batches().iter().map(|batch| format!("{:?}", batch.records)).collect::<String>();
    let is_whole = || Some(posted()).filter(|posted| posted.matches(last.id.as_str()).count() >= 5);
    let posted = poll("the last event in every form", Duration::from_secs(30), is_whole).unwrap();
    assert!(posted.contains("hmac:"), "a pseudonym");
    for place in [told, posted, keys.text(), stack.envoy.all_logs(), stack.envoy.stats(), stack.envoy.admin("/stats/prometheus")]
    {
        assert!(!place.is_empty());
        for needle in &needles {
            assert!(!place.contains(needle.as_str()), "{needle} is told:\n{place}");
        }
    }
}

/// An API key is compared by its hash, is not taken from an address, and does not reach the upstream.
#[test]
fn case_37_an_api_key_names_its_owner_and_goes_no_further() {
    let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let variables = [
        ("UID_KEY", UID_KEY),
        ("NONCE_KEY", NONCE_KEY),
        ("PARTNER_SECRET", SECRET),
        ("OWN_KEY", OWN_KEY),
        ("PSEUDONYM_KEY", PSEUDONYM_KEY),
        ("SINK_TOKEN", SINK_TOKEN),
    ];
    let plugin = Plugin::new(Module::Portcullis, &configuration(&issuer)).variable("API_KEY", API_KEY);
    let plugin = variables.into_iter().fold(plugin, |plugin, (name, value)| plugin.variable(name, value));
    let sink = FakeSink::start().unwrap();
    let stack = Stack::start([Listener::new("all").plugin(plugin)], &[("sink", sink.address())]);
    let seen = stack.passes("all", &Request::get("/orders").header("X-Api-Key", API_KEY).header("x-user-id", "root"));
    assert_eq!(seen.headers.get("x-user-id").as_deref(), Some("acme"));
    assert!(seen.headers.iter().all(|(_, value)| !String::from_utf8_lossy(value).contains(API_KEY)));
    assert!(seen.headers.get("authorization").is_some_and(|own| own.starts_with("Bearer ")), "the gateway's own token");
    for (case, request, expected) in [
        ("unknown", Request::get("/orders").header("x-api-key", WRONG_KEY), "401 api_key_unknown"),
        ("no text", Request::get("/orders").header("x-api-key", b"\xff\xfe"), "401 api_key_unknown"),
        ("twice", Request::get("/orders").header("x-api-key", API_KEY).header("x-api-key", API_KEY), "400 credentials_multiple"),
        ("in the address", Request::get(format!("/orders?api_key={API_KEY}&x-api-key={API_KEY}")), "401 token_missing"),
        ("as a token", Request::get("/orders").bearer(API_KEY), "401 token_malformed"),
        ("of too little", Request::get("/admin/x").header("x-api-key", API_KEY), "403 role_missing"),
    ] {
        assert_eq!(stack.outcome("all", &request), expected, "{case}");
    }
}

#[test]
fn case_08_what_a_claim_or_header_holds_stays_within_one_line_of_every_log() {
    let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let configuration = json!({
        "jwtAuth": {"jwtRules": [{"name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap().to_string()}]},
        "authHeader": {"strip": ["x-user-*"]},
        "metrics": {},
        "auditLog": {
            "default": {"record": "always"},
            "include": {"claims": ["note", "list"], "requestHeaders": ["x-note"], "queryParams": ["note"]},
            "sinks": [{"type": "accesslog"}, {"type": "stdout"}],
        },
    });
    let stack = Stack::start([bundle("all", &configuration), chain("chain", &configuration)], &[]);
    for listener in ["all", "chain"] {
        for (case, note) in [
            ("line breaks", "a\r\n{\"outcome\":\"forged\"}".to_owned()),
            ("NUL", "a\0b".to_owned()),
            ("C1 and separators", "a\u{85}b\u{2028}c\u{9b}d\u{2029}".to_owned()),
            ("other scripts", "é 日本 \u{1f600}".to_owned()),
            ("long", "x".repeat(3_000)),
        ] {
            let claims = issuer.claims().with("sub", json!(note)).with("note", json!(note)).with("list", json!([note]));
            let token = issuer.sign(&claims).unwrap();
            let query: String = note.bytes().take(500).map(|byte| format!("%{byte:02x}")).collect();
            let request = Request::get(format!("/orders?note={query}")).bearer(&token).header("x-note", "a\tb\u{85}");
            let response = stack.envoy.listener(listener).send(&request);
            assert_eq!(response.status, 200, "{listener}: {case}");
            let _ = stack.envoy.audit_event(listener, &response.id);
            let logs = stack.envoy.all_logs();
            let lines: Vec<_> =
                logs.lines().filter(|line| line.contains(&response.id) && line.contains("portcullis.audit/1")).collect();
            assert!(!lines.is_empty(), "{listener}: {case}");
            for line in lines {
                let json: Value = serde_json::from_str(&line[line.find('{').unwrap()..]).unwrap();
                assert_eq!(json["outcome"], "allowed", "{listener}: {case}");
                let is_safe = |character: char| !character.is_control() && !matches!(character, '\u{2028}' | '\u{2029}');
                assert!(line.chars().all(is_safe), "{listener}: {case}: {line}");
                if note.len() < 1000 {
                    assert_eq!(json["principal"]["claims"]["note"], note.as_str(), "{listener}: {case}");
                }
            }
            assert!(!logs.lines().any(|line| line.starts_with("{\"outcome\":\"forged")), "{listener}: {case}");
        }
    }
}
