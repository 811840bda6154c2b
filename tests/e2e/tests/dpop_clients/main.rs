//! Clients that make their proofs with libraries of others, by each algorithm: those that the proxy verifies and those that the module
//! does.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_e2e::{Stack, jwt_auth, python};
use portcullis_testbed::{Algorithm, Issuer, Request, workspace};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Those that are allowed where nothing is said, and one that is not.
const ALGORITHMS: [&str; 6] = ["ES256", "ES384", "EdDSA", "PS256", "RS256", "ES512"];

/// What the clients answer, a line for each.
fn clients(asked: impl IntoIterator<Item = Value>) -> Vec<String> {
    let script = workspace().join("tests/e2e/tests/dpop_clients/prove.py");
    let asked: Vec<_> = asked.into_iter().map(|line| line.to_string()).collect();
    let mut clients =
        Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    clients.stdin.take().unwrap().write_all(asked.join("\n").as_bytes()).unwrap();
    let output = clients.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let answers: Vec<_> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), asked.len());
    answers
}

#[test]
fn takes_the_proofs_of_other_libraries() {
    let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let entry = json!({"name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap()});
    let mut es512 = entry.clone();
    es512["dpop"] = json!({"algorithms": ["ES512"]});
    let listeners = [("usual", entry), ("es512", es512)].map(|(name, entry)| jwt_auth(name, &json!({"jwtRules": [entry]})));
    let stack = Stack::start(listeners, &[]);

    let keys: Vec<Value> = clients(ALGORITHMS.map(|algorithm| json!({ "generate": algorithm })))
        .iter()
        .map(|key| serde_json::from_str(key).unwrap())
        .collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut tokens = Vec::new();
    let mut asked = Vec::new();
    for (algorithm, key) in ALGORITHMS.into_iter().zip(&keys) {
        let token = issuer.sign(&issuer.claims().with("cnf", json!({"jkt": key["thumbprint"]}))).unwrap();
        for (by, listener) in ["jwcrypto", "pyjwt"].into_iter().flat_map(|by| [(by, "usual"), (by, "es512")]) {
            let claims = json!({
                "jti": Request::get("/").id(), "htm": "GET", "htu": "http://api.example.com/orders", "iat": now,
                "ath": URL_SAFE_NO_PAD.encode(Sha256::digest(&token)),
            });
            asked.push(
                json!({"by": by, "key": key["private"], "public": key["public"], "algorithm": algorithm, "claims": claims}),
            );
            tokens.push((algorithm, by, listener, token.clone()));
        }
    }
    for ((algorithm, by, listener, token), proof) in tokens.into_iter().zip(clients(asked)) {
        let request = Request::get("/orders").header("authorization", format!("DPoP {token}")).header("dpop", proof);
        let is_allowed = (algorithm == "ES512") == (listener == "es512");
        let expected = if is_allowed { "200" } else { "401 dpop_proof_invalid" };
        assert_eq!(stack.outcome(listener, &request), expected, "{algorithm} by {by} at {listener}");
    }
}
