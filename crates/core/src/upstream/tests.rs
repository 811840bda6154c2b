use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::config::auth_header::AuthHeaderConfig;
use crate::config::{Variable, Warning};
use crate::decision::{Decision, TOKEN_VALID};
use crate::headers::Headers;
use crate::request::Request;
use crate::stage::{Alone, Fetch, Route};

const NOW: UnixTime = UnixTime::from_secs(1_700_000_000);

fn at(seconds: u64) -> UnixTime {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn environment(name: &str) -> Variable {
    match name {
        "SECRET" => Variable::Set("s3cr&t =".to_owned()),
        "ELSEWHERE" => Variable::Unknown,
        "LINE" => Variable::Set("a\n".to_owned()),
        _ => Variable::Unset,
    }
}

fn compile(upstream: Value) -> Result<(UpstreamCredentials, Vec<Warning>), String> {
    let config: AuthHeaderConfig = serde_json::from_value(json!({ "upstream": upstream })).unwrap();
    let mut warnings = Vec::new();
    let policy = Policy::compile(&config.upstream, "upstream", &environment, &mut warnings).map_err(|error| error.to_string())?;
    Ok((UpstreamCredentials::new(policy), warnings))
}

fn stage(upstream: Value) -> UpstreamCredentials {
    compile(upstream).unwrap().0
}

fn client(more: &Value) -> Value {
    let mut all = json!({"tokenUri": "https://idp.example.com/token?v=1", "cluster": "idp", "clientId": "gw", "clientSecret": {"env": "SECRET"}});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([{"name": "billing", "clientCredentials": all}])
}

fn secret() -> Value {
    json!({"inline": "static"})
}

fn exchange(path: &str, headers: &[(&str, &str)]) -> Exchange {
    let pseudo = [(":method", "GET"), (":path", path), (":authority", "api.example.com")];
    let headers = Headers::from_pairs(pseudo.iter().chain(headers).copied());
    let decision = Some(Decision::allow("a".into(), TOKEN_VALID, None));
    Exchange { decision, ..Exchange::new(Request::new(headers), Some(NOW)) }
}

fn edits(exchange: &Exchange) -> Vec<Edit> {
    exchange.edits.iter().cloned().collect()
}

fn set(name: &str, value: &str) -> Edit {
    Edit::Set(name.into(), value.into())
}

fn answer(token: &str, expires_in: u64) -> FetchOutcome {
    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": expires_in}).to_string().into_bytes();
    FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body }
}

fn due(stage: &mut UpstreamCredentials, now: UnixTime) -> Vec<Fetch> {
    stage.due(now, &mut Alone).fetches
}

/// The header's value, or the code of the refusal, or `wait`.
fn asked(stage: &mut UpstreamCredentials, now: UnixTime) -> String {
    let mut exchange = exchange("/", &[]);
    match stage.on_request(&mut exchange, now, &mut Alone) {
        Verdict::Continue => match &edits(&exchange)[..] {
            [Edit::Set(_, value)] => value.to_string(),
            other => panic!("{other:?}"),
        },
        Verdict::Refuse(refusal) => refusal.rejection.code().to_owned(),
        Verdict::Wait(FetchId(0)) => "wait".to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_replaces_whatever_the_header_held_of_the_requests_that_it_is_for() {
    let mut stage = stage(json!([
        {"match": {"paths": ["/billing/**"]}, "secret": secret()},
        {"match": {"routes": ["partner"]}, "header": "X-Api-Key", "secret": secret()},
        {"match": {"paths": ["/other"]}, "header": "x-token", "prefix": "Token ", "secret": secret()},
    ]));
    assert!(stage.needs().route_name);
    let headers = [("authorization", "Bearer a.b.c"), ("X_Api-Key", "forged"), ("x-api-key", "forged"), ("dpop", "proof")];
    let mut billing = exchange("/billing/1", &headers);
    billing.edits.set("authorization", "Bearer internal");
    let mut partner = exchange("/", &headers);
    partner.route = Route { name: Some("partner".to_owned()), rule: None, ..Route::default() };
    for (mut exchange, expected) in [
        (
            billing,
            vec![set("authorization", "Bearer internal"), Edit::Remove("dpop".into()), set("authorization", "Bearer static")],
        ),
        (partner, vec![Edit::Remove("x_api-key".into()), set("x-api-key", "static")]),
        (exchange("/other", &headers), vec![set("x-token", "Token static")]),
        (exchange("/else", &headers), vec![]),
    ] {
        assert_eq!(stage.on_request(&mut exchange, NOW, &mut Alone), Verdict::Continue);
        assert_eq!(edits(&exchange), expected);
    }
}

#[test]
fn nobody_who_is_refused_gets_it_and_who_is_only_reported_does() {
    let mut stage = stage(json!([{"secret": secret()}]));
    let refused = Decision::refuse("a".into(), Rejection::RoleMissing, None);
    for (decision, expected) in [(Some(refused.clone()), 0), (Some(refused.in_shadow()), 1), (None, 1)] {
        let mut exchange = Exchange { decision, ..exchange("/", &[]) };
        assert_eq!(stage.on_request(&mut exchange, NOW, &mut Alone), Verdict::Continue);
        assert_eq!(edits(&exchange).len(), expected);
    }
}

#[test]
fn a_request_that_can_be_understood_otherwise_neither_gets_it_nor_goes_without() {
    let mut by_path = stage(json!([{"match": {"paths": ["/billing/{id}"], "methods": ["GET"]}, "secret": secret()}]));
    let mut by_route = stage(json!([{"match": {"routes": ["r"]}, "secret": secret()}]));
    for (path, expected) in [
        ("/billing/1", Some(1)),
        ("/billing/%31", Some(1)),
        ("/a/../billing/1", Some(1)),
        ("/other", Some(0)),
        ("/billing/1/2", Some(0)),
        ("/billing/1/", None),
        ("//billing/1", None),
        ("/billing%2f1", None),
        ("/a/..%2fbilling/1", None),
        ("/billing;a/1", None),
    ] {
        let mut one = exchange(path, &[]);
        let verdict = by_path.on_request(&mut one, NOW, &mut Alone);
        let got = (verdict == Verdict::Continue).then(|| edits(&one).len());
        assert_eq!(got, expected, "{path}");
        assert!(expected.is_some() || verdict == Verdict::Refuse(Rejection::RequestMalformed.into()), "{path}");
        // Which route the proxy chose, it says itself.
        let mut one = exchange(path, &[]);
        one.route = Route { name: Some("r".to_owned()), rule: None, ..Route::default() };
        assert_eq!((by_route.on_request(&mut one, NOW, &mut Alone), edits(&one).len()), (Verdict::Continue, 1), "{path}");
    }
}

#[test]
fn asks_for_a_token_as_rfc_6749_says() {
    let more = json!({"scope": "a b", "audience": "https://x", "resource": "urn:r", "timeout": "3s"});
    let fetch = due(&mut stage(client(&more)), NOW).pop().unwrap();
    assert_eq!((&*fetch.cluster, &*fetch.authority, &*fetch.path), ("idp", "idp.example.com", "/token?v=1"));
    assert_eq!(fetch.timeout, Duration::from_secs(3));
    let post = fetch.post.as_ref().unwrap();
    assert_eq!(post.content_type, "application/x-www-form-urlencoded");
    // gw:s3cr%26t+%3D
    assert_eq!(post.authorization.as_deref(), Some("Basic Z3c6czNjciUyNnQrJTNE"));
    let text = |post: &crate::stage::Post| String::from_utf8(post.body.to_vec()).unwrap();
    assert_eq!(text(post), "grant_type=client_credentials&scope=a+b&audience=https%3A%2F%2Fx&resource=urn%3Ar");
    let by_post = due(&mut stage(client(&json!({"clientAuth": "post"}))), NOW).pop().unwrap().post.unwrap();
    assert_eq!(by_post.authorization, None);
    assert_eq!(text(&by_post), "grant_type=client_credentials&client_id=gw&client_secret=s3cr%26t+%3D");
}

#[test]
fn one_fetch_serves_all_who_wait_and_is_renewed_before_the_end() {
    let mut stage = stage(client(&json!({})));
    assert_eq!(asked(&mut stage, NOW), "wait");
    assert_eq!(due(&mut stage, NOW).len(), 1);
    assert_eq!((asked(&mut stage, at(2)), due(&mut stage, at(2)).len()), ("wait".to_owned(), 0), "one is under way");
    let said = stage.on_fetched(FetchId(0), answer("one", 100), at(3), &mut Alone).unwrap();
    assert_eq!(said.text, "credential for the upstream billing fetched");
    for seconds in [3, 69, 99] {
        assert!(asked(&mut stage, at(seconds)).contains("Bearer one"), "{seconds}");
    }
    assert_eq!(due(&mut stage, at(69)).len(), 0);
    assert_eq!(due(&mut stage, at(80)).len(), 1, "four fifths have gone");
    assert!(asked(&mut stage, at(81)).contains("Bearer one"), "the old one holds meanwhile");
    assert_eq!(stage.on_fetched(FetchId(0), answer("two", 100), at(82), &mut Alone), None, "nothing new to tell");
    assert!(asked(&mut stage, at(100)).contains("Bearer two"));
    // It holds from when it was asked for.
    assert_eq!(asked(&mut stage, at(180)), "wait");
}

#[test]
fn without_a_token_nothing_goes_on() {
    let mut stage = stage(client(&json!({"timeout": "2s"})));
    let failed = || FetchOutcome::Answered { status: 500, max_age: None, retry_after: None, body: b"s3cr&t".to_vec() };
    assert_eq!(due(&mut stage, NOW).len(), 1);
    let said = stage.on_fetched(FetchId(0), failed(), NOW, &mut Alone).unwrap();
    assert_eq!(said.text, "credential for the upstream billing not fetched: the answer has status 500");
    assert_eq!((asked(&mut stage, NOW), due(&mut stage, NOW).len()), ("upstream_credential_unavailable".to_owned(), 0));
    // 1, 2, 4… seconds later the next one is due.
    assert_eq!((asked(&mut stage, at(1)), due(&mut stage, at(1)).len()), ("wait".to_owned(), 1));
    assert_eq!(stage.on_fetched(FetchId(0), failed(), at(1), &mut Alone), None, "the same again is not told again");
    assert_eq!((asked(&mut stage, at(2)), due(&mut stage, at(2)).len()), ("upstream_credential_unavailable".to_owned(), 0));
    assert_eq!(due(&mut stage, at(3)).len(), 1);
    // No outcome comes: it is given up a second after its timeout.
    assert_eq!(asked(&mut stage, at(5)), "wait");
    assert_eq!(asked(&mut stage, at(6)), "upstream_credential_unavailable");
    let lost = stage.due(at(6), &mut Alone);
    assert_eq!((lost.fetches.len(), lost.settled), (0, vec![FetchId(0)]));
    assert_eq!(lost.messages[0].text, "credential for the upstream billing not fetched: no answer came");
}

#[test]
fn a_token_outlives_failures_and_not_its_end() {
    let mut stage = stage(client(&json!({})));
    let _ = due(&mut stage, NOW);
    let _ = stage.on_fetched(FetchId(0), answer("one", 100), NOW, &mut Alone);
    assert_eq!(due(&mut stage, at(80)).len(), 1);
    let _ = stage.on_fetched(FetchId(0), FetchOutcome::NotSent, at(80), &mut Alone);
    assert!(asked(&mut stage, at(80)).contains("Bearer one"));
    assert!(asked(&mut stage, at(99)).contains("Bearer one"));
    assert_eq!(asked(&mut stage, at(100)), "wait");
}

#[test]
fn a_clock_that_is_set_back_neither_prolongs_a_token_nor_puts_the_next_one_off() {
    let mut stage = stage(client(&json!({})));
    let _ = due(&mut stage, at(10_000));
    let _ = stage.on_fetched(FetchId(0), answer("one", 100), at(10_000), &mut Alone);
    assert!(asked(&mut stage, at(10_001)).contains("Bearer one"));
    assert!(!asked(&mut stage, NOW).contains("Bearer"));
    assert_eq!((due(&mut stage, NOW).len(), asked(&mut stage, NOW)), (1, "wait".to_owned()));
}

#[test]
fn a_secret_that_is_not_known_refuses() {
    for upstream in [client(&json!({"clientSecret": {"env": "ELSEWHERE"}})), json!([{"secret": {"env": "ELSEWHERE"}}])] {
        let mut stage = stage(upstream);
        assert_eq!((due(&mut stage, NOW).len(), asked(&mut stage, NOW)), (0, "upstream_credential_unavailable".to_owned()));
    }
}

#[test]
fn case_38_debug_output_holds_no_secret_and_no_token() {
    let mut stage = stage(json!([client(&json!({"clientAuth": "post"}))[0], {"name": "b", "secret": secret()}]));
    let fetch = due(&mut stage, NOW).pop().unwrap();
    let _ = stage.on_fetched(FetchId(0), answer("t0ken", 100), NOW, &mut Alone);
    let shown = format!("{stage:?} {fetch:?}");
    for secret in ["s3cr", "static", "t0ken"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn refuses_bad_configuration() {
    let with = |name: &str, value: Value| {
        let mut upstream = client(&json!({}));
        upstream[0]["clientCredentials"][name] = value;
        upstream
    };
    let client_and_secret = |mut upstream: Value| {
        upstream[0]["secret"] = secret();
        upstream
    };
    for (upstream, expected) in [
        (json!([{}]), "upstream[0]: has no credential; give `secret` or `clientCredentials`"),
        (client_and_secret(client(&json!({}))), "upstream[0]: has both `secret` and `clientCredentials`; give one of them"),
        (json!([{"name": " ", "secret": secret()}]), "upstream[0].name: is empty"),
        (
            json!([{"name": "upstream1", "secret": secret()}, {"secret": secret()}]),
            "upstream[1].name: is the name of an entry before it",
        ),
        (json!([{"match": {}, "secret": secret()}]), "upstream[0].match: is empty; leave `match` out to match every request"),
        (
            json!([{"secret": {"env": "LINE"}}]),
            "upstream[0].secret: cannot stand in a header; visible ASCII, with no white space at either end",
        ),
        (
            json!([{"secret": {"inline": ""}}]),
            "upstream[0].secret.inline: the secret is too short: it has 0 bytes; it needs at least 1 bytes",
        ),
        (
            json!([{"header": "te", "secret": secret()}]),
            "upstream[0].header: would change `te`, which belongs to the connection; name only headers that carry identity",
        ),
        (with("tokenUri", json!("/token")), "upstream[0].clientCredentials.tokenUri: is not an absolute URI"),
        (
            with("tokenUri", json!("http://169.254.169.254/token")),
            "upstream[0].clientCredentials.tokenUri: leads to a link-local address or a cloud's metadata service",
        ),
        (with("clientId", json!("")), "upstream[0].clientCredentials.clientId: is empty"),
        (with("scope", json!(" ")), "upstream[0].clientCredentials.scope: is empty"),
        (with("timeout", json!("31s")), "upstream[0].clientCredentials.timeout: is not between 1ms and 30s"),
    ] {
        assert_eq!(compile(upstream.clone()).map(|_| ()), Err(expected.to_owned()), "{upstream}");
    }
}

#[test]
fn warns_of_a_credential_that_may_go_astray() {
    let astray = "upstream[0].match: names no `routes`: the credential goes wherever the proxy sends these requests";
    let plain = "upstream[0].clientCredentials.tokenUri: is not https: whoever sees the connection sees the secret";
    let said = |upstream: Value| compile(upstream).unwrap().1.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(said(client(&json!({"tokenUri": "http://idp/token"}))), [astray, plain]);
    let mut bound = client(&json!({}));
    bound[0]["match"] = json!({"routes": ["billing"]});
    assert_eq!(said(bound), Vec::<String>::new());
}
