//! The `audit` commands, by what they print and how they exit.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a broken expectation ends the test"
)]

mod grep;
mod run;
mod verify;
