//! How a rule refuses, where it says so itself.

use crate::config::ConfigError;
use crate::config::deny::{DenyBody, DenyConfig};

/// The longest body, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// A compiled `deny`: the status and the body of a refusal, where they are not the usual ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The status.
    pub(super) status: Option<u16>,
    /// The body.
    pub(super) body: Option<Body>,
}

/// A body with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
}

impl Denial {
    /// Compile a `deny` that stands at `path` in the document.
    ///
    /// # Errors
    /// A [`ConfigError`] when it is empty, the status is not that of a refusal, or the body is too long.
    pub fn compile(config: &DenyConfig, path: &str) -> Result<Self, ConfigError> {
        if *config == DenyConfig::default() {
            return Err(ConfigError::new(path, "is empty").hint("give `status`, `body` or both"));
        }
        if config.status.is_some_and(|status| !(400..=599).contains(&status)) {
            return Err(ConfigError::new(format!("{path}.status"), "is not the status of a refusal").hint("use 400 to 599"));
        }
        let body = config.body.as_ref().map(|body| match body {
            DenyBody::Text(text) => Body { content_type: "text/plain; charset=utf-8", bytes: text.clone().into_bytes() },
            DenyBody::Object(object) => {
                Body { content_type: "application/json", bytes: serde_json::to_vec(object).unwrap_or_default() }
            }
        });
        if body.as_ref().is_some_and(|body| body.bytes.len() > MAX_BODY_BYTES) {
            return Err(ConfigError::new(format!("{path}.body"), format!("is longer than {MAX_BODY_BYTES} bytes")));
        }
        Ok(Self { status: config.status, body })
    }
}
