//! Where keys come from beside key sets: Spring's token key, and the tenants of one provider; and what the metrics say of them.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_e2e::{Stack, jwt_auth};
use portcullis_testbed::{Algorithm, Exposition, FakeKeyServer, Fault, Health, Issuer, Listener, Request, SigningKey, poll};
use serde_json::{Value, json};

const ISSUER: &str = "https://uaa.example.com";
const TOKEN_KEY: &str = "/oauth/token_key";
const SECRET: &str = "a value that Spring publishes, of more than 64 bytes, as HS512 asks for";
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    stack: Stack,
    /// When it was not there yet, in seconds since the epoch.
    begin: u64,
    /// One RSA key, `rs256`.
    spring: Issuer,
    pem: FakeKeyServer,
    /// A symmetric key.
    shared: SigningKey,
    acme: Issuer,
    globex: Issuer,
    /// It has no tenant here.
    initech: Issuer,
    _servers: Vec<FakeKeyServer>,
}

fn server(documents: &[(&str, Value)]) -> FakeKeyServer {
    let server = FakeKeyServer::start(Health::Good(Duration::ZERO)).unwrap();
    for (path, document) in documents {
        server.serve(path, document);
    }
    server
}

/// An entry whose key is Spring's; the listener, the entry and the cluster have one name.
fn token_key(name: &str, algorithms: Option<&[&str]>) -> Listener {
    let mut rule =
        json!({"name": name, "issuer": ISSUER, "tokenKeyUri": format!("http://uaa.example.com{TOKEN_KEY}"), "cluster": name});
    if let Some(algorithms) = algorithms {
        rule["algorithms"] = json!(algorithms);
    }
    jwt_auth(name, &json!({"jwtRules": [rule]}))
}

/// An entry for two tenants whose keys are at a place of their own each.
fn tenants(name: &str, key: &str, uri: &str) -> Listener {
    let rule = json!({
        "name": name, "issuer": "http://login.example.com/{tenant}/v2.0", "tenants": ["acme", "globex"], key: uri, "cluster": name,
    });
    jwt_auth(name, &json!({"jwtRules": [rule]}))
}

fn tenant(name: &str) -> Issuer {
    // Each of them has a key `es256`.
    Issuer::new(&format!("http://login.example.com/{name}/v2.0"), &[Algorithm::Es256]).unwrap()
}

fn provider(issuer: &Issuer, keys: &str) -> Value {
    json!({"issuer": issuer.name(), "jwks_uri": format!("http://login.example.com{keys}")})
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let begin = seconds();
        let spring = Issuer::new(ISSUER, &[Algorithm::Rs256]).unwrap();
        let text = spring.key(Algorithm::Rs256).unwrap().public_pem().unwrap();
        let shared = SigningKey::from_secret(Algorithm::Hs256, "shared", SECRET.as_bytes()).unwrap();
        let public = json!({"kid": "rs256", "alg": "SHA256withRSA", "value": text});
        let symmetric = json!({"kid": "shared", "alg": "HMACSHA256", "value": SECRET});
        let (acme, globex, initech) = (tenant("acme"), tenant("globex"), tenant("initech"));
        let keys = |issuer: &Issuer| issuer.jwks().unwrap();

        let pem = server(&[(TOKEN_KEY, public.clone())]);
        let servers = vec![
            ("both", server(&[(TOKEN_KEY, public)])),
            ("symmetric", server(&[(TOKEN_KEY, symmetric.clone())])),
            ("unasked", server(&[(TOKEN_KEY, symmetric)])),
            ("confused", server(&[(TOKEN_KEY, json!({"kid": "rs256", "alg": "HS256", "value": text}))])),
            ("login", server(&[("/acme/keys", keys(&acme)), ("/globex/keys", keys(&globex)), ("/initech/keys", keys(&initech))])),
            (
                "discovered",
                server(&[
                    ("/acme/v2.0/.well-known/openid-configuration", provider(&acme, "/a")),
                    ("/globex/v2.0/.well-known/openid-configuration", provider(&globex, "/g")),
                    ("/a", keys(&acme)),
                    ("/g", keys(&globex)),
                ]),
            ),
            (
                // It says of one tenant that it is the other one.
                "lying",
                server(&[
                    ("/acme/v2.0/.well-known/openid-configuration", provider(&acme, "/a")),
                    ("/globex/v2.0/.well-known/openid-configuration", provider(&acme, "/g")),
                    ("/a", keys(&acme)),
                    ("/g", keys(&globex)),
                ]),
            ),
            ("failing", FakeKeyServer::start(Health::Bad(Fault::InternalError)).unwrap()),
        ];
        let listeners = [
            token_key("pem", None),
            token_key("both", Some(&["RS256", "HS256"])),
            token_key("symmetric", Some(&["HS256"])),
            token_key("unasked", None),
            token_key("confused", Some(&["RS256", "HS256"])),
            token_key("failing", None),
            tenants("login", "jwksUri", "http://login.example.com/{tenant}/keys"),
            tenants("discovered", "discovery", "http://login.example.com/{tenant}/v2.0"),
            tenants("lying", "discovery", "http://login.example.com/{tenant}/v2.0"),
        ];
        let mut clusters = vec![("pem", pem.address())];
        clusters.extend(servers.iter().map(|(name, server)| (*name, server.address())));
        let stack = Stack::start(listeners, &clusters);
        let servers = servers.into_iter().map(|(_, server)| server).collect();
        World { stack, begin, spring, pem, shared, acme, globex, initech, _servers: servers }
    })
}

impl World {
    #[track_caller]
    fn outcome(&self, listener: &str, token: &str) -> String {
        self.stack.outcome(listener, &Request::get("/").bearer(token))
    }

    /// The statistics, once a fetch with this outcome is among them.
    #[track_caller]
    fn statistics(&self, issuer: &str, outcome: &str) -> Exposition {
        let found = poll("the metrics of the keys", PATIENCE, || {
            let statistics = self.stack.envoy.prometheus();
            let labels = [("issuer", issuer), ("outcome", outcome)];
            (statistics.sum("portcullis_jwks_fetches_total", &labels) > 0.0).then_some(statistics)
        });
        found.unwrap_or_else(|error| panic!("{issuer}: {error}\n{}", self.stack.envoy.admin("/stats?filter=portcullis")))
    }
}

#[test]
fn springs_public_key_verifies_and_is_no_secret() {
    let world = world();
    let key = world.spring.key(Algorithm::Rs256).unwrap();
    let pem = key.public_pem().unwrap();
    let by_public_key = SigningKey::from_secret(Algorithm::Hs256, "rs256", pem.as_bytes()).unwrap();
    let other = SigningKey::generate(Algorithm::Rs256, "another").unwrap();
    let claims = world.spring.claims();
    for listener in ["pem", "both"] {
        for (name, token, expected) in [
            ("its own", world.spring.token().unwrap(), "200"),
            ("signed with the public key as a secret", by_public_key.sign(&claims).unwrap(), "401 algorithm_not_allowed"),
            ("another kid", other.sign(&claims).unwrap(), "401 key_unknown"),
        ] {
            assert_eq!(world.outcome(listener, &token), expected, "{listener}, {name}");
        }
    }
    assert!((1..=2).contains(&world.pem.fetches()), "{} fetches: the key, and again for another kid", world.pem.fetches());
}

#[test]
fn springs_symmetric_key_is_taken_only_where_it_is_asked_for() {
    let world = world();
    let token = world.shared.sign(&world.spring.claims()).unwrap();
    let other = SigningKey::generate(Algorithm::Hs256, "shared").unwrap().sign(&world.spring.claims()).unwrap();
    assert_eq!(world.outcome("symmetric", &token), "200");
    assert_eq!(world.outcome("symmetric", &other), "401 signature_invalid");
    assert_eq!(world.outcome("symmetric", &world.spring.token().unwrap()), "401 algorithm_not_allowed");
    for token in [&token, &other] {
        assert_eq!(world.outcome("unasked", token), "503 keys_unavailable");
    }
    let log = world.stack.envoy.log();
    assert!(log.contains("whoever can fetch a symmetric key can sign tokens"), "the operator is warned");
    assert!(!log.contains(SECRET), "the secret is in the log");
}

#[test]
fn a_public_key_that_is_published_as_a_secret_is_none() {
    let world = world();
    let pem = world.spring.key(Algorithm::Rs256).unwrap().public_pem().unwrap();
    let forged = SigningKey::from_secret(Algorithm::Hs256, "rs256", pem.as_bytes()).unwrap();
    for token in [forged.sign(&world.spring.claims()).unwrap(), world.spring.token().unwrap()] {
        assert_eq!(world.outcome("confused", &token), "503 keys_unavailable");
    }
}

#[test]
fn a_tenants_key_vouches_for_no_other_tenant() {
    let world = world();
    for listener in ["login", "discovered"] {
        for (signer, other) in [(&world.acme, &world.globex), (&world.globex, &world.acme)] {
            let name = format!("{listener}: {}", signer.name());
            assert_eq!(world.outcome(listener, &signer.token().unwrap()), "200", "{name}");
            assert_eq!(world.outcome(listener, &signer.sign(&other.claims()).unwrap()), "401 signature_invalid", "{name}");
        }
        assert_eq!(world.outcome(listener, &world.initech.token().unwrap()), "401 issuer_unknown", "{listener}");
        assert_eq!(world.outcome(listener, &world.initech.sign(&world.acme.claims()).unwrap()), "401 signature_invalid");
    }
    // A document that is another tenant's brings no keys, and takes none away.
    assert_eq!(world.outcome("lying", &world.acme.token().unwrap()), "200");
    assert_eq!(world.outcome("lying", &world.globex.token().unwrap()), "503 keys_unavailable");
    assert_eq!(world.outcome("lying", &world.globex.sign(&world.acme.claims()).unwrap()), "401 signature_invalid");
}

#[test]
fn a_tenant_is_known_by_its_exact_issuer() {
    let world = world();
    for issuer in [
        "http://login.example.com/{tenant}/v2.0",
        "http://login.example.com/acme/v2.0/",
        "http://login.example.com/acme/v2.0/evil",
        "http://login.example.com/acme/v2",
        "http://login.example.com/ACME/v2.0",
        "http://login.example.com/acme.evil/v2.0",
        "http://login.example.com/evil/acme/v2.0",
        "http://login.example.com/globex/../acme/v2.0",
        "http://login.example.com/acme%2fv2.0",
        "http://login.example.com//v2.0",
        "http://login.example.com.evil.example/acme/v2.0",
        "http://evil.example/?http://login.example.com/acme/v2.0",
        "https://login.example.com/acme/v2.0",
        " http://login.example.com/acme/v2.0",
        "acme",
        "",
    ] {
        let token = world.acme.sign(&world.acme.claims().with("iss", issuer)).unwrap();
        assert_eq!(world.outcome("login", &token), "401 issuer_unknown", "{issuer}");
    }
}

#[test]
fn metrics_tell_how_the_keys_of_each_issuer_are() {
    let world = world();
    for (listener, token) in
        [("pem", world.spring.token().unwrap()), ("login", world.acme.token().unwrap()), ("login", world.globex.token().unwrap())]
    {
        assert_eq!(world.outcome(listener, &token), "200", "{listener}");
    }
    for issuer in ["pem", "login/acme", "login/globex"] {
        let statistics = world.statistics(issuer, "success");
        let labels = [("issuer", issuer)];
        let value = |name: &str| {
            let found: Vec<_> = statistics.samples(name, &labels).collect();
            assert_eq!(found.len(), 1, "{issuer}: {name}: {found:?}");
            found[0].value
        };
        assert_eq!(value("portcullis_jwks_keys"), 1.0, "{issuer}");
        assert_eq!(value("portcullis_jwks_consecutive_failures"), 0.0, "{issuer}");
        let succeeded = value("portcullis_jwks_last_success_timestamp_seconds");
        assert!((world.begin as f64..=seconds() as f64).contains(&succeeded), "{issuer}: {succeeded}");
        // One worker fetches for all; another test makes the entry ask once more.
        let fetches = value("portcullis_jwks_fetches_total");
        assert!((1.0..=2.0).contains(&fetches), "{issuer}: {fetches} fetches");
    }
    for (issuer, outcome) in [("failing", "bad_status"), ("unasked", "bad_document")] {
        assert_eq!(world.outcome(issuer, &world.spring.token().unwrap()), "503 keys_unavailable", "{issuer}");
        let statistics = world.statistics(issuer, outcome);
        let labels = [("issuer", issuer)];
        assert!(statistics.sum("portcullis_jwks_consecutive_failures", &labels) >= 1.0, "{issuer}");
        for name in ["portcullis_jwks_keys", "portcullis_jwks_last_success_timestamp_seconds"] {
            assert_eq!(statistics.sum(name, &labels), 0.0, "{issuer}: {name}");
        }
        assert_eq!(statistics.sum("portcullis_jwks_fetches_total", &[("issuer", issuer), ("outcome", "success")]), 0.0);
    }
    let statistics = world.stack.envoy.prometheus();
    let families = [
        "portcullis_jwks_fetches_total",
        "portcullis_jwks_last_success_timestamp_seconds",
        "portcullis_jwks_consecutive_failures",
        "portcullis_jwks_keys",
    ];
    let own = statistics.iter().filter(|sample| sample.name.contains("portcullis_jwks"));
    for sample in own {
        assert!(families.contains(&sample.name.as_str()), "a label stayed in a name: {sample:?}");
    }
}
