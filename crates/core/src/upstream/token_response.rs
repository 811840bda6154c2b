//! The answer of a token endpoint (RFC 6749 section 5), read strictly.
//!
//! Refused: an object that repeats a name, another `token_type` than Bearer, an `access_token` that is not visible ASCII or is too
//! long, an `expires_in` that is absent, zero, or no whole number. No error holds anything that the server wrote.

use std::time::Duration;

use serde_json::Value;

use crate::jose::strict_json;
use crate::stage::{FetchOutcome, MAX_FETCHED_BYTES};

/// The longest access token, in bytes.
const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// A token that says it holds for longer is renewed as if it held for this long.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The codes of errors (RFC 6749 section 5.2, RFC 8707 section 2). Others are not repeated.
const CODES: [&str; 7] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_target",
];

/// Why a fetch brought no token. The text is for the operator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    /// The proxy did not send the request.
    #[error("the proxy did not send the request; does the cluster exist?")]
    NotSent,
    /// No answer came.
    #[error("no answer came")]
    Lost,
    /// The answer was an error.
    #[error("the answer has status {0}")]
    Status(u16),
    /// The answer was an error that names its reason.
    #[error("the answer has status {0} and the error {1}")]
    Refused(u16, &'static str),
    /// The answer is too long.
    #[error("the answer is longer than 1 MiB")]
    TooLarge,
    /// The answer is not what it should be.
    #[error("the answer is not a JSON object, or an object in it repeats a name")]
    NotJson,
    /// There is no token in it that a header can hold.
    #[error("the answer has no `access_token` of visible characters, at most 8 KiB long")]
    NoToken,
    /// It is a token of another type.
    #[error("the `token_type` of the answer is not Bearer")]
    Type,
    /// It does not say how long the token holds.
    #[error("the `expires_in` of the answer is not a whole number of seconds above 0")]
    Expiration,
}

/// A token, and for how long it holds.
pub(super) fn read(outcome: FetchOutcome) -> Result<(String, Duration), TokenError> {
    let (status, body) = match outcome {
        FetchOutcome::Answered { body, .. } if body.len() > MAX_FETCHED_BYTES => return Err(TokenError::TooLarge),
        FetchOutcome::Answered { status, body, .. } => (status, body),
        FetchOutcome::Lost => return Err(TokenError::Lost),
        FetchOutcome::NotSent => return Err(TokenError::NotSent),
    };
    let answer = strict_json::parse(&body);
    let member = |name: &str| answer.as_ref().and_then(|answer| answer.get(name));
    if status != 200 {
        let named = member("error").and_then(Value::as_str);
        let code = CODES.into_iter().find(|code| named == Some(code));
        return Err(code.map_or(TokenError::Status(status), |code| TokenError::Refused(status, code)));
    }
    if !answer.as_ref().is_some_and(Value::is_object) {
        return Err(TokenError::NotJson);
    }
    if !member("token_type").and_then(Value::as_str).is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(TokenError::Type);
    }
    let token = member("access_token").and_then(Value::as_str).unwrap_or_default();
    if token.is_empty() || token.len() > MAX_TOKEN_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TokenError::NoToken);
    }
    let seconds = member("expires_in").and_then(Value::as_u64).filter(|seconds| *seconds > 0).ok_or(TokenError::Expiration)?;
    Ok((token.to_owned(), Duration::from_secs(seconds).min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16, body: &str) -> Result<(String, Duration), TokenError> {
        read(FetchOutcome::Answered { status, max_age: None, retry_after: None, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn reads_a_token_and_for_how_long_it_holds() {
        for (expires_in, expected) in [(1, 1), (300, 300), (u64::MAX, 86_400)] {
            let body = json!({"access_token": "a.b~c+/=", "token_type": "bEARER", "expires_in": expires_in, "scope": "x"});
            assert_eq!(answer(200, &body.to_string()), Ok(("a.b~c+/=".to_owned(), Duration::from_secs(expected))));
        }
    }

    #[test]
    fn refuses_what_is_no_token() {
        let good = json!({"access_token": "t", "token_type": "Bearer", "expires_in": 300});
        let with = |name: &str, value: Value| {
            let mut body = good.clone();
            body[name] = value;
            body.to_string()
        };
        for (case, body, expected) in [
            ("nothing", String::new(), TokenError::NotJson),
            ("HTML", "<html>".to_owned(), TokenError::NotJson),
            ("a list", "[]".to_owned(), TokenError::NotJson),
            ("a name twice", good.to_string().replacen('{', "{\"expires_in\":1,", 1), TokenError::NotJson),
            ("MAC", with("token_type", json!("mac")), TokenError::Type),
            ("DPoP", with("token_type", json!("DPoP")), TokenError::Type),
            ("no type", with("token_type", Value::Null), TokenError::Type),
            ("no token", with("access_token", Value::Null), TokenError::NoToken),
            ("an empty token", with("access_token", json!("")), TokenError::NoToken),
            ("a line break", with("access_token", json!("a\r\nx-admin: 1")), TokenError::NoToken),
            ("a space", with("access_token", json!("a b")), TokenError::NoToken),
            ("not ASCII", with("access_token", json!("\u{e9}")), TokenError::NoToken),
            ("a long token", with("access_token", json!("a".repeat(8193))), TokenError::NoToken),
            ("no end", with("expires_in", Value::Null), TokenError::Expiration),
            ("at once", with("expires_in", json!(0)), TokenError::Expiration),
            ("before now", with("expires_in", json!(-1)), TokenError::Expiration),
            ("a fraction", with("expires_in", json!(1.5)), TokenError::Expiration),
            ("too great", with("expires_in", json!(1e30)), TokenError::Expiration),
            ("text", with("expires_in", json!("300")), TokenError::Expiration),
        ] {
            assert_eq!(answer(200, &body), Err(expected), "{case}");
        }
        assert_eq!(answer(500, ""), Err(TokenError::Status(500)));
        assert_eq!(answer(201, &good.to_string()), Err(TokenError::Status(201)));
        assert_eq!(answer(401, r#"{"error":"invalid_client"}"#), Err(TokenError::Refused(401, "invalid_client")));
        assert_eq!(answer(401, r#"{"error":"a secret"}"#), Err(TokenError::Status(401)));
        assert_eq!(answer(200, &"x".repeat(MAX_FETCHED_BYTES + 1)), Err(TokenError::TooLarge));
        assert_eq!(read(FetchOutcome::Lost), Err(TokenError::Lost));
        assert_eq!(read(FetchOutcome::NotSent), Err(TokenError::NotSent));
    }
}
