//! An issuer's key server that works.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::http::{Headers, Message, write_response};
use crate::server::Server;

/// Serves a JWKS document over HTTP on every path, and keeps the headers of those who ask.
#[derive(Debug)]
pub struct JwksServer {
    server: Server,
    document: Arc<Mutex<String>>,
    requests: Arc<Mutex<Vec<Headers>>>,
}

impl JwksServer {
    /// Start it.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(jwks: &Value) -> Result<Self> {
        let document = Arc::new(Mutex::new(jwks.to_string()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (served, record) = (Arc::clone(&document), Arc::clone(&requests));
        let server = Server::start(move |mut stream| {
            let request = Message::read(&mut stream, false)?;
            record.lock().unwrap_or_else(PoisonError::into_inner).push(request.headers);
            let body = served.lock().unwrap_or_else(PoisonError::into_inner).clone();
            write_response(&mut stream, 200, "application/jwk-set+json", body.as_bytes())
        })
        .context("the key server cannot start")?;
        Ok(Self { server, document, requests })
    }

    /// Serve another document from now on.
    pub fn rotate(&self, jwks: &Value) {
        *self.document.lock().unwrap_or_else(PoisonError::into_inner) = jwks.to_string();
    }

    /// How many requests came so far.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The headers of each request, in the order in which they came.
    #[must_use]
    pub fn requests(&self) -> Vec<Headers> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }
}
