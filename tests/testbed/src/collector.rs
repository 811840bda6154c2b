//! A real OpenTelemetry collector: rotel, on an ephemeral loopback port, which prints each log record and each span that it is
//! given.
//!
//! `scripts/tools.sh stores` installs it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::authorization_server::free_port;
use crate::plugin::workspace;
use crate::poll::poll;
use crate::process::Process;
use crate::scratch::Scratch;

const PROGRAM: &str = ".tools/rotel/rotel";
const START: Duration = Duration::from_secs(20);

/// The collector.
#[derive(Debug)]
pub struct Collector {
    process: Process,
    address: SocketAddr,
    grpc: SocketAddr,
}

impl Collector {
    /// Whether there is one for this machine.
    #[must_use]
    pub fn is_installed() -> bool {
        workspace().join(PROGRAM).is_file()
    }

    /// Start it.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub fn start() -> Result<Self> {
        let scratch = Scratch::new()?;
        let (http, grpc) = (free_port()?, free_port()?);
        let (http_text, grpc_text) = (http.to_string(), grpc.to_string());
        let arguments = [
            ["start", "--otlp-http-endpoint"].as_slice(),
            &[&http_text, "--otlp-grpc-endpoint", &grpc_text, "--exporter", "blackhole"],
            &["--debug-log", "logs", "--debug-log", "traces", "--debug-log-verbosity", "detailed"],
        ];
        let arguments: Vec<_> = arguments.concat().into_iter().map(OsStr::new).collect();
        let process = Process::start_program(workspace().join(PROGRAM), scratch, &arguments)
            .context("run `scripts/tools.sh stores` first")?;
        poll("the collector", START, || TcpStream::connect(http).ok()).map_err(|error| error.context(process.end_of_log()))?;
        Ok(Self { process, address: http, grpc })
    }

    /// Where it listens for OTLP over HTTP.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for OTLP over gRPC.
    #[must_use]
    pub const fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// The log records that it was given so far.
    #[must_use]
    pub fn records(&self) -> Vec<LogRecord> {
        self.process.log().split("\nLogRecord #").skip(1).filter_map(LogRecord::read).collect()
    }

    /// The spans that it was given so far.
    #[must_use]
    pub fn spans(&self) -> Vec<CollectedSpan> {
        self.process.log().split("\nSpan #").skip(1).filter_map(CollectedSpan::read).collect()
    }
}

/// A log record as the collector understood it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// When it happened, in nanoseconds.
    pub timestamp: u64,
    /// How grave it is, in words.
    pub severity: String,
    /// The body, a text.
    pub body: String,
    /// The attributes, with their types: `Str(GET)`, `Int(200)`.
    pub attributes: BTreeMap<String, String>,
    /// The trace that it belongs to.
    pub trace_id: String,
}

impl LogRecord {
    /// `None` while it is not printed to its end.
    fn read(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.trim_start().strip_prefix(name)).map(str::trim);
        let record = Self {
            timestamp: field("Timestamp:")?.parse().ok()?,
            severity: field("SeverityText:")?.to_owned(),
            body: field("Body: Str(")?.strip_suffix(')')?.to_owned(),
            attributes: attributes(text),
            trace_id: field("Trace ID")?.trim_start_matches([' ', ':']).to_owned(),
        };
        field("Flags:").map(|_| record)
    }
}

/// A span as the collector understood it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedSpan {
    /// The trace.
    pub trace_id: String,
    /// Its own id.
    pub id: String,
    /// The id of the span that it is a part of; empty where there is none.
    pub parent_id: String,
    /// The name.
    pub name: String,
    /// The attributes, with their types: `Str(GET)`, `Int(200)`.
    pub attributes: BTreeMap<String, String>,
}

impl CollectedSpan {
    /// `None` while its fields are not printed.
    fn read(text: &str) -> Option<Self> {
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix("    ")?.strip_prefix(name))?;
            Some(value.trim_start().strip_prefix(':')?.trim().to_owned())
        };
        text.contains("\nAttributes:").then_some(())?;
        Some(Self {
            trace_id: field("Trace ID")?,
            id: field("ID ")?,
            parent_id: field("Parent ID")?,
            name: field("Name")?,
            attributes: attributes(text),
        })
    }
}

/// The attributes that stand in a text.
fn attributes(text: &str) -> BTreeMap<String, String> {
    let attribute =
        |line: &str| line.strip_prefix("     -> ")?.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().filter_map(attribute).collect()
}
