//! Whether whoever sends a request holds what the tokens in it are bound to.

use std::rc::Rc;

use super::Present;
use super::policy::Policy;
use crate::answer::DpopChallenge;
use crate::extractor::Source;
use crate::jose::Signatures;
use crate::rejection::Rejection;
use crate::replays::{self, Use};
use crate::request::Request;
use crate::sender::origin::Origin;
use crate::sender::proof::{self, Asked};
use crate::sender::{Certificate, Confirmation, Digest, SenderPolicy, algorithm_names, client_certificate};
use crate::stage::Surroundings;
use crate::time::UnixTime;

/// The scheme of tokens that are bound to a key (RFC 9449 section 7.1).
const SCHEME: &str = "DPoP";

/// Looks once at what a request shows of its sender: a proof that was looked at has been used.
pub(super) struct Possession<'a> {
    pub around: &'a mut dyn Surroundings,
    pub now: UnixTime,
    verdict: Option<Result<(), Unproven>>,
}

/// What the sender did not show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unproven {
    pub rejection: Rejection,
    /// The index of the entry whose token it is.
    issuer: usize,
    /// Whether it is about a key.
    of_key: bool,
}

/// The token of an entry and where it stands.
struct Bound<'a> {
    sender: &'a SenderPolicy,
    confirmation: Option<&'a Confirmation>,
    token: &'a [u8],
    source: &'a Source,
}

impl<'a> Possession<'a> {
    pub fn new(around: &'a mut dyn Surroundings, now: UnixTime) -> Self {
        Self { around, now, verdict: None }
    }

    /// Checks the tokens of all callers.
    #[inline]
    pub fn check(
        &mut self,
        policy: &Policy,
        callers: &Present<'_>,
        request: &Request,
        signatures: &Signatures,
    ) -> Result<(), Unproven> {
        // Few tokens are bound. What these pass, every request does.
        if callers.iter().all(|(caller, found)| !caller.asks_for_proof && !has_scheme(found.source)) {
            return Ok(());
        }
        self.check_bound(policy, callers, request, signatures)
    }

    #[cold]
    #[inline(never)]
    fn check_bound(
        &mut self,
        policy: &Policy,
        callers: &Present<'_>,
        request: &Request,
        signatures: &Signatures,
    ) -> Result<(), Unproven> {
        if let Some(verdict) = self.verdict {
            return verdict;
        }
        let verdict = callers.iter().try_for_each(|(caller, found)| {
            let issuer = caller.issuer;
            if policy.api_keys_at(issuer).is_some() {
                return Ok(());
            }
            let refused = |rejection, of_key| Unproven { rejection, issuer, of_key };
            let Some(sender) = policy.sender(issuer) else { return Err(refused(Rejection::IssuerUnknown, false)) };
            let bound = Bound { sender, confirmation: caller.confirmation.as_deref(), token: found.token, source: found.source };
            self.check_certificate(&bound, request).map_err(|rejection| refused(rejection, false))?;
            self.check_key(&bound, request, signatures).map_err(|rejection| refused(rejection, true))
        });
        self.verdict = Some(verdict);
        verdict
    }

    fn check_certificate(&mut self, bound: &Bound<'_>, request: &Request) -> Result<(), Rejection> {
        let expected = match bound.confirmation {
            Some(Confirmation::Unknown) => return Err(Rejection::TokenBindingMismatch),
            Some(Confirmation::Held { certificate: Some(expected), .. }) => expected,
            Some(Confirmation::Held { certificate: None, .. }) | None => return Ok(()),
        };
        let shown = match bound.sender.certificate {
            Certificate::Forwarded(hops) => client_certificate::forwarded(request.headers(), hops),
            Certificate::OfConnection => {
                let digits = self.around.client_certificate().map_err(|_| Rejection::HostError)?;
                digits.and_then(|digits| client_certificate::from_hex(&digits))
            }
        };
        if shown.as_ref() == Some(expected) { Ok(()) } else { Err(Rejection::TokenBindingMismatch) }
    }

    fn check_key(&mut self, bound: &Bound<'_>, request: &Request, signatures: &Signatures) -> Result<(), Rejection> {
        match (bound.confirmation.and_then(Confirmation::key), has_scheme(bound.source)) {
            (Some(key), true) => self.check_proof(bound, key, request, signatures),
            (Some(_), false) | (None, true) => Err(Rejection::TokenBindingMismatch),
            (None, false) if bound.sender.dpop.required => Err(Rejection::TokenNotBound),
            (None, false) => Ok(()),
        }
    }

    fn check_proof(
        &mut self,
        bound: &Bound<'_>,
        key: &Digest,
        request: &Request,
        signatures: &Signatures,
    ) -> Result<(), Rejection> {
        let dpop = &bound.sender.dpop;
        let own = if dpop.origins.is_empty() { self.own_origin(request)? } else { None };
        let origins = own.as_ref().map_or(&*dpop.origins, std::slice::from_ref);
        let asked = Asked { request, origins, token: bound.token, key, now: self.now };
        let proven = proof::check(&asked, dpop, signatures)?;
        match replays::spend(key, &proven.id, proven.until, self.now, self.around) {
            Use::First => Ok(()),
            Use::Again => Err(Rejection::DpopProofReplayed),
            Use::Unknown => Err(Rejection::DpopReplayUnknown),
        }
    }

    /// The origin of a request as this proxy sees it. Its `:scheme` is what the client says; whether the connection is encrypted
    /// is not.
    fn own_origin(&mut self, request: &Request) -> Result<Option<Origin>, Rejection> {
        let is_tls = self.around.is_tls().map_err(|_| Rejection::HostError)?;
        Ok(request.authority().and_then(|authority| Origin::new(is_tls, authority)))
    }
}

/// Whether tokens at a place come with the scheme of those that are bound to a key.
fn has_scheme(source: &Source) -> bool {
    match source {
        // Most begin otherwise, and are not looked at further.
        Source::Header { prefix, .. } if prefix.starts_with(['d', 'D']) => prefix.trim_ascii_end().eq_ignore_ascii_case(SCHEME),
        _ => false,
    }
}

impl Unproven {
    /// What the challenge says of DPoP: nothing where it is about a certificate.
    pub fn challenge(self, policy: &Policy, now: UnixTime) -> Option<Rc<DpopChallenge>> {
        let sender = policy.sender(self.issuer).filter(|_| self.of_key)?;
        let nonces = sender.dpop.nonces.as_ref().filter(|_| self.rejection == Rejection::DpopNonceRequired);
        Some(Rc::new(DpopChallenge {
            algorithms: algorithm_names(sender.dpop.algorithms).into(),
            nonce: nonces.and_then(|nonces| nonces.current(now)),
            is_sole: true,
        }))
    }
}
