//! `portcullis check` as people and CI use it: what it prints, where, and how it exits.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken expectation ends the test")]

mod envoy;
mod istio;
mod module;
mod output;
mod run;
mod stats_tags;
mod syntax;
