//! The `explain` command: what the module does with a request, and how it comes to that.
//!
//! The decision is made by the module's own stages. The steps are the questions that they ask, asked once more one by one, and
//! end where the stages ended.

mod given;
mod narrator;
mod offline;
mod report;
mod requirements;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use portcullis_core::answer::Refusal;
use portcullis_core::module::Loaded;
use portcullis_core::rejection::Rejection;
use portcullis_core::stage::{Exchange, Stage, Verdict};
use portcullis_core::time::UnixTime;

use self::given::Given;
use self::narrator::Narrator;
use self::offline::Offline;
use self::report::Report;
use crate::configuration::Configuration;
use crate::credential::Judge;
use crate::instant;
use crate::module_name::ModuleName;
use crate::report::FormatArguments;
use crate::stand_ins::{JwksArgument, StandIns};
use crate::token_input;

/// How often a stage is asked again after a fetch.
const MOST_ROUNDS: usize = 8;

/// Tells what the module does with a request, and why.
///
/// From a request and a configuration: the rules that do not match and why not, the rule that decides, each check in order, the
/// decision, and the answer that the client would get or the headers that the upstream would see. The module's own code decides.
///
/// The token goes into `Authorization: Bearer`; a header or URL that holds `{token}` has it there instead. It is read from the
/// standard input with `--token -`, or from --token-file, because what stands in a command line is seen by every user of the
/// machine and remembered by the shell. A header can be read from a file too, as in curl: --header @FILE.
///
/// A token that is bound to a key is given with --header 'Authorization: DPoP {token}', its proof with --header 'DPoP: …'; the scheme
/// of the URL says whether the connection is encrypted. One that is bound to a certificate needs --client-certificate.
///
/// A secret that the configuration takes from the environment is looked up in the environment of this command. Nothing is
/// fetched: for an entry with `jwksUri`, give its keys with --jwks.
///
/// Tokens are not printed, unless --show-token asks for it. Claims are: they may be personal data.
///
/// Exit codes: 0 the request passes, 1 it is refused or this cannot be told, 2 the command line is wrong or a file cannot be
/// read.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  portcullis explain --config portcullis.yaml https://api.example.com/orders/42
  portcullis explain --config portcullis.yaml --method POST --token - https://api.example.com/orders/42/approve < token.txt
  portcullis explain --config envoy.yaml --jwks uaa=keys.json --token-file token.txt --at -1h https://api.example.com/orders")]
pub struct ExplainArguments {
    /// The configuration: every form that `check` reads.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The module that the configuration is for, where it does not tell.
    #[arg(long, value_name = "MODULE")]
    module: Option<ModuleName>,
    /// The request's URL; a path alone leaves the host to --header 'Host: …'.
    url: String,
    /// The request's method.
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// A header of the request, `Name: value`, or @FILE with one in each line; may be given several times.
    #[arg(long, value_name = "HEADER")]
    header: Vec<String>,
    /// The token; - for the standard input, which is better: others can see a command line.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file", allow_hyphen_values = true)]
    token: Option<String>,
    /// The file that holds the token.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The certificate (PEM) that the client shows.
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<PathBuf>,
    /// The name of the Envoy route that the request takes, for rules with `routes`.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// The rule that the Envoy route names in its metadata.
    #[arg(long, value_name = "RULE")]
    route_rule: Option<String>,
    /// The key set (JWKS) that stands in for keys which are fetched.
    #[arg(long, value_name = "[NAME=]FILE")]
    jwks: Vec<JwksArgument>,
    /// The time to decide by, default now: RFC 3339, seconds since 1970, or a distance from now such as -10m.
    #[arg(long, value_name = "TIME", value_parser = instant::parse, allow_hyphen_values = true)]
    at: Option<UnixTime>,
    /// Print whole tokens too.
    #[arg(long)]
    show_token: bool,
    #[command(flatten)]
    format: FormatArguments,
}

/// What the stages made of a request.
pub struct Settled {
    /// The exchange with decision, identity and edits.
    exchange: Exchange,
    /// The refusal, if it is refused.
    refusal: Option<Refusal>,
    /// Whether keys are needed that nothing here brings.
    lacks_keys: bool,
}

/// Runs the command; whether the request passes.
///
/// # Errors
/// Something that is needed cannot be read.
pub fn run(arguments: &ExplainArguments) -> anyhow::Result<bool> {
    let token = match (&arguments.token_file, &arguments.token) {
        (Some(file), _) => Some(token_input::from_file(file)?),
        (None, Some(token)) => Some(token_input::from_argument(token)?),
        (None, None) => None,
    };
    let given = Given::of(arguments, token.as_deref())?;
    let now = arguments.at.unwrap_or_else(instant::now);
    let configuration = Configuration::read(&arguments.config, arguments.module)?;
    let module = configuration.module.module();
    let loaded = module.load(&configuration.bytes, &configuration).map_err(|error| configuration.place(error))?;
    let Some(mut authn) = module.authn(&configuration.bytes, &configuration).map_err(|error| configuration.place(error))? else {
        bail!("{} does not authenticate", configuration.module.as_str());
    };
    if arguments.route_rule.is_some() && !authn.needs().route_rule {
        bail!("the configuration says `routeRules: false`, so no route names a rule: leave --route-rule out");
    }
    let stand_ins = StandIns::read(&arguments.jwks, &authn, now)?;
    // What cannot be used is told also where it is not needed.
    stand_ins.answer(&mut authn, now)?;
    let mut offline = Offline::of(&arguments.url, arguments.client_certificate.as_deref())?;
    let mut settled = settle(loaded, given.exchange(now), &stand_ins, now, &mut offline)?;
    if settled.refusal.as_ref().is_some_and(|refusal| UNDECIDED.contains(&refusal.rejection)) {
        settled.lacks_keys |= !configuration.missing_variables().is_empty();
    }
    let judge = Judge { authn, configuration: &configuration, stand_ins: &stand_ins, now, shows_tokens: arguments.show_token };
    let story = Narrator::new(judge, &settled).tell()?;
    let report = Report { given: &given, settled: &settled, story: &story, now };
    let mut discretion = given.discretion(arguments.show_token, &story.credentials);
    discretion.hide_headers(configuration.decrypted_headers());
    discretion.keep_headers_secret(configuration.credential_headers());
    report.print(arguments.format.get(), &discretion).context("the report cannot be written")?;
    Ok(settled.passes())
}

/// The reasons of a refusal that only stands here, where not every secret is known.
const UNDECIDED: [Rejection; 3] = [Rejection::KeysUnavailable, Rejection::HostError, Rejection::UpstreamCredentialUnavailable];

/// Let the stages decide, as the proxy's host does: all of them run, the first refusal counts.
fn settle(
    loaded: Loaded,
    mut exchange: Exchange,
    stand_ins: &StandIns,
    now: UnixTime,
    offline: &mut Offline,
) -> anyhow::Result<Settled> {
    let (mut refusal, mut lacks_keys) = (None, false);
    for mut stage in loaded.stages {
        match ask(stage.as_mut(), &mut exchange, stand_ins, now, offline)? {
            Verdict::Continue => {}
            Verdict::Answer(_) | Verdict::TellHealth(_) => break,
            Verdict::Refuse(found) => refusal = refusal.or(Some(found)),
            Verdict::Wait(_) => {
                lacks_keys = true;
                break;
            }
        }
    }
    if !lacks_keys && refusal.is_none() && !exchange.is_allowed() {
        refusal = Some(Rejection::PolicyMissing.into());
    }
    exchange.conclude(refusal.as_ref());
    Ok(Settled { exchange, refusal, lacks_keys })
}

fn ask(
    stage: &mut dyn Stage,
    exchange: &mut Exchange,
    stand_ins: &StandIns,
    now: UnixTime,
    offline: &mut Offline,
) -> anyhow::Result<Verdict> {
    let mut verdict = stage.on_request(exchange, now, offline);
    for _ in 0..MOST_ROUNDS {
        let Verdict::Wait(_) = verdict else { break };
        stand_ins.answer(stage, now)?;
        verdict = stage.on_request(exchange, now, offline);
    }
    Ok(verdict)
}

impl Settled {
    /// Whether the request goes on to the upstream.
    const fn passes(&self) -> bool {
        self.refusal.is_none() && !self.lacks_keys
    }

    /// Whether the decision is the one that a proxy with all keys would make.
    const fn is_decided(&self) -> bool {
        !self.lacks_keys
    }
}
