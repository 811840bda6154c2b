//! Sends the fetches that stages want, gives them the outcomes, and asks again about the requests that waited.

use portcullis_core::headers::Headers;
use portcullis_core::stage::{Fetch, FetchId, FetchOutcome, MAX_FETCHED_BYTES};
use portcullis_core::time::UnixTime;

use super::{MIN_TICK_WAIT, Runner};
use crate::error::Result;
use crate::proxy::Proxy;
use crate::root::Call;
use crate::stream::{Stream, Wait};

impl<P: Proxy> Runner<'_, P> {
    /// Sends what is due and asks again about requests that have waited a while. Runs in the root's context.
    pub fn on_tick(&self) {
        let Ok(now) = self.proxy.now() else { return };
        let stages = self.root.stages.try_borrow().map_or(0, |stages| stages.len());
        for stage in 0..stages {
            let due = self.due(stage, now);
            self.send_all(stage, due, now);
        }
        self.ask_again(now, |wait| now.since(wait.since) >= MIN_TICK_WAIT);
    }

    /// Takes the outcome of a fetch. Runs in the root's context. An unknown token is none of this configuration's: nothing happens.
    pub fn on_fetched(&self, call: Call, num_headers: usize, body_size: usize) {
        let Ok(now) = self.proxy.now() else { return };
        let outcome = if num_headers == 0 { FetchOutcome::Lost } else { self.read_outcome(body_size) };
        self.tell(call.stage, call.fetch, outcome, now);
        self.ask_again(now, |wait| wait.stage == call.stage && wait.fetch == call.fetch);
    }

    fn read_outcome(&self, body_size: usize) -> FetchOutcome {
        let answered = || -> Result<Option<FetchOutcome>> {
            let Some(status) = status(&self.proxy.fetched_headers()?) else { return Ok(None) };
            let limit = MAX_FETCHED_BYTES.saturating_add(1);
            let body = if body_size == 0 { Vec::new() } else { self.proxy.fetched_body(limit.min(body_size))? };
            Ok(Some(FetchOutcome::Answered { status, body }))
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

    /// Sends, from the stream's context, what is due for a stage; whether all of it was sent.
    pub(super) fn send_due_for(&self, stream: &Stream, stage: usize, now: UnixTime) -> bool {
        let due = self.due(stage, now);
        if due.is_empty() {
            return true;
        }
        // A fetch sent by the stream would be cancelled with it, and others may wait for the same one.
        let sent = match self.proxy.enter(self.root.id) {
            Ok(()) => self.send_all(stage, due, now),
            Err(error) => {
                self.report("a fetch was not sent", error);
                self.drop_all(stage, due, now);
                false
            }
        };
        // Where the way back is lost, nothing may be done to the request from here: it waits for the next tick.
        self.proxy.enter(stream.id).is_err() || sent
    }

    fn due(&self, stage: usize, now: UnixTime) -> Vec<Fetch> {
        let Ok(mut stages) = self.root.stages.try_borrow_mut() else { return Vec::new() };
        stages.get_mut(stage).map(|stage| stage.due_fetches(now)).unwrap_or_default()
    }

    fn send_all(&self, stage: usize, due: Vec<Fetch>, now: UnixTime) -> bool {
        let mut all_sent = true;
        for fetch in due {
            match self.proxy.send(&fetch) {
                Ok(token) => self.root.add_call(Call { token, stage, fetch: fetch.id }),
                Err(error) => {
                    self.report(&format!("a fetch from the cluster {} was not sent", fetch.cluster), error);
                    self.tell(stage, fetch.id, FetchOutcome::NotSent, now);
                    all_sent = false;
                }
            }
        }
        all_sent
    }

    fn drop_all(&self, stage: usize, due: Vec<Fetch>, now: UnixTime) {
        for fetch in due {
            self.tell(stage, fetch.id, FetchOutcome::NotSent, now);
        }
    }

    fn tell(&self, stage: usize, fetch: FetchId, outcome: FetchOutcome, now: UnixTime) {
        let message = match self.root.stages.try_borrow_mut() {
            Ok(mut stages) => stages.get_mut(stage).and_then(|stage| stage.on_fetched(fetch, outcome, now)),
            Err(_) => None,
        };
        if let Some((level, message)) = message {
            self.proxy.log(level.into(), &format!("portcullis: {message}"));
        }
    }
}

fn status(headers: &Headers) -> Option<u16> {
    let status = headers.single(":status").ok()??;
    std::str::from_utf8(status).ok()?.parse().ok()
}
