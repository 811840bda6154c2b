//! The `import` command: from the policies of Istio and of Envoy's `jwt_authn` to a configuration of jwt-auth.
//!
//! Both sources become a [`Plan`](plan::Plan), which knows nothing of their notation; [`cells`] turns it into rules of which the
//! first that matches decides. The result admits nobody whom the source refuses: whatever has no equal, or cannot be shown to be
//! equal, becomes stricter, and a note says so. The result is loaded as the module would load it before it is printed.

mod cells;
mod envoy;
mod formula;
mod hosts;
mod issuers;
mod istio;
mod note;
mod paths;
mod plan;
mod require;
mod rules;
mod source;
mod template;
mod truth;
mod yaml;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use portcullis_core::module::Module;
use serde_json::{Map, Value};

use crate::document::{self, Source};
use crate::environment::VmEnvironment;
use crate::import::issuers::Entry;
use crate::import::istio::Workload;
use crate::import::note::Notes;
use crate::import::plan::Plan;
use crate::import::source::Node;

/// The exit code when something got lost.
const INCOMPLETE: u8 = 1;

/// Translates Istio's RequestAuthentication and AuthorizationPolicy, or Envoy's jwt_authn, into a configuration.
///
/// The configuration goes to the standard output. Each thing that has no equal is a `no equal:` line on the standard error and,
/// in YAML, a comment above the configuration; `note:` lines tell what was made explicit or is a little different here. Nobody is
/// admitted whom the source refuses.
///
/// Exit codes: 0 everything was translated, 1 something has no equal, 2 there is nothing to use.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// The files to read, or - for the standard input. A file may hold several documents.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What the files are.
    ///
    /// Without it, the files tell.
    #[arg(long, value_name = "SOURCE")]
    from: Option<From>,
    /// The namespace of the workload: policies of others are left out.
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// The labels of the workload: policies for others are left out.
    #[arg(long, value_name = "KEY=VALUE,…", value_parser = labels)]
    selector: Option<Labels>,
    /// The module that the configuration is for.
    #[arg(long, value_name = "MODULE", default_value = "portcullis")]
    module: Target,
    /// How to print the configuration.
    #[arg(short, long, value_name = "FORMAT", default_value = "yaml")]
    output: Output,
}

/// What files hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum From {
    /// RequestAuthentication and AuthorizationPolicy objects.
    Istio,
    /// A configuration with a jwt_authn filter, or the filter's alone.
    Envoy,
}

/// The module that a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// The bundle.
    Portcullis,
    /// The module alone.
    JwtAuth,
}

/// How a configuration is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// YAML, with the notes as comments.
    Yaml,
    /// JSON.
    Json,
}

type Labels = BTreeMap<String, String>;

fn labels(text: &str) -> Result<Labels, String> {
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    text.split(',').map(pair).collect::<Option<_>>().ok_or_else(|| "write labels as `app=orders,tier=front`".to_owned())
}

/// What a source says, without its notation.
#[derive(Debug)]
struct Imported {
    /// The entries of `jwtRules`.
    entries: Vec<Entry>,
    /// What becomes the rules.
    plan: Plan,
    /// Whether a CORS preflight needs nothing.
    bypass_cors_preflight: bool,
}

/// A configuration, and what is to be said about it.
struct Translation {
    configuration: Value,
    notes: Notes,
}

/// Runs the command.
///
/// # Errors
/// A file cannot be read or used, and the reason.
pub fn run(arguments: &ImportArguments) -> anyhow::Result<ExitCode> {
    let Translation { configuration, notes } = import(arguments)?;
    let lines: Vec<String> = notes.lines().iter().map(ToString::to_string).collect();
    let text = match arguments.output {
        Output::Json => format!("{configuration:#}\n"),
        Output::Yaml => yaml::text(&lines, &configuration),
    };
    io::stdout().write_all(text.as_bytes())?;
    let mut err = io::stderr().lock();
    for line in &lines {
        writeln!(err, "{line}")?;
    }
    Ok(if notes.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(INCOMPLETE) })
}

fn import(arguments: &ImportArguments) -> anyhow::Result<Translation> {
    let mut documents = Vec::new();
    for file in &arguments.files {
        let source = Source::from_argument(file);
        let name = source.name();
        let bytes = source.read().with_context(|| format!("{name}: cannot be read"))?;
        let found = document::documents(&source, bytes).with_context(|| name.clone())?;
        let several = found.len() > 1;
        for (index, document) in found.into_iter().enumerate() {
            let place = if several { format!("{name}, document {}", index.saturating_add(1)) } else { name.clone() };
            documents.push((place, document.value));
        }
    }
    let nodes: Vec<Node<'_>> = documents.iter().map(|(place, value)| Node::root(value, place)).collect();
    let mut notes = Notes::default();
    let imported = match arguments.from.map_or_else(|| detect(&nodes), Ok)? {
        From::Istio => {
            let workload = Workload { namespace: arguments.namespace.clone(), labels: arguments.selector.clone() };
            istio::import(&nodes, &workload, &mut notes)?
        }
        From::Envoy if arguments.namespace.is_some() || arguments.selector.is_some() => {
            bail!("--namespace and --selector are for policies of Istio")
        }
        From::Envoy => envoy::import(&nodes, &mut notes)?,
    };
    let jwt_auth = configuration(&imported, &mut notes)?;
    let configuration = match arguments.module {
        Target::JwtAuth => jwt_auth,
        Target::Portcullis => Value::Object(Map::from_iter([("jwtAuth".to_owned(), jwt_auth)])),
    };
    let module = if arguments.module == Target::JwtAuth { Module::JwtAuth } else { Module::Bundle };
    let loaded = module.load(configuration.to_string().as_bytes(), &VmEnvironment::Process);
    let loaded = loaded.context("what came of the files cannot be loaded")?;
    loaded.warnings.iter().for_each(|warning| notes.remark("", warning.to_string()));
    Ok(Translation { configuration, notes })
}

fn detect(documents: &[Node<'_>]) -> anyhow::Result<From> {
    let holds = |is_source: fn(&Value) -> bool| documents.iter().any(|document| is_source(document.value));
    match (holds(istio::is_source), holds(envoy::is_source)) {
        (true, false) => Ok(From::Istio),
        (false, true) => Ok(From::Envoy),
        (true, true) => bail!("the files hold policies of Istio and a filter of Envoy; say with --from which to read"),
        (false, false) => bail!("the files hold no RequestAuthentication, AuthorizationPolicy or jwt_authn filter"),
    }
}

/// The `jwtAuth` object.
fn configuration(imported: &Imported, notes: &mut Notes) -> anyhow::Result<Value> {
    let rules = rules::of(&imported.plan, &issuers::names(&imported.entries))?;
    rules.lost.iter().for_each(|text| notes.no_equal("", text.as_str()));
    if rules.joins_spellings {
        notes.remark("", "a path with and without a slash at its end is one path to a rule that asks for a token");
    }
    let mut jwt_auth = Map::new();
    let entries: Vec<Value> = imported.entries.iter().map(|entry| entry.members.clone().into()).collect();
    if !entries.is_empty() {
        jwt_auth.insert("jwtRules".to_owned(), entries.into());
    }
    if !rules.rules.is_empty() {
        jwt_auth.insert("rules".to_owned(), rules.rules.into());
    }
    jwt_auth.insert("default".to_owned(), rules.default.into());
    if imported.bypass_cors_preflight {
        jwt_auth.insert("bypassCorsPreflight".to_owned(), true.into());
    }
    Ok(jwt_auth.into())
}
