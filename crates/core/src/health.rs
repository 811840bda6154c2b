//! How the gateway is doing, as its stages tell it.
//!
//! It is available while it can do its work: each issuer has keys that are believed, old as they may be, and no sink that has to have
//! every event (`overflow: block`) is full. What only deserves a look, a refresh that failed or a sink that is waited for, is told and
//! changes nothing: who is asked every few seconds whether to send requests there must not be given a new answer at each trouble.

mod answer;
mod endpoint;

use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;

pub use answer::Answer;
pub use endpoint::{HealthEndpoint, OUTCOMES};

/// How all stages are doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// The issuers, in the order of their entries.
    pub issuers: Vec<IssuerHealth>,
    /// The servers to which events are sent.
    pub sinks: Vec<SinkHealth>,
}

/// What there is of an issuer's keys, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// They are there, and as new as they should be.
    Fresh,
    /// They are in use, and could not be fetched again when that was due.
    Stale,
    /// There are none: its tokens are refused.
    None,
}

/// How an issuer is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerHealth {
    /// The place of its entry.
    pub place: usize,
    /// The name of its entry.
    pub name: Rc<str>,
    /// Whether the operator named it. If not, its name is its issuer.
    pub is_named: bool,
    /// Its keys.
    pub keys: KeyState,
    /// For how long the keys have been here; absent for fixed ones, and where there are none.
    pub age: Option<Duration>,
}

/// How a server is doing to which events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SinkState {
    /// It takes what is sent.
    Ok,
    /// What it did not take is sent again.
    Retrying,
    /// There is no more room for what waits.
    Full,
}

/// How a sink is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkHealth {
    /// Its name.
    pub name: Rc<str>,
    /// Its state.
    pub state: SinkState,
    /// How many events wait for it or are under way, in this worker.
    pub queued: usize,
    /// Whether requests are refused whose events it has no room for.
    pub blocks: bool,
}

impl Health {
    /// Adds an issuer. Those of one entry, its tenants, count as one, which is as well as the worst of them.
    pub fn add_issuer(&mut self, issuer: IssuerHealth) {
        match self.issuers.last_mut().filter(|last| last.place == issuer.place) {
            Some(last) => {
                last.keys = last.keys.max(issuer.keys);
                last.age = last.age.max(issuer.age);
            }
            None => self.issuers.push(issuer),
        }
    }

    /// Whether the gateway can do its work. The keys of these issuers do not count.
    #[must_use]
    pub fn is_available(&self, optional_issuers: &[String]) -> bool {
        let lacks_keys =
            |issuer: &IssuerHealth| issuer.keys == KeyState::None && !optional_issuers.iter().any(|name| **name == *issuer.name);
        let blocks = |sink: &SinkHealth| sink.blocks && sink.state == SinkState::Full;
        !self.issuers.iter().any(lacks_keys) && !self.sinks.iter().any(blocks)
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests;
