//! A fake key server that fails in one chosen way.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::{Message, write_response};
use crate::server::Server;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Status 500.
    InternalError,
    /// Status 200 with a login page.
    Html,
    /// Status 200 with `{"keys":[]}`.
    NoKeys,
    /// Status 200 with ten megabytes.
    Huge,
    /// The announced length is longer than what is sent before the connection closes.
    Half,
    /// Status 302 to somewhere else.
    Redirect,
    /// The request is taken and never answered.
    Silent,
    /// The connection is reset.
    Reset,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 8] =
        [Self::InternalError, Self::Html, Self::NoKeys, Self::Huge, Self::Half, Self::Redirect, Self::Silent, Self::Reset];
}

/// How long [`Fault::Silent`] holds a connection at most.
const SILENCE: Duration = Duration::from_secs(30);
const HUGE: usize = 10 * 1024 * 1024;

/// Serves a fault, and counts how often it is asked.
#[derive(Debug)]
pub struct FakeJwksServer {
    server: Server,
    fetches: Arc<AtomicUsize>,
    released: Arc<(Mutex<bool>, Condvar)>,
}

impl FakeJwksServer {
    /// Start it.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(fault: Fault) -> Result<Self> {
        let fetches = Arc::new(AtomicUsize::new(0));
        let released = Arc::new((Mutex::new(false), Condvar::new()));
        let (counted, gate) = (Arc::clone(&fetches), Arc::clone(&released));
        let server = Server::start(move |stream| {
            counted.fetch_add(1, Ordering::SeqCst);
            fail(fault, stream, &gate)
        })
        .context("the fake key server cannot start")?;
        Ok(Self { server, fetches, released })
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

impl Drop for FakeJwksServer {
    fn drop(&mut self) {
        let (released, changed) = &*self.released;
        *released.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
    }
}

pub(crate) fn fail(fault: Fault, mut stream: TcpStream, gate: &(Mutex<bool>, Condvar)) -> io::Result<()> {
    if fault == Fault::Reset {
        // Closing a socket with bytes unread makes the kernel send a reset in place of a close.
        stream.peek(&mut [0])?;
        return Ok(());
    }
    Message::read(&mut stream, false)?;
    match fault {
        Fault::InternalError => write_response(&mut stream, 500, "text/plain", b"database is down"),
        Fault::Html => write_response(&mut stream, 200, "text/html", b"<!doctype html><title>Sign in</title>"),
        Fault::NoKeys => write_response(&mut stream, 200, "application/json", br#"{"keys":[]}"#),
        Fault::Huge => {
            let mut body = br#"{"keys":[],"padding":""#.to_vec();
            body.resize(HUGE, b'a');
            body.extend(br#""}"#);
            write_response(&mut stream, 200, "application/json", &body)
        }
        Fault::Half => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n{\"keys\":[{\"kty\":\"RSA\",\"n\":\"0vx7")
        }
        Fault::Redirect => stream.write_all(
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/keys\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        ),
        Fault::Silent => {
            let (released, changed) = gate;
            let released = released.lock().unwrap_or_else(PoisonError::into_inner);
            drop(changed.wait_timeout_while(released, SILENCE, |released| !*released));
            Ok(())
        }
        Fault::Reset => Ok(()),
    }
}
