//! The `stats-tags` command: what makes labels out of the names of a configuration's metrics, for the proxy's own configuration.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use portcullis_core::config::ConfigError;
use portcullis_core::config::bundle::BundleConfig;
use portcullis_core::config::metrics::MetricsConfig;
use portcullis_core::metrics::catalogue::label_names;
use portcullis_core::metrics::{Policy, stats_tag};

use crate::configuration::Configuration;
use crate::module_name::ModuleName;

/// Prints what a proxy needs to show the labels of all metrics, those of `business` in this configuration among them.
///
/// For Envoy it is the `stats_config` of the bootstrap, as YAML. For Istio it is the value of the annotation
/// `sidecar.istio.io/extraStatTags` of pods, and of the list `extraStatTags` in the mesh's `defaultConfig`.
#[derive(Debug, Args)]
pub struct StatsTagsArguments {
    /// The file with the configuration, or - for the standard input.
    config: PathBuf,
    /// The module that the configuration is for, where the name of its code does not tell.
    #[arg(long, value_name = "MODULE")]
    module: Option<ModuleName>,
    /// Print the list for Istio.
    #[arg(long)]
    istio: bool,
}

/// The text for the arguments.
pub fn text(arguments: &StatsTagsArguments) -> anyhow::Result<String> {
    let configuration = Configuration::read_metrics(&arguments.config, arguments.module)?;
    let own = own_labels(&configuration).map_err(|error| configuration.place(error));
    let own = own.with_context(|| arguments.config.display().to_string())?;
    let mut labels: Vec<String> = label_names().map(str::to_owned).collect();
    labels.extend(own.into_iter().filter(|label| label_names().all(|known| known != label)));
    if arguments.istio {
        return Ok(format!("{}\n", labels.join(",")));
    }
    let mut text = String::from("stats_config:\n  stats_tags:\n");
    for label in labels {
        writeln!(text, "  - {{tag_name: {label}, regex: '{}'}}", stats_tag(&label))?;
    }
    Ok(text)
}

/// The labels of the configuration's metrics. Nothing else of it is looked at, so that no secret needs to be there.
fn own_labels(configuration: &Configuration) -> Result<Vec<String>, ConfigError> {
    let (config, place) = match configuration.module {
        ModuleName::Portcullis => (BundleConfig::parse(&configuration.bytes)?.metrics.unwrap_or_default(), "metrics"),
        _ => (MetricsConfig::parse(&configuration.bytes)?, ""),
    };
    let (policy, _) = Policy::compile(&config).map_err(|error| error.within(place))?;
    Ok(policy.label_names())
}
