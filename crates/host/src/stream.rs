//! One HTTP exchange: how far it has come, and what is known about it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use portcullis_core::stage::{Exchange, FetchId};
use portcullis_core::time::UnixTime;

use crate::buffers;
use crate::root::Root;

/// How far a request has come. It only ever moves down this list, but for `Waiting`, which may be renewed; so a request is
/// answered at most once, goes on at most once, and never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its headers have not been seen.
    Created,
    /// It is held until a fetch ends.
    Waiting(Wait),
    /// It was answered with this status in place of the upstream.
    Answered(u16),
    /// It was refused, but the answer could not be sent: it stays held.
    Unanswered,
    /// It went on.
    Passed,
    /// The proxy forgot it.
    Gone,
}

/// What a held request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The place of the stage that asked to wait; where its decision goes on.
    pub stage: usize,
    /// The fetch.
    pub fetch: FetchId,
    /// Since when the request is held.
    pub since: UnixTime,
}

/// Forgets what is known about an exchange; the next request's headers find its memory.
pub fn forget(exchange: Exchange) {
    buffers::keep(exchange.request.into_headers().into_bytes());
}

/// One HTTP exchange.
#[derive(Debug)]
pub struct Stream {
    /// The number of its context.
    pub id: u32,
    /// The configuration that it began with, and ends with; absent when there was none, and then it is refused.
    pub root: Option<Rc<Root>>,
    /// What is known about it, as long as somebody will ask for it; absent until its headers are seen.
    pub exchange: RefCell<Option<Box<Exchange>>>,
    phase: Cell<Phase>,
    logged: Cell<bool>,
}

impl Stream {
    /// A stream at its beginning.
    #[must_use]
    pub const fn new(id: u32, root: Option<Rc<Root>>) -> Self {
        Self { id, root, exchange: RefCell::new(None), phase: Cell::new(Phase::Created), logged: Cell::new(false) }
    }

    /// Forgets what is known about it.
    pub fn forget(&self) {
        if let Ok(mut slot) = self.exchange.try_borrow_mut()
            && let Some(exchange) = slot.take()
        {
            forget(*exchange);
        }
    }

    /// How far it has come.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Moves it on. A stream that is gone stays so.
    pub fn set_phase(&self, phase: Phase) {
        if self.phase.get() != Phase::Gone {
            self.phase.set(phase);
        }
    }

    /// What it waits for, if it does.
    #[must_use]
    pub const fn wait(&self) -> Option<Wait> {
        match self.phase.get() {
            Phase::Waiting(wait) => Some(wait),
            _ => None,
        }
    }

    /// Whether this is the first time that its end is told.
    #[must_use]
    pub fn is_first_log(&self) -> bool {
        !self.logged.replace(true)
    }
}
