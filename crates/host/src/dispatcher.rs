//! Finds the context that a callback is about.
//!
//! Contexts are plugins' configurations (roots) and HTTP exchanges (streams), each with a number that the proxy gave. Nothing is
//! borrowed while the proxy is called, so a callback out of turn finds everything in order; what it cannot do it leaves, and a
//! request it denies.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

use portcullis_core::config::Variable;
use portcullis_core::config_version::ConfigVersion;
use portcullis_core::delivery::Compressor;
use portcullis_core::metrics::{AppliedConfig, VmSeconds};
use portcullis_core::platform::Platform;

use crate::gzip::ProxyCompressor;
use crate::identity::IdentitySource;
use crate::observer::ProxyObserver;
use crate::plugin::Plugin;
use crate::proxy::Proxy;
use crate::root::Root;
use crate::runner::{Action, Runner, refuse_without_policy};
use crate::severity::Severity;
use crate::stream::{Phase, Stream};

#[derive(Debug)]
enum Context {
    Plugin(Roots),
    Stream(Rc<Stream>),
}

/// The configurations that a plugin has had: the last one is in force, those before it still have requests that wait, or something to send.
#[derive(Debug, Default)]
struct Roots {
    all: Vec<Rc<Root>>,
    /// None is in force any more.
    are_done: bool,
}

type Contexts = HashMap<u32, Context, BuildHasherDefault<ContextHasher>>;

/// The proxy counts contexts up and a client has no say in their numbers, so one multiplication spreads them well enough.
#[derive(Debug, Clone, Copy, Default)]
struct ContextHasher(u64);

impl Hasher for ContextHasher {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32(u32::from(*byte)));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The contexts of one VM.
#[derive(Debug)]
pub struct Dispatcher<P> {
    proxy: P,
    contexts: RefCell<Contexts>,
    /// How long the VM has lived.
    seconds: RefCell<VmSeconds>,
}

impl<P: Proxy> Dispatcher<P> {
    /// No contexts yet.
    #[must_use]
    pub const fn new(proxy: P) -> Self {
        let contexts = RefCell::new(HashMap::with_hasher(BuildHasherDefault::new()));
        Self { proxy, contexts, seconds: RefCell::new(VmSeconds::new()) }
    }

    /// A context comes to be: a stream of the root with that number, or a root itself when that number is 0.
    pub fn create(&self, id: u32, root_id: u32) {
        let Ok(mut contexts) = self.contexts.try_borrow_mut() else { return };
        if root_id == 0 {
            contexts.insert(id, Context::Plugin(Roots::default()));
            return;
        }
        let root = match contexts.get(&root_id) {
            Some(Context::Plugin(roots)) => roots.all.last().cloned(),
            _ => None,
        };
        let new = root.as_ref().filter(|root| !root.applied.is_shown()).cloned();
        contexts.insert(id, Context::Stream(Rc::new(Stream::new(id, root))));
        drop(contexts);
        if let Some(root) = new {
            self.runner(&root).show_applied();
        }
    }

    /// Reads a plugin's configuration, which has this many bytes; whether it is in force now. One that is refused leaves the one
    /// before it in force.
    pub fn configure(&self, plugin: &Plugin, id: u32, size: usize) -> bool {
        match self.load(plugin, id, size) {
            Ok(root) => self.put_in_force(id, Rc::new(root)),
            Err(problem) => {
                self.proxy.log(Severity::Critical, &format!("portcullis: configuration refused: {problem}"));
                false
            }
        }
    }

    fn load(&self, plugin: &Plugin, id: u32, size: usize) -> Result<Root, Refused> {
        let document = self.proxy.plugin_configuration(size)?;
        let environment = |name: &str| std::env::var(name).map_or(Variable::Unset, Variable::Set);
        // Only those who decide who is calling verify anything.
        let native_signatures =
            if matches!(plugin.identity, IdentitySource::Stages) { self.proxy.native_signatures() } else { None };
        let mut seed = [0; 32];
        let seed = getrandom::fill(&mut seed).is_ok().then_some(seed);
        let compressor: Option<Rc<dyn Compressor>> = Some(Rc::new(ProxyCompressor));
        let loaded = (plugin.load)(&document, Platform { environment: &environment, native_signatures, seed, compressor })?;
        if !loaded.native_algorithms.is_empty() {
            let line = format!("portcullis: the proxy verifies signatures by {}", loaded.native_algorithms);
            self.proxy.log(Severity::Info, &line);
        }
        for warning in &loaded.warnings {
            self.proxy.log(Severity::Warn, &format!("portcullis: {warning}"));
        }
        let applied = AppliedConfig::new(plugin.module, ConfigVersion::of(&document), self.proxy.now().ok());
        let root = Root::new(id, applied, loaded, plugin);
        if let Some(period) = root.usual_tick_period.filter(|_| plugin.callbacks.tick) {
            self.proxy.set_tick_period(period)?;
        }
        Ok(root)
    }

    fn put_in_force(&self, id: u32, root: Rc<Root>) -> bool {
        let is_left = |root: &Rc<Root>| !self.runner(root).begin_draining() || !root.waiting().is_empty();
        let (left, over): (Vec<_>, Vec<_>) = self.roots(id).into_iter().partition(is_left);
        over.iter().for_each(|root| self.runner(root).abandon());
        let Ok(mut contexts) = self.contexts.try_borrow_mut() else { return false };
        match contexts.entry(id).or_insert_with(|| Context::Plugin(Roots::default())) {
            Context::Plugin(roots) => {
                roots.all = left;
                roots.all.push(root);
                true
            }
            Context::Stream(_) => false,
        }
    }

    const fn runner<'a>(&'a self, root: &'a Root) -> Runner<'a, P> {
        Runner { proxy: &self.proxy, root }
    }

    /// Some time went by.
    pub fn tick(&self, id: u32) {
        for root in self.roots(id) {
            self.runner(&root).on_tick();
        }
        self.count_seconds(id);
        self.end_drained(id);
    }

    /// A VM lives as long as a plugin of it is in force; the ticks of several count it once.
    fn count_seconds(&self, id: u32) {
        let module = match self.contexts.try_borrow().as_ref().ok().and_then(|contexts| contexts.get(&id)) {
            Some(Context::Plugin(roots)) if !roots.are_done => roots.all.last().map(|root| root.applied.module()),
            _ => None,
        };
        if let Some(module) = module
            && let Ok(now) = self.proxy.now()
            && let Ok(mut seconds) = self.seconds.try_borrow_mut()
        {
            seconds.count(module, now, &mut ProxyObserver(&self.proxy));
        }
    }

    /// The headers of a request came.
    pub fn request_headers(&self, id: u32) -> Action {
        let stream = self.stream(id);
        match stream.as_ref().and_then(|stream| Some((stream, stream.root.as_ref()?))) {
            Some((_, root)) if !root.decides => Action::Continue,
            Some((stream, root)) => self.runner(root).on_request(stream),
            None => {
                let phase = refuse_without_policy(&self.proxy);
                if let Some(stream) = stream {
                    stream.set_phase(phase);
                }
                Action::Pause
            }
        }
    }

    /// The headers of an answer came, from the upstream or from whoever answered in its place.
    pub fn response_headers(&self, id: u32) -> Action {
        let root = self.stream(id).and_then(|stream| stream.root.clone());
        root.map_or(Action::Continue, |root| self.runner(&root).on_response())
    }

    /// A fetch ended.
    pub fn http_call_response(&self, id: u32, token: u32, num_headers: usize, body_size: usize) {
        for root in self.roots(id) {
            if let Some(call) = root.take_call(token) {
                self.runner(&root).on_fetched(call, num_headers, body_size);
                break;
            }
        }
        self.end_drained(id);
    }

    /// An exchange ended, and nobody sends anything then.
    pub fn log(&self, id: u32) {
        if let Some(stream) = self.stream(id)
            && let Some(root) = &stream.root
        {
            let _ = self.runner(root).on_log(&stream);
        }
    }

    /// An exchange ended: what cannot wait any longer is sent.
    pub fn log_and_send(&self, id: u32) {
        if let Some(stream) = self.stream(id) {
            self.tell_end(&stream);
        }
    }

    fn tell_end(&self, stream: &Stream) {
        let Some(root) = stream.root.as_ref().filter(|root| !root.observers.is_empty()) else { return };
        let pressing = self.runner(root).on_log(stream);
        if !pressing.is_empty() {
            self.runner(root).send_pressing(&pressing);
        }
    }

    /// A context is no longer needed by the proxy; whether it is by the module. A stream is forgotten here, so that a module that exports
    /// this callback does without the one of [`delete`](Self::delete); a root where nothing is left to be sent, or nobody is left to do so.
    pub fn done(&self, id: u32) -> bool {
        if let Some(stream) = self.stream(id) {
            // Where the proxy logs later, if at all, the end is told now.
            self.tell_end(&stream);
            self.delete(id);
            return true;
        }
        let roots = self.roots(id);
        let left = roots.iter().filter(|root| !self.runner(root).drain()).count();
        if let Ok(mut contexts) = self.contexts.try_borrow_mut()
            && let Some(Context::Plugin(roots)) = contexts.get_mut(&id)
        {
            roots.are_done = true;
        }
        let is_last = !self.is_in_force();
        if left > 0 && !is_last {
            return false;
        }
        if is_last {
            self.abandon_all();
        }
        roots.iter().for_each(|root| self.runner(root).abandon());
        self.delete(id);
        true
    }

    /// Whether some plugin of this virtual machine is in force. If none is, the proxy ends the machine.
    fn is_in_force(&self) -> bool {
        let in_force = |context: &Context| matches!(context, Context::Plugin(roots) if !roots.are_done && !roots.all.is_empty());
        self.contexts.try_borrow().is_ok_and(|contexts| contexts.values().any(in_force))
    }

    /// Writes to the proxy's log what roots that are out of force still have.
    fn abandon_all(&self) {
        let out_of_force = |context: &Context| match context {
            Context::Plugin(roots) if roots.are_done => roots.all.clone(),
            Context::Plugin(_) | Context::Stream(_) => Vec::new(),
        };
        let roots: Vec<_> =
            self.contexts.try_borrow().map(|contexts| contexts.values().flat_map(out_of_force).collect()).unwrap_or_default();
        roots.iter().for_each(|root: &Rc<Root>| self.runner(root).abandon());
    }

    /// Lets go of the configurations of a plugin that are out of force and have nothing left to send, or no more time.
    fn end_drained(&self, id: u32) {
        let over: Vec<_> = self.roots(id).into_iter().filter(|root| self.runner(root).is_over()).collect();
        if over.is_empty() {
            return;
        }
        over.iter().for_each(|root| self.runner(root).abandon());
        let is_end = match self.contexts.try_borrow_mut().as_mut().ok().and_then(|contexts| contexts.get_mut(&id)) {
            Some(Context::Plugin(roots)) => {
                roots.all.retain(|root| !over.iter().any(|other| Rc::ptr_eq(root, other)));
                roots.are_done && roots.all.is_empty()
            }
            _ => false,
        };
        if is_end {
            self.delete(id);
            if let Err(error) = self.proxy.done() {
                self.proxy.log(Severity::Error, &format!("portcullis: a configuration out of force is kept: {error}"));
            }
        }
    }

    /// A context is no more.
    pub fn delete(&self, id: u32) {
        match self.contexts.try_borrow_mut().ok().and_then(|mut contexts| contexts.remove(&id)) {
            Some(Context::Stream(stream)) => {
                let has_waited = stream.wait().is_some();
                stream.set_phase(Phase::Gone);
                if let Some(root) = stream.root.as_ref().filter(|_| has_waited) {
                    root.remove_waiting(id);
                }
                stream.forget();
            }
            // A module that is not asked whether it is done learns of the end here.
            Some(Context::Plugin(roots)) => roots.all.iter().for_each(|root| self.runner(root).close()),
            None => {}
        }
    }

    fn roots(&self, id: u32) -> Vec<Rc<Root>> {
        match self.contexts.try_borrow().as_ref().ok().and_then(|contexts| contexts.get(&id)) {
            Some(Context::Plugin(roots)) => roots.all.clone(),
            _ => Vec::new(),
        }
    }

    fn stream(&self, id: u32) -> Option<Rc<Stream>> {
        match self.contexts.try_borrow().ok()?.get(&id)? {
            Context::Stream(stream) => Some(Rc::clone(stream)),
            Context::Plugin(_) => None,
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Document(#[from] portcullis_core::config::ConfigError),
    #[error(transparent)]
    Proxy(#[from] crate::Error),
}

#[cfg(test)]
mod tests;
