//! The built modules in an embedded WebAssembly runtime, with an emulated proxy around them.
//!
//! The emulator holds *state*: header maps, filter state, metrics, log lines, local replies, requests in flight, a clock. Tests
//! assert on that state, never on the order of host calls, so a module may be rewritten without a test noticing. Where the
//! emulator has to choose, it does what Envoy 1.40 does: an edit behind the resume is lost, a map that is out of reach reads
//! as empty while a single value of it is `BadArgument`, a counter refuses zero.
//!
//! ```no_run
//! use portcullis_wasm_tests::Host;
//!
//! let mut host = Host::load("jwt_auth", r#"{"default": "denied"}"#);
//! let outcome = host.request(&[(":method", "GET"), (":path", "/"), (":authority", "example.com")]);
//! assert_eq!(outcome.summary(), "403 access_denied");
//! ```
//!
//! A [`Fault`] makes a host call fail, or succeed with an answer that no proxy should give.

mod fault;
pub mod fixture;
mod headers;
mod host;
mod host_call;
mod linker;
pub mod module;
mod state;
mod status;
pub mod token;
mod verify_signature;
mod vm;

pub use fault::Fault;
pub use headers::Headers;
pub use host::Host;
pub use state::{Call, CallId, LocalReply, LogLine, Metric, Outcome, StreamId};
pub use status::Status;
pub use verify_signature::VerifySignature;
