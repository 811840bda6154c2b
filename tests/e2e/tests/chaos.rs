//! Key servers that misbehave while requests come, about five hundred a second: no valid user is refused after the first success,
//! nobody invalid is let in, and the proxy asks the key server about as often as a single worker would.

use std::thread;
use std::time::{Duration, Instant};

use portcullis_e2e::{Stack, jwt_auth};
use portcullis_testbed::{Algorithm, FakeKeyServer, Fault, Health, Issuer, Request, SigningKey, poll};
use serde_json::{Value, json};

const ISSUER: &str = "https://uaa.example.com";
const PATH: &str = "/jwks.json";
const PATIENCE: Duration = Duration::from_secs(20);
const AT_ONCE: Health = Health::Good(Duration::ZERO);
/// Each of so many clients sends a request in each period.
const CLIENTS: u32 = 5;
const PERIOD: Duration = Duration::from_millis(10);

struct World {
    stack: Stack,
    server: FakeKeyServer,
    issuer: Issuer,
    stranger: Issuer,
}

/// What became of requests with a token.
#[derive(Debug, Default)]
struct Tally {
    passed: u32,
    refused: Vec<String>,
}

fn world(health: Health) -> World {
    let issuer = Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap();
    let stranger = Issuer::new(ISSUER, &[Algorithm::Es256]).unwrap();
    let server = FakeKeyServer::start(health).unwrap();
    server.serve(PATH, &issuer.jwks().unwrap());
    let rule = json!({
        "issuer": ISSUER, "jwksUri": format!("http://uaa.example.com{PATH}"), "cluster": "keys", "timeout": "2s", "refresh": "1s",
    });
    let stack = Stack::start([jwt_auth("chaos", &json!({"jwtRules": [rule]}))], &[("keys", server.address())]);
    World { stack, server, issuer, stranger }
}

impl World {
    /// Send requests with one token for so long, while `meanwhile` runs; every tenth comes from a stranger, who never passes.
    fn storm(&self, token: &str, lasts: Duration, meanwhile: impl FnOnce()) -> Tally {
        let client = self.stack.envoy.listener("chaos");
        let forged = self.stranger.token().unwrap();
        let count = u32::try_from(lasts.as_millis() / PERIOD.as_millis()).unwrap();
        let send = || {
            let mut tally = Tally::default();
            let begin = Instant::now();
            for number in 0..count {
                thread::sleep((PERIOD * number).saturating_sub(begin.elapsed()));
                if number % 10 == 9 {
                    let outcome = client.send(&Request::get("/").bearer(&forged)).outcome();
                    assert_ne!(outcome, "200", "a stranger was let in");
                }
                match client.send(&Request::get("/").bearer(token)).outcome().as_str() {
                    "200" => tally.passed += 1,
                    refused => tally.refused.push(refused.to_owned()),
                }
            }
            tally
        };
        let begin = Instant::now();
        let tally = thread::scope(|scope| {
            let senders: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(send)).collect();
            meanwhile();
            senders.into_iter().map(|sender| sender.join().unwrap()).fold(Tally::default(), |mut all, one| {
                all.passed += one.passed;
                all.refused.extend(one.refused);
                all
            })
        });
        // How near the load came to what it aims at depends on the machine; a run with --nocapture tells.
        let (sent, seconds) = (CLIENTS * (count + count / 10), begin.elapsed().as_secs_f64());
        eprintln!("{sent} requests in {seconds:.1} s: {:.0} a second", f64::from(sent) / seconds);
        tally
    }

    fn becomes_ready(&self, token: &str) {
        let request = Request::get("/").bearer(token);
        // Both workers: each connection may meet another one.
        let all = || (0..8).all(|_| self.stack.outcome("chaos", &request) == "200").then_some(());
        poll("the keys on all workers", PATIENCE, all).unwrap();
    }

    #[track_caller]
    fn assert_undisturbed(&self, tally: &Tally) {
        assert!(tally.refused.is_empty(), "{} of {} refused: {:?}", tally.refused.len(), tally.passed, tally.refused.first());
        assert!(tally.passed > 100, "{tally:?}");
    }
}

fn jwks(issuers: &[&Issuer]) -> Value {
    let keys: Vec<_> = issuers.iter().flat_map(|issuer| issuer.jwks().unwrap()["keys"].as_array().unwrap().clone()).collect();
    json!({ "keys": keys })
}

#[test]
fn down_at_start() {
    let world = world(Health::Bad(Fault::Reset));
    let token = world.issuer.token().unwrap();
    let tally = world.storm(&token, Duration::from_secs(3), || ());
    assert_eq!(tally.passed, 0);
    assert!(tally.refused.iter().all(|outcome| outcome == "503 keys_unavailable"), "{tally:?}");
    // At 0, 1, and each second from then on, for `refresh` is the longest pause; one worker for all.
    assert!((1..=6).contains(&world.server.fetches()), "{} fetches", world.server.fetches());
    world.server.set_health(AT_ONCE);
    world.becomes_ready(&token);
    world.assert_undisturbed(&world.storm(&token, Duration::from_secs(2), || ()));
}

#[test]
fn slow_from_the_start() {
    let world = world(Health::Good(Duration::from_millis(700)));
    let token = world.issuer.token().unwrap();
    let tally = world.storm(&token, Duration::from_secs(4), || ());
    world.assert_undisturbed(&tally);
    // Each takes 0.7 s and is due a second after the one before.
    assert!((2..=5).contains(&world.server.fetches()), "{} fetches", world.server.fetches());
}

#[test]
fn flapping() {
    let world = world(AT_ONCE);
    let token = world.issuer.token().unwrap();
    world.becomes_ready(&token);
    let tally = world.storm(&token, Duration::from_secs(4), || {
        for number in 0..12 {
            let faults = [Fault::InternalError, Fault::Reset];
            world.server.set_health(if number % 3 == 2 { AT_ONCE } else { Health::Bad(faults[number % 2]) });
            thread::sleep(Duration::from_millis(330));
        }
    });
    world.assert_undisturbed(&tally);
    assert!((2..=10).contains(&world.server.fetches()), "{} fetches", world.server.fetches());
}

#[test]
fn answering_garbage() {
    let world = world(AT_ONCE);
    let token = world.issuer.token().unwrap();
    world.becomes_ready(&token);
    let faults = [Fault::Html, Fault::NoKeys, Fault::Huge, Fault::Redirect, Fault::InternalError, Fault::Half];
    let tally = world.storm(&token, Duration::from_secs(8), || {
        for fault in faults {
            world.server.set_health(Health::Bad(fault));
            let before = world.server.fetches();
            poll("a fetch that meets it", PATIENCE, || (world.server.fetches() > before).then_some(())).unwrap();
        }
    });
    world.assert_undisturbed(&tally);
    assert!((6..=16).contains(&world.server.fetches()), "{} fetches", world.server.fetches());
}

#[test]
fn rotating_mid_traffic() {
    let world = world(AT_ONCE);
    let old = world.issuer.token().unwrap();
    world.becomes_ready(&old);
    let next = Issuer::with_keys(ISSUER, vec![SigningKey::generate(Algorithm::Es256, "next").unwrap()]);
    let new = next.token().unwrap();
    // As issuers do it: publish the new key, sign with it once everybody has it, withdraw the old one.
    let both = world.storm(&old, Duration::from_secs(3), || world.server.serve(PATH, &jwks(&[&world.issuer, &next])));
    world.assert_undisturbed(&both);
    world.becomes_ready(&new);
    let after = world.storm(&new, Duration::from_secs(3), || world.server.serve(PATH, &jwks(&[&next])));
    world.assert_undisturbed(&after);
    let request = Request::get("/").bearer(&old);
    let gone = || (0..8).all(|_| world.stack.outcome("chaos", &request) == "401 key_unknown").then_some(());
    poll("the old key is gone", PATIENCE, gone).unwrap();
}
