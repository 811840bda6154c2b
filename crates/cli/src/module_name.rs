//! The name of a module on the command line, and how a configuration shows which module it is for.
//!
//! In this order: the name of the code or image, what the operator says, the keys of the configuration, the name of the
//! plugin (which is free to choose), keys that are nearly right.

use clap::ValueEnum;
use portcullis_core::config::suggestion;
use portcullis_core::module::Module;
use serde_json::{Map, Value};

use crate::deployment::Names;
use crate::schema;

/// A module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModuleName {
    /// Authenticates requests and applies the rule of the route.
    JwtAuth,
    /// Strips forged identity headers and injects the true ones.
    AuthHeader,
    /// Records what was done.
    AuditLog,
    /// Counts.
    Metrics,
    /// The bundle of all of them.
    Portcullis,
}

/// How it is known which module a configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The deployment or the operator says so.
    Named,
    /// The configuration's keys look like it.
    Keys,
}

impl ModuleName {
    /// Every module.
    pub const ALL: [Self; 5] = [Self::JwtAuth, Self::AuthHeader, Self::AuditLog, Self::Metrics, Self::Portcullis];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        self.module().name()
    }

    /// The module.
    pub const fn module(self) -> Module {
        match self {
            Self::JwtAuth => Module::JwtAuth,
            Self::AuthHeader => Module::AuthHeader,
            Self::AuditLog => Module::AuditLog,
            Self::Metrics => Module::Metrics,
            Self::Portcullis => Module::Bundle,
        }
    }

    /// What an upstream would receive, were the module not there.
    pub const fn without_it(self) -> &'static str {
        match self {
            Self::JwtAuth | Self::Portcullis => "requests pass unauthenticated",
            Self::AuthHeader => "requests pass with the identity headers that a client forged",
            Self::AuditLog => "requests pass unrecorded",
            Self::Metrics => "requests pass uncounted",
        }
    }

    /// Whether requests must not pass without it.
    pub const fn guards(self) -> bool {
        matches!(self, Self::JwtAuth | Self::AuthHeader | Self::Portcullis)
    }

    /// The module that a configuration is for; `said` is what the operator says.
    pub fn of(names: &Names, said: Option<Self>, configuration: Option<&Map<String, Value>>) -> Option<(Self, Evidence)> {
        let named = |module| (module, Evidence::Named);
        let by_keys = |module| (module, Evidence::Keys);
        let keys: Vec<_> = configuration.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let code = names.code.as_deref().and_then(Self::from_code);
        code.or(said)
            .map(named)
            .or_else(|| Self::from_keys(&keys).map(by_keys))
            .or_else(|| names.plugin.iter().find_map(|name| Self::from_code(name)).map(named))
            .or_else(|| Self::from_misspelt_keys(&keys).map(by_keys))
    }

    /// The module whose file or image this is: `/etc/envoy/jwt_auth.wasm`, `oci://registry/portcullis/jwt-auth:1.2`.
    fn from_code(name: &str) -> Option<Self> {
        let file = name.rsplit('/').next()?;
        let stem = file.split(['@', ':', '?', '#']).next()?;
        let stem = stem.strip_suffix(".wasm").unwrap_or(stem).replace('_', "-");
        let stem = stem.strip_prefix("portcullis-").unwrap_or(&stem);
        Self::ALL.into_iter().find(|module| module.as_str() == stem)
    }

    /// The module that knows the most of these keys; none when two know equally many.
    fn from_keys(keys: &[&str]) -> Option<Self> {
        let known = Self::ALL.map(|module| (schema::keys_of(module), module));
        let mut scores =
            known.map(|(known, module)| (keys.iter().filter(|key| known.iter().any(|name| name == *key)).count(), module));
        scores.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        match scores.as_slice() {
            [(best, module), (second, _), ..] if best > second => Some(*module),
            _ => None,
        }
    }

    fn from_misspelt_keys(keys: &[&str]) -> Option<Self> {
        let known: Vec<_> = Self::ALL.into_iter().flat_map(schema::keys_of).collect();
        let meant = |key: &&str| suggestion::nearest(key, known.iter().map(String::as_str));
        Self::from_keys(&keys.iter().filter_map(meant).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_module_by_its_code() {
        for (name, expected) in [
            ("/etc/envoy/jwt_auth.wasm", Some(ModuleName::JwtAuth)),
            ("portcullis.wasm", Some(ModuleName::Portcullis)),
            ("oci://registry.example.com:5000/portcullis/auth-header:1.2.3", Some(ModuleName::AuthHeader)),
            ("oci://registry.example.com/portcullis-audit-log@sha256:00", Some(ModuleName::AuditLog)),
            ("https://example.com/metrics.wasm?v=1", Some(ModuleName::Metrics)),
            ("plugin.wasm", None),
            ("", None),
        ] {
            assert_eq!(ModuleName::from_code(name), expected, "{name}");
        }
    }

    #[test]
    fn code_wins_over_the_operator_over_keys_over_the_plugin() {
        let keys = serde_json::json!({"labels": [], "maxSeries": 1});
        let keys = keys.as_object();
        let names = |code: &str, plugin: &str| Names { code: Some(code.to_owned()), plugin: vec![plugin.to_owned()] };
        for (case, names, said, expected) in [
            ("code", names("jwt_auth.wasm", "audit-log"), Some(ModuleName::AuthHeader), ModuleName::JwtAuth),
            ("operator", names("x.wasm", "audit-log"), Some(ModuleName::AuthHeader), ModuleName::AuthHeader),
            ("keys", names("x.wasm", "audit-log"), None, ModuleName::Metrics),
        ] {
            assert_eq!(ModuleName::of(&names, said, keys).map(|(module, _)| module), Some(expected), "{case}");
        }
        let empty = Map::new();
        let by_plugin = ModuleName::of(&names("x.wasm", "audit-log"), None, Some(&empty));
        assert_eq!(by_plugin, Some((ModuleName::AuditLog, Evidence::Named)));
    }

    #[test]
    fn tells_the_module_by_its_keys_even_if_one_is_misspelt() {
        for (json, expected) in [
            (serde_json::json!({"jwtAuth": {}}), Some(ModuleName::Portcullis)),
            (serde_json::json!({"jwtRules": [], "default": "denied"}), Some(ModuleName::JwtAuth)),
            (serde_json::json!({"jwtRule": []}), Some(ModuleName::JwtAuth)),
            (serde_json::json!({"strip": []}), Some(ModuleName::AuthHeader)),
            (serde_json::json!({"default": {}}), None),
            (serde_json::json!({}), None),
            (serde_json::json!({"other": 1}), None),
        ] {
            let found = ModuleName::of(&Names::default(), None, json.as_object()).map(|(module, _)| module);
            assert_eq!(found, expected, "{json}");
        }
    }
}
