//! Who is calling, by a credential: from memory, or by verification with the keys of its issuer.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use super::api_keys::ApiKeys;
use super::cache_report::CacheReport;
use super::key_reports::KeyReports;
use super::patience::Patience;
use super::policy::Policy;
use super::verification_times::VerificationTimes;
use crate::claim_set::ClaimSet;
use crate::edits::Edit;
use crate::extractor::Found;
use crate::health::{Health, IssuerHealth};
use crate::jose::{KnownHeader, Malformed, Signatures, Token, Validity};
use crate::jwe;
use crate::keyring::{FetchError, Keyring, Keys};
use crate::principal::{Identity, Principal};
use crate::rejection::Rejection;
use crate::sender::Confirmation;
use crate::stage::{Due, FetchId, FetchOutcome, LogLevel, Message, Observer, SharedData, Surroundings};
use crate::time::UnixTime;
use crate::token_cache::{Limits, VerifiedTokens};

/// What each worker remembers at most. A token of 900 bytes with 15 claims counts with 5 KB, which it takes when its principal and
/// their JSON have been asked for, so that there is room for 10,000 of them; memory is taken only for tokens that come.
const CACHE_LIMITS: Limits = Limits { entries: 32_768, bytes: 64 * 1024 * 1024 };

/// The keys of all issuers, and the tokens that they vouched for.
#[derive(Debug)]
pub(super) struct Callers {
    keyrings: Vec<Keyring>,
    reports: KeyReports,
    /// Who verifies signatures.
    pub signatures: Signatures,
    /// Who tells the upstream of a caller, in the same module.
    pub inject: Option<Rc<dyn Inject>>,
    pub verified: VerifiedTokens<Rc<Caller>>,
    cache: CacheReport,
    /// How long verifications take, where that is to be known.
    pub times: Option<VerificationTimes>,
    /// The owners of API keys that have come, by their entry and their key's place in it.
    by_key: BTreeMap<(usize, usize), Rc<Caller>>,
    known_header: KnownHeader,
    patience: Patience,
}

/// Tells the upstream of a caller, by headers that are the same for every request of theirs.
///
/// A trait, so that the code for it is only in the modules that have it.
pub trait Inject: fmt::Debug {
    /// The headers for a caller.
    ///
    /// # Errors
    /// The [`Rejection`] of all of this caller's requests.
    fn injected(&self, principal: &Principal) -> Result<Rc<[Edit]>, Rejection>;
    /// About how much memory is taken for a caller by what is made later.
    fn later_bytes(&self) -> usize;
}

/// What is known of a verified token.
#[derive(Debug)]
pub(super) struct Caller {
    /// The index of the `jwtRules` entry, or beyond these that of the set of API keys.
    pub issuer: usize,
    /// The generation of the keys that verified the token.
    generation: u64,
    pub identity: Rc<Identity>,
    /// The headers of the entry's outputs.
    pub outputs: Rc<[Edit]>,
    /// What the sender of the token has to hold; few tokens are bound at all.
    pub confirmation: Option<Box<Confirmation>>,
    /// Whether the token is bound, or has to be.
    pub asks_for_proof: bool,
    /// How long the token is that was in an encrypted one.
    inner_bytes: usize,
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

impl Caller {
    /// The memory that it takes, allocations of its own aside.
    fn bytes(&self) -> usize {
        let edits = self.outputs.iter().chain(self.identity.injected.iter().flatten().flat_map(|edits| edits.iter()));
        let bound = self.confirmation.as_ref().map_or(0, |_| size_of::<Confirmation>());
        let parts = [size_of::<Self>(), self.identity.bytes(), bound, self.inner_bytes];
        edits.map(Edit::bytes).chain(parts).fold(0, usize::saturating_add)
    }
}

impl Callers {
    /// Nobody known yet; the keyrings stand in the order of the issuers.
    pub fn new(keyrings: Vec<Keyring>) -> Self {
        Self {
            reports: KeyReports::new(keyrings.len()),
            keyrings,
            signatures: Signatures::in_module(),
            inject: None,
            verified: VerifiedTokens::new(CACHE_LIMITS),
            cache: CacheReport::default(),
            times: Some(VerificationTimes::default()),
            by_key: BTreeMap::new(),
            known_header: KnownHeader::default(),
            patience: Patience::default(),
        }
    }

    /// The keys, in the order of the issuers.
    pub fn keyrings(&self) -> &[Keyring] {
        &self.keyrings
    }

    /// The caller that a credential names, from memory or by verification.
    pub fn identify(
        &mut self,
        policy: &Policy,
        found: Found<'_>,
        now: UnixTime,
        around: &mut dyn Surroundings,
    ) -> Result<Rc<Caller>, Obstacle> {
        if let Some((entry, set)) = policy.api_keys_of(found.source) {
            return Ok(self.by_key(entry, set, found.token)?);
        }
        let keyrings = &self.keyrings;
        let same_keys =
            |caller: &Rc<Caller>| keyrings.get(caller.issuer).is_some_and(|keyring| keyring.generation() == caller.generation);
        if let Some(caller) = self.verified.get(found.token, now, same_keys)
            && policy.issuers.get(caller.issuer).is_some_and(|issuer| issuer.sources.contains(found.source))
        {
            self.cache.count(true);
            return Ok(Rc::clone(caller));
        }
        self.cache.count(false);
        let (token, caller, validity) = self.verify(policy, found, now, around)?;
        let caller = Rc::new(caller);
        let later = self.inject.as_ref().map_or(0, |inject| inject.later_bytes());
        self.verified.insert(token, Rc::clone(&caller), caller.bytes().saturating_add(later), validity);
        Ok(caller)
    }

    /// The caller whose API key it is.
    fn by_key(&mut self, entry: usize, set: &ApiKeys, key: &[u8]) -> Result<Rc<Caller>, Rejection> {
        let (index, principal) = set.find(key).ok_or(Rejection::ApiKeyUnknown)?;
        if let Some(known) = self.by_key.get(&(entry, index)) {
            return Ok(Rc::clone(known));
        }
        let injected = self.inject.as_ref().map(|inject| inject.injected(principal));
        let identity = Identity::new(principal.clone(), Rc::clone(&set.name)).with_injected(injected);
        let caller = Rc::new(Caller {
            issuer: entry,
            generation: 0,
            identity: Rc::new(identity),
            outputs: [].into(),
            confirmation: None,
            asks_for_proof: false,
            inner_bytes: 0,
        });
        self.by_key.insert((entry, index), Rc::clone(&caller));
        Ok(caller)
    }

    fn verify(
        &mut self,
        policy: &Policy,
        found: Found<'_>,
        now: UnixTime,
        around: &mut dyn Surroundings,
    ) -> Result<(Rc<[u8]>, Caller, Validity), Obstacle> {
        let inner;
        let (mut signed, mut inner_bytes) = (found.token, 0);
        let mut read = Token::read_knowing(signed, &mut self.known_header);
        if matches!(read, Err(Malformed::Parts(jwe::PARTS))) {
            inner = policy.decrypted(found, now, &mut self.patience)?;
            (signed, inner_bytes) = (&inner, inner.len());
            read = Token::read_knowing(signed, &mut self.known_header);
        }
        let token = read.map_err(Rejection::from)?;
        let index = policy.issuer_of(&token, found.source).ok_or(Rejection::IssuerUnknown)?;
        let (Some(issuer), Some(keyring)) = (policy.issuers.get(index), self.keyrings.get_mut(index)) else {
            return Err(Rejection::IssuerUnknown.into());
        };
        if inner_bytes == 0 && issuer.decryption.as_ref().is_some_and(|decryption| decryption.is_required()) {
            return Err(Rejection::TokenNotEncrypted.into());
        }
        let (fetch, generation) = (keyring.fetch_id(), keyring.generation());
        let key_id = fetch.and_then(|_| token.key_id().map(str::to_owned));
        let verdict = match keyring.keys(now) {
            Keys::Ready(keys) => {
                let begun = self.times.as_ref().and_then(|_| around.clock());
                let verdict = keys.verify_with(&self.signatures, token, issuer.algorithms);
                // Whatever else refuses does so without a look at the signature.
                if matches!(verdict, Ok(_) | Err(Rejection::SignatureInvalid))
                    && let (Some(times), Some(begun)) = (&mut self.times, begun)
                    && let Some(ended) = around.clock()
                {
                    times.add(index, ended.since(begun));
                }
                verdict
            }
            Keys::Pending => return Err(fetch.map_or(Rejection::KeysUnavailable.into(), Obstacle::KeysPending)),
            Keys::Unavailable => return Err(Rejection::KeysUnavailable.into()),
        };
        let verified = match (verdict, fetch) {
            (Err(Rejection::KeyUnknown), Some(fetch)) if keyring.request_key(key_id.as_deref(), now) => {
                return Err(Obstacle::KeysPending(fetch));
            }
            (verdict, _) => verdict?,
        };
        let accepted = issuer.claims.check(verified, now)?;
        let (validity, known) = (accepted.validity, accepted.known(&issuer.claims));
        let confirmation = Confirmation::of(accepted.claims()).map(Box::new);
        let asks_for_proof = confirmation.is_some() || issuer.sender.dpop.required;
        let bytes = if inner_bytes == 0 { Rc::clone(known.bytes()) } else { found.token.into() };
        let mut identity = Identity::of_token(known, Rc::clone(&issuer.name));
        let edits = |claims: &ClaimSet| issuer.outputs.edits(signed, claims).map_err(|_| Rejection::ClaimTooLarge);
        // Where nobody is to be told of the principal, nobody has asked for it yet.
        let outputs = if self.inject.is_some() || policy.publication.principal || issuer.claims.changes_claims() {
            let principal = issuer.claims.principal(accepted).or_issued_by(&issuer.name);
            identity = identity.with_injected(self.inject.as_ref().map(|inject| inject.injected(&principal)));
            if policy.publication.principal {
                identity = identity.with_json(principal.to_json().map_err(|_| Rejection::TokenMalformed)?);
            }
            edits(&principal.claims)?
        } else {
            edits(accepted.claims())?
        };
        Ok((
            bytes,
            Caller { issuer: index, generation, identity: Rc::new(identity), outputs, inner_bytes, confirmation, asks_for_proof },
            validity,
        ))
    }

    /// What is due of the keys.
    pub fn due(&mut self, policy: &Policy, now: UnixTime, shared: &mut dyn SharedData) -> Due {
        let mut due = Due::default();
        for (index, (keyring, issuer)) in self.keyrings.iter_mut().zip(&policy.issuers).enumerate() {
            let one = renew(&mut self.verified, index, keyring, |keyring| keyring.due(now, shared));
            due.fetches.extend(one.fetch);
            due.settled.extend(keyring.fetch_id().filter(|_| one.is_settled));
            if one.is_lost {
                due.messages.extend(self.reports.fetched(index, &issuer.label, Err(FetchError::Lost)));
            }
            if one.has_expired {
                let text = format!("keys of {} are too old to be believed; its tokens are refused", issuer.label);
                due.messages.push(Message { level: LogLevel::Error, text });
            }
        }
        due
    }

    /// Takes what other workers have fetched.
    pub fn catch_up(&mut self, now: UnixTime, shared: &mut dyn SharedData) {
        for (index, keyring) in self.keyrings.iter_mut().enumerate() {
            renew(&mut self.verified, index, keyring, |keyring| keyring.catch_up(now, shared));
        }
    }

    /// Takes the outcome of a fetch; what the operator should know.
    pub fn on_fetched(
        &mut self,
        policy: &Policy,
        id: FetchId,
        outcome: FetchOutcome,
        now: UnixTime,
        shared: &mut dyn SharedData,
    ) -> Option<Message> {
        let (keyring, issuer) = (self.keyrings.get_mut(id.0)?, policy.issuers.get(id.0)?);
        let result = renew(&mut self.verified, id.0, keyring, |keyring| keyring.on_fetched(outcome, now, shared));
        self.reports.fetched(id.0, &issuer.label, result)
    }

    /// Tells how the keys are doing.
    pub fn health(&self, policy: &Policy, now: UnixTime, health: &mut Health) {
        for (keyring, issuer) in self.keyrings.iter().zip(&policy.issuers) {
            let (keys, age) = keyring.health(now);
            let (place, name) = (issuer.place, Rc::clone(&issuer.name));
            health.add_issuer(IssuerHealth { place, name, is_named: issuer.is_named, keys, age });
        }
    }

    /// Shows how the keys, the cache and verifications are doing.
    pub fn on_tick(&mut self, policy: &Policy, observer: &mut dyn Observer) {
        let labels = policy.issuers.iter().map(|issuer| &*issuer.label);
        self.reports.show(labels.zip(&self.keyrings), observer);
        self.cache.show(&self.verified, observer);
        self.show_times(policy, observer);
    }

    /// The same for the last time, and forgets the tokens: what is left to be done takes ticks, which would show them again.
    pub fn close(&mut self, policy: &Policy, observer: &mut dyn Observer) {
        self.verified = VerifiedTokens::new(CACHE_LIMITS);
        self.cache.close(observer);
        self.show_times(policy, observer);
    }

    fn show_times(&mut self, policy: &Policy, observer: &mut dyn Observer) {
        if let Some(times) = &mut self.times {
            times.show(policy.issuers.iter().map(|issuer| &*issuer.label), observer);
        }
    }
}

/// Lets an issuer take new keys. If it did, the tokens that its keys before have verified are forgotten.
fn renew<T>(
    verified: &mut VerifiedTokens<Rc<Caller>>,
    issuer: usize,
    keyring: &mut Keyring,
    act: impl FnOnce(&mut Keyring) -> T,
) -> T {
    let generation = keyring.generation();
    let result = act(keyring);
    if keyring.generation() != generation {
        verified.forget(|caller| caller.issuer == issuer);
    }
    result
}
