//! Data that others wrote, run through the policy that runs in the proxy.
//!
//! A [suite](suites::SUITES) reads one file of the folder that `CONFORMANCE` names and yields a [`Row`] for each case in it:
//! what its authors expect, and what we do. Rows on which we differ stand in one [table](disagreements::DISAGREEMENTS), each with
//! its reason; a difference that is not listed fails a test, and so does a listed one that no longer occurs.
//! [`document`](report::document) makes docs/conformance.md out of both.
//!
//! Nothing of the data is in this repository: only the names of rows.

pub mod disagreements;
pub mod gate;
pub mod jws;
pub mod others;
pub mod proxy;
pub mod report;
pub mod row;
pub mod suites;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

pub use gate::{Answer, Ask, Gate};
pub use row::{Expected, Row};

/// The folder of the data, when `CONFORMANCE` names one.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    env::var_os("CONFORMANCE").map(PathBuf::from).filter(|folder| folder.is_dir())
}

/// A JSON document of the data.
///
/// # Errors
/// When it cannot be read.
pub fn read(folder: &Path, file: &str) -> Result<Value> {
    let path = folder.join(file);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// The list at a member; empty when there is none.
pub(crate) fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The text at a member; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}
