//! The one configuration in a file that does what a command is about, for commands that run it.
//!
//! The same documents are read as by `check`. A variable that the deployment takes from elsewhere is looked up in the
//! environment of this process.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, bail};
use portcullis_core::config::{ConfigError, Environment, Variable};
use serde_json::Value;

use crate::deployment::Names;
use crate::document::{self, Document, Source};
use crate::environment::VmEnvironment;
use crate::module_name::ModuleName;
use crate::{envoy, istio};

/// A configuration with what is known of where it runs.
#[derive(Debug)]
pub struct Configuration {
    /// The module that it is for.
    pub module: ModuleName,
    /// Where it stands in its file; empty when it is the file.
    pub path: String,
    /// The bytes that the module would be given.
    pub bytes: Vec<u8>,
    environment: VmEnvironment,
    missing: RefCell<BTreeSet<String>>,
}

impl Configuration {
    /// The configuration in this file that authenticates; `said` is the module that the operator names.
    ///
    /// # Errors
    /// The file cannot be read, or does not hold exactly one such configuration.
    pub fn read(path: &Path, said: Option<ModuleName>) -> anyhow::Result<Self> {
        let authenticates = |module| matches!(module, ModuleName::JwtAuth | ModuleName::Portcullis);
        Self::read_that(path, said, "authenticates (jwt-auth or portcullis)", authenticates)
    }

    /// The configuration in this file that tells the upstream of the caller; `said` is the module that the operator names.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_auth_header(path: &Path, said: Option<ModuleName>) -> anyhow::Result<Self> {
        let tells = |module| matches!(module, ModuleName::AuthHeader | ModuleName::Portcullis);
        Self::read_that(path, said, "injects headers (auth-header or portcullis)", tells)
    }

    /// The configuration in this file that counts requests; `said` is the module that the operator names.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_metrics(path: &Path, said: Option<ModuleName>) -> anyhow::Result<Self> {
        let counts = |module| matches!(module, ModuleName::Metrics | ModuleName::Portcullis);
        Self::read_that(path, said, "counts requests (metrics or portcullis)", counts)
    }

    fn read_that(path: &Path, said: Option<ModuleName>, does: &str, is_meant: fn(ModuleName) -> bool) -> anyhow::Result<Self> {
        let source = Source::from_argument(path);
        let name = source.name();
        let bytes = source.read().with_context(|| format!("{name}: cannot be read"))?;
        let documents = document::documents(&source, bytes).with_context(|| name.clone())?;
        let mut found = Vec::new();
        for document in documents {
            found.extend(Self::in_document(document, said, is_meant).with_context(|| name.clone())?);
        }
        let places = found.iter().map(|one| one.path.clone()).collect::<Vec<_>>().join(", ");
        match <[Self; 1]>::try_from(found) {
            Ok([only]) => Ok(only),
            Err(several) if several.is_empty() => {
                bail!("{name}: holds no configuration that {does}; --module says what it is for")
            }
            Err(_) => bail!("{name}: holds more than one configuration that {does}, at {places}; give one of them in a file"),
        }
    }

    /// A configuration of jwt-auth that was made here.
    pub fn of_jwt_auth(value: &Value) -> Self {
        let bytes = value.to_string().into_bytes();
        Self::new(ModuleName::JwtAuth, String::new(), bytes, VmEnvironment::Process)
    }

    /// A configuration of auth-header that was made here.
    pub fn of_auth_header(value: &Value) -> Self {
        let bytes = value.to_string().into_bytes();
        Self::new(ModuleName::AuthHeader, String::new(), bytes, VmEnvironment::Process)
    }

    fn new(module: ModuleName, path: String, bytes: Vec<u8>, environment: VmEnvironment) -> Self {
        Self { module, path, bytes, environment, missing: RefCell::default() }
    }

    fn in_document(document: Document, said: Option<ModuleName>, is_meant: fn(ModuleName) -> bool) -> anyhow::Result<Vec<Self>> {
        let mut deployments =
            if istio::is_kubernetes_object(&document.value) { istio::deployments(&document.value, "") } else { Vec::new() };
        deployments.extend(envoy::deployments(&document.value));
        let module = |names: &Names, value: Option<&Value>| {
            let keys = value.and_then(Value::as_object);
            ModuleName::of(names, said, keys).map(|(module, _)| module).filter(|module| is_meant(*module))
        };
        if deployments.is_empty() {
            let module = module(&Names::default(), Some(&document.value));
            let configuration = |module| Self::new(module, String::new(), document.bytes, VmEnvironment::Process);
            return Ok(module.map(configuration).into_iter().collect());
        }
        let mut found = Vec::new();
        for deployment in deployments {
            let value = serde_json::from_slice(&deployment.configuration).ok();
            let Some(module) = module(&deployment.names, value.as_ref()) else { continue };
            if let Some(error) = deployment.errors.into_iter().next() {
                return Err(error.into());
            }
            found.push(Self::new(module, deployment.path, deployment.configuration, deployment.environment));
        }
        Ok(found)
    }

    /// The error seen from the file.
    pub fn place(&self, error: ConfigError) -> ConfigError {
        error.within(&self.path)
    }

    /// The part that authenticates.
    pub fn jwt_auth(&self) -> Value {
        let value: Value = serde_json::from_slice(&self.bytes).unwrap_or_default();
        if self.module == ModuleName::Portcullis { value.get("jwtAuth").cloned().unwrap_or_default() } else { value }
    }

    /// The headers that carry what an issuer encrypted.
    pub fn decrypted_headers(&self) -> Vec<String> {
        let value: Value = serde_json::from_slice(&self.bytes).unwrap_or_default();
        let inject = value.get("authHeader").and_then(|part| part.get("inject")).and_then(Value::as_array);
        let decrypted = inject.into_iter().flatten().filter(|header| header.get("decrypt").is_some());
        decrypted.filter_map(|header| header.get("header")?.as_str().map(str::to_owned)).collect()
    }

    /// The headers that carry credentials of the gateway's own.
    pub fn credential_headers(&self) -> Vec<String> {
        let value: Value = serde_json::from_slice(&self.bytes).unwrap_or_default();
        let upstream = value.get("authHeader").and_then(|part| part.get("upstream")).and_then(Value::as_array);
        let header = |entry: &Value| entry.get("header").and_then(Value::as_str).unwrap_or("authorization").to_owned();
        upstream.into_iter().flatten().map(header).collect()
    }

    /// The key set that stands in the entry `jwtRules[index]`.
    pub fn jwks(&self, index: usize) -> Option<Value> {
        match self.jwt_auth().get("jwtRules")?.get(index)?.get("jwks")? {
            Value::String(text) => serde_json::from_str(text).ok(),
            jwks => Some(jwks.clone()),
        }
    }

    /// The variables that were asked for and are not known here.
    pub fn missing_variables(&self) -> Vec<String> {
        self.missing.borrow().iter().cloned().collect()
    }
}

impl Environment for Configuration {
    fn variable(&self, name: &str) -> Variable {
        let variable = match self.environment.variable(name) {
            Variable::Unknown => VmEnvironment::Process.variable(name),
            known => known,
        };
        if variable == Variable::Unknown {
            self.missing.borrow_mut().insert(name.to_owned());
        }
        variable
    }
}
