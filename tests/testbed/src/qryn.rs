//! A real qryn, which takes what Loki and Elasticsearch take and answers LogQL, over chDB, on ephemeral loopback ports.
//!
//! `scripts/tools.sh qryn` installs both; they are large, so nothing else does.

use std::ffi::OsStr;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::authorization_server::free_port;
use crate::http::Message;
use crate::plugin::workspace;
use crate::poll::poll;
use crate::process::Process;
use crate::scratch::Scratch;

const FOLDER: &str = ".tools/qryn";
const BRIDGE: &str = "tests/testbed/servers/chdb_http.py";
const START: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(20);

/// The server, and the database behind it.
#[derive(Debug)]
pub struct Qryn {
    _server: Process,
    _database: Process,
    address: SocketAddr,
}

impl Qryn {
    /// Whether it was installed.
    #[must_use]
    pub fn is_installed() -> bool {
        script().is_file() && packages().is_dir()
    }

    /// Start it, with nothing in it.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub fn start() -> Result<Self> {
        let (behind, address) = (free_port()?, free_port()?);
        let scratch = Scratch::new()?;
        let bridge = workspace().join(BRIDGE);
        let (port, folder) = (behind.port().to_string(), scratch.path().join("data"));
        let python_path = format!("PYTHONPATH={}", packages().display());
        let arguments =
            [OsStr::new(&python_path), OsStr::new("python3"), bridge.as_os_str(), OsStr::new(&port), folder.as_os_str()];
        let database = Process::start_program("env".into(), scratch, &arguments)?;
        poll("chDB", START, || call(behind, "/?query=SELECT%201").ok()).map_err(|error| error.context(database.end_of_log()))?;

        let variables = [
            "CLICKHOUSE_SERVER=127.0.0.1".to_owned(),
            format!("CLICKHOUSE_PORT={port}"),
            "CLICKHOUSE_DB=audit".to_owned(),
            "HOST=127.0.0.1".to_owned(),
            format!("PORT={}", address.port()),
        ];
        let program = script();
        let mut arguments: Vec<_> = variables.iter().map(OsStr::new).collect();
        arguments.extend([OsStr::new("node"), program.as_os_str()]);
        let server = Process::start_program("env".into(), Scratch::new()?, &arguments)?;
        poll("qryn", START, || call(address, "/ready").ok()).map_err(|error| error.context(server.end_of_log()))?;
        Ok(Self { _server: server, _database: database, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it answers to a path.
    ///
    /// # Errors
    /// When it is no JSON, or no success.
    pub fn get(&self, path: &str) -> Result<Value> {
        serde_json::from_slice(&call(self.address, path)?).context("the answer is not JSON")
    }
}

fn script() -> PathBuf {
    workspace().join(FOLDER).join("node_modules/qryn/qryn.mjs")
}

fn packages() -> PathBuf {
    workspace().join(FOLDER).join("python")
}

fn call(address: SocketAddr, path: &str) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let answer = Message::read(&mut stream, true)?;
    if !answer.start.split(' ').nth(1).is_some_and(|status| status.starts_with('2')) {
        bail!("{path}: {} {}", answer.start, String::from_utf8_lossy(&answer.body));
    }
    Ok(answer.body)
}
