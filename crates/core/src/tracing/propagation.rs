//! How the upstream is told of a trace: each format that is wanted says what the request's trace is, and nothing malformed goes on.
//!
//! | what came | in a format that is wanted | in another one |
//! |---|---|---|
//! | what agrees with the trace | goes on as it is | goes on as it is |
//! | another trace, or only whether to record | is replaced | goes on as it is |
//! | what is malformed, or came twice | is replaced, or removed where there is no trace | is removed |
//! | nothing | is written where there is a trace | nothing |
//!
//! `tracestate` goes on with the `traceparent` that it came with, and with no other.

use std::rc::Rc;

use super::b3;
use super::context::TraceContext;
use super::incoming::{Reading, TraceHeaders};
use super::traceparent::{self, TRACEPARENT, Traceparent};
use super::tracestate::{self, TRACESTATE};
use crate::edits::{Edit, HeaderEdits};

/// The formats in which the upstream is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Propagation {
    /// `traceparent`.
    pub w3c: bool,
    /// `b3`.
    pub b3: bool,
    /// `x-b3-*`.
    pub b3_parts: bool,
}

/// What becomes of what came in a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
    IsWritten(TraceContext),
}

impl Propagation {
    /// Asks for the changes that let the upstream know of the trace.
    pub fn tell(&self, trace: Option<TraceContext>, incoming: &TraceHeaders<'_>, edits: &mut HeaderEdits) {
        let mut new = Vec::new();
        let traceparent = incoming.traceparent();
        match fate(self.w3c, trace, traceparent, |came| came.is_known_version.then_some(came.context)) {
            Fate::Stays => {}
            Fate::Goes => edits.remove(TRACEPARENT),
            Fate::IsWritten(trace) => {
                write(TRACEPARENT, traceparent::write(&trace), traceparent == Reading::Absent, edits, &mut new);
            }
        }
        self.tell_state(trace, traceparent, incoming, edits);
        let single = incoming.b3();
        match fate(self.b3, trace, single, |came| came.context) {
            Fate::Stays => {}
            Fate::Goes => edits.remove(b3::SINGLE),
            Fate::IsWritten(trace) => write(b3::SINGLE, b3::write(&trace), single == Reading::Absent, edits, &mut new),
        }
        let parts = incoming.b3_parts();
        match fate(self.b3_parts, trace, parts, |came| came.context) {
            Fate::Stays => {}
            Fate::Goes => b3::MULTI.into_iter().for_each(|part| edits.remove(part)),
            Fate::IsWritten(trace) => {
                for (name, value) in b3::MULTI.into_iter().zip(b3::write_parts(&trace)) {
                    match value {
                        Some(value) => write(name, value, parts == Reading::Absent, edits, &mut new),
                        None if parts != Reading::Absent => edits.remove(name),
                        None => {}
                    }
                }
            }
        }
        edits.extend_new(&new.into());
    }

    fn tell_state(
        &self,
        trace: Option<TraceContext>,
        traceparent: Reading<Traceparent>,
        incoming: &TraceHeaders<'_>,
        edits: &mut HeaderEdits,
    ) {
        let lines = &incoming.tracestate[..];
        if lines.is_empty() {
            return;
        }
        let is_its = traceparent
            .valid()
            .is_some_and(|came| !self.w3c || trace.is_some_and(|trace| trace.trace.is_same(came.context.trace)));
        match tracestate::combine(lines).filter(|list| is_its && !list.is_empty()) {
            None => edits.remove(TRACESTATE),
            Some(list) if lines.iter().any(|line| line.trim_ascii().is_empty()) => edits.set(TRACESTATE, list),
            Some(_) => {}
        }
    }
}

fn fate<T: Copy>(
    is_wanted: bool,
    trace: Option<TraceContext>,
    came: Reading<T>,
    context: impl FnOnce(T) -> Option<TraceContext>,
) -> Fate {
    match (came, trace.filter(|_| is_wanted)) {
        (Reading::Valid(came), Some(trace)) if context(came).is_some_and(|came| came.agrees(&trace)) => Fate::Stays,
        (_, Some(trace)) => Fate::IsWritten(trace),
        (Reading::Malformed, None) => Fate::Goes,
        (Reading::Absent | Reading::Valid(_), None) => Fate::Stays,
    }
}

fn write(name: &str, value: String, is_new: bool, edits: &mut HeaderEdits, new: &mut Vec<Edit>) {
    let value: Rc<str> = value.into();
    if is_new { new.push(Edit::Set(name.into(), value)) } else { edits.set(name, value) }
}
