//! The emulated proxy: a chain of modules, the streams that go through it, and the world around.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use wasmtime::Module;

use crate::fault::Fault;
use crate::headers::Headers;
use crate::linker::linker;
use crate::module;
use crate::state::{Call, CallId, LogLine, Metric, Outcome, Progress, State, Stream, StreamId};
use crate::verify_signature::VerifySignature;
use crate::vm::Plugin;

/// A proxy with a chain of modules, each in a virtual machine of its own.
///
/// Every method that runs a module panics, and so fails the test, when the module traps or does what no module may do:
/// resume a request twice, answer one that is gone, write a header value that would split the request.
pub struct Host {
    plugins: Vec<Plugin>,
    /// The root context that new streams get, by place in the chain.
    roots: Vec<Option<u32>>,
    /// Root contexts of configurations that were replaced: they still get answers and ticks until they are retired.
    replaced: Vec<(usize, u32)>,
    /// The contexts of the open streams, by place in the chain.
    open: BTreeMap<StreamId, Vec<Option<u32>>>,
    state: Rc<RefCell<State>>,
    streams: u32,
}

impl Host {
    /// A proxy with these modules in this order, instantiated and not configured.
    #[must_use]
    pub fn boot(names: &[&str]) -> Self {
        Self::boot_modules(names.iter().map(|name| ((*name).to_owned(), module::compiled(name))).collect())
    }

    /// A proxy with modules that are compiled already.
    #[must_use]
    pub fn boot_modules(modules: Vec<(String, Module)>) -> Self {
        let state = Rc::new(RefCell::new(State::new()));
        let linker = linker();
        let plugins: Vec<_> = modules
            .iter()
            .enumerate()
            .map(|(place, (name, compiled))| Plugin::new(name, compiled, &linker, place, Rc::clone(&state)))
            .collect();
        let roots = vec![None; plugins.len()];
        Self { plugins, roots, replaced: Vec::new(), open: BTreeMap::new(), state, streams: 0 }
    }

    /// A proxy with one module and its configuration.
    ///
    /// # Panics
    /// When the module refuses the configuration.
    #[must_use]
    #[track_caller]
    pub fn load(name: &str, configuration: &str) -> Self {
        Self::chain(&[(name, configuration)])
    }

    /// A proxy with a chain of modules and their configurations.
    ///
    /// # Panics
    /// When a module refuses its configuration.
    #[must_use]
    #[track_caller]
    pub fn chain(modules: &[(&str, &str)]) -> Self {
        let mut host = Self::boot(&modules.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (place, (name, configuration)) in modules.iter().enumerate() {
            assert!(host.configure_at(place, configuration.as_bytes()), "{name} refuses its configuration: {:#?}", host.logs());
        }
        host
    }

    /// Configure the only, or first, module of the chain; returns whether it accepts.
    pub fn configure(&mut self, configuration: impl AsRef<[u8]>) -> bool {
        self.configure_at(0, configuration.as_ref())
    }

    /// Configure the module at a place of the chain. A second time is an update: a new root context in the same virtual
    /// machine, which new streams get when it accepts.
    pub fn configure_at(&mut self, place: usize, configuration: &[u8]) -> bool {
        let root = self.start(place, configuration);
        let size = u32::try_from(configuration.len()).expect("a test's configuration is small");
        let is_accepted = self.plugins[place].call::<(u32, u32), u32>(root, "proxy_on_configure", (root, size)) != Some(0);
        match self.roots[place] {
            Some(old) if is_accepted => {
                self.replaced.push((place, old));
                self.roots[place] = Some(root);
            }
            Some(_) => self.plugins[place].delete(root),
            // Envoy gives no request to a plugin that has refused its first configuration. It would be denied if it did.
            None => self.roots[place] = Some(root),
        }
        self.settle();
        is_accepted
    }

    fn start(&mut self, place: usize, configuration: &[u8]) -> u32 {
        let plugin = &mut self.plugins[place];
        let root = plugin.create_root(configuration);
        if self.roots[place].is_none() {
            let is_started = plugin.call::<(u32, u32), u32>(root, "proxy_on_vm_start", (root, 0));
            assert!(is_started != Some(0), "{} refuses to start", plugin.name);
        }
        root
    }

    /// End the root contexts of configurations that were replaced.
    pub fn retire_replaced(&mut self) {
        for (place, root) in std::mem::take(&mut self.replaced) {
            self.plugins[place].delete(root);
        }
        self.settle();
    }

    /// Whether no root context is left of those that asked for more time to end.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.plugins.iter().all(|plugin| plugin.store.data().pending.is_empty())
    }

    /// Send a request through the chain and, unless it is held, to its end; the upstream answers 200.
    pub fn request<N: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, headers: &[(N, V)]) -> Outcome {
        let stream = self.open(headers);
        let outcome = self.outcome(stream);
        if outcome != Outcome::Held {
            self.finish(stream, 200);
        }
        outcome
    }

    /// Send a request into the chain, as far as it goes.
    pub fn open<N: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, headers: &[(N, V)]) -> StreamId {
        self.open_behind(headers, &[])
    }

    /// Send a request into the chain behind filters that left this filter state.
    pub fn open_behind<N: AsRef<[u8]>, V: AsRef<[u8]>>(&mut self, headers: &[(N, V)], state: &[(&str, &str)]) -> StreamId {
        self.streams += 1;
        let id = StreamId(self.streams);
        let request = Headers::new(headers.iter().map(|(name, value)| (name, value)));
        let mut properties = BTreeMap::new();
        properties.insert("xds\0route_name".to_owned(), b"the-route".to_vec());
        let state = state.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec())).collect();
        let started = self.state.borrow().now;
        self.state.borrow_mut().streams.insert(id, Stream { request, properties, state, started, ..Stream::default() });
        self.open.insert(id, vec![None; self.plugins.len()]);
        self.run(id, 0);
        self.settle();
        id
    }

    /// Where a request stands.
    #[must_use]
    pub fn outcome(&self, id: StreamId) -> Outcome {
        let state = self.state.borrow();
        let stream = &state.streams[&id];
        match (&stream.reply, stream.progress) {
            (Some(reply), _) => Outcome::Replied(reply.clone()),
            (None, Progress::Upstream) => Outcome::Continued(stream.request.clone()),
            (None, _) => Outcome::Held,
        }
    }

    /// End a stream: the response with this status, or with that of the local reply, then log, done, delete.
    pub fn finish(&mut self, id: StreamId, status: u16) {
        let contexts = self.open[&id].clone();
        {
            let mut state = self.state.borrow_mut();
            let now = state.now;
            let stream = state.streams.get_mut(&id).expect("it is open");
            let code = stream.reply.as_ref().map_or(u64::from(status), |reply| reply.status.into());
            let duration = u64::try_from(now.saturating_sub(stream.started).as_nanos()).unwrap_or(u64::MAX);
            stream.response = Headers::new([(":status", code.to_string())]);
            stream.properties.insert("response\0code".to_owned(), code.to_le_bytes().to_vec());
            stream.properties.insert("request\0duration".to_owned(), duration.to_le_bytes().to_vec());
        }
        for (place, context) in contexts.iter().enumerate().rev() {
            let Some(context) = *context else { continue };
            self.plugins[place].show_headers(context, false, true);
            self.plugins[place].call::<(u32, u32, u32), u32>(context, "proxy_on_response_headers", (context, 1, 1));
        }
        self.end(id);
    }

    /// The client goes away before any response: log, done, delete.
    pub fn abandon(&mut self, id: StreamId) {
        self.end(id);
    }

    fn end(&mut self, id: StreamId) {
        let has_response = !self.state.borrow().streams[&id].response.is_empty();
        for place in 0..self.plugins.len() {
            // A filter behind the one that answered has not seen the request; Envoy makes its context now.
            let context = self.context(id, place);
            self.plugins[place].show_headers(context, true, has_response);
            self.plugins[place].call::<u32, ()>(context, "proxy_on_log", context);
        }
        for (place, context) in self.open.remove(&id).unwrap_or_default().into_iter().enumerate() {
            self.plugins[place].delete(context.expect("the log phase made it"));
        }
        self.settle();
    }

    fn context(&mut self, id: StreamId, place: usize) -> u32 {
        if let Some(context) = self.open[&id][place] {
            return context;
        }
        let root = self.roots[place].unwrap_or_else(|| {
            let root = self.start(place, b"");
            self.roots[place] = Some(root);
            root
        });
        let context = self.plugins[place].create_stream(id, root);
        self.open.get_mut(&id).expect("it is open")[place] = Some(context);
        context
    }

    /// Ask the filters from this place on about a request.
    fn run(&mut self, id: StreamId, from: usize) {
        for place in from..self.plugins.len() {
            let context = self.context(id, place);
            let plugin = &mut self.plugins[place];
            plugin.show_headers(context, true, false);
            let count = u32::try_from(self.state.borrow().streams[&id].request.len()).expect("a test's request is small");
            let action = plugin.call::<(u32, u32, u32), u32>(context, "proxy_on_request_headers", (context, count, 1));
            let mut state = self.state.borrow_mut();
            let stream = state.streams.get_mut(&id).expect("it is open");
            let is_let_go = action.unwrap_or(0) == 0;
            if stream.reply.is_some() || stream.is_closed {
                if is_let_go {
                    state.violation("a request was let go that was answered or closed");
                }
                return;
            }
            if !is_let_go {
                stream.progress = Progress::HeldBy(place);
                return;
            }
            drop(state);
            plugin.show_headers(context, false, false);
        }
        self.state.borrow_mut().streams.get_mut(&id).expect("it is open").progress = Progress::Upstream;
    }

    /// Carry out what modules asked for while they ran.
    fn settle(&mut self) {
        while let Some((id, place)) = self.next_resumed() {
            self.run(id, place + 1);
        }
        let state = self.state.borrow();
        assert!(state.violations.is_empty(), "with {}: {:#?}", state.faults.describe(), state.violations);
    }

    fn next_resumed(&self) -> Option<(StreamId, usize)> {
        let mut state = self.state.borrow_mut();
        state.streams.iter_mut().find_map(|(id, stream)| match stream.progress {
            Progress::HeldBy(place) if stream.is_resumed && stream.reply.is_none() => {
                stream.is_resumed = false;
                stream.progress = Progress::Running;
                Some((*id, place))
            }
            _ => None,
        })
    }

    /// Let time pass, then ring the timers.
    pub fn pass(&mut self, time: Duration) {
        self.state.borrow_mut().now += time;
        for plugin in &mut self.plugins {
            for root in plugin.ticking_roots() {
                plugin.call::<u32, ()>(root, "proxy_on_tick", root);
            }
        }
        self.settle();
    }

    /// The requests of modules to clusters that are in flight.
    #[must_use]
    pub fn calls(&self) -> Vec<(CallId, Call)> {
        self.state.borrow().calls.iter().map(|(id, call)| (*id, call.clone())).collect()
    }

    /// How many requests modules have sent to clusters, answered ones too.
    #[must_use]
    pub fn calls_sent(&self) -> u32 {
        self.state.borrow().calls_sent
    }

    /// Answer a request of a module.
    pub fn answer_call(&mut self, id: CallId, status: u16, body: impl AsRef<[u8]>) {
        self.answer(id, &Headers::new([(":status", status.to_string())]), body.as_ref());
    }

    /// Reset a request of a module: its callback has neither headers nor body.
    pub fn lose_call(&mut self, id: CallId) {
        self.answer(id, &Headers::default(), b"");
    }

    fn answer(&mut self, id: CallId, headers: &Headers, body: &[u8]) {
        let call = self.state.borrow_mut().calls.remove(&id).expect("the call is in flight");
        let count = |length: usize| u32::try_from(length).expect("a test's answer is small");
        let parameters = (call.context, id.0, count(headers.len()), count(body.len()), 0);
        let plugin = &mut self.plugins[call.plugin];
        plugin.store.data_mut().call_answer = Some((headers.clone(), body.to_vec()));
        plugin.call::<(u32, u32, u32, u32, u32), ()>(call.context, "proxy_on_http_call_response", parameters);
        plugin.store.data_mut().call_answer = None;
        self.settle();
    }

    /// Give the virtual machines an environment variable.
    pub fn set_variable(&mut self, name: &str, value: &str) {
        self.state.borrow_mut().environment.insert(name.to_owned(), value.to_owned());
    }

    /// Add a cluster, so that requests to it are sent.
    pub fn add_cluster(&mut self, name: &str) {
        self.state.borrow_mut().clusters.insert(name.to_owned());
    }

    /// Set the level of the proxy's log: 0 trace to 5 critical.
    pub fn set_log_level(&mut self, level: u32) {
        self.state.borrow_mut().log_level = level;
    }

    /// From here on the foreign function `verify_signature` answers so.
    pub fn verify_signature(&mut self, manner: VerifySignature) {
        self.state.borrow_mut().verify_signature = manner;
    }

    /// How often the foreign function `verify_signature` was called.
    #[must_use]
    pub fn signatures_asked(&self) -> u32 {
        self.state.borrow().signatures_asked
    }

    /// From here on this host call misbehaves.
    pub fn fail(&mut self, call: &str, fault: Fault) {
        self.state.borrow_mut().faults.plan(call, fault);
    }

    /// From here on every host call behaves.
    pub fn heal(&mut self) {
        self.state.borrow_mut().faults.clear();
    }

    /// Whether a module has made this call and it misbehaved.
    #[must_use]
    pub fn has_met(&self, call: &str) -> bool {
        self.state.borrow().faults.has_met(call)
    }

    /// The time since the epoch, in seconds, as the modules see it.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.state.borrow().now.as_secs()
    }

    /// A value of filter state of a stream, ended or not.
    #[must_use]
    pub fn filter_state(&self, id: StreamId, key: &str) -> Option<String> {
        let state = self.state.borrow();
        state.streams[&id].state.get(key).map(|value| String::from_utf8(value.clone()).expect("filter state is text"))
    }

    /// A value of filter state of the last stream.
    #[must_use]
    pub fn state(&self, key: &str) -> Option<String> {
        self.filter_state(StreamId(self.streams), key)
    }

    /// The metrics, in the order in which they were defined.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.state.borrow().metrics.clone()
    }

    /// The sum over the counters with this base name and these labels.
    #[must_use]
    pub fn counted(&self, base: &str, labels: &[(&str, &str)]) -> u64 {
        self.metrics().iter().filter(|metric| metric.is(base, labels)).map(|metric| metric.value).sum()
    }

    /// The proxy's log.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.state.borrow().logs.clone()
    }
}
