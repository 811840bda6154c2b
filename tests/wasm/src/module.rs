//! A built module: found, compiled once per process, and described by what it imports and exports.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use wasmtime::{Config, Engine, Module, OptLevel};

/// The names of the modules that `make build` leaves in `dist`.
pub const MODULES: [&str; 5] = ["jwt_auth", "auth_header", "audit_log", "metrics", "portcullis"];

/// The engine that every module of this process runs in.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut config = Config::new();
        // A test instantiates thousands of times what it compiles once, and runs each for microseconds.
        config.cranelift_opt_level(OptLevel::None);
        Engine::new(&config).expect("the engine starts")
    })
}

/// The folder of the built modules: `PORTCULLIS_DIST`, else `dist` of the workspace.
#[must_use]
pub fn dist() -> PathBuf {
    std::env::var_os("PORTCULLIS_DIST").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist"), PathBuf::from)
}

/// The file of a built module.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn file(name: &str) -> PathBuf {
    let file = dist().join(name).with_extension("wasm");
    assert!(file.is_file(), "{} is missing: run `make build` first, or set PORTCULLIS_DIST", file.display());
    file
}

/// The compiled module of this name.
///
/// # Panics
/// When it was not built, or is not a module.
#[must_use]
pub fn compiled(name: &str) -> Module {
    static COMPILED: Mutex<BTreeMap<String, Module>> = Mutex::new(BTreeMap::new());
    let mut compiled = COMPILED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(module) = compiled.get(name) {
        return module.clone();
    }
    let module = Module::from_file(engine(), file(name)).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    compiled.insert(name.to_owned(), module.clone());
    module
}

/// A module from WebAssembly text, for tests of the emulator itself.
///
/// # Panics
/// When the text is not a module.
#[must_use]
pub fn from_text(text: &str) -> Module {
    Module::new(engine(), text).expect("the text is a module")
}

/// What a module asks of its host, as `module.name`, sorted.
#[must_use]
pub fn imports(module: &Module) -> Vec<String> {
    let mut names: Vec<_> = module.imports().map(|import| format!("{}.{}", import.module(), import.name())).collect();
    names.sort();
    names
}

/// What a module offers its host, sorted.
#[must_use]
pub fn exports(module: &Module) -> Vec<String> {
    let mut names: Vec<_> = module.exports().map(|export| export.name().to_owned()).collect();
    names.sort();
    names
}
