//! A service behind the proxy that keeps what it saw.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::http::{Headers, Message, write_response};
use crate::server::Server;

/// A request as it reached the upstream.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers.
    pub headers: Headers,
}

/// A recording service. It answers 200 with what it saw as JSON: `{"method", "path", "headers": [[name, value], …]}`.
#[derive(Debug)]
pub struct Upstream {
    server: Server,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    /// Start it.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start() -> Result<Self> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let server = Server::start(move |mut stream| {
            let message = Message::read(&mut stream, false)?;
            let mut words = message.start.split(' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            let request = Seen { method: word(), path: word(), headers: message.headers };
            let body = request.to_json().to_string();
            lock(&record).push(request);
            write_response(&mut stream, 200, "application/json", body.as_bytes())
        })
        .context("the upstream cannot start")?;
        Ok(Self { server, seen })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The request with this `x-request-id`, if it came. An answer that passed through the upstream was recorded before.
    #[must_use]
    pub fn seen(&self, request_id: &str) -> Option<Seen> {
        let is_it = |seen: &&Seen| seen.headers.all("x-request-id").iter().any(|id| id == request_id);
        lock(&self.seen).iter().find(is_it).cloned()
    }
}

impl Seen {
    fn to_json(&self) -> Value {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect();
        json!({"method": self.method, "path": self.path, "headers": headers})
    }
}

fn lock(seen: &Mutex<Vec<Seen>>) -> MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
