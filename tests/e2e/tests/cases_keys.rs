//! Security cases about keys: whose they are, where they come from, and what happens when they cannot be had.

use std::sync::OnceLock;

use portcullis_e2e::{Stack, jwt_auth};
use portcullis_testbed::{Algorithm, FakeJwksServer, FakeKeyServer, Fault, Health, Issuer, Request, SigningKey};
use serde_json::{Value, json};

const ISSUER: &str = "http://id.example.com/realm";
const DOCUMENT: &str = "/realm/.well-known/openid-configuration";
/// Names of listeners, with what the provider says of itself.
const LIES: [(&str, &str, &str); 8] = [
    ("another issuer", "http://evil.example.com", "http://id.example.com/keys"),
    ("a slash more", "http://id.example.com/realm/", "http://id.example.com/keys"),
    ("another host", ISSUER, "http://evil.example.com/keys"),
    ("a host with this one's name in it", ISSUER, "http://id.example.com.evil.example.com/keys"),
    ("a user name", ISSUER, "http://id.example.com@evil.example.com/keys"),
    ("metadata", ISSUER, "http://169.254.169.254/latest/meta-data"),
    ("a file", ISSUER, "file:///etc/passwd"),
    ("nothing", ISSUER, ""),
];

struct World {
    stack: Stack,
    issuer: Issuer,
    other: Issuer,
    provider: FakeKeyServer,
    liars: Vec<FakeKeyServer>,
    /// Whatever is sent to another host would come here.
    evil: FakeKeyServer,
    flooded: FakeKeyServer,
    _faults: Vec<FakeJwksServer>,
}

fn provider(issuer: &str, jwks_uri: &str, jwks: &Value) -> FakeKeyServer {
    let server = FakeKeyServer::start(Health::Good(std::time::Duration::ZERO)).unwrap();
    server.serve(DOCUMENT, &json!({"issuer": issuer, "jwks_uri": jwks_uri}));
    server.serve("/keys", jwks);
    server
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap();
        let other = Issuer::new("https://other.example.com", &[Algorithm::Es256]).unwrap();
        let keys = issuer.jwks().unwrap();
        let honest = provider(ISSUER, "http://id.example.com/keys", &keys);
        let liars: Vec<_> = LIES.iter().map(|(_, issuer, uri)| provider(issuer, uri, &keys)).collect();
        let (evil, flooded) = (provider(ISSUER, "", &keys), provider(ISSUER, "http://id.example.com/keys", &keys));
        let faults: Vec<_> = Fault::ALL.into_iter().map(|fault| FakeJwksServer::start(fault).unwrap()).collect();

        let rules = |rule: Value| {
            let other = json!({"name": "other", "issuer": other.name(), "jwks": other.jwks().unwrap()});
            json!({"jwtRules": [rule, other]})
        };
        let discovering = |name: &str| {
            let rule = json!({"name": "id", "issuer": ISSUER, "discovery": ISSUER, "cluster": name, "timeout": "500ms"});
            jwt_auth(name, &rules(rule))
        };
        let names: Vec<_> = Fault::ALL.iter().map(|fault| format!("{fault:?}")).collect();
        let mut listeners: Vec<_> = LIES.iter().map(|(name, ..)| discovering(name)).collect();
        listeners.extend(["honest", "flooded"].map(discovering));
        let failing = |name: &String| {
            let uri = "http://id.example.com/keys";
            let rule = json!({"name": "id", "issuer": ISSUER, "jwksUri": uri, "cluster": name, "timeout": "500ms"});
            jwt_auth(name, &rules(rule))
        };
        listeners.extend(names.iter().map(failing));
        let mut clusters: Vec<_> = LIES.iter().zip(&liars).map(|((name, ..), server)| (*name, server.address())).collect();
        clusters.extend([("honest", honest.address()), ("flooded", flooded.address())]);
        clusters.extend(["evil.example.com", "id.example.com.evil.example.com", "169.254.169.254"].map(|host| {
            let name: &'static str = Box::leak(format!("outbound|80||{host}").into_boxed_str());
            (name, evil.address())
        }));
        clusters.extend(names.iter().map(String::as_str).zip(faults.iter().map(FakeJwksServer::address)));
        let stack = Stack::start(listeners, &clusters);
        World { stack, issuer, other, provider: honest, liars, evil, flooded, _faults: faults }
    })
}

impl World {
    fn outcome(&self, listener: &str, token: &str) -> String {
        self.stack.outcome(listener, &Request::get("/").bearer(token))
    }
}

#[test]
fn case_18_a_key_vouches_for_its_own_issuer_only() {
    let world = world();
    assert_eq!(world.outcome("honest", &world.issuer.token().unwrap()), "200");
    assert_eq!(world.outcome("honest", &world.other.token().unwrap()), "200");
    let by_other = world.other.sign(&world.issuer.claims()).unwrap();
    let for_other = world.issuer.sign(&world.other.claims()).unwrap();
    for forged in [by_other, for_other] {
        assert_eq!(world.outcome("honest", &forged), "401 signature_invalid");
    }
    for name in ["another issuer", "a slash more"] {
        assert_eq!(world.outcome(name, &world.issuer.token().unwrap()), "503 keys_unavailable", "{name}");
    }
}

#[test]
fn case_26_jwks_fetch_failures_never_fall_back_to_a_default_key() {
    let world = world();
    let stranger = SigningKey::generate(Algorithm::Es256, "es256").unwrap();
    let tokens = [world.issuer.token().unwrap(), stranger.sign(&world.issuer.claims()).unwrap()];
    for fault in Fault::ALL {
        for token in &tokens {
            assert_eq!(world.outcome(&format!("{fault:?}"), token), "503 keys_unavailable", "{fault:?}");
        }
    }
}

#[test]
fn case_28_keys_are_fetched_from_configured_places_only() {
    let world = world();
    let token = world.issuer.token().unwrap();
    assert_eq!(world.outcome("honest", &token), "200");
    for ((name, ..), server) in LIES.iter().zip(&world.liars) {
        assert_eq!(world.outcome(name, &token), "503 keys_unavailable", "{name}");
        assert!(server.fetches() > 0, "{name}");
    }
    assert_eq!(world.evil.fetches(), 0, "a document led somewhere else");
    assert_eq!(world.provider.fetches(), 2, "the document and the keys, once for all workers");
}

#[test]
fn case_29_a_flood_of_unknown_kids_is_a_fetch_a_minute_and_touches_nobody() {
    let world = world();
    let valid = world.issuer.token().unwrap();
    assert_eq!(world.outcome("flooded", &valid), "200");
    for number in 0..100 {
        let key = SigningKey::generate(Algorithm::Es256, &format!("kid-{number}")).unwrap();
        assert_eq!(world.outcome("flooded", &key.sign(&world.issuer.claims()).unwrap()), "401 key_unknown");
        assert_eq!(world.outcome("flooded", &valid), "200");
    }
    // The document, the keys, and the keys again if a minute went by.
    assert!((2..=4).contains(&world.flooded.fetches()), "{} fetches", world.flooded.fetches());
}
