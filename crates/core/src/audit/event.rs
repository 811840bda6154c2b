//! The audit event: who did what, on which object, decided how and why, with which result.
//!
//! Its JSON is one line with its members always in this order; a member without a value is null, and nothing but the version
//! in `schema` tells how to read it. A change that would break a reader gets another version.

use std::borrow::Cow;
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
use crate::response_flags::ResponseFlags;
use crate::stage::{Ending, Exchange};
use crate::stripped::Stripped;
use crate::time::UnixTime;

/// The name and version of the event's form.
pub const SCHEMA: &str = "portcullis.audit/1";

/// The methods of requests that mostly have no body (RFC 9110 section 9.3).
const METHODS_WITHOUT_BODY: [&str; 5] = ["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"];

/// The names of what may stand in an event beside what always does.
#[derive(Debug, Clone, Default)]
pub struct Included {
    /// Request headers, lower-case.
    pub request_headers: Vec<String>,
    /// Query parameters.
    pub query_params: Vec<String>,
    /// Paths of claims.
    pub claims: Vec<String>,
    /// Whether the protocol of the request is asked for.
    pub protocol: bool,
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
    pub(super) headers: Vec<(&'a str, Cow<'a, str>)>,
    pub(super) query: Vec<(&'a str, Cow<'a, str>)>,
    pub(super) bytes: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ResponseRecord {
    pub(super) status: Option<u16>,
    pub(super) bytes: Option<u64>,
    pub(super) grpc_status: Option<u64>,
    pub(super) flags: Option<String>,
    pub(super) details: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
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
        let request = &exchange.request;
        let privacy = &included.privacy;
        let is_usual = Outcome::is_usual(exchange, ending);
        let outcome = if is_usual { Outcome::Allowed } else { Outcome::of(exchange, ending) };
        let mut event = Self {
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
            request: RequestRecord::new(request, named.path_template, included),
            request_id: request.request_id(),
            trace_id: exchange.trace_id().map(|trace| trace.to_string()),
            truncated: false,
            response: ResponseRecord::default(),
            duration_ms: None,
            client: ClientRecord::default(),
            limit: privacy.event_limit,
        };
        if !included.is_lean {
            event.read(request, ending, is_usual, included);
        }
        event
    }

    /// Adds what only the proxy knows.
    fn read(&mut self, request: &Request, ending: &dyn Ending, is_usual: bool, included: &Included) {
        let privacy = &included.privacy;
        let text = |text: &str| privacy.text(text).into_owned();
        self.request.bytes = request_bytes(request, ending);
        self.request.protocol = included.protocol.then(|| ending.protocol()).flatten().as_deref().map(text);
        let flags = if is_usual { ResponseFlags::default() } else { ending.flags() };
        self.response = ResponseRecord {
            status: ending.status(),
            bytes: ending.response_bytes(),
            grpc_status: if is_grpc(request.headers()) { ending.grpc_status() } else { None },
            flags: (!flags.is_empty()).then(|| flags.to_string()),
            details: ending.details().map(text),
        };
        self.duration_ms = ending.duration().map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
        let address = ending.client();
        self.client = ClientRecord {
            address: address.map(|address| privacy.treated(without_port(&address), privacy.client)),
            peer: ending.peer().as_deref().map(text),
        };
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
    fn new(request: &'a Request, path_template: Option<&'a str>, included: &'a Included) -> Self {
        let privacy = &included.privacy;
        let text = |value| privacy.text(value);
        let header = |(place, name): (usize, &'a String)| {
            let mut values = request.headers().all(name);
            let first = values.next()?;
            let value = match values.next() {
                None => privacy.header(place, first),
                Some(second) => {
                    let all: Vec<_> = [first, second].into_iter().chain(values).collect();
                    Cow::Owned(privacy.header(place, &all.join(&b", "[..])).into_owned())
                }
            };
            Some((name.as_str(), value))
        };
        let parameter = |(place, name): (usize, &'a String)| {
            Some((name.as_str(), privacy.query(place, &request.query_parameter(name)?).into()))
        };
        // The object is a part of the path.
        let path = request.path_text().filter(|_| privacy.object == Treatment::Plain);
        Self {
            method: request.method().map(text),
            host: request.host().map(text),
            path: path.map(text),
            path_template,
            protocol: None,
            headers: included.request_headers.iter().enumerate().filter_map(header).collect(),
            query: included.query_params.iter().enumerate().filter_map(parameter).collect(),
            bytes: None,
        }
    }

    /// The value of an included header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| &**value)
    }
}

/// The bytes of the request's body: those that it announced, else those that the proxy counted where there is usually a body.
fn request_bytes(request: &Request, ending: &dyn Ending) -> Option<u64> {
    let announced = request.headers().single("content-length").ok().flatten();
    if let Some(bytes) = announced.and_then(|bytes| str::from_utf8(bytes).ok()?.parse().ok()) {
        return Some(bytes);
    }
    let has_usually_none = request.method().is_some_and(|method| METHODS_WITHOUT_BODY.contains(&method));
    if has_usually_none { None } else { ending.request_bytes() }
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
