//! The stage auth-header: tells the upstream who is calling, in headers that a client cannot forge.
//!
//! For every request, allowed or not, in this order:
//! 1. Each received header that a `strip` pattern or an `inject` header names is removed, in every disguise of its name
//!    ([`NamePattern`]). A header that an earlier stage of the same module sets stays, because setting it already replaces
//!    what the client sent.
//! 2. With `token.forward: strip`, an Authorization header with the scheme Bearer or DPoP is removed, and with it the header DPoP; with
//!    `replace` both always are, and every copy of the header that carries the gateway's own token.
//! 3. Only when the request is allowed, the headers of `inject` are set; those that say something of the caller only when a
//!    principal is known. A value that is absent, null or empty sets no header.
//! 4. With `replace`, the caller's [`InternalToken`] is set then too.
//! 5. With `clearRouteCache`, the proxy chooses the route anew by these headers.
//!
//! From answers, the headers of `stripResponse` are removed; an answer with one whose name cannot be handed to the proxy is not sent.
//!
//! It refuses a request whose value is too long for a header (`claim_too_large`), has another type or other characters than it may
//! have (`claim_mismatch`), cannot be decrypted (`identifier_undecryptable`) or is absent where one is required (`claim_missing`), one
//! whose token cannot be replaced, and one with a forged header whose name cannot be handed to the proxy for removal
//! (`request_malformed`).

mod carrier;
mod escaper;
mod identifier_cipher;
mod identity_template;
mod injection;
mod internal_token;
mod name_pattern;
mod name_set;
mod policy;
mod rendering;

pub use carrier::Carrier;
pub use escaper::Unfit;
pub use identifier_cipher::IdentifierCipher;
pub use identity_template::{Facts, IdentityTemplate};
pub use injection::Injection;
pub use internal_token::InternalToken;
pub use name_pattern::NamePattern;
pub use name_set::NameSet;
pub use policy::Policy;
pub use rendering::{MAX_COPIES, MAX_VALUE_BYTES, Rendering, Values};

use std::rc::Rc;

use crate::authn::Inject;
use crate::config::auth_header::Forward;
use crate::decision::{DEFAULT_RULE, Decision};
use crate::edits::{Edit, HeaderEdits};
use crate::headers::Headers;
use crate::rejection::Rejection;
use crate::sender::proof;
use crate::stage::{Exchange, Needs, Stage, Surroundings, Verdict};
use crate::time::UnixTime;

/// The header that carries credentials.
pub(crate) const AUTHORIZATION: &str = "authorization";

/// The stage auth-header.
#[derive(Debug)]
pub struct AuthHeader {
    policy: Rc<Policy>,
    standalone: bool,
    token: Option<InternalToken>,
}

impl AuthHeader {
    /// The stage under a policy. `standalone` says that no stage of the same module decides before it, so that principal and
    /// decision come from another module.
    #[must_use]
    pub const fn new(policy: Rc<Policy>, standalone: bool) -> Self {
        Self { policy, standalone, token: None }
    }

    /// The same stage, which gives each caller a token of the gateway's own.
    #[must_use]
    pub fn with_token(self, token: Option<InternalToken>) -> Self {
        Self { token, ..self }
    }

    /// Whether the request goes on, so that the upstream may be told of something.
    ///
    /// A decision is not asked of a standalone stage: the principal itself is in filter state only when another module wrote
    /// it there, and a module that refuses never lets the request come this far.
    fn is_allowed(&self, exchange: &Exchange) -> bool {
        exchange.is_allowed() || (self.standalone && exchange.decision.is_none())
    }

    /// The headers that tell the upstream of the caller and the request; `are_new` says that the client sent none of them.
    fn inject(&mut self, exchange: &mut Exchange, are_new: bool, now: UnixTime) -> Result<(), Rejection> {
        let identity = exchange.identity.clone();
        let of_the_caller = match &identity {
            Some(identity) => Some(match &identity.injected {
                Some(ready) => ready.clone()?,
                None => self.policy.injected(identity.principal().ok_or(Rejection::TokenMalformed)?)?,
            }),
            None => None,
        };
        let of_the_request = self.policy.injected_here(exchange, identity.as_deref())?;
        let own_token = match identity.filter(|_| self.policy.forward() == Some(Forward::Replace)) {
            Some(identity) => {
                let token = self.token.as_mut().ok_or(Rejection::HostError)?;
                Some(token.header_for(&identity, !self.standalone, now)?)
            }
            None => None,
        };
        let are_new = are_new && !exchange.edits.iter().any(|edit| self.policy.owned().contains(edit.name().as_bytes()));
        if let Some(edits) = of_the_caller {
            if are_new { exchange.edits.extend_new(&edits) } else { exchange.edits.extend(&edits) }
        }
        of_the_request.into_iter().chain(own_token).for_each(|edit| exchange.edits.push(edit));
        Ok(())
    }
}

impl Stage for AuthHeader {
    fn needs(&self) -> Needs {
        let Self { policy, standalone, .. } = self;
        Needs {
            route_name: policy.needs_route_name(),
            upstream_identity: *standalone,
            response_headers: !policy.strip_response().is_empty(),
            ..Needs::default()
        }
    }

    fn observes(&self) -> bool {
        false
    }

    fn on_request(&mut self, exchange: &mut Exchange, now: UnixTime, _around: &mut dyn Surroundings) -> Verdict {
        let Some(forged) = self.policy.owned().received(exchange.request.headers()) else {
            return refuse(exchange, Rejection::RequestMalformed);
        };
        let is_unforged = forged.is_empty();
        exchange.stripped.add(forged.iter().filter(|name| !is_credential(name)));
        remove(forged, &mut exchange.edits);
        if self.policy.forward() == Some(Forward::Strip) && exchange.request.headers().all(AUTHORIZATION).any(holds_token) {
            remove([AUTHORIZATION], &mut exchange.edits);
            if proof::is_brought(exchange.request.headers()) {
                remove([proof::DPOP], &mut exchange.edits);
            }
        }
        if !self.is_allowed(exchange) {
            return Verdict::Continue;
        }
        exchange.clears_route_cache |= self.policy.clears_route_cache();
        match self.inject(exchange, is_unforged, now) {
            Ok(()) => Verdict::Continue,
            Err(rejection) => refuse(exchange, rejection),
        }
    }

    fn on_response(&mut self, headers: &Headers, edits: &mut HeaderEdits) -> Result<(), Rejection> {
        let names = self.policy.strip_response().received(headers).ok_or(Rejection::HostError)?;
        names.into_iter().for_each(|name| edits.remove(name));
        Ok(())
    }
}

/// Whether clients send the header for good reason, and it is removed all the same because the gateway puts its own in its place.
fn is_credential(name: &str) -> bool {
    name == AUTHORIZATION || name == proof::DPOP
}

/// Asks for the removal of headers, but for those that an edit sets or removes anyway.
fn remove<T: AsRef<str> + Into<Rc<str>>>(names: impl IntoIterator<Item = T>, edits: &mut HeaderEdits) {
    for name in names {
        let settled =
            edits.iter().any(|edit| matches!(edit, Edit::Set(other, _) | Edit::Remove(other) if **other == *name.as_ref()));
        if !settled {
            edits.remove(name);
        }
    }
}

/// Whether credentials of the scheme Bearer or DPoP stand in an Authorization value, alone or in a list (RFC 9110 section 11.4: the
/// scheme has no case).
fn holds_token(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|credentials| {
        let scheme = credentials.trim_ascii_start().split(|byte| byte.is_ascii_whitespace()).next();
        scheme.is_some_and(|scheme| [&b"bearer"[..], b"dpop"].iter().any(|token| scheme.eq_ignore_ascii_case(token)))
    })
}

/// Replace the decision by a refusal that keeps the rule and the issuer.
fn refuse(exchange: &mut Exchange, rejection: Rejection) -> Verdict {
    let (rule, issuer) = match exchange.decision.take() {
        Some(decision) => (decision.rule, decision.issuer),
        None => (Rc::from(DEFAULT_RULE), None),
    };
    let issuer = issuer.or_else(|| exchange.identity.as_ref().map(|identity| identity.issuer_name.clone()));
    exchange.decision = Some(Decision::refuse(rule, rejection, issuer));
    Verdict::Refuse(rejection.into())
}

#[cfg(test)]
mod tests;
