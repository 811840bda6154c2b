//! Carries out a decision. The only place where a request is let go.

use portcullis_core::answer::{LocalReply, Refusal};
use portcullis_core::rejection::Rejection;
use portcullis_core::stage::Exchange;

use super::Runner;
use crate::error::Result;
use crate::identity::{DECISION, PRINCIPAL};
use crate::proxy::Proxy;
use crate::severity::Severity;
use crate::stream::Phase;

impl<P: Proxy> Runner<'_, P> {
    /// Publishes, writes headers, then answers or lets go. Whatever fails on the way refuses.
    pub(super) fn settle(&self, exchange: &mut Exchange, refusal: Option<Refusal>) -> Phase {
        let mut refusal = refusal;
        if refusal.is_none() && self.root.publishes_identity() && !exchange.is_allowed() {
            refusal = Some(Refusal::from(Rejection::PolicyMissing));
        }
        exchange.conclude(refusal.as_ref());
        if let Err(error) = self.publish(exchange).and_then(|()| self.write_headers(exchange)) {
            self.report("a request was refused", error);
            if refusal.is_none() {
                refusal = Some(Refusal::from(Rejection::HostError));
                exchange.conclude(refusal.as_ref());
                // The state may say "allow" by now; what cannot be corrected is at least not acted upon.
                let _ = self.publish(exchange);
            }
        }
        match refusal {
            Some(refusal) => self.refuse(exchange, &refusal),
            None => Phase::Passed,
        }
    }

    /// Publishes, then answers with something that is for everyone.
    pub(super) fn serve(&self, exchange: &mut Exchange, reply: &LocalReply) -> Phase {
        match self.publish(exchange) {
            Ok(()) => send(self.proxy, reply),
            Err(error) => {
                self.report("a request was refused", error);
                self.settle(exchange, Some(Refusal::from(Rejection::HostError)))
            }
        }
    }

    /// Tells the modules and access logs after this one, as far as that is wanted. A module that decides nothing tells only of its
    /// own refusals.
    fn publish(&self, exchange: &Exchange) -> Result<()> {
        let Some(decision) = &exchange.decision else { return Ok(()) };
        if self.root.publishes_identity() {
            let wanted = self.root.publication;
            if let Some(identity) = exchange.identity.as_ref().filter(|_| wanted.principal) {
                self.proxy.set_state(PRINCIPAL, identity.json().as_bytes())?;
            }
            if !wanted.decision {
                return Ok(());
            }
        } else if decision.lets_pass() {
            return Ok(());
        }
        self.proxy.set_state(DECISION, &self.root.json_of(decision)?)
    }

    fn write_headers(&self, exchange: &Exchange) -> Result<()> {
        exchange.edits.iter().try_for_each(|edit| self.proxy.edit(edit))
    }

    fn refuse(&self, exchange: &Exchange, refusal: &Refusal) -> Phase {
        answer(self.proxy, refusal, exchange.request.request_id())
    }
}

/// Refuses a request for which there is no configuration.
pub fn refuse_without_policy<P: Proxy>(proxy: &P) -> Phase {
    answer(proxy, &Refusal::from(Rejection::PolicyMissing), None)
}

fn answer<P: Proxy>(proxy: &P, refusal: &Refusal, request_id: Option<&str>) -> Phase {
    send(proxy, &refusal.to_reply(request_id))
}

fn send<P: Proxy>(proxy: &P, reply: &LocalReply) -> Phase {
    match proxy.reply(reply) {
        Ok(()) => Phase::Answered(reply.status),
        Err(error) => {
            proxy.log(Severity::Error, &format!("portcullis: an answer could not be sent: {error}"));
            let _ = proxy.reset();
            Phase::Unanswered
        }
    }
}
