//! The decisions of Portcullis as functions of values.
//!
//! Nothing here calls a host, reads a clock or does I/O. A module is a list of [stages](stage::Stage); the crate
//! `portcullis-host` runs them inside a proxy, the command line runs them natively, tests do both.
//!
//! In the order in which a reader meets them:
//!
//! | what it is about | modules |
//! |---|---|
//! | what came | [`headers`], [`request`], [`path`] |
//! | the seam between deciding and acting | [`stage`], [`edits`], [`time`] |
//! | how a request is refused, and what is known of one that passes | [`rejection`], [`answer`], [`principal`], [`claim_set`], [`decision`] |
//! | who may do what | [`matcher`], [`requirement`], [`rules`] |
//! | whether a credential is good | [`extractor`], [`jose`], [`keyring`], [`token_cache`] |
//! | what makes the common case fast | [`bytes`], [`recent`] |
//! | the four stages | [`authn`], [`auth_header`], [`audit`], [`metrics`] |
//! | from what the operator wrote to stages | [`config`], [`platform`], [`module`] |

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects)]

pub mod answer;
pub mod audit;
pub mod auth_header;
pub mod authn;
pub mod bytes;
pub mod claim_set;
pub mod decision;
pub mod edits;
pub mod extractor;
pub mod headers;
pub mod jose;
pub mod keyring;
pub mod matcher;
mod memory;
pub mod metrics;
pub mod module;
pub mod path;
pub mod platform;
pub mod principal;
pub mod publication;
pub mod recent;
pub mod rejection;
pub mod request;
pub mod requirement;
pub mod rules;
pub mod stage;
pub mod time;
pub mod token_cache;

pub use portcullis_config as config;
