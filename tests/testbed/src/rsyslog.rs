//! A real rsyslog that runs the shipped configuration, with its places replaced.
//!
//! `scripts/tools.sh stores` installs it.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::plugin::workspace;
use crate::process::Process;
use crate::scratch::Scratch;

const PROGRAM: &str = "/usr/sbin/rsyslogd";
const CONFIGURATION: &str = "envoy/audit/rsyslog.conf";
/// What stands in the shipped configuration: the folder of rsyslog's own files, the file that it reads, and the database.
const FOLDER: &str = "/var/lib/rsyslog";
const FILE: &str = "/var/log/portcullis/audit.ndjson";
const SERVER: &str = "@postgres:5432/";

/// The process.
#[derive(Debug)]
pub struct Rsyslog {
    process: Process,
}

impl Rsyslog {
    /// Start it: from this file into the database at this address. It remembers nothing of one that was started before it.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub fn start(file: &Path, database: SocketAddr) -> Result<Self> {
        let scratch = Scratch::new()?;
        let mut text = fs::read_to_string(workspace().join(CONFIGURATION))?;
        for (shipped, here) in [
            (FOLDER, scratch.path().display().to_string()),
            (FILE, file.display().to_string()),
            (SERVER, format!("@{database}/")),
        ] {
            ensure!(text.contains(shipped), "{CONFIGURATION} says nothing of {shipped}");
            text = text.replace(shipped, &here);
        }
        let configuration = scratch.path().join("rsyslog.conf");
        fs::write(&configuration, text)?;
        let pid_file = scratch.path().join("rsyslog.pid");
        let arguments = [OsStr::new("-n"), OsStr::new("-f"), configuration.as_os_str(), OsStr::new("-i"), pid_file.as_os_str()];
        let process =
            Process::start_program(PROGRAM.into(), scratch, &arguments).context("run `scripts/tools.sh stores` first")?;
        Ok(Self { process })
    }

    /// What it wrote of itself.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}
