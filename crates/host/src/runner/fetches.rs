//! Sends the fetches that stages want, gives them the outcomes, and asks again about the requests that waited.
//!
//! Where another worker fetches, nobody tells this one when it is done. While requests wait here for such a fetch, the ticks
//! come quickly; otherwise as seldom as the stages can do with.

use std::time::Duration;

use portcullis_core::delivery::retry_after;
use portcullis_core::headers::Headers;
use portcullis_core::keyring::max_age;
use portcullis_core::stage::{Due, Exchange, Fetch, FetchId, FetchOutcome, MAX_FETCHED_BYTES, Message, TICK_PERIOD};
use portcullis_core::time::UnixTime;
use portcullis_core::tracing::{CalloutTrace, Span, SpanEnd, TraceContext};

use super::{MIN_TICK_WAIT, Runner};
use crate::error::Result;
use crate::observer::ProxyObserver;
use crate::proxy::Proxy;
use crate::root::Call;
use crate::stream::{Stream, Wait};
use crate::surroundings::ProxySurroundings;

/// Time between two ticks while requests wait for what another worker fetches.
const QUICK_TICK_PERIOD: Duration = Duration::from_millis(20);

impl<P: Proxy> Runner<'_, P> {
    /// Sends what is due and asks again about requests that have waited a while. Runs in the root's context.
    pub fn on_tick(&self) {
        self.show_applied();
        let Ok(now) = self.proxy.now() else { return };
        let stages = self.root.stages.try_borrow().map_or(0, |stages| stages.len());
        for stage in 0..stages {
            self.send_due(stage, now);
        }
        self.ask_again(now, |wait| now.since(wait.since) >= MIN_TICK_WAIT);
        if let Ok(mut stages) = self.root.stages.try_borrow_mut() {
            let mut observer = ProxyObserver(self.proxy);
            stages.iter_mut().for_each(|stage| stage.on_tick(now, &mut observer));
        }
        self.set_pace();
    }

    /// Takes the outcome of a fetch. Runs in the root's context. An unknown token is none of this configuration's: nothing happens.
    pub fn on_fetched(&self, call: Call, num_headers: usize, body_size: usize) {
        let Ok(now) = self.proxy.now() else { return };
        let outcome = if num_headers == 0 { FetchOutcome::Lost } else { self.read_outcome(body_size, now) };
        let end = SpanEnd::of(&outcome, now);
        self.tell(call.stage, call.fetch, outcome, Some(now.since(call.sent)), now);
        if let (Some(span), Ok(mut stages)) = (&call.span, self.root.stages.try_borrow_mut()) {
            stages.iter_mut().for_each(|stage| stage.on_span(span, end));
        }
        // One fetch may be followed by another: the document that says where the keys are, by the keys.
        self.send_due(call.stage, now);
        self.ask_again(now, |wait| wait.stage == call.stage && wait.fetch == call.fetch);
    }

    fn read_outcome(&self, body_size: usize, now: UnixTime) -> FetchOutcome {
        let answered = || -> Result<Option<FetchOutcome>> {
            let headers = self.proxy.fetched_headers()?;
            let Some(status) = status(&headers) else { return Ok(None) };
            let limit = MAX_FETCHED_BYTES.saturating_add(1);
            let body = if body_size == 0 { Vec::new() } else { self.proxy.fetched_body(limit.min(body_size))? };
            let (max_age, retry_after) = (max_age(&headers), retry_after(&headers, now));
            Ok(Some(FetchOutcome::Answered { status, max_age, retry_after, body }))
        };
        match answered() {
            Ok(Some(outcome)) => outcome,
            Ok(None) => FetchOutcome::Lost,
            Err(error) => {
                self.report("the answer to a fetch cannot be read", error);
                FetchOutcome::Lost
            }
        }
    }

    fn ask_again(&self, now: UnixTime, is_meant: impl Fn(&Wait) -> bool) {
        for stream in self.root.waiting() {
            let Some(wait) = stream.wait().filter(|wait| is_meant(wait)) else { continue };
            // While its context cannot be entered nothing can be done for the stream; the next tick tries again.
            if self.proxy.enter(stream.id).is_ok() {
                self.resume(&stream, wait, now);
            }
        }
        let _ = self.proxy.enter(self.root.id);
    }

    /// Sends, from the stream's context, what is due for a stage; whether the request has something to wait for. If not, it is to be
    /// asked again at once.
    pub(super) fn send_due_for(&self, stream: &Stream, exchange: &Exchange, stage: usize, fetch: FetchId, now: UnixTime) -> bool {
        let due = self.due(stage, now);
        self.log(due.messages);
        let is_settled = due.settled.contains(&fetch);
        if due.fetches.is_empty() && (is_settled || self.root.is_calling(stage, fetch)) {
            return !is_settled;
        }
        // A fetch sent by the stream would be cancelled with it, and others may wait for the same one.
        let sent = match self.proxy.enter(self.root.id) {
            Ok(()) => {
                let sent = self.send_all(stage, due.fetches, Some((fetch, exchange)), now);
                if !self.root.is_calling(stage, fetch) {
                    self.tick_every(QUICK_TICK_PERIOD);
                }
                sent
            }
            Err(error) => {
                self.report("a fetch was not sent", error);
                let is_empty = due.fetches.is_empty();
                self.drop_all(stage, due.fetches, now);
                is_empty
            }
        };
        // Where the way back is lost, nothing may be done to the request from here: it waits for the next tick.
        self.proxy.enter(stream.id).is_err() || (sent && !is_settled)
    }

    /// Sends, from the root's context, what is due for a stage, and asks again about the requests for which something came.
    pub(super) fn send_due(&self, stage: usize, now: UnixTime) {
        let due = self.due(stage, now);
        self.log(due.messages);
        self.send_all(stage, due.fetches, None, now);
        if !due.settled.is_empty() {
            self.ask_again(now, |wait| wait.stage == stage && due.settled.contains(&wait.fetch));
        }
    }

    fn due(&self, stage: usize, now: UnixTime) -> Due {
        let Ok(mut stages) = self.root.stages.try_borrow_mut() else { return Due::default() };
        stages.get_mut(stage).map(|stage| stage.due(now, &mut ProxySurroundings(self.proxy))).unwrap_or_default()
    }

    /// Makes the ticks come as often as the requests that wait need them.
    fn set_pace(&self) {
        let is_called = |wait: Wait| self.root.is_calling(wait.stage, wait.fetch);
        let polls = self.root.waiting().iter().filter_map(|stream| stream.wait()).any(|wait| !is_called(wait));
        let usual = self.root.usual_tick_period.unwrap_or(TICK_PERIOD);
        self.tick_every(if polls { QUICK_TICK_PERIOD } else { usual });
    }

    fn tick_every(&self, period: Duration) {
        if self.root.tick_period.get() == period {
            return;
        }
        match self.proxy.set_tick_period(period) {
            Ok(()) => self.root.tick_period.set(period),
            Err(error) => self.report("the ticks come as often as before", error),
        }
    }

    /// Sends fetches of a stage, one of which a request asked for that is at hand.
    fn send_all(&self, stage: usize, due: Vec<Fetch>, asked: Option<(FetchId, &Exchange)>, now: UnixTime) -> bool {
        let mut all_sent = true;
        for fetch in due {
            let asking = asked.filter(|(id, _)| *id == fetch.id).and_then(|(_, exchange)| exchange.trace());
            let (trace, headers) = self.trace(asking.or_else(|| self.waiting_for(stage, fetch.id)));
            match self.proxy.send(&fetch, &headers) {
                Ok(token) => {
                    let span = trace.filter(|trace| trace.is_span).and_then(|trace| self.span(&trace, stage, &fetch, now));
                    self.root.add_call(Call { token, stage, fetch: fetch.id, sent: now, span });
                }
                Err(error) => {
                    self.report(&format!("a fetch from the cluster {} was not sent", fetch.cluster), error);
                    self.tell(stage, fetch.id, FetchOutcome::NotSent, None, now);
                    all_sent = false;
                }
            }
        }
        all_sent
    }

    /// The trace of a request that waits for this fetch since before.
    fn waiting_for(&self, stage: usize, fetch: FetchId) -> Option<TraceContext> {
        let waiting = self.root.waiting();
        let stream =
            waiting.iter().find(|stream| stream.wait().is_some_and(|wait| wait.stage == stage && wait.fetch == fetch))?;
        let exchange = stream.exchange.try_borrow().ok()?;
        exchange.as_ref()?.trace()
    }

    /// The part of a trace that the next fetch has, and the headers that say so.
    fn trace(&self, cause: Option<TraceContext>) -> (Option<CalloutTrace>, Vec<(&'static str, String)>) {
        let Ok(mut traces) = self.root.callout_traces.try_borrow_mut() else { return (None, Vec::new()) };
        let trace = traces.next(cause);
        let headers = trace.map(|trace| traces.headers(&trace)).unwrap_or_default();
        (trace, headers)
    }

    fn span(&self, trace: &CalloutTrace, stage: usize, fetch: &Fetch, now: UnixTime) -> Option<Span> {
        let stages = self.root.stages.try_borrow().ok()?;
        let stage = stages.get(stage)?;
        Some(Span::begin(trace.context, stage.callout(fetch.id)?, stage.callout_about(fetch.id), fetch, now))
    }

    fn drop_all(&self, stage: usize, due: Vec<Fetch>, now: UnixTime) {
        for fetch in due {
            self.tell(stage, fetch.id, FetchOutcome::NotSent, None, now);
        }
    }

    /// Tells a stage what became of a fetch, after the time that it took if it was sent.
    fn tell(&self, stage: usize, fetch: FetchId, outcome: FetchOutcome, took: Option<Duration>, now: UnixTime) {
        let message = match self.root.stages.try_borrow_mut() {
            Ok(mut stages) => stages.get_mut(stage).and_then(|stage| {
                if let Some(callout) = stage.callout(fetch)
                    && let Ok(mut callouts) = self.root.callouts.try_borrow_mut()
                {
                    callouts.ended(callout, &outcome, took, &mut ProxyObserver(self.proxy));
                }
                stage.on_fetched(fetch, outcome, now, &mut ProxySurroundings(self.proxy))
            }),
            Err(_) => None,
        };
        self.log(message);
    }

    fn log(&self, messages: impl IntoIterator<Item = Message>) {
        for Message { level, text } in messages {
            self.proxy.log(level.into(), &format!("portcullis: {text}"));
        }
    }
}

fn status(headers: &Headers) -> Option<u16> {
    let status = headers.single(":status").ok()??;
    std::str::from_utf8(status).ok()?.parse().ok()
}
