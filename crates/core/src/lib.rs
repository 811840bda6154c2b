//! The decisions of Portcullis as functions of values.
//!
//! Nothing here calls a host, reads a clock or does I/O. A module is a list of [stages](stage::Stage); the crate
//! `portcullis-host` runs them inside a proxy, the command line runs them natively, tests do both.
//!
//! Reading order: [`request`] (what came) → [`stage`] (the seam) → [`rejection`] and [`answer`] (how a request is refused) →
//! [`principal`] and [`decision`] (what is known of one that passes) → [`config`] (what the operator wrote).

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects)]

pub mod answer;
pub mod audit;
pub mod auth_header;
pub mod authn;
pub mod config;
pub mod decision;
pub mod edits;
pub mod extractor;
pub mod headers;
pub mod jose;
pub mod keyring;
pub mod matcher;
pub mod metrics;
pub mod module;
pub mod path;
pub mod principal;
pub mod rejection;
pub mod request;
pub mod requirement;
pub mod rules;
pub mod stage;
pub mod time;
pub mod token_cache;
