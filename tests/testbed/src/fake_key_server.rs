//! A fake key server whose documents and health a test changes while it runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::fake_jwks_server::{Fault, fail};
use crate::http::{Message, write_response};
use crate::server::Server;

/// How the server is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It answers after this time.
    Good(Duration),
    /// It fails.
    Bad(Fault),
}

#[derive(Debug)]
struct State {
    health: Health,
    documents: BTreeMap<String, String>,
}

/// Serves JSON documents by path, and counts how often it is asked.
#[derive(Debug)]
pub struct FakeKeyServer {
    server: Server,
    state: Arc<Mutex<State>>,
    fetches: Arc<AtomicUsize>,
}

impl FakeKeyServer {
    /// Start it.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(health: Health) -> Result<Self> {
        let state = Arc::new(Mutex::new(State { health, documents: BTreeMap::new() }));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (served, counted) = (Arc::clone(&state), Arc::clone(&fetches));
        let gate = (Mutex::new(false), Condvar::new());
        let server = Server::start(move |mut stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            let health = served.lock().unwrap_or_else(PoisonError::into_inner).health;
            let delay = match health {
                Health::Good(delay) => delay,
                Health::Bad(fault) => return fail(fault, stream, &gate),
            };
            let request = Message::read(&mut stream, false)?;
            thread::sleep(delay);
            let path = request.start.split(' ').nth(1).unwrap_or_default();
            let document = served.lock().unwrap_or_else(PoisonError::into_inner).documents.get(path).cloned();
            match document {
                Some(document) => write_response(&mut stream, 200, "application/json", document.as_bytes()),
                None => write_response(&mut stream, 404, "text/plain", b"not found"),
            }
        })
        .context("the fake key server cannot start")?;
        Ok(Self { server, state, fetches })
    }

    /// Serve a document at a path from now on.
    pub fn serve(&self, path: &str, document: &Value) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).documents.insert(path.to_owned(), document.to_string());
    }

    /// Do so from now on.
    pub fn set_health(&self, health: Health) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).health = health;
    }

    /// How many connections came so far.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }
}
