//! One module in a virtual machine of its own: its contexts, and its callbacks called as Envoy calls them.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use wasmtime::{AsContext, Instance, Linker, Module, Store, WasmParams, WasmResults};

use crate::headers::Headers;
use crate::module;
use crate::state::{State, StreamId};

/// A context of a module.
#[derive(Debug)]
pub(crate) enum Context {
    /// One plugin configuration.
    Root {
        /// The bytes of the plugin configuration.
        configuration: Vec<u8>,
        /// The time between two ticks; zero for none.
        tick_milliseconds: u32,
    },
    /// One stream.
    Stream {
        /// The stream.
        stream: StreamId,
        /// Whether the request's headers can be read and written; Envoy takes them away once the request has gone on.
        has_request: bool,
        /// Whether the response's headers can be read.
        has_response: bool,
    },
}

/// What the host functions of one virtual machine work on.
#[derive(Debug)]
pub(crate) struct Vm {
    pub(crate) plugin: usize,
    pub(crate) state: Rc<RefCell<State>>,
    pub(crate) contexts: BTreeMap<u32, Context>,
    /// The context whose callback runs.
    pub(crate) current: u32,
    /// The context that the module chose to act for.
    pub(crate) effective: Option<u32>,
    /// The root contexts that asked for more time when they were done.
    pub(crate) pending: BTreeSet<u32>,
    /// Those of them that need no more.
    pub(crate) done: Vec<u32>,
    /// The answer that `proxy_on_http_call_response` may read while it runs.
    pub(crate) call_answer: Option<(Headers, Vec<u8>)>,
}

impl Vm {
    pub(crate) fn context_id(&self) -> u32 {
        self.effective.unwrap_or(self.current)
    }

    pub(crate) fn context(&self) -> Option<&Context> {
        self.contexts.get(&self.context_id())
    }

    pub(crate) fn context_mut(&mut self) -> Option<&mut Context> {
        let id = self.context_id();
        self.contexts.get_mut(&id)
    }
}

/// A module with its virtual machine.
pub(crate) struct Plugin {
    pub(crate) name: String,
    instance: Instance,
    pub(crate) store: Store<Vm>,
    last_context: u32,
}

impl Plugin {
    /// Instantiate a module and run its constructors.
    pub(crate) fn new(name: &str, compiled: &Module, linker: &Linker<Vm>, plugin: usize, state: Rc<RefCell<State>>) -> Self {
        let vm = Vm {
            plugin,
            state,
            contexts: BTreeMap::new(),
            current: 0,
            effective: None,
            pending: BTreeSet::new(),
            done: Vec::new(),
            call_answer: None,
        };
        let mut store = Store::new(module::engine(), vm);
        let instance = linker.instantiate(&mut store, compiled).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let mut plugin = Self { name: name.to_owned(), instance, store, last_context: 0 };
        for start in ["_initialize", "_start"] {
            if plugin.call::<(), ()>(0, start, ()).is_some() {
                break;
            }
        }
        plugin
    }

    /// Create a root context and return its number.
    pub(crate) fn create_root(&mut self, configuration: &[u8]) -> u32 {
        let context = Context::Root { configuration: configuration.to_vec(), tick_milliseconds: 0 };
        self.create(context, 0)
    }

    /// Create a context for a stream under a root context and return its number.
    pub(crate) fn create_stream(&mut self, stream: StreamId, root: u32) -> u32 {
        self.create(Context::Stream { stream, has_request: false, has_response: false }, root)
    }

    fn create(&mut self, context: Context, parent: u32) -> u32 {
        self.last_context += 1;
        let id = self.last_context;
        self.store.data_mut().contexts.insert(id, context);
        self.call::<(u32, u32), ()>(id, "proxy_on_context_create", (id, parent));
        id
    }

    /// End a context: done, then delete. Its requests to clusters are cancelled. A root that asks for more time is deleted when it
    /// says that it needs no more.
    pub(crate) fn delete(&mut self, id: u32) {
        if self.call::<u32, u32>(id, "proxy_on_done", id) == Some(0) {
            let is_root = matches!(self.store.data().contexts.get(&id), Some(Context::Root { .. }));
            assert!(is_root, "{}: a stream asks for more time, and nothing would ever end it", self.name);
            self.store.data_mut().pending.insert(id);
        } else {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: u32) {
        self.call::<u32, ()>(id, "proxy_on_delete", id);
        let vm = self.store.data_mut();
        vm.contexts.remove(&id);
        let plugin = vm.plugin;
        vm.state.borrow_mut().calls.retain(|_, call| call.plugin != plugin || call.context != id);
    }

    /// Say which headers the context of a stream can reach.
    pub(crate) fn show_headers(&mut self, id: u32, request: bool, response: bool) {
        if let Some(Context::Stream { has_request, has_response, .. }) = self.store.data_mut().contexts.get_mut(&id) {
            (*has_request, *has_response) = (request, response);
        }
    }

    /// The root contexts that asked for ticks.
    pub(crate) fn ticking_roots(&self) -> Vec<u32> {
        let contexts = &self.store.as_context().data().contexts;
        let is_ticking = |context: &Context| matches!(context, Context::Root { tick_milliseconds, .. } if *tick_milliseconds > 0);
        contexts.iter().filter(|(_, context)| is_ticking(context)).map(|(id, _)| *id).collect()
    }

    /// Call a callback for a context; `None` when the module does not export it.
    ///
    /// # Panics
    /// When the module traps: it has to bear with everything.
    #[track_caller]
    pub(crate) fn call<P: WasmParams, R: WasmResults>(&mut self, context: u32, callback: &str, parameters: P) -> Option<R> {
        let function = self.instance.get_func(&mut self.store, callback)?;
        let function = function.typed::<P, R>(&self.store).unwrap_or_else(|error| panic!("{callback}: {error:?}"));
        let vm = self.store.data_mut();
        vm.current = context;
        vm.effective = None;
        match function.call(&mut self.store, parameters) {
            Ok(result) => {
                for done in std::mem::take(&mut self.store.data_mut().done) {
                    self.forget(done);
                }
                Some(result)
            }
            Err(error) => {
                let state = self.store.data().state.borrow();
                panic!("{} trapped in {callback} with {}: {error:?}\nlog: {:#?}", self.name, state.faults.describe(), state.logs)
            }
        }
    }
}
