//! The labels of a request, and how they stand in the name of a metric.
//!
//! The proxy's metrics have names only, so labels are written into them:
//! `rule=.=orders;.;decision=.=allow;.;portcullis_requests_total`. The proxy's tag extraction turns them into labels again:
//! Istio's own, told the names of the labels (`extraStatTags`), or that of [`stats_tags`](super::stats_tags).

use crate::config::metrics::Label;
use crate::decision::{Effect, is_same_text};
use crate::stage::{Ending, Exchange};

/// The value of a label when there is nothing to say.
pub const NONE: &str = "none";
/// The value of a label for all that have no value of their own.
pub const OTHER: &str = "other";
/// The longest value, in bytes; longer ones are cut.
const MAX_VALUE_BYTES: usize = 128;

/// What is known of a request that has ended, one word for each label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelValues<'a> {
    rule: &'a str,
    decision: &'static str,
    reason: &'a str,
    issuer: &'a str,
    method: &'static str,
    status_class: &'static str,
}

impl<'a> LabelValues<'a> {
    /// The words for a request that has ended, with those that come from the client and from whoever answered.
    #[must_use]
    pub fn of(exchange: &'a Exchange, wire: WireLabels) -> Self {
        let decision = exchange.decision.as_ref();
        let decided_issuer = decision.and_then(|decision| decision.issuer.as_deref());
        let issuer = decided_issuer.or_else(|| exchange.identity.as_ref().map(|identity| &*identity.issuer_name));
        Self {
            rule: decision.map_or(NONE, |decision| &decision.rule),
            decision: decision.map_or(NONE, |decision| match (decision.shadow, decision.effect) {
                (true, Effect::Deny) => "would_deny",
                (true, Effect::Error) => "would_error",
                (_, effect) => effect.as_str(),
            }),
            reason: decision.map_or(NONE, |decision| &decision.reason),
            issuer: issuer.unwrap_or(NONE),
            method: wire.method,
            status_class: wire.status_class,
        }
    }

    /// The word for one label.
    #[must_use]
    pub const fn get(&self, label: Label) -> &'a str {
        match label {
            Label::Rule => self.rule,
            Label::Decision => self.decision,
            Label::Reason => self.reason,
            Label::Issuer => self.issuer,
            Label::Method => self.method,
            Label::StatusClass => self.status_class,
        }
    }
}

/// The words that come from the client and from whoever answered, not from the rules.
#[derive(Debug, Clone, Copy)]
pub struct WireLabels {
    method: &'static str,
    status_class: &'static str,
}

impl WireLabels {
    /// The words for a request that has ended. To read its status costs a call, so it is read only where it is wanted.
    #[must_use]
    pub fn of(exchange: &Exchange, ending: &dyn Ending, is_status_wanted: bool) -> Self {
        let status_class = if is_status_wanted { status_class(ending.status()) } else { NONE };
        Self { method: method(exchange.request.method()), status_class }
    }
}

impl PartialEq for WireLabels {
    fn eq(&self, other: &Self) -> bool {
        is_same_text(self.method, other.method) && is_same_text(self.status_class, other.status_class)
    }
}

/// The methods of RFC 9110 section 9 and RFC 5789; the client may send any other word.
fn method(method: Option<&str>) -> &'static str {
    match method {
        Some("GET") => "GET",
        Some("POST") => "POST",
        Some("PUT") => "PUT",
        Some("DELETE") => "DELETE",
        Some("PATCH") => "PATCH",
        Some("HEAD") => "HEAD",
        Some("OPTIONS") => "OPTIONS",
        Some("CONNECT") => "CONNECT",
        Some("TRACE") => "TRACE",
        Some(_) => OTHER,
        None => NONE,
    }
}

const fn status_class(status: Option<u16>) -> &'static str {
    match status {
        None => NONE,
        Some(100..=199) => "1xx",
        Some(200..=299) => "2xx",
        Some(300..=399) => "3xx",
        Some(400..=499) => "4xx",
        Some(500..=599) => "5xx",
        Some(_) => OTHER,
    }
}

/// The part of a series' name that is the name of its metric.
#[must_use]
pub fn family_of(name: &str) -> &str {
    name.rsplit_once(";.;").map_or(name, |(_, family)| family)
}

/// The name of a metric with its labels. One buffer serves every request.
#[derive(Debug, Clone, Default)]
pub struct SeriesName(String);

impl SeriesName {
    /// Write a name. Bytes of a value that the proxy or Prometheus would take for something else become `_`.
    pub fn write<'a>(&mut self, family: &str, labels: &[Label], value: impl Fn(Label) -> &'a str) {
        self.write_pairs(family, labels.iter().map(|label| (label.as_str(), value(*label))));
    }

    /// Write a name with any labels, like [`write`](Self::write).
    pub fn write_pairs<'a>(&mut self, family: &str, labels: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.0.clear();
        for (label, value) in labels {
            self.0.push_str(label);
            self.0.push_str("=.=");
            push_plain(value, &mut self.0);
            self.0.push_str(";.;");
        }
        self.0.push_str(family);
    }

    /// The name as it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends a value as it stands in a name.
pub(super) fn push_plain(value: &str, text: &mut String) {
    let value = value.bytes().take(MAX_VALUE_BYTES);
    text.extend(value.map(|byte| if is_plain(byte) { char::from(byte) } else { '_' }));
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b':' | b'@' | b'-' | b'.')
}
