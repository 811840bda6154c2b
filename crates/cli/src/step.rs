//! One thing that was looked at, and what came of it.

use serde::Serialize;

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Ok,
    /// It does not hold.
    Failed,
    /// It cannot be said here.
    Unknown,
}

impl Outcome {
    /// The mark at the beginning of a line.
    pub const fn mark(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "FAIL",
            Self::Unknown => "?",
        }
    }
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was looked at.
    pub check: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The same in words.
    pub says: String,
    /// The reason code of the refusal that comes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
}

impl Step {
    /// A step with its words.
    pub fn new(check: impl Into<String>, outcome: Outcome, says: impl Into<String>) -> Self {
        Self { check: check.into(), outcome, says: says.into(), code: None }
    }

    /// The same step, for which a request is refused with this reason code.
    pub fn code(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// A step that holds.
    pub fn ok(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(check, Outcome::Ok, says)
    }

    /// A step that does not hold.
    pub fn failed(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(check, Outcome::Failed, says)
    }

    /// A step of which nothing can be said here.
    pub fn unknown(check: impl Into<String>, says: impl Into<String>) -> Self {
        Self::new(check, Outcome::Unknown, says)
    }
}

/// The steps as lines, in columns.
pub fn lines(steps: &[Step]) -> Vec<String> {
    let width = steps.iter().map(|step| step.check.len()).max().unwrap_or_default();
    let line = |step: &Step| format!("  {:4}  {:width$}  {}", step.outcome.mark(), step.check, step.says);
    steps.iter().map(line).collect()
}
