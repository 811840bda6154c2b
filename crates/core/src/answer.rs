//! The answer to a refused request: RFC 6750 challenge, RFC 9457 problem document, response code details.

use serde::Serialize;

use crate::rejection::Rejection;

/// Seconds after which a client may try again when keys are missing.
const RETRY_AFTER_SECONDS: &str = "5";

/// A refusal: the reason, and what the answer says beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub rejection: Rejection,
    /// The protection space that the challenge names (RFC 9110 section 11.5).
    pub realm: Option<String>,
    /// The scopes that the resource needs, for `insufficient_scope` (RFC 6750 section 3.1).
    pub scopes: Vec<String>,
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self { rejection, realm: None, scopes: Vec::new() }
    }
}

/// A complete answer, ready to be sent by the proxy in place of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReply {
    /// The HTTP status.
    pub status: u16,
    /// Header names, lower-case, with their values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The response code details: `portcullis{code}`.
    pub details: String,
}

#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'static str,
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Refusal {
    /// The answer to the client. `request_id` is what [`Request::request_id`](crate::request::Request::request_id) gives.
    #[must_use]
    pub fn to_reply(&self, request_id: Option<&str>) -> LocalReply {
        let status = self.rejection.status();
        let mut headers = vec![("content-type", "application/problem+json".to_owned()), ("cache-control", "no-store".to_owned())];
        if let Some(challenge) = self.challenge() {
            headers.push(("www-authenticate", challenge));
        }
        if status == 503 {
            headers.push(("retry-after", RETRY_AFTER_SECONDS.to_owned()));
        }
        let problem = Problem {
            r#type: "about:blank",
            title: title(status),
            status,
            code: self.rejection.code(),
            detail: self.rejection.description(),
            request_id,
        };
        LocalReply {
            status,
            headers,
            body: serde_json::to_vec(&problem).unwrap_or_default(),
            details: format!("portcullis{{{}}}", self.rejection.code()),
        }
    }

    /// The `WWW-Authenticate` value (RFC 6750 section 3); none for answers that other credentials would not change.
    fn challenge(&self) -> Option<String> {
        let error = match self.rejection {
            Rejection::TokenMissing => None,
            Rejection::AccessDenied | Rejection::ClaimTooLarge | Rejection::RequestMalformed => return None,
            rejection => match rejection.status() {
                400 => Some("invalid_request"),
                401 => Some("invalid_token"),
                403 => Some("insufficient_scope"),
                _ => return None,
            },
        };
        let mut parameters = Vec::new();
        if let Some(realm) = &self.realm {
            parameters.push(format!("realm=\"{realm}\""));
        }
        if let Some(error) = error {
            parameters.push(format!("error=\"{error}\""));
            parameters.push(format!("error_description=\"{}\"", self.rejection.description()));
        }
        if error == Some("insufficient_scope") && !self.scopes.is_empty() {
            parameters.push(format!("scope=\"{}\"", self.scopes.join(" ")));
        }
        Some(if parameters.is_empty() { "Bearer".to_owned() } else { format!("Bearer {}", parameters.join(", ")) })
    }
}

const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge_of(rejection: Rejection) -> Option<String> {
        let refusal =
            Refusal { rejection, realm: Some("orders".into()), scopes: vec!["orders.read".into(), "orders.write".into()] };
        let reply = refusal.to_reply(None);
        reply.headers.into_iter().find(|(name, _)| *name == "www-authenticate").map(|(_, value)| value)
    }

    #[test]
    fn challenges_as_rfc_6750_says() {
        assert_eq!(challenge_of(Rejection::TokenMissing).unwrap(), "Bearer realm=\"orders\"");
        assert_eq!(
            challenge_of(Rejection::TokenExpired).unwrap(),
            "Bearer realm=\"orders\", error=\"invalid_token\", error_description=\"The access token expired.\""
        );
        assert_eq!(
            challenge_of(Rejection::ScopeMissing).unwrap(),
            "Bearer realm=\"orders\", error=\"insufficient_scope\", error_description=\"The access token does not have the scope \
             that this resource needs.\", scope=\"orders.read orders.write\""
        );
        assert!(challenge_of(Rejection::CredentialsMultiple).unwrap().contains("error=\"invalid_request\""));
        assert_eq!(challenge_of(Rejection::AccessDenied), None);
        assert_eq!(challenge_of(Rejection::KeysUnavailable), None);
    }

    #[test]
    fn without_a_realm_the_challenge_is_still_well_formed() {
        let reply = Refusal::from(Rejection::TokenMissing).to_reply(None);
        assert!(reply.headers.contains(&("www-authenticate", "Bearer".to_owned())));
    }

    #[test]
    fn body_names_the_code_and_the_request_and_stays_json() {
        let reply = Refusal::from(Rejection::TokenExpired).to_reply(Some("a\"b\n"));
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["code"], "token_expired");
        assert_eq!(body["status"], 401);
        assert_eq!(body["requestId"], "a\"b\n");
        assert_eq!(reply.details, "portcullis{token_expired}");
    }

    #[test]
    fn asks_to_come_back_when_keys_are_missing() {
        let reply = Refusal::from(Rejection::KeysUnavailable).to_reply(None);
        assert_eq!(reply.status, 503);
        assert!(reply.headers.contains(&("retry-after", "5".to_owned())));
    }

    #[test]
    fn every_rejection_has_its_own_code() {
        let codes: std::collections::BTreeSet<_> = Rejection::ALL.iter().map(|rejection| rejection.code()).collect();
        assert_eq!(codes.len(), Rejection::ALL.len());
    }
}
