//! `token.forward: replace`: the gateway's own token, which services verify with libraries of others and keys that the gateway serves.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwt_simple::prelude::{ES256KeyPair, Ed25519KeyPair};
use portcullis_e2e::{Stack, altered, bootstrap, python};
use portcullis_testbed::{Algorithm, Envoy, Issuer, Listener, Module, Plugin, Request, Seen, poll, workspace};
use serde_json::{Value, json};

const GATEWAY: &str = "https://gateway.example.com";
const AUDIENCE: &str = "services";
const KEYS: &str = "/.well-known/gateway-jwks.json";
/// By the bundle, and by the single modules in a chain.
const BOTH: [&str; 2] = ["bundle", "chain"];

struct World {
    stack: Stack,
    issuer: Issuer,
}

/// The keys of the gateway: private ones by their variables.
struct GatewayKeys {
    es256: String,
    next: String,
    next_public: String,
    eddsa: String,
}

fn gateway_keys() -> GatewayKeys {
    let next = ES256KeyPair::generate();
    let both = Ed25519KeyPair::generate().to_pem();
    GatewayKeys {
        es256: ES256KeyPair::generate().to_pem().unwrap(),
        next: next.to_pem().unwrap(),
        next_public: next.public_key().to_pem().unwrap(),
        eddsa: both[..both.find("-----BEGIN PUBLIC").unwrap()].to_owned(),
    }
}

fn auth_header(internal: &Value) -> Value {
    let mut all = json!({
        "issuer": GATEWAY, "audience": AUDIENCE, "key": {"env": "GATEWAY_KEY"}, "claims": ["tenant", "roles", "scopes"], "jwksPath": KEYS,
    });
    all.as_object_mut().unwrap().extend(internal.as_object().unwrap().clone());
    json!({"inject": [{"header": "x-user-id", "claim": "subject"}], "token": {"forward": "replace", "internal": all}})
}

fn configuration(issuer: &Issuer, listener: &str, internal: &Value) -> Value {
    let rule = |name: &str, path: &str, access: &str| json!({"name": format!("{listener}-{name}"), "match": {"paths": [path]}, "access": access});
    json!({
        "jwtAuth": {
            "jwtRules": [{"name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap().to_string(), "clockSkew": "0s"}],
            "rules": [
                // What auth-header answers, where it is a module of its own, has to be let through in front of it.
                rule("keys", KEYS, if listener == "chain" { "public" } else { "denied" }),
                rule("public", "/public/**", "public"),
                rule("optional", "/optional/**", "optional"),
                rule("denied", "/denied/**", "denied"),
            ],
        },
        "authHeader": auth_header(internal),
        "auditLog": {"default": {"record": "always"}},
        "metrics": {},
    })
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Rs256]).unwrap();
        let keys = gateway_keys();
        let with_keys = |plugin: Plugin, key: &str| {
            let plugin = plugin.variable("GATEWAY_KEY", key).variable("NEXT_KEY", &keys.next_public);
            plugin.variable("PREVIOUS_KEY", &keys.es256)
        };
        let bundle = |name: &str, key: &str, internal: Value| {
            let plugin = Plugin::new(Module::Portcullis, &configuration(&issuer, name, &internal));
            Listener::new(name).plugin(with_keys(plugin, key))
        };
        let chained = configuration(&issuer, "chain", &json!({}));
        let part = |module: Module, key: &str| with_keys(Plugin::new(module, &chained[key]), &keys.es256);
        let listeners = [
            bundle("bundle", &keys.es256, json!({})),
            Listener::new("chain")
                .plugin(part(Module::Metrics, "metrics"))
                .plugin(part(Module::AuditLog, "auditLog"))
                .plugin(part(Module::JwtAuth, "jwtAuth"))
                .plugin(part(Module::AuthHeader, "authHeader")),
            bundle("eddsa", &keys.eddsa, json!({"algorithm": "EdDSA", "header": "X-Gateway-Token", "ttl": "2m"})),
            bundle("announced", &keys.es256, json!({"nextKey": {"env": "NEXT_KEY"}})),
            bundle("rotated", &keys.next, json!({"previousKeys": [{"env": "PREVIOUS_KEY"}]})),
            bundle("over", &keys.next, json!({})),
        ];
        World { stack: Stack::start(listeners, &[]), issuer }
    })
}

fn token_in(seen: &Seen) -> String {
    let authorization = seen.headers.get("authorization").unwrap();
    authorization.strip_prefix("Bearer ").unwrap().to_owned()
}

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// What a service makes of tokens that verifies them with the keys that a listener serves: the claims, or `None`.
fn taken(listener: &str, tokens: &[&str]) -> Vec<Option<Value>> {
    let keys = world().stack.envoy.listener(listener).get(KEYS);
    assert_eq!(keys.status, 200, "{listener}: {}", keys.text());
    let script = workspace().join("tests/e2e/tests/internal_token/verify.py");
    let mut service = Command::new(python())
        .arg(script)
        .args([&keys.text(), GATEWAY, AUDIENCE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    service.stdin.take().unwrap().write_all(tokens.join("\n").as_bytes()).unwrap();
    let output = service.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let claims = |line: &str| (line != "refused").then(|| serde_json::from_str(line).unwrap());
    lines.lines().map(claims).collect()
}

impl World {
    fn caller(&self) -> String {
        let claims = self.issuer.claims().with("roles", json!(["ADMIN"])).with("tenant", "blue").with("scope", "a b");
        self.issuer.sign(&claims.with("act", json!({"sub": "svc"}))).unwrap()
    }

    fn sent(&self, listener: &str) -> Seen {
        self.stack.passes(listener, &Request::get("/orders/1").bearer(&self.caller()))
    }
}

#[test]
fn a_service_verifies_the_token_with_two_libraries_of_others() {
    let world = world();
    for listener in BOTH {
        let seen = world.sent(listener);
        assert_eq!(seen.headers.get("x-user-id").as_deref(), Some("alice"), "{listener}");
        let token = token_in(&seen);
        let [claims, None] = &taken(listener, &[&token, &altered(&token, 10)])[..] else { panic!("{listener}: {token}") };
        let mut claims = claims.clone().unwrap();
        let (issued, ends) = (claims["iat"].as_u64().unwrap(), claims["exp"].as_u64().unwrap());
        assert_eq!(ends - issued, 60, "{listener}");
        for member in ["iat", "exp", "jti"] {
            claims.as_object_mut().unwrap().remove(member).unwrap();
        }
        let expected = json!({
            "iss": GATEWAY, "aud": AUDIENCE, "sub": "alice", "tenant": "blue", "roles": ["ADMIN"], "scope": "a b",
            "act": {"sub": "svc"}, "origin": {"iss": "https://uaa.example.com", "jti": "token-1"},
        });
        assert_eq!(claims, expected, "{listener}");
    }
    let seen = world.sent("eddsa");
    assert_eq!(seen.headers.get("authorization"), None);
    let token = seen.headers.get("x-gateway-token").unwrap();
    assert!(matches!(&taken("eddsa", &[&token])[..], [Some(claims)] if claims["sub"] == "alice"));
}

#[test]
fn keys_are_served_before_and_after_they_sign() {
    let tokens = ["announced", "rotated", "over"].map(|listener| token_in(&world().sent(listener)));
    let [announced, rotated, over] = tokens.each_ref().map(String::as_str);
    let takes = |listener| taken(listener, &[announced, rotated, over]).iter().map(Option::is_some).collect::<Vec<_>>();
    assert_eq!(takes("announced"), [true, true, true]);
    assert_eq!(takes("rotated"), [true, true, true]);
    assert_eq!(takes("over"), [false, true, true], "the key that signed before is withdrawn");
}

#[test]
fn a_token_is_signed_once_for_a_caller_who_comes_again() {
    let world = world();
    for listener in BOTH {
        let caller = world.caller();
        let again = || token_in(&world.stack.passes(listener, &Request::get("/orders/1").bearer(&caller)));
        // Each worker signs for itself, and a connection is one worker's.
        let tokens: std::collections::BTreeSet<_> = (0..20).map(|_| again()).collect();
        assert!(tokens.len() <= 4, "{listener}: {} tokens", tokens.len());
        let names: std::collections::BTreeSet<_> = tokens.iter().map(|token| claims_of(token)["jti"].to_string()).collect();
        assert_eq!(names.len(), tokens.len(), "{listener}");
        let other = world.issuer.sign(&world.issuer.claims().with("sub", "bob")).unwrap();
        let bob = token_in(&world.stack.passes(listener, &Request::get("/orders/1").bearer(&other)));
        assert_eq!(claims_of(&bob)["sub"], "bob", "{listener}");
    }
}

#[test]
fn a_token_never_outlives_the_callers_own() {
    let world = world();
    for listener in BOTH {
        let claims = world.issuer.claims().expiring_in(20);
        let own = claims.as_map()["exp"].as_u64().unwrap();
        let seen = world.stack.passes(listener, &Request::get("/orders/1").bearer(&world.issuer.sign(&claims).unwrap()));
        assert_eq!(claims_of(&token_in(&seen))["exp"].as_u64(), Some(own), "{listener}");
    }
}

#[test]
fn case_07_nothing_that_a_client_sends_in_place_of_the_token_survives() {
    let world = world();
    let own = token_in(&world.sent("bundle"));
    let forged = ["authorization", "Authorization", "AUTHORIZATION"];
    for listener in BOTH {
        for path in ["/public/a", "/optional/a"] {
            for name in forged {
                // Where a credential is optional, one of another scheme is none.
                let value = if path == "/public/a" { format!("Bearer {own}") } else { "Basic YTpi".to_owned() };
                let seen = world.stack.passes(listener, &Request::get(path).header(name, value));
                assert_eq!(seen.headers.get("authorization"), None, "{listener} {path} {name}");
            }
        }
        let request = Request::get("/optional/a").bearer(&own);
        assert_eq!(world.stack.outcome(listener, &request), "401 issuer_unknown", "the gateway does not take its own tokens");
        assert_eq!(world.stack.outcome(listener, &Request::get("/denied/a").bearer(&own)), "403 access_denied");
    }
    for name in ["x-gateway-token", "X-Gateway-Token", "X_GATEWAY_TOKEN", "x-gateway_token"] {
        let seen = world.stack.passes("eddsa", &Request::get("/public/a").header(name, &own));
        let survived = seen.headers.iter().any(|(header, _)| header.replace('_', "-") == "x-gateway-token");
        assert!(!survived, "{name}");
    }
}

#[test]
fn the_keys_are_served_to_everyone_at_their_path_alone() {
    let world = world();
    let stack = &world.stack;
    for listener in BOTH {
        for method in ["GET", "HEAD"] {
            let response = stack.envoy.listener(listener).send(&Request::new(method, KEYS).header("authorization", "Basic YTpi"));
            assert_eq!(response.status, 200, "{listener} {method}");
            let header = |name: &str| response.headers.get(name);
            assert_eq!(header("content-type").as_deref(), Some("application/jwk-set+json"), "{listener}");
            assert_eq!(header("cache-control").as_deref(), Some("public, max-age=300"), "{listener}");
            assert!(stack.upstream.seen(&response.id).is_none(), "{listener}: the upstream was asked");
            if method == "HEAD" {
                assert_eq!(response.text(), "", "{listener}");
                continue;
            }
            let keys = response.json();
            let key = keys["keys"][0].as_object().unwrap();
            assert_eq!(key.keys().collect::<Vec<_>>(), ["alg", "crv", "kid", "kty", "use", "x", "y"], "no private part");
            let details = stack.envoy.access_line(listener, &response.id).details;
            assert_eq!(details, "portcullis{keys_served}", "{listener}");
        }
        let post = Request::new("POST", KEYS).header("content-length", "0");
        let disguised =
            ["/.well-known//gateway-jwks.json", "/.well-known/gateway-jwks.json/", "/.well-known/gateway%2djwks.json%3b"];
        let disguised = disguised.map(Request::get);
        for request in disguised.into_iter().chain([post]) {
            let response = stack.envoy.listener(listener).send(&request);
            assert!(!response.text().contains("\"kty\""), "{listener}: {}", response.text());
        }
    }
    // The bundle's own stages know of it.
    let response = stack.envoy.listener("bundle").get(KEYS);
    let event = stack.envoy.audit_event("bundle", &response.id);
    assert_eq!(event["decision"]["reason"], "keys_served", "{event}");
    let labels = [("reason", "keys_served"), ("decision", "allow"), ("status_class", "2xx")];
    let counted = poll("the counter", Duration::from_secs(10), || {
        (stack.envoy.metric("portcullis_requests_total", &labels) > 0.0).then_some(())
    });
    counted.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn without_its_key_there_is_no_gateway() {
    let issuer = &world().issuer;
    for (key, expected) in [
        (None, "authHeader.token.internal.key.env: the variable is not set in the VM's environment"),
        (Some("not a key, and long enough for a secret"), "authHeader.token.internal.key: is neither PEM nor a JWK"),
    ] {
        let plugin = Plugin::new(Module::Portcullis, &configuration(issuer, "bundle", &json!({})));
        let plugin = key.into_iter().fold(plugin, |plugin, key| plugin.variable("GATEWAY_KEY", key));
        let bootstrap = bootstrap().listener(Listener::new("broken").plugin(plugin));
        let log = Envoy::start_expecting_refusal(&bootstrap).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(log.contains(expected), "{log}");
        assert!(key.is_none_or(|key| !log.contains(key)), "{log}");
    }
}

#[test]
fn case_38_the_private_key_is_nowhere_to_be_seen() {
    let world = world();
    let _ = world.sent("bundle");
    let logs = world.stack.envoy.all_logs();
    let token = token_in(&world.sent("chain"));
    assert!(!logs.contains("PRIVATE KEY") && !logs.contains(&token));
}
