//! Published failures of the host and of deployments. Each test bears the number of its case.

mod trapping_module;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use portcullis_e2e::{Discovered, Stack, bundle, hurried_rules};
use portcullis_testbed::{Algorithm, Issuer, Listener, Module, Plugin, Prometheus, Request, Scratch, poll, workspace};
use serde_json::{Value, json};

use trapping_module::{CALLBACKS, Trapping};

const PATIENCE: Duration = Duration::from_secs(20);

/// What the module reads of a request is how many headers it has: few are refused, many pass, and very many let it trap.
fn request(padding: usize) -> Request {
    (0..padding).fold(Request::get("/"), |request, index| request.header(format!("x-padding-{index}"), "1"))
}

fn refused() -> Request {
    request(0)
}

fn passing() -> Request {
    request(30)
}

fn fatal() -> Request {
    request(60)
}

/// One panic in a Wasm filter ends the VM with every request on it. With `FAIL_OPEN` all later requests pass unauthenticated, and a
/// console has set that for every plugin (higress-console#363). With what our manifests say, the request gets 503, then a new VM
/// decides; at no time does a request pass that the module would refuse.
#[test]
fn case_41_a_trap_in_any_callback_lets_nobody_pass_and_heals() {
    let folder = Scratch::new().unwrap();
    let modules: Vec<Trapping> = CALLBACKS.iter().map(|callback| Trapping::write(callback, folder.path())).collect();
    let listeners = modules.iter().map(|module| Listener::new(module.callback).native(module.filter()));
    let stack = Stack::start(listeners, &[]);
    let rules = ["rules.yaml", "alerts.yaml"].map(|file| workspace().join("observability/prometheus").join(file));
    let prometheus = Prometheus::start(&[("gateway", stack.envoy.admin_address())], &rules).unwrap();
    for module in &modules {
        let client = stack.envoy.listener(module.callback);
        let callback = module.callback;
        assert_eq!(client.send(&refused()).status, 403, "{callback}");
        let before = client.send(&passing());
        assert_eq!(before.status, 200, "{callback}");

        // What the alert PortcullisVmRestarts reads.
        let recorded = format!("portcullis:vm_reloads:total{{outcome=\"success\",plugin=\"{callback}\"}}");
        let _ = prometheus.query_until(&recorded, |samples| samples.iter().any(|sample| sample.value == 0.0));
        let trapped = fatal();
        // A request that was held for the callback which trapped is never answered; no other one may be held.
        let held = client.send_only(&trapped).unwrap();
        let reloads = format!("wasm.{callback}.vm_reload_success: ");
        let healed = poll("a new VM", PATIENCE, || {
            let stranger = client.send(&refused());
            assert!(matches!(stranger.status, 403 | 503), "{callback}: {}", stranger.status);
            assert!(stack.upstream.seen(&stranger.id).is_none(), "{callback}: a request passed that is to be refused");
            let stats = stack.envoy.stats();
            let is_new = stats.lines().any(|line| line.contains(&reloads) && !line.ends_with(": 0"));
            (is_new && client.send(&passing()).status == 200).then_some(())
        });
        healed.unwrap_or_else(|error| panic!("{callback}: {error}\n{}", vm_statistics(&stack)));
        assert!(stack.upstream.seen(trapped.id()).is_none(), "{callback}: the request passed that let the module trap");
        drop(held);
        assert_eq!(client.send(&refused()).status, 403, "{callback}");
        let _ = prometheus.query_until(&recorded, |samples| samples.iter().any(|sample| sample.value > 0.0));
        let alert = format!("ALERTS{{alertname=\"PortcullisVmRestarts\",alertstate=\"firing\",plugin=\"{callback}\"}}");
        let _ = prometheus.query_until(&alert, |samples| !samples.is_empty());
    }
}

/// Where a VM that failed is not replaced, nothing passes either, and nothing of it is counted any more. That it lives no more is
/// what tells.
#[test]
fn case_41_a_vm_that_stays_dead_lets_nobody_pass_and_is_missed() {
    let folder = Scratch::new().unwrap();
    let module = Trapping::write("proxy_on_request_headers", folder.path());
    let stack = Stack::start([Listener::new("dead").native(module.filter_with("FAIL_CLOSED"))], &[]);
    let prometheus = Prometheus::start(&[("gateway", stack.envoy.admin_address())], &hurried_rules(&folder)).unwrap();
    // Those of the two workers and that of the main thread.
    let alive = "portcullis:vms_alive:rate2m{module=\"trapping\"}";
    let live = |count: f64| prometheus.query_until(alive, |samples| samples.iter().any(|sample| sample.value.round() == count));
    let alert = "ALERTS{alertname=\"PortcullisVmDead\",alertstate=\"firing\",module=\"trapping\"}";
    let _ = live(3.0);
    assert!(prometheus.query(alert).is_empty());

    // Each request is a connection of its own, which one of the workers takes.
    let client = stack.envoy.listener("dead");
    let is_dead = || {
        let stranger = client.send(&refused());
        assert!(matches!(stranger.status, 403 | 503), "{}", stranger.status);
        assert!(stack.upstream.seen(&stranger.id).is_none());
        (client.send(&passing()).status == 503).then_some(())
    };
    assert_eq!(client.send(&passing()).status, 200);
    let _ = client.send_only(&fatal()).unwrap();
    poll("a worker without a VM", PATIENCE, is_dead).unwrap();
    let _ = live(2.0);
    let _ = prometheus.query_until(alert, |samples| !samples.is_empty());
    poll("a worker that is still without one", PATIENCE, is_dead).unwrap();
}

fn vm_statistics(stack: &Stack) -> String {
    stack.envoy.stats().lines().filter(|line| line.contains("wasm.")).collect::<Vec<_>>().join("\n")
}

/// A module that cannot start is no reason to do without it.
#[test]
fn case_41_a_trap_at_the_start_keeps_envoy_from_serving() {
    let folder = Scratch::new().unwrap();
    for callback in ["proxy_on_vm_start", "proxy_on_configure"] {
        let module = Trapping::write(callback, folder.path());
        let bootstrap = portcullis_e2e::bootstrap().listener(Listener::new("start").native(module.filter()));
        let log = portcullis_testbed::Envoy::start_expecting_refusal(&bootstrap).unwrap();
        assert!(log.contains("Wasm"), "{log}");
    }
}

fn guarded(issuer: &Issuer, open: &str) -> Value {
    json!({"jwtAuth": {
        "jwtRules": [{"issuer": issuer.name(), "jwks": issuer.jwks().unwrap().to_string()}],
        "rules": [{"match": {"paths": [open]}, "access": "public"}],
    }})
}

/// The sum of a statistic of the discovered filter.
fn discovery(stack: &Stack, name: &str) -> u64 {
    let stats = stack.envoy.stats();
    let lines = stats.lines().filter(|line| line.contains("extension_config_discovery") && line.contains(&format!(".{name}: ")));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// A bad configuration does not end a good one.
#[test]
fn case_42_a_bad_update_leaves_the_old_configuration_and_is_counted() {
    let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let mut discovered = Discovered::new();
    discovered.publish(&guarded(&issuer, "/first"));
    let stack = Stack::start([Listener::new("updated").native(discovered.filter())], &[]);
    let status = |path: &str| stack.envoy.listener("updated").get(path).status;
    assert_eq!((status("/first"), status("/second")), (200, 401));

    let failures = discovery(&stack, "config_fail") + discovery(&stack, "update_rejected");
    discovered.publish(
        &json!({"jwtAuth": {"jwtRules": [{"issuer": "x"}], "rules": [{"match": {"paths": ["/**"]}, "access": "public"}]}}),
    );
    poll("the refusal of the update", PATIENCE, || {
        (discovery(&stack, "config_fail") + discovery(&stack, "update_rejected") > failures).then_some(())
    })
    .unwrap();
    assert_eq!((status("/first"), status("/second")), (200, 401));
    assert_eq!(stack.envoy.listener("updated").get_with("/second", &issuer.token().unwrap()).status, 200);

    discovered.publish(&guarded(&issuer, "/second"));
    poll("the good update", PATIENCE, || (status("/second") == 200).then_some(())).unwrap();
    assert_eq!(status("/first"), 401);
}

/// A bad first configuration denies everybody: Envoy does not start with it, or answers for the filter that it does not have.
#[test]
fn case_42_a_bad_first_configuration_denies() {
    let bad = json!({"jwtAuth": {"jwtRules": [{"issuer": "x"}], "default": "public"}});
    let bootstrap = portcullis_e2e::bootstrap().listener(bundle("bad", &bad));
    let log = portcullis_testbed::Envoy::start_expecting_refusal(&bootstrap).unwrap();
    assert!(log.contains("jwtAuth.jwtRules[0]: has no keys"), "{log}");

    let mut discovered = Discovered::new();
    discovered.publish(&bad);
    let stack = Stack::start([Listener::new("discovered").native(discovered.filter())], &[]);
    assert!(discovery(&stack, "config_fail") + discovery(&stack, "update_rejected") > 0, "{}", stack.envoy.stats());
    let response = stack.envoy.listener("discovered").get("/");
    assert_eq!(response.status, 500);
    assert!(stack.upstream.seen(&response.id).is_none());
}

/// A filter of Envoy that lets only `alice` pass, by a header.
fn reader_of_identity() -> Value {
    let alice = json!({"header": {"name": "x-user-id", "string_match": {"exact": "alice"}}});
    json!({
        "name": "reader",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "ALLOW", "policies": {"alice": {"permissions": [{"any": true}], "principals": [alice]}}},
        },
    })
}

/// A filter that reads identity headers must come after ours; before ours it believes the client.
#[test]
fn case_43_a_later_filter_reads_no_forged_identity() {
    let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let mut configuration = guarded(&issuer, "/public");
    configuration["authHeader"] = json!({"strip": ["x-user-*"], "inject": [{"header": "x-user-id", "claim": "sub"}]});
    let single = |listener: Listener| {
        listener
            .plugin(Plugin::new(Module::JwtAuth, &configuration["jwtAuth"]))
            .plugin(Plugin::new(Module::AuthHeader, &configuration["authHeader"]))
    };
    let stack = Stack::start(
        [
            bundle("bundle", &configuration).native(reader_of_identity()),
            single(Listener::new("chain")).native(reader_of_identity()),
            single(Listener::new("wrong order").native(reader_of_identity())),
        ],
        &[],
    );
    let alice = issuer.token().unwrap();
    let bob = issuer.sign(&issuer.claims().with("sub", "bob")).unwrap();
    for listener in ["bundle", "chain"] {
        let send = |request: Request| stack.envoy.listener(listener).send(&request).status;
        for spelling in ["x-user-id", "X-User-Id", "x_user_id"] {
            assert_eq!(send(Request::get("/public").header(spelling, "alice")), 403, "{listener} {spelling}");
            assert_eq!(send(Request::get("/orders").bearer(&bob).header(spelling, "alice")), 403, "{listener} {spelling}");
        }
        assert_eq!(send(Request::get("/orders").bearer(&alice)), 200, "{listener}");
        assert_eq!(send(Request::get("/orders").bearer(&alice).header("x-user-id", "bob")), 200, "{listener}");
    }
    let forged = Request::get("/public").header("x-user-id", "alice");
    assert_eq!(stack.envoy.listener("wrong order").send(&forged).status, 200, "so the order is what the others are about");
}

/// Times tell nothing on a busy machine, so this looks at the code: where a tag that somebody sent is compared with one that a secret
/// makes, it is by the comparison of the `hmac` crate, which takes as long for a wrong tag as for the right one.
#[test]
fn case_46_secrets_are_compared_in_constant_time() {
    // The files that compute tags; how they compare them, and how often; and how many tags they make themselves.
    let known = [
        ("signatures/src/secret_key.rs", ".verify_slice(tag)", 3, 0),
        ("encryption/src/cbc_hmac.rs", ".verify_truncated_left(sealed.tag)", 1, 1),
        ("sender/src/nonces.rs", ".verify_truncated_left(&nonce)", 1, 1),
        ("chain/src/mac_key.rs", ".verify_slice(mac)", 1, 1),
        // Names in place of names: nobody is let in for one.
        ("core/src/audit/pseudonyms.rs", ".verify", 0, 1),
    ];
    let sources = portcullis_testbed::workspace().join("crates");
    let code = |path: &Path| {
        let text = fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
    };
    let (mut users, mut folders) = (BTreeSet::new(), vec![sources.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                let text = code(&path);
                let uses =
                    |(at, _): (usize, &str)| !text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
                if text.match_indices("hmac::").any(uses) {
                    users.insert(path);
                }
            }
        }
    }
    let files = known.map(|(file, ..)| sources.join(file));
    assert_eq!(users, BTreeSet::from(files), "these files compute tags");
    for (file, comparison, compared, made) in known {
        let text = code(&sources.join(file));
        let text = text.split("#[cfg(test)]").next().unwrap();
        assert_eq!((text.matches(comparison).count(), text.matches(".verify").count()), (compared, compared), "{file}");
        assert_eq!(text.matches("finalize(").count(), made, "{file} would make a tag that something else compares");
        for other in ["== tag", "tag ==", ".eq(", "starts_with("] {
            assert!(!text.contains(other), "{file}: `{other}` stops at the first byte that differs");
        }
    }
}

/// What a client chooses never becomes a name: not its issuer, its key id, its path, its method, its host.
#[test]
fn case_47_no_client_makes_series() {
    let issuer = Issuer::new("https://uaa.example.com", &[Algorithm::Es256]).unwrap();
    let mut configuration = guarded(&issuer, "/public");
    configuration["metrics"] = json!({"labels": ["rule", "decision", "reason", "issuer", "method", "status_class"]});
    let stack = Stack::start([bundle("series", &configuration)], &[]);
    let client = stack.envoy.listener("series");
    let stranger = |number: usize| {
        let header = format!(r#"{{"alg":"ES256","kid":"kid-attack-{number}"}}"#);
        let claims = format!(r#"{{"iss":"https://attack-{number}.example.com","exp":99999999999}}"#);
        let encode = |text: &str| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text);
        format!("{}.{}.{}", encode(&header), encode(&claims), encode(&"s".repeat(64)))
    };
    let attack = |number: usize| {
        for request in [
            Request::get(format!("/attack-{number}")),
            Request::new(format!("ATTACK{number}"), "/"),
            Request::get("/").host(format!("attack-{number}.example.com")),
            Request::get("/").bearer(&stranger(number)),
            Request::get("/public").header("x-attack", format!("attack-{number}")),
        ] {
            let _ = client.send(&request);
        }
    };
    let series = || -> BTreeSet<String> {
        let stats = stack.envoy.stats();
        let lines = stats.lines().filter(|line| line.to_ascii_lowercase().contains("portcullis"));
        lines.filter_map(|line| Some(line.split_once(": ")?.0.to_owned())).collect()
    };
    attack(0);
    let after_one = poll("the first series", PATIENCE, || Some(series()).filter(|found| found.len() > 3)).unwrap();
    (1..60).for_each(attack);
    let after_many = series();
    assert_eq!(after_many, after_one, "new series: {:?}", after_many.difference(&after_one));
    assert!(!stack.envoy.stats().to_ascii_lowercase().contains("attack"), "what a client sent stands in the statistics");
}
