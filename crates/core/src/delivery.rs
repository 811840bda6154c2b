//! The delivery of records to a server that takes them in batches by HTTP: nothing is lost silently.
//!
//! A record waits in a bounded [buffer](buffer) until a batch is due: by its number of records, its bytes, or the age of the oldest one.
//! Then, by what the server says to the batch:
//!
//! | answer | what becomes of it |
//! |---|---|
//! | 2xx | delivered; where the format's answer speaks of single records, each by what is said of it |
//! | none, 408, 409, 425, 429, 5xx | sent again after a pause that grows and is partly chance; not before `Retry-After` of a 429 or 503 |
//! | 3xx, 401, 403, 404, 405, 407, 415, 421 | the same, and an error in the log: the operator has to do something |
//! | 413 | sent again in halves; a single record is rejected |
//! | other 4xx | halved until the culprit is found, which is rejected |
//!
//! What has been sent as often as the operator allows is dropped. Whatever is dropped or rejected is counted, and a [gap record](Gap) takes
//! its place. So each record that was pushed is at any time exactly one of: waiting or under way, sent, dropped, rejected, logged.
//!
//! HTTP being what it is, a record arrives at least once: an answer may be lost after the server took the batch. A batch keeps its id over
//! repetitions, and a record its own for ever, so that a server that knows ids has each exactly once.
//!
//! Time and chance are arguments.

mod backoff;
mod batch;
mod buffer;
mod framing;
mod notices;
mod numbering;
mod policy;
mod record;
mod reply;
mod retry_after;
mod tally;

pub use backoff::{Backoff, seed_of};
pub(crate) use framing::without_null;
pub use framing::{Fate, Framing, Receipt};
pub use numbering::Numbering;
pub use policy::{Compressor, Limits, Policy, Target};
pub(crate) use policy::{Surroundings, TargetConfig};
pub use record::{GAP_SCHEMA, Gap, GapReason, Record};
pub use retry_after::retry_after;

use std::rc::Rc;
use std::time::Duration;

use portcullis_chain::GapSeal;

use batch::{Batch, Flight};
use buffer::{Buffer, Entry};
use notices::{Notices, Trouble};
use reply::Reply;
use tally::{Outcome, Tally};

use crate::config::sink::Overflow;
use crate::health::{SinkHealth, SinkState};
use crate::metrics::catalogue::Family;
use crate::stage::{Fetch, FetchId, FetchOutcome, Message, Observer};
use crate::time::UnixTime;
use backoff::Chance;

/// How long after its timeout a batch under way is waited for. An answer that comes later is not heard.
const GRACE: Duration = Duration::from_secs(1);
/// The longest `Retry-After` that is heeded.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);
/// How often a batch is halved in search of records that the server refuses: enough for some seven culprits among 500 records. What is left
/// then is rejected as a whole.
const MAX_HALVINGS: u32 = 64;

/// The delivery to one server.
#[derive(Debug)]
pub struct Delivery {
    policy: Policy,
    buffer: Buffer,
    /// Batches that are to be sent, most of them again.
    waiting: Vec<Batch>,
    in_flight: Vec<Flight>,
    /// The server wants nothing before.
    paused_until: UnixTime,
    chance: Chance,
    batches: u64,
    is_draining: bool,
    /// Requests that have been let in and may yet have to be recorded.
    reserved: usize,
    notices: Notices,
    tally: Tally,
}

impl Delivery {
    /// A delivery under a policy; the seed is one that nobody else has.
    #[must_use]
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self {
            buffer: Buffer::default(),
            waiting: Vec::new(),
            in_flight: Vec::new(),
            paused_until: UnixTime::from_secs(0),
            chance: Chance::new(seed),
            batches: 0,
            is_draining: false,
            reserved: 0,
            notices: Notices::new(&policy.label),
            tally: Tally::new(&policy),
            policy,
        }
    }

    /// Seals its gap records from now on.
    pub fn seal_gaps(&mut self, seal: GapSeal) {
        self.policy.gap_seal = Some(seal);
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether it has a place for one more request that may have to be recorded. Only where the operator wants requests to be refused otherwise
    /// is it ever without.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let limits = &self.policy.limits;
        self.policy.overflow == Overflow::DropOldest
            || (self.held().saturating_add(self.reserved) < limits.buffer_records && self.held_bytes() < limits.buffer_bytes)
    }

    /// How the server is doing. One that takes everything is not full for the requests that are under way.
    #[must_use]
    pub fn health(&self) -> SinkHealth {
        let (held, limits) = (self.held(), &self.policy.limits);
        let state = if held >= limits.buffer_records || self.held_bytes() >= limits.buffer_bytes {
            SinkState::Full
        } else if self.batches().any(|batch| batch.attempts > 0) {
            SinkState::Retrying
        } else {
            SinkState::Ok
        };
        SinkHealth { name: Rc::clone(&self.policy.label), state, queued: held, blocks: self.policy.overflow == Overflow::Block }
    }

    /// Keeps a place for the record of a request that is let in.
    pub const fn reserve(&mut self) {
        self.reserved = self.reserved.saturating_add(1);
    }

    /// Gives a place back that was kept.
    pub const fn release(&mut self) {
        self.reserved = self.reserved.saturating_sub(1);
    }

    /// Takes a record.
    pub fn push(&mut self, record: Record, now: UnixTime) {
        self.tally.count(Outcome::Queued, 1);
        self.buffer.push(record, now);
        let limits = self.policy.limits;
        let headroom = match self.policy.overflow {
            Overflow::DropOldest => 1,
            // Requests that other filters answered never asked for a place.
            Overflow::Block => 2,
        };
        let most = (limits.buffer_records.saturating_mul(headroom), limits.buffer_bytes.saturating_mul(headroom));
        while (self.held() > most.0 || self.held_bytes() > most.1) && self.buffer.drop_oldest(now) {
            self.tally.count(Outcome::DroppedOverflow, 1);
        }
    }

    /// Notes, in its place among the records, an event that is not sent because its request was refused for want of room.
    pub fn skip(&mut self, id: &Rc<str>, now: UnixTime) {
        self.tally.count(Outcome::Blocked, 1);
        self.buffer.skip(id, now);
    }

    /// Records that are waiting or under way.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.records().saturating_add(self.batches().map(Batch::records).sum())
    }

    fn held_bytes(&self) -> usize {
        self.buffer.bytes().saturating_add(self.batches().map(Batch::bytes).sum())
    }

    fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.waiting.iter().chain(self.in_flight.iter().map(|flight| &flight.batch))
    }

    /// Whether there is nothing left to send.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.buffer.is_empty() && self.waiting.is_empty() && self.in_flight.is_empty()
    }

    /// From here on nothing waits for others to fill its batch.
    pub const fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether a batch is full that can be sent at once.
    #[must_use]
    pub fn is_pressing(&self, now: UnixTime) -> bool {
        self.is_batch_full() && self.has_slot() && self.paused_until <= now
    }

    fn has_slot(&self) -> bool {
        self.waiting.len().saturating_add(self.in_flight.len()) < self.policy.limits.in_flight
    }

    fn is_batch_full(&self) -> bool {
        let limits = &self.policy.limits;
        self.buffer.len() >= limits.batch_records || self.buffer.bytes() >= limits.batch_bytes
    }

    /// What is to be sent now. Each is under way from here until its outcome is given to [`on_fetched`](Self::on_fetched). The ids are those
    /// that `id` gives.
    pub fn due(&mut self, now: UnixTime, id: &mut dyn FnMut() -> FetchId) -> Vec<Fetch> {
        self.give_up_lost(now);
        // A clock that was set back puts nothing off.
        if self.paused_until > now.saturating_add(LONGEST_PAUSE) {
            self.paused_until = now;
        }
        if now < self.paused_until {
            return Vec::new();
        }
        let mut fetches = Vec::new();
        while self.in_flight.len() < self.policy.limits.in_flight {
            let Some(batch) = self.next_batch(now) else { break };
            let fetch = self.policy.fetch(id(), &batch);
            let until = now.saturating_add(self.policy.target.timeout()).saturating_add(GRACE);
            self.in_flight.push(Flight { id: fetch.id, batch, since: now, until });
            fetches.push(fetch);
        }
        fetches
    }

    fn next_batch(&mut self, now: UnixTime) -> Option<Batch> {
        let longest = self.policy.backoff.longest().max(LONGEST_PAUSE);
        let is_due = |batch: &Batch| batch.due <= now || batch.due > now.saturating_add(longest).saturating_add(longest);
        if let Some(index) = self.waiting.iter().position(is_due) {
            return Some(self.waiting.remove(index));
        }
        let limits = self.policy.limits;
        let is_due = self.is_batch_full() || self.buffer.is_older_than(limits.interval, now) || self.is_draining;
        if self.buffer.is_empty() || !is_due || !self.has_slot() {
            return None;
        }
        let framing = &self.policy.framing;
        let entries = self.buffer.take(limits.batch_records, limits.batch_bytes, framing.separator().len());
        Some(self.batch(entries, now))
    }

    fn batch(&mut self, entries: Vec<Entry>, due: UnixTime) -> Batch {
        self.batches = self.batches.wrapping_add(1);
        let id = format!("{:016x}-{}", self.chance.name(), self.batches).into();
        Batch::new(id, entries, due)
    }

    /// Batches whose outcome never came.
    fn give_up_lost(&mut self, now: UnixTime) {
        let is_lost = |flight: &Flight| now >= flight.until || flight.since > now;
        while let Some(index) = self.in_flight.iter().position(is_lost) {
            let batch = self.in_flight.swap_remove(index).batch;
            self.again(batch, Trouble::Lost, None, now);
        }
    }

    /// Takes the outcome of what was sent. One that is not under way any more is not heard.
    pub fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime) {
        let Some(index) = self.in_flight.iter().position(|flight| flight.id == id) else { return };
        let batch = self.in_flight.swap_remove(index).batch;
        match Reply::of(outcome) {
            Reply::Taken(body) => self.taken(batch, &body, now),
            Reply::Again(trouble, after) => self.again(batch, trouble, after, now),
            Reply::TooLarge if batch.len() > 1 => self.halve(batch, false, now),
            Reply::TooLarge => self.reject(batch, 413, now),
            Reply::Refused(_) if batch.len() > 1 && batch.halvings.get() < MAX_HALVINGS => self.halve(batch, true, now),
            Reply::Refused(status) => self.reject(batch, status, now),
        }
    }

    fn taken(&mut self, batch: Batch, body: &[u8], now: UnixTime) {
        let receipt = self.policy.framing.receipt(batch.len(), body);
        match receipt {
            Receipt::Each(fates) if fates.len() == batch.len() => self.sort(batch, &fates, now),
            Receipt::AllBut(rejected) if rejected > 0 => {
                let rejected = rejected.min(batch.records());
                self.tally.batch("partial");
                self.tally.sent(batch.records().saturating_sub(rejected), now);
                self.tally.count(Outcome::Rejected, rejected);
                self.notices.refuses(now, || format!("{rejected} of a batch, it does not say which"), 200);
            }
            Receipt::All | Receipt::AllBut(_) | Receipt::Each(_) => {
                self.notices.recovers();
                self.tally.batch("sent");
                self.tally.sent(batch.records(), now);
            }
        }
    }

    /// Deals with the records of a batch one by one.
    fn sort(&mut self, batch: Batch, fates: &[Fate], now: UnixTime) {
        let attempts = batch.attempts;
        let mut again = Vec::new();
        let mut trouble = None;
        let mut is_partial = false;
        for (entry, fate) in batch.into_entries().into_iter().zip(fates) {
            match *fate {
                Fate::Taken => self.tally.sent(entry.records(), now),
                Fate::Again(status) => {
                    trouble = Some(Trouble::Status(status));
                    again.push(entry);
                }
                Fate::Refused(status) => {
                    is_partial = true;
                    self.reject_entry(entry, status, now);
                }
            }
        }
        self.tally.batch(if is_partial || trouble.is_some() { "partial" } else { "sent" });
        let Some(trouble) = trouble else { return self.notices.recovers() };
        // Another content is another batch.
        let batch = self.batch(again, now).part_of(attempts, Rc::default());
        self.again(batch, trouble, None, now);
    }

    fn again(&mut self, mut batch: Batch, trouble: Trouble, after: Option<Duration>, now: UnixTime) {
        self.notices.fails(trouble);
        batch.attempts = batch.attempts.saturating_add(1);
        if self.policy.limits.attempts.is_some_and(|most| batch.attempts >= most) {
            self.tally.batch("given_up");
            self.tally.count(Outcome::DroppedAttempts, batch.records());
            self.buffer.give_up(batch.into_entries(), GapReason::Attempts, now);
            return;
        }
        self.tally.batch("retried");
        let pause = self.policy.backoff.pause(batch.attempts, &mut self.chance);
        let after = after.unwrap_or_default().min(LONGEST_PAUSE);
        if !after.is_zero() {
            self.paused_until = self.paused_until.max(now.saturating_add(after));
        }
        batch.due = now.saturating_add(after.saturating_add(pause));
        self.waiting.push(batch);
    }

    fn halve(&mut self, batch: Batch, is_search: bool, now: UnixTime) {
        self.tally.batch("halved");
        let (attempts, halvings) = (batch.attempts, Rc::clone(&batch.halvings));
        if is_search {
            halvings.set(halvings.get().saturating_add(1));
        }
        let mut entries = batch.into_entries();
        let rest = entries.split_off(entries.len().div_ceil(2));
        for half in [entries, rest] {
            let batch = self.batch(half, now).part_of(attempts, Rc::clone(&halvings));
            self.waiting.push(batch);
        }
    }

    fn reject(&mut self, batch: Batch, status: u16, now: UnixTime) {
        self.tally.batch("rejected");
        for entry in batch.into_entries() {
            self.reject_entry(entry, status, now);
        }
    }

    fn reject_entry(&mut self, entry: Entry, status: u16, now: UnixTime) {
        // A server that does not take a gap record would not take the next one either.
        let Entry::Record(record, _) = entry else { return };
        self.tally.count(Outcome::Rejected, 1);
        self.notices.refuses(now, || record.id.to_string(), status);
        self.buffer.give_up(vec![Entry::Record(record, now)], GapReason::Rejected, now);
    }

    /// What the operator should know, since the last time.
    pub fn take_messages(&mut self) -> Vec<Message> {
        self.notices.take()
    }

    /// Gives up all that is left, for good: the lines to be written to the proxy's log.
    pub fn abandon(&mut self) -> Vec<String> {
        let flights = std::mem::take(&mut self.in_flight).into_iter().map(|flight| flight.batch);
        let mut lines = Vec::new();
        let batches: Vec<_> = flights.chain(std::mem::take(&mut self.waiting)).map(Batch::into_entries).collect();
        for entry in batches.into_iter().flatten().chain(self.buffer.take_all()) {
            self.tally.count(Outcome::Logged, entry.records());
            lines.push(entry.to_line(&self.policy));
        }
        self.tally.end();
        lines
    }

    /// Writes the metrics that changed.
    pub fn show(&mut self, observer: &mut dyn Observer) {
        let held = self.held();
        self.tally.show(held, observer);
    }

    /// Writes another counter of what became of records in place of the metrics of sinks.
    pub fn show_as(&mut self, family: &Family, observer: &mut dyn Observer) {
        self.tally.show_as(family, observer);
    }

    /// How many records there were of each outcome.
    #[cfg(test)]
    fn counted(&self, outcome: Outcome) -> u64 {
        self.tally.total(outcome)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests;
