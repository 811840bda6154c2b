//! `audit verify`: whether an audit log is what was written.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use portcullis_chain::{Auditor, Finding, MacKey, Order, Severity, Summary};
use portcullis_core::config::secret::Encoding;
use portcullis_core::minting::PublicKey;
use serde::Serialize;
use serde_json::json;

use super::{keys, lines};
use crate::discretion::Discretion;
use crate::report::{Format, FormatArguments};

/// How many findings are printed; the others are counted.
const MAX_SHOWN: usize = 1000;

/// Verifies the chain of an audit log: finds records that were changed, removed, reordered, repeated or added.
///
/// Reads lines that hold records, alone or behind what a log writes before them, or as texts in the JSON that a store gives back.
/// Streams may be mixed, rotated and merged; each file continues the one before it. Needs the key of the MACs (`auditLog.chain.key`),
/// the public key of the checkpoints, or both: with the public key alone, what was changed is found at the next checkpoint.
///
/// Prints a line for each finding with its place, stream and number, then what is proven. A stream without its end and records that
/// a gap record accounts for are warnings.
///
/// Exit codes: 0 nothing is wrong, 1 something is, 2 the command line is wrong or a file or key cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  portcullis audit verify --key-env AUDIT_KEY audit.log.2 audit.log.1 audit.log
  zcat audit-*.gz | portcullis audit verify --key-file key.txt --public-key checkpoints.pem -
  portcullis audit verify --public-key checkpoints.pem --any-order export.ndjson")]
pub struct VerifyArguments {
    /// The files, from old to new, or - for the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The environment variable that holds the key of the MACs; several where the key was changed.
    #[arg(long, value_name = "NAME")]
    key_env: Vec<String>,
    /// The file that holds it.
    #[arg(long, value_name = "FILE")]
    key_file: Vec<PathBuf>,
    /// How it is written: utf8, base64, base64url or hex.
    #[arg(long, value_name = "ENCODING", default_value = "utf8", value_parser = keys::encoding)]
    key_encoding: Encoding,
    /// The file with the public key of the checkpoints, PEM or a JWK; several where the key was changed.
    #[arg(long, value_name = "FILE")]
    public_key: Vec<PathBuf>,
    /// The records of a stream stand in any order, as a store gives them back.
    #[arg(long)]
    any_order: bool,
    /// Count warnings as findings.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    format: FormatArguments,
}

/// Runs the command; whether nothing is wrong.
///
/// # Errors
/// A file or a key cannot be read, or the output cannot be written.
pub fn run(arguments: &VerifyArguments) -> anyhow::Result<bool> {
    let (mac_keys, public_keys) = read_keys(arguments)?;
    if mac_keys.is_empty() && public_keys.is_empty() {
        bail!("nothing can be proven without a key: --key-env, --key-file or --public-key");
    }
    let order = if arguments.any_order { Order::Any } else { Order::Written };
    let has_key = !mac_keys.is_empty();
    let mut auditor = Auditor::new(mac_keys, public_keys, order);
    let mut output = Output::new(arguments.format.get());
    lines::read(&arguments.files, |place, line| {
        auditor.read_line(place, line);
        auditor.take_findings().into_iter().try_for_each(|finding| output.add(finding)).context("the output cannot be written")
    })?;
    let (summary, findings) = auditor.finish();
    findings.into_iter().try_for_each(|finding| output.add(finding)).context("the output cannot be written")?;
    output.end(summary, has_key, arguments.strict).context("the output cannot be written")
}

fn read_keys(arguments: &VerifyArguments) -> anyhow::Result<(Vec<MacKey>, Vec<PublicKey>)> {
    let mut secrets = Vec::new();
    for name in &arguments.key_env {
        secrets.push(keys::from_environment(name, arguments.key_encoding)?);
    }
    for path in &arguments.key_file {
        secrets.push(keys::from_file(path, arguments.key_encoding)?);
    }
    let mut public_keys = Vec::new();
    for path in &arguments.public_key {
        let name = path.display();
        let bytes = std::fs::read(path).with_context(|| format!("{name}: cannot be read"))?;
        public_keys.push(PublicKey::read(&bytes).with_context(|| format!("{name}: the key"))?);
    }
    Ok((secrets.iter().filter_map(|secret| MacKey::new(secret)).collect(), public_keys))
}

/// What is printed.
struct Output {
    format: Format,
    out: BufWriter<io::Stdout>,
    shown: Vec<FindingJson>,
    count: usize,
    findings: usize,
    warnings: usize,
}

#[derive(Serialize)]
struct FindingJson {
    severity: &'static str,
    code: &'static str,
    file: String,
    line: u64,
    stream: Option<String>,
    seq: Option<u64>,
    message: String,
}

impl Output {
    fn new(format: Format) -> Self {
        Self { format, out: BufWriter::new(io::stdout()), shown: Vec::new(), count: 0, findings: 0, warnings: 0 }
    }

    fn add(&mut self, finding: Finding) -> io::Result<()> {
        let severity = finding.problem.severity();
        match severity {
            Severity::Finding => self.findings += 1,
            Severity::Warning => self.warnings += 1,
        }
        self.count += 1;
        if self.count > MAX_SHOWN {
            return Ok(());
        }
        let severity = if severity == Severity::Finding { "error" } else { "warning" };
        // The names of streams are whatever somebody wrote into the file.
        let clean = |text: &str| Discretion::new(true).clean(text);
        match self.format {
            Format::Text => writeln!(self.out, "{severity}: {}", clean(&finding.to_string())),
            Format::Json => {
                self.shown.push(FindingJson {
                    severity,
                    code: finding.problem.code(),
                    file: finding.place.file.to_string(),
                    line: finding.place.line,
                    message: finding.problem.to_string(),
                    stream: finding.stream,
                    seq: finding.seq,
                });
                Ok(())
            }
        }
    }

    fn end(mut self, summary: Summary, has_key: bool, strict: bool) -> io::Result<bool> {
        let Summary { records, streams, ended, checkpoints, signed, dropped } = summary;
        let is_ok = self.findings == 0 && records > 0 && !(strict && self.warnings > 0);
        match self.format {
            Format::Text => {
                if self.count > MAX_SHOWN {
                    writeln!(self.out, "note: {} more", self.count - MAX_SHOWN)?;
                }
                if records == 0 {
                    writeln!(self.out, "error: there is no record that the key vouches for; is it the right one?")?;
                }
                let proof = if has_key { "their MACs are right" } else { "their MACs were not verified" };
                writeln!(
                    self.out,
                    "{}: {records} records of {streams} streams, {proof}; {checkpoints} checkpoints vouch for {signed} of them; \
                     {ended} streams have their end; {dropped} records were dropped; {} errors, {} warnings",
                    if is_ok { "ok" } else { "not ok" },
                    self.findings,
                    self.warnings,
                )?;
            }
            Format::Json => {
                let report = json!({
                    "ok": is_ok,
                    "records": records, "macsVerified": has_key, "streams": streams, "streamsEnded": ended,
                    "checkpoints": checkpoints, "recordsSigned": signed, "recordsDropped": dropped,
                    "errors": self.findings, "warnings": self.warnings, "findings": self.shown,
                });
                writeln!(self.out, "{report:#}")?;
            }
        }
        self.out.flush()?;
        Ok(is_ok)
    }
}
