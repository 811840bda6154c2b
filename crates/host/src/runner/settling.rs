//! Carries out a decision. The only place where a request is let go.

use portcullis_core::answer::{LocalReply, Refusal};
use portcullis_core::edits::Edit;
use portcullis_core::rejection::Rejection;
use portcullis_core::stage::Exchange;
use portcullis_core::stripped::Stripped;

use super::Runner;
use crate::error::{Error, Result};
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
        let passes = refusal.is_none();
        if let Err(error) = self.publish(exchange).and_then(|()| self.write_headers(exchange, passes)) {
            self.report("a request was refused", error);
            if passes {
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
        } else if decision.lets_pass() && !exchange.stripped.is_news() {
            return Ok(());
        }
        let json = self.root.json_of(decision)?;
        if exchange.stripped.names().is_empty() {
            return self.proxy.set_state(DECISION, &json);
        }
        self.proxy.set_state(DECISION, &with_stripped(&json, &exchange.stripped)?)
    }

    fn write_headers(&self, exchange: &Exchange, passes: bool) -> Result<()> {
        exchange.edits.writes().try_for_each(|(edit, is_new)| match edit {
            Edit::Set(name, value) if is_new => self.proxy.add_header(name, value),
            edit => self.proxy.edit(edit),
        })?;
        if passes && exchange.clears_route_cache { self.proxy.clear_route_cache() } else { Ok(()) }
    }

    fn refuse(&self, exchange: &Exchange, refusal: &Refusal) -> Phase {
        send(self.proxy, &refusal.to_reply(exchange.request.request_id(), exchange.trace_id()))
    }
}

/// A decision's JSON with the headers that were removed.
fn with_stripped(json: &[u8], stripped: &Stripped) -> Result<Vec<u8>> {
    const CALL: &str = "set_property";
    let members = json.strip_suffix(b"}").ok_or(Error::malformed(CALL))?;
    let mut json = [members, b",\"stripped\":"].concat();
    serde_json::to_writer(&mut json, stripped.names()).map_err(|_| Error::malformed(CALL))?;
    json.push(b'}');
    Ok(json)
}

/// Refuses a request for which there is no configuration.
pub fn refuse_without_policy<P: Proxy>(proxy: &P) -> Phase {
    send(proxy, &Refusal::from(Rejection::PolicyMissing).to_reply(None, None))
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
