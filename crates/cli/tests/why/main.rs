//! `portcullis token` and `portcullis explain`: what they say, that they say what the stage decides, and what they keep to themselves.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a broken expectation ends the test")]

mod bound;
mod encrypt_claim;
mod encrypted;
mod explain;
mod readme;
mod run;
mod signer;
mod token;
