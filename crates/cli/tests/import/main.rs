//! `portcullis import`: what it prints and how it exits, and that what it prints decides as the source does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a broken expectation ends the test"
)]

mod conformance;
mod envoy;
mod envoy_model;
mod gate;
mod istio;
mod istio_model;
mod output;
mod run;
