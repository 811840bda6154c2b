//! What went wrong with an exchange, as far as it says what others have in common with it.

use std::fmt::Write;

use crate::audit::is_grpc;
use crate::metrics::OTHER;
use crate::stage::{Ending, Exchange};

/// Statuses of gRPC that are the server's fault: `UNKNOWN`, `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED`, `INTERNAL`, `UNAVAILABLE`,
/// `DATA_LOSS`.
const GRPC_ERRORS: [u64; 6] = [2, 4, 8, 13, 14, 15];
/// Flags of the proxy that say that it waited too long.
const TIMEOUTS: [&str; 4] = ["UT", "SI", "UMSDR", "DT"];
/// An upgraded connection ends when one side closes it.
const SWITCHING_PROTOCOLS: u16 = 101;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The upstream answered 5xx.
    Status,
    /// There was no answer, or not a whole one.
    Reset,
    /// There was no answer in time.
    Timeout,
    /// The answer holds an error of gRPC.
    Grpc,
}

impl Kind {
    /// All of them, each at its [place](Self::place).
    pub const ALL: [Self; 4] = [Self::Status, Self::Reset, Self::Timeout, Self::Grpc];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Grpc => "grpc",
        }
    }

    pub(super) const fn place(self) -> usize {
        match self {
            Self::Status => 0,
            Self::Reset => 1,
            Self::Timeout => 2,
            Self::Grpc => 3,
        }
    }
}

/// A failure, without what tells it from others of its group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// What kind of failure it is.
    pub kind: Kind,
    /// The rule that let the request in; absent when nothing was decided.
    pub rule: Option<String>,
    /// The status of the answer; absent when there was none.
    pub status: Option<u16>,
    /// The status of gRPC, where that is what failed.
    pub grpc_status: Option<u64>,
    /// What the proxy says of it, in the words of its access log; empty when nothing.
    pub flags: String,
    /// The pattern of the path; absent when no rule or event names one.
    pub path_template: Option<String>,
}

impl Fault {
    /// What went wrong with an exchange, if anything. Its pattern is asked for only then.
    pub fn of<'a>(exchange: &Exchange, ending: &dyn Ending, path_template: impl FnOnce() -> Option<&'a str>) -> Option<Self> {
        // What the gateway itself answers, refusals and how it is doing, is no failure of an upstream.
        let decision = exchange.decision.as_ref();
        if decision.is_some_and(|decision| !decision.lets_pass() || decision.is_of_health()) {
            return None;
        }
        let (flags, status) = (ending.flags(), ending.status());
        if flags.is_departure() || flags.is_refusal() || status == Some(SWITCHING_PROTOCOLS) {
            return None;
        }
        let is_5xx = status.is_some_and(|status| (500..600).contains(&status));
        // A request that no route is for has a flag too, and a status of 404.
        let is_broken = flags.is_failure() && status.is_none_or(|status| status < 400 || is_5xx);
        let words = flags.to_string();
        let grpc_status = || ending.grpc_status().filter(|status| GRPC_ERRORS.contains(status));
        let grpc_status = if is_grpc(exchange.request.headers()) { grpc_status() } else { None };
        let kind = match grpc_status {
            _ if is_broken && words.split(',').any(|word| TIMEOUTS.contains(&word)) => Kind::Timeout,
            _ if is_broken => Kind::Reset,
            Some(_) => Kind::Grpc,
            None if is_5xx => Kind::Status,
            None => return None,
        };
        Some(Self {
            kind,
            rule: decision.map(|decision| decision.rule.to_string()),
            status,
            grpc_status,
            flags: words,
            path_template: path_template().map(str::to_owned),
        })
    }

    /// What stands for all for which there is no room.
    pub(super) fn other(kind: Kind) -> Self {
        Self { kind, rule: Some(OTHER.to_owned()), status: None, grpc_status: None, flags: String::new(), path_template: None }
    }

    /// A text that is the same for the failures of one group, in each worker and each version.
    pub(super) fn identity(&self) -> String {
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let text = |text: &Option<String>| text.as_deref().map(|text| format!("={text}")).unwrap_or_default();
        let (status, grpc_status) = (number(self.status.map(u64::from)), number(self.grpc_status));
        [self.kind.as_str(), &text(&self.rule), &status, &grpc_status, &self.flags, &text(&self.path_template)].join("\n")
    }

    /// It in a few words: `503 UF at /orders/{id} (rule read-orders)`.
    #[must_use]
    pub fn title(&self) -> String {
        let mut title = match (self.grpc_status, self.status) {
            (Some(status), _) => format!("gRPC status {status}"),
            (None, Some(status)) => status.to_string(),
            (None, None) => "no answer".to_owned(),
        };
        if !self.flags.is_empty() {
            let _ = write!(title, " {}", self.flags);
        }
        if let Some(path) = &self.path_template {
            let _ = write!(title, " at {path}");
        }
        if let Some(rule) = &self.rule {
            let _ = write!(title, " (rule {rule})");
        }
        title
    }
}
