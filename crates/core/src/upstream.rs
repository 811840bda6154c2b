//! The stage that gives a request the gateway's own credential for the service behind it.
//!
//! For a request that is not refused, the first entry that it matches says which: a secret, or an access token that the authorization
//! server issues to the gateway (RFC 6749 section 4.4). It replaces whatever the header held, also what a stage before this one put
//! there. The stage comes last: a caller has been authenticated by then, and is refused by others.
//!
//! The protocol of access tokens. Each worker fetches its own, in the background, when it starts; a new one when four fifths of the
//! last one's time have gone. A request that needs one while there is none waits for the fetch under way. After a failure the next
//! fetch is due in 1, 2, 4… seconds, at most one minute; a token that still holds is used till its end. Tokens are not put into the
//! proxy's shared data, which whoever runs under the same VM id can read.
//!
//! Nothing goes on without its credential. Refused: a request while there is no token and no fetch under way
//! (`upstream_credential_unavailable`); one of which it cannot be told whether an entry is for it, because it may be understood in
//! more than one way (`request_malformed`). What gives a credential away is read as strictly as what lets somebody in.

mod client;
mod form;
mod policy;
mod reports;
mod token_response;

use std::rc::Rc;

pub use policy::{Policy, destinations};

use client::{Client, Credential};
use policy::{Concern, Source};
use reports::Reports;
use token_response::TokenError;

use crate::edits::Edit;
use crate::metrics::Callout;
use crate::rejection::Rejection;
use crate::stage::{Due, Exchange, FetchId, FetchOutcome, Message, Needs, Observer, SharedData, Stage, Surroundings, Verdict};
use crate::time::UnixTime;

/// The stage.
#[derive(Debug)]
pub struct UpstreamCredentials {
    policy: Policy,
    clients: Vec<Client>,
    reports: Reports,
}

impl UpstreamCredentials {
    /// The stage under a policy.
    #[must_use]
    pub fn new(mut policy: Policy) -> Self {
        let clients = std::mem::take(&mut policy.clients);
        Self { reports: Reports::new(clients.len()), policy, clients }
    }

    /// The header's value for a source.
    fn credential(&self, source: &Source, now: UnixTime) -> Result<Rc<str>, Verdict> {
        let unavailable = || Err(Verdict::Refuse(Rejection::UpstreamCredentialUnavailable.into()));
        match source {
            Source::Secret(value) => Ok(Rc::clone(value)),
            Source::Unknown => unavailable(),
            Source::Client(index) => match self.clients.get(*index).map(|client| client.credential(now)) {
                Some(Credential::Ready(value)) => Ok(Rc::clone(value)),
                Some(Credential::Pending) => Err(Verdict::Wait(FetchId(*index))),
                Some(Credential::Unavailable) | None => unavailable(),
            },
        }
    }
}

impl Stage for UpstreamCredentials {
    fn needs(&self) -> Needs {
        Needs { route_name: self.policy.needs_route_name(), ..Needs::default() }
    }

    fn observes(&self) -> bool {
        false
    }

    fn on_request(&mut self, exchange: &mut Exchange, now: UnixTime, _around: &mut dyn Surroundings) -> Verdict {
        if exchange.decision.as_ref().is_some_and(|decision| !decision.lets_pass()) {
            return Verdict::Continue;
        }
        let entry = match self.policy.concern(exchange) {
            Concern::Nobody => return Verdict::Continue,
            Concern::Unclear => return Verdict::Refuse(Rejection::RequestMalformed.into()),
            Concern::Entry(entry) => entry,
        };
        let Some(received) = entry.owned.received(exchange.request.headers()) else {
            return Verdict::Refuse(Rejection::RequestMalformed.into());
        };
        let value = match self.credential(&entry.source, now) {
            Ok(value) => value,
            Err(verdict) => return verdict,
        };
        let header = entry.carrier.header();
        received.into_iter().filter(|name| **name != **header).for_each(|name| exchange.edits.remove(name));
        exchange.edits.push(Edit::Set(Rc::clone(header), value));
        Verdict::Continue
    }

    fn due(&mut self, now: UnixTime, _shared: &mut dyn SharedData) -> Due {
        let mut due = Due::default();
        for (index, client) in self.clients.iter_mut().enumerate() {
            let (fetch, is_lost) = client.due(now);
            due.fetches.extend(fetch);
            if is_lost {
                due.settled.push(FetchId(index));
                due.messages.extend(self.reports.fetched(index, client.label(), Err(TokenError::Lost)));
            }
        }
        due
    }

    fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime, _shared: &mut dyn SharedData) -> Option<Message> {
        let client = self.clients.get_mut(id.0)?;
        let result = client.on_fetched(outcome, now);
        self.reports.fetched(id.0, client.label(), result)
    }

    fn callout(&self, _fetch: FetchId) -> Option<Callout> {
        Some(Callout::Credential)
    }

    fn callout_about(&self, fetch: FetchId) -> Option<Rc<str>> {
        Some(Rc::clone(self.clients.get(fetch.0)?.label()))
    }

    fn on_tick(&mut self, _now: UnixTime, observer: &mut dyn Observer) {
        self.reports.show(&self.clients, observer);
    }
}

#[cfg(test)]
mod tests;
