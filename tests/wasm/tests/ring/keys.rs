//! Keys that are fetched: who waits for them, for how long, and what becomes of a request when they cannot be had.

use std::time::Duration;

use portcullis_wasm_tests::token::Es256Issuer;
use portcullis_wasm_tests::{Fault, Host, Outcome, Status, StreamId, fixture};
use serde_json::json;

const SECOND: Duration = Duration::from_secs(1);
/// The time between two ticks while a request waits for what another worker fetches.
const QUICK_TICK: Duration = Duration::from_millis(20);

fn configuration() -> String {
    let keys = json!({"jwksUri": "https://uaa.example.com/jwks.json?v=1", "cluster": "uaa", "refresh": "5m", "timeout": "5s"});
    fixture::bundle_with(&fixture::jwt_auth_with(keys))
}

/// The bundle with keys that it has not fetched yet.
fn host() -> Host {
    let mut host = Host::boot(&["portcullis"]);
    host.add_cluster("uaa");
    assert!(host.configure(configuration()), "{:#?}", host.logs());
    host
}

fn signed(host: &Host, issuer: &Es256Issuer) -> Vec<(String, String)> {
    fixture::bearer("GET", "/orders", &issuer.sign(fixture::claims(host.now())))
}

/// Answers the one request in flight.
fn answer(host: &mut Host, status: u16, body: impl AsRef<[u8]>) {
    let calls = host.calls();
    assert_eq!(calls.len(), 1, "one fetch is in flight");
    host.answer_call(calls[0].0, status, body);
}

/// The bundle after its first fetch.
fn host_with_keys(issuer: &Es256Issuer) -> Host {
    let mut host = host();
    host.pass(SECOND);
    answer(&mut host, 200, issuer.jwks());
    assert!(host.request(&signed(&host, issuer)).is_continued(), "{:#?}", host.logs());
    host
}

fn assert_keys_unavailable(host: &Host, stream: StreamId, case: &str) {
    let outcome = host.outcome(stream);
    assert_eq!(outcome.summary(), "503 keys_unavailable", "{case}");
    assert!(outcome.reply().headers.get("retry-after").is_some(), "{case}");
    assert_eq!(outcome.reply().headers.get("www-authenticate"), None, "{case}");
}

#[test]
fn configuring_fetches_nothing() {
    assert_eq!(host().calls_sent(), 0, "a canary is configured too, and must have no effect");
}

#[test]
fn the_first_request_waits_for_the_keys() {
    let issuer = Es256Issuer::new("k1");
    let mut host = host();
    let stream = host.open(&signed(&host, &issuer));
    assert_eq!(host.outcome(stream), Outcome::Held);
    let (_, call) = host.calls().remove(0);
    assert_eq!(call.cluster, "uaa");
    assert_eq!(call.headers.get(":method").as_deref(), Some("GET"));
    assert_eq!(call.headers.get(":authority").as_deref(), Some("uaa.example.com"));
    assert_eq!(call.headers.get(":path").as_deref(), Some("/jwks.json?v=1"));
    assert_eq!(call.timeout, Duration::from_secs(5));
    assert!(call.is_of_root, "a fetch of a stream would be cancelled with it");
    answer(&mut host, 200, issuer.jwks());
    assert_eq!(host.outcome(stream).upstream().get("x-user-id").as_deref(), Some("alice"));
    host.finish(stream, 200);
}

#[test]
fn a_request_without_token_or_to_a_public_path_does_not_wait() {
    let mut host = host();
    assert_eq!(host.request(&fixture::request("GET", "/orders", &[])).summary(), "401 token_missing");
    assert!(host.request(&fixture::request("GET", "/health", &[])).is_continued());
}

#[test]
fn keys_are_fetched_before_any_request() {
    let issuer = Es256Issuer::new("k1");
    let mut host = host();
    host.pass(SECOND);
    answer(&mut host, 200, issuer.jwks());
    assert!(host.request(&signed(&host, &issuer)).is_continued());
    assert_eq!(host.calls_sent(), 1);
}

#[test]
fn refuses_when_the_fetch_brings_no_keys() {
    let issuer = Es256Issuer::new("k1");
    let jwks = issuer.jwks();
    let huge = format!("{{\"keys\": [], \"filler\": \"{}\"}}", "x".repeat(10 * 1024 * 1024));
    let cases: [(&str, u16, &[u8]); 10] = [
        ("server error", 500, jwks.as_bytes()),
        ("redirect", 302, jwks.as_bytes()),
        ("timeout", 504, b"upstream request timeout"),
        ("HTML", 200, b"<!doctype html><title>Sign in</title>"),
        ("nothing", 200, b""),
        ("no keys", 200, br#"{"keys": []}"#),
        ("half", 200, &jwks.as_bytes()[..jwks.len() / 2]),
        ("not UTF-8", 200, b"\xff\xfe\xfd"),
        ("10 MB", 200, huge.as_bytes()),
        ("another document", 200, br#"{"error": "not_found"}"#),
    ];
    for (name, status, body) in cases {
        let mut host = host();
        let stream = host.open(&signed(&host, &issuer));
        answer(&mut host, status, body);
        assert_keys_unavailable(&host, stream, name);
        host.finish(stream, 200);
        assert!(host.logs().iter().any(|line| line.level >= 3 && line.text.contains("uaa")), "{name}: {:#?}", host.logs());
    }
}

#[test]
fn refuses_when_the_fetch_is_reset() {
    let issuer = Es256Issuer::new("k1");
    let mut host = host();
    let stream = host.open(&signed(&host, &issuer));
    let (id, _) = host.calls().remove(0);
    host.lose_call(id);
    assert_keys_unavailable(&host, stream, "reset");
}

#[test]
fn refuses_when_the_cluster_does_not_exist() {
    let issuer = Es256Issuer::new("k1");
    let mut host = Host::boot(&["portcullis"]);
    assert!(host.configure(configuration()), "a cluster may come later: {:#?}", host.logs());
    let stream = host.open(&signed(&host, &issuer));
    assert_keys_unavailable(&host, stream, "cluster missing");
    host.add_cluster("uaa");
    (0..5).for_each(|_| host.pass(SECOND));
    answer(&mut host, 200, issuer.jwks());
    assert!(host.request(&signed(&host, &issuer)).is_continued(), "the cluster came");
}

#[test]
fn refuses_when_no_answer_ever_comes() {
    let issuer = Es256Issuer::new("k1");
    let mut host = host();
    let stream = host.open(&signed(&host, &issuer));
    let seconds = (1..=20).find(|_| {
        host.pass(SECOND);
        host.outcome(stream) != Outcome::Held
    });
    assert_keys_unavailable(&host, stream, "no answer");
    assert!(seconds.is_some_and(|seconds| (5..=8).contains(&seconds)), "after {seconds:?} s");
}

#[test]
fn recovers_after_a_failed_fetch() {
    let issuer = Es256Issuer::new("k1");
    let mut host = host();
    let stream = host.open(&signed(&host, &issuer));
    answer(&mut host, 500, "");
    assert_keys_unavailable(&host, stream, "first");
    (0..2).for_each(|_| host.pass(SECOND));
    answer(&mut host, 200, issuer.jwks());
    assert!(host.request(&signed(&host, &issuer)).is_continued());
}

/// CVE-2025-64527: an answer for a stream that is gone.
#[test]
fn case_27_an_answer_for_a_stream_that_is_gone_is_kept_for_the_next() {
    let issuer = Es256Issuer::new("k1");
    let mut host = host();
    let stream = host.open(&signed(&host, &issuer));
    host.abandon(stream);
    assert_eq!(host.calls().len(), 1, "the fetch is not the stream's");
    answer(&mut host, 200, issuer.jwks());
    assert_eq!(host.outcome(stream), Outcome::Held, "nothing is done to what is gone");
    assert!(host.request(&signed(&host, &issuer)).is_continued());
    assert_eq!(host.calls_sent(), 1);
}

#[test]
fn waiting_requests_share_one_fetch() {
    let (issuer, stranger) = (Es256Issuer::new("k1"), Es256Issuer::new("k1"));
    let mut host = host();
    let good: Vec<_> = (0..3).map(|_| host.open(&signed(&host, &issuer))).collect();
    let bad = host.open(&signed(&host, &stranger));
    let gone = host.open(&signed(&host, &issuer));
    host.abandon(gone);
    answer(&mut host, 200, issuer.jwks());
    assert_eq!(host.calls_sent(), 1);
    for stream in good {
        assert!(host.outcome(stream).is_continued());
        host.finish(stream, 200);
    }
    assert_eq!(host.outcome(bad).summary(), "401 signature_invalid");
}

/// CVE-2024-45809: a configuration that changes while an answer is awaited.
#[test]
fn case_27_an_update_while_a_fetch_is_under_way_leaves_each_request_its_policy() {
    let issuer = Es256Issuer::new("k1");
    let mut host = host();
    let old = host.open(&signed(&host, &issuer));
    assert!(host.configure(configuration()));
    let new = host.open(&signed(&host, &issuer));
    assert_eq!(host.calls().len(), 1, "the keys are the same");
    answer(&mut host, 200, issuer.jwks());
    assert!(host.outcome(old).is_continued());
    assert_eq!(host.outcome(new), Outcome::Held);
    host.pass(QUICK_TICK);
    assert!(host.outcome(new).is_continued());
    host.finish(old, 200);
    host.finish(new, 200);
    host.retire_replaced();
    assert!(host.request(&signed(&host, &issuer)).is_continued());
}

#[test]
fn an_update_that_ends_a_fetch_makes_nobody_wait_for_long() {
    let issuer = Es256Issuer::new("k1");
    let mut host = host();
    let gone = host.open(&signed(&host, &issuer));
    host.abandon(gone);
    assert!(host.configure(configuration()));
    host.retire_replaced();
    assert_eq!(host.calls().len(), 0, "the fetch ended with the configuration that made it");
    let stream = host.open(&signed(&host, &issuer));
    assert_eq!(host.calls().len(), 0, "its turn has not ended");
    host.pass(2 * SECOND);
    answer(&mut host, 200, issuer.jwks());
    assert!(host.outcome(stream).is_continued());
}

#[test]
fn one_machine_fetches_and_the_others_take_what_it_brought() {
    let issuer = Es256Issuer::new("k1");
    let keys = json!({"jwksUri": "https://uaa.example.com/jwks.json", "cluster": "uaa", "forwardOriginalToken": true});
    let configuration = fixture::jwt_auth_with(keys).to_string();
    let mut host = Host::boot(&["jwt_auth"; 3]);
    host.add_cluster("uaa");
    (0..3).for_each(|place| assert!(host.configure_at(place, configuration.as_bytes())));
    host.pass(SECOND);
    answer(&mut host, 200, issuer.jwks());
    let stream = host.open(&signed(&host, &issuer));
    assert!(host.outcome(stream).is_continued(), "{:#?}", host.logs());
    host.finish(stream, 200);
    host.pass(Duration::from_secs(301));
    let next = Es256Issuer::new("k2");
    answer(&mut host, 200, next.jwks());
    host.pass(SECOND);
    assert!(host.request(&signed(&host, &next)).is_continued());
    assert_eq!(host.request(&signed(&host, &issuer)).summary(), "401 key_unknown");
    assert_eq!(host.calls_sent(), 2);
}

#[test]
fn keys_are_refreshed_in_the_background() {
    let (first, second) = (Es256Issuer::new("k1"), Es256Issuer::new("k2"));
    let mut host = host_with_keys(&first);
    host.pass(Duration::from_secs(301));
    assert_eq!(host.calls().len(), 1, "a refresh is due");
    assert!(host.request(&signed(&host, &first)).is_continued(), "nobody waits for a refresh");
    answer(&mut host, 200, second.jwks());
    assert!(host.request(&signed(&host, &second)).is_continued());
    assert_eq!(host.request(&signed(&host, &first)).summary(), "401 key_unknown", "the first key is withdrawn");
}

#[test]
fn a_withdrawn_key_ends_tokens_that_were_verified_with_it() {
    let (first, second) = (Es256Issuer::new("k1"), Es256Issuer::new("k1"));
    let mut host = host();
    host.pass(SECOND);
    answer(&mut host, 200, first.jwks());
    let mut claims = fixture::claims(host.now());
    claims["exp"] = json!(host.now() + 3600);
    let remembered = fixture::bearer("GET", "/orders", &first.sign(claims));
    assert!(host.request(&remembered).is_continued());
    host.pass(Duration::from_secs(301));
    answer(&mut host, 200, second.jwks());
    assert_eq!(host.request(&remembered).summary(), "401 signature_invalid");
}

#[test]
fn a_failed_refresh_leaves_the_keys_in_use() {
    let issuer = Es256Issuer::new("k1");
    for (status, body) in [(500, ""), (200, "<html>"), (200, r#"{"keys": []}"#)] {
        let mut host = host_with_keys(&issuer);
        host.pass(Duration::from_secs(301));
        answer(&mut host, status, body);
        assert!(host.request(&signed(&host, &issuer)).is_continued(), "{status} {body}");
    }
}

#[test]
fn unknown_keys_cause_one_fetch_a_minute() {
    let (issuer, stranger) = (Es256Issuer::new("k1"), Es256Issuer::new("k9"));
    let mut host = host_with_keys(&issuer);
    for _ in 0..50 {
        assert_eq!(host.request(&signed(&host, &stranger)).summary(), "401 key_unknown");
    }
    assert_eq!(host.calls_sent(), 1);
    host.pass(Duration::from_secs(61));
    let streams: Vec<_> = (0..50).map(|_| host.open(&signed(&host, &stranger))).collect();
    assert!(host.request(&signed(&host, &issuer)).is_continued(), "others are not affected");
    answer(&mut host, 200, issuer.jwks());
    for stream in streams {
        assert_eq!(host.outcome(stream).summary(), "401 key_unknown");
    }
    for _ in 0..50 {
        assert_eq!(host.request(&signed(&host, &stranger)).summary(), "401 key_unknown");
    }
    assert_eq!(host.calls_sent(), 2);
}

#[test]
fn a_new_key_is_found_when_a_token_names_it() {
    let (first, second) = (Es256Issuer::new("k1"), Es256Issuer::new("k2"));
    let mut host = host_with_keys(&first);
    host.pass(Duration::from_secs(61));
    let stream = host.open(&signed(&host, &second));
    assert_eq!(host.outcome(stream), Outcome::Held);
    answer(&mut host, 200, second.jwks());
    assert!(host.outcome(stream).is_continued());
}

#[test]
fn the_proxy_that_refuses_to_send_is_asked_again_later() {
    let issuer = Es256Issuer::new("k1");
    let mut host = host();
    host.fail("proxy_http_call", Fault::Status(Status::INTERNAL_FAILURE));
    let stream = host.open(&signed(&host, &issuer));
    assert_keys_unavailable(&host, stream, "too many requests in flight");
    host.heal();
    (0..5).for_each(|_| host.pass(SECOND));
    answer(&mut host, 200, issuer.jwks());
    assert!(host.request(&signed(&host, &issuer)).is_continued());
}
