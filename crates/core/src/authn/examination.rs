//! How a credential fares at each step, for tools that tell people why. The steps are those that decide, asked one by one, and
//! the verdict is the stage's own.

use std::fmt;
use std::rc::Rc;

use super::callers::Obstacle;
use super::patience::Patience;
use super::{Authn, Caller, Policy};
use crate::encryption::Zeroizing;
use crate::extractor::{Found, Source};
use crate::jose::{AlgorithmSet, ClaimCheck, ClaimRules, Malformed, Token};
use crate::jwe;
use crate::keyring::Keys;
use crate::principal::Identity;
use crate::rejection::Rejection;
use crate::rules::RuleSet;
use crate::sender::Confirmation;
use crate::stage::{Alone, FetchId};
use crate::time::UnixTime;

/// A `jwtRules` entry as the stage uses it.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Its place in `jwtRules`, which the tenants of one entry share.
    pub place: usize,
    /// Its name, which they share too.
    pub name: &'a Rc<str>,
    /// What tells it from other tenants: the name, with the tenant where there is one.
    pub label: &'a Rc<str>,
    /// The `iss` of its tokens; absent for tokens that have none.
    pub issuer: Option<&'a str>,
    /// Where its tokens may stand.
    pub sources: &'a [Source],
    /// The algorithms that its tokens may be signed with.
    pub algorithms: AlgorithmSet,
    /// What its claims must say.
    pub claims: &'a ClaimRules,
    /// Its keys at this time.
    pub keys: Keys<'a>,
    /// The fetch that brings them; absent for keys that the configuration holds.
    pub fetch: Option<FetchId>,
}

/// How a credential fares. What comes after the first step that fails is absent.
#[derive(Debug)]
pub struct Examination {
    /// The name of the set of API keys among which it was looked for. It is no token then, and nothing but the verdict is told.
    pub api_keys: Option<Rc<str>>,
    /// What is in it, where it is encrypted and an entry has keys for that; the other steps are about the token in it then.
    pub decrypted: Option<Result<Decrypted, Rejection>>,
    /// Whether it is a token.
    pub form: Result<(), Malformed>,
    /// The index of the entry that takes it.
    pub entry: Option<usize>,
    /// Whether a key of the entry signed it; absent as long as there are no keys as well.
    pub signature: Option<Result<(), Rejection>>,
    /// Whether its claims hold, one by one; empty unless it is signed.
    pub claims: Vec<(ClaimCheck, Result<(), Rejection>)>,
    /// What the sender of the token has to hold; absent when it is not bound, or not known to be.
    pub confirmation: Option<Confirmation>,
    /// What the stage says, of the token alone: whether its sender holds what it is bound to is for a request to show.
    pub verdict: Result<Rc<Identity>, Doubt>,
}

/// The token that was in an encrypted one.
pub struct Decrypted(Zeroizing<Vec<u8>>);

impl Decrypted {
    /// Its bytes.
    #[must_use]
    pub fn token(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Decrypted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Decrypted([token])")
    }
}

/// Why a credential is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It is refused.
    Refused(Rejection),
    /// The fetch that brings the keys comes first.
    KeysPending(FetchId),
}

impl Authn {
    /// The policy.
    #[must_use]
    pub fn policy(&self) -> Rc<Policy> {
        Rc::clone(&self.policy)
    }

    /// The `jwtRules` entries, in order.
    pub fn entries(&self, now: UnixTime) -> impl Iterator<Item = Entry<'_>> {
        self.policy.issuers.iter().zip(self.callers.keyrings()).map(move |(issuer, keyring)| Entry {
            place: issuer.place,
            name: &issuer.name,
            label: &issuer.label,
            issuer: issuer.issuer.as_deref(),
            sources: &issuer.sources,
            algorithms: issuer.algorithms,
            claims: &issuer.claims,
            keys: keyring.keys(now),
            fetch: keyring.fetch_id(),
        })
    }

    /// How a credential fares that stands at `source`; without one, it is taken to stand where its issuer's entry looks.
    pub fn examine(&mut self, credential: &[u8], source: Option<&Source>, now: UnixTime) -> Examination {
        let policy = Rc::clone(&self.policy);
        if let Some((source, set)) = source.and_then(|source| Some((source, policy.api_keys_of(source)?.1))) {
            let caller = self.callers.identify(&policy, Found { token: credential, source }, now, &mut Alone);
            return Examination {
                api_keys: Some(Rc::clone(&set.name)),
                decrypted: None,
                form: Ok(()),
                entry: None,
                signature: None,
                claims: Vec::new(),
                confirmation: None,
                verdict: caller.map(|caller| Rc::clone(&caller.identity)).map_err(Doubt::from),
            };
        }
        let mut read = Token::read(credential);
        let mut inner = None;
        if matches!(read, Err(Malformed::Parts(jwe::PARTS))) && !policy.decryptions.is_empty() {
            let found = |source| policy.decrypted(Found { token: credential, source }, now, &mut Patience::default());
            let decrypted = match source {
                Some(source) => found(source),
                None => policy.sources.iter().map(found).reduce(Result::or).unwrap_or(Err(Rejection::TokenMalformed)),
            };
            inner = Some(decrypted.map(Decrypted));
        }
        if let Some(Ok(inner)) = &inner {
            read = Token::read(inner.token());
        }
        let token = match read {
            Ok(token) => token,
            Err(malformed) => {
                let rejection = inner.as_ref().and_then(|inner| inner.as_ref().err().copied());
                let verdict = Err(Doubt::Refused(rejection.unwrap_or_else(|| malformed.rejection())));
                let form = Err(malformed);
                return Examination {
                    api_keys: None,
                    decrypted: inner,
                    form,
                    entry: None,
                    signature: None,
                    claims: Vec::new(),
                    confirmation: None,
                    verdict,
                };
            }
        };
        let takes = |source| policy.issuer_of(&token, source);
        let entry = match source {
            Some(source) => takes(source),
            None => policy.sources.iter().find_map(takes),
        };
        let source = source.or_else(|| policy.issuers.get(entry?)?.sources.first());
        let parts = entry.and_then(|index| Some((policy.issuers.get(index)?, self.callers.keyrings().get(index)?.keys(now))));
        let (signature, claims) = match parts {
            Some((issuer, Keys::Ready(keys))) => match keys.verify(token, issuer.algorithms) {
                Ok(verified) => {
                    let hold = |check| (check, issuer.claims.holds(check, &verified, now));
                    (Some(Ok(())), ClaimCheck::ALL.into_iter().map(hold).collect())
                }
                Err(rejection) => (Some(Err(rejection)), Vec::new()),
            },
            _ => (None, Vec::new()),
        };
        let caller = match source {
            Some(source) => {
                self.callers.identify(&policy, Found { token: credential, source }, now, &mut Alone).map_err(Doubt::from)
            }
            None => Err(Doubt::Refused(Rejection::IssuerUnknown)),
        };
        let confirmation = caller.as_ref().ok().and_then(|caller: &Rc<Caller>| caller.confirmation.as_deref().copied());
        let verdict = caller.and_then(|caller| {
            let is_required = policy.sender(caller.issuer).is_none_or(|sender| sender.dpop.required);
            match confirmation {
                Some(Confirmation::Unknown) => Err(Doubt::Refused(Rejection::TokenBindingMismatch)),
                _ if is_required && confirmation.is_none_or(|confirmation| confirmation.key().is_none()) => {
                    Err(Doubt::Refused(Rejection::TokenNotBound))
                }
                _ => Ok(Rc::clone(&caller.identity)),
            }
        });
        Examination { api_keys: None, decrypted: inner, form: Ok(()), entry, signature, claims, confirmation, verdict }
    }
}

impl Policy {
    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Every place where a credential may stand.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The names of the `jwtRules` entries and of the sets of API keys, in order.
    #[must_use]
    pub fn issuer_names(&self) -> Vec<Rc<str>> {
        let keys = self.api_keys.iter().map(|set| Rc::clone(&set.name));
        self.issuers.iter().map(|issuer| Rc::clone(&issuer.name)).chain(keys).collect()
    }
}

impl From<Obstacle> for Doubt {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Refused(rejection) => Self::Refused(rejection),
            Obstacle::KeysPending(fetch) => Self::KeysPending(fetch),
        }
    }
}
