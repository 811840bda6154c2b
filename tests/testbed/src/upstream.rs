//! A service behind the proxy that keeps what it saw.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::http::{Headers, Message};
use crate::server::Server;

/// What a path begins with that is answered with a redirect.
const MOVED: &str = "/moved";

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

/// A recording service. It answers 200 with what it saw as JSON: `{"method", "path", "headers": [[name, value], …]}`, and a path
/// below [`MOVED`] with a redirect to the rest of it. Its answers have headers that are its own matter, `x-internal-build` among
/// them.
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
            let location = request.path.strip_prefix(MOVED).map(|path| {
                let host = request.headers.get("host").unwrap_or_default();
                format!("http://{host}{path}")
            });
            lock(&record).push(request);
            write_answer(&mut stream, location.as_deref(), body.as_bytes())
        })
        .context("the upstream cannot start")?;
        Ok(Self { server, seen })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Every request with this `x-request-id`, in order.
    #[must_use]
    pub fn all_seen(&self, request_id: &str) -> Vec<Seen> {
        let is_it = |seen: &&Seen| seen.headers.all("x-request-id").iter().any(|id| id == request_id);
        lock(&self.seen).iter().filter(is_it).cloned().collect()
    }

    /// The request with this `x-request-id`, if it came. An answer that passed through the upstream was recorded before.
    #[must_use]
    pub fn seen(&self, request_id: &str) -> Option<Seen> {
        self.all_seen(request_id).into_iter().next()
    }
}

impl Seen {
    fn to_json(&self) -> Value {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| json!([name, String::from_utf8_lossy(value)])).collect();
        json!({"method": self.method, "path": self.path, "headers": headers})
    }
}

fn write_answer(stream: &mut TcpStream, location: Option<&str>, body: &[u8]) -> io::Result<()> {
    let (status, location) = match location {
        Some(location) => (302, format!("location: {location}\r\n")),
        None => (200, String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\n{location}x-internal-build: 7\r\nX-Internal-Host: db-1\r\n\
         x-public: yes\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}

fn lock(seen: &Mutex<Vec<Seen>>) -> MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
