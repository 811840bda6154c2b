//! Whether verified claims hold here and now, and who they say is calling.
//!
//! In this order: the type of the token, its issuer, expiration, start, lifetime, audience. A time is honoured to the fraction.

use std::time::Duration;

use serde_json::Value;

use super::accepted::{Accepted, Validity};
use super::claims::Claims;
use super::token::Verified;
use crate::claim_set::{Claim, ClaimSet};
use crate::principal::{Method, Principal};
use crate::rejection::Rejection;
use crate::time::UnixTime;

/// What a `typ` may leave out.
const APPLICATION: &str = "application/";

/// What an issuer's tokens must say, and where they say it.
#[derive(Debug, Clone)]
pub struct ClaimRules {
    /// The `iss` that the token must bear, exactly; absent: any or none.
    pub issuer: Option<String>,
    /// The token must be meant for one of these, exactly; empty: not checked.
    pub audiences: Vec<String>,
    /// How far the issuer's clock may be off.
    pub clock_skew: Duration,
    /// Whether a token without `exp` is refused.
    pub require_expiration: bool,
    /// The longest time between `iat` (else `nbf`) and `exp`.
    pub max_lifetime: Option<Duration>,
    /// The `typ` that the token must bear, with or without `application/` (RFC 9068 section 4); absent: `JWT`, `…+jwt` or none.
    pub require_type: Option<String>,
    /// The path of the claim that holds the subject.
    pub subject_claim: String,
    /// The path of the claim that holds the roles: a list, or text with spaces or commas between them.
    pub roles_claim: String,
    /// The path of the claim that holds the scopes: a list, or text with spaces between them.
    pub scopes_claim: String,
    /// The paths of other claims that are lists written as text with spaces between the elements.
    pub space_delimited: Vec<String>,
}

/// One thing that verified claims must fulfil.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimCheck {
    /// The header's `typ` (RFC 8725 section 3.11).
    Type,
    /// `iss`.
    Issuer,
    /// `exp`.
    Expiration,
    /// `nbf` and `iat`.
    Start,
    /// The time from `iat`, else `nbf`, to `exp`.
    Lifetime,
    /// `aud`.
    Audience,
}

impl ClaimCheck {
    /// Every check, in the order in which they decide.
    pub const ALL: [Self; 6] = [Self::Type, Self::Issuer, Self::Expiration, Self::Start, Self::Lifetime, Self::Audience];
}

impl ClaimRules {
    /// Check verified claims.
    ///
    /// # Errors
    /// [`Rejection::TypeMismatch`], [`Rejection::IssuerUnknown`], [`Rejection::TokenExpired`], [`Rejection::ExpirationMissing`],
    /// [`Rejection::TokenNotYetValid`], [`Rejection::LifetimeTooLong`], [`Rejection::AudienceMismatch`].
    pub fn check<'a>(&self, verified: Verified<'a>, now: UnixTime) -> Result<Accepted<'a>, Rejection> {
        ClaimCheck::ALL.into_iter().try_for_each(|check| self.holds(check, &verified, now))?;
        let validity = self.validity(&verified.claims);
        Ok(Accepted { bytes: verified.bytes, claims: verified.claims, validity })
    }

    /// Whether the claims of a caller are others than those of the token.
    #[must_use]
    pub const fn changes_claims(&self) -> bool {
        !self.space_delimited.is_empty()
    }

    /// The caller that an accepted token names.
    #[must_use]
    pub fn principal(&self, accepted: Accepted<'_>) -> Principal {
        self.principal_of(accepted.claims)
    }

    /// Whether one check holds. Claims that fulfil all of [`ClaimCheck::ALL`] are accepted.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn holds(&self, check: ClaimCheck, verified: &Verified<'_>, now: UnixTime) -> Result<(), Rejection> {
        let claims = &verified.claims;
        match check {
            ClaimCheck::Type if !self.is_type(verified.header.media_type.as_deref()) => Err(Rejection::TypeMismatch),
            ClaimCheck::Issuer if self.issuer.is_some() && claims.text("iss") != self.issuer.as_deref() => {
                Err(Rejection::IssuerUnknown)
            }
            ClaimCheck::Expiration if self.require_expiration && claims.expires_at.is_none() => Err(Rejection::ExpirationMissing),
            ClaimCheck::Expiration if now >= self.validity(claims).until => Err(Rejection::TokenExpired),
            ClaimCheck::Start if now < self.validity(claims).from => Err(Rejection::TokenNotYetValid),
            ClaimCheck::Lifetime if !self.is_short_lived(claims) => Err(Rejection::LifetimeTooLong),
            ClaimCheck::Audience
                if !self.audiences.is_empty() && !claims.audiences.iter().any(|one| self.audiences.contains(one)) =>
            {
                Err(Rejection::AudienceMismatch)
            }
            _ => Ok(()),
        }
    }

    /// Whether the header's `typ` fits.
    fn is_type(&self, media_type: Option<&str>) -> bool {
        match (&self.require_type, media_type.map(short_type)) {
            (Some(required), found) => found.is_some_and(|found| found.eq_ignore_ascii_case(short_type(required))),
            (None, Some(found)) => found.eq_ignore_ascii_case("jwt") || has_end(found, "+jwt"),
            (None, None) => true,
        }
    }

    fn validity(&self, claims: &Claims) -> Validity {
        let start = claims.not_before.max(claims.issued_at);
        Validity {
            from: start.map_or(UnixTime::from_secs(0), |start| start.saturating_sub(self.clock_skew)),
            until: claims.expires_at.unwrap_or(UnixTime::from_epoch(Duration::MAX)).saturating_add(self.clock_skew),
        }
    }

    fn is_short_lived(&self, claims: &Claims) -> bool {
        let Some(longest) = self.max_lifetime else { return true };
        match (claims.expires_at, claims.issued_at.or(claims.not_before)) {
            (Some(end), Some(start)) => end.since(start) <= longest,
            _ => false,
        }
    }

    pub(super) fn principal_of(&self, claims: Claims) -> Principal {
        let mut members = claims.members;
        let subject = members.at(&self.subject_claim).and_then(scalar);
        let roles = members.at(&self.roles_claim).map(|roles| list(roles, &[' ', ','])).unwrap_or_default();
        let scopes = members.at(&self.scopes_claim).map(|scopes| list(scopes, &[' '])).unwrap_or_default();
        let issuer = text(&members, "iss").unwrap_or_default();
        let token_id = text(&members, "jti");
        for path in &self.space_delimited {
            members.replace_at(path, |claim| claim.as_str().map(|text| split(text, &[' ']).into()));
        }
        Principal {
            issuer,
            subject,
            roles,
            scopes,
            audiences: claims.audiences,
            claims: members,
            method: Method::Jwt,
            token_id,
            expires_at: claims.expires_at.map(UnixTime::as_secs),
        }
    }
}

/// A media type without `application/`, which a `typ` may leave out (RFC 7515 section 4.1.9); neither minds case.
fn short_type(media_type: &str) -> &str {
    match media_type.split_at_checked(APPLICATION.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(APPLICATION) => rest,
        _ => media_type,
    }
}

fn has_end(text: &str, end: &str) -> bool {
    let start = text.len().checked_sub(end.len());
    start.and_then(|start| text.get(start..)).is_some_and(|found| found.eq_ignore_ascii_case(end))
}

fn text(claims: &ClaimSet, name: &str) -> Option<String> {
    claims.get(name)?.as_str().map(str::to_owned)
}

/// Text as it is, and a number as it is written; a subject can be the number of a row.
fn scalar(claim: Claim<'_>) -> Option<String> {
    match claim {
        Claim::Text(text) => Some(text.to_owned()),
        Claim::Value(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    }
}

/// The elements of a list; what is not text in it grants nothing.
fn list(claim: Claim<'_>, separators: &[char]) -> Vec<String> {
    match claim {
        Claim::Text(text) => split(text, separators),
        Claim::Value(Value::Array(elements)) => {
            elements.iter().filter_map(|element| element.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    }
}

fn split(text: &str, separators: &[char]) -> Vec<String> {
    text.split(separators).filter(|element| !element.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Algorithm;
    use crate::jose::jose_header::JoseHeader;
    use serde_json::json;

    const NOW: u64 = 1_700_000_000;

    fn rules() -> ClaimRules {
        ClaimRules {
            issuer: None,
            audiences: Vec::new(),
            clock_skew: Duration::ZERO,
            require_expiration: true,
            max_lifetime: None,
            require_type: None,
            subject_claim: "sub".into(),
            roles_claim: "roles".into(),
            scopes_claim: "scope".into(),
            space_delimited: Vec::new(),
        }
    }

    fn verified(claims: &Value, media_type: Option<&str>) -> Verified<'static> {
        let media_type = media_type.map(str::to_owned);
        let header = JoseHeader { algorithm: Algorithm::Rs256, key_id: None, media_type };
        Verified { bytes: b"", claims: Claims::parse(claims.to_string().into()).unwrap(), header: header.into() }
    }

    fn outcome(rules: &ClaimRules, claims: &Value) -> Result<(), Rejection> {
        rules.check(verified(claims, None), UnixTime::from_secs(NOW)).map(drop)
    }

    fn principal(rules: &ClaimRules, mut claims: Value) -> Principal {
        claims["exp"] = json!(NOW + 60);
        rules.principal(rules.check(verified(&claims, None), UnixTime::from_secs(NOW)).unwrap())
    }

    #[test]
    fn decides_by_the_times_of_the_token() {
        let strict = rules();
        let skewed = ClaimRules { clock_skew: Duration::from_secs(60), ..rules() };
        let lenient = ClaimRules { require_expiration: false, ..rules() };
        let end = NOW + 600;
        let cases = [
            ("before exp", &strict, json!({"exp": NOW + 1}), Ok(())),
            ("at exp", &strict, json!({"exp": NOW}), Err(Rejection::TokenExpired)),
            ("a fraction before exp", &strict, json!({"exp": NOW as f64 + 0.5}), Ok(())),
            ("a fraction after exp", &strict, json!({"exp": NOW as f64 - 0.5}), Err(Rejection::TokenExpired)),
            ("within the skew of exp", &skewed, json!({"exp": NOW - 59}), Ok(())),
            ("at the end of the skew", &skewed, json!({"exp": NOW - 60}), Err(Rejection::TokenExpired)),
            ("without exp", &strict, json!({}), Err(Rejection::ExpirationMissing)),
            ("without exp where it may", &lenient, json!({}), Ok(())),
            ("exp of zero", &lenient, json!({"exp": 0}), Err(Rejection::TokenExpired)),
            ("at nbf", &strict, json!({"exp": end, "nbf": NOW}), Ok(())),
            ("before nbf", &strict, json!({"exp": end, "nbf": NOW + 1}), Err(Rejection::TokenNotYetValid)),
            ("within the skew of nbf", &skewed, json!({"exp": end, "nbf": NOW + 60}), Ok(())),
            ("before the skew of nbf", &skewed, json!({"exp": end, "nbf": NOW + 61}), Err(Rejection::TokenNotYetValid)),
            ("iat in the future", &strict, json!({"exp": end, "iat": NOW + 1}), Err(Rejection::TokenNotYetValid)),
            ("iat within the skew", &skewed, json!({"exp": end, "iat": NOW + 60}), Ok(())),
            ("the latest exp", &skewed, json!({"exp": 253_402_300_799_u64}), Ok(())),
        ];
        for (name, rules, claims, expected) in cases {
            assert_eq!(outcome(rules, &claims), expected, "{name}");
        }
    }

    #[test]
    fn holds_tokens_to_the_longest_lifetime() {
        let rules = ClaimRules { max_lifetime: Some(Duration::from_secs(100)), require_expiration: false, ..rules() };
        let cases = [
            ("as long as allowed", json!({"iat": NOW - 50, "exp": NOW + 50}), Ok(())),
            ("too long", json!({"iat": NOW - 50, "exp": NOW as f64 + 50.5}), Err(Rejection::LifetimeTooLong)),
            ("by nbf", json!({"nbf": NOW - 50, "exp": NOW + 50}), Ok(())),
            ("iat before nbf", json!({"iat": NOW - 90, "nbf": NOW - 50, "exp": NOW + 50}), Err(Rejection::LifetimeTooLong)),
            ("since when is not said", json!({"exp": NOW + 50}), Err(Rejection::LifetimeTooLong)),
            ("for ever", json!({"iat": NOW}), Err(Rejection::LifetimeTooLong)),
        ];
        for (name, claims, expected) in cases {
            assert_eq!(outcome(&rules, &claims), expected, "{name}");
        }
    }

    #[test]
    fn compares_audiences_exactly() {
        let rules = ClaimRules { audiences: vec!["orders".into(), "billing".into()], ..rules() };
        let cases = [
            (json!("orders"), Ok(())),
            (json!(["x", "billing"]), Ok(())),
            (json!("order"), Err(Rejection::AudienceMismatch)),
            (json!("orders2"), Err(Rejection::AudienceMismatch)),
            (json!("Orders"), Err(Rejection::AudienceMismatch)),
            (json!("orders billing"), Err(Rejection::AudienceMismatch)),
            (json!([]), Err(Rejection::AudienceMismatch)),
        ];
        for (audience, expected) in cases {
            assert_eq!(outcome(&rules, &json!({"exp": NOW + 60, "aud": audience})), expected, "{audience}");
        }
        assert_eq!(outcome(&rules, &json!({"exp": NOW + 60})), Err(Rejection::AudienceMismatch));
    }

    #[test]
    fn binds_claims_to_their_issuer() {
        let rules = ClaimRules { issuer: Some("https://a.example".into()), ..rules() };
        let cases = [
            (json!("https://a.example"), Ok(())),
            (json!("https://a.example/"), Err(Rejection::IssuerUnknown)),
            (json!("https://b.example"), Err(Rejection::IssuerUnknown)),
        ];
        for (issuer, expected) in cases {
            assert_eq!(outcome(&rules, &json!({"exp": NOW + 60, "iss": issuer})), expected, "{issuer}");
        }
        assert_eq!(outcome(&rules, &json!({"exp": NOW + 60})), Err(Rejection::IssuerUnknown));
    }

    #[test]
    fn asks_for_the_type() {
        let cases = [
            (Some("at+jwt"), Some("at+jwt"), Ok(())),
            (Some("at+jwt"), Some("application/AT+JWT"), Ok(())),
            (Some("application/at+jwt"), Some("at+jwt"), Ok(())),
            (Some("at+jwt"), Some("JWT"), Err(Rejection::TypeMismatch)),
            (Some("at+jwt"), None, Err(Rejection::TypeMismatch)),
            (Some("at+jwt"), Some("xat+jwt"), Err(Rejection::TypeMismatch)),
            (Some("at+jwt"), Some("application-at+jwt"), Err(Rejection::TypeMismatch)),
            (None, None, Ok(())),
            (None, Some("jwt"), Ok(())),
            (None, Some("at+jwt"), Ok(())),
            (None, Some("JOSE"), Err(Rejection::TypeMismatch)),
            (None, Some(""), Err(Rejection::TypeMismatch)),
        ];
        for (required, found, expected) in cases {
            let rules = ClaimRules { require_type: required.map(str::to_owned), ..rules() };
            let checked = rules.check(verified(&json!({"exp": NOW + 60}), found), UnixTime::from_secs(NOW)).map(drop);
            assert_eq!(checked, expected, "{required:?} {found:?}");
        }
    }

    #[test]
    fn reads_roles_as_issuers_write_them() {
        let cases = [
            ("roles", json!({"roles": ["a", "b c", 1, null]}), vec!["a", "b c"]),
            ("auth", json!({"auth": "ROLE_USER"}), vec!["ROLE_USER"]),
            ("auth", json!({"auth": "ROLE_ADMIN,ROLE_USER"}), vec!["ROLE_ADMIN", "ROLE_USER"]),
            ("auth", json!({"auth": " ROLE_ADMIN, ROLE_USER "}), vec!["ROLE_ADMIN", "ROLE_USER"]),
            ("realm_access.roles", json!({"realm_access": {"roles": ["a"]}}), vec!["a"]),
            ("https://example.com/roles", json!({"https://example.com/roles": ["a"]}), vec!["a"]),
            ("roles", json!({"roles": {"admin": true}}), vec![]),
            ("roles", json!({"roles": true}), vec![]),
            ("roles", json!({}), vec![]),
        ];
        for (path, claims, expected) in cases {
            let rules = ClaimRules { roles_claim: path.into(), ..rules() };
            assert_eq!(principal(&rules, claims.clone()).roles, expected, "{claims}");
        }
    }

    #[test]
    fn reads_scopes_as_text_and_as_list() {
        let scopes = |claims: Value| principal(&rules(), claims).scopes;
        assert_eq!(scopes(json!({"scope": "orders.read  orders.write"})), ["orders.read", "orders.write"]);
        assert_eq!(scopes(json!({"scope": ["orders.read", "orders.write"]})), ["orders.read", "orders.write"]);
        assert_eq!(scopes(json!({"scope": "a,b"})), ["a,b"]);
    }

    #[test]
    fn splits_only_the_claims_that_it_is_told_to() {
        let rules = ClaimRules { space_delimited: vec!["groups".into(), "x.y".into(), "n".into()], ..rules() };
        let claims = principal(&rules, json!({"groups": "a b", "other": "a b", "x": {"y": "c d"}, "n": 1})).claims;
        let expected = json!({"groups": ["a", "b"], "other": "a b", "x": {"y": ["c", "d"]}, "n": 1, "exp": NOW + 60});
        assert_eq!(claims, expected.as_object().unwrap().clone().into());
    }

    #[test]
    fn tells_who_is_calling_and_for_how_long() {
        let rules = ClaimRules { subject_claim: "user.id".into(), clock_skew: Duration::from_secs(5), ..rules() };
        let claims = json!({"iss": "i", "jti": "t", "aud": "a", "exp": NOW as f64 + 1.5, "nbf": NOW - 10, "iat": NOW - 20, "user": {"id": 42}});
        let accepted = rules.check(verified(&claims, None), UnixTime::from_secs(NOW)).unwrap();
        let expected = Principal {
            issuer: "i".into(),
            subject: Some("42".into()),
            roles: vec![],
            scopes: vec![],
            audiences: vec!["a".into()],
            claims: claims.as_object().unwrap().clone().into(),
            method: Method::Jwt,
            token_id: Some("t".into()),
            expires_at: Some(NOW + 1),
        };
        let validity = accepted.validity;
        assert_eq!(rules.principal(accepted), expected);
        let at = |milliseconds: u64| UnixTime::from_epoch(Duration::from_millis(milliseconds));
        let cases =
            [(NOW * 1000 - 15_001, false), (NOW * 1000 - 15_000, true), (NOW * 1000 + 6_499, true), (NOW * 1000 + 6_500, false)];
        for (time, valid) in cases {
            assert_eq!(validity.contains(at(time)), valid, "{time}");
        }
    }
}
