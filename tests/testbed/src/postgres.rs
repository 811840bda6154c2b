//! A real PostgreSQL with an empty database, on an ephemeral loopback port.
//!
//! `scripts/tools.sh stores` installs it.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

use anyhow::{Context, Result, ensure};

use crate::authorization_server::free_port;
use crate::poll::poll;
use crate::process::Process;
use crate::scratch::Scratch;

const START: Duration = Duration::from_secs(30);
/// Where Debian puts the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// PostgreSQL does not run as root; its package makes this user.
const USER: &str = "postgres";
/// The database.
pub const DATABASE: &str = "audit";

/// The server.
#[derive(Debug)]
pub struct Postgres {
    process: Option<Process>,
    programs: PathBuf,
    data: PathBuf,
    address: SocketAddr,
}

impl Postgres {
    /// Start it with an empty database.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub fn start() -> Result<Self> {
        let programs = newest(Path::new(VERSIONS)).context("there is no PostgreSQL: run `scripts/tools.sh stores` first")?;
        let scratch = Scratch::new()?;
        let data = std::env::temp_dir().join(format!("{}-data", scratch.path().file_name().unwrap_or_default().display()));
        let made = unprivileged(&programs.join("initdb"))
            .args(["--auth", "trust", "--username", USER, "--no-sync", "--encoding", "UTF8", "-D"])
            .arg(&data)
            .current_dir("/")
            .output()?;
        ensure!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut server = Self { process: None, programs, data, address: free_port()? };
        server.resume_in(scratch)?;
        server.query_in(USER, &format!("CREATE DATABASE {DATABASE}"))?;
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// End it; its data stays.
    pub fn pause(&mut self) {
        self.process = None;
    }

    /// Start it again, with its data, at the same address.
    ///
    /// # Errors
    /// When it does not start.
    pub fn resume(&mut self) -> Result<()> {
        self.resume_in(Scratch::new()?)
    }

    fn resume_in(&mut self, scratch: Scratch) -> Result<()> {
        let port = self.address.port().to_string();
        let settings = ["listen_addresses=127.0.0.1", &format!("port={port}"), "unix_socket_directories=", "fsync=off"];
        let command = unprivileged(&self.programs.join("postgres"));
        let mut arguments: Vec<&OsStr> = command.get_args().collect();
        arguments.extend([OsStr::new("-D"), self.data.as_os_str()]);
        arguments.extend(settings.into_iter().flat_map(|setting| [OsStr::new("-c"), OsStr::new(setting)]));
        let process = Process::start_program(command.get_program().into(), scratch, &arguments)?;
        poll("PostgreSQL", START, || self.query_in(USER, "SELECT 1").ok())
            .map_err(|error| error.context(process.end_of_log()))?;
        self.process = Some(process);
        Ok(())
    }

    /// Run a file of statements.
    ///
    /// # Errors
    /// The first one that fails.
    pub fn run(&self, file: &Path) -> Result<()> {
        self.psql(DATABASE, |psql| psql.arg("-f").arg(file)).map(|_| ())
    }

    /// The rows that a query yields, as lines with their columns parted by `|`.
    ///
    /// # Errors
    /// What the server says against it.
    pub fn query(&self, statement: &str) -> Result<String> {
        self.query_in(DATABASE, statement)
    }

    fn query_in(&self, database: &str, statement: &str) -> Result<String> {
        self.psql(database, |psql| psql.args(["-c", statement]))
    }

    fn psql(&self, database: &str, what: impl FnOnce(&mut Command) -> &mut Command) -> Result<String> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", USER, "-d", database, "-p"]);
        let output = what(psql.arg(self.address.port().to_string())).output()?;
        ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.pause();
        if !Scratch::is_kept() {
            let _ = fs::remove_dir_all(&self.data);
        }
    }
}

/// A command as a user who may run PostgreSQL: this one, or if it is root the package's own.
fn unprivileged(program: &Path) -> Command {
    if !fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups"]).arg(program);
    command
}

fn newest(versions: &Path) -> io::Result<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(versions)?.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect();
    found.retain(|folder| folder.join("initdb").is_file());
    found.sort();
    found.pop().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no version has initdb"))
}
