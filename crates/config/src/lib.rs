//! What the operator wrote. Requests never see these types: each becomes a policy first, which cannot hold an invalid state.
//!
//! Each module's document has its type, and the type reads itself: [`JwtAuthConfig::parse`](jwt_auth::JwtAuthConfig::parse) and
//! its like, of which [`document`] says what they refuse. Like what decides, nothing here calls a host, reads a clock or does I/O.
//!
//! All that is read only when a module starts stands in this crate, also what the compiler makes of it: a profile can have it
//! small, and fast what sees requests.

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects)]

pub mod api_key;
pub mod audit_chain;
pub mod audit_log;
pub mod audit_privacy;
pub mod auth_header;
pub mod bundle;
pub mod business;
pub mod byte_size;
pub mod decrypt;
pub mod decryption;
pub mod deny;
pub mod document;
pub mod duration;
mod error;
pub mod exceptions;
pub mod fraction;
pub mod health;
pub mod internal_token;
pub mod jwt_auth;
pub mod jwt_rule;
pub mod matching;
pub mod metrics;
mod number_visitor;
pub mod probability;
pub mod realm;
pub mod require;
pub mod rule;
#[cfg(feature = "schema")]
mod schema;
pub mod secret;
pub mod sender;
pub mod sink;
pub mod spans;
pub mod suggestion;
pub mod tracing;
pub mod upstream;

pub use error::{ConfigError, Warning};

/// What is known of an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// It has this value.
    Set(String),
    /// It is not set.
    Unset,
    /// It cannot be known here: the configuration is checked away from the place where it will run.
    Unknown,
}

/// The environment that `{env: NAME}` reads.
pub trait Environment {
    /// The variable of this name.
    fn variable(&self, name: &str) -> Variable;
}

impl<F: Fn(&str) -> Variable> Environment for F {
    fn variable(&self, name: &str) -> Variable {
        self(name)
    }
}
