//! A module's configuration together with what the document around it says about running it.

use std::collections::BTreeSet;

use portcullis_core::config::{ConfigError, Warning};

use crate::environment::VmEnvironment;

/// One configuration of one module.
#[derive(Debug)]
pub struct Deployment {
    /// Where the configuration stands in its document; empty when it is the document.
    pub path: String,
    /// What the deployment calls the module.
    pub names: Names,
    /// The bytes that the module will be given.
    pub configuration: Vec<u8>,
    /// What the module will find in its environment.
    pub environment: VmEnvironment,
    /// The clusters that the document defines; absent when there may be others.
    pub clusters: Option<BTreeSet<String>>,
    /// The labels that the document's proxy finds in the names of metrics; absent when it does not say.
    pub stats_tags: Option<BTreeSet<String>>,
    /// What the proxy does with requests when the module fails.
    pub on_failure: OnFailure,
    /// What is wrong around the configuration.
    pub errors: Vec<ConfigError>,
    /// What deserves a second look around the configuration.
    pub warnings: Vec<Warning>,
}

/// What a deployment calls its module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The name of the file or image that holds the code.
    pub code: Option<String>,
    /// The names that the operator is free to choose.
    pub plugin: Vec<String>,
}

/// What the proxy does with requests when the module fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnFailure {
    /// It refuses them.
    Refuse,
    /// It lets them pass, because of the setting at this path.
    Pass {
        /// Where the setting stands.
        path: String,
        /// What to write there.
        instead: &'static str,
    },
}
