//! The claims of a token, with the registered ones (RFC 7519 section 4.1) held to their types.
//!
//! A claim that is present with the wrong type is refused, never skipped: a skipped `exp` would never pass.

use std::time::Duration;

use serde::de::Error;
use serde_json::Value;

use super::malformed::{Malformed, Part};
use super::strict_json;
use crate::claim_set::{Claim, ClaimSet};
use crate::time::UnixTime;

/// 9999-12-31T23:59:59Z, the latest time that a claim may name.
const LATEST_SECONDS: u64 = 253_402_300_799;

/// The registered claims that are text.
const TEXTS: [&str; 4] = ["iss", "sub", "jti", "nonce"];

/// The claims as the token states them.
pub(super) struct Claims {
    /// All of them.
    pub members: ClaimSet,
    /// `exp`.
    pub expires_at: Option<UnixTime>,
    /// `nbf`.
    pub not_before: Option<UnixTime>,
    /// `iat`.
    pub issued_at: Option<UnixTime>,
    /// `aud`, as a list in both of its forms.
    pub audiences: Vec<String>,
}

impl Claims {
    /// Read the JSON of a token's second part.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(json: Vec<u8>) -> Result<Self, Malformed> {
        let members = read(json)?;
        let (mut expires_at, mut not_before, mut issued_at, mut audiences) = (None, None, None, Vec::new());
        let time = |name, claim| numeric_date(claim).ok_or(Malformed::Claim(name)).map(Some);
        for (name, claim) in members.iter() {
            match name {
                "exp" => expires_at = time("exp", claim)?,
                "nbf" => not_before = time("nbf", claim)?,
                "iat" => issued_at = time("iat", claim)?,
                "aud" => audiences = texts(claim).ok_or(Malformed::Claim("aud"))?,
                _ => {}
            }
            if let Some(name) = TEXTS.into_iter().find(|text| *text == name)
                && claim.as_str().is_none()
            {
                return Err(Malformed::Claim(name));
            }
        }
        Ok(Self { members, expires_at, not_before, issued_at, audiences })
    }

    /// A claim that is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str()
    }
}

fn read(json: Vec<u8>) -> Result<ClaimSet, Malformed> {
    strict_json::begins_object(Part::Claims, &json)?;
    let json = String::from_utf8(json).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Malformed::Json(Part::Claims, serde_json::Error::custom(format_args!("byte {at} is not UTF-8")))
    })?;
    ClaimSet::read(json).map_err(|error| Malformed::Json(Part::Claims, error))
}

/// A NumericDate (RFC 7519 section 2): a number of seconds, fractions allowed.
fn numeric_date(claim: Claim<'_>) -> Option<UnixTime> {
    let Claim::Value(value) = claim else { return None };
    let since_epoch = match value.as_u64() {
        Some(seconds) => Duration::from_secs(seconds),
        None => Duration::try_from_secs_f64(value.as_f64()?).ok()?,
    };
    (since_epoch <= Duration::from_secs(LATEST_SECONDS)).then(|| UnixTime::from_epoch(since_epoch))
}

fn texts(claim: Claim<'_>) -> Option<Vec<String>> {
    match claim {
        Claim::Text(text) => Some(vec![text.to_owned()]),
        Claim::Value(Value::Array(texts)) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_with_and_without_fractions() {
        let cases = [
            ("0", Duration::ZERO),
            ("1700000000", Duration::from_secs(1_700_000_000)),
            ("1700000000.5", Duration::from_millis(1_700_000_000_500)),
            ("1.7e9", Duration::from_secs(1_700_000_000)),
            ("253402300799", Duration::from_secs(LATEST_SECONDS)),
        ];
        for (text, expected) in cases {
            let claims = Claims::parse(format!(r#"{{"exp":{text}}}"#).into()).ok().unwrap();
            assert_eq!(claims.expires_at, Some(UnixTime::from_epoch(expected)), "{text}");
        }
    }

    #[test]
    fn refuses_registered_claims_of_another_type() {
        let cases = [
            r#"{"exp":"1700000000"}"#,
            r#"{"exp":null}"#,
            r#"{"exp":true}"#,
            r#"{"exp":[1700000000]}"#,
            r#"{"exp":-1}"#,
            r#"{"exp":-0.5}"#,
            r#"{"exp":1e308}"#,
            r#"{"exp":1e999}"#,
            r#"{"exp":253402300800}"#,
            r#"{"exp":253402300799.5}"#,
            r#"{"exp":18446744073709551616}"#,
            r#"{"nbf":"0"}"#,
            r#"{"iat":{}}"#,
            r#"{"iss":1}"#,
            r#"{"iss":["a"]}"#,
            r#"{"sub":null}"#,
            r#"{"jti":7}"#,
            r#"{"aud":null}"#,
            r#"{"aud":{"a":1}}"#,
            r#"{"aud":["a",1]}"#,
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"realm":{"roles":[],"roles":["admin"]}}"#,
            "[]",
            "\"text\"",
            "",
        ];
        for json in cases {
            assert!(Claims::parse(json.into()).is_err(), "{json}");
        }
    }

    #[test]
    fn reads_both_forms_of_aud() {
        let audiences = |json: &str| Claims::parse(json.into()).ok().unwrap().audiences;
        assert_eq!(audiences(r#"{"aud":"a"}"#), ["a"]);
        assert_eq!(audiences(r#"{"aud":["a","b"]}"#), ["a", "b"]);
        assert!(audiences("{}").is_empty());
        assert!(audiences(r#"{"aud":[]}"#).is_empty());
    }
}
