//! The access token that the authorization server issues to the gateway, over time.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use super::token_response::{self, TokenError};
use crate::auth_header::Carrier;
use crate::keyring::chance;
use crate::stage::{Fetch, FetchOutcome};
use crate::time::UnixTime;

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// How long after its timeout a fetch is waited for.
const GRACE: Duration = Duration::from_secs(1);
/// The longest time to the next fetch that is believed.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// The token of one entry.
#[derive(Debug)]
pub(super) struct Client {
    label: Rc<str>,
    request: Fetch,
    carrier: Carrier,
    current: Option<Current>,
    progress: Progress,
    failures: u32,
}

/// A token, as it stands in the header.
struct Current {
    value: Rc<str>,
    from: UnixTime,
    until: UnixTime,
}

impl fmt::Debug for Current {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Current").field("from", &self.from).field("until", &self.until).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy)]
enum Progress {
    InFlight { since: UnixTime },
    Due { at: UnixTime },
}

/// What there is for a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Credential<'a> {
    /// The value of the header.
    Ready(&'a Rc<str>),
    /// A fetch is on its way, or due.
    Pending,
    /// There is none, and the next fetch has to wait.
    Unavailable,
}

impl Client {
    /// No token yet. They are had by this request, and stand in this header.
    pub fn new(label: Rc<str>, request: Fetch, carrier: Carrier) -> Self {
        Self { label, request, carrier, current: None, progress: Progress::Due { at: UnixTime::from_secs(0) }, failures: 0 }
    }

    /// The label in metrics and in the log.
    pub const fn label(&self) -> &Rc<str> {
        &self.label
    }

    /// How many fetches have failed since the last success.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// When the token ends.
    pub fn expiration(&self) -> Option<UnixTime> {
        self.current.as_ref().map(|current| current.until)
    }

    /// What there is at this time.
    pub fn credential(&self, now: UnixTime) -> Credential<'_> {
        // One from the future is not believed to hold: the clock was set back, and nobody knows by how much.
        match self.current.as_ref().filter(|current| current.from <= now && now < current.until) {
            Some(current) => Credential::Ready(&current.value),
            None if self.brings_one(now) => Credential::Pending,
            None => Credential::Unavailable,
        }
    }

    fn brings_one(&self, now: UnixTime) -> bool {
        match self.progress {
            Progress::InFlight { since } => now < self.lost_at(since),
            Progress::Due { at } => at <= now,
        }
    }

    const fn lost_at(&self, since: UnixTime) -> UnixTime {
        since.saturating_add(self.request.timeout).saturating_add(GRACE)
    }

    /// The fetch that is due, and whether one was given up because its outcome never came.
    pub fn due(&mut self, now: UnixTime) -> (Option<Fetch>, bool) {
        let is_lost = match self.progress {
            Progress::InFlight { since } => now >= self.lost_at(since),
            Progress::Due { .. } => false,
        };
        if is_lost {
            self.fail(now);
        }
        // A clock that was set back puts nothing off.
        match self.progress {
            Progress::InFlight { since } if since > now => self.progress = Progress::InFlight { since: now },
            Progress::Due { at } if at > now.saturating_add(LONGEST_PAUSE) => self.progress = Progress::Due { at: now },
            _ => {}
        }
        if self.current.as_ref().is_some_and(|current| current.from > now) {
            self.current = None;
            if matches!(self.progress, Progress::Due { .. }) {
                self.progress = Progress::Due { at: now };
            }
        }
        match self.progress {
            Progress::Due { at } if at <= now => {
                self.progress = Progress::InFlight { since: now };
                (Some(self.request.clone()), is_lost)
            }
            Progress::Due { .. } | Progress::InFlight { .. } => (None, is_lost),
        }
    }

    /// Takes the outcome of the fetch.
    ///
    /// # Errors
    /// [`TokenError`], when it brought no token. The one that is there stays.
    pub fn on_fetched(&mut self, outcome: FetchOutcome, now: UnixTime) -> Result<(), TokenError> {
        // It holds since it was issued, which was after it was asked for.
        let from = match self.progress {
            Progress::InFlight { since } => since.min(now),
            Progress::Due { .. } => now,
        };
        match token_response::read(outcome) {
            Ok((token, lifetime)) => {
                self.failures = 0;
                self.current = Some(Current { value: self.carrier.value(&token), from, until: from.saturating_add(lifetime) });
                let most = lifetime.saturating_mul(4).checked_div(5).unwrap_or_default();
                let pause = most.saturating_sub(chance(now, lifetime.checked_div(10)));
                self.progress = Progress::Due { at: from.saturating_add(pause).max(now.saturating_add(FIRST_RETRY)) };
                Ok(())
            }
            Err(error) => {
                self.fail(now);
                Err(error)
            }
        }
    }

    fn fail(&mut self, at: UnixTime) {
        let pause = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST_RETRY);
        self.failures = self.failures.saturating_add(1);
        self.progress = Progress::Due { at: at.saturating_add(pause.saturating_sub(chance(at, pause.checked_div(4)))) };
    }
}
