//! Encrypted tokens: told of in words, and what is in them only where it is asked for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::encryption::{ContentEncryption, ContentKey};
use serde_json::json;

use crate::run::{Run, UID_KEY, run};
use crate::signer::{AT, claims, hs256};

const CONFIG: &str = "jwtRules:
- {name: uaa, issuer: https://uaa.example.com, secret: {env: SECRET}, audiences: [orders], decryption: {jwks: {inline: 'KEYS'}}}
- {name: partner, issuer: https://partner.example.com, secret: {env: SECRET}}
";

/// An encrypted token with this in it, and a header of the usual kind.
fn encrypted(content: &str, header: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(header);
    let key = ContentKey::new(ContentEncryption::A256Gcm, UID_KEY.as_bytes()).unwrap();
    let (ciphertext, tag) = key.seal(&[1; 12], header.as_bytes(), content.as_bytes()).unwrap();
    let [nonce, ciphertext, tag] = [&[1; 12][..], &ciphertext, &tag].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}..{nonce}.{ciphertext}.{tag}")
}

const HEADER: &str = r#"{"alg":"dir","enc":"A256GCM","kid":"k","cty":"JWT"}"#;

fn judge(command: &str, token: &str, arguments: &[&str]) -> Run {
    let keys = json!({"keys": [{"kty": "oct", "kid": "k", "k": URL_SAFE_NO_PAD.encode(UID_KEY)}]});
    let config = CONFIG.replace("KEYS", &keys.to_string());
    let files = [("c.yaml", config.as_str()), ("token.txt", token)];
    let common = ["--config", "c.yaml", "--at", AT];
    let command =
        if command == "token" { vec!["token", "--file", "token.txt"] } else { vec!["explain", "--token-file", "token.txt", "/"] };
    run(&files, "", &[&command, &common[..], arguments].concat())
}

#[test]
fn tells_of_an_encrypted_token_without_what_is_in_it() {
    let token = encrypted(&hs256(&claims(&json!({}))), HEADER);
    let run = judge("token", &token, &[]);
    assert_eq!((run.code, run.stdout.lines().next()), (0, Some("valid")), "{}", run.stdout);
    let expected = "  ok    encryption  `dir` with `A256GCM`, for the key \"k\"; decrypted\n  \
                    ok    form        of the token in it, which --show-token shows\n";
    assert!(run.stdout.contains(expected), "{}", run.stdout);
    assert!(!run.stdout.contains("anna") && !run.stdout.contains("2026-11-25T20:10:00Z"), "{}", run.stdout);
    let shown = judge("token", &token, &["--show-token"]).stdout;
    assert!(shown.contains("anna") && shown.contains("exp 2026-11-25T20:10:00Z"), "{shown}");
    for (arguments, shows) in [(&["--format", "json"][..], false), (&["--format", "json", "--show-token"], true)] {
        assert_eq!(judge("token", &token, arguments).stdout.contains("anna"), shows);
    }
    let explained = judge("explain", &token, &[]);
    assert_eq!(explained.code, 0, "{}", explained.stdout);
    assert!(explained.stdout.contains("encryption") && !explained.stdout.contains("anna"), "{}", explained.stdout);
    assert!(judge("explain", &token, &["--show-token"]).stdout.contains("anna"));
}

#[test]
fn says_why_an_encrypted_token_is_refused() {
    let good = hs256(&claims(&json!({})));
    let header = |more: &str| format!(r#"{{"alg":"dir","enc":"A256GCM"{more}}}"#);
    for (case, token, code, says) in [
        (
            "another key",
            encrypted(&good, &header(r#","kid":"z""#)),
            "token_undecryptable",
            "FAIL  encryption  `dir` with `A256GCM`, for the key \"z\"; no one key of the entry's is meant that decrypts it, or it was \
             changed on its way",
        ),
        (
            "not signed",
            encrypted("{}", HEADER),
            "token_malformed",
            "FAIL  encryption  `dir` with `A256GCM`, for the key \"k\"; what is in it is no signed token",
        ),
        (
            "of an issuer without keys",
            encrypted(&hs256(&claims(&json!({"iss": "https://partner.example.com"}))), HEADER),
            "issuer_unknown",
            "FAIL  encryption  `dir` with `A256GCM`, for the key \"k\"; decrypted, and what is in it is of an issuer with other keys",
        ),
        (
            "RSA1_5",
            encrypted(&good, r#"{"alg":"RSA1_5","enc":"A256GCM"}"#),
            "algorithm_not_allowed",
            "FAIL  encryption  `alg` in the header is RSA1_5, which is not decrypted: its padding tells too much",
        ),
        (
            "zip",
            encrypted(&good, &header(r#","zip":"DEF""#)),
            "token_malformed",
            "FAIL  encryption  the header holds `zip`, which asks for more than is done here",
        ),
        (
            "expired",
            encrypted(&hs256(&claims(&json!({"exp": 1}))), HEADER),
            "token_expired",
            "FAIL  exp         of the token in it, which --show-token shows",
        ),
    ] {
        let run = judge("token", &token, &[]);
        let first = run.stdout.lines().next().unwrap();
        assert!(run.code == 1 && first.starts_with(&format!("not valid: {code}: ")), "{case}: {first}");
        let failed = run.stdout.lines().find(|line| line.starts_with("  FAIL")).unwrap().trim();
        assert_eq!(failed, says, "{case}");
    }
}
