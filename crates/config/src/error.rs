//! What is wrong with a configuration, where, and what would be right.

use std::fmt;

/// A reason to refuse a configuration.
///
/// It reads `jwtRules[0].jwksUri: must be an http or https URL; for example https://issuer.example.com/jwks.json`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The place in the document: names joined by dots, indexes in brackets; empty for the document itself.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl ConfigError {
    /// An error at a path.
    pub fn new(path: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into(), hint: None }
    }

    /// The same error with a word on what would be right.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error seen from a document that holds this one at `prefix`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.path = join(prefix, self.path);
        self
    }
}

fn join(prefix: &str, path: String) -> String {
    match (prefix.is_empty(), path.is_empty()) {
        (true, _) => path,
        (false, true) => prefix.to_owned(),
        (false, false) if path.starts_with('[') => format!("{prefix}{path}"),
        (false, false) => format!("{prefix}.{path}"),
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.problem)?;
        if let Some(hint) = &self.hint {
            write!(formatter, "; {hint}")?;
        }
        Ok(())
    }
}

/// A word on a configuration that works but deserves a second look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The place in the document.
    pub path: String,
    /// What to think about.
    pub message: String,
}

impl Warning {
    /// A warning at a path.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }

    /// The same warning seen from a document that holds this one at `prefix`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.path = join(prefix, self.path);
        self
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_one_sentence_with_path_and_hint() {
        let error = ConfigError::new("rules[1].match", "is empty").hint("leave it out to match everything");
        assert_eq!(error.to_string(), "rules[1].match: is empty; leave it out to match everything");
        assert_eq!(error.within("jwtAuth").to_string(), "jwtAuth.rules[1].match: is empty; leave it out to match everything");
    }

    #[test]
    fn joins_paths() {
        assert_eq!(ConfigError::new("", "x").within("a").path, "a");
        assert_eq!(ConfigError::new("[0]", "x").within("a").path, "a[0]");
        assert_eq!(ConfigError::new("b", "x").within("").path, "b");
    }
}
