//! `portcullis token`.

use serde_json::{Value, json};

use crate::run::{Run, run};
use crate::signer::{AT, SECRET, claims, ed25519, hs256, hs256_with, jwks, pem};

const CONFIG: &str = "jwtRules:
- {name: uaa, issuer: https://uaa.example.com, secret: {env: SECRET}, audiences: [orders], maxLifetime: 1h}
- {name: partner, issuer: https://partner.example.com, jwksUri: https://partner.example.com/jwks.json}
";

fn judge(token: &str, arguments: &[&str]) -> Run {
    let given = ["token", "--config", "c.yaml", "--at", AT];
    run(&[("c.yaml", CONFIG), ("keys.json", &jwks("k1"))], token, &[&given, arguments].concat())
}

/// The lines of steps that do not hold, or of which nothing can be said.
fn doubts(run: &Run) -> Vec<&str> {
    run.stdout.lines().filter(|line| line.starts_with("  FAIL") || line.starts_with("  ?")).map(str::trim).collect()
}

#[test]
fn tells_a_valid_token_in_words() {
    let run = judge(&hs256(&claims(&json!({}))), &[]);
    let expected = r#"valid
token
  eyJhbGci…(268 characters)
header
  alg  "HS256"
  typ  "JWT"
claims
  aud    "orders"
  exp    1795637400  2026-11-25T20:10:00Z, in 10 minutes
  iat    1795636500  2026-11-25T19:55:00Z, 5 minutes ago
  iss    "https://uaa.example.com"
  roles  ["RESTAURANT"]
  scope  "orders.read"
  sub    "anna"
signature
  32 bytes
steps, at 2026-11-25T20:00:00Z
  ok    form       a signed token: three parts of base64url, JSON in the first two
  ok    entry      jwtRules[0] (uaa) takes tokens of "https://uaa.example.com"
  ok    algorithm  HS256 is allowed, of HS256, HS384, HS512
  ok    key        the secret
  ok    signature  made with this key, by HS256
  ok    typ        `typ` is "JWT"; asked for: JWT, …+jwt or none
  ok    iss        is "https://uaa.example.com"
  ok    exp        exp 2026-11-25T20:10:00Z, in 10 minutes; clock skew 60s
  ok    nbf        iat 2026-11-25T19:55:00Z, 5 minutes ago; clock skew 60s
  ok    lifetime   valid for 15 minutes; at most 60 minutes
  ok    aud        the token is for "orders"; asked for: "orders"
principal
  {"audiences":["orders"],"claims":{"aud":"orders","exp":1795637400,"iat":1795636500,"iss":"https://uaa.example.com","roles":["RESTAURANT"],"scope":"orders.read","sub":"anna"},"expiresAt":1795637400,"issuer":"https://uaa.example.com","method":"jwt","roles":["RESTAURANT"],"scopes":["orders.read"],"subject":"anna","tokenId":null}
"#;
    assert_eq!(run, Run { stdout: expected.to_owned(), stderr: String::new(), code: 0 });
}

#[test]
fn says_what_is_wrong_with_a_token() {
    let with = |changes: Value| hs256(&claims(&changes));
    let mut changed = with(json!({}));
    changed.replace_range(changed.len() - 4.., "AAAA");
    for (case, token, verdict, doubt) in [
        (
            "expired",
            with(json!({"exp": 1_795_636_740})),
            "not valid: token_expired: The access token expired.",
            "FAIL  exp        exp 2026-11-25T19:59:00Z, 60 seconds ago; clock skew 60s",
        ),
        (
            "not yet valid",
            with(json!({"nbf": 1_795_637_000})),
            "not valid: token_not_yet_valid: The access token is not valid yet.",
            "FAIL  nbf        nbf 2026-11-25T20:03:20Z, in 3 minutes; iat 2026-11-25T19:55:00Z, 5 minutes ago; clock skew 60s",
        ),
        (
            "without exp",
            with(json!({"exp": null})),
            "not valid: expiration_missing: The access token has no expiration time.",
            "FAIL  exp        the token has no `exp`, and one is required; clock skew 60s\n\
             FAIL  lifetime   the token does not say for how long it is valid; at most 60 minutes",
        ),
        (
            "for too long",
            with(json!({"exp": 1_795_840_000})),
            "not valid: lifetime_too_long: The access token is valid for too long.",
            "FAIL  lifetime   valid for 2 days; at most 60 minutes",
        ),
        (
            "for others",
            with(json!({"aud": ["carts", "billing"]})),
            "not valid: audience_mismatch: The access token is meant for another audience.",
            r#"FAIL  aud        the token is for ["carts","billing"]; asked for: "orders""#,
        ),
        (
            "type",
            hs256_with(&json!({"alg": "HS256", "typ": "JOSE"}), &claims(&json!({}))),
            "not valid: type_mismatch: The token is not of the type that is asked for.",
            r#"FAIL  typ        `typ` is "JOSE"; asked for: JWT, …+jwt or none"#,
        ),
        (
            "changed",
            changed,
            "not valid: signature_invalid: The signature of the access token is invalid.",
            "FAIL  signature  not made with this key, or the token was changed after it was signed",
        ),
        (
            "algorithm",
            hs256_with(&json!({"alg": "RS256"}), &claims(&json!({}))),
            "not valid: algorithm_not_allowed: The algorithm of the access token is not allowed.",
            "FAIL  algorithm  RS256 is not allowed; allowed: HS256, HS384, HS512",
        ),
        (
            "issuer with a slash",
            with(json!({"iss": "https://uaa.example.com/"})),
            "not valid: issuer_unknown: The issuer of the access token is not known here.",
            "FAIL  entry  no jwtRules entry is for \"https://uaa.example.com/\"; they are for \"https://uaa.example.com\", \
             \"https://partner.example.com\"; \"https://uaa.example.com\" differs only in case or a slash, and issuers are compared exactly",
        ),
        (
            "no issuer",
            with(json!({"iss": null})),
            "not valid: issuer_unknown: The issuer of the access token is not known here.",
            "FAIL  entry  the token has no `iss`, and no jwtRules entry is for such tokens; they are for \"https://uaa.example.com\", \
             \"https://partner.example.com\"",
        ),
        (
            "keys that are fetched",
            with(json!({"iss": "https://partner.example.com"})),
            "not verified: whether the token is valid cannot be told here",
            "?     keys   are fetched while the proxy runs, and nothing is fetched here; give them with --jwks 'partner=FILE'",
        ),
        (
            "no token",
            "not-a-token".to_owned(),
            "not valid: token_malformed: The access token is malformed.",
            "FAIL  form  it has no dot; a signed token has three parts with dots between them",
        ),
        (
            "encrypted",
            "eyJhbGciOiJkaXIifQ.a.b.c.d".to_owned(),
            "not valid: token_malformed: The access token is malformed.",
            "FAIL  form  it has five parts, so it is encrypted (JWE), and only signed tokens (JWS) are read here",
        ),
        (
            "not signed",
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm5hIn0.".to_owned(),
            "not valid: token_malformed: The access token is malformed.",
            "FAIL  form  the signature is empty: the token is not signed",
        ),
    ] {
        let run = judge(&token, &[]);
        assert_eq!((run.stdout.lines().next(), run.code, run.stderr.as_str()), (Some(verdict), 1, ""), "{case}");
        assert_eq!(doubts(&run).join("\n"), doubt, "{case}");
    }
}

#[test]
fn judges_by_keys_that_stand_in_for_fetched_ones() {
    let token = ed25519("k1", &claims(&json!({"iss": "https://partner.example.com"})));
    for (case, arguments, first, code) in [
        ("by name", &["--jwks", "partner=keys.json"][..], "valid", 0),
        ("the only one that fetches", &["--jwks", "keys.json"], "valid", 0),
    ] {
        let run = judge(&token, arguments);
        assert_eq!((run.stdout.lines().next(), run.code), (Some(first), code), "{case}: {run:?}");
        let key = run.stdout.lines().find(|line| line.contains("  key ")).unwrap();
        assert!(key.contains(r#"keys[0] "k1", OKP Ed25519, for EdDSA, thumbprint "#), "{key}");
    }
    let discovered = "jwtRules: [{issuer: https://partner.example.com, discovery: https://partner.example.com}]";
    let files = [("d.yaml", discovered), ("keys.json", &jwks("k1"))];
    let run = run(&files, &token, &["token", "--config", "d.yaml", "--at", AT, "--jwks", "keys.json"]);
    assert_eq!((run.stdout.lines().next(), run.code), (Some("valid"), 0), "{run:?}");
    let other = ed25519("k2", &claims(&json!({"iss": "https://partner.example.com"})));
    let run = judge(&other, &["--jwks", "keys.json"]);
    assert_eq!(run.stdout.lines().next().unwrap().split(": ").nth(1), Some("key_unknown"));
    let step = *doubts(&run).first().unwrap();
    assert!(
        step.starts_with(r#"FAIL  key        the token names the key "k2", which is not there; there are: keys[0] "k1", "#),
        "{step}"
    );
}

#[test]
fn one_file_stands_in_for_all_tenants_or_for_one() {
    let tenants = r#"
jwtRules:
- name: login
  issuer: https://login.example.com/{tenant}/v2.0
  tenants: [acme, globex]
  discovery: https://login.example.com/{tenant}/v2.0
- {name: partner, issuer: https://partner.example.com, jwksUri: https://partner.example.com/jwks.json}
"#;
    let files = [("t.yaml", tenants), ("keys.json", &jwks("k1"))];
    let token = |issuer: &str| ed25519("k1", &claims(&json!({"iss": issuer})));
    let (acme, globex, partner) =
        ("https://login.example.com/acme/v2.0", "https://login.example.com/globex/v2.0", "https://partner.example.com");
    for (case, issuer, stand_in, first, entry) in [
        ("the name, the first tenant", acme, "login=keys.json", "valid", "jwtRules[0] (login)"),
        ("the name, the second tenant", globex, "login=keys.json", "valid", "jwtRules[0] (login)"),
        ("one tenant", globex, "login/globex=keys.json", "valid", "jwtRules[0] (login)"),
        ("another tenant", acme, "login/globex=keys.json", "not verified: ", "jwtRules[0] (login)"),
        ("the entry after it", partner, "partner=keys.json", "valid", "jwtRules[1] (partner)"),
    ] {
        let run = run(&files, &token(issuer), &["token", "--config", "t.yaml", "--at", AT, "--jwks", stand_in]);
        assert!(run.stdout.starts_with(first), "{case}: {run:?}");
        assert!(run.stdout.contains(entry), "{case}: {run:?}");
    }
    let twice = ["token", "--config", "t.yaml", "--jwks", "login=keys.json", "--jwks", "login/acme=keys.json"];
    let run = run(&files, &token(acme), &twice);
    assert_eq!((run.code, run.stderr.as_str()), (2, "error: --jwks is given twice for the same entry\n"));
}

#[test]
fn judges_by_keys_alone() {
    let (shared, signed) = (hs256(&claims(&json!({}))), ed25519("k1", &claims(&json!({}))));
    let keys = jwks("k1");
    let set: Value = serde_json::from_str(&keys).unwrap();
    let files = [
        ("keys.json", keys.as_str()),
        ("key.json", &set["keys"][0].to_string()),
        ("other.json", &jwks("k2")),
        ("key.pem", &pem()),
    ];
    for (case, token, arguments, first, code) in [
        ("key set", &signed, &["--jwks", "keys.json"][..], "valid", 0),
        ("one key", &signed, &["--jwks", "key.json"], "valid", 0),
        ("PEM, which has no kid", &signed, &["--key-pem", "key.pem"], "valid", 0),
        ("PEM of another kind", &shared, &["--key-pem", "key.pem"], "not valid", 1),
        ("secret", &shared, &["--secret-env", "SECRET"], "valid", 0),
        ("other keys", &signed, &["--jwks", "other.json"], "not valid", 1),
        ("keys of another kind", &shared, &["--jwks", "keys.json"], "not valid", 1),
        ("nothing", &signed, &[], "not verified", 1),
    ] {
        let run = run(&files, token, &[&["token", "--at", AT], arguments].concat());
        assert_eq!((run.stdout.split([':', '\n']).next(), run.code), (Some(first), code), "{case}: {run:?}");
    }
}

#[test]
fn reads_a_token_as_it_was_copied() {
    let token = hs256(&claims(&json!({})));
    let by_secret = ["token", "--at", AT, "--secret-env", "SECRET"];
    let valid = run(&[], &token, &by_secret);
    assert_eq!(valid.code, 0);
    for text in [format!("{token}\n"), format!("Bearer {token}"), format!("Authorization: Bearer {token}\r\n")] {
        assert_eq!(run(&[], &text, &by_secret), valid, "{text}");
        assert_eq!(run(&[("t", &text)], "", &[&by_secret[..], &["--file", "t"]].concat()), valid, "{text}");
        assert_eq!(run(&[], "", &[&by_secret[..], &[&text]].concat()), valid, "{text}");
    }
}

#[test]
fn prints_the_token_only_when_asked() {
    let token = hs256(&claims(&json!({})));
    for arguments in [&["token"][..], &["token", "--json"], &["token", "--secret-env", "SECRET"]] {
        for part in token.split('.') {
            assert!(!run(&[], &token, arguments).stdout.contains(part), "{arguments:?}");
        }
    }
    assert!(run(&[], &token, &["token", "--show-token"]).stdout.contains(&token));
}

#[test]
fn prints_json_for_machines() {
    let run = judge(&hs256(&claims(&json!({"aud": "\u{9b}carts"}))), &["--json"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["valid"], &report["code"], run.code), (&json!(false), &json!("audience_mismatch"), 1));
    assert_eq!(report["token"]["claims"]["aud"], "\u{9b}carts");
    assert_eq!(report["steps"].as_array().unwrap().last().unwrap()["outcome"], "failed");
    let unknown = judge("a.b.c", &["--json"]);
    assert_eq!(serde_json::from_str::<Value>(&unknown.stdout).unwrap()["code"], "token_malformed");
}

#[test]
fn exits_with_two_when_it_cannot_begin() {
    let (token, keys) = (hs256(&claims(&json!({}))), jwks("k1"));
    let two = "jwtRules:\n- {issuer: https://a, jwksUri: https://a/k}\n- {issuer: https://b, jwksUri: https://b/k}\n";
    let files = [
        ("c.yaml", CONFIG),
        ("two.yaml", two),
        ("keys.json", keys.as_str()),
        ("wrong.yaml", "jwtRules: []\nrealms: x\n"),
        ("no.yaml", "labels: []"),
    ];
    for (arguments, expected) in [
        (&["--file", "none"][..], "error: none: the token cannot be read: No such file or directory (os error 2)\n"),
        (&["--secret-env", "NONE"], "error: --secret-env: NONE is not set here\n"),
        (&["--jwks", "c.yaml"], "error: the keys: the key set is not JSON, or an object in it repeats a name\n"),
        (
            &["--key-pem", "c.yaml"],
            "error: c.yaml: the key cannot be used: it is not PEM with the label `PUBLIC KEY` or `RSA PUBLIC KEY`\n",
        ),
        (&["--config", "wrong.yaml"], "error: realms: unknown key; did you mean `realm`?\n"),
        (
            &["--config", "no.yaml"],
            "error: no.yaml: holds no configuration that authenticates (jwt-auth or portcullis); --module says what it is for\n",
        ),
        (
            &["--config", "two.yaml", "--jwks", "keys.json"],
            "error: several entries fetch their keys; write --jwks NAME=FILE with one of https://a, https://b\n",
        ),
        (
            &["--config", "c.yaml", "--jwks", "partners=keys.json"],
            "error: --jwks partners=…: no entry of this name fetches its keys; did you mean `partner`?\n",
        ),
    ] {
        let run = run(&files, &token, &[&["token"], arguments].concat());
        assert_eq!((run.stderr.as_str(), run.code), (expected, 2), "{arguments:?}");
    }
    assert_eq!(run(&[], "", &["token"]).stderr, "error: there is no token: the input is empty\n");
    assert_eq!(run(&[], &token, &["token", "--at", "yesterday"]).code, 2);
}

#[test]
fn no_help_is_without_a_word_on_secrets() {
    let help = run(&[], "", &["token", "--help"]).stdout;
    for needed in ["standard input", "personal data", "Exit codes: 0", "Nothing is fetched"] {
        assert!(help.contains(needed), "{needed}");
    }
    assert!(!help.contains(SECRET));
}
