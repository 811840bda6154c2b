//! A metric of the operator's own, checked once.
//!
//! Refused: a name that is none for Prometheus, has an ending that is added to it or that Prometheus adds, or is taken; a kind without
//! the value that it needs, or with one that it cannot show; a label whose name is none, or that Istio would take for another.

use std::rc::Rc;

use super::label_template::LabelTemplate;
use crate::config::ConfigError;
use crate::config::business::{BusinessConfig, BusinessKind, BusinessValue, StatusSet};
use crate::config::document::key_in_path;
use crate::matcher::Matcher;
use crate::metrics::catalogue::{FAMILIES, label_names};
use crate::stage::MetricKind;

/// The default of `maxValues`.
const DEFAULT_MAX_VALUES: u32 = 100;
/// The most that `maxValues` may ask for.
const HIGHEST_MAX_VALUES: u32 = 10_000;
/// The most labels of a metric.
const MAX_LABELS: usize = 8;
/// The longest name of a metric or a label.
const MAX_NAME_BYTES: usize = 64;
/// Endings that Prometheus gives to parts of a metric.
const TAKEN_ENDINGS: [&str; 5] = ["_total", "_count", "_sum", "_bucket", "_created"];
/// Labels that Prometheus keeps for itself.
const TAKEN_LABELS: [&str; 2] = ["le", "quantile"];

/// A metric of the operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusinessMetric {
    pub(super) name: String,
    pub(super) kind: MetricKind,
    pub(super) value: Option<BusinessValue>,
    pub(super) matcher: Matcher,
    pub(super) status: StatusSet,
    pub(super) labels: Vec<(String, LabelTemplate)>,
    pub(super) max_values: usize,
}

impl BusinessMetric {
    /// Its name in Prometheus.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of its labels.
    pub fn label_names(&self) -> impl Iterator<Item = &str> {
        self.labels.iter().map(|(name, _)| name.as_str())
    }

    fn compile(config: &BusinessConfig, path: &str) -> Result<Self, ConfigError> {
        let (kind, ending) = kind_and_ending(config, path)?;
        let place = |key: &str| format!("{path}.{key}");
        check_name(&config.name, &place("name"))?;
        if let Some(taken) =
            TAKEN_ENDINGS.iter().chain([&ending]).find(|taken| !taken.is_empty() && config.name.ends_with(**taken))
        {
            return Err(ConfigError::new(place("name"), format!("ends with `{taken}`")).hint("leave it out; endings are added"));
        }
        let matcher = config.r#match.as_ref().map(|config| Matcher::compile(config, &place("match"))).transpose()?;
        let matcher = matcher.unwrap_or_default();
        if config.labels.len() > MAX_LABELS {
            return Err(ConfigError::new(place("labels"), format!("are more than {MAX_LABELS}")));
        }
        let mut labels = Vec::with_capacity(config.labels.len());
        for (name, text) in &config.labels {
            let path = format!("{}.{}", place("labels"), key_in_path(name));
            check_label(name, &path)?;
            labels.push((name.clone(), LabelTemplate::parse(text, &matcher.parameters(), &path)?));
        }
        let max_values = config.max_values.unwrap_or(DEFAULT_MAX_VALUES);
        let max_values = usize::try_from(max_values).ok().filter(|_| (1..=HIGHEST_MAX_VALUES).contains(&max_values));
        let max_values = max_values
            .ok_or_else(|| ConfigError::new(place("maxValues"), format!("must be between 1 and {HIGHEST_MAX_VALUES}")))?;
        let total = if kind == MetricKind::Counter { "_total" } else { "" };
        let name = format!("portcullis_{}{ending}{total}", config.name);
        if FAMILIES.iter().any(|family| family.name() == name) {
            return Err(ConfigError::new(place("name"), format!("makes `{name}`, which is a metric of the gateway's own")));
        }
        Ok(Self { name, kind, value: config.value, matcher, status: config.status.clone(), labels, max_values })
    }
}

/// The metrics that stand in the list at `path`.
///
/// # Errors
/// The first thing that this module's documentation says is refused.
pub fn compile(config: &[BusinessConfig], path: &str) -> Result<Vec<Rc<BusinessMetric>>, ConfigError> {
    let mut metrics: Vec<Rc<BusinessMetric>> = Vec::with_capacity(config.len());
    for (index, config) in config.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let metric = BusinessMetric::compile(config, &path)?;
        if metrics.iter().any(|other| other.name == metric.name) {
            let problem = format!("makes `{}`, which is a metric before it", metric.name);
            return Err(ConfigError::new(format!("{path}.name"), problem));
        }
        for name in metric.label_names() {
            let others = metrics.iter().flat_map(|other| other.label_names()).chain(metric.label_names());
            if let Some(other) = mistaken(name, others).or_else(|| mistaken(name, label_names())) {
                let path = format!("{path}.labels.{}", key_in_path(name));
                let problem = format!("ends like the label `{other}`, or that ends like this: Istio takes one for the other");
                return Err(ConfigError::new(path, problem).hint("call it something else"));
            }
        }
        metrics.push(Rc::new(metric));
    }
    Ok(metrics)
}

/// The label of others at whose end this one stands, or that stands at the end of this one: Istio's expressions look for the name
/// anywhere.
fn mistaken<'a>(name: &str, mut others: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    others.find(|other| name != *other && (name.ends_with(other) || other.ends_with(name)))
}

fn kind_and_ending(config: &BusinessConfig, path: &str) -> Result<(MetricKind, &'static str), ConfigError> {
    let kind = match config.kind {
        BusinessKind::Counter => MetricKind::Counter,
        BusinessKind::Gauge => MetricKind::Gauge,
        BusinessKind::Histogram => MetricKind::Histogram,
    };
    let ending = match (config.value, kind) {
        (None, MetricKind::Counter) => "",
        (None, MetricKind::Gauge | MetricKind::Histogram) => {
            return Err(ConfigError::new(format!("{path}.value"), "is missing").hint("only a counter does without"));
        }
        (Some(BusinessValue::TimestampSeconds), MetricKind::Counter | MetricKind::Histogram) => {
            return Err(ConfigError::new(format!("{path}.value"), "is for a gauge").hint("set `kind: gauge`"));
        }
        (Some(BusinessValue::TimestampSeconds), MetricKind::Gauge) => "_timestamp_seconds",
        (Some(BusinessValue::RequestBytes | BusinessValue::ResponseBytes), _) => "_bytes",
        (Some(BusinessValue::DurationMs), _) => "_ms",
    };
    Ok((kind, ending))
}

fn check_name(name: &str, path: &str) -> Result<(), ConfigError> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if name.len() <= MAX_NAME_BYTES && is_plain && name.starts_with(|letter: char| letter.is_ascii_lowercase()) {
        return Ok(());
    }
    let hint = format!("write lower-case letters, digits and `_`, a letter first, {MAX_NAME_BYTES} at most: `placed_orders`");
    Err(ConfigError::new(path, "is not a name that Prometheus takes").hint(hint))
}

fn check_label(name: &str, path: &str) -> Result<(), ConfigError> {
    check_name(name, path)?;
    if TAKEN_LABELS.contains(&name) {
        return Err(ConfigError::new(path, "is a label that Prometheus keeps for itself"));
    }
    Ok(())
}
