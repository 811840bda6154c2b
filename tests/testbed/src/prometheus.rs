//! A real Prometheus that scrapes what it is told to, on an ephemeral loopback port.
//!
//! `scripts/tools.sh prometheus` installs it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::client::{Client, Request};
use crate::exposition::Sample;
use crate::poll::poll;
use crate::process::Process;
use crate::scratch::Scratch;

const HINT: &str = "run `scripts/tools.sh prometheus` first";
const START: Duration = Duration::from_secs(30);
/// How long a number takes to get into it.
const ARRIVAL: Duration = Duration::from_secs(20);

/// The process.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    client: Client,
}

impl Prometheus {
    /// Start it: it scrapes the admin interfaces of proxies at these addresses once a second, each under the name of its job, which
    /// several may have, and evaluates the rules in these files as often.
    ///
    /// # Errors
    /// When it is not installed, does not take the rules, or does not start.
    pub fn start(targets: &[(&str, SocketAddr)], rules: &[PathBuf]) -> Result<Self> {
        let scratch = Scratch::new()?;
        let mut jobs = BTreeMap::<_, Vec<_>>::new();
        for (name, address) in targets {
            jobs.entry(*name).or_default().push(address.to_string());
        }
        let job = |(name, targets)| json!({"job_name": name, "metrics_path": "/stats/prometheus", "static_configs": [{"targets": targets}]});
        let configuration = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "scrape_configs": jobs.into_iter().map(job).collect::<Vec<Value>>(),
            "rule_files": rules,
        });
        let file = scratch.path().join("prometheus.yml");
        // JSON is YAML as well.
        fs::write(&file, configuration.to_string())?;
        let option = |name: &str, value: &Path| format!("--{name}={}", value.display());
        let (file, data) = (option("config.file", &file), option("storage.tsdb.path", &scratch.path().join("data")));
        let arguments = [OsStr::new(&file), OsStr::new(&data), OsStr::new("--web.listen-address=127.0.0.1:0")];
        let process = Process::start_program("prometheus".into(), scratch, &arguments).context(HINT)?;
        let ready = poll("a ready Prometheus", START, || match process.exit_status() {
            Some(status) => Some(Err(status)),
            None => find_ready(&process).map(Ok),
        });
        match ready {
            Ok(Ok(client)) => Ok(Self { process, client }),
            Ok(Err(status)) => bail!("Prometheus ended with status {status}; {HINT}:\n{}", process.end_of_log()),
            Err(error) => Err(error.context(process.end_of_log())),
        }
    }

    /// The answer of its API to a GET, for example of `/api/v1/alerts`.
    ///
    /// # Panics
    /// When it does not answer with success.
    #[must_use]
    #[track_caller]
    pub fn get(&self, target: &str) -> Value {
        let response = self.client.get(target);
        assert_eq!(response.status, 200, "{target}: {}\n{}", response.text(), self.process.end_of_log());
        response.json()
    }

    /// What an expression says now: the series of a vector, each with its value. A name that was lost on the way is empty.
    ///
    /// # Panics
    /// When it is no expression.
    #[must_use]
    #[track_caller]
    pub fn query(&self, expression: &str) -> Vec<Sample> {
        let answer = self.get(&format!("/api/v1/query?query={}", encoded(expression)));
        let result = answer.pointer("/data/result").and_then(Value::as_array);
        result.into_iter().flatten().filter_map(sample).collect()
    }

    /// What an expression says once this holds of it.
    ///
    /// # Panics
    /// When it does not hold in time.
    #[track_caller]
    pub fn query_until(&self, expression: &str, holds: impl Fn(&[Sample]) -> bool) -> Vec<Sample> {
        let mut last = Vec::new();
        let found = poll(expression, ARRIVAL, || {
            last = self.query(expression);
            holds(&last).then_some(())
        });
        assert!(found.is_ok(), "{expression} says {last:?}");
        last
    }
}

/// What `promtool check metrics` finds to say of an exposition, a line for each metric and problem.
///
/// # Errors
/// When promtool is not installed, or cannot read the exposition.
pub fn lint(exposition: &str) -> Result<Vec<String>> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context(HINT)?;
    promtool.stdin.take().context("promtool reads nothing")?.write_all(exposition.as_bytes())?;
    let output = promtool.wait_with_output()?;
    let problems = String::from_utf8_lossy(&output.stderr).into_owned();
    // 3 says that there are problems.
    ensure!(matches!(output.status.code(), Some(0 | 3)), "promtool cannot read the exposition: {problems}");
    Ok(problems.lines().map(str::to_owned).collect())
}

fn find_ready(process: &Process) -> Option<Client> {
    let log = process.log();
    let line = log.lines().find(|line| line.contains("msg=\"Listening on\""))?;
    let client = Client::new(line.rsplit_once("address=")?.1.trim().parse().ok()?);
    let status = client.try_send(&Request::get("/-/ready")).ok()?.status;
    (status == 200).then_some(client)
}

fn sample(series: &Value) -> Option<Sample> {
    let labels = series.get("metric")?.as_object()?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = labels.get("__name__").map(text).unwrap_or_default();
    let labels = labels.iter().filter(|(label, _)| *label != "__name__").map(|(label, value)| (label.clone(), text(value)));
    Some(Sample { name, labels: labels.collect(), value: series.pointer("/value/1")?.as_str()?.parse().ok()? })
}

/// A text as it stands in a query.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
