//! What workers tell one another of one source of keys, so that one of them fetches for all.
//!
//! Two values in shared data. The *turn* says who may fetch, and when the last fetch succeeded or failed; it is small, and read
//! often. The *record* is what the last success brought. A worker that finds a fetch due takes the turn, for [`TURN`]; the
//! others wait for news, and the first of them takes over when there are none by then: the one that had it may be gone.
//!
//! Where shared data cannot be used, or makes no sense, every worker fetches for itself. What is read is checked like what is
//! fetched; times that cannot be are not believed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::stage::{NotShared, Over, SharedData, Written};
use crate::time::UnixTime;

/// How long a worker has the turn.
pub(super) const TURN: Duration = Duration::from_secs(2);
/// How far the clock of a worker may be behind that of another.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// The state of the fetches of one source. Times are nanoseconds since the epoch; zero is never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct TurnText {
    fetched: u64,
    taken_until: u64,
    failed_until: u64,
    failures: u32,
}

/// What the last success brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RecordText {
    fetched: u64,
    fresh_until: u64,
    discovery: Option<String>,
    keys: String,
}

/// What another worker fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub fetched: UnixTime,
    /// When the next fetch is due.
    pub fresh_until: UnixTime,
    /// The document that said where the keys are.
    pub discovery: Option<Vec<u8>>,
    /// The document with the keys.
    pub keys: Vec<u8>,
}

/// What came of asking for the turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// This worker is to fetch.
    Mine,
    /// Another worker does.
    Taken,
    /// Another worker did and failed; the next fetch is due then.
    Failed { until: UnixTime, failures: u32 },
}

/// The place in shared data of one source.
#[derive(Debug)]
pub(super) struct Sharing {
    turn: String,
    record: String,
    /// The longest pause after a failure that is believed.
    longest_pause: Duration,
    /// The time of the last success that this worker has looked at.
    seen: u64,
}

impl Sharing {
    /// The place for a source with this text.
    pub fn new(source: &str, longest_pause: Duration) -> Self {
        let key = |what: &str| format!("portcullis.keys.{what}|{source}");
        Self { turn: key("turn"), record: key("record"), longest_pause, seen: 0 }
    }

    /// Asks for the turn.
    pub fn take_turn(&self, now: UnixTime, shared: &mut dyn SharedData) -> Turn {
        // Who loses a write against another looks again; who then still finds no sense in what is there fetches alone.
        for _ in 0..2 {
            let Ok((turn, over)) = self.read_turn(now, shared) else { return Turn::Mine };
            if nanoseconds(now) < turn.failed_until {
                return Turn::Failed { until: UnixTime::from_nanos(turn.failed_until), failures: turn.failures };
            }
            if nanoseconds(now) < turn.taken_until {
                return Turn::Taken;
            }
            let taken = TurnText { taken_until: nanoseconds(now.saturating_add(TURN)), ..turn };
            match self.write_turn(taken, over, shared) {
                Some(Written::Done) | None => return Turn::Mine,
                Some(Written::Outdated) => {}
            }
        }
        Turn::Mine
    }

    /// What another worker fetched since `known`, if something.
    pub fn news(&mut self, known: Option<UnixTime>, now: UnixTime, shared: &mut dyn SharedData) -> Option<Record> {
        let (turn, _) = self.read_turn(now, shared).ok()?;
        if turn.fetched <= known.map_or(0, nanoseconds) || turn.fetched == self.seen {
            return None;
        }
        self.seen = turn.fetched;
        let (bytes, _) = shared.read(&self.record).ok()??;
        let text: RecordText = read(&bytes)?;
        let fetched = UnixTime::from_nanos(text.fetched);
        let is_new = fetched <= now.saturating_add(CLOCK_SKEW) && known.is_none_or(|known| fetched > known);
        is_new.then(|| Record {
            fetched: fetched.min(now),
            fresh_until: UnixTime::from_nanos(text.fresh_until),
            discovery: text.discovery.map(String::into_bytes),
            keys: text.keys.into_bytes(),
        })
    }

    /// Tells the others what was fetched, and gives the turn back.
    pub fn tell(&self, record: Record, now: UnixTime, shared: &mut dyn SharedData) {
        let discovery = record.discovery.map(String::from_utf8).transpose();
        let (Ok(discovery), Ok(keys)) = (discovery, String::from_utf8(record.keys)) else { return };
        let fetched = nanoseconds(record.fetched);
        let text = RecordText { fetched, fresh_until: nanoseconds(record.fresh_until), discovery, keys };
        let Ok(bytes) = serde_json::to_vec(&text) else { return };
        // Where another write comes between, the turn ends by itself.
        if shared.write(&self.record, &bytes, Over::Anything).is_ok()
            && let Ok((_, over)) = self.read_turn(now, shared)
        {
            self.write_turn(TurnText { fetched, ..TurnText::default() }, over, shared);
        }
    }

    /// Tells the others that a fetch failed, and gives the turn back.
    pub fn tell_failure(&self, until: UnixTime, failures: u32, now: UnixTime, shared: &mut dyn SharedData) {
        if let Ok((turn, over)) = self.read_turn(now, shared) {
            let failed = TurnText { taken_until: 0, failed_until: nanoseconds(until), failures, ..turn };
            self.write_turn(failed, over, shared);
        }
    }

    /// The turn, and what a write would replace. One that makes no sense is as good as none.
    fn read_turn(&self, now: UnixTime, shared: &mut dyn SharedData) -> Result<(TurnText, Over), NotShared> {
        let Some((bytes, version)) = shared.read(&self.turn)? else { return Ok((TurnText::default(), Over::Nothing)) };
        let mut turn: TurnText = read(&bytes).unwrap_or_default();
        let believed = |value: u64, ahead: Duration| {
            if value <= nanoseconds(now.saturating_add(ahead).saturating_add(CLOCK_SKEW)) { value } else { 0 }
        };
        turn.fetched = believed(turn.fetched, Duration::ZERO);
        turn.taken_until = believed(turn.taken_until, TURN);
        turn.failed_until = believed(turn.failed_until, self.longest_pause);
        Ok((turn, Over::Version(version)))
    }

    fn write_turn(&self, turn: TurnText, over: Over, shared: &mut dyn SharedData) -> Option<Written> {
        shared.write(&self.turn, &serde_json::to_vec(&turn).ok()?, over).ok()
    }
}

/// What a shared value says. All JSON is read as text: to read bytes is a second reader in the module.
fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    serde_json::from_str(str::from_utf8(bytes).ok()?).ok()
}

fn nanoseconds(time: UnixTime) -> u64 {
    u64::try_from(time.since_epoch().as_nanos()).unwrap_or(u64::MAX)
}
