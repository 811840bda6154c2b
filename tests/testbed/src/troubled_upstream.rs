//! A service behind the proxy that answers in all the ways in which an exchange can end.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};

use crate::http::Message;
use crate::server::Server;

const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
const CHUNKED: &str = "transfer-encoding: chunked\r\n\r\n";

/// A service that does what the first segment of the path says:
///
/// | path | what it does |
/// |---|---|
/// | `/reset` | closes the connection without an answer |
/// | `/cut` | closes it within the answer |
/// | `/silent` | says nothing until the proxy gives up |
/// | `/endless` | begins an answer and never ends it |
/// | `/stream` | answers in three parts |
/// | `/flaky` | closes the connection the first time that it sees a request id, and answers the second time |
/// | `/grpc/N` | answers with two bytes and, in the trailers, the gRPC status N |
/// | `/grpc-only/N` | answers with headers alone, the gRPC status N among them |
/// | `/moved` | sends the client to `/here` |
/// | `/websocket` | switches protocols, and sends back what comes |
/// | any other | answers 200 with five bytes |
#[derive(Debug)]
pub struct TroubledUpstream {
    server: Server,
}

impl TroubledUpstream {
    /// Start it.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start() -> Result<Self> {
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let server = Server::start(move |mut stream| {
            let request = Message::read(&mut stream, false)?;
            let id = request.headers.all("x-request-id").concat();
            let is_new = seen.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
            let path = request.start.split(' ').nth(1).unwrap_or_default().to_owned();
            let mut segments = path.split('/').skip(1);
            let (first, second) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
            answer(&mut stream, first, second, is_new)
        })
        .context("the upstream cannot start")?;
        Ok(Self { server })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }
}

fn answer(stream: &mut TcpStream, what: &str, status: &str, is_new: bool) -> io::Result<()> {
    match what {
        "reset" => Ok(()),
        "flaky" if is_new => Ok(()),
        "cut" => write!(stream, "{OK}content-length: 100\r\n\r\nhello"),
        "silent" => wait_for_the_end(stream),
        "endless" => {
            write!(stream, "{OK}{CHUNKED}5\r\nhello\r\n")?;
            wait_for_the_end(stream)
        }
        "stream" => {
            write!(stream, "{OK}{CHUNKED}")?;
            for _ in 0..3 {
                write!(stream, "5\r\nhello\r\n")?;
                stream.flush()?;
            }
            write!(stream, "0\r\n\r\n")
        }
        "grpc" => write!(
            stream,
            "{OK}content-type: application/grpc\r\ntrailer: grpc-status\r\n{CHUNKED}2\r\nhi\r\n0\r\ngrpc-status: {status}\r\n\r\n"
        ),
        "grpc-only" => {
            write!(stream, "{OK}content-type: application/grpc\r\ngrpc-status: {status}\r\ncontent-length: 0\r\n\r\n")
        }
        "moved" => write!(
            stream,
            "HTTP/1.1 302 Found\r\nlocation: http://api.example.com/here\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        ),
        "websocket" => {
            write!(stream, "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")?;
            let mut back = stream.try_clone()?;
            io::copy(stream, &mut back).map(drop)
        }
        _ => write!(stream, "{OK}content-length: 5\r\n\r\nhello"),
    }
}

fn wait_for_the_end(stream: &mut TcpStream) -> io::Result<()> {
    let mut rest = [0; 64];
    while stream.read(&mut rest)? > 0 {}
    Ok(())
}
