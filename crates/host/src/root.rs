//! One configuration of a plugin: its stages, the fetches that are under way, and the requests that wait for them.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use portcullis_core::decision::Decision;
use portcullis_core::metrics::{AppliedConfig, Callouts};
use portcullis_core::module::Loaded;
use portcullis_core::publication::Publication;
use portcullis_core::recent::Recent;
use portcullis_core::stage::{FetchId, Needs, Stage, TICK_PERIOD};
use portcullis_core::time::UnixTime;
use portcullis_core::tracing::{CalloutTraces, Span};

use crate::error::{Error, Result};
use crate::identity::{IdentitySource, Understand};
use crate::plugin::Plugin;
use crate::stream::Stream;

/// How many decisions are at hand as JSON; to write one takes 0.5 µs.
const MAX_RECENT: usize = 64;

/// A fetch that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What the proxy calls it.
    pub token: u32,
    /// The place of the stage that wants it.
    pub stage: usize,
    /// What the stage calls it.
    pub fetch: FetchId,
    /// When it was sent.
    pub sent: UnixTime,
    /// Its span, where it is told of.
    pub span: Option<Span>,
}

/// One configuration of a plugin. Streams that began with it hold on to it after an update.
pub struct Root {
    /// The number of its context.
    pub id: u32,
    /// What is shown of it.
    pub applied: AppliedConfig,
    identity: IdentitySource,
    /// What of the identity is written to filter state then.
    pub publication: Publication,
    /// The places of the stages that are told how requests end. Where there are any, what is known of a request must be kept till then.
    pub observers: Vec<usize>,
    /// What its stages want to be read from the proxy.
    pub needs: Needs,
    /// Whether any of its stages decides about requests. Where none does, they go by unseen until they end.
    pub decides: bool,
    /// The stages, in the order in which they run.
    pub stages: RefCell<Vec<Box<dyn Stage>>>,
    /// The longest time between two ticks that its stages can do with; `None` when they need none.
    pub usual_tick_period: Option<Duration>,
    /// The time between two ticks that the proxy was asked for.
    pub tick_period: Cell<Duration>,
    /// Since when it is out of force and only sends what it still has; absent while it is in force.
    pub draining: Cell<Option<UnixTime>>,
    /// Whether its stages were told that it is out of force.
    pub is_closed: Cell<bool>,
    /// How the fetches go.
    pub callouts: RefCell<Callouts>,
    /// What the fetches say of traces.
    pub callout_traces: RefCell<CalloutTraces>,
    calls: RefCell<Vec<Call>>,
    waiting: RefCell<Vec<Rc<Stream>>>,
    decisions: RefCell<Recent<Decision, Rc<[u8]>>>,
}

impl Root {
    /// A configuration of a plugin with what its document became.
    #[must_use]
    pub fn new(id: u32, applied: AppliedConfig, loaded: Loaded, plugin: &Plugin) -> Self {
        let Loaded { stages, publication, callout_traces, .. } = loaded;
        let needs = stages.iter().fold(Needs::default(), |needs, stage| needs.and(stage.needs()));
        let identifies = matches!(plugin.identity, IdentitySource::Stages);
        let decides = identifies || stages.iter().any(|stage| stage.decides());
        let periods = stages.iter().filter_map(|stage| stage.tick_period());
        let is_told = plugin.callbacks.log || plugin.callbacks.log_and_send;
        let observers = (0..).zip(&stages).filter(|(_, stage)| is_told && stage.observes()).map(|(place, _)| place).collect();
        let usual_tick_period = periods.chain(identifies.then_some(TICK_PERIOD)).min();
        Self {
            id,
            applied,
            identity: plugin.identity,
            publication,
            observers,
            needs,
            decides,
            stages: RefCell::new(stages),
            usual_tick_period,
            tick_period: Cell::new(usual_tick_period.unwrap_or(TICK_PERIOD)),
            draining: Cell::new(None),
            is_closed: Cell::new(false),
            callouts: RefCell::default(),
            callout_traces: RefCell::new(callout_traces),
            calls: RefCell::new(Vec::new()),
            waiting: RefCell::new(Vec::new()),
            decisions: RefCell::new(Recent::new(MAX_RECENT)),
        }
    }

    /// Whether its stages decide who is calling.
    #[must_use]
    pub const fn publishes_identity(&self) -> bool {
        matches!(self.identity, IdentitySource::Stages)
    }

    /// What understands an identity in filter state, where it is read from there: some stage wants it, and none decides it.
    #[must_use]
    pub const fn identity_reader(&self) -> Option<Understand> {
        match self.identity {
            IdentitySource::FilterState(understand) if self.needs.upstream_identity => Some(understand),
            IdentitySource::FilterState(_) | IdentitySource::Stages => None,
        }
    }

    /// A decision as JSON.
    ///
    /// # Errors
    /// None that a decision can cause: it is text and one boolean.
    pub fn json_of(&self, decision: &Decision) -> Result<Rc<[u8]>> {
        const CALL: &str = "set_property";
        let mut known = self.decisions.try_borrow_mut().map_err(|_| Error::malformed(CALL))?;
        if let Some(json) = known.find(|other| other == decision) {
            return Ok(Rc::clone(json));
        }
        let json: Rc<[u8]> = serde_json::to_vec(decision).map_err(|_| Error::malformed(CALL))?.into();
        known.keep(decision.clone(), Rc::clone(&json));
        Ok(json)
    }

    /// Remembers a fetch that was sent.
    pub fn add_call(&self, call: Call) {
        if let Ok(mut calls) = self.calls.try_borrow_mut() {
            calls.push(call);
        }
    }

    /// Forgets the fetch with this token and returns it; `None` when it is not one of this configuration.
    pub fn take_call(&self, token: u32) -> Option<Call> {
        let mut calls = self.calls.try_borrow_mut().ok()?;
        let index = calls.iter().position(|call| call.token == token)?;
        Some(calls.swap_remove(index))
    }

    /// Whether a fetch is under way.
    #[must_use]
    pub fn is_calling(&self, stage: usize, fetch: FetchId) -> bool {
        self.calls.try_borrow().is_ok_and(|calls| calls.iter().any(|call| call.stage == stage && call.fetch == fetch))
    }

    /// Remembers a stream that waits.
    pub fn add_waiting(&self, stream: &Rc<Stream>) {
        if let Ok(mut waiting) = self.waiting.try_borrow_mut()
            && !waiting.iter().any(|other| other.id == stream.id)
        {
            waiting.push(Rc::clone(stream));
        }
    }

    /// The streams that wait, oldest first.
    #[must_use]
    pub fn waiting(&self) -> Vec<Rc<Stream>> {
        self.waiting.try_borrow().map(|waiting| waiting.clone()).unwrap_or_default()
    }

    /// Forgets a stream that waits no more.
    pub fn remove_waiting(&self, id: u32) {
        if let Ok(mut waiting) = self.waiting.try_borrow_mut() {
            waiting.retain(|stream| stream.id != id);
        }
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Root").field("id", &self.id).field("needs", &self.needs).finish_non_exhaustive()
    }
}
