//! What the emulated proxy knows: everything that tests look at stands here, none of it in the order of calls.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::fault::Faults;
use crate::headers::Headers;
use crate::verify_signature::VerifySignature;

/// The number of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(pub(crate) u32);

/// An answer that a module sent in place of the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReply {
    /// The HTTP status.
    pub status: u32,
    /// The headers that the module gave.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// The response code details.
    pub details: String,
}

impl LocalReply {
    /// The `code` of the problem document in the body; empty when there is none.
    #[must_use]
    pub fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Where a request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It went to the upstream with these headers.
    Continued(Headers),
    /// It was answered in place of the upstream.
    Replied(LocalReply),
    /// It is held: neither the upstream nor the client has heard of it again.
    Held,
}

impl Outcome {
    /// The headers that the upstream saw.
    ///
    /// # Panics
    /// When the request did not get there.
    #[must_use]
    #[track_caller]
    pub fn upstream(&self) -> &Headers {
        match self {
            Self::Continued(headers) => headers,
            other => panic!("the request did not reach the upstream: {other:?}"),
        }
    }

    /// The answer in place of the upstream.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    #[track_caller]
    pub fn reply(&self) -> &LocalReply {
        match self {
            Self::Replied(reply) => reply,
            other => panic!("the request was not answered: {other:?}"),
        }
    }

    /// Whether the upstream saw the request.
    #[must_use]
    pub const fn is_continued(&self) -> bool {
        matches!(self, Self::Continued(_))
    }

    /// Status and code of the answer, or what else became of the request: for tables.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Continued(_) => "continued".to_owned(),
            Self::Replied(reply) => format!("{} {}", reply.status, reply.code()),
            Self::Held => "held".to_owned(),
        }
    }
}

/// One stream: a request with what the filters of its chain made of it.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) request: Headers,
    pub(crate) response: Headers,
    /// Filter state by property path, its parts joined by NUL.
    pub(crate) state: BTreeMap<String, Vec<u8>>,
    /// What the proxy itself knows of the stream, by property path.
    pub(crate) properties: BTreeMap<String, Vec<u8>>,
    pub(crate) reply: Option<LocalReply>,
    /// A module asked to go on; carried out after its callback, as in Envoy.
    pub(crate) is_resumed: bool,
    pub(crate) is_closed: bool,
    pub(crate) progress: Progress,
    pub(crate) started: Duration,
}

/// How far a request came in its filter chain.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The filters are being asked.
    #[default]
    Running,
    /// The filter with this place in the chain holds it.
    HeldBy(usize),
    /// It went to the upstream.
    Upstream,
}

/// A request of a module to a cluster, in flight.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) plugin: usize,
    pub(crate) context: u32,
    /// The cluster that it went to.
    pub cluster: String,
    /// Its headers.
    pub headers: Headers,
    /// Its body.
    pub body: Vec<u8>,
    /// When the proxy will give up.
    pub timeout: Duration,
    /// Whether a root context sent it, so that it outlives every stream.
    pub is_of_root: bool,
}

/// The number of a [`Call`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallId(pub(crate) u32);

/// One metric of the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Its name, labels and all.
    pub name: String,
    /// 0 counter, 1 gauge, 2 histogram.
    pub kind: u32,
    /// The sum of a counter, the value of a gauge.
    pub value: u64,
    /// What a histogram was given.
    pub recorded: Vec<u64>,
}

impl Metric {
    /// Whether the metric has this base name and all these labels (`label=.=value;.;…name`).
    #[must_use]
    pub fn is(&self, base: &str, labels: &[(&str, &str)]) -> bool {
        let mut parts: Vec<_> = self.name.split(";.;").collect();
        parts.pop() == Some(base) && labels.iter().all(|(label, value)| parts.contains(&&*format!("{label}=.={value}")))
    }
}

/// One line in the proxy's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// 0 trace, 1 debug, 2 info, 3 warn, 4 error, 5 critical.
    pub level: u32,
    /// The text.
    pub text: String,
}

/// The proxy.
#[derive(Debug)]
pub(crate) struct State {
    /// The time since the epoch.
    pub(crate) now: Duration,
    pub(crate) log_level: u32,
    pub(crate) logs: Vec<LogLine>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) clusters: BTreeSet<String>,
    pub(crate) metrics: Vec<Metric>,
    pub(crate) streams: BTreeMap<StreamId, Stream>,
    pub(crate) calls: BTreeMap<CallId, Call>,
    pub(crate) calls_sent: u32,
    pub(crate) shared: BTreeMap<String, (Vec<u8>, u32)>,
    /// How the foreign function `verify_signature` answers.
    pub(crate) verify_signature: VerifySignature,
    /// How often it was called.
    pub(crate) signatures_asked: u32,
    pub(crate) shared_writes: u32,
    pub(crate) faults: Faults,
    /// What a module did that no module may do.
    pub(crate) violations: Vec<String>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            // 2026-01-01T00:00:00Z
            now: Duration::from_secs(1_767_225_600),
            log_level: 2,
            logs: Vec::new(),
            environment: BTreeMap::new(),
            clusters: BTreeSet::new(),
            metrics: Vec::new(),
            streams: BTreeMap::new(),
            calls: BTreeMap::new(),
            calls_sent: 0,
            shared: BTreeMap::new(),
            verify_signature: VerifySignature::Right,
            signatures_asked: 0,
            shared_writes: 0,
            faults: Faults::default(),
            violations: Vec::new(),
        }
    }

    pub(crate) fn nanoseconds(&self) -> u64 {
        u64::try_from(self.now.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn log(&mut self, level: u32, text: String) {
        if level >= self.log_level {
            self.logs.push(LogLine { level, text });
        }
    }

    pub(crate) fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }
}
