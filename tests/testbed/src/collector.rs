//! A real OpenTelemetry collector: rotel, on an ephemeral loopback port, which prints each log record that it is given.
//!
//! `scripts/tools.sh stores` installs it.

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
            &["--debug-log", "logs", "--debug-log-verbosity", "detailed"],
        ];
        let arguments: Vec<_> = arguments.concat().into_iter().map(OsStr::new).collect();
        let process = Process::start_program(workspace().join(PROGRAM), scratch, &arguments)
            .context("run `scripts/tools.sh stores` first")?;
        poll("the collector", START, || TcpStream::connect(http).ok()).map_err(|error| error.context(process.end_of_log()))?;
        Ok(Self { process, address: http })
    }

    /// Where it listens for OTLP over HTTP.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it printed.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}
