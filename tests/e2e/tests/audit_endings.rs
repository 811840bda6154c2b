//! The audit log, for each way in which an exchange can end: exactly one event, with the right outcome. By the bundle and by single
//! modules.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use portcullis_core::audit::{EVENT_SCHEMA, FORMAT};
use portcullis_e2e::{bootstrap, bundle, chain};
use portcullis_testbed::{
    Bootstrap, Certificate, Envoy, Listener, Module, Plugin, Request, Route, Scratch, TroubledUpstream, poll,
};
use serde_json::{Value, json};

const KINDS: [&str; 2] = ["bundle", "chain"];
const SPIFFE: &str = "spiffe://cluster.local/ns/shop/sa/app";

struct World {
    envoy: Envoy,
    /// Where the access logs lie that add to an event what they know themselves.
    folder: Scratch,
    _upstream: TroubledUpstream,
}

fn configuration() -> Value {
    json!({
        "jwtAuth": {
            "rules": [
                {"name": "closed", "match": {"paths": ["/closed/**"]}, "access": "denied"},
                {"name": "shadow", "match": {"paths": ["/shadow/**"]}, "access": "denied", "shadow": true},
                {"name": "open", "match": {"paths": ["/{kind}/**", "/{kind}"]}, "access": "public"},
            ],
        },
        "auditLog": {"default": {"record": "always"}, "include": {"protocol": true}, "routeRecord": true},
        "metrics": {},
        "authHeader": {"strip": ["x-user-*"]},
    })
}

fn lean() -> Value {
    let mut configuration = configuration();
    configuration["auditLog"]["sinks"] = json!([{"type": "accesslog", "members": "own"}]);
    configuration
}

fn lean_file(folder: &Scratch, kind: &str) -> PathBuf {
    folder.path().join(format!("{kind}.ndjson"))
}

fn lean_log(file: &Path) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": file,
            "log_format": {"text_format_source": {"inline_string": FORMAT}},
        },
    })
}

fn rbac() -> Value {
    json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "DENY", "policies": {"all": {"permissions": [{"any": true}], "principals": [{"any": true}]}}},
        },
    })
}

fn listener(kind: &str, name: &str, configuration: &Value) -> Listener {
    let name = format!("{kind}-{name}");
    if kind == "bundle" { bundle(&name, configuration) } else { chain(&name, configuration) }
}

fn routed(listener: Listener) -> Listener {
    let routes = [
        Route::prefix("direct", "/direct").with(json!({"direct_response": {"status": 503}})),
        Route::prefix("redirect", "/redirect").with(json!({"redirect": {"path_redirect": "/elsewhere"}})),
        Route::prefix("refused", "/refused").cluster("nobody"),
        Route::prefix("timeout", "/silent/timeout").with(json!({"timeout": "0.2s"})),
        Route::prefix("flaky", "/flaky").with(json!({"retry_policy": {"retry_on": "reset", "num_retries": 2}})),
        Route::prefix("moved", "/moved").follow_redirects(),
    ];
    let words = ["never", "changes", "denied", "misspelt"];
    let switched = words.map(|word| Route::prefix(word, &format!("/{word}")).metadata(&json!({"audit": word})));
    routes.into_iter().chain(switched).fold(listener, Listener::route)
}

fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let upstream = TroubledUpstream::start().unwrap();
        let folder = Scratch::new().unwrap();
        // A port that was free a moment ago: nobody listens there.
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let [server, client] =
            [Certificate::generate("server"), Certificate::generate_for("app", SPIFFE)].map(std::result::Result::unwrap);
        let mut bootstrap = bootstrap().cluster("upstream", upstream.address()).cluster("nobody", nobody);
        for kind in KINDS {
            let socket = format!("{kind}-grpc-{}", std::process::id());
            bootstrap = [
                routed(listener(kind, "plain", &configuration())),
                routed(listener(kind, "lean", &lean())).access_log(lean_log(&lean_file(&folder, kind))),
                listener(kind, "before", &configuration()).native(rbac()),
                listener(kind, "grpc", &configuration()).http2_at(&socket),
                listener(kind, "tls", &configuration()).tls(&server),
                Listener::new(&format!("{kind}-front")).route(Route::prefix("all", "/").cluster(&socket)),
            ]
            .into_iter()
            .fold(bootstrap.http2_cluster(&socket), Bootstrap::listener)
            .tls_client(&format!("{kind}-as-app"), &format!("{kind}-tls"), Some(&client));
        }
        let configuration = configuration();
        let behind_rbac = Listener::new("behind-rbac")
            .plugin(Plugin::new(Module::AuditLog, &configuration["auditLog"]))
            .native(rbac())
            .plugin(Plugin::new(Module::JwtAuth, &configuration["jwtAuth"]));
        let mut sampled = configuration.clone();
        sampled["auditLog"] = json!({"default": {"record": "always", "sample": 0.5}});
        bootstrap = bootstrap.listener(bundle("sampled", &sampled)).listener(behind_rbac);
        let bundle_behind = Listener::new("bundle-behind").native(rbac());
        bootstrap = bootstrap.listener(bundle_behind.plugin(Plugin::new(Module::Portcullis, &configuration)));
        let envoy = Envoy::start(&bootstrap).unwrap_or_else(|error| panic!("{error:?}"));
        World { envoy, folder, _upstream: upstream }
    })
}

/// That it is an event as the schema has it.
#[track_caller]
fn assert_valid(event: &Value) {
    static SCHEMA: OnceLock<jsonschema::Validator> = OnceLock::new();
    let schema = SCHEMA.get_or_init(|| jsonschema::validator_for(&serde_json::from_str(EVENT_SCHEMA).unwrap()).unwrap());
    let errors: Vec<_> = schema.iter_errors(event).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}: {event}");
}

/// The only event of this request, as soon as the request is logged.
#[track_caller]
fn event(listener: &str, id: &str) -> Value {
    let envoy = &world().envoy;
    let event = envoy.audit_event(listener, id);
    assert_eq!(envoy.audit_events(listener, id).len(), 1, "{listener}: one request, one event");
    assert_valid(&event);
    event
}

fn of(kind: &str, name: &str) -> String {
    format!("{kind}-{name}")
}

#[test]
fn an_exchange_that_is_answered_has_one_event_that_says_how() {
    let envoy = &world().envoy;
    // (case, method, path, status, outcome, flags, details begin so)
    let cases = [
        ("answered", "GET", "/x", 200, "allowed", json!(null), "via_upstream"),
        ("refused by us", "GET", "/closed/x", 403, "denied", json!(null), "portcullis{access_denied}"),
        ("refused in shadow", "GET", "/shadow/x", 200, "allowed", json!(null), "via_upstream"),
        ("the route answers", "GET", "/direct", 503, "allowed", json!(null), "direct_response"),
        ("the route redirects", "GET", "/redirect", 301, "allowed", json!(null), "direct_response"),
        ("nobody listens", "GET", "/refused", 503, "error", json!("UF"), "upstream_reset_before_response_started"),
        ("no answer", "GET", "/reset", 503, "error", json!("UC"), "upstream_reset_before_response_started"),
        ("no answer in time", "GET", "/silent/timeout", 504, "error", json!("UT"), "response_timeout"),
        ("in parts", "GET", "/stream", 200, "allowed", json!(null), "via_upstream"),
        ("without a body", "HEAD", "/x", 200, "allowed", json!(null), "via_upstream"),
        ("the second time", "GET", "/flaky", 200, "allowed", json!(null), "via_upstream"),
    ];
    for kind in KINDS {
        for (case, method, path, status, outcome, flags, details) in &cases {
            let listener = of(kind, "plain");
            let response = envoy.listener(&listener).send(&Request::new(method, path));
            let event = event(&listener, &response.id);
            assert_eq!(response.status, *status, "{kind}: {case}");
            assert_eq!((&event["outcome"], &event["response"]["flags"]), (&json!(outcome), flags), "{kind}: {case}: {event}");
            assert_eq!(event["response"]["status"], *status, "{kind}: {case}");
            let told = event["response"]["details"].as_str().unwrap();
            assert!(told.starts_with(details), "{kind}: {case}: {told}");
            assert_eq!(event["client"], json!({"address": "127.0.0.1", "peer": null}), "{kind}: {case}");
            assert_eq!(event["request"]["protocol"], "HTTP/1.1", "{kind}: {case}");
        }
        let parts = envoy.listener(&of(kind, "plain")).send(&Request::get("/stream"));
        assert_eq!(event(&of(kind, "plain"), &parts.id)["response"]["bytes"], 15);
    }
}

/// Each hop of a redirect that the proxy follows itself is decided for itself, and reaches a service.
#[test]
fn each_hop_of_a_redirect_within_the_proxy_has_one_event() {
    let envoy = &world().envoy;
    for kind in KINDS {
        let listener = of(kind, "plain");
        let response = envoy.listener(&listener).send(&Request::get("/moved"));
        let both = || Some(envoy.audit_events(&listener, &response.id)).filter(|events| events.len() == 2);
        let events = poll("both events", Duration::from_secs(10), both).unwrap();
        let told = |event: &Value| [&event["request"]["path"], &event["response"]["details"]].map(Clone::clone);
        // A module of its own reads the request when it has ended, and Envoy has written the new path into it by then.
        let first = if kind == "bundle" { "/moved" } else { "/here" };
        assert_eq!(told(&events[0]), [json!(first), json!("internal_redirect")], "{kind}");
        assert_eq!(told(&events[1]), [json!("/here"), json!("via_upstream")], "{kind}");
        assert_ne!(events[0]["id"], events[1]["id"]);
    }
}

#[test]
fn a_refusal_by_another_filter_is_one_also_behind_us() {
    let envoy = &world().envoy;
    for (listener, path, decided) in [
        ("bundle-before", "/x", true),
        ("chain-before", "/x", true),
        ("bundle-behind", "/x", false),
        ("behind-rbac", "/x", false),
    ] {
        let response = envoy.listener(listener).send(&Request::get(path));
        let event = event(listener, &response.id);
        assert_eq!((response.status, &event["outcome"]), (403, &json!("denied")), "{listener}: {event}");
        assert!(event["response"]["details"].as_str().unwrap().starts_with("rbac_access_denied"), "{listener}: {event}");
        assert_eq!(event["decision"].is_object(), decided, "{listener}: {event}");
    }
}

#[test]
fn a_client_that_leaves_has_aborted_its_request() {
    let envoy = &world().envoy;
    for kind in KINDS {
        let listener = of(kind, "plain");
        let request = Request::get("/silent");
        let stream = envoy.listener(&listener).send_only(&request).unwrap();
        drop(stream);
        let event_before = event(&listener, request.id());
        assert_eq!(
            (&event_before["outcome"], &event_before["response"]["status"]),
            (&json!("aborted"), &json!(null)),
            "{event_before}"
        );

        let request = Request::get("/endless");
        let mut stream = envoy.listener(&listener).send_only(&request).unwrap();
        let mut answer: Vec<u8> = Vec::new();
        while !answer.windows(5).any(|part| part == b"hello") {
            let mut part = [0; 512];
            let count = stream.read(&mut part).unwrap();
            answer.extend(&part[..count]);
        }
        drop(stream);
        let event_within = event(&listener, request.id());
        assert_eq!(
            (&event_within["outcome"], &event_within["response"]["status"]),
            (&json!("aborted"), &json!(200)),
            "{event_within}"
        );
        assert_eq!((&event_before["response"]["flags"], &event_within["response"]["flags"]), (&json!("DC"), &json!("DC")));

        let request = Request::get("/cut");
        let mut stream = envoy.listener(&listener).send_only(&request).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        let event = event(&listener, request.id());
        assert_eq!((&event["outcome"], &event["response"]["status"]), (&json!("error"), &json!(200)), "{event}");
    }
}

#[test]
fn grpc_has_a_status_of_its_own() {
    let envoy = &world().envoy;
    for kind in KINDS {
        for (path, status) in [("/grpc/0", 0), ("/grpc/5", 5), ("/grpc-only/7", 7)] {
            let request = Request::new("POST", path).header("content-type", "application/grpc").header("te", "trailers");
            let request = request.header("content-length", "0");
            let response = envoy.listener(&of(kind, "front")).send(&request);
            let event = event(&of(kind, "grpc"), &response.id);
            assert_eq!(
                (&event["response"]["grpcStatus"], &event["outcome"]),
                (&json!(status), &json!("allowed")),
                "{path}: {event}"
            );
            assert_eq!((&event["request"]["protocol"], &event["response"]["status"]), (&json!("HTTP/2"), &json!(200)), "{event}");
        }
        let response = envoy.listener(&of(kind, "front")).send(&Request::get("/x"));
        assert_eq!(event(&of(kind, "grpc"), &response.id)["response"]["grpcStatus"], json!(null));
    }
}

#[test]
fn a_connection_that_is_upgraded_is_recorded_when_it_is_closed() {
    let envoy = &world().envoy;
    for kind in KINDS {
        let listener = of(kind, "plain");
        let request = Request::get("/websocket").header("upgrade", "websocket").header("sec-websocket-version", "13");
        let mut stream = envoy.listener(&listener).send_only(&request.clone().header("connection", "upgrade")).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.extend(byte);
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        stream.write_all(b"ping").unwrap();
        let mut echo = [0; 4];
        stream.read_exact(&mut echo).unwrap();
        assert!(envoy.audit_events(&listener, request.id()).is_empty());
        drop(stream);
        let event = event(&listener, request.id());
        assert_eq!((&event["outcome"], &event["response"]["status"]), (&json!("allowed"), &json!(101)), "{event}");
    }
}

#[test]
fn a_body_that_waits_for_100_is_counted() {
    let envoy = &world().envoy;
    for kind in KINDS {
        let listener = of(kind, "plain");
        let request = Request::new("POST", "/x").header("content-length", "5").header("expect", "100-continue");
        let mut stream = envoy.listener(&listener).send_only(&request).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.1 100");
        stream.write_all(b"hello").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        let event = event(&listener, request.id());
        assert_eq!((&event["response"]["status"], &event["request"]["bytes"]), (&json!(200), &json!(5)), "{event}");
    }
}

#[test]
fn the_peer_of_a_mesh_is_named() {
    for kind in KINDS {
        let response = world().envoy.listener(&of(kind, "as-app")).send(&Request::get("/x"));
        let event = event(&of(kind, "tls"), &response.id);
        assert_eq!((&event["client"]["peer"], &event["response"]["status"]), (&json!(SPIFFE), &json!(200)), "{event}");
    }
}

#[test]
fn a_route_says_itself_what_is_recorded_of_it() {
    let envoy = &world().envoy;
    for kind in KINDS {
        let listener = of(kind, "plain");
        for (method, path, recorded) in [
            ("GET", "/never/x", false),
            ("GET", "/changes/x", false),
            ("POST", "/changes/x", true),
            ("GET", "/misspelt/x", true),
            ("GET", "/denied/x", false),
        ] {
            let response = envoy.listener(&listener).send(&Request::new(method, path).header("content-length", "0"));
            assert_eq!(envoy.recorded(&listener, &response.id).is_some(), recorded, "{kind}: {method} {path}");
        }
    }
    let warned = envoy.log().lines().filter(|line| line.contains("a route's metadata `portcullis.audit`")).count();
    assert!(warned > 0);
}

#[test]
fn a_part_of_what_passes_says_so_and_no_denial_is_left_out() {
    let envoy = &world().envoy;
    let client = envoy.listener("sampled");
    let events = |path: &str| -> Vec<Value> {
        let responses: Vec<_> = (0..100).map(|_| client.send(&Request::get(path))).collect();
        responses.iter().filter_map(|response| envoy.recorded("sampled", &response.id)).collect()
    };
    let passed = events("/x");
    assert!((20..80).contains(&passed.len()), "{}", passed.len());
    assert!(passed.iter().all(|event| event["sample"] == 0.5));
    let denied = events("/closed/x");
    assert_eq!(denied.len(), 100);
    assert!(denied.iter().all(|event| event["sample"].is_null()));
}

#[test]
fn the_pattern_of_the_rule_stands_in_the_event() {
    let envoy = &world().envoy;
    for (path, expected) in [("/shop/1/2", json!("/{kind}/**")), ("/closed/7", json!("/closed/**")), ("/a//b", json!(null))] {
        let response = envoy.listener("bundle-plain").send(&Request::get(path));
        let logged = poll("the event", Duration::from_secs(10), || envoy.recorded("bundle-plain", &response.id)).unwrap();
        assert_eq!(logged["request"]["pathTemplate"], expected, "{path}");
    }
}

#[test]
fn the_access_log_makes_an_event_of_what_it_is_given_and_what_it_knows() {
    let World { envoy, folder, .. } = world();
    for kind in KINDS {
        for (method, path) in [
            ("GET", "/x"),
            ("GET", "/closed/x"),
            ("GET", "/direct"),
            ("GET", "/redirect"),
            ("GET", "/refused"),
            ("GET", "/reset"),
            ("GET", "/silent/timeout"),
            ("GET", "/cut"),
            ("HEAD", "/x"),
            ("GET", "/flaky"),
        ] {
            let send = |name: &str| {
                let request = Request::new(method, path);
                let mut stream = envoy.listener(&of(kind, name)).send_only(&request).unwrap();
                let _ = stream.read_to_end(&mut Vec::new());
                request.id().to_owned()
            };
            let (whole, lean) = (send("plain"), send("lean"));
            let whole = event(&of(kind, "plain"), &whole);
            let line = || {
                let log = std::fs::read_to_string(lean_file(folder, kind)).ok()?;
                log.lines().find(|line| line.contains(&lean)).map(str::to_owned)
            };
            let line = poll("the line", Duration::from_secs(10), line).unwrap();
            let lean: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_valid(&lean);
            for same in ["/outcome", "/decision", "/request/path", "/response/status", "/response/bytes", "/client/address"] {
                assert_eq!(lean.pointer(same), whole.pointer(same), "{kind}: {path}: {same}: {line}");
            }
            let flags = whole["response"]["flags"].as_str().unwrap_or("-");
            assert_eq!(lean["response"]["flags"], flags, "{kind}: {path}");
        }
    }
}
