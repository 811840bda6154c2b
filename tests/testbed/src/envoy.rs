//! A running Envoy: started, found, asked and ended.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::access_log::{self, AccessLine};
use crate::bootstrap::Bootstrap;
use crate::client::{Client, Request};
use crate::exposition::Exposition;
use crate::plugin::dist;
use crate::poll::poll;
use crate::process::{Process, binary, read_lossy};
use crate::scratch::Scratch;

/// The longest start, modules compiled.
const START: Duration = Duration::from_secs(60);
/// The longest way of a line into a log, or of a number into the statistics.
const ARRIVAL: Duration = Duration::from_secs(10);

/// The variable that the shipped configuration of the compose stack wants.
const AUDIT_KEY: &str = "AUDIT_KEY=0123456789abcdef0123456789abcdef";

/// A real Envoy. It ends when dropped, and at the latest with the test's process.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    admin: SocketAddr,
    listeners: BTreeMap<String, SocketAddr>,
}

impl Envoy {
    /// Start Envoy and wait until it serves.
    ///
    /// # Errors
    /// When it does not start; the message ends with the end of Envoy's log.
    pub fn start(bootstrap: &Bootstrap) -> Result<Self> {
        let process = launch(bootstrap)?;
        let ready = poll("a ready Envoy", START, || match process.exit_status() {
            Some(status) => Some(Err(status)),
            None => find_ready(&process, bootstrap.listeners()).map(Ok),
        });
        match ready {
            Ok(Ok((admin, listeners))) => Ok(Self { process, admin, listeners }),
            Ok(Err(status)) => bail!("Envoy ended with status {status}:\n{}", process.end_of_log()),
            Err(error) => Err(error.context(process.end_of_log())),
        }
    }

    /// Start Envoy with a configuration that it must refuse. Returns its whole log.
    ///
    /// # Errors
    /// When it serves, or does not end.
    pub fn start_expecting_refusal(bootstrap: &Bootstrap) -> Result<String> {
        let process = launch(bootstrap)?;
        let status = poll("Envoy's refusal", START, || {
            let is_ready = || find_ready(&process, bootstrap.listeners()).map(|_| None);
            process.exit_status().map(Some).or_else(is_ready)
        })?;
        ensure!(status != Some(0), "Envoy ended as if all were well:\n{}", process.end_of_log());
        ensure!(status.is_some(), "Envoy serves with a configuration that it must refuse:\n{}", process.end_of_log());
        Ok(process.log())
    }

    /// A client of one listener.
    ///
    /// # Panics
    /// When there is no listener with this name.
    #[must_use]
    #[track_caller]
    pub fn listener(&self, name: &str) -> Client {
        match self.listeners.get(name) {
            Some(address) => Client::new(*address),
            None => panic!("there is no listener {name}"),
        }
    }

    /// The answer of the admin interface to a GET.
    ///
    /// # Panics
    /// When Envoy is gone.
    #[must_use]
    #[track_caller]
    pub fn admin(&self, path: &str) -> String {
        if let Some(status) = self.process.exit_status() {
            panic!("Envoy ended with status {status}:\n{}", self.process.end_of_log());
        }
        Client::new(self.admin).get(path).text()
    }

    /// The address of the admin interface.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// The memory that it has in the machine.
    ///
    /// # Panics
    /// When Envoy is gone.
    #[must_use]
    #[track_caller]
    pub fn resident_bytes(&self) -> u64 {
        let pid = read_lossy(&self.process.folder().join("pid"));
        let status = read_lossy(&PathBuf::from(format!("/proc/{}/status", pid.trim())));
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
        let Some(kilobytes) = line.and_then(|size| size.trim().parse::<u64>().ok()) else {
            panic!("Envoy ended:\n{}", self.process.end_of_log());
        };
        kilobytes * 1024
    }

    /// The statistics in Envoy's own form, one `name: value` a line.
    #[must_use]
    #[track_caller]
    pub fn stats(&self) -> String {
        self.admin("/stats")
    }

    /// The statistics as Prometheus gets them.
    #[must_use]
    #[track_caller]
    pub fn prometheus(&self) -> Exposition {
        Exposition::parse(&self.admin("/stats/prometheus"))
    }

    /// The sum of the series of a metric that have at least these labels.
    #[must_use]
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.prometheus().sum(name, labels)
    }

    /// The audit event of this request on this listener, once the request is logged; `None` when it has none.
    ///
    /// # Panics
    /// When the request is not logged in time.
    #[must_use]
    #[track_caller]
    pub fn recorded(&self, listener: &str, request_id: &str) -> Option<Value> {
        let _ = self.access_line(listener, request_id);
        self.audit_events(listener, request_id).into_iter().next()
    }

    /// The audit events that stand in this listener's log by now for requests with this id.
    #[must_use]
    pub fn audit_events(&self, listener: &str, request_id: &str) -> Vec<Value> {
        access_log::find_events(&self.access_log(listener), request_id)
    }

    /// The audit event of this request on this listener, once the request is logged.
    ///
    /// # Panics
    /// When the request is not logged in time, or has no event.
    #[must_use]
    #[track_caller]
    pub fn audit_event(&self, listener: &str, request_id: &str) -> Value {
        match self.recorded(listener, request_id) {
            Some(event) => event,
            None => panic!("the request has no audit event; the log holds:\n{}", self.access_log(listener)),
        }
    }

    /// The line of Envoy's access log on this request, once it is written.
    ///
    /// # Panics
    /// When it is not written in time.
    #[must_use]
    #[track_caller]
    pub fn access_line(&self, listener: &str, request_id: &str) -> AccessLine {
        match poll("the access line", ARRIVAL, || AccessLine::find(&self.access_log(listener), request_id)) {
            Ok(line) => line,
            Err(error) => panic!("{error}; the log holds:\n{}", self.access_log(listener)),
        }
    }

    /// Everything written so far to any log: Envoy's own and the access logs of all listeners.
    #[must_use]
    pub fn all_logs(&self) -> String {
        self.listeners.keys().fold(self.log(), |logs, listener| logs + &self.access_log(listener))
    }

    /// The file into which a listener's audit events are written, and nothing else.
    #[must_use]
    pub fn audit_file(&self, listener: &str) -> PathBuf {
        access_log::audit_file(self.process.folder(), listener)
    }

    fn access_log(&self, listener: &str) -> String {
        read_lossy(&access_log::file(self.process.folder(), listener))
    }

    /// Put other listeners in force, of a bootstrap with [dynamic listeners](Bootstrap::dynamic_listeners).
    ///
    /// # Panics
    /// When they cannot be written, or Envoy does not take them in time.
    #[track_caller]
    pub fn update(&self, bootstrap: &Bootstrap) {
        let count = || self.stat("listener_manager.lds.update_success");
        let before = count();
        bootstrap.write_listeners(self.process.folder()).unwrap_or_else(|error| panic!("{error:?}"));
        if let Err(error) = poll("the update", ARRIVAL, || (count() > before).then_some(())) {
            panic!("{error}:\n{}", self.process.end_of_log());
        }
    }

    /// A statistic in Envoy's own form; 0 while there is none.
    #[must_use]
    #[track_caller]
    pub fn stat(&self, name: &str) -> u64 {
        let stats = self.stats();
        let value = stats.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// Ask Envoy to end, by a signal or by its admin interface, and wait until it has; its whole log.
    ///
    /// # Panics
    /// When it does not end in time.
    #[track_caller]
    pub fn end(&self, by_signal: bool) -> String {
        if by_signal {
            self.process.terminate().unwrap_or_else(|error| panic!("{error:?}"));
        } else {
            let _ = Client::new(self.admin).try_send(&Request::new("POST", "/quitquitquit").header("content-length", "0"));
        }
        poll("the end of Envoy", ARRIVAL, || self.process.exit_status()).unwrap_or_else(|error| panic!("{error}"));
        self.process.log()
    }

    /// Everything that Envoy wrote to its own log.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// Let Envoy read a configuration file without serving. Its working directory holds the modules in `dist`, as the root of the
/// workspace does after `make build`.
///
/// # Errors
/// When it refuses the file; the message is the end of its log.
pub fn validate(file: &Path) -> Result<()> {
    let scratch = Scratch::new()?;
    symlink(dist(), scratch.path().join("dist"))?;
    let envoy = binary()?;
    let mode = ["--mode", "validate", "--use-dynamic-base-id", "-c"].map(OsStr::new);
    let arguments = [&[OsStr::new(AUDIT_KEY), envoy.as_os_str()], &mode[..], &[file.as_os_str()]].concat();
    let process = Process::start_program("env".into(), scratch, &arguments)?;
    let status = poll("the end of the validation", START, || process.exit_status())?;
    ensure!(status == 0, "Envoy refuses {}:\n{}", file.display(), process.end_of_log());
    Ok(())
}

fn launch(bootstrap: &Bootstrap) -> Result<Process> {
    let scratch = Scratch::new()?;
    let config = scratch.path().join("bootstrap.json");
    fs::write(&config, bootstrap.to_json(scratch.path())?.to_string()).context("the bootstrap cannot be written")?;
    bootstrap.write_listeners(scratch.path())?;
    let address = admin_file(scratch.path());
    let arguments = [
        OsStr::new("--config-path"),
        config.as_os_str(),
        OsStr::new("--admin-address-path"),
        address.as_os_str(),
        OsStr::new("--use-dynamic-base-id"),
        // What an update replaces is given up soon.
        OsStr::new("--drain-time-s"),
        OsStr::new("1"),
        OsStr::new("--concurrency"),
        OsStr::new("2"),
        OsStr::new("--file-flush-interval-msec"),
        OsStr::new("20"),
    ];
    Process::start(scratch, &arguments)
}

fn admin_file(folder: &Path) -> PathBuf {
    folder.join("admin")
}

/// The addresses of the admin interface and of all listeners, once Envoy is ready.
fn find_ready(process: &Process, listeners: usize) -> Option<(SocketAddr, BTreeMap<String, SocketAddr>)> {
    let admin: SocketAddr = read_lossy(&admin_file(process.folder())).trim().parse().ok()?;
    TcpStream::connect(admin).ok()?;
    let admin_client = Client::new(admin);
    if admin_client.try_send(&Request::get("/ready")).ok()?.status != 200 {
        return None;
    }
    let answer = admin_client.try_send(&Request::get("/listeners?format=json")).ok()?;
    let document: Value = serde_json::from_slice(&answer.body).ok()?;
    let found: BTreeMap<_, _> = document.get("listener_statuses")?.as_array()?.iter().filter_map(address_of).collect();
    (found.len() == listeners).then_some((admin, found))
}

fn address_of(listener: &Value) -> Option<(String, SocketAddr)> {
    let name = listener.get("name")?.as_str()?;
    let address = listener.pointer("/local_address/socket_address")?;
    let port = u16::try_from(address.get("port_value")?.as_u64()?).ok()?;
    Some((name.to_owned(), SocketAddr::new(address.get("address")?.as_str()?.parse().ok()?, port)))
}
