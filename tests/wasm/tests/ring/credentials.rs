//! What the gateway says of itself: a token of its own for the services behind, and a credential that it fetches for them. The proxy
//! fails at every call; nothing goes on without the one or the other.

use std::time::Duration;

use portcullis_wasm_tests::{Host, Outcome, StreamId, fixture};
use serde_json::{Value, json};

use crate::hostile_host::with_each_fault;

const SECOND: Duration = Duration::from_secs(1);
const KEYS: &str = "/.well-known/gateway-jwks.json";
/// RFC 8037 appendix A.1.
const KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#;
const FORGED: [(&str, &str); 2] = [("X_Gateway-Token", "mallory"), ("x-gateway-token", "mallory")];

fn auth_header() -> Value {
    json!({
        "token": {"forward": "replace", "internal": {
            "issuer": "https://gw", "audience": "services", "key": {"inline": KEY}, "header": "x-gateway-token", "jwksPath": KEYS,
        }},
        "upstream": [{"name": "billing", "clientCredentials": {
            "tokenUri": "https://idp.example.com/token", "cluster": "idp", "clientId": "gw", "clientSecret": {"inline": "s3cret"},
        }}],
    })
}

fn configuration(name: &str) -> String {
    let bundle = || json!({"jwtAuth": fixture::jwt_auth(), "authHeader": auth_header()});
    if name == "auth_header" { auth_header() } else { bundle() }.to_string()
}

fn host(name: &str) -> Host {
    let mut host = Host::boot(&[name]);
    host.add_cluster("idp");
    assert!(host.configure(configuration(name)), "{:#?}", host.logs());
    host
}

fn open(host: &mut Host, name: &str) -> StreamId {
    let token = format!("Bearer {}", fixture::token(host));
    let headers: Vec<_> = FORGED.into_iter().chain([("authorization", token.as_str())]).collect();
    let request = fixture::request("GET", "/orders", &headers);
    if name != "auth_header" {
        return host.open(&request);
    }
    let principal = json!({
        "issuer": fixture::ISSUER, "subject": "alice", "roles": [], "scopes": [], "audiences": [], "claims": {}, "method": "jwt",
        "tokenId": null, "expiresAt": null,
    });
    let decision = json!({"rule": "default", "decision": "allow", "reason": "token_valid", "issuer": "uaa", "shadow": false});
    let state = [("portcullis.principal", principal.to_string()), ("portcullis.decision", decision.to_string())];
    host.open_behind(&request, &state.each_ref().map(|(key, value)| (*key, value.as_str())))
}

fn answer_all(host: &mut Host) {
    for (id, _) in host.calls() {
        host.answer_call(id, 200, r#"{"access_token":"issued","token_type":"Bearer","expires_in":300}"#);
    }
}

/// What went on has the credential, and nothing in place of the gateway's own token that the client sent.
fn assert_safe(outcome: &Outcome, case: &str) {
    let Outcome::Continued(headers) = outcome else { return };
    assert_eq!(headers.all("authorization"), ["Bearer issued"], "{case}");
    let own: Vec<_> = ["x-gateway-token", "x_gateway-token"].iter().flat_map(|name| headers.all(name)).collect();
    assert!(own.iter().all(|token| token.split('.').count() == 3), "{case}: {own:?}");
}

#[test]
fn a_request_waits_for_the_credential_and_goes_on_with_both() {
    for name in ["portcullis", "auth_header"] {
        let mut host = host(name);
        let stream = open(&mut host, name);
        assert_eq!(host.outcome(stream), Outcome::Held, "{name}");
        let (_, call) = host.calls().remove(0);
        let header = |header: &str| call.headers.get(header);
        assert_eq!((header(":method").as_deref(), header(":path").as_deref()), (Some("POST"), Some("/token")), "{name}");
        assert_eq!(header("content-type").as_deref(), Some("application/x-www-form-urlencoded"), "{name}");
        assert_eq!(header("authorization").as_deref(), Some("Basic Z3c6czNjcmV0"), "{name}");
        assert_eq!(call.body, b"grant_type=client_credentials", "{name}");
        assert_eq!(header("content-length").as_deref(), Some("29"), "{name}");
        assert!(call.is_of_root, "a fetch of a stream would be cancelled with it");
        answer_all(&mut host);
        let outcome = host.outcome(stream);
        assert_safe(&outcome, name);
        assert_eq!(outcome.upstream().all("x-gateway-token").len(), 1, "{name}");
        host.finish(stream, 200);
    }
}

#[test]
fn the_keys_are_served_without_waiting_for_anything() {
    for name in ["portcullis", "auth_header"] {
        let mut host = host(name);
        let stream = host.open(&fixture::request("GET", KEYS, &[]));
        let outcome = host.outcome(stream);
        assert_eq!(outcome.reply().status, 200, "{name}");
        assert!(String::from_utf8_lossy(&outcome.reply().body).contains("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"), "{name}");
        host.finish(stream, 200);
        assert_eq!(host.calls_sent(), 0, "{name}");
    }
}

#[test]
fn whatever_the_proxy_does_nothing_goes_on_without_its_credential() {
    for name in ["portcullis", "auth_header"] {
        for is_waiting in [false, true] {
            let made = with_each_fault(name, |call, fault, case| {
                let mut host = host(name);
                let waiting = is_waiting.then(|| open(&mut host, name));
                host.fail(call, fault);
                let stream = waiting.unwrap_or_else(|| open(&mut host, name));
                assert_safe(&host.outcome(stream), case);
                (0..3).for_each(|_| host.pass(SECOND));
                answer_all(&mut host);
                assert_safe(&host.outcome(stream), case);
                let keys = host.open(&fixture::request("GET", KEYS, &[]));
                assert!(!host.outcome(keys).is_continued() || name == "auth_header", "{case}");
                host.abandon(keys);
                let has_met = host.has_met(call);
                host.heal();
                for _ in 0..15 {
                    answer_all(&mut host);
                    host.pass(SECOND);
                }
                host.abandon(stream);
                let next = open(&mut host, name);
                assert!(host.outcome(next).is_continued(), "{case}: the next: {:?}\n{:#?}", host.outcome(next), host.logs());
                assert_safe(&host.outcome(next), case);
                has_met
            });
            for call in ["proxy_http_call", "proxy_replace_header_map_value", "proxy_get_current_time_nanoseconds"] {
                assert!(made.contains(call) || is_waiting, "{name}: {call} was tried");
            }
        }
    }
}
