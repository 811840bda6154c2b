//! What a request brings, and whether a credential in it is good. Every request passes through here, so this crate is built for
//! speed; what it decides is decided by rules, in `portcullis-core`.
//!
//! In the order in which a reader meets them:
//!
//! | what it is about | modules |
//! |---|---|
//! | what came | [`headers`], [`request`], [`path`] |
//! | what goes on, and why it may not | [`edits`], [`rejection`] |
//! | whether a credential is good, and who it says is calling | [`extractor`], [`jose`], [`claim_set`], [`principal`], [`token_cache`] |
//! | beside that | [`bytes`], [`time`] |

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects)]

pub mod bytes;
pub mod claim_set;
pub mod edits;
pub mod extractor;
pub mod headers;
pub mod jose;
mod memory;
pub mod path;
pub mod principal;
pub mod rejection;
pub mod request;
pub mod time;
pub mod token_cache;
