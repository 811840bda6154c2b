//! A proxy that fails, or lies: every host call that a module imports, in every phase of its life, with every status and with
//! answers that no proxy should give.
//!
//! What must hold, whatever the proxy does: no module traps, resumes twice or answers twice; a request without a credential
//! never reaches the upstream; nor does a forged identity header. When a call fails that a decision hangs on, the request does
//! not reach the upstream at all; when a call fails that only observes, the request is decided as if nothing had happened. And
//! once the proxy behaves again, the same virtual machine serves as before.

use std::collections::BTreeSet;
use std::time::Duration;

use portcullis_wasm_tests::token::Es256Issuer;
use portcullis_wasm_tests::{Fault, Host, Outcome, Status, StreamId, fixture, module};
use serde_json::{Value, json};

/// The calls of a module on which no decision about a request hangs, in any phase. A foreign function is among them because the
/// module verifies signatures itself where the proxy does not.
fn observing(name: &str) -> &'static [&'static str] {
    match name {
        "auth_header" => &["proxy_log", "proxy_define_metric", "proxy_record_metric"],
        // Without shared data each worker fetches keys for itself.
        "jwt_auth" | "portcullis" => &[
            "proxy_log",
            "proxy_get_log_level",
            "proxy_define_metric",
            "proxy_increment_metric",
            "proxy_record_metric",
            "proxy_call_foreign_function",
            "proxy_get_shared_data",
            "proxy_set_shared_data",
        ],
        other => panic!("{other} decides about no request"),
    }
}

/// The calls that return data or a number, and so can lie.
const RETURNING: [&str; 8] = [
    "proxy_call_foreign_function",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_log_level",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_http_call",
];

/// Every host call of a module with everything that can be wrong with it.
fn faults(name: &str) -> Vec<(String, Fault)> {
    let imports = module::imports(&module::compiled(name));
    let calls = imports.iter().filter_map(|import| import.strip_prefix("env."));
    let can = |call: &str, fault: &Fault| matches!(fault, Fault::Status(_)) || RETURNING.contains(&call);
    calls
        .flat_map(|call| Fault::all().into_iter().filter(move |fault| can(call, fault)).map(|fault| (call.to_owned(), fault)))
        .collect()
}

/// Tries a scenario with each fault; returns the calls that it made.
pub fn with_each_fault(name: &str, scenario: impl Fn(&str, Fault, &str) -> bool) -> BTreeSet<String> {
    let mut made = BTreeSet::new();
    let mut never_made: Option<String> = None;
    for (call, fault) in faults(name) {
        if never_made.as_ref() == Some(&call) {
            continue;
        }
        if scenario(&call, fault, &format!("{name}: {call} {fault:?}")) {
            made.insert(call);
        } else {
            never_made = Some(call);
        }
    }
    made
}

/// A request of each sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Valid,
    WithoutToken,
    Public,
}

const SORTS: [Sort; 3] = [Sort::Valid, Sort::WithoutToken, Sort::Public];

/// Each request brings forged headers.
const FORGED: [(&str, &str); 3] = [("x-user-id", "mallory"), ("X-User-Roles", "mallory"), ("x-subject", "mallory")];

fn open(host: &mut Host, name: &str, sort: Sort) -> StreamId {
    let token = format!("Bearer {}", fixture::token(host));
    let path = if sort == Sort::Public { "/health" } else { "/orders" };
    let mut others = FORGED.to_vec();
    if sort == Sort::Valid {
        others.push(("authorization", &token));
    }
    let request = fixture::request("GET", path, &others);
    if name != "auth_header" || sort != Sort::Valid {
        return host.open(&request);
    }
    let principal = json!({
        "issuer": fixture::ISSUER, "subject": "alice", "roles": ["RESTAURANT"], "scopes": [], "audiences": [], "claims": {},
        "method": "jwt", "tokenId": null, "expiresAt": null,
    });
    let decision = json!({"rule": "default", "decision": "allow", "reason": "token_valid", "issuer": "uaa", "shadow": false});
    let state = [("portcullis.principal", principal.to_string()), ("portcullis.decision", decision.to_string())];
    host.open_behind(&request, &state.each_ref().map(|(key, value)| (*key, value.as_str())))
}

/// Sends one request of each sort to a proxy that behaves.
fn serve_all(host: &mut Host, name: &str) -> Vec<Outcome> {
    SORTS
        .into_iter()
        .map(|sort| {
            let stream = open(host, name, sort);
            let outcome = host.outcome(stream);
            host.finish(stream, 200);
            outcome
        })
        .collect()
}

fn host(name: &str) -> Host {
    Host::load(name, &fixture::configuration(name))
}

/// What holds for every request, whatever the proxy did.
fn assert_safe(name: &str, sort: Sort, outcome: &Outcome, case: &str) {
    let Outcome::Continued(headers) = outcome else { return };
    assert!(sort != Sort::WithoutToken || name == "auth_header", "{case}: a request without token reached the upstream");
    let owned: &[&str] = match name {
        "jwt_auth" => &["x-subject"],
        "auth_header" => &["x-user-id", "x-user-roles"],
        _ => &["x-subject", "x-user-id", "x-user-roles"],
    };
    for header in owned {
        let values = headers.all(header);
        assert!(!values.iter().any(|value| value == "mallory"), "{case}: a forged {header} reached the upstream");
    }
}

/// Answers after which a request may go on, as safe as before.
fn is_harmless(name: &str, sort: Sort, call: &str, fault: Fault) -> bool {
    match (name, call, fault) {
        // There is no such property: no route name, no principal.
        (_, "proxy_get_property", Fault::Status(Status::NOT_FOUND) | Fault::NullData) => true,
        // A principal that cannot be understood is left out, and the upstream is told of nobody.
        ("auth_header", "proxy_get_property", Fault::HugeCount | Fault::Garbage) => true,
        // A wrong time cannot be told from a right one. It matters where a token is judged, and there it must not help.
        (_, "proxy_get_current_time_nanoseconds", Fault::WildPointer | Fault::HugeCount | Fault::Garbage) => {
            name == "auth_header" || sort == Sort::Public
        }
        _ => false,
    }
}

fn fails_while_configured(name: &str) -> BTreeSet<String> {
    let expected = serve_all(&mut host(name), name);
    with_each_fault(name, |call, fault, case| {
        let mut host = Host::boot(&[name]);
        host.fail(call, fault);
        let is_accepted = host.configure(fixture::configuration(name));
        host.heal();
        if is_accepted {
            assert!(call != "proxy_get_buffer_bytes", "{case}: a configuration was accepted that could not be read");
            assert_eq!(serve_all(&mut host, name), expected, "{case}");
        } else {
            assert!(serve_all(&mut host, name).iter().all(|outcome| !outcome.is_continued()), "{case}");
        }
        host.has_met(call)
    })
}

fn fails_while_a_request_is_decided(name: &str) -> BTreeSet<String> {
    let expected = serve_all(&mut host(name), name);
    let mut made = BTreeSet::new();
    for (sort, expected_outcome) in SORTS.into_iter().zip(&expected) {
        made.extend(with_each_fault(name, |call, fault, case| {
            let case = format!("{case}: {sort:?}");
            let mut host = host(name);
            host.fail(call, fault);
            let stream = open(&mut host, name, sort);
            let outcome = host.outcome(stream);
            assert_safe(name, sort, &outcome, &case);
            if !host.has_met(call) || observing(name).contains(&call) {
                assert_eq!(&outcome, expected_outcome, "{case}");
            } else if !is_harmless(name, sort, call, fault) {
                assert!(!outcome.is_continued(), "{case}: {outcome:?}");
            }
            host.heal();
            host.finish(stream, 200);
            assert_eq!(serve_all(&mut host, name), expected, "after {case}");
            host.has_met(call)
        }));
    }
    made
}

fn fails_while_a_refusal_is_sent(name: &str) -> BTreeSet<String> {
    let expected = serve_all(&mut host(name), name);
    with_each_fault(name, |call, fault, case| {
        let mut has_met = false;
        for also in [call, "proxy_close_stream"] {
            let mut host = host(name);
            for refused in ["proxy_send_local_response", also] {
                host.fail(refused, Fault::Status(Status::INTERNAL_FAILURE));
            }
            host.fail(call, fault);
            for (sort, expected_outcome) in SORTS.into_iter().zip(&expected) {
                let stream = open(&mut host, name, sort);
                let outcome = host.outcome(stream);
                assert_safe(name, sort, &outcome, case);
                assert!(expected_outcome.is_continued() || !outcome.is_continued(), "{case}: {outcome:?}");
                host.abandon(stream);
            }
            host.heal();
            assert_eq!(serve_all(&mut host, name), expected, "after {case}");
            has_met |= host.has_met(call);
        }
        has_met
    })
}

fn fails_while_the_end_is_told(name: &str) -> BTreeSet<String> {
    let decides = !matches!(name, "audit_log" | "metrics");
    let expected = serve_all(&mut host(name), name);
    let mut made = BTreeSet::new();
    for (sort, expected_outcome) in SORTS.into_iter().zip(&expected) {
        made.extend(with_each_fault(name, |call, fault, case| {
            let mut host = host(name);
            let stream = open(&mut host, name, sort);
            assert_eq!(&host.outcome(stream), expected_outcome, "{case}");
            host.fail(call, fault);
            host.finish(stream, 200);
            let gone = open(&mut host, name, sort);
            if decides {
                assert_safe(name, sort, &host.outcome(gone), case);
            }
            host.abandon(gone);
            host.heal();
            assert_eq!(serve_all(&mut host, name), expected, "after {case}");
            host.has_met(call)
        }));
    }
    made
}

fn fetching_configuration(name: &str) -> String {
    let keys = json!({"jwksUri": "https://uaa.example.com/jwks.json", "cluster": "uaa"});
    let jwt_auth: Value = fixture::jwt_auth_with(keys);
    if name == "jwt_auth" { jwt_auth.to_string() } else { fixture::bundle_with(&jwt_auth) }
}

fn fetching_host(name: &str) -> Host {
    let mut host = Host::boot(&[name]);
    host.add_cluster("uaa");
    assert!(host.configure(fetching_configuration(name)), "{:#?}", host.logs());
    host
}

fn open_signed(host: &mut Host, issuer: &Es256Issuer) -> StreamId {
    let token = format!("Bearer {}", issuer.sign(fixture::claims(host.now())));
    let others: Vec<_> = FORGED.into_iter().chain([("authorization", token.as_str())]).collect();
    let request = fixture::request("GET", "/orders", &others);
    host.open(&request)
}

fn answer_all(host: &mut Host, issuer: &Es256Issuer) {
    for (id, _) in host.calls() {
        host.answer_call(id, 200, issuer.jwks());
    }
}

/// With a proxy that behaves again, a request that is held comes to an end, and a new one is served.
fn assert_recovers(host: &mut Host, name: &str, stream: StreamId, issuer: &Es256Issuer, case: &str) {
    host.heal();
    for _ in 0..90 {
        answer_all(host, issuer);
        host.pass(Duration::from_secs(1));
    }
    // A stream that was reset stays as it was; all others were answered or went on.
    assert_safe(name, Sort::Valid, &host.outcome(stream), case);
    host.abandon(stream);
    let next = open_signed(host, issuer);
    answer_all(host, issuer);
    assert!(host.outcome(next).is_continued(), "{case}: the next request: {:?}\n{:#?}", host.outcome(next), host.logs());
}

fn fails_while_a_request_begins_to_wait(name: &str, issuer: &Es256Issuer) -> BTreeSet<String> {
    with_each_fault(name, |call, fault, case| {
        let mut host = fetching_host(name);
        host.fail(call, fault);
        let stream = open_signed(&mut host, issuer);
        assert!(!host.outcome(stream).is_continued(), "{case}: without keys a request reached the upstream");
        assert_recovers(&mut host, name, stream, issuer, case);
        host.has_met(call)
    })
}

fn fails_while_the_keys_come(name: &str, issuer: &Es256Issuer) -> BTreeSet<String> {
    with_each_fault(name, |call, fault, case| {
        let mut host = fetching_host(name);
        let stream = open_signed(&mut host, issuer);
        host.fail(call, fault);
        answer_all(&mut host, issuer);
        let outcome = host.outcome(stream);
        assert_safe(name, Sort::Valid, &outcome, case);
        let is_continued = !host.has_met(call) || observing(name).contains(&call);
        assert_eq!(outcome.is_continued(), is_continued, "{case}: {outcome:?}");
        assert_recovers(&mut host, name, stream, issuer, case);
        host.has_met(call)
    })
}

fn fails_while_time_passes(name: &str, issuer: &Es256Issuer) -> BTreeSet<String> {
    with_each_fault(name, |call, fault, case| {
        let mut host = fetching_host(name);
        host.fail(call, fault);
        (0..5).for_each(|_| host.pass(Duration::from_secs(1)));
        let stream = open_signed(&mut host, issuer);
        (0..15).for_each(|_| host.pass(Duration::from_secs(1)));
        assert!(!host.outcome(stream).is_continued(), "{case}: without keys a request reached the upstream");
        assert_recovers(&mut host, name, stream, issuer, case);
        host.has_met(call)
    })
}

/// Every phase of a module that decides and fetches. Each of its imports must be tried in one of them, but for those that it
/// shares with other modules and never makes.
fn survives_everywhere(name: &str, never_made: &[&str]) {
    let issuer = Es256Issuer::new("k1");
    let made = [
        fails_while_configured(name),
        fails_while_a_request_is_decided(name),
        fails_while_a_refusal_is_sent(name),
        fails_while_the_end_is_told(name),
        fails_while_a_request_begins_to_wait(name, &issuer),
        fails_while_the_keys_come(name, &issuer),
        fails_while_time_passes(name, &issuer),
    ];
    let made: BTreeSet<_> = made.into_iter().flatten().collect();
    let imported = faults(name).into_iter().map(|(call, _)| call);
    let expected: BTreeSet<_> = imported.filter(|call| !never_made.contains(&call.as_str())).collect();
    assert_eq!(made, expected, "{name}: each call was tried in some phase");
}

#[test]
fn the_bundle_survives_and_denies() {
    // Nothing is sent here that a configuration could have left when it ends; `hostile_delivery` does.
    survives_everywhere("portcullis", &["proxy_done"]);
}

#[test]
fn jwt_auth_survives_and_denies() {
    survives_everywhere("jwt_auth", &["proxy_get_log_level", "proxy_add_header_map_value", "proxy_done"]);
}

#[test]
fn auth_header_survives_and_denies() {
    let name = "auth_header";
    let made: BTreeSet<_> = [
        fails_while_configured(name),
        fails_while_a_request_is_decided(name),
        fails_while_a_refusal_is_sent(name),
        fails_while_the_end_is_told(name),
    ]
    .into_iter()
    .flatten()
    .collect();
    for call in ["proxy_get_buffer_bytes", "proxy_get_header_map_pairs", "proxy_get_property", "proxy_remove_header_map_value"] {
        assert!(made.contains(call), "{call} was tried");
    }
}

#[test]
fn the_observers_survive_and_let_every_request_pass() {
    let cases: [(&str, &[&str]); 2] = [
        (
            "audit_log",
            &["proxy_get_buffer_bytes", "proxy_get_header_map_pairs", "proxy_get_property", "proxy_set_property", "proxy_log"],
        ),
        ("metrics", &["proxy_get_buffer_bytes", "proxy_define_metric", "proxy_increment_metric", "proxy_record_metric"]),
    ];
    for (name, calls) in cases {
        let outcomes = serve_all(&mut host(name), name);
        assert!(outcomes.iter().all(Outcome::is_continued), "{name}: {outcomes:?}");
        let mut made = fails_while_the_end_is_told(name);
        made.extend(fails_while_an_observer_is_configured(name));
        for call in calls {
            assert!(made.contains(*call), "{name}: {call} was tried");
        }
    }
}

fn fails_while_an_observer_is_configured(name: &str) -> BTreeSet<String> {
    with_each_fault(name, |call, fault, case| {
        let mut host = Host::boot(&[name]);
        host.fail(call, fault);
        let is_accepted = host.configure(fixture::configuration(name));
        assert!(
            !(is_accepted && call == "proxy_get_buffer_bytes"),
            "{case}: a configuration was accepted that could not be read"
        );
        host.heal();
        // Who may have to refuse what could not be recorded refuses everything while it does not know.
        let passes = is_accepted || name != "audit_log";
        assert!(serve_all(&mut host, name).iter().all(|outcome| outcome.is_continued() == passes), "{case}");
        host.has_met(call)
    })
}

#[test]
fn a_failed_audit_or_metric_changes_no_answer() {
    for call in ["proxy_set_property", "proxy_define_metric", "proxy_increment_metric", "proxy_record_metric", "proxy_log"] {
        for status in Status::failures() {
            let mut host = fixture::single_modules();
            let stream = host.open(&fixture::bearer("GET", "/orders", &fixture::token(&host)));
            assert!(host.outcome(stream).is_continued(), "{call} {status:?}");
            host.fail(call, Fault::Status(status));
            host.finish(stream, 200);
            host.heal();
            let next = fixture::bearer("GET", "/orders", &fixture::token(&host));
            assert!(host.request(&next).is_continued(), "{call} {status:?}");
            assert!(host.state("portcullis.audit").is_some(), "{call} {status:?}: the next request is recorded");
        }
    }
}
