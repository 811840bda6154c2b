use super::*;
use serde_json::json;

const REFRESH: Duration = Duration::from_secs(300);

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_secs(1_000_000).saturating_add(Duration::from_secs(seconds))
}

fn keyring(refresh: Duration) -> Keyring {
    let fetch = Fetch {
        id: FetchId(3),
        cluster: "issuer".into(),
        scheme: "https".into(),
        authority: "issuer.example".into(),
        path: "/jwks".into(),
        timeout: Duration::from_secs(5),
    };
    Keyring::fetched(fetch, refresh)
}

/// A document with one key; another number gives another key.
fn document(number: u8) -> FetchOutcome {
    use base64::Engine;
    let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([number; 32]);
    FetchOutcome::Answered { status: 200, body: json!({"keys": [{"kty": "oct", "k": secret}]}).to_string().into_bytes() }
}

fn failure() -> FetchOutcome {
    FetchOutcome::Answered { status: 503, body: Vec::new() }
}

/// A keyring that fetched its keys at time 0.
fn ready() -> Keyring {
    let mut keyring = keyring(REFRESH);
    keyring.due(at(0)).unwrap();
    keyring.on_fetched(document(1), at(0)).unwrap();
    keyring
}

fn state(keyring: &Keyring, now: UnixTime) -> &'static str {
    match keyring.keys(now) {
        Keys::Ready(_) => "ready",
        Keys::Pending => "pending",
        Keys::Unavailable => "unavailable",
    }
}

#[test]
fn fixed_keys_are_always_ready_and_never_fetched() {
    let mut keyring = Keyring::fixed(KeySet::from_secret(&[1; 32]).unwrap());
    assert_eq!(state(&keyring, at(0)), "ready");
    assert_eq!(keyring.due(at(0)), None);
    assert!(!keyring.request_refresh(at(0)));
    assert_eq!(keyring.fetch_id(), None);
}

#[test]
fn fetches_at_once_and_then_every_refresh() {
    let mut keyring = keyring(REFRESH);
    assert_eq!(state(&keyring, at(0)), "pending");
    let fetch = keyring.due(at(0)).unwrap();
    assert_eq!((fetch.id, &*fetch.path), (FetchId(3), "/jwks"));
    assert_eq!(state(&keyring, at(1)), "pending");
    assert_eq!(keyring.due(at(1)), None);
    assert_eq!(keyring.on_fetched(document(1), at(2)), Ok(Refreshed::Changed));
    assert_eq!(state(&keyring, at(2)), "ready");
    assert_eq!(keyring.due(at(301)), None);
    assert!(keyring.due(at(302)).is_some());
    assert_eq!(state(&keyring, at(302)), "ready");
}

#[test]
fn the_generation_changes_with_the_keys_only() {
    let mut keyring = ready();
    let first = keyring.generation();
    assert_eq!(keyring.on_fetched(document(1), at(300)), Ok(Refreshed::Unchanged));
    assert!(keyring.on_fetched(failure(), at(600)).is_err());
    assert_eq!(keyring.generation(), first);
    assert_eq!(keyring.on_fetched(document(2), at(900)), Ok(Refreshed::Changed));
    assert_ne!(keyring.generation(), first);
}

#[test]
fn backs_off_twice_as_long_after_each_failure() {
    for (refresh, longest) in [(REFRESH, 60), (Duration::from_secs(10), 10)] {
        let mut keyring = keyring(refresh);
        let mut now = 0;
        for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256].map(|pause: u64| pause.min(longest)) {
            assert!(keyring.due(at(now)).is_some(), "{now}");
            assert!(keyring.on_fetched(failure(), at(now)).is_err());
            assert_eq!(state(&keyring, at(now)), "unavailable");
            assert_eq!(keyring.due(at(now + pause - 1)), None, "{now}");
            now += pause;
            assert_eq!(state(&keyring, at(now)), "pending");
        }
        keyring.due(at(now)).unwrap();
        keyring.on_fetched(document(1), at(now)).unwrap();
        keyring.on_fetched(failure(), at(now)).unwrap_err();
        assert!(keyring.due(at(now + 1)).is_some(), "a success starts the count again");
    }
}

#[test]
fn a_failure_is_told_and_leaves_the_old_keys() {
    let body = |body: &str| FetchOutcome::Answered { status: 200, body: body.into() };
    let FetchOutcome::Answered { body: good, .. } = document(2) else { panic!("an answer") };
    let cases = [
        (FetchOutcome::Lost, "no answer came"),
        (FetchOutcome::NotSent, "the proxy did not send the request; does the cluster exist?"),
        (failure(), "the answer has status 503"),
        (FetchOutcome::Answered { status: 302, body: good.clone() }, "the answer has status 302"),
        (FetchOutcome::Answered { status: 201, body: good }, "the answer has status 201"),
        (body("<html></html>"), "the key set is not JSON, or an object in it repeats a name"),
        (body(""), "the key set is not JSON, or an object in it repeats a name"),
        (body("{\"keys\":[]}"), "the list `keys` is empty"),
        (
            body("{\"keys\":[{\"kty\":\"RSA\",\"use\":\"enc\"}]}"),
            "none of the keys can be used: keys[0] is not used: its `use` is not `sig`",
        ),
        (body(&" ".repeat(MAX_FETCHED_BYTES + 1)), "the key set is longer than 1 MiB"),
    ];
    for (outcome, expected) in cases {
        let mut keyring = ready();
        let generation = keyring.generation();
        keyring.due(at(300)).unwrap();
        assert_eq!(keyring.on_fetched(outcome, at(300)).unwrap_err().to_string(), expected);
        assert_eq!((state(&keyring, at(300)), keyring.generation()), ("ready", generation), "{expected}");
    }
}

#[test]
fn keys_are_not_believed_for_more_than_a_day() {
    const DAY: u64 = 24 * 3600;
    let mut keyring = ready();
    let generation = keyring.generation();
    keyring.due(at(DAY)).unwrap();
    keyring.on_fetched(failure(), at(DAY)).unwrap_err();
    assert_eq!((state(&keyring, at(DAY)), keyring.generation()), ("ready", generation));
    assert_eq!(state(&keyring, at(DAY + 1)), "pending");
    keyring.due(at(DAY + 1)).unwrap();
    assert_ne!(keyring.generation(), generation, "what was verified with them is to be forgotten");
    keyring.on_fetched(failure(), at(DAY + 1)).unwrap_err();
    assert_eq!(state(&keyring, at(DAY + 2)), "unavailable");
    keyring.due(at(DAY + 3)).unwrap();
    assert_eq!(keyring.on_fetched(document(1), at(DAY + 3)), Ok(Refreshed::Changed));
    assert_eq!(state(&keyring, at(DAY + 3)), "ready");
}

#[test]
fn keys_are_refreshed_before_they_are_too_old() {
    let mut keyring = keyring(Duration::from_secs(7 * 24 * 3600));
    keyring.due(at(0)).unwrap();
    keyring.on_fetched(document(1), at(0)).unwrap();
    assert!(keyring.due(at(12 * 3600)).is_some());
}

#[test]
fn a_fetch_without_outcome_is_given_up_after_its_timeout() {
    let mut keyring = keyring(REFRESH);
    keyring.due(at(0)).unwrap();
    assert_eq!(state(&keyring, at(5)), "pending");
    assert_eq!(state(&keyring, at(6)), "unavailable");
    assert_eq!(keyring.due(at(6)), None);
    assert!(keyring.due(at(7)).is_some());
    assert_eq!(keyring.on_fetched(document(1), at(8)), Ok(Refreshed::Changed));
}

#[test]
fn unknown_kids_cause_one_fetch_a_minute() {
    let mut keyring = ready();
    assert!(!keyring.request_refresh(at(59)));
    assert_eq!(keyring.due(at(59)), None);
    assert!(keyring.request_refresh(at(60)));
    assert!(keyring.request_refresh(at(60)), "it is due");
    assert!(keyring.due(at(60)).is_some());
    assert!(keyring.request_refresh(at(61)), "it is on its way");
    assert_eq!(keyring.due(at(61)), None);
    keyring.on_fetched(document(1), at(62)).unwrap();
    for second in 62..120 {
        assert!(!keyring.request_refresh(at(second)), "{second}");
        assert_eq!(keyring.due(at(second)), None);
    }
    assert!(keyring.request_refresh(at(120)));
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_fetches() {
    let mut keyring = ready();
    let before = UnixTime::from_secs(1000);
    assert!(keyring.due(before).is_some());
    let mut waiting = ready();
    waiting.due(at(300)).unwrap();
    assert_eq!(waiting.due(before), None);
    assert_eq!(waiting.due(before.saturating_add(Duration::from_secs(6))), None);
    assert!(waiting.due(before.saturating_add(Duration::from_secs(7))).is_some());
}
