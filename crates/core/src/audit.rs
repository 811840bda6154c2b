//! The stage audit-log: one event for each request that the operator wants to have on record.
//!
//! When a request has ended, the first event whose match it fulfils names it (`action`, `object`); a request that none matches
//! falls under `default`. `record` then says whether it is recorded: always, only when it may change something or was refused, only
//! when refused, or never; `sample`, which part of those that were let through. Matches are read
//! broadly, and what can be understood in several ways is taken for what is recorded most: no spelling keeps a request off
//! the record.
//!
//! An event holds no header, query parameter or claim that the operator did not list, no credential at all, and no value over
//! 1 KiB, or what the operator says. What was recorded never changes what is decided; but where an operator says `overflow: block`, what could not be recorded is not
//! let in.

mod caller;
mod event;
mod evidence;
mod format;
mod formats;
mod line;
mod members;
mod object_template;
mod outcome;
mod policy;
mod privacy;
mod pseudonyms;
mod redaction;
mod sampler;
mod selection;
mod serial;
mod sinks;
mod timestamp;

pub use event::{Event, Included, Named, SCHEMA};
pub use evidence::compile as compile_chain;
pub use format::Format;
pub use members::{FORMAT, refuse_contradictions};
pub use object_template::ObjectTemplate;
pub use outcome::{Outcome, is_grpc};
pub use policy::Policy;
pub use privacy::Privacy;
pub use pseudonyms::Pseudonyms;
pub use sampler::Sampler;
pub use serial::{Serial, Serials};
pub use sinks::{Sinks, destinations};
pub use timestamp::Timestamp;

use std::rc::Rc;
use std::time::Duration;

use portcullis_chain::Chain;

use crate::health::Health;
use crate::metrics::Callout;
use crate::rejection::Rejection;
use crate::stage::{
    Due, Ending, Exchange, FetchId, FetchOutcome, Message, Needs, Observer, SharedData, Stage, Surroundings, Verdict,
};
use crate::time::UnixTime;

/// The JSON Schema of an event, as it stands in an access log or a sink.
pub const EVENT_SCHEMA: &str = include_str!("../../../filters/audit-log/event.schema.json");

/// The key of the filter state that holds the event.
pub const STATE_KEY: &str = "portcullis.audit";

/// The stage audit-log.
#[derive(Debug)]
pub struct AuditLog {
    policy: Rc<Policy>,
    standalone: bool,
    serials: Serials,
    sinks: Sinks,
    sampler: Option<Sampler>,
    has_warned: bool,
    chain: Option<Chain>,
}

impl AuditLog {
    /// The stage under a policy. `standalone` says that no stage of the same module decides, so that principal and decision
    /// come from another module; the serials are those of its events.
    #[must_use]
    pub const fn new(policy: Rc<Policy>, standalone: bool, serials: Serials, sinks: Sinks) -> Self {
        Self { policy, standalone, serials, sinks, sampler: None, has_warned: false, chain: None }
    }

    /// The same with what draws a part of all requests. Without, each counts as drawn.
    #[must_use]
    pub fn with_sampler(self, sampler: Sampler) -> Self {
        Self { sampler: Some(sampler), ..self }
    }

    /// The same with its events sealed, where there is a chain of their stream.
    #[must_use]
    pub fn with_chain(mut self, chain: Option<Chain>) -> Self {
        if let Some(chain) = &chain {
            self.sinks.seal_gaps(&chain.gap_seal());
        }
        Self { chain, ..self }
    }

    /// Says once that a route has a word in its metadata that is none.
    fn warn_of_route(&mut self, exchange: &Exchange, observer: &mut dyn Observer) {
        let word = exchange.route.record.as_deref();
        if !self.has_warned && word.is_some_and(|word| selection::record_of(word).is_none()) {
            self.has_warned = true;
            observer.print(
                "portcullis: a route's metadata `portcullis.audit` is none of always, changes, denied and never: its requests are \
                 recorded always",
            );
        }
    }
}

impl Stage for AuditLog {
    fn needs(&self) -> Needs {
        Needs {
            route_name: self.policy.needs_route_name(),
            route_record: self.policy.hears_routes(),
            upstream_identity: self.standalone,
            ..Needs::default()
        }
    }

    fn decides(&self) -> bool {
        self.sinks.may_block()
    }

    fn tick_period(&self) -> Option<Duration> {
        self.sinks.tick_period()
    }

    fn on_request(&mut self, exchange: &mut Exchange, _now: UnixTime, _around: &mut dyn Surroundings) -> Verdict {
        if !self.sinks.may_block() || !self.policy.may_record(exchange) {
            return Verdict::Continue;
        }
        if !self.sinks.reserve() {
            return Verdict::Refuse(Rejection::AuditUnavailable.into());
        }
        exchange.is_audit_reserved = true;
        Verdict::Continue
    }

    fn on_log(&mut self, exchange: &Exchange, ending: &dyn Ending, now: UnixTime, observer: &mut dyn Observer) {
        if exchange.is_audit_reserved {
            self.sinks.release();
        }
        self.warn_of_route(exchange, observer);
        let event = self.policy.event(exchange, ending, now, &mut self.serials, self.sampler.as_mut());
        let Some(mut event) = event else { return };
        let line = event.to_json();
        let line = match &mut self.chain {
            Some(chain) => chain.seal(line, self.serials.last(), now.as_secs()),
            None => line,
        };
        let reason = exchange.decision.as_ref().map(|decision| &*decision.reason);
        let is_blocked = reason == Some(Rejection::AuditUnavailable.code());
        self.sinks.write(&event, line, is_blocked, now, observer);
    }

    fn due(&mut self, now: UnixTime, _shared: &mut dyn SharedData) -> Due {
        self.sinks.due(now)
    }

    fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime, _shared: &mut dyn SharedData) -> Option<Message> {
        self.sinks.on_fetched(id, outcome, now);
        None
    }

    fn callout(&self, _fetch: FetchId) -> Option<Callout> {
        Some(Callout::Audit)
    }

    fn is_pressing(&self, now: UnixTime) -> bool {
        self.sinks.is_pressing(now)
    }

    fn on_tick(&mut self, _now: UnixTime, observer: &mut dyn Observer) {
        self.sinks.show(observer);
    }

    fn health(&self, _now: UnixTime, health: &mut Health) {
        health.sinks.extend(self.sinks.health());
    }

    fn close(&mut self, now: UnixTime, observer: &mut dyn Observer) {
        let Some(chain) = self.chain.as_mut().filter(|_| self.serials.last() > 0) else { return };
        let serial = self.serials.take();
        let id: Rc<str> = serial.text().into();
        let line = chain.close(evidence::end(&id, now), serial.seq, now.as_secs());
        self.sinks.close(&id, &line, now, observer);
    }

    fn drain(&mut self) -> bool {
        self.sinks.drain()
    }

    fn abandon(&mut self, observer: &mut dyn Observer) {
        self.sinks.abandon(observer);
    }
}

#[cfg(test)]
mod tests;
