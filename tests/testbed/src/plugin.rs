//! A built module with its configuration, as one entry of a filter chain.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};

/// One of the shipped modules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// `jwt_auth.wasm`.
    JwtAuth,
    /// `auth_header.wasm`.
    AuthHeader,
    /// `audit_log.wasm`.
    AuditLog,
    /// `metrics.wasm`.
    Metrics,
    /// `portcullis.wasm`: all of them in one.
    Portcullis,
}

/// The host calls that the modules make and the callbacks that they offer, as Envoy names them where it restricts them.
const CAPABILITIES: [&str; 41] = [
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "proxy_add_header_map_value",
    "proxy_call_foreign_function",
    "proxy_close_stream",
    "proxy_continue_stream",
    "proxy_define_metric",
    "proxy_done",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_log_level",
    "proxy_get_property",
    "proxy_get_shared_data",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_done",
    "proxy_on_http_call_response",
    "proxy_on_log",
    "proxy_on_memory_allocate",
    "proxy_on_request_headers",
    "proxy_on_response_headers",
    "proxy_on_tick",
    "proxy_on_vm_start",
    "proxy_record_metric",
    "proxy_remove_header_map_value",
    "proxy_replace_header_map_value",
    "proxy_send_local_response",
    "proxy_set_effective_context",
    "proxy_set_property",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
    "random_get",
];

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_owned).unwrap_or_default()
}

/// The folder of the built modules: `PORTCULLIS_DIST`, else `dist` of the workspace.
pub(crate) fn dist() -> PathBuf {
    env::var_os("PORTCULLIS_DIST").map_or_else(|| workspace().join("dist"), PathBuf::from)
}

impl Module {
    /// The name of its file without the ending.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::JwtAuth => "jwt_auth",
            Self::AuthHeader => "auth_header",
            Self::AuditLog => "audit_log",
            Self::Metrics => "metrics",
            Self::Portcullis => "portcullis",
        }
    }

    /// Its file.
    ///
    /// # Errors
    /// When it was not built.
    pub fn path(self) -> Result<PathBuf> {
        let path = dist().join(self.name()).with_extension("wasm");
        ensure!(path.is_file(), "there is no {}: run `make build` first", path.display());
        Ok(path)
    }
}

/// A module in a filter chain.
#[derive(Debug, Clone)]
pub struct Plugin {
    module: Module,
    configuration: Option<Value>,
    environment: Vec<(String, String)>,
    forbidden: Option<&'static str>,
}

impl Plugin {
    /// A module with this JSON as its configuration.
    #[must_use]
    pub fn new(module: Module, configuration: &Value) -> Self {
        Self::with_text(module, &configuration.to_string())
    }

    /// A module with any text as its configuration.
    #[must_use]
    pub fn with_text(module: Module, configuration: &str) -> Self {
        let text = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration});
        Self { module, configuration: Some(text), environment: Vec::new(), forbidden: None }
    }

    /// A module with this JSON as its configuration, written as a protobuf `Struct`.
    #[must_use]
    pub fn with_struct(module: Module, configuration: &Value) -> Self {
        let message = json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": configuration});
        Self { module, configuration: Some(message), environment: Vec::new(), forbidden: None }
    }

    /// A module without a configuration.
    #[must_use]
    pub const fn unconfigured(module: Module) -> Self {
        Self { module, configuration: None, environment: Vec::new(), forbidden: None }
    }

    /// The same with a variable in the environment of its VM. Plugins of one Envoy with the same names share the values.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same in a VM that may do everything but make this host call: a stub answers it with a failure.
    #[must_use]
    pub const fn forbidden(mut self, host_call: &'static str) -> Self {
        self.forbidden = Some(host_call);
        self
    }

    /// The filter as it stands in a chain.
    ///
    /// # Errors
    /// When the module was not built.
    pub fn filter(&self) -> Result<Value> {
        let name = self.module.name();
        let mut vm = json!({
            "vm_id": name,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": {"filename": self.module.path()?}},
        });
        if !self.environment.is_empty() {
            let variables: Map<_, _> = self.environment.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            // One VM has one environment.
            let names: Vec<_> = self.environment.iter().map(|(name, _)| name.as_str()).collect();
            let id = format!("{name} with {}", names.join(", "));
            merge(&mut vm, json!({"vm_id": id, "environment_variables": {"key_values": variables}}));
        }
        let mut config = json!({"name": name, "root_id": name, "failure_policy": "FAIL_RELOAD"});
        if let Some(forbidden) = self.forbidden {
            merge(&mut vm, json!({"vm_id": format!("{name} without {forbidden}")}));
            let allowed: Map<_, _> =
                CAPABILITIES.iter().filter(|call| **call != forbidden).map(|call| ((*call).to_owned(), json!({}))).collect();
            merge(&mut config, json!({"capability_restriction_config": {"allowed_capabilities": allowed}}));
        }
        merge(&mut config, json!({ "vm_config": vm }));
        if let Some(configuration) = &self.configuration {
            merge(&mut config, json!({ "configuration": configuration }));
        }
        Ok(json!({
            "name": format!("portcullis.{name}"),
            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm", "config": config},
        }))
    }
}

fn merge(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}
