//! The `portcullis` command: checks a configuration before a proxy sees it, and tells how a token or a request fares under it,
//! with the parser and the rules that the modules use.
//!
//! Exit codes: 0 it is right, 1 it is not, 2 the command line is wrong or a file cannot be read.

mod audit;
mod check;
mod configuration;
mod credential;
mod deployment;
mod discretion;
mod document;
mod encrypt_claim;
mod environment;
mod envoy;
mod explain;
mod import;
mod instant;
mod istio;
mod jwk;
mod markdown;
mod module_name;
mod place;
mod reference;
mod report;
mod schema;
mod stand_ins;
mod stats_tags;
mod step;
mod token;
mod token_input;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::audit::AuditCommand;
use crate::document::Source;
use crate::encrypt_claim::EncryptClaimArguments;
use crate::explain::ExplainArguments;
use crate::import::ImportArguments;
use crate::module_name::ModuleName;
use crate::report::{FormatArguments, Report};
use crate::stats_tags::StatsTagsArguments;
use crate::token::TokenArguments;

/// The exit code for a configuration that is not right, a token that is not valid, a request that is refused.
const INVALID: u8 = 1;
/// The exit code for a wrong command line, and for a file that cannot be read.
const UNUSABLE: u8 = 2;

/// Checks configurations of the Portcullis modules for Envoy and Istio, and tells how tokens and requests fare under them.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(CheckArguments),
    Token(Box<TokenArguments>),
    Explain(Box<ExplainArguments>),
    EncryptClaim(Box<EncryptClaimArguments>),
    /// Verifies audit logs, and searches in them.
    #[command(subcommand)]
    Audit(Box<AuditCommand>),
    Schema(SchemaArguments),
    Import(ImportArguments),
    StatsTags(StatsTagsArguments),
    /// Prints the tables of reason codes, metrics and audit event fields as Markdown.
    #[command(hide = true)]
    Reference,
}

/// Checks a configuration with the parser that the modules use.
///
/// CONFIG is a module's own configuration (JSON or YAML), an Istio WasmPlugin or TrafficExtension, or an Envoy configuration
/// with Wasm filters. Every configuration of a Portcullis module in it is checked.
///
/// Prints a line that begins with `ok:` for each configuration that is right, and `error:` or `warning:` lines with the place
/// and the reason. No secret is printed.
///
/// Exit codes: 0 all is right, 1 something is wrong, 2 the command line is wrong or the file cannot be read.
#[derive(Debug, Args)]
struct CheckArguments {
    /// The file to check, or - for the standard input.
    config: PathBuf,
    /// The module that the configuration is for, where the name of its code does not tell.
    ///
    /// Without it, the keys of the configuration tell.
    #[arg(long, value_name = "MODULE")]
    module: Option<ModuleName>,
    #[command(flatten)]
    format: FormatArguments,
    /// Count warnings as errors: the exit code is 1 when there are any.
    #[arg(long)]
    strict: bool,
}

/// Prints the JSON Schema of a module's configuration.
#[derive(Debug, Args)]
struct SchemaArguments {
    /// The module.
    #[arg(required_unless_present = "markdown")]
    module: Option<ModuleName>,
    /// Print the reference of all modules as Markdown instead.
    #[arg(long, conflicts_with = "module")]
    markdown: bool,
}

fn main() -> ExitCode {
    let run = match Cli::parse().command {
        Command::Check(arguments) => check(&arguments),
        Command::Token(arguments) => token::run(&arguments).map(exit_code),
        Command::Explain(arguments) => explain::run(&arguments).map(exit_code),
        Command::EncryptClaim(arguments) => encrypt_claim::run(&arguments).and_then(|claim| print(&claim)),
        Command::Audit(command) => audit::run(&command).map(exit_code),
        Command::Schema(arguments) => print(&schema_text(&arguments)),
        Command::Import(arguments) => import::run(&arguments),
        Command::StatsTags(arguments) => stats_tags::text(&arguments).and_then(|text| print(&text)),
        Command::Reference => print(&reference::text()),
    };
    run.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(UNUSABLE)
    })
}

fn check(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let source = Source::from_argument(&arguments.config);
    let name = source.name();
    let bytes = source.read().with_context(|| format!("{name}: cannot be read"))?;
    let report: Report = check::check(&source, bytes, arguments.module);
    report.print(&name, arguments.format.get(), arguments.strict).context("the report cannot be written")?;
    Ok(exit_code(report.is_ok(arguments.strict)))
}

fn exit_code(is_right: bool) -> ExitCode {
    if is_right { ExitCode::SUCCESS } else { ExitCode::from(INVALID) }
}

fn schema_text(arguments: &SchemaArguments) -> String {
    arguments.module.map_or_else(markdown::configuration, |module| format!("{:#}\n", schema::of(module).as_value()))
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    std::io::stdout().write_all(text.as_bytes()).context("the text cannot be written")?;
    Ok(ExitCode::SUCCESS)
}
