//! A filter whose configuration changes while Envoy runs.

use std::fs;

use portcullis_testbed::{Module, Plugin, Scratch};
use serde_json::{Value, json};

/// The filter as a file that Envoy watches: an extension configuration (ECDS).
#[derive(Debug)]
pub struct Discovered {
    folder: Scratch,
    version: u32,
}

impl Discovered {
    /// One that has no configuration yet.
    ///
    /// # Panics
    /// When there is no room for its file.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self { folder: Scratch::new().unwrap(), version: 0 }
    }

    /// The place of the filter in a chain.
    #[must_use]
    pub fn filter(&self) -> Value {
        json!({"name": "auth", "config_discovery": {
            "config_source": {
                "resource_api_version": "V3",
                "initial_fetch_timeout": "1s",
                "path_config_source": {
                    "path": self.folder.path().join("auth.json"),
                    "watched_directory": {"path": self.folder.path()},
                },
            },
            "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
        }})
    }

    /// Puts a configuration of the bundle there, in one move.
    ///
    /// # Panics
    /// When the bundle was not built.
    pub fn publish(&mut self, configuration: &Value) {
        self.publish_plugin(&Plugin::new(Module::Portcullis, configuration));
    }

    /// Puts a module with its configuration there, in one move.
    ///
    /// # Panics
    /// When the module was not built.
    pub fn publish_plugin(&mut self, plugin: &Plugin) {
        self.version += 1;
        let filter = plugin.filter().unwrap();
        let resource = json!({
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": "auth",
            "typed_config": filter["typed_config"],
        });
        let response = json!({"version_info": self.version.to_string(), "resources": [resource]});
        let draft = self.folder.path().join("draft.json");
        fs::write(&draft, response.to_string()).unwrap();
        fs::rename(&draft, self.folder.path().join("auth.json")).unwrap();
    }
}
