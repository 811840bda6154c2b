//! How the proxy turns the names of [`SeriesName`](super::SeriesName) into labels.

/// The `stats_config.stats_tags` of every Envoy configuration: tag names with their regular expressions.
///
/// Envoy matches each expression against the whole name, takes the second group for the value and cuts the first one out of
/// the name. Istio makes its own expressions, `(rule=\.=(.*?);\.;)`, from the names alone; these here leave the metrics of
/// others as they are.
pub const STATS_TAGS: &[(&str, &str)] = &[
    ("rule", r"^wasmcustom\.(?:.*;\.;)?(rule=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z_]+$"),
    ("decision", r"^wasmcustom\.(?:.*;\.;)?(decision=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z_]+$"),
    ("reason", r"^wasmcustom\.(?:.*;\.;)?(reason=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z_]+$"),
    ("issuer", r"^wasmcustom\.(?:.*;\.;)?(issuer=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z_]+$"),
    ("method", r"^wasmcustom\.(?:.*;\.;)?(method=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z_]+$"),
    ("status_class", r"^wasmcustom\.(?:.*;\.;)?(status_class=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z_]+$"),
    ("upstream", r"^wasmcustom\.(?:.*;\.;)?(upstream=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z_]+$"),
    ("sink", r"^wasmcustom\.(?:.*;\.;)?(sink=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z_]+$"),
    ("outcome", r"^wasmcustom\.(?:.*;\.;)?(outcome=\.=([^;]*);\.;)(?:.*;\.;)?portcullis_[a-z_]+$"),
];
