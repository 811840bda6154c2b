//! The edge between Portcullis and the proxy: nothing else here speaks proxy-wasm.
//!
//! A module is one line, [`plugin!`], which names what the module loads and the callbacks that its stages need. From there:
//!
//! ```text
//! proxy ─▶ plugin (exports) ─▶ Dispatcher (contexts by id) ─▶ Runner (one root, its stages) ─▶ core's stages
//!                                                                  │ carries out what they decided
//! proxy ◀─ abi (imports) ◀─ Hostcalls ◀─ Proxy (trait) ◀───────────┘
//! ```
//!
//! The interface is version 0.2.1, declared in `abi`. The proxy-wasm SDK is not used: its calls panic on a status that
//! they do not expect and on header bytes that are not UTF-8, and a panic kills the worker's VM with every request on it. Here
//! every answer of the proxy, whatever it is, becomes a [`Result`].
//!
//! # What the proxy's nature asks of this crate
//!
//! - A crossing is what costs: of what a warm request through jwt-auth takes, nine tenths are the proxy's own work for being called
//!   and for our calls (dearest are the headers, a property and the first filter state, each as much as all that the module
//!   computes). So a module exports only the callbacks that it needs, and a request's headers are read once.
//! - Headers are written after everything is decided, for each write makes Envoy match the route again.
//! - Request headers can be read in `on_request_headers` and again in `on_log`, not between the two.
//! - Old and new configuration live side by side in one VM: state belongs to a root context, and a stream keeps the root it
//!   began with.
//! - A virtual machine lives as long as one of its plugins is in force. A root that has more to send after `proxy_on_done` gets ticks and
//!   answers for as long; when the last one goes, as at the proxy's own end, the machine is gone as soon as `proxy_on_done` returns.
//! - A stream is logged before `proxy_on_done` is called for it, but for HTTP/3, where it is the other way round.
//! - `on_configure` also runs on the main thread and in a throw-away canary, and a failure there is remembered: it has no effect
//!   outside the VM and never depends on the network.
//! - Action 1 of `on_request_headers` holds only the headers where the operator set `allow_on_headers_stop_iteration`, and a body
//!   would then carry the request on; action 4 holds all of it. See [`Action`](runner::Action).
//!
//! # Failing closed
//!
//! A request goes on only from one place, the end of [`Runner`](runner::Runner)'s `settle`. An unknown context, a missing policy, a clock or a
//! header map that cannot be read, a header that cannot be written: each refuses. Where even the refusal cannot be sent, the
//! stream is reset or stays held.

#![deny(unsafe_code)]

mod abi;
pub mod buffers;
pub mod defined_metrics;
pub mod dispatcher;
mod ending;
pub mod error;
mod gzip;
pub mod hostcalls;
pub mod identity;
mod observer;
pub mod plugin;
pub mod proxy;
pub mod root;
pub mod runner;
pub mod severity;
pub mod stream;
mod surroundings;
mod verify_signature;

#[cfg(test)]
mod fake;

pub use error::Error;
