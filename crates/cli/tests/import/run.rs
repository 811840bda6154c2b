//! Runs the command.

use std::process::{Command, Stdio};

use portcullis_testbed::{Algorithm, Claims, Issuer};
use serde_json::Value;

use crate::gate::NOW;

/// What a run printed, and how it exited.
#[derive(Debug)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// Runs the command in a folder of its own that holds these files.
pub fn run(files: &[(&str, &str)], arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).current_dir(folder.path()).env_clear().stdin(Stdio::null());
    let output = command.output().unwrap();
    Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

/// A configuration of jwt-auth that came of a source, and what was said about it.
#[derive(Debug)]
pub struct Imported {
    pub configuration: Value,
    /// The lines about what has no equal.
    pub lost: Vec<String>,
}

/// Imports a document.
pub fn import(document: &Value) -> Imported {
    import_text(&document.to_string(), "source.json")
}

/// Imports a text in a file of this name.
pub fn import_text(text: &str, file: &str) -> Imported {
    let run = run(&[(file, text)], &["import", file, "--module", "jwt-auth", "--output", "json"]);
    assert!(run.code < 2, "{}\n{text}", run.stderr);
    let lost: Vec<String> = run.stderr.lines().filter_map(|line| line.strip_prefix("no equal: ")).map(str::to_owned).collect();
    assert_eq!(run.code, i32::from(!lost.is_empty()), "{}", run.stderr);
    Imported { configuration: serde_json::from_str(&run.stdout).unwrap(), lost }
}

/// An issuer that signs tokens for the time of the requests.
pub struct Signer(Issuer);

impl Signer {
    /// An issuer with a key of its own.
    pub fn new(name: &str) -> Self {
        Self(Issuer::new(name, &[Algorithm::Hs256]).unwrap())
    }

    /// The text of its key set.
    pub fn jwks(&self) -> String {
        self.0.jwks().unwrap().to_string()
    }

    /// A token with these claims and its name.
    pub fn token(&self, claims: &Value) -> String {
        let all = Claims::new().with("iss", self.0.name()).with("iat", NOW.as_secs()).with("exp", NOW.as_secs() + 3600);
        let claims = claims.as_object().unwrap().iter().fold(all, |all, (name, value)| all.with(name, value.clone()));
        self.0.sign(&claims).unwrap()
    }
}
