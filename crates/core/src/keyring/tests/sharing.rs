//! Workers that share data: one fetches for all.

use std::collections::BTreeMap;

use super::*;
use crate::stage::{NotShared, Over, Written};

/// The shared data of a proxy, as Envoy keeps it.
#[derive(Default, Clone)]
struct Shared {
    values: BTreeMap<String, (Vec<u8>, u32)>,
    writes: u32,
    /// How often a record was read.
    reads: u32,
    /// What it does instead.
    fault: Option<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Missing,
    ReadOnly,
    Forgetful,
    AlwaysOutdated,
    Garbage,
    Empty,
    FarFuture,
}

impl SharedData for Shared {
    fn read(&mut self, key: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared> {
        self.reads = self.reads.saturating_add(u32::from(key.contains("record")));
        match self.fault {
            Some(Fault::Missing) => Err(NotShared),
            Some(Fault::Garbage) => Ok(Some((vec![0xff; 37], u32::MAX))),
            Some(Fault::Empty) => Ok(Some((Vec::new(), 0))),
            Some(Fault::FarFuture) => {
                let turn = json!({"fetched": u64::MAX, "taken_until": u64::MAX, "failed_until": u64::MAX, "failures": u32::MAX});
                Ok(Some((turn.to_string().into_bytes(), 1)))
            }
            _ => Ok(self.values.get(key).cloned()),
        }
    }

    fn write(&mut self, key: &str, value: &[u8], over: Over) -> Result<Written, NotShared> {
        match self.fault {
            Some(Fault::Missing | Fault::ReadOnly) => return Err(NotShared),
            Some(Fault::Forgetful) => return Ok(Written::Done),
            Some(Fault::AlwaysOutdated | Fault::Garbage | Fault::Empty | Fault::FarFuture) => return Ok(Written::Outdated),
            None => {}
        }
        let version = self.values.get(key).map_or(0, |(_, version)| *version);
        if matches!(over, Over::Version(read) if read != version) || (over == Over::Nothing && version != 0) {
            return Ok(Written::Outdated);
        }
        self.writes = self.writes.saturating_add(1);
        self.values.insert(key.to_owned(), (value.to_vec(), self.writes));
        Ok(Written::Done)
    }
}

fn workers() -> [Keyring; 3] {
    [keyring(REFRESH), keyring(REFRESH), keyring(REFRESH)]
}

fn milliseconds(milliseconds: u64) -> UnixTime {
    at(0).saturating_add(Duration::from_millis(milliseconds))
}

/// How many of the workers want to fetch.
fn fetches(workers: &mut [Keyring], shared: &mut Shared, now: UnixTime) -> Vec<usize> {
    let is_due = |(index, worker): (usize, &mut Keyring)| worker.due(now, shared).fetch.map(|_| index);
    workers.iter_mut().enumerate().filter_map(is_due).collect()
}

#[test]
fn one_worker_fetches_and_the_others_take_what_it_brought() {
    let (mut shared, mut workers) = (Shared::default(), workers());
    assert_eq!(fetches(&mut workers, &mut shared, at(0)), [0]);
    assert_eq!(workers.each_ref().map(|worker| state(worker, at(0))), ["pending"; 3]);
    assert_eq!(workers[0].on_fetched(document(1), milliseconds(30), &mut shared), Ok(Refreshed::Changed));
    let due = workers[1].due(milliseconds(40), &mut shared);
    assert_eq!(due, Due { is_settled: true, ..Due::default() }, "who waits is to be told");
    assert_eq!(fetches(&mut workers, &mut shared, milliseconds(40)), Vec::<usize>::new());
    assert_eq!(workers.each_ref().map(|worker| state(worker, milliseconds(40))), ["ready"; 3]);
    assert_eq!(workers[2].due(milliseconds(50), &mut shared), Due::default());

    assert_eq!(fetches(&mut workers, &mut shared, at(299)), Vec::<usize>::new());
    assert_eq!(fetches(&mut workers, &mut shared, at(301)), [0], "the next time one again");
    assert_eq!(workers[0].on_fetched(document(2), at(302), &mut shared), Ok(Refreshed::Changed));
    let generation = workers[1].generation();
    assert!(workers[1].due(at(302), &mut shared).is_settled, "a rotation is known to all with the next tick");
    assert_ne!(workers[1].generation(), generation);
}

#[test]
fn a_failure_is_one_of_all_workers() {
    let (mut shared, mut workers) = (Shared::default(), workers());
    assert_eq!(fetches(&mut workers, &mut shared, at(0)), [0]);
    workers[0].on_fetched(failure(), at(0), &mut shared).unwrap_err();
    let due = workers[1].due(milliseconds(10), &mut shared);
    assert!(due.is_settled && due.fetch.is_none(), "who waits is to be refused");
    assert_eq!(state(&workers[1], milliseconds(10)), "unavailable");
    assert_eq!(fetches(&mut workers, &mut shared, milliseconds(999)), Vec::<usize>::new());
    assert_eq!(fetches(&mut workers, &mut shared, at(1)), [0]);
    workers[0].on_fetched(failure(), at(1), &mut shared).unwrap_err();
    assert_eq!(fetches(&mut workers, &mut shared, milliseconds(2_999)), Vec::<usize>::new(), "the pause is twice as long");
    assert_eq!(fetches(&mut workers, &mut shared, at(3)), [0]);
    assert_eq!(workers[1].state().unwrap().failures, 2);
    workers[0].on_fetched(document(1), at(3), &mut shared).unwrap();
    assert!(workers[1].due(at(3), &mut shared).is_settled);
    assert_eq!(workers[1].state().unwrap(), State { keys: 1, succeeded: Some(at(3)), failures: 0 });
}

#[test]
fn another_worker_takes_over_when_the_one_at_it_is_silent() {
    let (mut shared, mut workers) = (Shared::default(), workers());
    assert_eq!(fetches(&mut workers, &mut shared, at(0)), [0]);
    assert_eq!(fetches(&mut workers[1..], &mut shared, milliseconds(1_999)), Vec::<usize>::new());
    assert_eq!(fetches(&mut workers[1..], &mut shared, at(2)), [0], "one more, not all");
    assert_eq!(workers[0].on_fetched(document(1), milliseconds(2_500), &mut shared), Ok(Refreshed::Changed), "late is not lost");
    assert!(workers[1].due(milliseconds(2_600), &mut shared).is_settled, "not even for the one that asks itself");
    assert_eq!(state(&workers[1], milliseconds(2_600)), "ready");
}

#[test]
fn a_new_worker_begins_with_what_is_there() {
    let (mut shared, mut workers) = (Shared::default(), workers());
    fetches(&mut workers, &mut shared, at(0));
    workers[0].on_fetched(document(1), at(0), &mut shared).unwrap();
    let mut new = keyring(REFRESH);
    assert!(new.due(at(100), &mut shared).is_settled);
    assert_eq!(state(&new, at(100)), "ready");
    assert_eq!(new.due(at(299), &mut shared).fetch, None);
    assert!(new.due(at(300), &mut shared).fetch.is_some());
}

#[test]
fn who_only_catches_up_takes_what_is_there_and_begins_no_fetch() {
    let (mut shared, mut workers) = (Shared::default(), workers());
    let health = |worker: &Keyring, now| worker.health(now).0;
    workers[1].catch_up(at(0), &mut shared);
    assert_eq!((health(&workers[1], at(0)), shared.writes), (KeyState::None, 0), "nobody has fetched anything");
    assert_eq!(fetches(&mut workers[..1], &mut shared, at(0)), [0]);
    workers[0].on_fetched(document(1), at(0), &mut shared).unwrap();
    let writes = shared.writes;
    let generation = workers[1].generation();
    workers[1].catch_up(at(1), &mut shared);
    assert_eq!((health(&workers[1], at(1)), shared.writes), (KeyState::Fresh, writes));
    assert_ne!(workers[1].generation(), generation);
    assert_eq!(workers[1].due(at(1), &mut shared), Due { is_settled: true, ..Due::default() }, "who waits is told all the same");
    assert_eq!(workers[1].due(at(1), &mut shared), Due::default(), "once");
    workers[2].catch_up(at(400), &mut shared);
    assert_eq!((health(&workers[2], at(400)), shared.writes), (KeyState::Stale, writes), "no turn is taken, overdue as it is");
}

#[test]
fn unknown_kids_cause_one_fetch_a_minute_of_all_workers() {
    let (mut shared, mut workers) = (Shared::default(), workers());
    fetches(&mut workers, &mut shared, at(0));
    workers[0].on_fetched(document(1), at(0), &mut shared).unwrap();
    fetches(&mut workers, &mut shared, at(1));
    let mut fetched = 0;
    for number in 0..3_000_u64 {
        let now = milliseconds(60_000 + number * 19);
        let worker = usize::try_from(number % 3).unwrap();
        workers[worker].request_key(Some(&format!("k{number}")), now);
        for index in fetches(&mut workers, &mut shared, now) {
            fetched += 1;
            workers[index].on_fetched(document(1), now, &mut shared).unwrap();
        }
    }
    assert_eq!(fetched, 1);
}

#[test]
fn sources_do_not_share_with_one_another() {
    let place = |uri: &str, cluster: &str| Source::KeySet(Location::parse(uri, Some(cluster)).unwrap());
    let mut shared = Shared::default();
    let mut first = keyring(REFRESH);
    first.due(at(0), &mut shared).fetch.unwrap();
    first.on_fetched(document(1), at(0), &mut shared).unwrap();
    for source in [
        place("https://issuer.example/jwks", "other"),
        place("https://issuer.example/jwks2", "issuer"),
        place("http://issuer.example/jwks", "issuer"),
        place("https://issuer.example:8443/jwks", "issuer"),
    ] {
        let mut other = keyring_of(source.clone(), REFRESH);
        assert!(other.due(at(0), &mut shared).fetch.is_some(), "{source:?}");
        assert_eq!(state(&other, at(0)), "pending", "{source:?}");
    }
}

#[test]
fn what_is_shared_is_checked_like_what_is_fetched() {
    let mut shared = Shared::default();
    let mut honest = keyring(REFRESH);
    honest.due(at(0), &mut shared);
    honest.on_fetched(document(1), at(0), &mut shared).unwrap();
    let record = shared.values.keys().find(|key| key.contains("record")).unwrap().clone();
    let time = |seconds: u64| (1_000_000 + seconds) * 1_000_000_000;
    let FetchOutcome::Answered { body: good, .. } = document(2) else { panic!("an answer") };
    let good = String::from_utf8(good).unwrap();
    for (name, forged) in [
        ("no keys", json!({"fetched": time(0), "fresh_until": time(300), "discovery": null, "keys": "{\"keys\":[]}"})),
        ("HTML", json!({"fetched": time(0), "fresh_until": time(300), "discovery": null, "keys": "<html>"})),
        ("from the future", json!({"fetched": time(3600), "fresh_until": time(4000), "discovery": null, "keys": good})),
        ("no record", json!([])),
        ("a part of one", json!({"fetched": time(0)})),
    ] {
        let mut shared = shared.clone();
        shared.values.get_mut(&record).unwrap().0 = forged.to_string().into_bytes();
        let mut worker = keyring(REFRESH);
        assert!(worker.due(at(1), &mut shared).fetch.is_some(), "{name}: it fetches for itself");
        assert_eq!(state(&worker, at(1)), "pending", "{name}");
        let reads = shared.reads;
        worker.due(at(1), &mut shared);
        assert_eq!(shared.reads, reads, "{name}: it is not looked at again");
    }
}

#[test]
fn a_record_that_is_no_newer_than_what_is_known_changes_nothing() {
    let (mut shared, mut workers) = (Shared::default(), workers());
    fetches(&mut workers, &mut shared, at(0));
    workers[0].on_fetched(document(1), at(0), &mut shared).unwrap();
    let other = shared.clone();
    assert!(workers[1].due(at(1), &mut shared).is_settled);
    let generation = workers[1].generation();

    let mut forged = Shared::default();
    let mut forger = keyring(REFRESH);
    forger.due(at(0), &mut forged);
    forger.on_fetched(document(2), at(0), &mut forged).unwrap();
    for (key, (value, _)) in &mut forged.values {
        if !key.contains("record") {
            let turn = other.values[key].0.clone();
            let mut turn: serde_json::Value = serde_json::from_slice(&turn).unwrap();
            turn["fetched"] = (turn["fetched"].as_u64().unwrap() + 1).into();
            *value = turn.to_string().into_bytes();
        }
    }
    assert_eq!(workers[1].due(at(1), &mut forged), Due::default());
    assert_eq!(workers[1].generation(), generation);
}

#[test]
fn without_shared_data_every_worker_fetches_for_itself() {
    for fault in
        [Fault::Missing, Fault::ReadOnly, Fault::Forgetful, Fault::AlwaysOutdated, Fault::Garbage, Fault::Empty, Fault::FarFuture]
    {
        let (mut shared, mut workers) = (Shared { fault: Some(fault), ..Shared::default() }, workers());
        assert_eq!(fetches(&mut workers, &mut shared, at(0)), [0, 1, 2], "{fault:?}");
        for worker in &mut workers {
            assert_eq!(worker.on_fetched(document(1), at(0), &mut shared), Ok(Refreshed::Changed), "{fault:?}");
            assert_eq!(state(worker, at(0)), "ready", "{fault:?}");
            assert_eq!(worker.due(at(299), &mut shared).fetch, None, "{fault:?}");
            assert!(worker.due(at(300), &mut shared).fetch.is_some(), "{fault:?}");
        }
    }
}
