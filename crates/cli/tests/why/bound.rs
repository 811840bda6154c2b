//! What is said of tokens that are bound to a key or to a certificate of their sender.

use serde_json::{Value, json};

use crate::run::{Run, run};
use crate::signer::{AT, Holder, claims, hs256, sha256};

const CONFIG: &str = "jwtRules:
- {name: uaa, issuer: https://uaa.example.com, secret: {env: SECRET}}
rules:
- {name: bound, match: {paths: [/bound]}, require: {senderConstrained: true}}
";

/// A certificate (RFC 8705 appendix A), and its digest as a token has it.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx
ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ
/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID
SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV
bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=
-----END CERTIFICATE-----
";
const DIGEST: &str = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";

fn bound_to(cnf: &Value) -> String {
    hs256(&claims(&json!({ "cnf": cnf })))
}

fn proof(token: &str, uri: &str) -> String {
    let claims = json!({"jti": "a", "htm": "GET", "htu": uri, "iat": 1_795_636_800, "ath": sha256(token.as_bytes())});
    Holder::new().sign(&json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": Holder::new().jwk()}), &claims)
}

fn steps(run: &Run, check: &str) -> Vec<String> {
    let is_meant = |line: &&str| line.split_whitespace().nth(1) == Some(check);
    run.stdout.lines().filter(is_meant).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_token_says_what_it_is_bound_to() {
    let jkt = Holder::new().thumbprint();
    let to_key = format!("the key with the thumbprint {jkt}: it counts with the scheme DPoP and a proof of that key");
    let to_certificate = format!("the certificate with the SHA-256 {DIGEST}: it counts from a client that shows that one");
    let mismatch = "not valid: token_binding_mismatch: The access token is bound to another sender than that of the request.";
    for (cnf, verdict, step) in [
        (json!({ "jkt": jkt }), "valid", format!("ok cnf the token is bound to {to_key}")),
        (json!({ "x5t#S256": DIGEST }), "valid", format!("ok cnf the token is bound to {to_certificate}")),
        (
            json!({ "jkt": jkt, "x5t#S256": DIGEST }),
            "valid",
            format!("ok cnf the token is bound to {to_key}; and to {to_certificate}"),
        ),
        (
            json!({ "kid": "a" }),
            mismatch,
            "FAIL cnf the token is bound to something that is not known here, so it never counts".to_owned(),
        ),
    ] {
        let run = run(&[("c.yaml", CONFIG)], &bound_to(&cnf), &["token", "--config", "c.yaml", "--at", AT]);
        assert_eq!((run.stdout.lines().next(), steps(&run, "cnf")), (Some(verdict), vec![step]), "{cnf}");
    }
    let required = CONFIG.replace("{env: SECRET}", "{env: SECRET}, dpop: {required: true}");
    let run = run(&[("c.yaml", &required)], &hs256(&claims(&json!({}))), &["token", "--config", "c.yaml", "--at", AT]);
    assert_eq!(steps(&run, "cnf"), ["FAIL cnf the token is not bound to a key, and the entry asks for that: `dpop.required`"]);
}

#[test]
fn a_request_shows_what_its_sender_holds() {
    let to_key = bound_to(&json!({ "jkt": Holder::new().thumbprint() }));
    let to_certificate = bound_to(&json!({ "x5t#S256": DIGEST }));
    let unbound = hs256(&claims(&json!({})));
    let uri = "https://api.example.com/bound";
    let dpop = "Authorization: DPoP {token}";
    let proof = |uri| format!("DPoP: {}", proof(&to_key, uri));
    let (right, wrong) = (proof(uri), proof("https://else/"));
    for (case, token, url, arguments, headline) in [
        ("a proof", &to_key, uri, &["--header", dpop, "--header", &right][..], "allow: token_valid"),
        ("for another URI", &to_key, uri, &["--header", dpop, "--header", &wrong], "deny: 401 dpop_proof_invalid"),
        (
            "not encrypted",
            &to_key,
            "http://api.example.com/bound",
            &["--header", dpop, "--header", &right],
            "deny: 401 dpop_proof_invalid",
        ),
        ("no proof", &to_key, uri, &["--header", dpop], "deny: 401 dpop_proof_missing"),
        ("as bearer", &to_key, uri, &[], "deny: 401 token_binding_mismatch"),
        ("a certificate", &to_certificate, uri, &["--client-certificate", "c.pem"], "allow: token_valid"),
        ("no certificate", &to_certificate, uri, &[], "deny: 401 token_binding_mismatch"),
        ("not bound", &unbound, uri, &[], "deny: 401 token_not_bound"),
    ] {
        let given = ["explain", "--config", "c.yaml", "--at", AT, "--token", "-"];
        let run = run(&[("c.yaml", CONFIG), ("c.pem", CERTIFICATE)], token, &[&given, arguments, &[url]].concat());
        let first = run.stdout.lines().next().unwrap_or_default();
        assert!(first.starts_with(&format!("{headline}, by rule bound")), "{case}: {run:?}");
        let failed: Vec<_> = run.stdout.lines().filter(|line| line.starts_with("  FAIL")).collect();
        assert_eq!(failed.is_empty(), headline.starts_with("allow"), "{case}: {failed:?}");
        assert!(!run.stdout.contains(right.rsplit('.').next().unwrap_or_default()), "{case}: a proof is not printed");
    }
}
