//! `authHeader.upstream`: credentials of the gateway's own, from a real authorization server, from a fake one that fails, and fixed.

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_e2e::Stack;
use portcullis_testbed::{
    Algorithm, AuthorizationServer, FakeKeyServer, Fault, Health, Issuer, Listener, Module, Plugin, Request, Route, poll,
};
use serde_json::{Value, json};

const CLIENT_SECRET: &str = "gw-s3cret_of.the-gateway";
const API_KEY: &str = "k3y-of-the-partner";
const TOKEN: &str = "/token";
const PATIENCE: Duration = Duration::from_secs(20);
/// By the bundle, and by the single modules in a chain.
const BOTH: [&str; 2] = ["bundle", "chain"];

struct World {
    stack: Stack,
    issuer: Issuer,
    idp: AuthorizationServer,
    fakes: Vec<(&'static str, FakeKeyServer)>,
}

fn client(cluster: &str, path: &str, more: &Value) -> Value {
    let mut all = json!({
        "tokenUri": format!("http://idp.example.com{path}"), "cluster": cluster, "clientId": "gw",
        "clientSecret": {"env": "CLIENT_SECRET"}, "timeout": "2s",
    });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

fn configuration(issuer: &Issuer, upstream: &Value) -> Value {
    json!({
        "jwtAuth": {
            "jwtRules": [{"name": "uaa", "issuer": issuer.name(), "jwks": issuer.jwks().unwrap().to_string()}],
            "rules": [
                {"match": {"paths": ["/billing/public"]}, "access": "public"},
                {"match": {"paths": ["/billing/denied"]}, "access": "denied"},
            ],
        },
        "authHeader": {"inject": [{"header": "x-user-id", "claim": "subject"}], "upstream": upstream},
    })
}

fn with_secrets(plugin: Plugin) -> Plugin {
    plugin.variable("CLIENT_SECRET", CLIENT_SECRET).variable("API_KEY", API_KEY)
}

fn bundle(name: &str, configuration: &Value) -> Listener {
    Listener::new(name).plugin(with_secrets(Plugin::new(Module::Portcullis, configuration)))
}

fn fake(health: Health, answer: Option<Value>) -> FakeKeyServer {
    let server = FakeKeyServer::start(health).unwrap();
    if let Some(answer) = answer {
        server.serve(TOKEN, &answer);
    }
    server
}

fn token(text: &str, expires_in: u64) -> Value {
    json!({"access_token": text, "token_type": "Bearer", "expires_in": expires_in})
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Rs256]).unwrap();
        let idp = AuthorizationServer::start("gw", CLIENT_SECRET).unwrap();
        let real = configuration(
            &issuer,
            &json!([
                {
                    "name": "billing", "match": {"routes": ["billing"]},
                    "clientCredentials": client("idp", idp.token_path(), &json!({"scope": "orders:read"})),
                },
                {"match": {"routes": ["posted"]}, "name": "posted",
                    "clientCredentials": client("idp", idp.token_path(), &json!({"scope": "orders:read", "clientAuth": "post"}))},
                {"match": {"paths": ["/partner/**"]}, "header": "X-Api-Key", "secret": {"env": "API_KEY"}},
            ]),
        );
        let now = Health::Good(Duration::ZERO);
        let fakes = vec![
            ("slow", fake(Health::Good(Duration::from_millis(700)), Some(token("slow", 300)))),
            ("short", fake(now, Some(token("first", 4)))),
            ("failing", fake(Health::Bad(Fault::InternalError), Some(token("late", 300)))),
            ("silent", fake(Health::Bad(Fault::Silent), None)),
            ("html", fake(Health::Bad(Fault::Html), None)),
            ("huge", fake(Health::Bad(Fault::Huge), None)),
            ("zero", fake(now, Some(token("zero", 0)))),
            ("mac", fake(now, Some(json!({"access_token": "a", "token_type": "mac", "expires_in": 300})))),
            ("injected", fake(now, Some(token("a\r\nx-admin: 1", 300)))),
            ("refusing", fake(now, None)),
        ];
        let routed =
            |listener: Listener| listener.route(Route::prefix("billing", "/billing")).route(Route::prefix("posted", "/posted"));
        let mut listeners = vec![
            routed(bundle("bundle", &real)),
            routed(
                Listener::new("chain")
                    .plugin(with_secrets(Plugin::new(Module::JwtAuth, &real["jwtAuth"])))
                    .plugin(with_secrets(Plugin::new(Module::AuthHeader, &real["authHeader"]))),
            ),
        ];
        let mut clusters = vec![("idp", idp.address())];
        for (name, server) in &fakes {
            let upstream = json!([{"name": name, "clientCredentials": client(name, TOKEN, &json!({}))}]);
            listeners.push(bundle(name, &configuration(&issuer, &upstream)));
            clusters.push((*name, server.address()));
        }
        // Nobody has this cluster.
        let nowhere = json!([{"clientCredentials": client("nowhere", TOKEN, &json!({}))}]);
        listeners.push(bundle("nowhere", &configuration(&issuer, &nowhere)));
        World { stack: Stack::start(listeners, &clusters), issuer, idp, fakes }
    })
}

impl World {
    fn request(&self, path: &str) -> Request {
        Request::get(path).bearer(&self.issuer.token().unwrap())
    }

    fn fake(&self, name: &str) -> &FakeKeyServer {
        &self.fakes.iter().find(|(found, _)| *found == name).unwrap().1
    }
}

#[test]
fn a_token_of_a_real_authorization_server_goes_along() {
    let world = world();
    for listener in BOTH {
        for path in ["/billing/1", "/posted/1"] {
            let seen = world.stack.passes(listener, &world.request(path));
            assert_eq!(seen.headers.get("x-user-id").as_deref(), Some("alice"), "{listener}");
            let authorization = seen.headers.get("authorization").unwrap();
            let token = authorization.strip_prefix("Bearer ").unwrap();
            assert_ne!(token, world.issuer.token().unwrap());
            let claims: Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
            assert_eq!(claims["client_id"], "gw", "{listener} {path}: {claims}");
            // Of a token that it issued by `client_secret_post`, the server itself says that it knows none.
            if path == "/billing/1" {
                let said = world.idp.introspect(token).unwrap();
                assert_eq!((&said["active"], &said["scope"]), (&json!(true), &json!("orders:read")), "{listener}: {said}");
            }
        }
    }
}

#[test]
fn it_goes_where_it_belongs_in_place_of_what_a_client_sent() {
    let world = world();
    let own = world.issuer.token().unwrap();
    for listener in BOTH {
        for name in ["x-api-key", "X-Api-Key", "X_API_KEY", "x-api_key"] {
            let seen = world.stack.passes(listener, &world.request("/partner/a").header(name, "forged"));
            let keys: Vec<_> = seen.headers.iter().filter(|(header, _)| header.replace('_', "-") == "x-api-key").collect();
            assert_eq!(keys, [("x-api-key", API_KEY.as_bytes())], "{listener} {name}");
            assert_eq!(seen.headers.get("authorization"), None, "{listener}");
        }
        let seen = world.stack.passes(listener, &world.request("/other").header("x-api-key", "the client's"));
        assert_eq!(seen.headers.get("x-api-key").as_deref(), Some("the client's"), "{listener}");
        assert_eq!(seen.headers.get("authorization"), None, "{listener}");
        // Whoever may pass has it, also where nobody is asked who they are.
        let seen = world.stack.passes(listener, &Request::get("/billing/public").header("authorization", "Basic YTpi"));
        assert!(seen.headers.get("authorization").unwrap().starts_with("Bearer "), "{listener}");
        assert_eq!(world.stack.outcome(listener, &Request::get("/billing/denied").bearer(&own)), "403 access_denied");
        assert_eq!(world.stack.outcome(listener, &Request::get("/billing/1")), "401 token_missing");
        // It can be told neither that it is for the partner nor that it is not.
        for path in ["//partner/a", "/a/..%2fpartner/a", "/partner%2fa", "/partner;x/a"] {
            assert_eq!(world.stack.outcome(listener, &world.request(path)), "400 request_malformed", "{listener} {path}");
        }
    }
}

#[test]
fn requests_wait_for_the_first_token_and_one_fetch_serves_them() {
    let world = world();
    // Each worker fetches for itself; these are more requests than there are workers, at once.
    let requests: Vec<_> = (0..16)
        .map(|_| thread::spawn(|| world.stack.passes("slow", &world.request("/a")).headers.get("authorization")))
        .collect();
    for request in requests {
        assert_eq!(request.join().unwrap().as_deref(), Some("Bearer slow"));
    }
    let fetches = world.fake("slow").fetches();
    assert!((1..=4).contains(&fetches), "{fetches} fetches");
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    let world = world();
    let seen = world.stack.passes("short", &world.request("/a"));
    assert_eq!(seen.headers.get("authorization").as_deref(), Some("Bearer first"));
    world.fake("short").serve(TOKEN, &token("second", 300));
    let renewed = poll("the second token", PATIENCE, || {
        // None of them is refused in between.
        let seen = world.stack.passes("short", &world.request("/a"));
        (seen.headers.get("authorization").as_deref() == Some("Bearer second")).then_some(())
    });
    renewed.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn case_32_without_a_token_nothing_goes_on() {
    let world = world();
    for listener in ["failing", "silent", "html", "huge", "zero", "mac", "injected", "refusing", "nowhere"] {
        for _ in 0..3 {
            let outcome = world.stack.outcome(listener, &world.request("/a"));
            assert_eq!(outcome, "503 upstream_credential_unavailable", "{listener}");
        }
        assert_eq!(world.stack.outcome(listener, &Request::get("/a")), "401 token_missing", "{listener}");
    }
    world.fake("failing").set_health(Health::Good(Duration::ZERO));
    // The other workers try again in their own time.
    let recovered = poll("a token", PATIENCE, || {
        let response = world.stack.envoy.listener("failing").send(&world.request("/a"));
        (response.status == 200).then_some(response)
    });
    let seen = world.stack.seen(&recovered.unwrap_or_else(|error| panic!("{error}")));
    assert_eq!(seen.headers.get("authorization").as_deref(), Some("Bearer late"));
}

#[test]
fn the_fetches_are_counted_and_no_secret_is_told() {
    let world = world();
    let _ = world.stack.passes("bundle", &world.request("/billing/1"));
    let _ = world.stack.outcome("failing", &world.request("/a"));
    for (upstream, outcome) in
        [("billing", "success"), ("html", "bad_document"), ("failing", "bad_status"), ("upstream0", "not_sent")]
    {
        let labels = [("upstream", upstream), ("outcome", outcome)];
        let counted = poll("the counter", PATIENCE, || {
            (world.stack.envoy.metric("portcullis_upstream_credential_fetches_total", &labels) > 0.0).then_some(())
        });
        counted.unwrap_or_else(|error| panic!("{upstream}: {error}\n{}", world.stack.envoy.admin("/stats?filter=portcullis")));
    }
    let label = [("upstream", "billing")];
    let metric = |name: &str, label| world.stack.envoy.metric(&format!("portcullis_upstream_credential_{name}"), label);
    assert!(metric("expiration_timestamp_seconds", &label) > 1.7e9);
    assert_eq!(metric("consecutive_failures", &label).abs(), 0.0);
    assert!(metric("consecutive_failures", &[("upstream", "html")]) > 0.0);
    let seen = world.stack.passes("bundle", &world.request("/billing/1"));
    let token = seen.headers.get("authorization").unwrap();
    let told = [world.stack.envoy.all_logs(), world.stack.envoy.stats()].concat();
    assert!(told.contains("credential for the upstream billing fetched"), "{told}");
    for secret in [CLIENT_SECRET, API_KEY, token.strip_prefix("Bearer ").unwrap()] {
        assert!(!told.contains(secret), "{secret}");
    }
}
