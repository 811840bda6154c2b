//! The keys of one issuer over time: fixed ones, or ones that are fetched and refreshed.
//!
//! The protocol, for keys that are fetched. Whoever runs it calls [`due`](Keyring::due) now and then, carries the fetch out and
//! hands the outcome to [`on_fetched`](Keyring::on_fetched). A request asks [`keys`](Keyring::keys): `Ready` → verify; `Pending`
//! → wait for the fetch; `Unavailable` → refuse. When verification says that the key is unknown, a request asks
//! [`request_key`](Keyring::request_key) once, and waits if that makes sense.
//!
//! - The first fetch is due at once, the next one `refresh` after a success, or sooner when the answer's `max-age` says so.
//! - After a failure the next fetch is due in 1, 2, 4… seconds, at most in `refresh` or one minute. The keys of the last success
//!   stay in use until they are 24 hours old, then they go. A document that cannot be used is a failure like any other: there is no default key.
//! - One worker fetches, the others take what it brought from shared data.
//! - Unknown `kid`s cause one fetch a minute, however many requests bring them.
//! - A fetch whose outcome never comes counts as lost one second after its timeout.

mod freshness;
mod location;
mod schedule;
mod sharing;
mod source;
mod unknown_keys;

use std::time::Duration;

pub use freshness::max_age;
pub use location::{Host, Location, LocationError};
pub use schedule::Refresh;
pub(crate) use schedule::chance;
pub use source::{Discovery, DiscoveryError, KeyHost, Source};

use schedule::{News, Schedule};

use crate::health::KeyState;
use crate::jose::{AlgorithmSet, KeySet, KeySetError};
use crate::stage::{Fetch, FetchId, FetchOutcome, SharedData};
use crate::time::UnixTime;

/// What a keyring can say about its keys.
#[derive(Debug)]
pub enum Keys<'a> {
    /// These are the keys.
    Ready(&'a KeySet),
    /// A fetch is on its way, or due.
    Pending,
    /// There are no keys, and the next fetch has to wait.
    Unavailable,
}

/// What is due of one keyring.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The fetch to send. It is in flight from here until its outcome comes.
    pub fetch: Option<Fetch>,
    /// Whether keys, or a failure, came by another way than the outcome of a fetch.
    pub is_settled: bool,
    /// Whether a fetch was given up because its outcome never came.
    pub is_lost: bool,
    /// Whether the keys became too old and went.
    pub has_expired: bool,
}

/// What a fetch brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// Other keys than before: what was verified with the old ones is to be forgotten.
    Changed,
    /// The same document as before.
    Unchanged,
    /// The place of the keys; their own fetch is due now.
    Located,
}

/// Why a fetch brought no keys. The text is for the operator's log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The proxy did not send the request.
    #[error("the proxy did not send the request; does the cluster exist?")]
    NotSent,
    /// No answer came.
    #[error("no answer came")]
    Lost,
    /// The answer was not a document.
    #[error("the answer has status {0}")]
    Status(u16),
    /// The answer is longer than 1 MiB.
    #[error("the answer is longer than 1 MiB")]
    TooLarge,
    /// The document is no key set that can be used.
    #[error(transparent)]
    Keys(#[from] KeySetError),
    /// None of the keys is of use.
    #[error("none of the keys is for an algorithm that is allowed")]
    Algorithms,
    /// The document does not say where the keys are.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
}

/// How the fetches of a keyring have gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// How many keys there are.
    pub keys: usize,
    /// When the last success was.
    pub succeeded: Option<UnixTime>,
    /// How many fetches have failed since.
    pub failures: u32,
}

/// The keys of one issuer.
#[derive(Debug)]
pub struct Keyring {
    keys: Option<KeySet>,
    generation: u64,
    /// Whether keys of another worker came of which [`due`](Self::due) has not told yet.
    has_caught_up: bool,
    schedule: Option<Box<Schedule>>,
}

impl Keyring {
    /// Keys that never change.
    #[must_use]
    pub const fn fixed(keys: KeySet) -> Self {
        Self { keys: Some(keys), generation: 0, has_caught_up: false, schedule: None }
    }

    /// No keys at all: they cannot be known where the configuration is checked.
    #[must_use]
    pub const fn missing() -> Self {
        Self { keys: None, generation: 0, has_caught_up: false, schedule: None }
    }

    /// The algorithms that the keys serve, once there are keys.
    #[must_use]
    pub fn known_algorithms(&self) -> Option<AlgorithmSet> {
        self.keys.as_ref().map(KeySet::algorithms)
    }

    /// Keys that are fetched, by fetches with this number. Of use are those that serve one of the algorithms.
    #[must_use]
    pub fn fetched(source: Source, id: FetchId, refresh: Refresh, allowed: AlgorithmSet) -> Self {
        Self {
            keys: None,
            generation: 0,
            has_caught_up: false,
            schedule: Some(Box::new(Schedule::new(source, id, refresh, allowed))),
        }
    }

    /// The number of the fetch that brings the keys; `None` for fixed keys.
    #[must_use]
    pub fn fetch_id(&self) -> Option<FetchId> {
        self.schedule.as_ref().map(|schedule| schedule.id)
    }

    /// A number that grows whenever the keys change or go.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// How the fetches have gone; `None` for fixed keys.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        let schedule = self.schedule.as_ref()?;
        Some(State { keys: self.size(), succeeded: schedule.succeeded, failures: schedule.failures })
    }

    /// How many keys there are.
    #[must_use]
    pub fn size(&self) -> usize {
        self.keys.as_ref().map_or(0, |keys| keys.keys().len())
    }

    /// What there is of the keys, and for how long it has been here.
    #[must_use]
    pub fn health(&self, now: UnixTime) -> (KeyState, Option<Duration>) {
        let Keys::Ready(_) = self.keys(now) else { return (KeyState::None, None) };
        let Some(schedule) = &self.schedule else { return (KeyState::Fresh, None) };
        let state = if schedule.is_overdue(now) { KeyState::Stale } else { KeyState::Fresh };
        (state, schedule.succeeded.map(|at| now.since(at)))
    }

    /// The keys at this time.
    #[must_use]
    pub fn keys(&self, now: UnixTime) -> Keys<'_> {
        let Some(schedule) = &self.schedule else {
            return self.keys.as_ref().map_or(Keys::Unavailable, Keys::Ready);
        };
        match &self.keys {
            Some(keys) if schedule.is_believed(now) => Keys::Ready(keys),
            _ if schedule.brings_keys(now) => Keys::Pending,
            _ => Keys::Unavailable,
        }
    }

    /// Take what another worker has fetched. It begins no fetch.
    pub fn catch_up(&mut self, now: UnixTime, shared: &mut dyn SharedData) {
        let Some(news) = self.schedule.as_mut().and_then(|schedule| schedule.news(now, shared)) else { return };
        self.has_caught_up = true;
        if let News::Keys(keys) = news {
            self.keys = Some(keys);
            self.generation = self.generation.wrapping_add(1);
        }
    }

    /// What is due. It looks at what other workers have fetched, too.
    pub fn due(&mut self, now: UnixTime, shared: &mut dyn SharedData) -> Due {
        let Some(schedule) = &mut self.schedule else { return Due::default() };
        let is_lost = schedule.settle(now, shared);
        self.catch_up(now, shared);
        let has_caught_up = std::mem::take(&mut self.has_caught_up);
        let mut due = Due { is_lost, is_settled: is_lost || has_caught_up, ..Due::default() };
        let Some(schedule) = &mut self.schedule else { return due };
        if self.keys.is_some() && !schedule.is_believed(now) {
            schedule.succeeded = None;
            self.keys = None;
            self.generation = self.generation.wrapping_add(1);
            due.has_expired = true;
        }
        let was_pending = schedule.brings_keys(now);
        due.fetch = schedule.next(now, shared);
        due.is_settled |= was_pending && !schedule.brings_keys(now);
        due
    }

    /// Take the outcome of the fetch.
    ///
    /// # Errors
    /// [`FetchError`], when it brought no keys. Those that are there stay.
    pub fn on_fetched(
        &mut self,
        outcome: FetchOutcome,
        now: UnixTime,
        shared: &mut dyn SharedData,
    ) -> Result<Refreshed, FetchError> {
        let Some(schedule) = &mut self.schedule else { return Ok(Refreshed::Unchanged) };
        match schedule.on_fetched(outcome, now, shared)? {
            None => Ok(Refreshed::Located),
            Some(News::Same) => Ok(Refreshed::Unchanged),
            Some(News::Keys(keys)) => {
                self.keys = Some(keys);
                self.generation = self.generation.wrapping_add(1);
                Ok(Refreshed::Changed)
            }
        }
    }

    /// A token names a key that is not here, or none where it should: make a fetch due, unless one began less than a minute ago
    /// or the same key was just looked up in vain. Returns whether a fetch that may bring the key is on its way or due, so that
    /// waiting makes sense.
    pub fn request_key(&mut self, id: Option<&str>, now: UnixTime) -> bool {
        self.schedule.as_mut().is_some_and(|schedule| schedule.request_key(id.unwrap_or_default(), now))
    }
}

/// `jwksUri` and its like are fetched this often when nothing else is said.
pub const DEFAULT_REFRESH: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests;
