//! The second ring: the built modules in an embedded runtime. One program, so that each module is compiled once.

mod bad_input;
mod credentials;
mod emulator;
mod exports;
mod first_flow;
mod hostile_delivery;
mod hostile_host;
mod keys;
mod native_signatures;
