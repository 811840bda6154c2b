//! The keys of one issuer over time: fixed ones, or ones that are fetched and refreshed.
//!
//! The protocol, for keys that are fetched. Whoever runs it calls [`due`](Keyring::due) now and then, carries the fetch out and
//! hands the outcome to [`on_fetched`](Keyring::on_fetched). A request asks [`keys`](Keyring::keys): `Ready` → verify; `Pending`
//! → wait for the fetch; `Unavailable` → refuse. When verification says that the key is unknown, a request asks
//! [`request_refresh`](Keyring::request_refresh) once, and waits if that makes sense.
//!
//! - The first fetch is due at once, the next one `refresh` after a success.
//! - After a failure the next fetch is due in 1, 2, 4… seconds, at most in `refresh` or one minute. The keys of the last success
//!   stay in use until they are 24 hours old, then they go. A document that cannot be used is a failure like any other: there is no default key.
//! - Unknown `kid`s cause one fetch a minute, however many requests bring them.
//! - A fetch whose outcome never comes counts as lost one second after its timeout.

use std::time::Duration;

use crate::jose::{AlgorithmSet, KeySet, KeySetError};
use crate::stage::{Fetch, FetchId, FetchOutcome, MAX_FETCHED_BYTES};
use crate::time::UnixTime;

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// After this time without a success, keys are no longer believed.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Keys must be fetched again before they are too old.
const LONGEST_REFRESH: Duration = Duration::from_secs(12 * 60 * 60);
/// The least time between the beginnings of two fetches when the second is asked for by requests.
const REQUESTED_REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// How long after its timeout a fetch is waited for.
const GRACE: Duration = Duration::from_secs(1);

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

/// What a successful fetch brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// Other keys than before: what was verified with the old ones is to be forgotten.
    Changed,
    /// The same document as before.
    Unchanged,
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
    /// The document is no key set that can be used.
    #[error(transparent)]
    Keys(#[from] KeySetError),
}

/// The keys of one issuer.
#[derive(Debug)]
pub struct Keyring {
    keys: Option<KeySet>,
    generation: u64,
    schedule: Option<Schedule>,
}

/// When keys are fetched.
#[derive(Debug)]
struct Schedule {
    fetch: Fetch,
    refresh: Duration,
    progress: Progress,
    /// When the last fetch began.
    began: Option<UnixTime>,
    /// How many fetches have failed since the last success.
    failures: u32,
    /// When the last success was.
    succeeded: Option<UnixTime>,
    /// The document of the last success.
    document: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Progress {
    InFlight { since: UnixTime },
    Due { at: UnixTime },
}

impl Keyring {
    /// Keys that never change.
    #[must_use]
    pub const fn fixed(keys: KeySet) -> Self {
        Self { keys: Some(keys), generation: 0, schedule: None }
    }

    /// No keys at all: they cannot be known where the configuration is checked.
    #[must_use]
    pub const fn missing() -> Self {
        Self { keys: None, generation: 0, schedule: None }
    }

    /// The algorithms that the keys serve, once there are keys.
    #[must_use]
    pub fn known_algorithms(&self) -> Option<AlgorithmSet> {
        self.keys.as_ref().map(KeySet::algorithms)
    }

    /// Keys that `fetch` brings, again every `refresh` (at most 12 hours).
    #[must_use]
    pub fn fetched(fetch: Fetch, refresh: Duration) -> Self {
        let schedule = Schedule {
            fetch,
            refresh: refresh.clamp(FIRST_RETRY, LONGEST_REFRESH),
            progress: Progress::Due { at: UnixTime::from_secs(0) },
            began: None,
            failures: 0,
            succeeded: None,
            document: Vec::new(),
        };
        Self { keys: None, generation: 0, schedule: Some(schedule) }
    }

    /// The number of the fetch that brings the keys; `None` for fixed keys.
    #[must_use]
    pub fn fetch_id(&self) -> Option<FetchId> {
        self.schedule.as_ref().map(|schedule| schedule.fetch.id)
    }

    /// A number that grows whenever the keys change or go.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
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

    /// The fetch that is due, if one is. It is in flight from here until its outcome comes.
    pub fn due(&mut self, now: UnixTime) -> Option<Fetch> {
        let schedule = self.schedule.as_mut()?;
        schedule.settle(now);
        if self.keys.is_some() && !schedule.is_believed(now) {
            schedule.succeeded = None;
            self.keys = None;
            self.generation = self.generation.wrapping_add(1);
        }
        match schedule.progress {
            Progress::Due { at } if at <= now => {
                schedule.progress = Progress::InFlight { since: now };
                schedule.began = Some(now);
                Some(schedule.fetch.clone())
            }
            _ => None,
        }
    }

    /// Take the outcome of the fetch.
    ///
    /// # Errors
    /// [`FetchError`], when it brought no keys. Those that are there stay.
    pub fn on_fetched(&mut self, outcome: FetchOutcome, now: UnixTime) -> Result<Refreshed, FetchError> {
        let Some(schedule) = &mut self.schedule else { return Ok(Refreshed::Unchanged) };
        match schedule.read(outcome) {
            Ok(new) => {
                schedule.failures = 0;
                schedule.succeeded = Some(now);
                schedule.progress = Progress::Due { at: now.saturating_add(schedule.refresh) };
                let Some((keys, document)) = new else { return Ok(Refreshed::Unchanged) };
                schedule.document = document;
                self.keys = Some(keys);
                self.generation = self.generation.wrapping_add(1);
                Ok(Refreshed::Changed)
            }
            Err(error) => {
                schedule.fail(now);
                Err(error)
            }
        }
    }

    /// A token names a key that is not here: make a fetch due, unless one began less than a minute ago. Returns whether a fetch
    /// that may bring the key is on its way or due, so that waiting makes sense.
    pub fn request_refresh(&mut self, now: UnixTime) -> bool {
        let Some(schedule) = &mut self.schedule else { return false };
        if schedule.brings_keys(now) {
            return true;
        }
        let may_begin = schedule.began.is_none_or(|began| now.since(began) >= REQUESTED_REFRESH_INTERVAL);
        if may_begin {
            schedule.progress = Progress::Due { at: now };
        }
        may_begin
    }
}

impl Schedule {
    /// Whether the keys of the last success are young enough.
    fn is_believed(&self, now: UnixTime) -> bool {
        self.succeeded.is_some_and(|at| now.since(at) <= MAX_AGE)
    }

    /// Whether a fetch is in flight or due.
    fn brings_keys(&self, now: UnixTime) -> bool {
        match self.progress {
            Progress::InFlight { since } => now < self.lost_at(since),
            Progress::Due { at } => at <= now,
        }
    }

    /// When a fetch that began at `since` is given up.
    const fn lost_at(&self, since: UnixTime) -> UnixTime {
        since.saturating_add(self.fetch.timeout).saturating_add(GRACE)
    }

    /// Give up a fetch whose outcome never came, and do not let a clock that was set back put the next one off.
    fn settle(&mut self, now: UnixTime) {
        match self.progress {
            Progress::InFlight { since } if now >= self.lost_at(since) => self.fail(self.lost_at(since)),
            Progress::InFlight { since } if since > now => self.progress = Progress::InFlight { since: now },
            Progress::Due { at } if at > now.saturating_add(self.refresh) => self.progress = Progress::Due { at: now },
            _ => {}
        }
    }

    fn fail(&mut self, at: UnixTime) {
        let doubled = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.progress = Progress::Due { at: at.saturating_add(doubled.min(LONGEST_RETRY).min(self.refresh)) };
    }

    /// The keys of an outcome with their document; `None` when the document is the one of the last success.
    fn read(&self, outcome: FetchOutcome) -> Result<Option<(KeySet, Vec<u8>)>, FetchError> {
        match outcome {
            FetchOutcome::Answered { status: 200, body } if body.len() > MAX_FETCHED_BYTES => Err(KeySetError::TooLarge.into()),
            FetchOutcome::Answered { status: 200, body } if self.succeeded.is_some() && body == self.document => Ok(None),
            FetchOutcome::Answered { status: 200, body } => Ok(Some((KeySet::from_jwks(&body)?, body))),
            FetchOutcome::Answered { status, .. } => Err(FetchError::Status(status)),
            FetchOutcome::Lost => Err(FetchError::Lost),
            FetchOutcome::NotSent => Err(FetchError::NotSent),
        }
    }
}

#[cfg(test)]
mod tests;
