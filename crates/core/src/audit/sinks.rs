//! Where events go: the filter state for the proxy's access log, the proxy's own log, and servers.
//!
//! Refused are an empty list, a sink that stands twice, and a key that a sink of this type does not have.

use std::rc::Rc;
use std::time::Duration;

use super::STATE_KEY;
use super::event::Event;
use super::format::Format;
use super::members;
use crate::authn::Destination;
use crate::config::sink::{Members, Overflow, SinkConfig, SinkFormat, SinkType};
use crate::config::{ConfigError, Warning};
use crate::delivery::{Backoff, Delivery, Limits, Numbering, Policy, Record, Surroundings, Target, TargetConfig, seed_of};
use crate::health::SinkHealth;
use crate::platform::Platform;
use crate::stage::{Due, FetchId, FetchOutcome, Observer, TICK_PERIOD};
use crate::time::UnixTime;
use portcullis_chain::GapSeal;

/// What the seed is hashed with, so that the names of batches tell nothing of what else is made from it.
const PURPOSE: &[u8] = b"portcullis audit sink";
/// The shortest time between two ticks.
const SHORTEST_TICK: Duration = Duration::from_millis(100);

/// Where events go.
#[derive(Debug, Default)]
pub struct Sinks {
    accesslog: Option<Members>,
    stdout: bool,
    servers: Vec<Server>,
    numbering: Numbering,
}

#[derive(Debug)]
struct Server {
    format: Format,
    delivery: Delivery,
}

impl Server {
    fn push(&mut self, id: &Rc<str>, time: UnixTime, is_blocked: bool, now: UnixTime, body: impl FnOnce(Format) -> String) {
        if is_blocked && is_blocking(self.delivery.policy()) {
            self.delivery.skip(id, now);
        } else {
            self.delivery.push(Record { id: Rc::clone(id), time, body: body(self.format) }, now);
        }
    }
}

impl Sinks {
    /// The sinks that an operator wrote; `accesslog` when there is no word of them.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn compile(
        config: Option<&[SinkConfig]>,
        platform: &Platform<'_>,
        seed: &[u8; 32],
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, ConfigError> {
        let Some(config) = config else { return Ok(Self { accesslog: Some(Members::All), ..Self::default() }) };
        if config.is_empty() {
            return Err(
                ConfigError::new("sinks", "is empty, so that nothing would be recorded").hint("leave it out for `accesslog`")
            );
        }
        let mut sinks = Self::default();
        for (index, sink) in config.iter().enumerate() {
            let path = format!("sinks[{index}]");
            let is_there = match sink.r#type {
                SinkType::Accesslog => sinks.accesslog.replace(sink.members.unwrap_or(Members::All)).is_some(),
                SinkType::Stdout => std::mem::replace(&mut sinks.stdout, true),
                SinkType::Http => {
                    refuse_members(sink, &path)?;
                    let server = server(sink, index, &path, platform, seed, warnings)?;
                    let place = server.delivery.policy().target.place();
                    if sinks.policies().any(|other| other.target.place() == place) {
                        return Err(ConfigError::new(format!("{path}.uri"), "is that of a sink before it"));
                    }
                    let label = &server.delivery.policy().label;
                    if sinks.policies().any(|other| other.label == *label) {
                        return Err(ConfigError::new(format!("{path}.name"), "is the name of a sink before it"));
                    }
                    sinks.servers.push(server);
                    continue;
                }
            };
            if is_there {
                return Err(ConfigError::new(format!("{path}.type"), "is named twice"));
            }
            refuse_foreign_keys(sink, &path)?;
        }
        Ok(sinks)
    }

    /// Seals the gap records of all servers from now on.
    pub fn seal_gaps(&mut self, seal: &GapSeal) {
        self.servers.iter_mut().for_each(|server| server.delivery.seal_gaps(seal.clone()));
    }

    fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.servers.iter().map(|server| server.delivery.policy())
    }

    fn blocking(&mut self) -> impl Iterator<Item = &mut Delivery> {
        self.servers.iter_mut().map(|server| &mut server.delivery).filter(|delivery| is_blocking(delivery.policy()))
    }

    /// Whether there are requests that are refused because an event could not be kept.
    #[must_use]
    pub fn may_block(&self) -> bool {
        self.policies().any(is_blocking)
    }

    /// Whether nothing is written but what the access log does not write itself.
    #[must_use]
    pub fn are_lean(&self) -> bool {
        self.accesslog == Some(Members::Own) && !self.stdout && self.servers.is_empty()
    }

    /// How often something is to be done.
    #[must_use]
    pub fn tick_period(&self) -> Option<Duration> {
        let shortest = self.policies().map(|policy| policy.limits.interval.min(policy.backoff.first)).min()?;
        Some(shortest.checked_div(2).unwrap_or_default().clamp(SHORTEST_TICK, TICK_PERIOD))
    }

    /// Keeps a place for the event of a request that is to be let in; false, and none is kept, when there is none.
    #[must_use]
    pub fn reserve(&mut self) -> bool {
        let has_room = self.blocking().all(|delivery| delivery.has_room());
        if has_room {
            self.blocking().for_each(Delivery::reserve);
        }
        has_room
    }

    /// Gives the place back that was kept for an event.
    pub fn release(&mut self) {
        self.blocking().for_each(Delivery::release);
    }

    /// Writes an event; `line` is its line of JSON. `is_blocked` says that its request was refused for want of room.
    pub fn write(&mut self, event: &Event<'_>, line: String, is_blocked: bool, now: UnixTime, observer: &mut dyn Observer) {
        if let Some(members) = self.accesslog {
            observer.set_state(STATE_KEY, if members == Members::Own { members::own(&line) } else { &line });
        }
        if self.stdout {
            observer.print(&line);
        }
        let Some((last, others)) = self.servers.split_last_mut() else { return };
        let id: Rc<str> = event.id().text().into();
        for server in others {
            let body = |format: Format| format.render(event, &line);
            server.push(&id, event.time(), is_blocked, now, body);
        }
        last.push(&id, event.time(), is_blocked, now, |format| format.render_last(event, line));
    }

    /// Writes the last record of a stream, which is no event: into the proxy's log where the proxy writes events, for there is no request any
    /// more whose filter state could hold it.
    pub fn close(&mut self, id: &Rc<str>, line: &str, now: UnixTime, observer: &mut dyn Observer) {
        if self.accesslog.is_some() || self.stdout {
            observer.print(line);
        }
        for Server { delivery, .. } in &mut self.servers {
            let body = delivery.policy().framing.end(id, now, line.to_owned());
            delivery.push(Record { id: Rc::clone(id), time: now, body }, now);
        }
    }

    /// What is to be sent now.
    pub fn due(&mut self, now: UnixTime) -> Due {
        self.numbering.due(self.servers.iter_mut().map(|server| &mut server.delivery), now)
    }

    /// Takes the outcome of what was sent.
    pub fn on_fetched(&mut self, id: FetchId, outcome: FetchOutcome, now: UnixTime) {
        Numbering::on_fetched(self.servers.iter_mut().map(|server| &mut server.delivery), id, outcome, now);
    }

    /// Whether something is to be sent at once.
    #[must_use]
    pub fn is_pressing(&self, now: UnixTime) -> bool {
        self.servers.iter().any(|server| server.delivery.is_pressing(now))
    }

    /// Writes the metrics that changed.
    pub fn show(&mut self, observer: &mut dyn Observer) {
        self.servers.iter_mut().for_each(|server| server.delivery.show(observer));
    }

    /// How the servers are doing.
    pub fn health(&self) -> impl Iterator<Item = SinkHealth> {
        self.servers.iter().map(|server| server.delivery.health())
    }

    /// From here on nothing waits. Whether there is nothing left to send.
    pub fn drain(&mut self) -> bool {
        self.servers.iter_mut().for_each(|server| server.delivery.drain());
        self.servers.iter().all(|server| server.delivery.is_idle())
    }

    /// Writes what is left into the proxy's log, one line of JSON each, and then the metrics.
    pub fn abandon(&mut self, observer: &mut dyn Observer) {
        for server in &mut self.servers {
            server.delivery.abandon().iter().for_each(|line| observer.print(line));
        }
        self.show(observer);
    }
}

fn is_blocking(policy: &Policy) -> bool {
    policy.overflow == Overflow::Block
}

/// The clusters that the proxy must have.
#[must_use]
pub fn destinations(config: &[SinkConfig]) -> Vec<Destination> {
    let servers = config.iter().enumerate().filter(|(_, sink)| sink.r#type == SinkType::Http);
    servers.filter_map(|(index, sink)| target_config(sink).destination(&format!("sinks[{index}]"))).collect()
}

fn target_config(sink: &SinkConfig) -> TargetConfig<'_> {
    TargetConfig {
        uri: sink.uri.as_deref(),
        cluster: sink.cluster.as_deref(),
        timeout: sink.timeout,
        authorization: sink.authorization.as_ref(),
        headers: &sink.headers,
        compression: sink.compression.unwrap_or_default(),
    }
}

fn server(
    sink: &SinkConfig,
    index: usize,
    path: &str,
    platform: &Platform<'_>,
    seed: &[u8; 32],
    warnings: &mut Vec<Warning>,
) -> Result<Server, ConfigError> {
    let label: Rc<str> = sink.name.as_ref().map_or_else(|| format!("sink{index}"), Clone::clone).into();
    if label.trim().is_empty() {
        return Err(ConfigError::new(format!("{path}.name"), "is empty"));
    }
    let format =
        sink.format.ok_or_else(|| ConfigError::new(format!("{path}.format"), "is missing").hint("for example `ndjson`"))?;
    if sink.bulk_action.is_some() && format != SinkFormat::Elasticsearch {
        return Err(ConfigError::new(format!("{path}.bulkAction"), "is only for sinks of `format: elasticsearch`"));
    }
    let format = Format::of(format, sink.bulk_action.unwrap_or_default());
    let around = Surroundings { path, environment: platform.environment, compressor: platform.compressor.as_ref() };
    let target = Target::compile(&target_config(sink), &around, warnings)?;
    let (batch, buffer) = (sink.batch.unwrap_or_default(), sink.buffer.unwrap_or_default());
    let retry = sink.retry.unwrap_or_default();
    let limits = Limits::compile(batch, buffer, retry, sink.in_flight, path)?;
    let backoff = Backoff::compile(retry, path)?;
    let overflow = sink.overflow.unwrap_or_default();
    if overflow == Overflow::Block {
        let message = "refuses requests while the sink is away for longer than the buffer lasts";
        warnings.push(Warning::new(format!("{path}.overflow"), message));
        if limits.attempts.is_some() {
            let message = "drops events all the same, once they were sent in vain that often; 0 keeps them";
            warnings.push(Warning::new(format!("{path}.retry.attempts"), message));
        }
    }
    let policy = Policy { label, target, framing: format.framing(), limits, backoff, overflow, gap_seal: None };
    Ok(Server { format, delivery: Delivery::new(policy, seed_of(seed, PURPOSE, index)) })
}

fn refuse_members(sink: &SinkConfig, path: &str) -> Result<(), ConfigError> {
    match sink.members {
        Some(_) => Err(ConfigError::new(format!("{path}.members"), "is only for sinks of `type: accesslog`")),
        None => Ok(()),
    }
}

fn refuse_foreign_keys(sink: &SinkConfig, path: &str) -> Result<(), ConfigError> {
    if sink.r#type == SinkType::Accesslog && sink.members.is_some() {
        return refuse_foreign_keys(&SinkConfig { members: None, ..sink.clone() }, path);
    }
    refuse_members(sink, path)?;
    let keys = [
        ("name", sink.name.is_some()),
        ("format", sink.format.is_some()),
        ("bulkAction", sink.bulk_action.is_some()),
        ("uri", sink.uri.is_some()),
        ("cluster", sink.cluster.is_some()),
        ("timeout", sink.timeout.is_some()),
        ("batch", sink.batch.is_some()),
        ("buffer", sink.buffer.is_some()),
        ("retry", sink.retry.is_some()),
        ("inFlight", sink.in_flight.is_some()),
        ("overflow", sink.overflow.is_some()),
        ("compression", sink.compression.is_some()),
        ("authorization", sink.authorization.is_some()),
        ("headers", !sink.headers.is_empty()),
    ];
    match keys.into_iter().find(|(_, is_there)| *is_there) {
        Some((key, _)) => Err(ConfigError::new(format!("{path}.{key}"), "is only for sinks of `type: http`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
