//! The stage audit-log: one event for each request that the operator wants to have on record.
//!
//! When a request has ended, the first event whose match it fulfils names it (`action`, `object`); a request that none matches
//! falls under `default`. `record` then says whether it is recorded: always, only when refused, or never. Matches are read
//! broadly, and what can be understood in several ways is taken for what is recorded most: no spelling keeps a request off
//! the record.
//!
//! An event holds no header, query parameter or claim that the operator did not list, no credential at all, and no value over
//! 1 KiB. What was recorded never changes what is decided.

mod event;
mod object_template;
mod outcome;
mod policy;
mod redaction;
mod serial;
mod timestamp;
mod trace_id;

pub use event::{Event, Included, Named, SCHEMA};
pub use object_template::ObjectTemplate;
pub use outcome::Outcome;
pub use policy::Policy;
pub use serial::{Serial, Serials};
pub use timestamp::Timestamp;

use std::rc::Rc;

use crate::config::audit_log::SinkType;
use crate::stage::{Ending, Exchange, Needs, Observer, Stage};
use crate::time::UnixTime;

/// The key of the filter state that holds the event.
pub const STATE_KEY: &str = "portcullis.audit";

/// The stage audit-log.
#[derive(Debug, Clone)]
pub struct AuditLog {
    policy: Rc<Policy>,
    standalone: bool,
    serials: Serials,
}

impl AuditLog {
    /// The stage under a policy. `standalone` says that no stage of the same module decides, so that principal and decision
    /// come from another module; the serials are those of its events.
    #[must_use]
    pub const fn new(policy: Rc<Policy>, standalone: bool, serials: Serials) -> Self {
        Self { policy, standalone, serials }
    }
}

impl Stage for AuditLog {
    fn needs(&self) -> Needs {
        Needs { route_name: self.policy.needs_route_name(), upstream_identity: self.standalone, ..Needs::default() }
    }

    fn on_log(&mut self, exchange: &Exchange, ending: &dyn Ending, now: UnixTime, observer: &mut dyn Observer) {
        let event = self.policy.event(exchange, ending, now, &mut self.serials);
        let Some(json) = event.and_then(|event| event.to_json().ok()) else {
            return;
        };
        for sink in self.policy.sinks() {
            match sink {
                SinkType::Accesslog => observer.set_state(STATE_KEY, &json),
                SinkType::Stdout => observer.print(&json),
            }
        }
    }
}

#[cfg(test)]
mod tests;
