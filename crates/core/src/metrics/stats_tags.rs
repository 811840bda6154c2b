//! How the proxy turns the names of [`SeriesName`](super::SeriesName) into labels.

/// The `stats_config.stats_tags` of every Envoy configuration: tag names with their regular expressions.
///
/// Envoy takes the second group for the value and cuts the first one out of the name; what several expressions cut may
/// overlap, so each takes the `;` on both sides, and none is left.
pub const STATS_TAGS: &[(&str, &str)] = &[
    ("rule", r"^wasmcustom\.portcullis_[a-z_]+.*?(;rule=([^;]*);)"),
    ("decision", r"^wasmcustom\.portcullis_[a-z_]+.*?(;decision=([^;]*);)"),
    ("reason", r"^wasmcustom\.portcullis_[a-z_]+.*?(;reason=([^;]*);)"),
    ("issuer", r"^wasmcustom\.portcullis_[a-z_]+.*?(;issuer=([^;]*);)"),
    ("method", r"^wasmcustom\.portcullis_[a-z_]+.*?(;method=([^;]*);)"),
    ("status_class", r"^wasmcustom\.portcullis_[a-z_]+.*?(;status_class=([^;]*);)"),
];
