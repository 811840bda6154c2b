//! The failures of one group, counted by all workers together.
//!
//! The count stands in shared data, as five numbers: when its window began, how many are counted in it, how many there were at all, and
//! when the first and the last was. Whoever's write is taken tells of what it changed. A value that makes no sense is none.

use std::time::Duration;

use portcullis_minting::digest;

use super::fault::Fault;
use crate::stage::{NotShared, Over, SharedData, Written};
use crate::time::UnixTime;

/// How often a write is tried again when another worker was faster.
const MAX_TRIES: usize = 4;

/// How often a group is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub window: Duration,
    pub quiet: Duration,
}

/// The count of a group. Times are in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    /// When the window began.
    opened: u64,
    /// How many there were since, that are not told of.
    pub count: u64,
    /// How many there were at all.
    pub total: u64,
    pub first: u64,
    pub last: u64,
}

/// What is to be told of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    First(Count),
    Repeated(Count),
    Resolved(Count),
}

impl Count {
    fn read(text: &[u8], now: u64) -> Option<Self> {
        let mut numbers = str::from_utf8(text).ok()?.split(' ').map(str::parse);
        let mut next = || numbers.next()?.ok();
        let count = Self { opened: next()?, count: next()?, total: next()?, first: next()?, last: next()? };
        // Clocks of workers are the same; one that was set back must not let a group stand for ever.
        (count.opened <= now.saturating_add(60) && count.last <= now.saturating_add(60)).then_some(count)
    }

    fn to_text(self) -> String {
        format!("{} {} {} {} {}", self.opened, self.count, self.total, self.first, self.last)
    }
}

/// What becomes of a count with so many more failures, and what is to be told.
fn step(count: Option<Count>, more: u64, pace: Pace, now: u64) -> (Option<Count>, Option<News>) {
    let Some(mut count) = count else {
        if more == 0 {
            return (None, None);
        }
        let count = Count { opened: now, count: more.saturating_sub(1), total: more, first: now, last: now };
        return (Some(count), Some(News::First(Count { count: 1, ..count })));
    };
    if more == 0 && now.saturating_sub(count.last) >= pace.quiet.as_secs() {
        return (None, Some(News::Resolved(count)));
    }
    count.count = count.count.saturating_add(more);
    count.total = count.total.saturating_add(more);
    if more > 0 {
        count.last = now;
    }
    if count.count == 0 || now.saturating_sub(count.opened) < pace.window.as_secs() {
        return (Some(count), None);
    }
    let news = News::Repeated(count);
    count.opened = now;
    count.count = 0;
    (Some(count), Some(news))
}

/// A group that this worker knows.
#[derive(Debug)]
pub(super) struct Group {
    id: String,
    key: String,
    /// How many failures are not counted with those of the others.
    pending: u64,
    /// The count as this worker saw it last, which is the count where there is no shared data.
    count: Option<Count>,
    /// Until when a failure is only counted.
    counted_until: u64,
    /// When something may have to be told, even where there is no further failure.
    due: u64,
}

impl Group {
    pub fn new(prefix: &str, fault: &Fault) -> Self {
        let hash = digest(fault.identity().as_bytes());
        let id: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self { key: format!("{prefix}.{id}"), id, pending: 0, count: None, counted_until: 0, due: 0 }
    }

    /// Its fingerprint.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Counts a failure; whether it is to be told of at once.
    pub const fn count(&mut self, now: UnixTime) -> bool {
        self.pending = self.pending.saturating_add(1);
        self.counted_until <= now.as_secs()
    }

    /// Whether it is resolved.
    pub const fn is_over(&self) -> bool {
        self.count.is_none() && self.pending == 0
    }

    /// Counts with the others; what is to be told.
    pub fn settle(&mut self, pace: Pace, now: UnixTime, shared: &mut dyn SharedData) -> Option<News> {
        let now = now.as_secs();
        if self.pending == 0 && now < self.due {
            return None;
        }
        let news = self.step(pace, now, shared).unwrap_or_else(|NotShared| {
            let (count, news) = step(self.count, self.pending, pace, now);
            self.take(count);
            news
        });
        let Some(count) = self.count else { return news };
        let seconds = |duration: Duration| duration.as_secs();
        self.counted_until = count.opened.saturating_add(seconds(pace.window));
        let quiet = count.last.saturating_add(seconds(pace.quiet));
        self.due = if count.count > 0 { self.counted_until.min(quiet) } else { quiet };
        // Where another worker was faster each time, the next tick tries again.
        if self.pending > 0 {
            self.due = now;
        }
        news
    }

    fn take(&mut self, count: Option<Count>) {
        self.count = count;
        self.pending = 0;
        self.counted_until = 0;
    }

    fn step(&mut self, pace: Pace, now: u64, shared: &mut dyn SharedData) -> Result<Option<News>, NotShared> {
        for _ in 0..MAX_TRIES {
            let found = shared.read(&self.key)?;
            let before = found.as_ref().and_then(|(text, _)| Count::read(text, now));
            let (after, news) = step(before, self.pending, pace, now);
            if after == before {
                self.take(after);
                return Ok(None);
            }
            let over = found.map_or(Over::Nothing, |(_, version)| Over::Version(version));
            // Shared data forgets no key, so one that is over stands there without a count.
            let text = after.map(Count::to_text).unwrap_or_default();
            if shared.write(&self.key, text.as_bytes(), over)? == Written::Done {
                self.take(after);
                return Ok(news);
            }
        }
        Ok(None)
    }
}
