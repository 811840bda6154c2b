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
//! | the seam between deciding and acting | [`stage`], [`edits`], [`ending`], [`response_flags`], [`time`], [`tracing`] |
//! | how a request is refused, and what is known of one that passes | [`rejection`], [`answer`], [`principal`], [`claim_set`], [`decision`], [`stripped`] |
//! | who may do what | [`matcher`], [`requirement`], [`rules`] |
//! | text with values in it | [`template`] |
//! | whether a credential is good, and sent by whom it was given to | [`extractor`], [`jose`], [`jwe`], [`keyring`], [`token_cache`], [`sender`], [`replays`] |
//! | what makes the common case fast | [`bytes`], [`recent`] |
//! | the stages | [`authn`], [`auth_header`], [`published_keys`], [`health`], [`upstream`], [`audit`] and [`exceptions`] by [`delivery`], [`metrics`] |
//! | from what the operator wrote to stages | [`config`], [`config_version`], [`platform`], [`module`] |

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects)]

pub mod answer;
pub mod audit;
pub mod auth_header;
pub mod authn;
pub mod config_version;
pub mod decision;
pub mod delivery;
pub mod ending;
pub mod exceptions;
pub mod fetch;
pub mod health;
pub mod jwe;
pub mod keyring;
pub mod matcher;
pub mod metrics;
pub mod module;
pub mod platform;
pub mod publication;
pub mod published_keys;
pub mod recent;
pub mod replays;
pub mod requirement;
pub mod response_flags;
pub mod rules;
pub mod stage;
pub mod stripped;
pub mod template;
pub mod tracing;
pub mod upstream;

pub use portcullis_config as config;
pub use portcullis_encryption as encryption;
pub use portcullis_minting as minting;
pub use portcullis_request::{
    bytes, claim_set, edits, extractor, headers, jose, path, principal, rejection, request, time, token_cache,
};
pub use portcullis_sender as sender;
