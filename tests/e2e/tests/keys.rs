//! Keys that are fetched: waiting, refreshing, rotating, and everything that can go wrong with them.

use std::sync::OnceLock;
use std::time::Duration;

use portcullis_e2e::{Stack, jwt_auth};
use portcullis_testbed::{Algorithm, FakeJwksServer, Fault, Issuer, JwksServer, Listener, Request, SigningKey, poll};
use serde_json::{Value, json};

const ISSUER: &str = "https://uaa.example.com";
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    stack: Stack,
    /// Its keys are served, or should be.
    issuer: Issuer,
    /// Its keys stand in every configuration.
    inline: Issuer,
    working: JwksServer,
    refreshing: JwksServer,
    flooded: JwksServer,
    recovering: JwksServer,
    faults: Vec<(Fault, FakeJwksServer)>,
}

fn listener(name: &str, cluster: &str, more: Value, inline: &Issuer) -> Listener {
    let mut rule = json!({
        "name": "uaa", "issuer": ISSUER, "jwksUri": "http://uaa.example.com/jwks.json", "cluster": cluster, "timeout": "500ms",
    });
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let inline = json!({"name": "inline", "issuer": inline.name(), "jwks": inline.jwks().unwrap()});
    let rules = json!([{"name": "open", "match": {"paths": ["/open"]}, "access": "public"}]);
    jwt_auth(name, &json!({"jwtRules": [rule, inline], "rules": rules}))
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let issuer = Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap();
        let inline = Issuer::new("https://inline.example.com", &[Algorithm::Es256]).unwrap();
        let serving = || JwksServer::start(&issuer.jwks().unwrap()).unwrap();
        let (working, refreshing, flooded) = (serving(), serving(), serving());
        let recovering = JwksServer::start(&json!({"keys": []})).unwrap();
        let faults: Vec<_> = Fault::ALL.into_iter().map(|fault| (fault, FakeJwksServer::start(fault).unwrap())).collect();
        let names: Vec<_> = faults.iter().map(|(fault, server)| (format!("{fault:?}"), server.address())).collect();

        let mut clusters = vec![
            ("working", working.address()),
            ("refreshing", refreshing.address()),
            ("flooded", flooded.address()),
            ("recovering", recovering.address()),
            // Nobody listens at the port of a server that has ended.
            ("refused", JwksServer::start(&json!({})).unwrap().address()),
        ];
        let mut listeners: Vec<_> =
            ["working", "flooded", "recovering", "refused", "absent"].map(|name| listener(name, name, json!({}), &inline)).into();
        listeners.push(listener("refreshing", "refreshing", json!({"refresh": "1s"}), &inline));
        for (name, address) in &names {
            clusters.push((name, *address));
            listeners.push(listener(name, name, json!({}), &inline));
        }
        let stack = Stack::start(listeners, &clusters);
        World { stack, issuer, inline, working, refreshing, flooded, recovering, faults }
    })
}

impl World {
    #[track_caller]
    fn outcome(&self, listener: &str, token: &str) -> String {
        self.stack.outcome(listener, &Request::get("/").bearer(token))
    }

    /// Ask again until the outcome is the wanted one.
    #[track_caller]
    fn becomes(&self, listener: &str, token: &str, wanted: &str) {
        let mut last = String::new();
        let arrived = poll(wanted, PATIENCE, || {
            last = self.outcome(listener, token);
            (last == wanted).then_some(())
        });
        assert!(arrived.is_ok(), "{listener}: {wanted} did not come, the last outcome was {last}");
    }
}

#[test]
fn first_requests_wait_for_the_first_fetch_and_later_ones_share_it() {
    let world = world();
    let token = world.issuer.token().unwrap();
    for _ in 0..20 {
        assert_eq!(world.outcome("working", &token), "200");
    }
    // Two workers and the main thread have a copy of the keys each.
    assert!((1..=3).contains(&world.working.fetches()), "{} fetches", world.working.fetches());
}

#[test]
fn refreshes_in_the_background_and_takes_rotated_keys() {
    let world = world();
    let old = world.issuer.token().unwrap();
    assert_eq!(world.outcome("refreshing", &old), "200");
    let first = world.refreshing.fetches();
    let grown = poll("more fetches", PATIENCE, || (world.refreshing.fetches() > first + 3).then_some(()));
    assert!(grown.is_ok(), "{first} fetches, then {}", world.refreshing.fetches());
    assert_eq!(world.outcome("refreshing", &old), "200", "the same keys again");

    let next = Issuer::with_keys(ISSUER, vec![SigningKey::generate(Algorithm::Rs256, "next").unwrap()]);
    let new = next.token().unwrap();
    world.refreshing.rotate(&next.jwks().unwrap());
    // Each worker has keys of its own, so one answer says nothing about the other worker.
    world.becomes("refreshing", &new, "200");
    world.becomes("refreshing", &old, "401 key_unknown");
    let settled = poll("the new keys on all workers", PATIENCE, || {
        let all = |token: &str, wanted: &str| (0..8).all(|_| world.outcome("refreshing", token) == wanted);
        (all(&new, "200") && all(&old, "401 key_unknown")).then_some(())
    });
    settled.unwrap();
}

#[test]
fn unknown_kids_do_not_become_a_flood_of_fetches() {
    let world = world();
    assert_eq!(world.outcome("flooded", &world.issuer.token().unwrap()), "200");
    for number in 0..60 {
        let key = SigningKey::generate(Algorithm::Es256, &format!("kid-{number}")).unwrap();
        let forged = key.sign(&world.issuer.claims()).unwrap();
        assert_eq!(world.outcome("flooded", &forged), "401 key_unknown");
    }
    assert_eq!(world.outcome("flooded", &world.issuer.token().unwrap()), "200");
    assert!(world.flooded.fetches() <= 12, "{} fetches for 60 unknown keys", world.flooded.fetches());
}

#[test]
fn every_fault_is_503_and_touches_nobody_else() {
    let world = world();
    let token = world.issuer.token().unwrap();
    let names: Vec<_> = world.faults.iter().map(|(fault, _)| format!("{fault:?}")).collect();
    for name in names.iter().map(String::as_str).chain(["refused", "absent"]) {
        let response = world.stack.envoy.listener(name).get_with("/", &token);
        assert_eq!(response.outcome(), "503 keys_unavailable", "{name}");
        world.stack.assert_refusal(&response);
        assert!(response.headers.get("retry-after").unwrap().parse::<u32>().unwrap() > 0, "{name}");
        let line = world.stack.envoy.access_line(name, &response.id);
        assert_eq!(line.details, "portcullis{keys_unavailable}", "{name}");
        let decision: Value = serde_json::from_str(&line.decision).unwrap();
        assert_eq!(decision["decision"], "error", "{name}");

        assert_eq!(world.outcome(name, &world.inline.token().unwrap()), "200", "{name}: another issuer");
        assert_eq!(world.stack.outcome(name, &Request::get("/open")), "200", "{name}: a public path");
        assert_eq!(world.stack.outcome(name, &Request::get("/")), "401 token_missing", "{name}: no token");
    }
    for (fault, server) in &world.faults {
        assert!((1..=20).contains(&server.fetches()), "{fault:?}: {} fetches", server.fetches());
    }
}

#[test]
fn keys_that_come_late_are_used() {
    let world = world();
    let token = world.issuer.token().unwrap();
    assert_eq!(world.outcome("recovering", &token), "503 keys_unavailable");
    world.recovering.rotate(&world.issuer.jwks().unwrap());
    world.becomes("recovering", &token, "200");
}

#[test]
fn client_that_leaves_while_it_waits_harms_nobody() {
    let world = world();
    let client = world.stack.envoy.listener("Silent");
    let request = Request::get("/").bearer(&world.issuer.token().unwrap());
    for _ in 0..10 {
        drop(client.send_only(&request).unwrap());
    }
    assert_eq!(world.outcome("Silent", &world.inline.token().unwrap()), "200");
    assert_eq!(world.stack.outcome("Silent", &request), "503 keys_unavailable");
}
