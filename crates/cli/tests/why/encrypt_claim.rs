//! `portcullis encrypt-claim`.

use portcullis_core::auth_header::Policy;
use portcullis_core::config::Variable;
use portcullis_core::config::auth_header::AuthHeaderConfig;
use portcullis_core::principal::{Method, Principal};
use serde_json::{Map, Value, json};

use crate::run::{Run, UID_KEY, run};
use crate::signer::{AT, claims, hs256};

const KEY: &str = "{env: UID_KEY}";
const CLAIMS: &str = r#"{"iss":"https://uaa.example.com","sub":"anna"}"#;

fn config(decrypt: &str) -> String {
    format!("inject:\n- {{header: x-user, claim: sub}}\n- {{header: x-member-id, claim: enc_uid, decrypt: {decrypt}}}\n")
}

fn encrypted(config: &str, arguments: &[&str]) -> Run {
    run(&[("c.yaml", config)], "", &[&["encrypt-claim"], arguments].concat())
}

/// What the header gives for a claim of this caller.
fn decrypted(decrypt: &Value, claim: &str) -> Option<String> {
    let config = json!({"inject": [{"header": "x-member-id", "claim": "enc_uid", "decrypt": decrypt}]});
    let config: AuthHeaderConfig = serde_json::from_value(config).unwrap();
    let policy = Policy::compile(&config, &|_: &str| Variable::Set(UID_KEY.to_owned())).unwrap().0;
    let claims: Map<String, Value> = serde_json::from_str(CLAIMS).unwrap();
    let caller = Principal {
        issuer: "https://uaa.example.com".into(),
        subject: Some("anna".into()),
        roles: vec![],
        scopes: vec![],
        audiences: vec![],
        claims: claims.into(),
        method: Method::Jwt,
        token_id: None,
        expires_at: None,
    };
    policy.cipher_of("x-member-id").unwrap().open(claim, &caller).ok().map(|text| text.to_string())
}

#[test]
fn prints_a_claim_that_the_header_decrypts_and_nothing_else() {
    let decrypt = json!({"algorithm": "A256GCM", "key": {"env": "UID_KEY"}, "aad": "{issuer}|{sub}"});
    let yaml = config(&format!("{{algorithm: A256GCM, key: {KEY}, aad: '{{issuer}}|{{sub}}'}}"));
    let explicit =
        ["--algorithm", "A256GCM", "--key", "env:UID_KEY", "--aad", "{issuer}|{sub}", "--claims", CLAIMS, "member-4711"];
    for run in [
        encrypted(&yaml, &["--config", "c.yaml", "--header", "X-Member-Id", "--claims", CLAIMS, "member-4711"]),
        encrypted(&yaml, &["--config", "c.yaml", "--claims", CLAIMS, "member-4711"]),
        encrypted("", &explicit),
        run(&[("c.yaml", &yaml)], "member-4711\n", &["encrypt-claim", "--config", "c.yaml", "--claims", CLAIMS]),
    ] {
        assert_eq!((run.code, run.stderr.as_str(), run.stdout.lines().count()), (0, "", 1));
        assert_eq!(decrypted(&decrypt, run.stdout.trim_end()).as_deref(), Some("member-4711"));
        assert!(!run.stdout.contains("member"), "{}", run.stdout);
    }
    let (one, other) = (encrypted("", &explicit), encrypted("", &explicit));
    assert_ne!(one.stdout, other.stdout, "the nonce is chance");
}

#[test]
fn explain_does_not_show_what_was_encrypted_unless_asked() {
    let inject = config(&format!("{{algorithm: A256GCM, key: {KEY}, aad: '{{sub}}'}}")).replace("\n", "\n  ");
    let config = format!(
        "jwtAuth:\n  jwtRules: [{{issuer: https://uaa.example.com, audiences: [orders], secret: {{env: SECRET}}}}]\nauthHeader:\n  {inject}"
    );
    let claim = encrypted(&config, &["--config", "c.yaml", "--claims", CLAIMS, "member-4711"]);
    let token = hs256(&claims(&json!({"enc_uid": claim.stdout.trim_end()})));
    for (show, expected) in [(&[][..], "set     x-member-id: …"), (&["--show-token"], "set     x-member-id: member-4711")] {
        let common = ["explain", "--config", "c.yaml", "--at", AT, "--token-file", "t", "/"];
        let run = run(&[("c.yaml", &config), ("t", &token)], "", &[&common, show].concat());
        assert!(run.code == 0 && run.stdout.contains(expected), "{}{}", run.stdout, run.stderr);
        assert_eq!(run.stdout.contains("member-4711"), !show.is_empty(), "{}", run.stdout);
    }
}

#[test]
fn says_what_is_missing() {
    let bound = config(&format!("{{algorithm: A256GCM, key: {KEY}, aad: '{{sub}}'}}"));
    let apart = config(&format!("{{algorithm: A256GCM, key: {KEY}, nonce: {{claim: enc_nonce}}}}"));
    let unset = config("{algorithm: A256GCM, key: {env: ABSENT}}");
    let lacks = "error: there is no such key, or --claims lacks a claim that `aad`, `nonce` or `keyId` names (or holds a nonce of \
                 another length): it cannot be decrypted\n";
    for (config, arguments, expected) in [
        (bound.as_str(), &["--config", "c.yaml", "v"][..], lacks),
        (&apart, &["--config", "c.yaml", "v"], lacks),
        (&unset, &["--config", "c.yaml", "v"], "error: the environment does not have ABSENT\n"),
        (&bound, &["--config", "c.yaml", "--header", "x-user", "v"], "error: the claim of x-user is not decrypted\n"),
        (&bound, &["--config", "c.yaml", "--claims", "[]", "v"], "error: --claims is not a JSON object: "),
        ("strip: [x-user-*]", &["--config", "c.yaml", "v"], "error: no header of the configuration has `decrypt`\n"),
        (
            "",
            &["--algorithm", "A256GCM", "--key", "S3CRET", "v"],
            "error: --key is not env:NAME: a key does not stand in a command line\n",
        ),
        ("", &["--algorithm", "A256GCN", "--key", "env:UID_KEY", "v"], "error: inject[0].decrypt.algorithm: is not an algorithm"),
        ("", &["v"], "error: the following required arguments were not provided"),
    ] {
        let run = encrypted(config, arguments);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(run.stderr.starts_with(expected), "{arguments:?}: {}", run.stderr);
    }
}
