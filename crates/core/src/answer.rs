//! The answer to a refused request: RFC 6750 challenge, RFC 9457 problem document, response code details.
//!
//! A rule may give a status and a body of its own ([`Denial`]). The reason then stays in the response code details alone.

mod denial;

use std::rc::Rc;

use serde::Serialize;

pub use self::denial::Denial;
use crate::rejection::Rejection;
use crate::tracing::TraceId;

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
    /// The answer that the rule gives in place of the usual one.
    pub denial: Option<Rc<Denial>>,
    /// What the challenge says of proofs of possession; absent where nobody has spoken of them.
    pub dpop: Option<Rc<DpopChallenge>>,
}

/// A challenge to send a token that is bound to a key, with a proof (RFC 9449 section 7.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DpopChallenge {
    /// The algorithms of proofs, with spaces between them.
    pub algorithms: Rc<str>,
    /// The nonce that the next proof has to hold.
    pub nonce: Option<String>,
    /// Whether other tokens are of no use.
    pub is_sole: bool,
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self { rejection, realm: None, scopes: Vec::new(), denial: None, dpop: None }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'static str>,
    #[serde(rename = "requestId", skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(rename = "traceId", skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl Refusal {
    /// The answer to the client. `request_id` is what [`Request::request_id`](crate::request::Request::request_id) gives, and `trace`
    /// the trace that the request belongs to.
    #[must_use]
    pub fn to_reply(&self, request_id: Option<&str>, trace: Option<TraceId>) -> LocalReply {
        let usual = self.rejection.status();
        // What the gateway could not decide is no denial, and the client may come again.
        let denial = self.denial.as_deref().filter(|_| usual < 500);
        let status = denial.and_then(|denial| denial.status).unwrap_or(usual);
        let (content_type, body) = match denial.and_then(|denial| denial.body.as_ref()) {
            Some(body) => (body.content_type, body.bytes.clone()),
            None => ("application/problem+json", self.problem(status, usual, request_id, trace)),
        };
        let mut headers = vec![("content-type", content_type.to_owned()), ("cache-control", "no-store".to_owned())];
        if let Some(challenge) = self.challenge(status) {
            headers.push(("www-authenticate", challenge));
        }
        if let Some(nonce) = self.dpop.as_ref().and_then(|dpop| dpop.nonce.clone()).filter(|_| status == usual) {
            headers.push(("dpop-nonce", nonce));
        }
        if status == 503 {
            headers.push(("retry-after", RETRY_AFTER_SECONDS.to_owned()));
        }
        LocalReply { status, headers, body, details: format!("portcullis{{{}}}", self.rejection.code()) }
    }

    /// The problem document. A status of the rule's own may be there to hide the reason, so it is not told then.
    fn problem(&self, status: u16, usual: u16, request_id: Option<&str>, trace: Option<TraceId>) -> Vec<u8> {
        let told = status == usual;
        let problem = Problem {
            r#type: "about:blank",
            title: title(status),
            status,
            code: told.then(|| self.rejection.code()),
            detail: told.then(|| self.rejection.description()),
            request_id,
            trace_id: trace.map(|trace| trace.to_string()),
        };
        serde_json::to_vec(&problem).unwrap_or_default()
    }

    /// The `WWW-Authenticate` value (RFC 6750 section 3, RFC 9449 section 7.1); none for answers that other credentials would not change, and none
    /// beside another status than the usual one, but for 401, which has to have one (RFC 9110 section 15.5.2).
    fn challenge(&self, status: u16) -> Option<String> {
        let error = match self.rejection {
            _ if status != self.rejection.status() => {
                if status != 401 {
                    return None;
                }
                None
            }
            Rejection::TokenMissing => None,
            Rejection::AccessDenied | Rejection::RuleUnknown | Rejection::ClaimTooLarge | Rejection::RequestMalformed => {
                return None;
            }
            Rejection::DpopNonceRequired => Some("use_dpop_nonce"),
            Rejection::DpopProofMissing | Rejection::DpopProofInvalid | Rejection::DpopProofReplayed => {
                Some("invalid_dpop_proof")
            }
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
        Some(match &self.dpop {
            None => scheme("Bearer", &parameters),
            Some(dpop) if dpop.is_sole => {
                parameters.push(dpop.parameter());
                scheme("DPoP", &parameters)
            }
            Some(dpop) => format!("{}, {}", scheme("Bearer", &parameters), scheme("DPoP", &[dpop.parameter()])),
        })
    }
}

impl DpopChallenge {
    fn parameter(&self) -> String {
        format!("algs=\"{}\"", self.algorithms)
    }
}

/// One challenge.
fn scheme(name: &str, parameters: &[String]) -> String {
    if parameters.is_empty() { name.to_owned() } else { format!("{name} {}", parameters.join(", ")) }
}

/// The phrase of a status (RFC 9110 section 15).
const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        410 => "Gone",
        429 => "Too Many Requests",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ if status < 500 => "Request Refused",
        _ => "Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenge_of(rejection: Rejection) -> Option<String> {
        let refusal = Refusal {
            realm: Some("orders".into()),
            scopes: vec!["orders.read".into(), "orders.write".into()],
            ..rejection.into()
        };
        let reply = refusal.to_reply(None, None);
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
    fn challenges_as_rfc_9449_says() {
        let challenge = |rejection: Rejection, nonce: Option<&str>, is_sole| {
            let dpop = DpopChallenge { algorithms: "ES256 PS256".into(), nonce: nonce.map(str::to_owned), is_sole };
            let headers = Refusal { dpop: Some(dpop.into()), ..rejection.into() }.to_reply(None, None).headers;
            let header = |wanted| headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone());
            (header("www-authenticate").unwrap_or_default(), header("dpop-nonce"))
        };
        assert_eq!(challenge(Rejection::TokenMissing, None, false), ("Bearer, DPoP algs=\"ES256 PS256\"".to_owned(), None));
        assert_eq!(challenge(Rejection::TokenMissing, None, true), ("DPoP algs=\"ES256 PS256\"".to_owned(), None));
        for (rejection, error) in [
            (Rejection::DpopProofMissing, "invalid_dpop_proof"),
            (Rejection::DpopProofInvalid, "invalid_dpop_proof"),
            (Rejection::DpopProofReplayed, "invalid_dpop_proof"),
            (Rejection::DpopNonceRequired, "use_dpop_nonce"),
            (Rejection::TokenBindingMismatch, "invalid_token"),
            (Rejection::TokenNotBound, "invalid_token"),
        ] {
            let (value, nonce) = challenge(rejection, Some("n"), true);
            assert!(value.starts_with(&format!("DPoP error=\"{error}\", ")), "{value}");
            assert!(value.ends_with(", algs=\"ES256 PS256\""), "{value}");
            assert_eq!(nonce.as_deref(), Some("n"));
        }
        assert_eq!(challenge(Rejection::DpopReplayUnknown, None, true), (String::new(), None));
    }

    #[test]
    fn without_a_realm_the_challenge_is_still_well_formed() {
        let reply = Refusal::from(Rejection::TokenMissing).to_reply(None, None);
        assert!(reply.headers.contains(&("www-authenticate", "Bearer".to_owned())));
    }

    #[test]
    fn body_names_the_code_and_the_request_and_stays_json() {
        let reply = Refusal::from(Rejection::TokenExpired).to_reply(Some("a\"b\n"), TraceId::new(0x0a0b));
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(body["code"], "token_expired");
        assert_eq!(body["status"], 401);
        assert_eq!(body["requestId"], "a\"b\n");
        assert_eq!(body["traceId"], "00000000000000000000000000000a0b");
        assert_eq!(reply.details, "portcullis{token_expired}");
    }

    #[test]
    fn asks_to_come_back_when_keys_are_missing() {
        let reply = Refusal::from(Rejection::KeysUnavailable).to_reply(None, None);
        assert_eq!(reply.status, 503);
        assert!(reply.headers.contains(&("retry-after", "5".to_owned())));
    }

    #[test]
    fn a_rule_says_nothing_of_what_the_gateway_could_not_decide() {
        let denial = Rc::new(Denial { status: Some(404), body: None });
        for (rejection, expected) in
            [(Rejection::RoleMissing, 404), (Rejection::HostError, 500), (Rejection::KeysUnavailable, 503)]
        {
            let refusal = Refusal { denial: Some(Rc::clone(&denial)), ..rejection.into() };
            assert_eq!(refusal.to_reply(None, None).status, expected, "{rejection:?}");
        }
    }

    #[test]
    fn the_title_is_the_phrase_of_the_status() {
        for (status, phrase) in [
            (400, "Bad Request"),
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "Not Found"),
            (405, "Method Not Allowed"),
            (409, "Conflict"),
            (410, "Gone"),
            (418, "Request Refused"),
            (429, "Too Many Requests"),
            (451, "Unavailable For Legal Reasons"),
            (499, "Request Refused"),
            (500, "Internal Server Error"),
            (501, "Not Implemented"),
            (502, "Bad Gateway"),
            (503, "Service Unavailable"),
            (504, "Gateway Timeout"),
            (505, "Server Error"),
        ] {
            assert_eq!(title(status), phrase, "{status}");
        }
    }

    #[test]
    fn every_rejection_has_its_own_code() {
        let codes: std::collections::BTreeSet<_> = Rejection::ALL.iter().map(|rejection| rejection.code()).collect();
        assert_eq!(codes.len(), Rejection::ALL.len());
    }
}
