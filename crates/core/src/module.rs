//! The deployable modules and how each turns its document into stages.

mod loaded;
#[cfg(test)]
mod tests;

pub use self::loaded::Loaded;
use crate::authn::{self, Authn};
use crate::config::audit_log::AuditLogConfig;
use crate::config::auth_header::AuthHeaderConfig;
use crate::config::bundle::BundleConfig;
use crate::config::jwt_auth::JwtAuthConfig;
use crate::config::metrics::MetricsConfig;
use crate::config::{ConfigError, Environment};
use crate::config_version::ConfigVersion;
use crate::platform::Platform;

/// A deployable module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// Authenticates and applies the rule of the route.
    JwtAuth,
    /// Strips forged identity headers and injects the true ones.
    AuthHeader,
    /// Records what was done.
    AuditLog,
    /// Counts.
    Metrics,
    /// All of them in one pass.
    Bundle,
}

impl Module {
    /// The stages of this module for a document.
    ///
    /// # Errors
    /// The first thing that is wrong with the document.
    pub fn load<'a>(self, document: &[u8], platform: impl Into<Platform<'a>>) -> Result<Loaded, ConfigError> {
        self.load_on(document, &platform.into())
    }

    fn load_on(self, document: &[u8], platform: &Platform<'_>) -> Result<Loaded, ConfigError> {
        let mut loaded = Loaded::default();
        match self {
            Self::JwtAuth => loaded.authn(&JwtAuthConfig::parse(document)?, platform)?,
            Self::AuthHeader => loaded.auth_header(&AuthHeaderConfig::parse(document)?, platform)?,
            Self::AuditLog => loaded.audit(&AuditLogConfig::parse(document)?, None, platform)?,
            Self::Metrics => drop(loaded.metrics(&MetricsConfig::parse(document)?, true)?),
            Self::Bundle => {
                let config = BundleConfig::parse(document)?;
                loaded.bundle(&config, platform, ConfigVersion::of(document))?;
            }
        }
        Ok(loaded)
    }

    /// The stage of this module that authenticates, by itself, for tools that look inside; `None` when it has none.
    ///
    /// # Errors
    /// The first thing that is wrong with what it is made of.
    pub fn authn(self, document: &[u8], environment: &dyn Environment) -> Result<Option<Authn>, ConfigError> {
        let (config, forward) = match self {
            Self::JwtAuth => (JwtAuthConfig::parse(document)?, None),
            Self::Bundle => {
                let config = BundleConfig::parse(document)?;
                let forward = config.forward();
                (config.jwt_auth, forward)
            }
            Self::AuthHeader | Self::AuditLog | Self::Metrics => return Ok(None),
        };
        let (policy, keyrings) = authn::Policy::compile(&config, forward, environment, &mut Vec::new())?;
        Ok(Some(Authn::new(policy, keyrings)))
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JwtAuth => "jwt-auth",
            Self::AuthHeader => "auth-header",
            Self::AuditLog => "audit-log",
            Self::Metrics => "metrics",
            Self::Bundle => "portcullis",
        }
    }

    /// Whether the module decides who is calling, and so writes principal and decision, as far as they are wanted, for the modules
    /// after it.
    #[must_use]
    pub const fn publishes_identity(self) -> bool {
        matches!(self, Self::JwtAuth | Self::Bundle)
    }
}
