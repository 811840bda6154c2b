//! The environment that a configuration will see where it runs, as far as it can be known from here.

use std::collections::BTreeMap;

use portcullis_core::config::{Environment, Variable};

/// The environment of a module's VM.
#[derive(Debug)]
pub enum VmEnvironment {
    /// Only what the deployment declares is set: Envoy passes nothing on by itself.
    Declared(BTreeMap<String, Variable>),
    /// The deployment is not known; this process stands for it, and what is not set here may be set there.
    Process,
}

impl Environment for VmEnvironment {
    fn variable(&self, name: &str) -> Variable {
        match self {
            Self::Declared(variables) => variables.get(name).cloned().unwrap_or(Variable::Unset),
            Self::Process => std::env::var(name).map_or(Variable::Unknown, Variable::Set),
        }
    }
}
