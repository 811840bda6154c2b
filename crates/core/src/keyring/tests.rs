mod sharing;

use serde_json::json;

use super::*;
use crate::jose::Algorithm;
use crate::stage::{Alone, FetchOutcome, MAX_FETCHED_BYTES};

const REFRESH: Duration = Duration::from_secs(300);

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_secs(1_000_000).saturating_add(Duration::from_secs(seconds))
}

fn symmetric() -> AlgorithmSet {
    Algorithm::ALL.into_iter().filter(|algorithm| algorithm.is_symmetric()).collect()
}

fn keyring_of(source: Source, refresh: Duration) -> Keyring {
    let refresh = Refresh { interval: refresh, timeout: Duration::from_secs(5) };
    Keyring::fetched(source, FetchId(3), refresh, symmetric())
}

fn keyring(refresh: Duration) -> Keyring {
    keyring_of(Source::KeySet(Location::parse("https://issuer.example/jwks", Some("issuer")).unwrap()), refresh)
}

fn due(keyring: &mut Keyring, now: UnixTime) -> Option<Fetch> {
    keyring.due(now, &mut Alone).fetch
}

fn fetched(keyring: &mut Keyring, outcome: FetchOutcome, now: UnixTime) -> Result<Refreshed, FetchError> {
    keyring.on_fetched(outcome, now, &mut Alone)
}

fn answer(body: impl Into<Vec<u8>>) -> FetchOutcome {
    FetchOutcome::Answered { status: 200, max_age: None, retry_after: None, body: body.into() }
}

/// A document with one key; another number gives another key.
fn document(number: u8) -> FetchOutcome {
    use base64::Engine;
    let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode([number; 32]);
    FetchOutcome::Answered {
        status: 200,
        max_age: None,
        retry_after: None,
        body: json!({"keys": [{"kty": "oct", "k": secret}]}).to_string().into_bytes(),
    }
}

fn failure() -> FetchOutcome {
    FetchOutcome::Answered { status: 503, max_age: None, retry_after: None, body: Vec::new() }
}

/// A keyring that fetched its keys at time 0.
fn ready() -> Keyring {
    let mut keyring = keyring(REFRESH);
    due(&mut keyring, at(0)).unwrap();
    fetched(&mut keyring, document(1), at(0)).unwrap();
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
    assert_eq!(due(&mut keyring, at(0)), None);
    assert!(!keyring.request_key(Some("k"), at(0)));
    assert_eq!(keyring.fetch_id(), None);
}

#[test]
fn fetches_at_once_and_then_every_refresh() {
    let mut keyring = keyring(REFRESH);
    assert_eq!(state(&keyring, at(0)), "pending");
    let fetch = due(&mut keyring, at(0)).unwrap();
    assert_eq!((fetch.id, &*fetch.path), (FetchId(3), "/jwks"));
    assert_eq!(state(&keyring, at(1)), "pending");
    assert_eq!(due(&mut keyring, at(1)), None);
    assert_eq!(fetched(&mut keyring, document(1), at(2)), Ok(Refreshed::Changed));
    assert_eq!(state(&keyring, at(2)), "ready");
    assert_eq!(due(&mut keyring, at(301)), None);
    assert!(due(&mut keyring, at(302)).is_some());
    assert_eq!(state(&keyring, at(302)), "ready");
}

#[test]
fn the_generation_changes_with_the_keys_only() {
    let mut keyring = ready();
    let first = keyring.generation();
    assert_eq!(fetched(&mut keyring, document(1), at(300)), Ok(Refreshed::Unchanged));
    assert!(fetched(&mut keyring, failure(), at(600)).is_err());
    assert_eq!(keyring.generation(), first);
    assert_eq!(fetched(&mut keyring, document(2), at(900)), Ok(Refreshed::Changed));
    assert_ne!(keyring.generation(), first);
}

#[test]
fn backs_off_twice_as_long_after_each_failure() {
    for (refresh, longest) in [(REFRESH, 60), (Duration::from_secs(10), 10)] {
        let mut keyring = keyring(refresh);
        let mut now = 0;
        for pause in [1, 2, 4, 8, 16, 32, 64, 128, 256].map(|pause: u64| pause.min(longest)) {
            assert!(due(&mut keyring, at(now)).is_some(), "{now}");
            assert!(fetched(&mut keyring, failure(), at(now)).is_err());
            assert_eq!(state(&keyring, at(now)), "unavailable");
            assert_eq!(due(&mut keyring, at(now + pause - 1)), None, "{now}");
            now += pause;
            assert_eq!(state(&keyring, at(now)), "pending");
        }
        due(&mut keyring, at(now)).unwrap();
        fetched(&mut keyring, document(1), at(now)).unwrap();
        fetched(&mut keyring, failure(), at(now)).unwrap_err();
        assert!(due(&mut keyring, at(now + 1)).is_some(), "a success starts the count again");
    }
}

#[test]
fn a_failure_is_told_and_leaves_the_old_keys() {
    let body = |body: &str| answer(body);
    let FetchOutcome::Answered { body: good, .. } = document(2) else { panic!("an answer") };
    let cases = [
        (FetchOutcome::Lost, "no answer came"),
        (FetchOutcome::NotSent, "the proxy did not send the request; does the cluster exist?"),
        (failure(), "the answer has status 503"),
        (
            FetchOutcome::Answered { status: 302, max_age: None, retry_after: None, body: good.clone() },
            "the answer has status 302",
        ),
        (FetchOutcome::Answered { status: 201, max_age: None, retry_after: None, body: good }, "the answer has status 201"),
        (body("<html></html>"), "the key set is not JSON, or an object in it repeats a name"),
        (body(""), "the key set is not JSON, or an object in it repeats a name"),
        (body("{\"keys\":[]}"), "the list `keys` is empty"),
        (
            body("{\"keys\":[{\"kty\":\"RSA\",\"use\":\"enc\"}]}"),
            "none of the keys can be used: keys[0] is not used: its `use` is not `sig`",
        ),
        (body(&" ".repeat(MAX_FETCHED_BYTES + 1)), "the answer is longer than 1 MiB"),
    ];
    for (outcome, expected) in cases {
        let mut keyring = ready();
        let generation = keyring.generation();
        due(&mut keyring, at(300)).unwrap();
        assert_eq!(fetched(&mut keyring, outcome, at(300)).unwrap_err().to_string(), expected);
        assert_eq!((state(&keyring, at(300)), keyring.generation()), ("ready", generation), "{expected}");
    }
}

/// The same with white space behind it, so that it has this many bytes.
fn padded(outcome: FetchOutcome, bytes: usize) -> FetchOutcome {
    let FetchOutcome::Answered { mut body, .. } = outcome else { panic!("an answer") };
    body.resize(bytes, b' ');
    answer(body)
}

#[test]
fn an_answer_may_be_as_long_as_the_limit_says() {
    let mut keyring = ready();
    due(&mut keyring, at(300)).unwrap();
    assert_eq!(fetched(&mut keyring, padded(document(2), MAX_FETCHED_BYTES), at(300)), Ok(Refreshed::Changed));
}

#[test]
fn keys_are_not_believed_for_more_than_a_day() {
    const DAY: u64 = 24 * 3600;
    let mut keyring = ready();
    let generation = keyring.generation();
    due(&mut keyring, at(DAY)).unwrap();
    fetched(&mut keyring, failure(), at(DAY)).unwrap_err();
    assert_eq!((state(&keyring, at(DAY)), keyring.generation()), ("ready", generation));
    assert_eq!(state(&keyring, at(DAY + 1)), "pending");
    due(&mut keyring, at(DAY + 1)).unwrap();
    assert_ne!(keyring.generation(), generation, "what was verified with them is to be forgotten");
    fetched(&mut keyring, failure(), at(DAY + 1)).unwrap_err();
    assert_eq!(state(&keyring, at(DAY + 2)), "unavailable");
    due(&mut keyring, at(DAY + 3)).unwrap();
    assert_eq!(fetched(&mut keyring, document(1), at(DAY + 3)), Ok(Refreshed::Changed));
    assert_eq!(state(&keyring, at(DAY + 3)), "ready");
}

#[test]
fn keys_are_refreshed_before_they_are_too_old() {
    let mut keyring = keyring(Duration::from_secs(7 * 24 * 3600));
    due(&mut keyring, at(0)).unwrap();
    fetched(&mut keyring, document(1), at(0)).unwrap();
    assert!(due(&mut keyring, at(12 * 3600)).is_some());
}

#[test]
fn a_fetch_without_outcome_is_given_up_after_its_timeout() {
    let mut keyring = keyring(REFRESH);
    due(&mut keyring, at(0)).unwrap();
    assert_eq!(state(&keyring, at(5)), "pending");
    assert_eq!(state(&keyring, at(6)), "unavailable");
    let given_up = Due { is_lost: true, is_settled: true, ..Due::default() };
    assert_eq!(keyring.due(at(6), &mut Alone), given_up, "who waits is to be refused");
    assert!(due(&mut keyring, at(7)).is_some());
    assert_eq!(fetched(&mut keyring, document(1), at(8)), Ok(Refreshed::Changed));
}

#[test]
fn unknown_kids_cause_one_fetch_a_minute() {
    let mut keyring = ready();
    assert!(!keyring.request_key(Some("a"), at(59)));
    assert_eq!(due(&mut keyring, at(59)), None);
    assert!(keyring.request_key(Some("b"), at(60)));
    assert!(keyring.request_key(Some("c"), at(60)), "it is due");
    assert!(due(&mut keyring, at(60)).is_some());
    assert!(keyring.request_key(None, at(61)), "it is on its way");
    assert_eq!(due(&mut keyring, at(61)), None);
    fetched(&mut keyring, document(1), at(62)).unwrap();
    for second in 62..120 {
        assert!(!keyring.request_key(Some(&format!("k{second}")), at(second)), "{second}");
        assert_eq!(due(&mut keyring, at(second)), None);
    }
    assert!(keyring.request_key(Some("b"), at(120)));
}

#[test]
fn a_kid_that_was_looked_up_in_vain_neither_waits_nor_fetches_until_the_keys_change() {
    let mut keyring = ready();
    assert!(keyring.request_key(Some("a"), at(100)));
    due(&mut keyring, at(100)).unwrap();
    fetched(&mut keyring, document(1), at(101)).unwrap();
    assert!(!keyring.request_key(Some("a"), at(101)), "asked again after the fetch");
    assert!(!keyring.request_key(Some("a"), at(160)), "another fetch would be allowed");
    assert!(keyring.request_key(Some("b"), at(160)), "for another key");
    due(&mut keyring, at(160)).unwrap();
    assert!(!keyring.request_key(Some("a"), at(160)), "a fetch is under way, but not for it");
    fetched(&mut keyring, document(2), at(161)).unwrap();
    assert!(!keyring.request_key(Some("a"), at(162)));
    assert!(!keyring.request_key(Some("a"), at(220)), "the last no is a minute old at most");
    assert!(keyring.request_key(Some("a"), at(222)));
}

#[test]
fn a_flood_of_unknown_kids_is_bounded() {
    let mut keyring = ready();
    let (mut fetches, mut waiting) = (0, 0);
    for number in 0..10_000_u64 {
        let now = at(60).saturating_add(Duration::from_millis(number * 6));
        waiting += u32::from(keyring.request_key(Some(&format!("k{number}")), now));
        fetches += u32::from(due(&mut keyring, now).is_some());
    }
    assert_eq!((fetches, waiting), (5, 5 * 64), "in a minute in which no answer comes, so that it is tried again");
    assert!(!keyring.request_key(Some(&"k".repeat(257)), at(600)), "no key has an id that long");
    assert_eq!(state(&keyring, at(120)), "ready");
}

#[test]
fn the_age_that_a_server_gives_its_answer_counts_within_bounds() {
    for (max_age, next) in [(None, 300), (Some(120), 120), (Some(0), 30), (Some(29), 30), (Some(299), 299), (Some(86_400), 300)] {
        let mut keyring = keyring(REFRESH);
        due(&mut keyring, at(0)).unwrap();
        let FetchOutcome::Answered { body, .. } = document(1) else { panic!("an answer") };
        let max_age = max_age.map(Duration::from_secs);
        fetched(&mut keyring, FetchOutcome::Answered { status: 200, max_age, retry_after: None, body }, at(0)).unwrap();
        assert_eq!(due(&mut keyring, at(next - 1)), None, "{max_age:?}");
        assert!(due(&mut keyring, at(next)).is_some(), "{max_age:?}");
    }
}

#[test]
fn proxies_that_fetched_at_once_do_not_fetch_again_at_once() {
    let after = |microseconds: u64| {
        let mut keyring = keyring(REFRESH);
        let now = at(0).saturating_add(Duration::from_micros(microseconds));
        due(&mut keyring, now).unwrap();
        fetched(&mut keyring, document(1), now).unwrap();
        (270..=300).find(|second| due(&mut keyring, at(*second)).is_some())
    };
    assert_eq!([after(0), after(500), after(999)], [Some(300), Some(286), Some(271)]);
}

mod discovery {
    use super::*;

    fn keyring() -> Keyring {
        let document = Location::parse("https://id.example/.well-known/openid-configuration", Some("id")).unwrap();
        let discovery = Discovery { issuer: "https://id.example".to_owned(), document, hosts: Vec::new() };
        keyring_of(Source::Discovery(discovery), REFRESH)
    }

    fn provider(path: &str) -> FetchOutcome {
        answer(json!({"issuer": "https://id.example", "jwks_uri": format!("https://id.example{path}")}).to_string())
    }

    fn path(keyring: &mut Keyring, now: UnixTime) -> Option<String> {
        due(keyring, now).map(|fetch| fetch.path.to_string())
    }

    const DOCUMENT: &str = "/.well-known/openid-configuration";

    /// A keyring that fetched both documents at time 0.
    fn ready() -> Keyring {
        let mut keyring = keyring();
        assert_eq!(path(&mut keyring, at(0)).as_deref(), Some(DOCUMENT));
        assert_eq!(fetched(&mut keyring, provider("/a"), at(0)), Ok(Refreshed::Located));
        assert_eq!(state(&keyring, at(0)), "pending");
        assert_eq!(path(&mut keyring, at(0)).as_deref(), Some("/a"));
        assert_eq!(fetched(&mut keyring, document(1), at(0)), Ok(Refreshed::Changed));
        keyring
    }

    #[test]
    fn fetches_the_place_of_the_keys_then_the_keys() {
        assert_eq!(state(&ready(), at(0)), "ready");
    }

    #[test]
    fn the_document_may_be_as_long_as_the_limit_says() {
        for (bytes, expected) in [(MAX_FETCHED_BYTES, Ok(Refreshed::Located)), (MAX_FETCHED_BYTES + 1, Err(FetchError::TooLarge))]
        {
            let mut keyring = keyring();
            due(&mut keyring, at(0)).unwrap();
            assert_eq!(fetched(&mut keyring, padded(provider("/a"), bytes), at(0)), expected, "{bytes}");
        }
    }

    #[test]
    fn follows_the_keys_when_they_move() {
        let mut keyring = ready();
        assert_eq!(path(&mut keyring, at(300)).as_deref(), Some(DOCUMENT));
        fetched(&mut keyring, provider("/b"), at(300)).unwrap();
        assert_eq!(path(&mut keyring, at(300)).as_deref(), Some("/b"));
        assert_eq!(fetched(&mut keyring, document(2), at(300)), Ok(Refreshed::Changed));
    }

    #[test]
    fn looks_for_the_keys_again_when_they_are_gone() {
        let mut keyring = ready();
        assert!(keyring.request_key(Some("k"), at(100)));
        assert_eq!(path(&mut keyring, at(100)).as_deref(), Some("/a"), "the place is known");
        assert_eq!(fetched(&mut keyring, failure(), at(100)), Err(FetchError::Status(503)));
        assert_eq!(path(&mut keyring, at(101)).as_deref(), Some(DOCUMENT));
    }

    #[test]
    fn keys_are_refreshed_while_only_the_document_is_not_to_be_had() {
        let mut keyring = ready();
        assert_eq!(path(&mut keyring, at(300)).as_deref(), Some(DOCUMENT));
        assert_eq!(fetched(&mut keyring, failure(), at(300)), Err(FetchError::Status(503)));
        assert_eq!(path(&mut keyring, at(300)).as_deref(), Some("/a"));
        assert_eq!(fetched(&mut keyring, document(2), at(300)), Ok(Refreshed::Changed));
    }

    #[test]
    fn a_document_that_is_not_the_issuers_brings_no_keys() {
        for body in ["<html>", r#"{"issuer":"https://evil.example","jwks_uri":"https://id.example/k"}"#] {
            let mut keyring = keyring();
            due(&mut keyring, at(0)).unwrap();
            assert!(fetched(&mut keyring, answer(body), at(0)).is_err(), "{body}");
            assert_eq!(state(&keyring, at(0)), "unavailable");
            let mut keyring = ready();
            due(&mut keyring, at(300)).unwrap();
            assert!(fetched(&mut keyring, answer(body), at(300)).is_err(), "{body}");
            assert_eq!(due(&mut keyring, at(300)), None, "the old place is not asked in its stead");
            assert_eq!(state(&keyring, at(300)), "ready");
        }
    }
}

#[test]
fn keys_for_algorithms_that_are_not_allowed_are_no_keys() {
    let location = Location::parse("https://issuer.example/jwks", None).unwrap();
    let refresh = Refresh { interval: REFRESH, timeout: Duration::from_secs(5) };
    let mut keyring = Keyring::fetched(Source::KeySet(location), FetchId(0), refresh, [Algorithm::Rs256].into_iter().collect());
    due(&mut keyring, at(0)).unwrap();
    assert_eq!(fetched(&mut keyring, document(1), at(0)), Err(FetchError::Algorithms));
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_fetches() {
    let mut keyring = ready();
    let before = UnixTime::from_secs(1000);
    assert!(due(&mut keyring, before).is_some());
    let mut waiting = ready();
    due(&mut waiting, at(300)).unwrap();
    assert_eq!(due(&mut waiting, before), None);
    assert_eq!(due(&mut waiting, before.saturating_add(Duration::from_secs(6))), None);
    assert!(due(&mut waiting, before.saturating_add(Duration::from_secs(7))).is_some());
}

#[test]
fn keys_that_could_not_be_fetched_again_are_stale_until_they_are_too_old() {
    let mut keyring = ready();
    let age = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(keyring.health(at(299)), (KeyState::Fresh, age(299)));
    // Nobody was there to fetch.
    assert_eq!(keyring.health(at(366)), (KeyState::Stale, age(366)));
    due(&mut keyring, at(366)).unwrap();
    fetched(&mut keyring, failure(), at(366)).unwrap_err();
    assert_eq!(keyring.health(at(367)), (KeyState::Stale, age(367)));
    assert_eq!(keyring.health(at(86_400)), (KeyState::Stale, age(86_400)));
    assert_eq!(keyring.health(at(86_401)), (KeyState::None, None));
    due(&mut keyring, at(86_402)).unwrap();
    fetched(&mut keyring, document(1), at(86_402)).unwrap();
    assert_eq!(keyring.health(at(86_403)), (KeyState::Fresh, age(1)));
    assert_eq!(super::Keyring::missing().health(at(0)), (KeyState::None, None));
}

#[test]
fn a_refresh_that_fails_makes_keys_stale_at_once_and_none_of_a_keyring_that_never_had_any() {
    let mut keyring = keyring(REFRESH);
    assert_eq!(keyring.health(at(0)), (KeyState::None, None));
    due(&mut keyring, at(0)).unwrap();
    fetched(&mut keyring, failure(), at(0)).unwrap_err();
    assert_eq!(keyring.health(at(1)), (KeyState::None, None));
    let mut keyring = ready();
    due(&mut keyring, at(300)).unwrap();
    assert_eq!(keyring.health(at(300)).0, KeyState::Fresh);
    fetched(&mut keyring, failure(), at(300)).unwrap_err();
    assert_eq!(keyring.health(at(300)).0, KeyState::Stale);
}
