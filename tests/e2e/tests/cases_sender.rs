//! Published attacks on tokens that are bound to their sender (case 40; case 5 of what a client says about itself). Each test bears
//! the number of its case.

use std::sync::{Barrier, OnceLock};
use std::thread;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_core::sender::thumbprint::thumbprint;
use portcullis_e2e::{Stack, bootstrap, bundle};
use portcullis_testbed::{Algorithm, Bootstrap, Certificate, Envoy, Holder, Issuer, Request, Response, SigningKey, Upstream};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const INVALID: &str = "401 dpop_proof_invalid";
const MISMATCH: &str = "401 token_binding_mismatch";
const REPLAYED: &str = "401 dpop_proof_replayed";

struct World {
    stack: Stack,
    issuer: Issuer,
    holder: Holder,
    certificates: [Certificate; 3],
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
        let config = |more: Value| {
            let mut entry = json!({"name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap()});
            entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({
                "jwtAuth": {"jwtRules": [entry], "rules": [
                    {"name": "open", "match": {"paths": ["/open"]}, "access": "public"},
                    {"name": "bound", "match": {"paths": ["/bound"]}, "require": {"senderConstrained": true}},
                ]},
                "authHeader": {"strip": ["x-user-*"], "inject": [{"header": "x-user-id", "claim": "subject"}]},
            })
        };
        let certificates = ["server", "alice", "mallory"].map(|name| Certificate::generate(name).unwrap());
        let [server, alice, mallory] = &certificates;
        let dpop = |dpop: Value| config(json!({ "dpop": dpop }));
        let key = json!({"inline": "a key for nonces that has more than thirty-two bytes"});
        let listeners = [
            bundle("gate", &config(json!({}))),
            bundle("forwarding", &config(json!({"forwardOriginalToken": true}))),
            bundle("nonces", &dpop(json!({"nonce": {"key": key}}))),
            bundle("behind", &dpop(json!({"origins": ["https://api.example.com"]}))),
            bundle("required", &dpop(json!({"required": true, "algorithms": ["ES256"]}))),
            bundle("tls", &config(json!({}))).tls(server),
            bundle("xfcc", &config(json!({"clientCertificate": {"from": "xfcc"}}))).forward_client_cert("ALWAYS_FORWARD_ONLY"),
            bundle("xfcc-removed", &config(json!({"clientCertificate": {"from": "xfcc"}}))),
        ];
        let upstream = Upstream::start().unwrap();
        let bootstrap = listeners
            .into_iter()
            .fold(bootstrap().cluster("upstream", upstream.address()), Bootstrap::listener)
            .tls_client("as-alice", "tls", Some(alice))
            .tls_client("as-mallory", "tls", Some(mallory))
            .tls_client("as-nobody", "tls", None);
        let envoy = Envoy::start(&bootstrap).unwrap_or_else(|error| panic!("{error:?}"));
        World { stack: Stack { envoy, upstream }, issuer, holder: Holder::new(), certificates }
    })
}

fn hash(text: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}

/// A token that is bound to this.
fn bound_to(cnf: &Value) -> String {
    let World { issuer, .. } = world();
    issuer.sign(&issuer.claims().with("cnf", cnf.clone())).unwrap()
}

fn jkt(holder: &Holder) -> String {
    URL_SAFE_NO_PAD.encode(thumbprint(holder.jwk().as_object().unwrap()).unwrap())
}

fn bound() -> String {
    bound_to(&json!({ "jkt": jkt(&world().holder) }))
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A fresh id.
fn id() -> String {
    Request::get("/").id().to_owned()
}

/// The claims of a proof for a GET of `/orders`, by way of a listener without TLS.
fn claims(token: &str) -> Value {
    json!({"jti": id(), "htm": "GET", "htu": "http://api.example.com/orders", "iat": now(), "ath": hash(token.as_bytes())})
}

fn header() -> Value {
    json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": world().holder.jwk()})
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn proof(claims: &Value) -> String {
    world().holder.sign(&header(), claims)
}

fn request(token: &str, proof: &str) -> Request {
    Request::get("/orders?page=2").header("authorization", format!("DPoP {token}")).header("dpop", proof)
}

#[track_caller]
fn outcome(listener: &str, request: &Request) -> String {
    world().stack.outcome(listener, request)
}

#[track_caller]
fn send(listener: &str, request: &Request) -> Response {
    world().stack.envoy.listener(listener).send(request)
}

/// Bearer tokens that were stolen: a token with `cnf.jkt` counted as one in several gateways.
#[test]
fn case_40_a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let token = bound();
    let bearer = Request::get("/orders").bearer(&token);
    assert_eq!(outcome("gate", &bearer), MISMATCH);
    assert_eq!(outcome("gate", &bearer.clone().header("dpop", proof(&claims(&token)))), MISMATCH);
    assert_eq!(
        outcome("gate", &Request::get("/orders").header("authorization", format!("DPoP {token}"))),
        "401 dpop_proof_missing"
    );
    let challenge = send("gate", &bearer).headers.get("www-authenticate").unwrap();
    assert!(challenge.starts_with("DPoP error=\"invalid_token\", "), "{challenge}");
    assert!(challenge.ends_with(", algs=\"RS256 PS256 ES256 ES384 EdDSA\""), "{challenge}");
    // With a proof it counts, also when it was verified before.
    for _ in 0..2 {
        let seen = world().stack.passes("gate", &request(&token, &proof(&claims(&token))));
        assert_eq!(seen.headers.get("x-user-id").as_deref(), Some("alice"));
        assert_eq!((seen.headers.get("authorization"), seen.headers.get("dpop")), (None, None));
    }
    assert_eq!(outcome("gate", &bearer), MISMATCH, "a token that is known is still bound");
    let seen = world().stack.passes("forwarding", &request(&token, &proof(&claims(&token))));
    assert!(seen.headers.get("authorization").is_some() && seen.headers.get("dpop").is_some());
    // A token that is not bound does not become so by the scheme.
    let unbound = world().issuer.token().unwrap();
    assert_eq!(outcome("gate", &request(&unbound, &proof(&claims(&unbound)))), MISMATCH);
    assert_eq!(outcome("gate", &Request::get("/orders").bearer(&unbound)), "200");
    assert_eq!(outcome("gate", &Request::get("/bound").bearer(&unbound)), "401 token_not_bound");
    assert_eq!(outcome("required", &Request::get("/orders").bearer(&unbound)), "401 token_not_bound");
}

#[test]
fn case_40_a_proof_is_for_one_request_token_and_time() {
    let token = bound();
    let other = world().issuer.sign(&world().issuer.claims().with("cnf", json!({"jkt": jkt(&world().holder)})).with("jti", "b"));
    for (name, claim, value, expected) in [
        ("as it should be", "htm", json!("GET"), "200"),
        ("another method", "htm", json!("POST"), INVALID),
        ("another URI", "htu", json!("http://api.example.com/admin"), INVALID),
        ("another host", "htu", json!("http://evil.example.com/orders"), INVALID),
        ("another scheme", "htu", json!("https://api.example.com/orders"), INVALID),
        ("another token", "ath", json!(hash(other.unwrap().as_bytes())), INVALID),
        ("no token", "ath", json!(null), INVALID),
        ("an hour old", "iat", json!(now() - 3600), INVALID),
        ("from tomorrow", "iat", json!(now() + 86_400), INVALID),
        ("no id", "jti", json!(""), INVALID),
    ] {
        assert_eq!(outcome("gate", &request(&token, &proof(&with(claims(&token), claim, value)))), expected, "{name}");
    }
    let good = proof(&claims(&token));
    for (name, request) in [
        ("two proofs", request(&token, &good).header("dpop", proof(&claims(&token)))),
        ("two in one header", request(&token, &format!("{good}, {}", proof(&claims(&token))))),
        (
            "bytes that are no text",
            Request::get("/orders").header("authorization", format!("DPoP {token}")).header("dpop", b"\xff.a.b"),
        ),
    ] {
        assert_eq!(outcome("gate", &request), INVALID, "{name}");
    }
    let post = Request::new("POST", "/orders").header("authorization", format!("DPoP {token}")).header("dpop", &good);
    assert_eq!(outcome("gate", &post), INVALID);
}

/// A proof that was seen on its way, sent to whichever worker: one of all these requests passes.
#[test]
fn case_40_a_proof_counts_once_for_all_workers() {
    let token = bound();
    let spent = proof(&claims(&token));
    assert_eq!(outcome("gate", &request(&token, &spent)), "200");
    for _ in 0..20 {
        assert_eq!(outcome("gate", &request(&token, &spent)), REPLAYED);
        assert_eq!(outcome("forwarding", &request(&token, &spent)), REPLAYED, "through another listener");
    }
    // All at the same time.
    let again = proof(&claims(&token));
    let start = Barrier::new(16);
    let outcomes: Vec<String> = thread::scope(|scope| {
        let send = || {
            start.wait();
            outcome("gate", &request(&token, &again))
        };
        let sent: Vec<_> = (0..16).map(|_| scope.spawn(send)).collect();
        sent.into_iter().map(|sent| sent.join().unwrap()).collect()
    });
    let count = |expected: &str| outcomes.iter().filter(|outcome| *outcome == expected).count();
    assert_eq!((count("200"), count(REPLAYED)), (1, 15), "{outcomes:?}");
    // The same id of another client is another proof.
    let other = Holder::new();
    let other_token = bound_to(&json!({ "jkt": jkt(&other) }));
    let claims = with(claims(&other_token), "jti", json!("the same"));
    let theirs = other.sign(&json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": other.jwk()}), &claims);
    assert_eq!(outcome("gate", &request(&other_token, &theirs)), "200");
    let ours = proof(&with(self::claims(&token), "jti", json!("the same")));
    assert_eq!(outcome("gate", &request(&token, &ours)), "200");
}

#[test]
fn case_40_a_proof_is_signed_with_the_key_that_the_token_names() {
    let token = bound();
    let World { holder, .. } = world();
    let thief = Holder::new();
    let sign = |header: &Value| holder.sign(header, &claims(&token));
    let secret = SigningKey::generate(Algorithm::Hs256, "k").unwrap();
    let mut symmetric = secret.jwk().unwrap();
    let keyed = |jwk: &Value| {
        let header = json!({"typ": "dpop+jwt", "alg": "HS256", "jwk": jwk});
        secret.sign_text(&header.to_string(), &claims(&token).to_string()).unwrap()
    };
    let with_secret = keyed(&symmetric);
    symmetric.as_object_mut().unwrap().remove("k");
    for (name, proof, expected) in [
        ("another key", thief.sign(&with(header(), "jwk", thief.jwk()), &claims(&token)), MISMATCH),
        ("another key under the name of the right one", thief.sign(&header(), &claims(&token)), INVALID),
        ("a private key", sign(&with(header(), "jwk", holder.private_jwk())), INVALID),
        ("a symmetric key", with_secret, INVALID),
        ("a symmetric key that is not told", keyed(&symmetric), INVALID),
        ("the public key as a secret", keyed(&holder.jwk()), INVALID),
        ("no algorithm", sign(&with(header(), "alg", json!("none"))), INVALID),
        ("not signed", sign(&header()).rsplit_once('.').map(|(text, _)| format!("{text}.")).unwrap(), INVALID),
        ("an access token", token.clone(), INVALID),
        ("another type", sign(&with(header(), "typ", json!("JWT"))), INVALID),
        ("an extension", sign(&with(header(), "crit", json!(["b64"]))), INVALID),
        ("no key", sign(&with(header(), "jwk", json!(null))), INVALID),
    ] {
        assert_eq!(outcome("gate", &request(&token, &proof)), expected, "{name}");
    }
}

#[test]
fn case_40_a_token_that_is_bound_to_something_unknown_never_counts() {
    for cnf in [json!({"kid": "a"}), json!({"jwk": world().holder.jwk()}), json!({"x5t": "a"}), json!({}), json!(null)] {
        let token = bound_to(&cnf);
        assert_eq!(outcome("gate", &Request::get("/orders").bearer(&token)), MISMATCH, "{cnf}");
        assert_eq!(outcome("gate", &request(&token, &proof(&claims(&token)))), MISMATCH, "{cnf}");
    }
}

/// RFC 9449 section 9.
#[test]
fn case_40_a_nonce_is_given_out_and_taken_by_all_workers() {
    let token = bound();
    let refused = send("nonces", &request(&token, &proof(&claims(&token))));
    assert_eq!(refused.outcome(), "401 dpop_nonce_required");
    assert!(refused.headers.get("www-authenticate").unwrap().starts_with("DPoP error=\"use_dpop_nonce\", "));
    let nonce = refused.headers.get("dpop-nonce").unwrap();
    for _ in 0..6 {
        assert_eq!(outcome("nonces", &request(&token, &proof(&with(claims(&token), "nonce", json!(nonce))))), "200");
    }
    let guessed = proof(&with(claims(&token), "nonce", json!("AAAAAAAAAAAAAAAAAAAAAA")));
    assert_eq!(outcome("nonces", &request(&token, &guessed)), "401 dpop_nonce_required");
    let missing = send("nonces", &Request::get("/orders"));
    assert_eq!(missing.headers.get("www-authenticate").as_deref(), Some("Bearer, DPoP algs=\"RS256 PS256 ES256 ES384 EdDSA\""));
    let missing = send("required", &Request::get("/orders"));
    assert_eq!(missing.headers.get("www-authenticate").as_deref(), Some("DPoP algs=\"ES256\""));
}

/// CVE-2023-27487 and its like: what a client says elsewhere of host, scheme and path is not what a proof is for.
#[test]
fn case_5_forged_headers_do_not_change_what_a_proof_is_for() {
    let token = bound();
    for (uri, name, value) in [
        ("https://api.example.com/orders", "x-forwarded-proto", "https"),
        ("https://api.example.com/orders", "x-envoy-external-address", "https"),
        ("http://evil.example.com/orders", "x-forwarded-host", "evil.example.com"),
        ("http://api.example.com:8443/orders", "x-forwarded-port", "8443"),
        ("http://api.example.com/admin", "x-envoy-original-path", "/admin"),
        ("http://api.example.com/admin", "x-original-url", "/admin"),
    ] {
        let stolen = proof(&with(claims(&token), "htu", json!(uri)));
        assert_eq!(outcome("gate", &request(&token, &stolen).header(name, value)), INVALID, "{name}");
        let good = request(&token, &proof(&claims(&token))).header(name, value);
        assert_eq!(outcome("gate", &good), "200", "{name}");
    }
    // Behind a proxy that ends TLS the operator says what the URI begins with.
    let told = proof(&with(claims(&token), "htu", json!("https://api.example.com/orders")));
    assert_eq!(outcome("behind", &request(&token, &told)), "200");
    let plain = request(&token, &proof(&claims(&token))).header("x-forwarded-proto", "http");
    assert_eq!(outcome("behind", &plain), INVALID);
}

/// RFC 8705 section 3, on connections over TLS.
#[test]
fn case_40_a_token_that_is_bound_to_a_certificate_comes_with_it() {
    let [_, alice, mallory] = &world().certificates;
    let token = bound_to(&json!({ "x5t#S256": hash(&alice.der().unwrap()) }));
    let bearer = || Request::get("/bound").bearer(&token);
    let hex = |certificate: &Certificate| {
        Sha256::digest(certificate.der().unwrap()).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    for (client, expected) in [("as-alice", "200"), ("as-mallory", MISMATCH), ("as-nobody", MISMATCH), ("gate", MISMATCH)] {
        assert_eq!(outcome(client, &bearer()), expected, "{client}");
        let forged = bearer().header("x-forwarded-client-cert", format!("Hash={}", hex(alice)));
        assert_eq!(outcome(client, &forged), expected, "{client} with a forged header");
    }
    let element = |certificate| bearer().header("x-forwarded-client-cert", format!("By=x;Hash={}", hex(certificate)));
    assert_eq!(outcome("xfcc", &element(alice)), "200");
    assert_eq!(outcome("xfcc", &element(mallory)), MISMATCH);
    assert_eq!(outcome("xfcc", &bearer()), MISMATCH);
    let both = format!("Hash={},By=x;Hash={}", hex(alice), hex(mallory));
    assert_eq!(outcome("xfcc", &bearer().header("x-forwarded-client-cert", both)), MISMATCH, "the last one counts");
    assert_eq!(outcome("xfcc-removed", &element(alice)), MISMATCH, "the proxy takes it from nobody");
}

#[test]
fn case_40_a_proof_over_tls_is_for_https_and_of_two_bindings_both_hold() {
    let token = bound();
    let over_tls = |token: &str| with(claims(token), "htu", json!("https://api.example.com/orders"));
    assert_eq!(outcome("as-nobody", &request(&token, &proof(&over_tls(&token)))), "200");
    assert_eq!(outcome("as-nobody", &request(&token, &proof(&claims(&token)))), INVALID);
    let [_, alice, _] = &world().certificates;
    let token = bound_to(&json!({ "jkt": jkt(&world().holder), "x5t#S256": hash(&alice.der().unwrap()) }));
    assert_eq!(outcome("as-alice", &request(&token, &proof(&over_tls(&token)))), "200");
    assert_eq!(outcome("as-mallory", &request(&token, &proof(&over_tls(&token)))), MISMATCH);
    assert_eq!(outcome("as-alice", &Request::get("/orders").bearer(&token)), MISMATCH);
}

/// What a proof or a token is made of is in no log.
#[test]
fn case_38_proofs_are_in_no_log() {
    let token = bound();
    let (good, bad) = (proof(&claims(&token)), proof(&with(claims(&token), "htm", json!("POST"))));
    assert_eq!(outcome("gate", &request(&token, &good)), "200");
    assert_eq!(outcome("gate", &request(&token, &bad)), INVALID);
    let logs = world().stack.envoy.all_logs();
    for secret in [&token, &good, &bad] {
        assert!(!logs.contains(secret.rsplit('.').next().unwrap()));
    }
}
