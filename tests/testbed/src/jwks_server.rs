//! An issuer's key server that works.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::http::{Message, write_response};
use crate::server::Server;

/// Serves a JWKS document over HTTP on every path, and counts how often it is asked.
#[derive(Debug)]
pub struct JwksServer {
    server: Server,
    document: Arc<Mutex<String>>,
    fetches: Arc<AtomicUsize>,
}

impl JwksServer {
    /// Start it.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(jwks: &Value) -> Result<Self> {
        let document = Arc::new(Mutex::new(jwks.to_string()));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (served, counted) = (Arc::clone(&document), Arc::clone(&fetches));
        let server = Server::start(move |mut stream| {
            Message::read(&mut stream, false)?;
            counted.fetch_add(1, Ordering::SeqCst);
            let body = served.lock().unwrap_or_else(PoisonError::into_inner).clone();
            write_response(&mut stream, 200, "application/jwk-set+json", body.as_bytes())
        })
        .context("the key server cannot start")?;
        Ok(Self { server, document, fetches })
    }

    /// Serve another document from now on.
    pub fn rotate(&self, jwks: &Value) {
        *self.document.lock().unwrap_or_else(PoisonError::into_inner) = jwks.to_string();
    }

    /// How many requests came so far.
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
