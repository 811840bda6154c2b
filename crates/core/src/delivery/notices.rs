//! What the operator is told of a delivery in the proxy's log: when something changes, and of refused records once in a while.

use std::rc::Rc;
use std::time::Duration;

use super::reply;
use crate::stage::{LogLevel, Message};
use crate::time::UnixTime;

/// The time between two lines about records that the server refuses.
const REFUSAL_LINES: Duration = Duration::from_secs(60);

/// Why a batch was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    NotSent,
    Lost,
    Status(u16),
}

/// The lines that are to be written, and what has been told before.
#[derive(Debug)]
pub(super) struct Notices {
    sink: Rc<str>,
    /// What the server said last, where it did not take a batch.
    trouble: Option<Trouble>,
    refusal_told: Option<UnixTime>,
    messages: Vec<Message>,
}

impl Notices {
    pub fn new(sink: &Rc<str>) -> Self {
        Self { sink: Rc::clone(sink), trouble: None, refusal_told: None, messages: Vec::new() }
    }

    /// The server takes batches.
    pub fn recovers(&mut self) {
        if self.trouble.take().is_some() {
            self.say(LogLevel::Info, "takes batches again");
        }
    }

    /// The server did not take a batch.
    pub fn fails(&mut self, trouble: Trouble) {
        if self.trouble.replace(trouble) == Some(trouble) {
            return;
        }
        let (level, what) = match trouble {
            Trouble::NotSent => (LogLevel::Warn, "was not sent a batch: has the proxy this cluster, and room in it?".to_owned()),
            Trouble::Lost => (LogLevel::Warn, "did not answer".to_owned()),
            Trouble::Status(status) if reply::is_misconfigured(status) => {
                (LogLevel::Error, format!("answers with status {status}: look at `uri`, `authorization` and `headers`"))
            }
            Trouble::Status(status) => (LogLevel::Warn, format!("answers with status {status}")),
        };
        self.say(level, &format!("{what}; batches are kept and sent again"));
    }

    /// The server refuses a record for what it is: told by its id, and never by its content.
    pub fn refuses(&mut self, now: UnixTime, what: impl FnOnce() -> String, status: u16) {
        if self.refusal_told.is_some_and(|told| told <= now && now.since(told) < REFUSAL_LINES) {
            return;
        }
        self.refusal_told = Some(now);
        let what = what();
        self.say(LogLevel::Error, &format!("refuses {what} with status {status}"));
    }

    fn say(&mut self, level: LogLevel, what: &str) {
        self.messages.push(Message { level, text: format!("audit sink {} {what}", self.sink) });
    }

    /// The lines since the last time.
    pub fn take(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.messages)
    }
}
