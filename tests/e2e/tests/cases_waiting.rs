//! Published faults around requests that wait for an answer from elsewhere. Each test bears the number of its case and, in its text,
//! where it was seen.

use std::sync::OnceLock;
use std::time::Duration;

use portcullis_core::config::Variable;
use portcullis_core::module::Module;
use portcullis_e2e::{Stack, jwt_auth};
use portcullis_testbed::{Algorithm, FakeJwksServer, Fault, Issuer, JwksServer, Request, poll};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    stack: Stack,
    user: Issuer,
    service: Issuer,
    users: JwksServer,
    services: JwksServer,
    silent: FakeJwksServer,
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let user = Issuer::new("https://user.example.com", &[Algorithm::Es256]).unwrap();
        let service = Issuer::new("https://service.example.com", &[Algorithm::Es256]).unwrap();
        let users = JwksServer::start(&user.jwks().unwrap()).unwrap();
        let services = JwksServer::start(&service.jwks().unwrap()).unwrap();
        let silent = FakeJwksServer::start(Fault::Silent).unwrap();
        let failing = FakeJwksServer::start(Fault::InternalError).unwrap();
        // Nobody listens at the port of a server that has ended.
        let refused = JwksServer::start(&json!({})).unwrap().address();
        let entry = |issuer: &Issuer, name: &str, cluster: &str| {
            json!({
                "name": name, "issuer": issuer.name(), "jwksUri": "http://keys.example.com/jwks.json", "cluster": cluster, "timeout": "500ms",
            })
        };
        let mut of_service = entry(&service, "service", "services");
        of_service["fromHeaders"] = json!([{"name": "x-service-token"}]);
        let both = json!({
            "jwtRules": [entry(&user, "user", "users"), of_service],
            "rules": [{"require": {"allOf": [{"issuers": ["user"]}, {"issuers": ["service"]}]}}],
        });
        let one = |cluster: &str| {
            let inline = json!({"name": "inline", "issuer": service.name(), "jwks": service.jwks().unwrap()});
            let rules = json!([
                {"name": "open", "match": {"paths": ["/open"]}, "access": "public"},
                {"name": "maybe", "match": {"paths": ["/maybe"]}, "access": "optional"},
            ]);
            json!({"jwtRules": [entry(&user, "user", cluster), inline], "rules": rules})
        };
        let mut listeners = vec![jwt_auth("both", &both)];
        listeners.extend(["silent", "failing", "refused", "absent"].map(|cluster| jwt_auth(cluster, &one(cluster))));
        let clusters = [
            ("users", users.address()),
            ("services", services.address()),
            ("silent", silent.address()),
            ("failing", failing.address()),
            ("refused", refused),
        ];
        let stack = Stack::start(listeners, &clusters);
        // The servers that fail live as long as the process.
        std::mem::forget(failing);
        World { stack, user, service, users, services, silent }
    })
}

/// CVE-2025-64527, CVE-2024-45809, higress pull request 1705: an answer for a stream that is gone, a second resumption, two tokens
/// whose keys come one after the other. A configuration that changes meanwhile is in the ring `tests/wasm`, under the same number.
#[test]
fn case_27_answers_that_come_late_or_twice_resume_nothing_wrongly() {
    let World { stack, user, service, users, services, silent } = world();
    let both = Request::get("/").bearer(&user.token().unwrap()).header("x-service-token", service.token().unwrap());
    assert_eq!(stack.outcome("both", &both), "200", "two tokens need two fetches");
    assert!(users.fetches() > 0 && services.fetches() > 0);
    let alone = Request::get("/").bearer(&user.token().unwrap());
    assert_eq!(stack.outcome("both", &alone), "401 token_missing", "one of two");

    let waiting = Request::get("/").bearer(&user.token().unwrap());
    let client = stack.envoy.listener("silent");
    for _ in 0..20 {
        drop(client.send_only(&waiting).unwrap());
    }
    let asked = poll("a fetch", PATIENCE, || (silent.fetches() > 0).then_some(()));
    asked.unwrap();
    // The fetch ends after its clients have gone; whoever comes then is answered once, and so is whoever waits with it.
    let together: Vec<_> =
        (0..8).map(|_| std::thread::spawn(move || stack.envoy.listener("silent").send(&request()).outcome())).collect();
    for one in together {
        assert_eq!(one.join().unwrap(), "503 keys_unavailable");
    }
    assert_eq!(stack.outcome("silent", &Request::get("/").bearer(&service.token().unwrap())), "200", "the worker serves");
    let stats = stack.envoy.stats();
    assert!(stats.lines().filter(|line| line.contains(".vm_reload")).all(|line| line.ends_with(": 0")), "a VM was made anew");
}

fn request() -> Request {
    Request::get("/").bearer(&world().user.token().unwrap())
}

/// Introspection that takes `active: "true"`, or no answer, for yes. There is none here yet: an opaque token is no token, wherever it
/// is sent, and a configuration that asks for introspection is refused rather than taken for one that does not.
#[test]
fn case_30_an_opaque_token_is_refused_while_nobody_can_be_asked_about_it() {
    let World { stack, .. } = world();
    for token in ["2YotnFZFEjr1zCsicMWpAA", "mF_9.B5f-4.1JqM", "true", "{\"active\":true}", "active"] {
        for path in ["/", "/maybe"] {
            let outcome = stack.outcome("absent", &Request::get(path).bearer(token));
            assert_eq!(outcome, "401 token_malformed", "{token} {path}");
        }
    }
    for key in ["introspection", "introspectionUri", "opaque"] {
        let document = json!({"jwtRules": [{"issuer": "a", "jwks": {"keys": []}, key: {}}]}).to_string();
        let refused = Module::JwtAuth.load(document.as_bytes(), &|_: &str| Variable::Unset).unwrap_err();
        assert!(refused.to_string().starts_with(&format!("jwtRules[0].{key}: unknown key")), "{refused}");
    }
}

/// Kuadrant wasm-shim issue 123: what authenticates cannot be reached, and the request passes. It is refused, as something other than
/// a bad credential.
#[test]
fn case_32_keys_out_of_reach_are_503_and_a_bad_token_is_401() {
    let World { stack, user, service, .. } = world();
    for listener in ["failing", "refused", "absent", "silent"] {
        for path in ["/", "/maybe"] {
            let response = stack.envoy.listener(listener).get_with(path, &user.token().unwrap());
            assert_eq!(response.outcome(), "503 keys_unavailable", "{listener} {path}");
            stack.assert_refusal(&response);
            assert_eq!(response.headers.get("www-authenticate"), None, "{listener}: other credentials would not help");
        }
        for (name, request, expected) in [
            ("no token", Request::get("/"), "401 token_missing"),
            ("no token, optional", Request::get("/maybe"), "200"),
            ("a bad token", Request::get("/").bearer("a.b.c"), "401 token_malformed"),
            ("another issuer", Request::get("/").bearer(&service.token().unwrap()), "200"),
            ("public", Request::get("/open"), "200"),
        ] {
            assert_eq!(stack.outcome(listener, &request), expected, "{listener}: {name}");
        }
    }
}
