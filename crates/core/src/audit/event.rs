//! The audit event: who did what, on which object, decided how and why, with which result.
//!
//! Its JSON is one line with its members always in this order; a member without a value is null, and nothing but the version
//! in `schema` tells how to read it. A change that would break a reader gets another version.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::caller::{Caller, Callers};
use super::line;
use super::outcome::{Outcome, is_grpc};
use super::privacy::{Privacy, Treatment};
use super::selection::Recorded;
use super::serial::Serial;
use super::timestamp::Timestamp;
use crate::config::fraction::Fraction;
use crate::decision::Decision;
use crate::request::Request;
use crate::stage::{Completion, Ending, Exchange, Facts};
use crate::stripped::Stripped;
use crate::time::UnixTime;

/// The name and version of the event's form.
pub const SCHEMA: &str = "portcullis.audit/1";

/// The names of what may stand in an event beside what always does.
#[derive(Debug, Clone, Default)]
pub struct Included {
    /// Request headers, lower-case.
    pub request_headers: Vec<String>,
    /// Query parameters.
    pub query_params: Vec<String>,
    /// Paths of claims.
    pub claims: Vec<String>,
    /// How they are written.
    pub privacy: Privacy,
    /// The callers of late.
    pub callers: Callers,
    /// Whether what only the proxy knows is left to its access log.
    pub is_lean: bool,
}

/// What the operator calls a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named<'a> {
    /// The name of the event.
    pub action: Option<&'a str>,
    /// What was acted on.
    pub object: Option<String>,
    /// The pattern of the path.
    pub path_template: Option<&'a str>,
}

/// An audit event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event<'a> {
    pub(super) schema: &'static str,
    pub(super) id: Serial,
    pub(super) time: Timestamp,
    pub(super) action: Option<&'a str>,
    pub(super) object: Option<String>,
    pub(super) outcome: Outcome,
    pub(super) sample: Option<f64>,
    pub(super) decision: Option<&'a Decision>,
    pub(super) stripped_headers: Option<Vec<String>>,
    pub(super) principal: Option<Rc<Caller>>,
    pub(super) request: RequestRecord<'a>,
    pub(super) request_id: Option<&'a str>,
    pub(super) trace_id: Option<String>,
    /// Whether it was too long, and lost something.
    pub(super) truncated: bool,
    pub(super) response: ResponseRecord,
    pub(super) duration_ms: Option<u64>,
    pub(super) client: ClientRecord,
    limit: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct RequestRecord<'a> {
    pub(super) method: Option<Cow<'a, str>>,
    pub(super) host: Option<Cow<'a, str>>,
    pub(super) path: Option<Cow<'a, str>>,
    pub(super) path_template: Option<&'a str>,
    pub(super) protocol: Option<String>,
    pub(super) headers: BTreeMap<&'a str, String>,
    pub(super) query: BTreeMap<&'a str, String>,
    pub(super) bytes: Option<u64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ResponseRecord {
    pub(super) status: Option<u16>,
    pub(super) bytes: Option<u64>,
    pub(super) grpc_status: Option<u64>,
    pub(super) flags: Option<String>,
    pub(super) details: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct ClientRecord {
    pub(super) address: Option<String>,
    pub(super) peer: Option<String>,
}

impl<'a> Event<'a> {
    /// The event of an exchange that has ended.
    #[must_use]
    pub fn new(
        exchange: &'a Exchange,
        ending: &dyn Ending,
        now: UnixTime,
        id: Serial,
        named: Named<'a>,
        recorded: Recorded,
        included: &'a Included,
    ) -> Self {
        let nothing = Completion::default();
        let outcome = if included.is_lean { Outcome::at_once(exchange, ending) } else { Outcome::of_known(exchange, ending) };
        let ending = if included.is_lean { &nothing } else { ending };
        let facts = ending.facts();
        let request = &exchange.request;
        let privacy = &included.privacy;
        Self {
            schema: SCHEMA,
            id,
            time: Timestamp(exchange.started.unwrap_or(now)),
            action: named.action,
            object: named.object.map(|object| privacy.treated(&object, privacy.object)),
            outcome,
            sample: recorded.sample.filter(|_| outcome == Outcome::Allowed).map(Fraction::get),
            decision: exchange.decision.as_ref(),
            stripped_headers: stripped(&exchange.stripped, privacy),
            principal: exchange.identity.as_ref().and_then(|identity| included.callers.of(identity, included)),
            request: RequestRecord::new(request, facts, named.path_template, included),
            request_id: request.request_id(),
            trace_id: exchange.trace_id().map(|trace| trace.to_string()),
            truncated: false,
            response: ResponseRecord::new(ending, is_grpc(request.headers()), privacy),
            duration_ms: ending.duration().map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
            client: ClientRecord {
                address: facts.client.as_deref().map(|address| privacy.treated(without_port(address), privacy.client)),
                peer: facts.peer.as_deref().map(|peer| privacy.text(peer).into_owned()),
            },
            limit: privacy.event_limit,
        }
    }

    /// What tells it from all others.
    #[must_use]
    pub const fn id(&self) -> &Serial {
        &self.id
    }

    /// When the request came.
    #[must_use]
    pub const fn time(&self) -> UnixTime {
        self.time.0
    }

    /// The event as one line of JSON. One that is too long loses its headers, query parameters, claims and roles, in this order and
    /// as far as it takes, and says so.
    pub fn to_json(&mut self) -> String {
        let losses: [fn(&mut Self); 4] = [
            |event| event.request.headers.clear(),
            |event| event.request.query.clear(),
            |event| event.principal = event.principal.take().map(|caller| Rc::new(caller.without_claims())),
            |event| event.principal = event.principal.take().map(|caller| Rc::new(caller.without_roles())),
        ];
        let mut line = line::write(self);
        for lose in losses {
            if line.len() <= self.limit {
                break;
            }
            lose(self);
            self.truncated = true;
            line = line::write(self);
        }
        line
    }
}

/// The names, which a client may have made up behind a prefix.
fn stripped(headers: &Stripped, privacy: &Privacy) -> Option<Vec<String>> {
    let names: Vec<_> = headers.names().iter().map(|name| privacy.text(name).into_owned()).collect();
    (!names.is_empty()).then_some(names)
}

impl<'a> RequestRecord<'a> {
    fn new(request: &'a Request, facts: &Facts, path_template: Option<&'a str>, included: &'a Included) -> Self {
        let privacy = &included.privacy;
        let text = |value| privacy.text(value);
        let header = |(place, name): (usize, &'a String)| {
            let values: Vec<_> = request.headers().all(name).collect();
            (!values.is_empty()).then(|| (name.as_str(), privacy.header(place, &values.join(&b", "[..]))))
        };
        let parameter =
            |(place, name): (usize, &'a String)| Some((name.as_str(), privacy.query(place, &request.query_parameter(name)?)));
        // The object is a part of the path.
        let path = request.path_text().filter(|_| privacy.object == Treatment::Plain);
        Self {
            method: request.method().map(text),
            host: request.host().map(text),
            path: path.map(text),
            path_template,
            protocol: facts.protocol.as_deref().map(|protocol| privacy.text(protocol).into_owned()),
            headers: by_name(included.request_headers.iter().enumerate().filter_map(header)),
            query: by_name(included.query_params.iter().enumerate().filter_map(parameter)),
            bytes: facts.request_bytes,
        }
    }
}

impl ResponseRecord {
    fn new(ending: &dyn Ending, is_grpc: bool, privacy: &Privacy) -> Self {
        let facts = ending.facts();
        Self {
            status: ending.status(),
            bytes: facts.response_bytes,
            grpc_status: facts.grpc_status.filter(|_| is_grpc),
            flags: (!facts.flags.is_empty()).then(|| facts.flags.to_string()),
            details: facts.details.as_deref().map(|details| privacy.text(details).into_owned()),
        }
    }
}

/// An address of the internet without its port; any other as it is.
fn without_port(address: &str) -> &str {
    match address.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
        }
        _ => address,
    }
}

/// The few values that a record holds. Collecting them would bring a sort of its own into the module for each kind.
fn by_name<'a, V>(entries: impl Iterator<Item = (&'a str, V)>) -> BTreeMap<&'a str, V> {
    let mut map = BTreeMap::new();
    map.extend(entries);
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_out_the_port_and_nothing_else() {
        for (address, expected) in [
            ("10.0.0.1:443", "10.0.0.1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("@socket", "@socket"),
            ("/run/a:b", "/run/a:b"),
            ("10.0.0.1:", "10.0.0.1:"),
        ] {
            assert_eq!(without_port(address), expected);
        }
    }
}
