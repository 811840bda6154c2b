//! The stage that tells of failing upstreams: a status of 5xx, a reset, a timeout, an error of gRPC.
//!
//! Failures of the same rule, status, flags and path pattern are one group. The first of a group is told of at once; those that follow
//! within the window are counted, and told of together at its end; a group without a failure for the quiet time is resolved, which is
//! told too. Workers count together, by shared data, so that each of these is told of once and not by each worker; where there is
//! none, each for itself.
//!
//! What is told holds names and patterns of the configuration, numbers, and the proxy's words: nothing that a client or an upstream
//! sent. What the gateway or another filter refused is no failure, nor is a client that went away.

mod fault;
mod form;
mod group;
mod report;
mod webhook;

pub use fault::{Fault, Kind};
pub use report::{Report, State};
pub use webhook::destinations;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::Duration;

use self::group::{Group, Pace};
use self::webhook::Webhook;
use crate::audit;
use crate::config::duration::DurationText;
use crate::config::exceptions::ExceptionsConfig;
use crate::config::{ConfigError, Warning};
use crate::delivery::Numbering;
use crate::metrics::catalogue::{EXCEPTION_REPORTS_TOTAL, EXCEPTIONS_TOTAL};
use crate::metrics::{Callout, OwnCounter};
use crate::platform::Platform;
use crate::stage::{Due, Ending, Exchange, FetchId, FetchOutcome, Message, Needs, Observer, SharedData, Stage, TICK_PERIOD};
use crate::time::UnixTime;

const DEFAULT_WINDOW: Duration = Duration::from_secs(5 * 60);
const DEFAULT_QUIET: Duration = Duration::from_secs(10 * 60);
const SPANS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// How many groups there are at once in a worker; what is beyond is one more.
const MAX_GROUPS: usize = 500;

/// The stage.
#[derive(Debug)]
pub struct Exceptions {
    policy: Rc<audit::Policy>,
    standalone: bool,
    pace: Pace,
    /// What tells these groups in shared data from those of another configuration.
    prefix: String,
    groups: BTreeMap<Fault, Group>,
    /// Whether a group has a failure that is to be told of at once.
    is_urgent: bool,
    webhooks: Vec<Webhook>,
    numbering: Numbering,
    faults: [OwnCounter; Kind::ALL.len()],
    reports: [OwnCounter; State::ALL.len()],
}

impl Exceptions {
    /// The stage for a configuration at `path`. The policy of the audit log knows the patterns of paths; `standalone` says that the
    /// decision comes from another module.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn compile(
        config: &ExceptionsConfig,
        path: &str,
        policy: Rc<audit::Policy>,
        standalone: bool,
        platform: &Platform<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let pace = Pace {
            window: span(config.window, DEFAULT_WINDOW, &format!("{path}.window"))?,
            quiet: span(config.quiet, DEFAULT_QUIET, &format!("{path}.quiet"))?,
        };
        let webhooks = webhook::compile(&config.webhooks, &format!("{path}.webhooks"), platform, warnings)?;
        let prefix = webhook::prefix(&webhooks, pace);
        Ok(Self {
            policy,
            standalone,
            pace,
            prefix,
            groups: BTreeMap::new(),
            is_urgent: false,
            webhooks,
            numbering: Numbering::default(),
            faults: Default::default(),
            reports: Default::default(),
        })
    }

    fn count(&mut self, fault: Fault, now: UnixTime) {
        if let Some(counter) = self.faults.get_mut(fault.kind.place()) {
            counter.add(1);
        }
        let is_full = self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&fault);
        let fault = if is_full { Fault::other(fault.kind) } else { fault };
        let prefix = &self.prefix;
        let group = self.groups.entry(fault).or_insert_with_key(|fault| Group::new(prefix, fault));
        self.is_urgent |= group.count(now);
    }

    /// Counts what is new together with the other workers, and tells of what is to be told.
    fn settle(&mut self, now: UnixTime, shared: &mut dyn SharedData) {
        self.is_urgent = false;
        let mut told = Vec::new();
        for (fault, group) in &mut self.groups {
            told.extend(group.settle(self.pace, now, shared).map(|news| Report::new(fault, group.id(), news, now)));
        }
        self.groups.retain(|_, group| !group.is_over());
        for report in told {
            if let Some(counter) = self.reports.get_mut(report.state.place()) {
                counter.add(1);
            }
            self.webhooks.iter_mut().for_each(|webhook| webhook.tell(&report, now));
        }
    }

    /// Writes the metrics that changed.
    fn show(&mut self, observer: &mut dyn Observer) {
        let faults = self.faults.iter_mut().zip(Kind::ALL.map(|kind| (&EXCEPTIONS_TOTAL, kind.as_str())));
        let reports = self.reports.iter_mut().zip(State::ALL.map(|state| (&EXCEPTION_REPORTS_TOTAL, state.as_str())));
        for (counter, (family, value)) in faults.chain(reports) {
            counter.show(family, &[value], observer);
        }
        self.webhooks.iter_mut().for_each(|webhook| webhook.delivery.show(observer));
    }
}

fn span(text: Option<DurationText>, usual: Duration, path: &str) -> Result<Duration, ConfigError> {
    let span = text.map_or(usual, DurationText::get);
    if SPANS.contains(&span) { Ok(span) } else { Err(ConfigError::new(path, "is not between 1s and 24h")) }
}

impl Stage for Exceptions {
    fn needs(&self) -> Needs {
        Needs { route_name: self.policy.needs_route_name(), upstream_identity: self.standalone, ..Needs::default() }
    }

    fn decides(&self) -> bool {
        false
    }

    fn tick_period(&self) -> Option<Duration> {
        Some(TICK_PERIOD)
    }

    fn on_log(&mut self, exchange: &Exchange, ending: &dyn Ending, now: UnixTime, _observer: &mut dyn Observer) {
        if let Some(fault) = Fault::of(exchange, ending, || self.policy.path_template(exchange)) {
            self.count(fault, now);
        }
    }

    fn due(&mut self, now: UnixTime, shared: &mut dyn SharedData) -> Due {
        self.settle(now, shared);
        self.numbering.due(self.webhooks.iter_mut().map(|webhook| &mut webhook.delivery), now)
    }

    fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime, _shared: &mut dyn SharedData) -> Option<Message> {
        Numbering::on_fetched(self.webhooks.iter_mut().map(|webhook| &mut webhook.delivery), id, outcome, now);
        None
    }

    fn callout(&self, _fetch: FetchId) -> Option<Callout> {
        Some(Callout::Exceptions)
    }

    fn is_pressing(&self, _now: UnixTime) -> bool {
        self.is_urgent
    }

    fn on_tick(&mut self, _now: UnixTime, observer: &mut dyn Observer) {
        self.show(observer);
    }

    fn drain(&mut self) -> bool {
        self.webhooks.iter_mut().for_each(|webhook| webhook.delivery.drain());
        self.webhooks.iter().all(|webhook| webhook.delivery.is_idle())
    }

    fn abandon(&mut self, observer: &mut dyn Observer) {
        for webhook in &mut self.webhooks {
            webhook.delivery.abandon().iter().for_each(|line| observer.print(line));
        }
        self.show(observer);
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests;
