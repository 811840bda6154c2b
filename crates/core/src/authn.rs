//! The stage jwt-auth: finds out who is calling and applies the rule of the route.
//!
//! For every request, in this order:
//! 1. Headers that `outputPayloadToHeader` and `outputClaimToHeaders` name are removed, whatever is decided.
//! 2. The rules that must hold are selected. `denied` refuses and `public` allows, both without a look at any credential. So does
//!    `bypassCorsPreflight` for a preflight, where the rule does not deny everyone.
//! 3. The credential is found. None: `optional` allows an anonymous caller, `required` refuses. More than the rules ask for:
//!    refused.
//! 4. It is verified, unless it was before: decrypted, where it is encrypted and the entry has keys for that; well formed, from an issuer known here that takes tokens from this place, signed by
//!    one of its keys, valid now. Where keys are still to come, the request waits. Of several credentials each must be valid.
//! 5. Where it is bound to a key or a certificate, whoever sends it must hold that ([`sender`](crate::sender)).
//! 6. The rules' requirements are checked. Of several callers the first, by the rule, is the principal.
//! 7. What a rule in shadow says is decided in the same way, and reported in place of the decision to let the request pass.
//! 8. The tokens are removed from what goes to the upstream, unless they are to be forwarded.
//!
//! A credential that is sent where one is optional must be valid all the same.

mod api_keys;
mod cache_report;
mod callers;
mod decryption;
mod examination;
mod issuer;
mod key_reports;
mod key_source;
mod outputs;
mod patience;
mod places;
mod policy;
mod possession;
mod preflight;
mod tenants;
mod verification_times;

use std::rc::Rc;

pub use callers::Inject;
use callers::{Caller, Callers, Obstacle};
pub use examination::{Decrypted, Doubt, Entry, Examination};
pub use key_reports::OUTCOMES;
pub use key_source::{Destination, destinations};
pub use policy::Policy;
use possession::{Possession, Unproven};

use crate::answer::Refusal;
use crate::config::rule::Access;
use crate::decision::{ANONYMOUS, API_KEY_VALID, CORS_PREFLIGHT, DEFAULT_RULE, Decision, PUBLIC, TOKEN_VALID};
use crate::edits::{Edit, HeaderEdits};
use crate::extractor::{self, Found};
use crate::health::Health;
use crate::jose::Signatures;
use crate::keyring::Keyring;
use crate::metrics::Callout;
use crate::rejection::Rejection;
use crate::rules::{Refused, Rule, Selected, Selection};
use crate::sender::proof;
use crate::stage::{Due, Exchange, FetchId, FetchOutcome, Message, Needs, Observer, SharedData, Stage, Surroundings, Verdict};
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
    callers: Option<Present<'a>>,
}

/// The callers of a request, each with its credential.
struct Present<'a> {
    principal: (Rc<Caller>, Found<'a>),
    others: Vec<(Rc<Caller>, Found<'a>)>,
}

impl<'a> Present<'a> {
    fn iter(&self) -> impl Iterator<Item = &(Rc<Caller>, Found<'a>)> {
        std::iter::once(&self.principal).chain(&self.others)
    }

    /// Whether the callers have what all rules ask for. The principal is the caller that the rule names first then.
    fn check<'r>(&mut self, selected: &Selected<'r>, exchange: &Exchange) -> Result<(), Refused<'r>> {
        let first = if self.others.is_empty() {
            selected.check(&[&self.principal.0.identity], &exchange.request)?
        } else {
            let callers: Vec<_> = self.iter().map(|(caller, _)| &*caller.identity).collect();
            selected.check(&callers, &exchange.request)?
        };
        if let Some(other) = first.checked_sub(1).and_then(|index| self.others.get_mut(index)) {
            std::mem::swap(&mut self.principal, other);
        }
        Ok(())
    }
}

impl<'a> Outcome<'a> {
    fn allow(rule: &Rule, reason: &'static str) -> Self {
        Self { decision: Decision::allow(Rc::clone(rule.name()), reason, None), refusal: None, callers: None }
    }

    fn refuse(policy: &Policy, rule: &Rule, rejection: Rejection) -> Self {
        let refusal = Refusal {
            rejection,
            realm: policy.realm.clone(),
            scopes: if rejection == Rejection::ScopeMissing { rule.requirement().scopes().to_vec() } else { Vec::new() },
            denial: rule.denial().cloned(),
            dpop: policy.dpop.clone(),
        };
        Self { decision: Decision::refuse(Rc::clone(rule.name()), rejection, None), refusal: Some(refusal), callers: None }
    }

    fn unproven(policy: &Policy, rule: &Rule, unproven: Unproven, now: UnixTime) -> Self {
        let outcome = Self::refuse(policy, rule, unproven.rejection);
        let challenge = unproven.challenge(policy, now);
        Self { refusal: outcome.refusal.map(|refusal| Refusal { dpop: challenge.or(refusal.dpop), ..refusal }), ..outcome }
    }

    fn with(mut self, callers: Present<'a>) -> Self {
        self.decision.issuer = Some(Rc::clone(&callers.principal.0.identity.issuer_name));
        Self { callers: Some(callers), ..self }
    }
}

impl Authn {
    /// The stage under a policy, with the keys that belong to its issuers. The module verifies signatures itself.
    #[must_use]
    pub fn new(policy: Policy, keyrings: Vec<Keyring>) -> Self {
        Self { policy: Rc::new(policy), callers: Callers::new(keyrings) }
    }

    /// The same stage before one that tells the upstream of the caller, by headers that are made when a token is verified.
    #[must_use]
    pub fn before(mut self, inject: Option<Rc<dyn Inject>>) -> Self {
        self.callers.inject = inject;
        self
    }

    /// The same stage with signatures verified by whom these say.
    #[must_use]
    pub fn with_signatures(mut self, signatures: Signatures) -> Self {
        self.callers.signatures = signatures;
        self
    }

    /// The same stage, which does not measure how long verifications take.
    #[must_use]
    pub fn unmeasured(mut self) -> Self {
        self.callers.times = None;
        self
    }

    /// Decide about a request; the number of a fetch when its outcome is needed first.
    fn decide<'a>(
        &mut self,
        policy: &'a Policy,
        exchange: &'a Exchange,
        possession: &mut Possession<'_>,
    ) -> Result<Outcome<'a>, FetchId> {
        let Selection { enforced, shadow, is_ambiguous } = match policy.rules.select(&exchange.request, &exchange.route) {
            Ok(selection) => selection,
            Err(rejection) => {
                let decision = Decision::refuse(DEFAULT_RULE.into(), rejection, None);
                return Ok(Outcome { decision, refusal: Some(rejection.into()), callers: None });
            }
        };
        let rule = enforced.decisive();
        let is_closed = rule.access() == Access::Denied && **rule.name() != *DEFAULT_RULE;
        if policy.bypass_cors_preflight && !is_ambiguous && !is_closed && preflight::is_preflight(&exchange.request) {
            return Ok(Outcome::allow(rule, CORS_PREFLIGHT));
        }
        let outcome = self.judge(policy, &enforced, exchange, possession)?;
        let Some(rule) = shadow.filter(|_| outcome.refusal.is_none()) else { return Ok(outcome) };
        let reported = self.judge(policy, &Selected::only(rule), exchange, possession)?;
        Ok(Outcome { decision: reported.decision.in_shadow(), refusal: None, callers: outcome.callers.or(reported.callers) })
    }

    /// Decide what rules say of a request.
    fn judge<'a>(
        &mut self,
        policy: &'a Policy,
        selected: &Selected<'_>,
        exchange: &'a Exchange,
        possession: &mut Possession<'_>,
    ) -> Result<Outcome<'a>, FetchId> {
        let rule = selected.decisive();
        match selected.access() {
            Access::Denied => return Ok(Outcome::refuse(policy, rule, Rejection::AccessDenied)),
            Access::Public => return Ok(Outcome::allow(rule, PUBLIC)),
            Access::Required | Access::Optional => {}
        }
        let headers = exchange.request.headers();
        let credentials = match extractor::find(headers, &policy.sources, selected.max_credentials()) {
            Ok(Some(credentials)) => credentials,
            Ok(None) if selected.access() == Access::Optional => return Ok(Outcome::allow(rule, ANONYMOUS)),
            Ok(None) => return Ok(Outcome::refuse(policy, rule, Rejection::TokenMissing)),
            Err(rejection) => return Ok(Outcome::refuse(policy, rule, rejection)),
        };
        let (now, around) = (possession.now, &mut *possession.around);
        let mut identify = |found: Found<'a>| self.callers.identify(policy, found, now, around).map(|caller| (caller, found));
        let present = identify(credentials.first).and_then(|principal| {
            let others = credentials.others.into_iter().map(identify).collect::<Result<_, _>>()?;
            Ok(Present { principal, others })
        });
        let mut callers = match present {
            Ok(callers) => callers,
            Err(Obstacle::KeysPending(fetch)) => return Err(fetch),
            Err(Obstacle::Refused(rejection)) => return Ok(Outcome::refuse(policy, rule, rejection)),
        };
        if let Err(unproven) = possession.check(policy, &callers, &exchange.request, &self.callers.signatures) {
            return Ok(Outcome::unproven(policy, rule, unproven, possession.now));
        }
        Ok(match callers.check(selected, exchange) {
            Ok(()) => {
                let has_key = policy.api_keys_at(callers.principal.0.issuer).is_some();
                Outcome::allow(rule, if has_key { API_KEY_VALID } else { TOKEN_VALID }).with(callers)
            }
            Err(failed) => Outcome::refuse(policy, failed.rule, failed.rejection).with(callers),
        })
    }
}

/// The headers of the entries' outputs. What the principal's entry sets, no other does.
fn set_outputs(policy: &Policy, callers: &Present<'_>, edits: &mut HeaderEdits) {
    let (principal, _) = &callers.principal;
    for (caller, _) in &callers.others {
        let is_free = |edit: &&Edit| !policy.sets(principal.issuer, edit.name());
        caller.outputs.iter().filter(is_free).for_each(|edit| edits.push(edit.clone()));
    }
    edits.extend(&principal.outputs);
}

impl Stage for Authn {
    fn needs(&self) -> Needs {
        let Policy { rules, route_rules, .. } = &*self.policy;
        Needs { route_name: rules.needs_route_name(), route_rule: *route_rules, ..Needs::default() }
    }

    fn observes(&self) -> bool {
        false
    }

    fn on_request(&mut self, exchange: &mut Exchange, now: UnixTime, around: &mut dyn Surroundings) -> Verdict {
        let policy = Rc::clone(&self.policy);
        let Some(forged) = policy.owned.received(exchange.request.headers()) else {
            exchange.decision = Some(Decision::refuse(DEFAULT_RULE.into(), Rejection::RequestMalformed, None));
            return Verdict::Refuse(Rejection::RequestMalformed.into());
        };
        let mut edits = HeaderEdits::default();
        exchange.stripped.add(&forged);
        forged.into_iter().for_each(|name| edits.remove(name));
        let Outcome { decision, refusal, callers } = match self.decide(&policy, exchange, &mut Possession::new(around, now)) {
            Ok(outcome) => outcome,
            Err(fetch) => return Verdict::Wait(fetch),
        };
        let identity = callers.map(|callers| {
            let consumed = callers.iter().filter(|(caller, _)| !policy.forwards(caller.issuer)).map(|(_, found)| found.source);
            extractor::remove(consumed, exchange.request.headers(), &mut edits);
            // A proof is of no use without its token.
            let is_of_no_use = |caller: &Caller| caller.confirmation.is_some() && !policy.forwards(caller.issuer);
            if callers.iter().any(|(caller, _)| is_of_no_use(caller)) && proof::is_brought(exchange.request.headers()) {
                edits.remove(proof::DPOP);
            }
            if refusal.is_none() {
                set_outputs(&policy, &callers, &mut edits);
            }
            Rc::clone(&callers.principal.0.identity)
        });
        exchange.edits.append_all(edits);
        exchange.identity = identity;
        exchange.decision = Some(decision);
        refusal.map_or(Verdict::Continue, Verdict::Refuse)
    }

    fn due(&mut self, now: UnixTime, shared: &mut dyn SharedData) -> Due {
        self.callers.due(&self.policy, now, shared)
    }

    fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime, shared: &mut dyn SharedData) -> Option<Message> {
        self.callers.on_fetched(&self.policy, id, outcome, now, shared)
    }

    fn callout(&self, _fetch: FetchId) -> Option<Callout> {
        Some(Callout::Jwks)
    }

    fn callout_about(&self, fetch: FetchId) -> Option<Rc<str>> {
        Some(Rc::clone(&self.policy.issuers.get(fetch.0)?.label))
    }

    fn on_tick(&mut self, _now: UnixTime, observer: &mut dyn Observer) {
        self.callers.on_tick(&self.policy, observer);
    }

    fn close(&mut self, _now: UnixTime, observer: &mut dyn Observer) {
        self.callers.close(&self.policy, observer);
    }

    fn catch_up(&mut self, now: UnixTime, shared: &mut dyn SharedData) {
        self.callers.catch_up(now, shared);
    }

    /// Requests that waited may have brought tokens since.
    fn abandon(&mut self, observer: &mut dyn Observer) {
        self.callers.close(&self.policy, observer);
    }

    fn health(&self, now: UnixTime, health: &mut Health) {
        self.callers.health(&self.policy, now, health);
    }
}

#[cfg(test)]
mod tests;
