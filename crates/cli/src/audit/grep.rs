//! `audit grep`: the events of an audit log that answer a question.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use portcullis_chain::{Excerpt, excerpts};
use portcullis_core::audit::Pseudonyms;
use portcullis_core::config::secret::Encoding;
use portcullis_core::time::UnixTime;
use serde_json::Value;

use super::{keys, lines};
use crate::discretion::Discretion;
use crate::instant;

/// How the schema of every event begins.
const EVENT: &str = "portcullis.audit/";

/// Prints the events of an audit log that have all of these values.
///
/// Reads the same lines as `audit verify`, and prints each event as it stands there, one on a line. It does not verify.
///
/// Exit codes: 0 there are some, 1 there are none, 2 the command line is wrong or a file cannot be read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  portcullis audit grep --subject alice --since 2h audit.log
  AUDIT_HASH_KEY=… portcullis audit grep --subject alice --hash-key-env AUDIT_HASH_KEY audit.log
  portcullis audit grep --action order.approve --outcome denied --since 2026-11-25T00:00:00Z --until 2026-11-26T00:00:00Z audit.log")]
pub struct GrepArguments {
    /// The files, or - for the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The caller's subject. Where events hold pseudonyms, --hash-key-env says by which key.
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// The action: the name of an entry of `events`.
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// What was acted on.
    #[arg(long, value_name = "OBJECT")]
    object: Option<String>,
    /// How it ended: allowed, denied, error or aborted.
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// The rule that decided.
    #[arg(long, value_name = "NAME")]
    rule: Option<String>,
    /// The environment variable that holds the key of pseudonyms (`hash.key`): subjects and objects are also found by theirs.
    #[arg(long, value_name = "NAME")]
    hash_key_env: Option<String>,
    /// How it is written: utf8, base64, base64url or hex.
    #[arg(long, value_name = "ENCODING", default_value = "utf8", value_parser = keys::encoding, requires = "hash_key_env")]
    hash_key_encoding: Encoding,
    /// Events from this time on: RFC 3339, seconds since 1970, or so long ago (2h).
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<UnixTime>,
    /// Events before this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<UnixTime>,
}

/// Runs the command; whether there are such events.
///
/// # Errors
/// A file cannot be read, or the output cannot be written.
pub fn run(arguments: &GrepArguments) -> anyhow::Result<bool> {
    let key =
        arguments.hash_key_env.as_deref().map(|name| keys::from_environment(name, arguments.hash_key_encoding)).transpose()?;
    let pseudonyms = key.map(|key| Pseudonyms::new(Some(&key)));
    let stdout = io::stdout();
    let is_terminal = stdout.is_terminal();
    let mut out = BufWriter::new(stdout);
    let mut is_found = false;
    lines::read(&arguments.files, |_, line| {
        for excerpt in excerpts(line) {
            let Excerpt::Record(text) = excerpt else { continue };
            if !serde_json::from_slice(&text).is_ok_and(|event| arguments.accept(&event, pseudonyms.as_ref())) {
                continue;
            }
            is_found = true;
            let written = if is_terminal {
                writeln!(out, "{}", Discretion::new(true).clean(&String::from_utf8_lossy(&text)))
            } else {
                out.write_all(&text).and_then(|()| out.write_all(b"\n"))
            };
            written.context("the output cannot be written")?;
        }
        Ok(())
    })?;
    out.flush().context("the output cannot be written")?;
    Ok(is_found)
}

impl GrepArguments {
    fn accept(&self, event: &Value, pseudonyms: Option<&Pseudonyms>) -> bool {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
        let has = |wanted: Option<&String>, pointer: &str| wanted.is_none_or(|wanted| text(pointer) == Some(wanted));
        let has_or_stands_for = |wanted: Option<&String>, pointer: &str| {
            let pseudonym = wanted.zip(pseudonyms).map(|(wanted, pseudonyms)| pseudonyms.of(wanted));
            has(wanted, pointer) || (pseudonym.is_some() && text(pointer) == pseudonym.as_deref())
        };
        let is_in_time = || {
            if self.since.is_none() && self.until.is_none() {
                return true;
            }
            let Some(time) = text("/time").and_then(|time| instant::parse(time).ok()) else { return false };
            self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
        };
        text("/schema").is_some_and(|schema| schema.starts_with(EVENT))
            && has_or_stands_for(self.subject.as_ref(), "/principal/subject")
            && has(self.action.as_ref(), "/action")
            && has_or_stands_for(self.object.as_ref(), "/object")
            && has(self.outcome.as_ref(), "/outcome")
            && has(self.rule.as_ref(), "/decision/rule")
            && is_in_time()
    }
}

/// A point in time; a length alone is so long ago.
fn time(text: &str) -> Result<UnixTime, String> {
    instant::parse(text).or_else(|error| instant::parse(&format!("-{text}")).map_err(|_| error))
}
