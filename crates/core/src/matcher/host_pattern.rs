//! Which hosts a `match` is for.

use crate::config::ConfigError;
use crate::request::host_name;

/// A host name, or all names below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostPattern {
    /// This host.
    Exact(String),
    /// Every host that ends with this text, which begins with a dot.
    Below(String),
}

impl HostPattern {
    /// Compile a pattern that stands at `path` in the document.
    pub(super) fn compile(pattern: &str, path: &str) -> Result<Self, ConfigError> {
        let error = |problem: &str, hint: &str| Err(ConfigError::new(path, problem).hint(hint));
        if pattern == "*" {
            return error("is `*`", "leave `hosts` out to match every host");
        }
        if pattern.contains("://") || pattern.contains('/') {
            return error("is a URL", "write the host name alone");
        }
        let name = pattern.strip_prefix("*.");
        let host = name.unwrap_or(pattern);
        if host.contains('*') {
            return error("has a `*` that is not its first label", "write `*.example.com` for every host below example.com");
        }
        if !pattern.is_ascii() {
            return error("is not ASCII", "write an international name in its `xn--` form");
        }
        let Some(normal) = host_name::normalize(host.as_bytes()) else {
            return error("is not a host name", "write for example `api.example.com` or `*.example.com`");
        };
        if normal.len() != host.len() {
            return error("has a port or a trailing dot", "write the host name alone; every port is matched");
        }
        Ok(if name.is_some() { Self::Below(format!(".{normal}")) } else { Self::Exact(normal) })
    }

    /// Whether it matches a host in its normal spelling.
    pub(super) fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(name) => host == name,
            Self::Below(suffix) => host.strip_suffix(suffix.as_str()).is_some_and(|label| !label.is_empty()),
        }
    }
}
