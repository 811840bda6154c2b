//! The document of the bundle: one object per stage.

use serde::Deserialize;

use super::audit_log::AuditLogConfig;
use super::auth_header::{AuthHeaderConfig, Forward};
use super::jwt_auth::JwtAuthConfig;
use super::metrics::MetricsConfig;
use super::spans::SpansConfig;

/// The document of the bundle. A stage whose object is left out does not run; authentication always does.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BundleConfig {
    /// Who may do what.
    pub jwt_auth: JwtAuthConfig,
    /// What the upstream is told.
    pub auth_header: Option<AuthHeaderConfig>,
    /// What is recorded.
    pub audit_log: Option<AuditLogConfig>,
    /// What is counted.
    pub metrics: Option<MetricsConfig>,
    /// Where it is told how the requests went that the gateway sent while another one waited.
    pub spans: Option<SpansConfig>,
}

impl BundleConfig {
    /// What `authHeader` says about the token.
    #[must_use]
    pub fn forward(&self) -> Option<Forward> {
        self.auth_header.as_ref()?.token.as_ref().map(|token| token.forward)
    }
}
