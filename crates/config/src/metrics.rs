//! The `metrics` object as the operator writes it.

use serde::Deserialize;

use crate::business::BusinessConfig;
use crate::health::HealthConfig;

/// What is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricsConfig {
    /// The labels of the request counter; the shipped alerts and panels need `rule`, `decision` and `reason`; without `status_class` the
    /// proxy is not asked for the status; default: all.
    pub labels: Option<Vec<Label>>,
    /// The histograms; default: all.
    pub histograms: Option<Vec<Histogram>>,
    /// Metrics of what the requests mean, in the service's own words.
    #[serde(default)]
    pub business: Vec<BusinessConfig>,
    /// How many series each metric may have in a worker, those of configurations before this one among them, before the label value `other`
    /// stands for the rest; default 2000.
    pub max_series: Option<u32>,
    /// Where the gateway says how it is doing. Only the bundle knows: modules of their own do not see each other.
    pub health: Option<HealthConfig>,
}

/// A label of the request counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// The rule that decided.
    Rule,
    /// `allow`, `deny` or `error`; of a rule in shadow `would_deny` or `would_error`.
    Decision,
    /// Why.
    Reason,
    /// The `jwtRules` entry that vouched for the caller.
    Issuer,
    /// The request's method.
    Method,
    /// The first digit of the response's status: `2xx`, also for an error of gRPC, which is an answer of 200.
    StatusClass,
}

impl Label {
    /// Every label, in the order in which they stand by default.
    pub const ALL: [Self; 6] = [Self::Rule, Self::Decision, Self::Reason, Self::Issuer, Self::Method, Self::StatusClass];

    /// Its name, here and in Prometheus.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Decision => "decision",
            Self::Reason => "reason",
            Self::Issuer => "issuer",
            Self::Method => "method",
            Self::StatusClass => "status_class",
        }
    }
}

/// A histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Histogram {
    /// The time from the request's headers to the end of the exchange, in milliseconds.
    RequestDurationMs,
    /// The time that it took to verify the signature of a token, in microseconds. Only for the bundle: jwt-auth by itself always
    /// measures it.
    VerifyDurationUs,
}

impl Histogram {
    /// Every histogram.
    pub const ALL: [Self; 2] = [Self::RequestDurationMs, Self::VerifyDurationUs];
}
