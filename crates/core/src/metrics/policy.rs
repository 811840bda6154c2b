//! What the operator wants to be counted, checked once.

use std::rc::Rc;

use super::business::{self, BusinessMetric};
use crate::config::metrics::{Histogram, Label, MetricsConfig};
use crate::config::{ConfigError, Warning};

/// The default of `maxSeries`.
const DEFAULT_MAX_SERIES: u32 = 2000;
/// The most that `maxSeries` may ask for: each series costs every worker memory that is never given back.
const HIGHEST_MAX_SERIES: u32 = 100_000;

/// The policy of the stage metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    labels: Vec<Label>,
    /// The label `rule`, when it is among them.
    rule_label: Vec<Label>,
    has_status_class: bool,
    has_durations: bool,
    measures_verifications: bool,
    business: Vec<Rc<BusinessMetric>>,
    max_series: usize,
}

impl Policy {
    /// The policy for a configuration, whose own place in the document is the empty path.
    ///
    /// # Errors
    /// When a label or a histogram is named twice, `maxSeries` is out of bounds, or one of `business` is not right.
    pub fn compile(config: &MetricsConfig) -> Result<(Self, Vec<Warning>), ConfigError> {
        let labels = config.labels.as_deref().unwrap_or(&Label::ALL);
        let histograms = config.histograms.as_deref().unwrap_or(&Histogram::ALL);
        refuse_repeats(labels, "labels")?;
        refuse_repeats(histograms, "histograms")?;
        let max_series = config.max_series.unwrap_or(DEFAULT_MAX_SERIES);
        let max_series = usize::try_from(max_series)
            .ok()
            .filter(|_| (1..=HIGHEST_MAX_SERIES).contains(&max_series))
            .ok_or_else(|| ConfigError::new("maxSeries", format!("must be between 1 and {HIGHEST_MAX_SERIES}")))?;
        let rule_label = labels.iter().copied().filter(|label| *label == Label::Rule).collect();
        let has_status_class = labels.contains(&Label::StatusClass);
        let has_durations = histograms.contains(&Histogram::RequestDurationMs);
        let measures_verifications = histograms.contains(&Histogram::VerifyDurationUs);
        let business = business::compile(&config.business, "business")?;
        let warnings = missing(labels).into_iter().collect();
        let labels = labels.to_vec();
        let policy = Self { labels, rule_label, has_status_class, has_durations, measures_verifications, business, max_series };
        Ok((policy, warnings))
    }

    /// The labels of the request counter.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// Whether the status is among the labels of the request counter.
    #[must_use]
    pub const fn has_status_class(&self) -> bool {
        self.has_status_class
    }

    /// The labels of the duration histogram, when there is one.
    #[must_use]
    pub fn duration_labels(&self) -> Option<&[Label]> {
        self.has_durations.then_some(self.rule_label())
    }

    /// Whether it is to be known how long verifications take.
    #[must_use]
    pub const fn measures_verifications(&self) -> bool {
        self.measures_verifications
    }

    /// How many series each metric may have.
    #[must_use]
    pub const fn max_series(&self) -> usize {
        self.max_series
    }

    /// The metrics of the operator's own.
    #[must_use]
    pub fn business(&self) -> &[Rc<BusinessMetric>] {
        &self.business
    }

    /// The names of all labels that the stage writes, each once.
    #[must_use]
    pub fn label_names(&self) -> Vec<String> {
        let own = self.labels.iter().map(|label| label.as_str().to_owned());
        let mut names: Vec<String> = Vec::new();
        for name in own.chain(self.business.iter().flat_map(|metric| metric.label_names().map(str::to_owned))) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// The label `rule`, when it is among the labels.
    #[must_use]
    pub fn rule_label(&self) -> &[Label] {
        &self.rule_label
    }
}

/// What to say where a label is left out by which the shipped alerts, recording rules and panels find their series.
fn missing(labels: &[Label]) -> Option<Warning> {
    let missing = [Label::Rule, Label::Decision, Label::Reason].into_iter().filter(|label| !labels.contains(label));
    let missing: Vec<_> = missing.map(|label| format!("`{}`", label.as_str())).collect();
    let message = || format!("without {} some of the shipped alerts never fire, and panels stay empty", missing.join(", "));
    (!missing.is_empty()).then(|| Warning::new("labels", message()))
}

fn refuse_repeats<T: PartialEq>(names: &[T], path: &str) -> Result<(), ConfigError> {
    let repeat = names.iter().enumerate().find(|(index, name)| names.iter().take(*index).any(|earlier| earlier == *name));
    repeat.map_or(Ok(()), |(index, _)| Err(ConfigError::new(format!("{path}[{index}]"), "is named twice")))
}
