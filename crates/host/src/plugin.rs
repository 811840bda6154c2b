//! The functions that the proxy calls, and the macro by which a module exports those that it needs.

use portcullis_core::config::ConfigError;
use portcullis_core::module::Loaded;
pub use portcullis_core::module::Module;
use portcullis_core::platform::Platform;

use crate::buffers;
use crate::dispatcher::Dispatcher;
use crate::hostcalls::Hostcalls;
use crate::identity::IdentitySource;

thread_local! {
    /// The contexts of this VM. A proxy-wasm module is called with nothing but the number of a context, so what the numbers stand
    /// for has to lie in one place; all state lies in the contexts.
    static DISPATCHER: Dispatcher<Hostcalls> = const { Dispatcher::new(Hostcalls::new()) };
}

/// A module, as the proxy runs it.
#[derive(Debug, Clone, Copy)]
pub struct Plugin {
    /// Which one it is.
    pub module: Module,
    /// Turns its document into stages.
    pub load: fn(&[u8], Platform<'_>) -> Result<Loaded, ConfigError>,
    /// Where it has it from who is calling.
    pub identity: IdentitySource,
    /// The callbacks that it exports beside the ones that every module has.
    pub callbacks: Callbacks,
}

/// The callbacks that a module may do without. Each one that is exported costs a crossing into the VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Callbacks {
    /// `proxy_on_request_headers`: stages decide about requests.
    pub request_headers: bool,
    /// `proxy_on_response_headers`: stages change the headers of answers.
    pub response_headers: bool,
    /// `proxy_on_tick`: stages fetch in the background.
    pub tick: bool,
    /// `proxy_on_http_call_response`: stages fetch.
    pub http_call_response: bool,
    /// `proxy_on_log`: stages observe how requests end.
    pub log: bool,
    /// `proxy_on_log` too, in which stages also send something. A module without it does without all that sends.
    pub log_and_send: bool,
    /// `proxy_on_done`: stages have something to send when their configuration ends. Streams are forgotten there too.
    pub done: bool,
    /// `proxy_on_delete`: where streams are forgotten otherwise.
    pub delete: bool,
}

impl Callbacks {
    /// None.
    pub const NONE: Self = Self {
        request_headers: false,
        response_headers: false,
        tick: false,
        http_call_response: false,
        log: false,
        log_and_send: false,
        done: false,
        delete: false,
    };

    const DECIDING: Self = Self { request_headers: true, tick: true, http_call_response: true, ..Self::NONE };

    /// What the stages of a module need.
    #[must_use]
    pub const fn needed_by(module: Module) -> Self {
        match module {
            Module::JwtAuth => Self { delete: true, ..Self::DECIDING },
            Module::AuthHeader => Self { response_headers: true, delete: true, ..Self::DECIDING },
            // The request's headers can be read again when the exchange is logged.
            Module::Metrics => Self { log: true, delete: true, ..Self::NONE },
            // It refuses requests that could not be recorded.
            Module::AuditLog => Self { log_and_send: true, done: true, ..Self::DECIDING },
            Module::Bundle => Self { response_headers: true, log_and_send: true, done: true, ..Self::DECIDING },
        }
    }

    /// Whether these are exactly the ones that the stages of a module need.
    #[must_use]
    pub const fn are_those_of(self, module: Module) -> bool {
        let needed = Self::needed_by(module);
        self.request_headers == needed.request_headers
            && self.response_headers == needed.response_headers
            && self.tick == needed.tick
            && self.http_call_response == needed.http_call_response
            && self.log == needed.log
            && self.log_and_send == needed.log_and_send
            && self.done == needed.done
            && self.delete == needed.delete
    }
}

/// Exports a [`Module`], with the callbacks that its stages need beside those that every module has.
///
/// ```
/// portcullis_host::plugin!(Metrics: log, delete);
/// ```
///
/// A callback too many or too few does not compile.
#[macro_export]
macro_rules! plugin {
    ($module:ident: $($callback:ident),+ $(,)?) => {
        const PLUGIN: $crate::plugin::Plugin = $crate::plugin::Plugin {
            module: $crate::plugin::Module::$module,
            load: |document, platform| $crate::plugin::Module::$module.load(document, platform),
            identity: $crate::identity::IdentitySource::of($crate::plugin::Module::$module),
            callbacks: {
                let mut callbacks = $crate::plugin::Callbacks::NONE;
                $(callbacks.$callback = true;)+
                callbacks
            },
        };

        const _: () = assert!(
            PLUGIN.callbacks.are_those_of($crate::plugin::Module::$module),
            "the callbacks are not those that the module's stages need"
        );

        $crate::export!(proxy_abi_version_0_2_1() => ());
        $crate::export!(_initialize() => $crate::plugin::initialize());
        $crate::export!(proxy_on_memory_allocate(size: usize) -> *mut u8 => $crate::plugin::on_memory_allocate(size));
        $crate::export!(proxy_on_context_create(context: u32, root: u32) => $crate::plugin::on_context_create(context, root));
        $crate::export!(proxy_on_vm_start(_context: u32, _size: usize) -> u32 => $crate::plugin::on_vm_start());
        $crate::export!(proxy_on_configure(context: u32, size: usize) -> u32 => $crate::plugin::on_configure(&PLUGIN, context, size));
        $($crate::callback!($callback);)+
    };
}

/// Exports one of the callbacks that a module may do without; part of [`plugin!`](crate::plugin!).
#[doc(hidden)]
#[macro_export]
macro_rules! callback {
    (request_headers) => {
        $crate::export!(proxy_on_request_headers(context: u32, _headers: usize, _end: u32) -> u32
            => $crate::plugin::on_request_headers(context));
    };
    (response_headers) => {
        $crate::export!(proxy_on_response_headers(context: u32, _headers: usize, _end: u32) -> u32
            => $crate::plugin::on_response_headers(context));
    };
    (tick) => {
        $crate::export!(proxy_on_tick(context: u32) => $crate::plugin::on_tick(context));
    };
    (http_call_response) => {
        $crate::export!(
            proxy_on_http_call_response(context: u32, token: u32, headers: usize, body: usize, _trailers: usize)
            => $crate::plugin::on_http_call_response(context, token, headers, body)
        );
    };
    (log) => {
        $crate::export!(proxy_on_log(context: u32) => $crate::plugin::on_log(context));
    };
    (log_and_send) => {
        $crate::export!(proxy_on_log(context: u32) => $crate::plugin::on_log_and_send(context));
    };
    (done) => {
        $crate::export!(proxy_on_done(context: u32) -> u32 => $crate::plugin::on_done(context));
    };
    (delete) => {
        $crate::export!(proxy_on_delete(context: u32) => $crate::plugin::on_delete(context));
    };
}

/// Exports one function; part of [`plugin!`](crate::plugin!).
#[doc(hidden)]
#[macro_export]
macro_rules! export {
    ($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? => $body:expr) => {
        /// A function that the proxy calls (proxy-wasm ABI 0.2.1).
        // SAFETY: the name is the interface's own, and nothing else in the module bears it.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $type),*) $(-> $result)? {
            $body
        }
    };
}

/// The proxy loaded the module: runs what the C library wants to be run first.
pub fn initialize() {
    #[cfg(target_os = "wasi")]
    {
        #[allow(unsafe_code, reason = "the C library has no other way in")]
        unsafe extern "C" {
            fn __wasm_call_ctors();
        }
        // SAFETY: the linker makes this function; it is to be called once, before anything else, and `_initialize` is where.
        #[allow(unsafe_code, reason = "the C library has no other way in")]
        unsafe {
            __wasm_call_ctors();
        }
    }
}

/// The proxy wants a buffer.
pub fn on_memory_allocate(size: usize) -> *mut u8 {
    buffers::allocate(size)
}

/// The VM starts.
pub fn on_vm_start() -> u32 {
    // Where the proxy has no randomness, std's hash maps panic when the first one is made. If that must happen it happens here,
    // where the proxy refuses the module, and not in a request.
    std::hint::black_box(std::hash::RandomState::new());
    1
}

/// A context comes to be.
pub fn on_context_create(context: u32, root: u32) {
    DISPATCHER.with(|dispatcher| dispatcher.create(context, root));
}

/// A plugin's configuration is there; 1 when it is good.
pub fn on_configure(plugin: &Plugin, context: u32, size: usize) -> u32 {
    DISPATCHER.with(|dispatcher| dispatcher.configure(plugin, context, size)).into()
}

/// Some time went by.
pub fn on_tick(context: u32) {
    DISPATCHER.with(|dispatcher| dispatcher.tick(context));
}

/// The headers of a request came; the number of what to do with it.
pub fn on_request_headers(context: u32) -> u32 {
    DISPATCHER.with(|dispatcher| dispatcher.request_headers(context)).code()
}

/// The headers of an answer came; the number of what to do with it.
pub fn on_response_headers(context: u32) -> u32 {
    DISPATCHER.with(|dispatcher| dispatcher.response_headers(context)).code()
}

/// A fetch ended.
pub fn on_http_call_response(context: u32, token: u32, num_headers: usize, body_size: usize) {
    DISPATCHER.with(|dispatcher| dispatcher.http_call_response(context, token, num_headers, body_size));
}

/// An exchange ended.
pub fn on_log(context: u32) {
    DISPATCHER.with(|dispatcher| dispatcher.log(context));
}

/// An exchange ended, and something may have to be sent.
pub fn on_log_and_send(context: u32) {
    DISPATCHER.with(|dispatcher| dispatcher.log_and_send(context));
}

/// The proxy has no more to do with a context; 1 when the module has neither.
pub fn on_done(context: u32) -> u32 {
    DISPATCHER.with(|dispatcher| dispatcher.done(context)).into()
}

/// A context is no more.
pub fn on_delete(context: u32) {
    DISPATCHER.with(|dispatcher| dispatcher.delete(context));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_exports_no_callback_that_its_stages_do_not_need() {
        let all = Callbacks { response_headers: true, log_and_send: true, done: true, ..Callbacks::DECIDING };
        let modules = [Module::JwtAuth, Module::AuthHeader, Module::AuditLog, Module::Metrics, Module::Bundle];
        for module in modules {
            assert!(Callbacks::needed_by(module).are_those_of(module));
            assert!(!Callbacks::NONE.are_those_of(module));
            assert_eq!(all.are_those_of(module), module == Module::Bundle);
        }
    }
}
