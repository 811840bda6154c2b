//! Who is calling, by a credential: from memory, or by verification with the keys of its issuer.

use std::rc::Rc;

use super::policy::Policy;
use crate::extractor::Found;
use crate::jose::{Accepted, Token, Validity};
use crate::keyring::{Keyring, Keys, Refreshed};
use crate::principal::Identity;
use crate::rejection::Rejection;
use crate::stage::{Fetch, FetchId, FetchOutcome, LogLevel};
use crate::time::UnixTime;
use crate::token_cache::VerifiedTokens;

const MAX_CACHED_TOKENS: usize = 4096;
const MAX_CACHED_BYTES: usize = 8 * 1024 * 1024;

/// The keys of all issuers, and the tokens that they vouched for.
#[derive(Debug)]
pub(super) struct Callers {
    keyrings: Vec<Keyring>,
    pub verified: VerifiedTokens<Rc<Caller>>,
}

/// What is known of a verified token.
#[derive(Debug)]
pub(super) struct Caller {
    /// The index of the `jwtRules` entry.
    pub issuer: usize,
    pub identity: Identity,
    /// The headers of the entry's outputs.
    pub outputs: Vec<(String, String)>,
}

/// Why there is no caller (yet).
pub(super) enum Obstacle {
    Refused(Rejection),
    KeysPending(FetchId),
}

impl From<Rejection> for Obstacle {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection)
    }
}

impl Callers {
    /// Nobody known yet; the keyrings stand in the order of the issuers.
    pub const fn new(keyrings: Vec<Keyring>) -> Self {
        Self { keyrings, verified: VerifiedTokens::new(MAX_CACHED_TOKENS, MAX_CACHED_BYTES) }
    }

    /// The keys, in the order of the issuers.
    pub fn keyrings(&self) -> &[Keyring] {
        &self.keyrings
    }

    /// A number that changes whenever any key does: each keyring's generation only grows.
    fn generation(&self) -> u64 {
        self.keyrings.iter().fold(0, |sum, keyring| sum.wrapping_add(keyring.generation()))
    }

    /// The caller that a credential names, from memory or by verification.
    pub fn identify(&mut self, policy: &Policy, found: Found<'_>, now: UnixTime) -> Result<Rc<Caller>, Obstacle> {
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
        let mut candidates = policy.issuers.iter().zip(&mut self.keyrings).enumerate();
        let (index, (issuer, keyring)) =
            candidates.find(|(_, (issuer, _))| issuer.takes(&token, found.source)).ok_or(Rejection::IssuerUnknown)?;
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

    /// The fetches of keys that are due.
    pub fn due_fetches(&mut self, now: UnixTime) -> Vec<Fetch> {
        self.keyrings.iter_mut().filter_map(|keyring| keyring.due(now)).collect()
    }

    /// Takes the outcome of a fetch; what the operator should know.
    pub fn on_fetched(
        &mut self,
        policy: &Policy,
        id: FetchId,
        outcome: FetchOutcome,
        now: UnixTime,
    ) -> Option<(LogLevel, String)> {
        let (keyring, issuer) = (self.keyrings.get_mut(id.0)?, policy.issuers.get(id.0)?);
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
