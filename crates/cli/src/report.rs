//! What a check found, and how it is printed.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use portcullis_core::config::{ConfigError, Warning};
use portcullis_core::config_version::ConfigVersion;
use serde::Serialize;

use crate::module_name::ModuleName;

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Lines for people: what is right on the standard output, what is not on the standard error.
    Text,
    /// One JSON object on the standard output.
    Json,
}

/// How to print what was found.
#[derive(Debug, Clone, Copy, Args)]
pub struct FormatArguments {
    /// How to print what was found.
    #[arg(long, value_name = "FORMAT", default_value = "text", conflicts_with = "json")]
    format: Format,
    /// The same as --format json.
    #[arg(long)]
    json: bool,
}

impl FormatArguments {
    /// The format that is asked for.
    pub const fn get(self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// A configuration that was checked.
#[derive(Debug)]
pub struct Checked {
    /// Where it stands in the file; empty when it is the file.
    pub path: String,
    /// The module that it is for.
    pub module: ModuleName,
    /// What its gateways will say is in force.
    pub version: ConfigVersion,
    /// What it holds, in a few words.
    pub summary: String,
    /// Whether the module would load it.
    pub is_valid: bool,
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// The configurations that were found.
    pub configurations: Vec<Checked>,
    /// What is wrong.
    pub errors: Vec<ConfigError>,
    /// What deserves a second look.
    pub warnings: Vec<Warning>,
    /// How the check understood the file.
    pub notes: Vec<String>,
}

#[derive(Serialize)]
struct ReportJson<'a> {
    file: &'a str,
    ok: bool,
    configurations: Vec<CheckedJson<'a>>,
    errors: Vec<ErrorJson<'a>>,
    warnings: Vec<WarningJson<'a>>,
}

#[derive(Serialize)]
struct CheckedJson<'a> {
    path: &'a str,
    module: &'a str,
    version: String,
    summary: &'a str,
    ok: bool,
}

#[derive(Serialize)]
struct ErrorJson<'a> {
    path: &'a str,
    problem: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

#[derive(Serialize)]
struct WarningJson<'a> {
    path: &'a str,
    message: &'a str,
}

impl Report {
    /// A report of nothing but an error.
    pub fn of_error(error: ConfigError) -> Self {
        Self { errors: vec![error], ..Self::default() }
    }

    /// Whether the file may be used; with `strict`, warnings count as errors.
    pub const fn is_ok(&self, strict: bool) -> bool {
        self.errors.is_empty() && (!strict || self.warnings.is_empty())
    }

    /// Prints the report about `file`.
    ///
    /// # Errors
    /// An output cannot be written.
    pub fn print(&self, file: &str, format: Format, strict: bool) -> io::Result<()> {
        match format {
            Format::Text => self.print_text(file),
            Format::Json => self.print_json(file, strict),
        }
    }

    fn print_text(&self, file: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for checked in self.configurations.iter().filter(|checked| checked.is_valid) {
            let place = if checked.path.is_empty() { String::new() } else { format!("{}: ", checked.path) };
            writeln!(out, "ok: {file}: {place}{} ({}), version {}", checked.module.as_str(), checked.summary, checked.version)?;
        }
        let mut err = io::stderr().lock();
        for warning in &self.warnings {
            writeln!(err, "warning: {warning}")?;
        }
        for error in &self.errors {
            let subject = if error.path.is_empty() { format!("{file}: ") } else { String::new() };
            writeln!(err, "error: {subject}{error}")?;
        }
        for note in &self.notes {
            writeln!(err, "note: {note}")?;
        }
        Ok(())
    }

    fn print_json(&self, file: &str, strict: bool) -> io::Result<()> {
        let json = ReportJson {
            file,
            ok: self.is_ok(strict),
            configurations: self
                .configurations
                .iter()
                .map(|checked| CheckedJson {
                    path: &checked.path,
                    module: checked.module.as_str(),
                    version: checked.version.to_string(),
                    summary: &checked.summary,
                    ok: checked.is_valid,
                })
                .collect(),
            errors: self
                .errors
                .iter()
                .map(|error| ErrorJson { path: &error.path, problem: &error.problem, hint: error.hint.as_deref() })
                .collect(),
            warnings: self
                .warnings
                .iter()
                .map(|warning| WarningJson { path: &warning.path, message: &warning.message })
                .collect(),
        };
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &json)?;
        writeln!(out)
    }
}
