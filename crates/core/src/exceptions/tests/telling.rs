//! What is posted, to whom, and what of it an operator may not write.

use super::*;

fn one(webhook: Value, end: &Completion) -> String {
    let mut stage = stage(webhook);
    fail(&mut stage, 0, end);
    posted(&mut stage, 0, &mut Shared::default()).remove(0)
}

#[test]
fn generic_says_all_that_is_known_and_nothing_that_was_sent() {
    let text = one(generic(), &ended(503, UF, None));
    let mut report: Value = serde_json::from_str(&text).unwrap();
    let fingerprint = report["fingerprint"].take();
    assert_eq!(fingerprint, "abded9ab502e5a65", "whoever groups by it does so over versions");
    let id = format!("{}-first-{START}", fingerprint.as_str().unwrap());
    let at = "2024-02-29T12:35:00.000Z";
    let expected = json!({
        "schema": "portcullis.exception/1", "id": id, "time": at, "state": "first", "fingerprint": null, "kind": "reset",
        "rule": "read-orders", "status": 503, "grpcStatus": null, "flags": ["UF"], "pathTemplate": "/orders/{orderId}",
        "count": 1, "total": 1, "first": at, "last": at,
    });
    assert_eq!(report, expected);
    assert!(!text.contains("4711") && !text.contains("token"), "{text}");
}

#[test]
fn slack_gets_a_message_in_which_nothing_is_markup() {
    let config = json!({"format": "slack", "secretUri": {"env": "SLACK"}, "cluster": "slack"});
    let mut stage = stage(config);
    let decision = Some(Decision::allow("<a> & b".into(), PUBLIC, None));
    let exchange = Exchange { decision, ..exchange("/", &[]) };
    stage.on_log(&exchange, &ended(500, 0, None), UnixTime::from_secs(START), &mut Counters::default());
    let fetch = stage.due(UnixTime::from_secs(START), &mut Shared::default()).fetches.remove(0);
    assert_eq!((&*fetch.authority, &*fetch.path), ("hooks.slack.com", "/services/T0/B0/S3CRET"));
    let message: Value = serde_json::from_slice(&fetch.post.unwrap().body).unwrap();
    assert_eq!(message["text"], "Upstream failure: 500 (rule &lt;a&gt; &amp; b)");
    assert_eq!(message["blocks"][0]["text"]["text"], "*Upstream failure: 500 (rule &lt;a&gt; &amp; b)*");
    let debug = format!("{stage:?}");
    assert!(!debug.contains("S3CRET"), "{debug}");
}

#[test]
fn sentry_gets_an_envelope() {
    let mut stage = stage(json!({"format": "sentry", "dsn": {"env": "DSN"}, "cluster": "sentry"}));
    fail(&mut stage, 0, &ended(504, UT, None));
    let fetch = stage.due(UnixTime::from_secs(START), &mut Shared::default()).fetches.remove(0);
    assert_eq!((&*fetch.authority, &*fetch.path), ("o1.ingest.sentry.io", "/api/42/envelope/"));
    let post = fetch.post.unwrap();
    assert_eq!(post.content_type, "application/x-sentry-envelope");
    let client = format!("Sentry sentry_version=7, sentry_client=portcullis/{}, sentry_key=abcdef", env!("CARGO_PKG_VERSION"));
    assert!(post.headers.iter().any(|(name, value)| (&**name, &**value) == ("x-sentry-auth", client.as_str())));
    let body = String::from_utf8(post.body.to_vec()).unwrap();
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [header, item, event] = &lines[..] else { panic!("{body}") };
    assert_eq!(item["length"], body.lines().nth(2).unwrap().len());
    assert_eq!(item["type"], "event");
    assert_eq!(header["event_id"], event["event_id"]);
    assert_eq!(event["event_id"].as_str().unwrap().len(), 32);
    assert_eq!(event["level"], "error");
    assert_eq!(event["message"]["formatted"], "Upstream failure: 504 UT at /orders/{orderId} (rule read-orders)");
    assert_eq!(event["fingerprint"][0], "portcullis");
    let tags = json!({"kind": "timeout", "state": "first", "rule": "read-orders", "status": "504", "flags": "UT", "path": "/orders/{orderId}"});
    assert_eq!(event["tags"], tags);
}

#[test]
fn what_is_not_taken_is_sent_again_and_at_last_written_to_the_log() {
    for (webhook, is_whole) in [(generic(), true), (json!({"format": "sentry", "dsn": {"env": "DSN"}, "cluster": "s"}), false)] {
        let mut stage = stage(webhook);
        fail(&mut stage, 0, &ended(500, 0, None));
        let now = |seconds| UnixTime::from_secs(START + seconds);
        let fetch = stage.due(now(0), &mut Alone).fetches.remove(0);
        stage.on_fetched(fetch.id, FetchOutcome::Lost, now(0), &mut Alone);
        let again = stage.due(now(2), &mut Alone).fetches.remove(0);
        assert_eq!(again.post.as_ref().unwrap().body, fetch.post.unwrap().body);
        stage.on_fetched(again.id, FetchOutcome::Lost, now(2), &mut Alone);
        assert!(!stage.drain());
        let mut counters = Counters::default();
        stage.on_tick(now(2), &mut counters);
        assert!(counters.3.values().any(|level| *level == 1));
        stage.abandon(&mut counters);
        assert!(counters.3.values().all(|level| *level == 0), "{:?}", counters.3);
        let logged = counters.0.iter().position(|name| name.contains("outcome=.=logged")).unwrap();
        assert!(counters.1.contains(&(u32::try_from(logged).unwrap(), 1)));
        let line: Value = serde_json::from_str(&counters.2.remove(0)).unwrap();
        assert_eq!(line.get("schema").is_some(), is_whole);
    }
}

#[test]
fn refuses_what_tells_nobody() {
    let with = |webhook: Value| json!({"webhooks": [webhook]});
    for (config, expected) in [
        (json!({"webhooks": []}), "exceptions.webhooks: is empty, so that nobody would be told"),
        (json!({"window": "0s", "webhooks": [generic()]}), "exceptions.window: is not between 1s and 24h"),
        (json!({"quiet": "25h", "webhooks": [generic()]}), "exceptions.quiet: is not between 1s and 24h"),
        (
            json!({"webhooks": [{"format": "generic", "uri": "https://a/", "name": "a"}, {"format": "generic", "uri": "https://b/", "name": "a"}]}),
            "exceptions.webhooks[1].name: is the name of a webhook before it",
        ),
        (
            with(json!({"format": "generic"})),
            "exceptions.webhooks[0]: has not exactly one of `uri` and `secretUri`, and no `dsn`",
        ),
        (
            with(json!({"format": "slack", "uri": "https://a/", "secretUri": {"env": "SLACK"}})),
            "exceptions.webhooks[0]: has not exactly one of",
        ),
        (
            with(json!({"format": "sentry", "uri": "https://a/"})),
            "exceptions.webhooks[0]: of the format `sentry` has `dsn`, and neither `uri` nor `secretUri`",
        ),
        (with(json!({"format": "sentry", "dsn": {"env": "SLACK"}})), "exceptions.webhooks[0].dsn: is not a DSN"),
        (with(json!({"format": "generic", "uri": "ftp://a/"})), "exceptions.webhooks[0].uri: "),
        (
            with(json!({"format": "generic", "secretUri": {"env": "METADATA"}})),
            "exceptions.webhooks[0].secretUri: does not hold a URL that may be posted to",
        ),
        (with(json!({"format": "slack", "secretUri": {"env": "ABSENT"}})), "exceptions.webhooks[0].secretUri.env: "),
    ] {
        let error = compile(config).unwrap_err();
        assert!(error.starts_with(expected) && !error.contains("S3CRET"), "{error}");
    }
}

#[test]
fn warns_of_what_is_seen_or_not_known() {
    let with = |webhook: Value| json!({"webhooks": [webhook]});
    for (config, expected) in [
        (with(json!({"format": "slack", "secretUri": {"env": "PLAIN"}})), "exceptions.webhooks[0].secretUri: is not https"),
        (
            with(json!({"format": "sentry", "dsn": {"env": "ELSEWHERE"}})),
            "exceptions.webhooks[0].dsn.env: the variable cannot be",
        ),
    ] {
        let (_, warnings) = compile(config).unwrap();
        assert!(warnings.len() == 1 && warnings[0].starts_with(expected), "{warnings:?}");
    }
}

#[test]
fn names_the_clusters_that_it_needs() {
    let config: Vec<crate::config::exceptions::WebhookConfig> = serde_json::from_value(json!([
        generic(),
        {"format": "generic", "uri": "https://hooks.example.com/in"},
        {"format": "slack", "secretUri": {"env": "SLACK"}, "cluster": "slack"},
        {"format": "sentry", "dsn": {"env": "DSN"}},
    ]))
    .unwrap();
    let named: Vec<_> = destinations(&config, "w").into_iter().map(|found| (found.path, found.cluster.to_string())).collect();
    let expected = [("w[0].cluster", "hooks"), ("w[1].cluster", "outbound|443||hooks.example.com"), ("w[2].cluster", "slack")];
    assert_eq!(named, expected.map(|(path, cluster)| (path.to_owned(), cluster.to_owned())));
}
