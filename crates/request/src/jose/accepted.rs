//! A token that was verified and holds: for how long, and what is kept of it.

use std::fmt;
use std::rc::Rc;

use super::claim_rules::ClaimRules;
use super::claims::Claims;
use super::malformed::Part;
use super::part;
use crate::claim_set::ClaimSet;
use crate::principal::Principal;
use crate::time::UnixTime;

/// The time in which a verified token may be used again without another look at its claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// The first point.
    pub from: UnixTime,
    /// The first point after it.
    pub until: UnixTime,
}

impl Validity {
    /// Whether the token may be used at this time.
    #[must_use]
    pub fn contains(self, now: UnixTime) -> bool {
        self.from <= now && now < self.until
    }
}

/// A token that holds here and now.
pub struct Accepted<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) claims: Claims,
    /// For how long the token holds.
    pub validity: Validity,
}

/// The bytes of a token that held once, with the rules that it fulfilled. Who is calling can be read from them at any time.
#[derive(Debug, Clone)]
pub struct KnownToken {
    bytes: Rc<[u8]>,
    rules: Rc<ClaimRules>,
}

impl Accepted<'_> {
    /// Its claims as the token states them.
    #[must_use]
    pub const fn claims(&self) -> &ClaimSet {
        &self.claims.members
    }

    /// The token, to be kept beside what was made of it. The rules are those that accepted it.
    #[must_use]
    pub fn known(&self, rules: &Rc<ClaimRules>) -> KnownToken {
        KnownToken { bytes: self.bytes.into(), rules: Rc::clone(rules) }
    }
}

impl fmt::Debug for Accepted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Accepted").field("validity", &self.validity).finish_non_exhaustive()
    }
}

impl KnownToken {
    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &Rc<[u8]> {
        &self.bytes
    }

    /// The caller that the token names; `None` when its claims cannot be read any more, which could be read before.
    #[must_use]
    pub fn principal(&self) -> Option<Principal> {
        let payload = str::from_utf8(self.payload()?).ok()?;
        let claims = Claims::parse(part::decode(Part::Claims, payload).ok()?).ok()?;
        Some(self.rules.principal_of(claims))
    }

    fn payload(&self) -> Option<&[u8]> {
        self.bytes.split(|byte| *byte == b'.').nth(1)
    }

    /// About how much memory the principal takes.
    #[must_use]
    pub(crate) fn principal_bytes(&self) -> usize {
        // Values in JSON are as short as three or four bytes, and some words long when they have been read.
        let claims = self.payload().unwrap_or_default().len();
        claims.saturating_mul(size_of::<usize>()).saturating_add(ClaimSet::USUAL_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::principal::Identity;

    #[test]
    fn who_cannot_be_read_any_more_is_nobody() {
        let rules = Rc::new(ClaimRules {
            issuer: None,
            audiences: Vec::new(),
            clock_skew: Duration::ZERO,
            require_expiration: false,
            max_lifetime: None,
            require_type: None,
            subject_claim: "sub".into(),
            roles_claim: "roles".into(),
            scopes_claim: "scope".into(),
            space_delimited: Vec::new(),
        });
        for bytes in [&b""[..], b"a", b"a.b", b"a.!.c", b"a.\xff.c", b"a.W10.c"] {
            let identity = Identity::of_token(KnownToken { bytes: bytes.into(), rules: Rc::clone(&rules) }, "uaa".into());
            assert_eq!((identity.principal(), identity.json()), (None, ""), "{}", bytes.escape_ascii());
            assert!(identity.bytes() > 0);
        }
        let known = KnownToken { bytes: b"a.e30.c"[..].into(), rules };
        let identity = Identity::of_token(known, "uaa".into());
        assert_eq!(identity.principal().map(|principal| &*principal.issuer), Some("uaa"));
    }
}
