//! A proxy as a value, for tests: what the module did to it can be read afterwards, and any call can be made to fail.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use portcullis_core::answer::LocalReply;
use portcullis_core::edits::Edit;
use portcullis_core::headers::Headers;
use portcullis_core::jose::NativeSignatures;
use portcullis_core::stage::{Fetch, MetricId, MetricKind, Over, Written};
use portcullis_core::time::UnixTime;

use crate::defined_metrics::DefinedMetrics;
use crate::error::{Error, Result, check};
use crate::proxy::Proxy;
use crate::severity::Severity;

/// What the proxy knows of a stream.
#[derive(Debug, Default)]
pub struct FakeStream {
    pub headers: Vec<(String, String)>,
    pub response_headers: Vec<(String, String)>,
    pub state: BTreeMap<String, Vec<u8>>,
    pub replies: Vec<LocalReply>,
    pub resumed: u32,
    pub reset: u32,
}

/// The answer to a fetch.
#[derive(Debug, Default)]
pub struct FakeAnswer {
    pub status: String,
    pub body: Vec<u8>,
}

/// The proxy. Calls fail while their name stands in `failing`.
#[derive(Debug)]
pub struct FakeProxy {
    pub streams: RefCell<BTreeMap<u32, FakeStream>>,
    pub properties: RefCell<BTreeMap<String, Vec<u8>>>,
    pub read: RefCell<Vec<String>>,
    pub configuration: RefCell<Vec<u8>>,
    pub failing: RefCell<BTreeSet<&'static str>>,
    pub lines: RefCell<Vec<(Severity, String)>>,
    pub sent: RefCell<Vec<(u32, Fetch)>>,
    /// What each of these says of its trace.
    pub traces: RefCell<Vec<Vec<(&'static str, String)>>>,
    pub answer: RefCell<FakeAnswer>,
    pub context: Cell<u32>,
    pub seconds: Cell<u64>,
    pub tick_period: Cell<Option<Duration>>,
    pub done: RefCell<Vec<u32>>,
    pub shown: Cell<Severity>,
    pub shared: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    /// The metrics that were defined, and what was counted and recorded in each.
    pub metrics: RefCell<Vec<String>>,
    pub recorded: RefCell<BTreeMap<String, Vec<u64>>>,
    pub defined: DefinedMetrics,
}

impl Default for FakeProxy {
    fn default() -> Self {
        Self {
            streams: RefCell::default(),
            properties: RefCell::default(),
            read: RefCell::default(),
            configuration: RefCell::default(),
            failing: RefCell::default(),
            lines: RefCell::default(),
            sent: RefCell::default(),
            traces: RefCell::default(),
            answer: RefCell::default(),
            context: Cell::new(0),
            seconds: Cell::new(1_000),
            tick_period: Cell::new(None),
            done: RefCell::default(),
            shown: Cell::new(Severity::Warn),
            shared: RefCell::default(),
            metrics: RefCell::default(),
            recorded: RefCell::default(),
            defined: DefinedMetrics::new(),
        }
    }
}

impl FakeProxy {
    fn call(&self, name: &'static str) -> Result<()> {
        check(name, if self.failing.borrow().contains(name) { 10 } else { 0 })
    }

    fn keep(&self, metric: MetricId, value: u64) {
        if let Some(name) = self.metrics.borrow().get(metric.0 as usize - 1) {
            self.recorded.borrow_mut().entry(name.clone()).or_default().push(value);
        }
    }

    fn with_stream<T>(&self, name: &'static str, act: impl FnOnce(&mut FakeStream) -> T) -> Result<T> {
        self.call(name)?;
        self.streams.borrow_mut().get_mut(&self.context.get()).map(act).ok_or(Error::malformed(name))
    }
}

impl Proxy for &FakeProxy {
    fn log(&self, severity: Severity, line: &str) {
        self.lines.borrow_mut().push((severity, line.to_owned()));
    }

    fn log_level(&self) -> Result<Severity> {
        self.call("log_level")?;
        Ok(self.shown.get())
    }

    fn now(&self) -> Result<UnixTime> {
        self.call("now")?;
        Ok(UnixTime::from_secs(self.seconds.get()))
    }

    fn set_tick_period(&self, period: Duration) -> Result<()> {
        self.call("set_tick_period")?;
        self.tick_period.set(Some(period));
        Ok(())
    }

    fn plugin_configuration(&self, _size: usize) -> Result<Vec<u8>> {
        self.call("plugin_configuration")?;
        Ok(self.configuration.borrow().clone())
    }

    fn native_signatures(&self) -> Option<Rc<dyn NativeSignatures>> {
        None
    }

    fn request_headers(&self) -> Result<Headers> {
        self.with_stream("request_headers", |stream| Headers::from_pairs(stream.headers.clone()))
    }

    fn edit(&self, edit: &Edit) -> Result<()> {
        self.with_stream("edit", |stream| match edit {
            Edit::Remove(name) => stream.headers.retain(|(other, _)| **other != **name),
            Edit::Set(name, value) => {
                stream.headers.retain(|(other, _)| **other != **name);
                stream.headers.push((name.to_string(), value.to_string()));
            }
            Edit::Append(name, value) => stream.headers.push((name.to_string(), value.to_string())),
        })
    }

    fn add_header(&self, name: &str, value: &str) -> Result<()> {
        self.with_stream("edit", |stream| stream.headers.push((name.to_owned(), value.to_owned())))
    }

    fn clear_route_cache(&self) -> Result<()> {
        self.call("clear_route_cache")?;
        self.lines.borrow_mut().push((Severity::Trace, "route cache cleared".to_owned()));
        Ok(())
    }

    fn response_headers(&self) -> Result<Headers> {
        self.with_stream("response_headers", |stream| Headers::from_pairs(stream.response_headers.clone()))
    }

    fn edit_response(&self, edit: &Edit) -> Result<()> {
        self.with_stream("edit_response", |stream| stream.response_headers.retain(|(other, _)| **other != *edit.name()))
    }

    fn reply(&self, reply: &LocalReply) -> Result<()> {
        self.with_stream("reply", |stream| stream.replies.push(reply.clone()))
    }

    fn resume(&self) -> Result<()> {
        self.with_stream("resume", |stream| stream.resumed += 1)
    }

    fn reset(&self) -> Result<()> {
        self.with_stream("reset", |stream| stream.reset += 1)
    }

    fn property(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.call("property")?;
        let path = path.replace('\0', ".");
        self.read.borrow_mut().push(path.clone());
        let state = self.streams.borrow().get(&self.context.get()).and_then(|stream| stream.state.get(&path).cloned());
        Ok(state.or_else(|| self.properties.borrow().get(&path).cloned()))
    }

    fn set_state(&self, key: &str, value: &[u8]) -> Result<()> {
        self.with_stream("set_state", |stream| {
            stream.state.insert(key.to_owned(), value.to_vec());
        })
    }

    fn done(&self) -> Result<()> {
        self.call("done")?;
        self.done.borrow_mut().push(self.context.get());
        Ok(())
    }

    fn enter(&self, context: u32) -> Result<()> {
        self.call("enter")?;
        self.context.set(context);
        Ok(())
    }

    fn send(&self, fetch: &Fetch, trace: &[(&'static str, String)]) -> Result<u32> {
        self.call("send")?;
        self.traces.borrow_mut().push(trace.to_vec());
        self.sent.borrow_mut().push((self.context.get(), fetch.clone()));
        Ok(100 + u32::try_from(self.sent.borrow().len()).unwrap())
    }

    fn fetched_headers(&self) -> Result<Headers> {
        self.call("fetched_headers")?;
        Ok(Headers::from_pairs([(":status", &self.answer.borrow().status)]))
    }

    fn fetched_body(&self, limit: usize) -> Result<Vec<u8>> {
        self.call("fetched_body")?;
        Ok(self.answer.borrow().body.iter().copied().take(limit).collect())
    }

    fn shared(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>> {
        self.call("shared")?;
        Ok(self.shared.borrow().get(key).cloned())
    }

    fn set_shared(&self, key: &str, value: &[u8], over: Over) -> Result<Written> {
        self.call("set_shared")?;
        let mut shared = self.shared.borrow_mut();
        let version = shared.get(key).map_or(0, |(_, version)| *version);
        let is_outdated = match over {
            Over::Nothing => version != 0,
            Over::Version(read) => version != read,
            Over::Anything => false,
        };
        if is_outdated {
            return Ok(Written::Outdated);
        }
        shared.insert(key.to_owned(), (value.to_vec(), version + 1));
        Ok(Written::Done)
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<MetricId> {
        self.call("define_metric")?;
        self.defined.id(kind, name, || {
            let mut metrics = self.metrics.borrow_mut();
            metrics.push(name.to_owned());
            Ok(MetricId(u32::try_from(metrics.len()).unwrap()))
        })
    }

    fn has_room_for_metric(&self, name: &str, limit: usize) -> bool {
        self.defined.has_room_for(name, limit)
    }

    fn increment_metric(&self, metric: MetricId, amount: u64) -> Result<()> {
        self.call("increment_metric")?;
        self.keep(metric, amount);
        self.log(Severity::Trace, &format!("increment {amount}"));
        Ok(())
    }

    fn adjust_metric(&self, _metric: MetricId, by: i64) -> Result<()> {
        self.call("adjust_metric")?;
        self.log(Severity::Trace, &format!("adjust {by}"));
        Ok(())
    }

    fn record_metric(&self, metric: MetricId, value: u64) -> Result<()> {
        self.call("record_metric")?;
        self.keep(metric, value);
        Ok(())
    }
}
