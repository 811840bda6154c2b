//! The stage jwt-auth: finds out who is calling and applies the rule of the route.
//!
//! For every request, in this order:
//! 1. Headers that `outputPayloadToHeader` and `outputClaimToHeaders` name are removed, whatever is decided.
//! 2. The rules that must hold are selected. `denied` refuses and `public` allows, both without a look at any credential.
//! 3. The credential is found. None: `optional` allows an anonymous caller, `required` refuses. Two: refused.
//! 4. It is verified, unless it was before: well formed, from an issuer known here that takes tokens from this place, signed by
//!    one of its keys, valid now. Where keys are still to come, the request waits.
//! 5. The rules' requirements are checked.
//! 6. The token is removed from what goes to the upstream, unless it is to be forwarded.
//!
//! A credential that is sent where one is optional must be valid all the same.

mod callers;
mod examination;
mod issuer;
mod key_location;
mod outputs;
mod policy;

use std::rc::Rc;

use callers::{Caller, Callers, Obstacle};
pub use examination::{Doubt, Entry, Examination};
pub use policy::Policy;

use crate::answer::Refusal;
use crate::auth_header::{self, owned_names};
use crate::config::rule::Access;
use crate::decision::{ANONYMOUS, DEFAULT_RULE, Decision, PUBLIC, TOKEN_VALID};
use crate::edits::HeaderEdits;
use crate::extractor::{self, Found};
use crate::keyring::Keyring;
use crate::rejection::Rejection;
use crate::stage::{Exchange, Fetch, FetchId, FetchOutcome, LogLevel, Needs, Stage, Verdict};
use crate::time::UnixTime;

/// The stage jwt-auth.
#[derive(Debug)]
pub struct Authn {
    policy: Rc<Policy>,
    callers: Callers,
}

/// What was decided, before anything is changed.
struct Outcome<'a> {
    decision: Decision,
    refusal: Option<Refusal>,
    caller: Option<(Rc<Caller>, Found<'a>)>,
}

impl Authn {
    /// The stage under a policy, with the keys that belong to its issuers.
    #[must_use]
    pub fn new(policy: Policy, keyrings: Vec<Keyring>) -> Self {
        Self { policy: Rc::new(policy), callers: Callers::new(keyrings) }
    }

    /// The same stage before a stage [`auth_header`] of this policy, whose headers are made when a token is verified.
    #[must_use]
    pub fn before(mut self, auth_header: Option<Rc<auth_header::Policy>>) -> Self {
        self.callers.inject = auth_header;
        self
    }

    /// Decide about a request; the number of a fetch when its outcome is needed first.
    fn decide<'a>(&mut self, policy: &'a Policy, exchange: &'a Exchange, now: UnixTime) -> Result<Outcome<'a>, FetchId> {
        let selected = policy.rules.select(&exchange.request, exchange.route_name.as_deref());
        let rule = selected.name();
        let refused = |rule: &Rc<str>, rejection, issuer: Option<Rc<str>>, scopes: &[String]| Outcome {
            decision: Decision::refuse(Rc::clone(rule), rejection, issuer),
            refusal: Some(Refusal { rejection, realm: policy.realm.clone(), scopes: scopes.to_vec() }),
            caller: None,
        };
        let anonymous =
            |reason| Outcome { decision: Decision::allow(Rc::clone(rule), reason, None), refusal: None, caller: None };
        match selected.access() {
            Access::Denied => return Ok(refused(rule, Rejection::AccessDenied, None, &[])),
            Access::Public => return Ok(anonymous(PUBLIC)),
            Access::Required | Access::Optional => {}
        }
        let found = match extractor::find(exchange.request.headers(), &policy.sources) {
            Ok(Some(found)) => found,
            Ok(None) if selected.access() == Access::Optional => return Ok(anonymous(ANONYMOUS)),
            Ok(None) => return Ok(refused(rule, Rejection::TokenMissing, None, &[])),
            Err(rejection) => return Ok(refused(rule, rejection, None, &[])),
        };
        let caller = match self.callers.identify(policy, found, now) {
            Ok(caller) => caller,
            Err(Obstacle::KeysPending(fetch)) => return Err(fetch),
            Err(Obstacle::Refused(rejection)) => return Ok(refused(rule, rejection, None, &[])),
        };
        let issuer = Some(Rc::clone(&caller.identity.issuer_name));
        Ok(match selected.check(&caller.identity.principal, &caller.identity.issuer_name) {
            Err(failed) => Outcome {
                caller: Some((caller, found)),
                ..refused(failed.rule.name(), failed.rejection, issuer, failed.rule.requirement().scopes())
            },
            Ok(()) => Outcome {
                decision: Decision::allow(Rc::clone(rule), TOKEN_VALID, issuer),
                refusal: None,
                caller: Some((caller, found)),
            },
        })
    }
}

impl Stage for Authn {
    fn needs(&self) -> Needs {
        Needs { route_name: self.policy.rules.needs_route_name(), ..Needs::default() }
    }

    fn on_request(&mut self, exchange: &mut Exchange, now: UnixTime) -> Verdict {
        let policy = Rc::clone(&self.policy);
        let Some(forged) = owned_names(exchange.request.headers(), |name| policy.owns(name)) else {
            exchange.decision = Some(Decision::refuse(DEFAULT_RULE.into(), Rejection::RequestMalformed, None));
            return Verdict::Refuse(Rejection::RequestMalformed.into());
        };
        let mut edits = HeaderEdits::default();
        forged.into_iter().for_each(|name| edits.remove(name));
        let Outcome { decision, refusal, caller } = match self.decide(&policy, exchange, now) {
            Ok(outcome) => outcome,
            Err(fetch) => return Verdict::Wait(fetch),
        };
        let identity = caller.map(|(caller, found)| {
            if !policy.forwards(caller.issuer) {
                found.source.remove(exchange.request.headers(), &mut edits);
            }
            if refusal.is_none() {
                edits.extend(&caller.outputs);
            }
            Rc::clone(&caller.identity)
        });
        exchange.edits.append_all(edits);
        exchange.identity = identity;
        exchange.decision = Some(decision);
        refusal.map_or(Verdict::Continue, Verdict::Refuse)
    }

    fn due_fetches(&mut self, now: UnixTime) -> Vec<Fetch> {
        self.callers.due_fetches(now)
    }

    fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime) -> Option<(LogLevel, String)> {
        self.callers.on_fetched(&self.policy, id, outcome, now)
    }
}

#[cfg(test)]
mod tests;
