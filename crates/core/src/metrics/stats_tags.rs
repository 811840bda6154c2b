//! How the proxy turns the names of [`SeriesName`](super::SeriesName) into labels.

use super::catalogue::label_names;

/// The `stats_config.stats_tags` of every Envoy configuration: the names of the labels with the regular expressions that find them.
///
/// Envoy matches each expression against the whole name, takes the second group for the value and cuts the first one out of
/// the name. Istio makes its own expressions, `(rule=\.=(.*?);\.;)`, from the names alone; these here leave the metrics of
/// others as they are.
pub fn stats_tags() -> impl Iterator<Item = (&'static str, String)> {
    label_names().map(|label| (label, stats_tag(label)))
}

/// The expression that finds a label.
#[must_use]
pub fn stats_tag(label: &str) -> String {
    format!(r"^wasmcustom\.(?:.*;\.;)?({label}=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z0-9_]+$")
}
