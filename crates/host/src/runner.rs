//! Runs the stages of one configuration over requests, and carries out what they decide.
//!
//! For a request, in this order: read (headers once, time, what the stages need) → ask the stages, each in turn → hold the
//! request while one waits, and ask again from there → settle: publish who is calling, write headers, then answer or let go.
//! Nothing is written before everything is decided. The first refusal counts; the stages after it still run, so that what
//! they remove is removed.

mod draining;
mod fetches;
mod log;
mod reading;
mod responding;
mod settling;

use std::rc::Rc;
use std::time::Duration;

use portcullis_core::answer::{LocalReply, Refusal};
use portcullis_core::health::Health;
use portcullis_core::rejection::Rejection;
use portcullis_core::request::Request;
use portcullis_core::stage::{Exchange, FetchId, Stage, Surroundings, Verdict};
use portcullis_core::time::UnixTime;

use crate::error::Error;
use crate::observer::ProxyObserver;
use crate::proxy::Proxy;
use crate::root::Root;
use crate::severity::Severity;
use crate::stream::{self, Phase, Stream, Wait};
use crate::surroundings::ProxySurroundings;

pub use settling::refuse_without_policy;

/// How often a request is asked about at once, because a fetch that it waits for could not even be sent.
const MAX_ASKS: usize = 4;

/// How long a request is held at most. Stages give up earlier; this is the end where one does not.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// A waiting request younger than this is not asked about on a tick.
const MIN_TICK_WAIT: Duration = Duration::from_secs(1);

/// What the proxy does with a request after the callback for its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Passes it on to the next filter.
    Continue,
    /// Holds it.
    Pause,
}

impl Action {
    /// The number that the callback returns.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Continue => 0,
            // "Stop all iteration and watermark". The interface's own number for a pause, 1, lets a body carry the request on
            // where the operator set `allow_on_headers_stop_iteration`.
            Self::Pause => 4,
        }
    }
}

/// What the stages say to a request.
enum Asked {
    /// All were asked; the refusal, if there is one.
    Decided(Option<Refusal>),
    /// One answers with something that is for everyone.
    Answered(Rc<LocalReply>),
    /// One wants to wait.
    Wait(usize, FetchId),
}

/// One configuration, and the proxy in which it runs.
#[derive(Debug)]
pub struct Runner<'a, P> {
    /// The proxy.
    pub proxy: &'a P,
    /// The configuration.
    pub root: &'a Root,
}

impl<P: Proxy> Runner<'_, P> {
    /// Decides about a request whose headers came.
    pub fn on_request(&self, stream: &Rc<Stream>) -> Action {
        if stream.phase() != Phase::Created {
            return Action::Pause;
        }
        // Most exchanges end where they begin, and are never put anywhere else.
        let Ok(mut slot) = stream.exchange.try_borrow_mut() else { return Action::Pause };
        let mut exchange = Exchange::new(Request::default(), None);
        let phase = match self.read_request(&mut exchange) {
            Ok(now) => self.advance(stream, &mut exchange, 0, now, now),
            Err(error) => {
                self.report("a request was refused", error);
                self.settle(&mut exchange, Some(Refusal::from(Rejection::HostError)))
            }
        };
        let phase = self.enter_phase(stream, phase);
        if self.asks_again(stream) {
            *slot = Some(Box::new(exchange));
        } else {
            stream::forget(exchange);
        }
        match phase {
            Phase::Passed => Action::Continue,
            _ => Action::Pause,
        }
    }

    /// Whether somebody asks again for what is known of a request. If not, it is not kept for as long as the request lives: that may
    /// be days.
    fn asks_again(&self, stream: &Stream) -> bool {
        !self.root.observers.is_empty() || stream.wait().is_some()
    }

    /// Asks again about a request that is held. The caller has made the request's context the effective one.
    fn resume(&self, stream: &Rc<Stream>, wait: Wait, now: UnixTime) {
        self.decide_again(stream, wait, now);
        if !self.asks_again(stream) {
            stream.forget();
        }
    }

    fn decide_again(&self, stream: &Rc<Stream>, wait: Wait, now: UnixTime) {
        let Ok(mut slot) = stream.exchange.try_borrow_mut() else { return };
        let Some(exchange) = slot.as_mut() else { return };
        let phase = if now.since(wait.since) > MAX_WAIT {
            self.give_up(exchange, wait.stage, now)
        } else {
            self.advance(stream, exchange, wait.stage, wait.since, now)
        };
        if self.enter_phase(stream, phase) == Phase::Passed
            && let Err(error) = self.proxy.resume()
        {
            self.report("a request that may pass is stuck", error);
            stream.set_phase(Phase::Unanswered);
            let _ = self.proxy.reset();
        }
    }

    fn enter_phase(&self, stream: &Rc<Stream>, phase: Phase) -> Phase {
        let has_waited = stream.wait().is_some();
        stream.set_phase(phase);
        let phase = stream.phase();
        match phase {
            Phase::Waiting(_) => self.root.add_waiting(stream),
            _ if has_waited => self.root.remove_waiting(stream.id),
            _ => {}
        }
        phase
    }

    /// Asks the stages from the given one on, until all have decided or one has to wait for something that is under way.
    fn advance(&self, stream: &Stream, exchange: &mut Exchange, from: usize, since: UnixTime, now: UnixTime) -> Phase {
        let mut from = from;
        for _ in 0..MAX_ASKS {
            match self.ask(exchange, from, None, now) {
                Asked::Decided(refusal) => return self.settle(exchange, refusal),
                Asked::Answered(reply) => return self.serve(exchange, &reply),
                Asked::Wait(stage, fetch) => {
                    if self.send_due_for(stream, exchange, stage, fetch, now) {
                        return Phase::Waiting(Wait { stage, fetch, since });
                    }
                    from = stage;
                }
            }
        }
        self.give_up(exchange, from, now)
    }

    /// Refuses a request that waited in vain at this stage; the stages after it still run.
    fn give_up(&self, exchange: &mut Exchange, stage: usize, now: UnixTime) -> Phase {
        let refusal = Refusal::from(Rejection::KeysUnavailable);
        match self.ask(exchange, stage.saturating_add(1), Some(refusal.clone()), now) {
            Asked::Decided(refusal) => self.settle(exchange, refusal),
            Asked::Answered(_) | Asked::Wait(..) => self.settle(exchange, Some(refusal)),
        }
    }

    fn ask(&self, exchange: &mut Exchange, from: usize, refusal: Option<Refusal>, now: UnixTime) -> Asked {
        // Stages that are at work already mean that the proxy called back out of turn.
        let Ok(mut stages) = self.root.stages.try_borrow_mut() else {
            return Asked::Decided(Some(Refusal::from(Rejection::HostError)));
        };
        ask(&mut stages, exchange, from, refusal, now, &mut ProxySurroundings(self.proxy))
    }

    /// Shows that the configuration is in force, unless it was shown, or is not any more.
    pub fn show_applied(&self) {
        if self.root.draining.get().is_none() {
            self.root.applied.show(&mut ProxyObserver(self.proxy));
        }
    }

    fn report(&self, what: &str, error: Error) {
        self.proxy.log(Severity::Error, &format!("portcullis: {what}: {error}"));
    }
}

fn ask(
    stages: &mut [Box<dyn Stage>],
    exchange: &mut Exchange,
    from: usize,
    mut refusal: Option<Refusal>,
    now: UnixTime,
    around: &mut dyn Surroundings,
) -> Asked {
    for index in from..stages.len() {
        let Some(stage) = stages.get_mut(index) else { break };
        match stage.on_request(exchange, now, around) {
            Verdict::Refuse(other) if refusal.is_none() => refusal = Some(other),
            Verdict::Answer(reply) if refusal.is_none() => return Asked::Answered(reply),
            Verdict::TellHealth(answer) if refusal.is_none() => {
                let mut health = Health::default();
                for stage in stages.iter_mut() {
                    stage.catch_up(now, around);
                    stage.health(now, &mut health);
                }
                return Asked::Answered(Rc::new(answer.reply(&health)));
            }
            Verdict::Wait(fetch) if refusal.is_none() => return Asked::Wait(index, fetch),
            Verdict::Continue | Verdict::Refuse(_) | Verdict::Answer(_) | Verdict::TellHealth(_) | Verdict::Wait(_) => {}
        }
    }
    Asked::Decided(refusal)
}
