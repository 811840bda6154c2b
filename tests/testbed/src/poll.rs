//! Waiting for something to become true.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

const PAUSE: Duration = Duration::from_millis(5);

/// Ask again and again until there is an answer.
///
/// # Errors
/// When `limit` has passed; the message says that `what` did not come.
pub fn poll<T>(what: &str, limit: Duration, mut attempt: impl FnMut() -> Option<T>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = attempt() {
            return Ok(answer);
        }
        if Instant::now() >= deadline {
            bail!("{what} did not come within {limit:?}");
        }
        sleep(PAUSE);
    }
}
