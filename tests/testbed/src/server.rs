//! A TCP server on an ephemeral loopback port, one thread for each connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a connection may stay silent before its thread gives up.
const SILENCE: Duration = Duration::from_secs(20);

/// A running server; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    is_ending: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Server {
    /// Serve each connection by `serve`. A failure of one connection ends only that connection.
    pub(crate) fn start(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> io::Result<Self> {
        Self::start_at(None, serve)
    }

    /// The same at an address, where there was one before.
    pub(crate) fn start_at(
        address: Option<SocketAddr>,
        serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address.unwrap_or_else(|| (Ipv4Addr::LOCALHOST, 0).into()))?;
        let address = listener.local_addr()?;
        let is_ending = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&is_ending);
        let serve = Arc::new(serve);
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if ending.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let serve = Arc::clone(&serve);
                thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(SILENCE));
                    let _ = stream.set_write_timeout(Some(SILENCE));
                    // A peer that goes away is a part of some tests.
                    let _ = serve(stream);
                });
            }
        });
        Ok(Self { address, is_ending, acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::SeqCst);
        // Wakes the acceptor out of its wait.
        if TcpStream::connect(self.address).is_ok() {
            let _ = self.acceptor.take().map(JoinHandle::join);
        }
    }
}
