//! A client that sends exactly the bytes it is told to.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::http::{Headers, Message};

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends requests to one listener, each on a connection of its own.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
}

/// A request. It has a fresh `x-request-id`, by which the upstream's record and the access log find it.
#[derive(Debug, Clone)]
pub struct Request {
    method: Vec<u8>,
    target: Vec<u8>,
    host: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    id: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// The `x-request-id` of the request.
    pub id: String,
}

impl Request {
    /// A request with any method and request target.
    pub fn new(method: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = (u64::from(std::process::id()) << 24) | NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            method: method.as_ref().to_vec(),
            target: target.as_ref().to_vec(),
            host: b"api.example.com".to_vec(),
            headers: Vec::new(),
            id: format!("00000000-0000-4000-8000-{number:012x}"),
        }
    }

    /// A GET.
    pub fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new("GET", target)
    }

    /// Its `x-request-id`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The same request to another host; the default is `api.example.com`.
    #[must_use]
    pub fn host(mut self, host: impl AsRef<[u8]>) -> Self {
        self.host = host.as_ref().to_vec();
        self
    }

    /// The same request with one more header.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// The same request with a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [&self.method[..], b" ", &self.target, b" HTTP/1.1\r\nhost: ", &self.host].concat();
        bytes.extend(b"\r\nconnection: close\r\nx-request-id: ");
        bytes.extend(self.id.as_bytes());
        for (name, value) in &self.headers {
            bytes.extend([b"\r\n", &name[..], b": ", value].concat());
        }
        bytes.extend(b"\r\n\r\n");
        bytes
    }
}

impl Client {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port of the listener.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    /// Send a request and read its answer.
    ///
    /// # Panics
    /// When there is no answer in time.
    #[must_use]
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        match self.try_send(request) {
            Ok(response) => response,
            Err(error) => panic!("{} {} was not answered: {error}", lossy(&request.method), lossy(&request.target)),
        }
    }

    /// Send a GET with a bearer token.
    ///
    /// # Panics
    /// When there is no answer in time.
    #[must_use]
    #[track_caller]
    pub fn get_with(&self, target: &str, token: &str) -> Response {
        self.send(&Request::get(target).bearer(token))
    }

    /// Send a GET without a token.
    ///
    /// # Panics
    /// When there is no answer in time.
    #[must_use]
    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.send(&Request::get(target))
    }

    /// Send a request without waiting for the answer; dropping the connection abandons it.
    ///
    /// # Errors
    /// When the connection cannot be made.
    pub fn send_only(&self, request: &Request) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        stream.write_all(&request.to_bytes())?;
        Ok(stream)
    }

    /// Send a request and read its answer.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub fn try_send(&self, request: &Request) -> io::Result<Response> {
        let mut stream = self.send_only(request)?;
        let message = Message::read(&mut stream, true)?;
        let status = message.start.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status in {:?}", message.start)))?;
        Ok(Response { status, headers: message.headers, body: message.body, id: request.id.clone() })
    }
}

impl Response {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        lossy(&self.body)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is something else.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("the body of the {} is not JSON ({error}): {}", self.status, self.text()),
        }
    }

    /// The status and, for a refusal by Portcullis, its code: `401 token_missing`, `200`.
    #[must_use]
    pub fn outcome(&self) -> String {
        let problem: Option<Value> = serde_json::from_slice(&self.body).ok();
        let code = problem.as_ref().and_then(|problem| problem.get("code")).and_then(Value::as_str);
        code.map_or_else(|| self.status.to_string(), |code| format!("{} {code}", self.status))
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
