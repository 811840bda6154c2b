//! Keys that are fetched, while requests wait for them.

use super::*;
use crate::stage::LogLevel;

fn stage() -> Authn {
    authn(&json!({"jwtRules": [
        {"issuer": "https://uaa", "jwksUri": "https://uaa/jwks"},
        {"issuer": "https://other", "secret": {"env": "S"}},
    ]}))
}

fn document(kid: &str) -> FetchOutcome {
    let mut key = TestKeys::get().p256_jwk();
    key["kid"] = json!(kid);
    FetchOutcome::Answered {
        status: 200,
        max_age: None,
        retry_after: None,
        body: json!({"keys": [key]}).to_string().into_bytes(),
    }
}

fn ask(stage: &mut Authn, kid: &str, at: UnixTime) -> (Verdict, Option<String>) {
    let token = TestKeys::get().sign(Algorithm::Es256, Some(kid), &valid());
    let mut exchange = exchange("/", &[("authorization", &format!("Bearer {token}"))]);
    let verdict = stage.on_request(&mut exchange, at, &mut Alone);
    (verdict, exchange.decision.map(|decision| decision.reason.into_owned()))
}

#[test]
fn a_request_waits_for_the_first_keys() {
    let mut stage = stage();
    assert_eq!(ask(&mut stage, "k1", NOW), (Verdict::Wait(FetchId(0)), None));
    let fetches = stage.due(NOW, &mut Alone).fetches;
    assert_eq!(fetches.iter().map(|fetch| &*fetch.cluster).collect::<Vec<_>>(), ["outbound|443||uaa"]);
    assert_eq!(ask(&mut stage, "k1", NOW).0, Verdict::Wait(FetchId(0)));
    assert!(stage.due(NOW, &mut Alone).fetches.is_empty(), "one fetch for all who wait");
    stage.on_fetched(FetchId(0), document("k1"), NOW, &mut Alone);
    assert_eq!(ask(&mut stage, "k1", NOW).1.as_deref(), Some("token_valid"));
}

#[test]
fn without_keys_a_request_is_refused_and_other_issuers_are_not_affected() {
    let mut stage = stage();
    stage.due(NOW, &mut Alone);
    let Message { level, text } = stage.on_fetched(FetchId(0), FetchOutcome::Lost, NOW, &mut Alone).unwrap();
    assert_eq!((level, &*text), (LogLevel::Warn, "keys of https://uaa not fetched: no answer came"));
    assert_eq!(ask(&mut stage, "k1", NOW).1.as_deref(), Some("keys_unavailable"));
    let mut other = exchange("/", &[("authorization", &bearer(&with(valid(), "iss", json!("https://other"))))]);
    assert_eq!(stage.on_request(&mut other, NOW, &mut Alone), Verdict::Continue);
}

#[test]
fn new_keys_of_one_issuer_leave_the_tokens_of_others_remembered() {
    let mut stage = stage();
    stage.due(NOW, &mut Alone);
    stage.on_fetched(FetchId(0), document("k1"), NOW, &mut Alone);
    ask(&mut stage, "k1", NOW);
    let other = bearer(&with(valid(), "iss", json!("https://other")));
    stage.on_request(&mut exchange("/", &[("authorization", &other)]), NOW, &mut Alone);
    assert_eq!(stage.callers.verified.len(), 2);
    stage.on_fetched(FetchId(0), document("k1"), NOW, &mut Alone);
    assert_eq!(stage.callers.verified.len(), 2, "the same keys again");
    stage.on_fetched(FetchId(0), document("k2"), NOW, &mut Alone);
    assert_eq!(stage.callers.verified.len(), 1);
    stage.callers.verified.forget(|caller| caller.issuer == 1);
    assert!(stage.callers.verified.is_empty(), "it was the other's that stayed");
}

#[test]
fn keys_that_are_too_old_take_the_tokens_along_that_they_verified() {
    let mut stage = stage();
    stage.due(NOW, &mut Alone);
    stage.on_fetched(FetchId(0), document("k1"), NOW, &mut Alone);
    ask(&mut stage, "k1", NOW);
    let other = bearer(&with(valid(), "iss", json!("https://other")));
    stage.on_request(&mut exchange("/", &[("authorization", &other)]), NOW, &mut Alone);
    let after = |days: u64| NOW.saturating_add(std::time::Duration::from_secs(days * 86_400));
    for (days, kept) in [(0, 2), (30, 1)] {
        stage.due(after(days), &mut Alone);
        assert_eq!(stage.callers.verified.len(), kept, "after {days} days");
    }
    stage.callers.verified.forget(|caller| caller.issuer == 1);
    assert!(stage.callers.verified.is_empty(), "it was the other's that stayed");
}

#[test]
fn an_unknown_kid_is_looked_up_once_and_known_ones_go_on() {
    let mut stage = stage();
    stage.due(NOW, &mut Alone);
    stage.on_fetched(FetchId(0), document("k1"), NOW, &mut Alone);
    let later = NOW.saturating_add(std::time::Duration::from_secs(61));
    assert_eq!(ask(&mut stage, "k2", NOW).1.as_deref(), Some("key_unknown"));
    assert_eq!(ask(&mut stage, "k2", later).0, Verdict::Wait(FetchId(0)));
    assert_eq!(ask(&mut stage, "k1", later).1.as_deref(), Some("token_valid"));
    assert_eq!(stage.due(later, &mut Alone).fetches.len(), 1);
    stage.on_fetched(FetchId(0), document("k2"), later, &mut Alone);
    assert_eq!(ask(&mut stage, "k2", later).1.as_deref(), Some("token_valid"));
    assert_eq!(ask(&mut stage, "k1", later).1.as_deref(), Some("key_unknown"), "forgotten with its key");
}

#[test]
fn a_kid_that_was_looked_up_in_vain_says_nothing_of_another() {
    let mut stage = stage();
    stage.due(NOW, &mut Alone);
    stage.on_fetched(FetchId(0), document("k1"), NOW, &mut Alone);
    let after = |seconds| NOW.saturating_add(std::time::Duration::from_secs(seconds));
    assert_eq!(ask(&mut stage, "k2", after(30)).1.as_deref(), Some("key_unknown"));
    assert_eq!(ask(&mut stage, "k2", after(61)).1.as_deref(), Some("key_unknown"), "remembered for a minute");
    assert_eq!(ask(&mut stage, "k3", after(61)).0, Verdict::Wait(FetchId(0)));
}
