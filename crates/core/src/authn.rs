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

mod issuer;
mod key_location;
mod outputs;
mod policy;

use std::rc::Rc;

use issuer::Issuer;
pub use policy::Policy;

use crate::answer::Refusal;
use crate::auth_header::owned_names;
use crate::config::jwt_auth::Access;
use crate::decision::{ANONYMOUS, DEFAULT_RULE, Decision, PUBLIC, TOKEN_VALID};
use crate::edits::HeaderEdits;
use crate::extractor::{self, Found};
use crate::jose::{Accepted, Token, Validity};
use crate::keyring::{Keyring, Keys, Refreshed};
use crate::principal::Identity;
use crate::rejection::Rejection;
use crate::stage::{Exchange, Fetch, FetchId, FetchOutcome, LogLevel, Needs, Stage, Verdict};
use crate::time::UnixTime;
use crate::token_cache::VerifiedTokens;

const MAX_CACHED_TOKENS: usize = 4096;
const MAX_CACHED_BYTES: usize = 8 * 1024 * 1024;

/// The stage jwt-auth.
#[derive(Debug)]
pub struct Authn {
    policy: Rc<Policy>,
    keyrings: Vec<Keyring>,
    verified: VerifiedTokens<Rc<Caller>>,
}

/// What is known of a verified token.
#[derive(Debug)]
struct Caller {
    /// The index of the `jwtRules` entry.
    issuer: usize,
    identity: Identity,
    /// The headers of the entry's outputs.
    outputs: Vec<(String, String)>,
}

/// Why there is no caller (yet).
enum Obstacle {
    Refused(Rejection),
    KeysPending(FetchId),
}

/// What was decided, before anything is changed.
struct Outcome<'a> {
    decision: Decision,
    refusal: Option<Refusal>,
    caller: Option<(Rc<Caller>, Found<'a>)>,
}

impl From<Rejection> for Obstacle {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

impl Authn {
    /// The stage under a policy, with the keys that belong to its issuers.
    #[must_use]
    pub fn new(policy: Policy, keyrings: Vec<Keyring>) -> Self {
        Self { policy: Rc::new(policy), keyrings, verified: VerifiedTokens::new(MAX_CACHED_TOKENS, MAX_CACHED_BYTES) }
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
        let caller = match self.caller(policy, found, now) {
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

    /// A number that changes whenever any key does: each keyring's generation only grows.
    fn generation(&self) -> u64 {
        self.keyrings.iter().fold(0, |sum, keyring| sum.wrapping_add(keyring.generation()))
    }

    /// The caller that a credential names, from memory or by verification.
    fn caller(&mut self, policy: &Policy, found: Found<'_>, now: UnixTime) -> Result<Rc<Caller>, Obstacle> {
        let generation = self.generation();
        if let Some(caller) = self.verified.get(found.token, now, generation)
            && policy.issuers.get(caller.issuer).is_some_and(|issuer| issuer.sources.contains(found.source))
        {
            return Ok(caller);
        }
        let (caller, validity) = self.verify(policy, found, now)?;
        let caller = Rc::new(caller);
        self.verified.insert(found.token, Rc::clone(&caller), validity, generation);
        Ok(caller)
    }

    fn verify(&mut self, policy: &Policy, found: Found<'_>, now: UnixTime) -> Result<(Caller, Validity), Obstacle> {
        let token = Token::parse(found.token)?;
        let takes =
            |issuer: &Issuer| issuer.issuer.as_deref() == token.unverified_issuer() && issuer.sources.contains(found.source);
        let candidates = policy.issuers.iter().zip(&mut self.keyrings).enumerate();
        let (index, (issuer, keyring)) =
            candidates.into_iter().find(|(_, (issuer, _))| takes(issuer)).ok_or(Rejection::IssuerUnknown)?;
        let fetch = keyring.fetch_id();
        let verdict = match keyring.keys(now) {
            Keys::Ready(keys) => keys.verify(token, issuer.algorithms),
            Keys::Pending => return Err(fetch.map_or(Rejection::KeysUnavailable.into(), Obstacle::KeysPending)),
            Keys::Unavailable => return Err(Rejection::KeysUnavailable.into()),
        };
        let verified = match (verdict, fetch) {
            (Err(Rejection::KeyUnknown), Some(fetch)) if keyring.request_refresh(now) => {
                return Err(Obstacle::KeysPending(fetch));
            }
            (verdict, _) => verdict?,
        };
        let Accepted { mut principal, validity } = issuer.claims.check(verified, now)?;
        if principal.issuer.is_empty() {
            principal.issuer = issuer.name.to_string();
        }
        let outputs = issuer.outputs.values(found.token, &principal).map_err(|_| Rejection::ClaimTooLarge)?;
        let json = serde_json::to_string(&principal).map_err(|_| Rejection::TokenMalformed)?;
        let identity = Identity { principal: Rc::new(principal), json: json.into(), issuer_name: Rc::clone(&issuer.name) };
        Ok((Caller { issuer: index, identity, outputs }, validity))
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
                caller.outputs.iter().for_each(|(header, value)| edits.set(header, value));
            }
            caller.identity.clone()
        });
        exchange.edits.extend(edits);
        exchange.identity = identity;
        exchange.decision = Some(decision);
        refusal.map_or(Verdict::Continue, Verdict::Refuse)
    }

    fn due_fetches(&mut self, now: UnixTime) -> Vec<Fetch> {
        self.keyrings.iter_mut().filter_map(|keyring| keyring.due(now)).collect()
    }

    fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime) -> Option<(LogLevel, String)> {
        let (keyring, issuer) = (self.keyrings.get_mut(id.0)?, self.policy.issuers.get(id.0)?);
        match keyring.on_fetched(outcome, now) {
            Ok(Refreshed::Changed) => {
                self.verified.clear();
                Some((LogLevel::Info, format!("keys of {} fetched", issuer.name)))
            }
            Ok(Refreshed::Unchanged) => None,
            Err(error) => Some((LogLevel::Warn, format!("keys of {} not fetched: {error}", issuer.name))),
        }
    }
}

#[cfg(test)]
mod tests;
