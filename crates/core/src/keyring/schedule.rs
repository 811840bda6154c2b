//! When the keys of one issuer are fetched, and from where.

use std::time::Duration;

use super::FetchError;
use super::location::Location;
use super::sharing::{Record, Sharing, Turn};
use super::source::Source;
use super::unknown_keys::UnknownKeys;
use crate::jose::{AlgorithmSet, KeySet};
use crate::stage::{Fetch, FetchId, FetchOutcome, MAX_FETCHED_BYTES, SharedData};
use crate::time::UnixTime;

const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// After this time without a success, keys are no longer believed.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// Keys must be fetched again before they are too old.
const LONGEST_REFRESH: Duration = Duration::from_secs(12 * 60 * 60);
/// A server that wants its answers to be fetched again at once is asked this often at most.
const SHORTEST_MAX_AGE: Duration = Duration::from_secs(30);
/// The least time between the beginnings of two fetches when the second is asked for by requests.
const REQUESTED_REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// How long after its timeout a fetch is waited for.
const GRACE: Duration = Duration::from_secs(1);

/// How often keys are fetched, and how long a fetch may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// The time from a success to the next fetch; at most 12 hours count.
    pub interval: Duration,
    /// When to give a fetch up.
    pub timeout: Duration,
}

/// The fetches of one issuer's keys.
#[derive(Debug)]
pub(super) struct Schedule {
    pub id: FetchId,
    /// How many fetches have failed since the last success.
    pub failures: u32,
    /// When the last success was.
    pub succeeded: Option<UnixTime>,
    source: Source,
    interval: Duration,
    timeout: Duration,
    allowed: AlgorithmSet,
    progress: Progress,
    /// What was fetched last, or is being fetched.
    step: Step,
    /// When the last fetch began that any worker made.
    began: Option<UnixTime>,
    /// The document of the last success.
    document: Vec<u8>,
    discovered: Option<Discovered>,
    sharing: Sharing,
    unknown: UnknownKeys,
}

#[derive(Debug, Clone, Copy)]
enum Progress {
    InFlight {
        since: UnixTime,
    },
    Due {
        at: UnixTime,
    },
    /// The first half of a fetch came; the second is to be sent.
    Halfway,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The document that says where the keys are.
    Discovery,
    Keys,
}

/// What a discovery document said.
#[derive(Debug)]
struct Discovered {
    document: Vec<u8>,
    keys: Location,
    fresh_until: UnixTime,
}

/// What came in.
#[derive(Debug)]
pub(super) enum News {
    /// The same document as before.
    Same,
    /// Other keys.
    Keys(KeySet),
}

impl Schedule {
    pub fn new(source: Source, id: FetchId, refresh: Refresh, allowed: AlgorithmSet) -> Self {
        Self {
            id,
            failures: 0,
            succeeded: None,
            sharing: Sharing::new(&source.text(), LONGEST_RETRY),
            source,
            interval: refresh.interval.clamp(FIRST_RETRY, LONGEST_REFRESH),
            timeout: refresh.timeout,
            allowed,
            progress: Progress::Due { at: UnixTime::from_secs(0) },
            step: Step::Keys,
            began: None,
            document: Vec::new(),
            discovered: None,
            unknown: UnknownKeys::default(),
        }
    }

    /// Whether the keys of the last success are young enough.
    pub fn is_believed(&self, now: UnixTime) -> bool {
        self.succeeded.is_some_and(|at| now.since(at) <= MAX_AGE)
    }

    /// Whether the keys should have been fetched again by now: it failed, or nobody did.
    pub fn is_overdue(&self, now: UnixTime) -> bool {
        let due = self.interval.saturating_add(self.timeout).saturating_add(LONGEST_RETRY);
        self.failures > 0 || self.succeeded.is_none_or(|at| now.since(at) > due)
    }

    /// Whether a fetch is in flight or due.
    pub fn brings_keys(&self, now: UnixTime) -> bool {
        match self.progress {
            Progress::InFlight { since } => now < self.lost_at(since),
            Progress::Due { at } => at <= now,
            Progress::Halfway => true,
        }
    }

    /// When a fetch that began at `since` is given up.
    const fn lost_at(&self, since: UnixTime) -> UnixTime {
        since.saturating_add(self.timeout).saturating_add(GRACE)
    }

    /// Give up a fetch whose outcome never came, and do not let a clock that was set back put the next one off. Returns whether
    /// a fetch was given up.
    pub fn settle(&mut self, now: UnixTime, shared: &mut dyn SharedData) -> bool {
        match self.progress {
            Progress::InFlight { since } if now >= self.lost_at(since) => {
                self.fail(self.lost_at(since), shared);
                return true;
            }
            Progress::InFlight { since } if since > now => self.progress = Progress::InFlight { since: now },
            Progress::Due { at } if at > now.saturating_add(self.interval) => self.progress = Progress::Due { at: now },
            _ => {}
        }
        false
    }

    /// What another worker fetched since, if it is of use.
    pub fn news(&mut self, now: UnixTime, shared: &mut dyn SharedData) -> Option<News> {
        let record = self.sharing.news(self.succeeded, now, shared)?;
        let discovered = match &record.discovery {
            Some(document) => Some(self.discover(document.clone(), record.fresh_until).ok()?),
            None => None,
        };
        let news = self.read(&record.keys).ok()?;
        self.discovered = discovered.or(self.discovered.take());
        self.began = self.began.max(Some(record.fetched));
        let due = record.fresh_until.min(record.fetched.saturating_add(self.interval));
        self.succeed(record.keys, record.fetched, &news);
        if !matches!(self.progress, Progress::InFlight { .. }) {
            self.progress = Progress::Due { at: due };
        }
        Some(news)
    }

    /// The next fetch, if it is due and this worker's turn.
    pub fn next(&mut self, now: UnixTime, shared: &mut dyn SharedData) -> Option<Fetch> {
        match self.progress {
            Progress::Halfway => {}
            Progress::Due { at } if at <= now => match self.sharing.take_turn(now, shared) {
                Turn::Mine => {
                    self.began = Some(now);
                    self.step = Step::Keys;
                    let is_located = self.discovered.as_ref().is_some_and(|discovered| now < discovered.fresh_until);
                    if matches!(self.source, Source::Discovery(_)) && !is_located {
                        self.step = Step::Discovery;
                    }
                }
                Turn::Taken => return None,
                Turn::Failed { until, failures } => {
                    self.failures = failures;
                    self.progress = Progress::Due { at: until };
                    self.unknown.end_search();
                    return None;
                }
            },
            Progress::Due { .. } | Progress::InFlight { .. } => return None,
        }
        self.progress = Progress::InFlight { since: now };
        let location = match (&self.discovered, self.step) {
            (Some(discovered), Step::Keys) => &discovered.keys,
            _ => self.source.first(),
        };
        Some(location.fetch(self.id, self.timeout))
    }

    /// Takes the outcome of a fetch; `None` when it brought the place of the keys only.
    pub fn on_fetched(
        &mut self,
        outcome: FetchOutcome,
        now: UnixTime,
        shared: &mut dyn SharedData,
    ) -> Result<Option<News>, FetchError> {
        let result = body(outcome).and_then(|(body, max_age)| {
            let fresh_until = now.saturating_add(self.pause(max_age, now));
            match self.step {
                Step::Discovery => {
                    self.discovered = Some(self.discover(body, fresh_until)?);
                    Ok(None)
                }
                Step::Keys => Ok(Some((self.read(&body)?, body, fresh_until))),
            }
        });
        match result {
            Ok(None) => {
                self.halfway();
                Ok(None)
            }
            Ok(Some((news, document, fresh_until))) => {
                self.progress = Progress::Due { at: fresh_until };
                self.succeed(document, now, &news);
                let discovery = self.discovered.as_ref().map(|discovered| discovered.document.clone());
                let record = Record { fetched: now, fresh_until, discovery, keys: self.document.clone() };
                self.sharing.tell(record, now, shared);
                Ok(Some(news))
            }
            // The provider's configuration is not to be had, but where its keys were is known.
            Err(error @ (FetchError::NotSent | FetchError::Lost | FetchError::Status(_)))
                if self.step == Step::Discovery && self.discovered.is_some() =>
            {
                self.halfway();
                Err(error)
            }
            Err(error) => {
                // The keys may have moved.
                if let Some(discovered) = &mut self.discovered {
                    discovered.fresh_until = now;
                }
                self.fail(now, shared);
                Err(error)
            }
        }
    }

    /// Whether a request with a token of this unknown key is to wait for a fetch.
    pub fn request_key(&mut self, id: &str, now: UnixTime) -> bool {
        if self.unknown.is_absent(id, now) {
            return false;
        }
        if self.brings_keys(now) {
            return self.unknown.seek(id);
        }
        if self.began.is_some_and(|began| now.since(began) < REQUESTED_REFRESH_INTERVAL) {
            self.unknown.set_absent(id, now);
            return false;
        }
        // It counts as begun even if another worker turns out to be at it.
        self.began = Some(now);
        self.progress = Progress::Due { at: now };
        self.unknown.seek(id)
    }

    fn halfway(&mut self) {
        self.step = Step::Keys;
        self.progress = Progress::Halfway;
    }

    fn succeed(&mut self, document: Vec<u8>, at: UnixTime, news: &News) {
        self.failures = 0;
        self.succeeded = Some(at);
        self.document = document;
        match news {
            News::Keys(_) => self.unknown.forget(),
            News::Same => self.unknown.end_search(),
        }
    }

    fn fail(&mut self, at: UnixTime, shared: &mut dyn SharedData) {
        let doubled = FIRST_RETRY.saturating_mul(2_u32.saturating_pow(self.failures));
        let pause = doubled.min(LONGEST_RETRY).min(self.interval);
        self.failures = self.failures.saturating_add(1);
        let until = at.saturating_add(pause.saturating_sub(chance(at, pause.checked_div(4))));
        self.progress = Progress::Due { at: until };
        self.unknown.end_search();
        self.sharing.tell_failure(until, self.failures, at, shared);
    }

    /// How long after a success the next fetch is due.
    fn pause(&self, max_age: Option<Duration>, now: UnixTime) -> Duration {
        let pause = max_age.map_or(self.interval, |max_age| max_age.max(SHORTEST_MAX_AGE)).min(self.interval);
        pause.saturating_sub(chance(now, pause.checked_div(10)))
    }

    fn discover(&self, document: Vec<u8>, fresh_until: UnixTime) -> Result<Discovered, FetchError> {
        let Source::Discovery(discovery) = &self.source else { return Err(FetchError::Lost) };
        let keys = discovery.keys_location(&document)?;
        Ok(Discovered { document, keys, fresh_until })
    }

    fn read(&self, document: &[u8]) -> Result<News, FetchError> {
        if document.len() > MAX_FETCHED_BYTES {
            return Err(FetchError::TooLarge);
        }
        if self.succeeded.is_some() && document == self.document {
            return Ok(News::Same);
        }
        self.source.keys(document, self.allowed).map(News::Keys)
    }
}

/// The document of an answer, and for how long its server says that it is good.
fn body(outcome: FetchOutcome) -> Result<(Vec<u8>, Option<Duration>), FetchError> {
    match outcome {
        FetchOutcome::Answered { body, .. } if body.len() > MAX_FETCHED_BYTES => Err(FetchError::TooLarge),
        FetchOutcome::Answered { status: 200, body, max_age, .. } => Ok((body, max_age)),
        FetchOutcome::Answered { status, .. } => Err(FetchError::Status(status)),
        FetchOutcome::Lost => Err(FetchError::Lost),
        FetchOutcome::NotSent => Err(FetchError::NotSent),
    }
}

/// A part of a duration that is up to chance, so that not all proxies ask at once: the clock's microseconds say how much.
pub(crate) fn chance(now: UnixTime, span: Option<Duration>) -> Duration {
    let thousandths = now.since_epoch().subsec_micros() % 1000;
    span.and_then(|span| span.saturating_mul(thousandths).checked_div(1000)).unwrap_or_default()
}
