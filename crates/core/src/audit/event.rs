//! The audit event: who did what, on which object, decided how and why, with which result.
//!
//! Its JSON is one line with its members always in this order; a member without a value is null, and nothing but the version
//! in `schema` tells how to read it. A change that would break a reader gets another version.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::redaction::{redact, redact_bytes, redact_claim};
use super::serial::Serial;
use super::timestamp::Timestamp;
use super::trace_id::trace_id;
use crate::decision::{Decision, Effect};
use crate::principal::Principal;
use crate::request::Request;
use crate::stage::{Ending, Exchange};
use crate::stripped::Stripped;
use crate::time::UnixTime;

/// The name and version of the event's form.
pub const SCHEMA: &str = "portcullis.audit/1";

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was let through, and answered.
    Allowed,
    /// It was refused because of what it is.
    Denied,
    /// It was refused because the gateway could not decide.
    Error,
    /// There was no answer: the client went away.
    Aborted,
}

impl Outcome {
    /// How an exchange ended. Where nothing was decided, a status of 401 or 403 tells that somebody refused.
    #[must_use]
    pub fn of(exchange: &Exchange, ending: &dyn Ending) -> Self {
        let enforced =
            exchange.decision.as_ref().map(|decision| if decision.lets_pass() { Effect::Allow } else { decision.effect });
        match (ending.status(), enforced) {
            (None, _) => Self::Aborted,
            (Some(_), Some(Effect::Deny)) | (Some(401 | 403), None) => Self::Denied,
            (Some(_), Some(Effect::Error)) => Self::Error,
            (Some(_), Some(Effect::Allow) | None) => Self::Allowed,
        }
    }
}

/// The names of what may stand in an event beside what always does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Included {
    /// Request headers, lower-case.
    pub request_headers: Vec<String>,
    /// Query parameters.
    pub query_params: Vec<String>,
    /// Paths of claims.
    pub claims: Vec<String>,
}

/// An audit event.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event<'a> {
    schema: &'static str,
    id: Serial,
    time: Timestamp,
    action: Option<&'a str>,
    object: Option<String>,
    outcome: Outcome,
    decision: Option<&'a Decision>,
    stripped_headers: Option<Vec<String>>,
    principal: Option<Caller<'a>>,
    request: RequestRecord<'a>,
    response: ResponseRecord,
    duration_ms: Option<u64>,
    request_id: Option<&'a str>,
    trace_id: Option<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Caller<'a> {
    issuer: String,
    subject: Option<String>,
    roles: Vec<String>,
    claims: BTreeMap<&'a str, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct RequestRecord<'a> {
    method: Option<String>,
    host: Option<String>,
    path: Option<String>,
    headers: BTreeMap<&'a str, String>,
    query: BTreeMap<&'a str, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct ResponseRecord {
    status: Option<u16>,
}

impl<'a> Event<'a> {
    /// The event of an exchange that has ended. `action` and `object` come from the named event that it matches, if any.
    #[must_use]
    pub fn new(
        exchange: &'a Exchange,
        ending: &dyn Ending,
        now: UnixTime,
        id: Serial,
        action: Option<&'a str>,
        object: Option<String>,
        included: &'a Included,
    ) -> Self {
        Self {
            schema: SCHEMA,
            id,
            time: Timestamp(exchange.started.unwrap_or(now)),
            action,
            object: object.map(|object| redact(&object).into_owned()),
            outcome: Outcome::of(exchange, ending),
            decision: exchange.decision.as_ref(),
            stripped_headers: stripped(&exchange.stripped),
            principal: exchange.identity.as_ref().and_then(|identity| Some(Caller::new(identity.principal()?, &included.claims))),
            request: RequestRecord::new(&exchange.request, included),
            response: ResponseRecord { status: ending.status() },
            duration_ms: ending.duration().map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
            request_id: exchange.request.request_id(),
            trace_id: trace_id(exchange.request.headers()),
        }
    }

    /// The event as one line of JSON.
    ///
    /// # Errors
    /// None that an event can cause: every key is text and every number finite.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

/// The names, which a client may have made up behind a prefix.
fn stripped(headers: &Stripped) -> Option<Vec<String>> {
    let names: Vec<_> = headers.names().iter().map(|name| redact(name).into_owned()).collect();
    (!names.is_empty()).then_some(names)
}

impl<'a> Caller<'a> {
    fn new(principal: &Principal, claims: &'a [String]) -> Self {
        let text = |value: &str| redact(value).into_owned();
        let claim = |path: &'a String| Some((path.as_str(), redact_claim(principal.claim(path)?)));
        Self {
            issuer: text(&principal.issuer),
            subject: principal.subject.as_deref().map(text),
            roles: principal.roles.iter().map(|role| text(role)).collect(),
            claims: by_name(claims.iter().filter_map(claim)),
        }
    }
}

impl<'a> RequestRecord<'a> {
    fn new(request: &Request, included: &'a Included) -> Self {
        let text = |value: &str| redact(value).into_owned();
        let header = |name: &'a String| {
            let values: Vec<_> = request.headers().all(name).collect();
            (!values.is_empty()).then(|| (name.as_str(), redact_bytes(&values.join(&b", "[..]))))
        };
        let parameter = |name: &'a String| Some((name.as_str(), text(&request.query_parameter(name)?)));
        Self {
            method: request.method().map(text),
            host: request.host().map(text),
            path: request.path().map(|path| text(path.as_str())),
            headers: by_name(included.request_headers.iter().filter_map(header)),
            query: by_name(included.query_params.iter().filter_map(parameter)),
        }
    }
}

/// The few values that a record holds. Collecting them would bring a sort of its own into the module for each kind.
fn by_name<'a, V>(entries: impl Iterator<Item = (&'a str, V)>) -> BTreeMap<&'a str, V> {
    let mut map = BTreeMap::new();
    map.extend(entries);
    map
}
