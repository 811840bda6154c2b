//! Runs the command in a folder of its own.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::signer::SECRET;

/// The key of encrypted identifiers.
pub const UID_KEY: &str = "a-key-of-exactly-thirty-two-byte";

/// What a run printed, and how it exited.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// Runs the command among `files`, with the variables SECRET and UID_KEY set and `input` on its standard input. No output may hold
/// either of them, and none the input unless `--show-token` asks for it.
pub fn run(files: &[(&str, &str)], input: &str, arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        std::fs::write(folder.path().join(name), contents).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).current_dir(folder.path()).env_clear().env("SECRET", SECRET).env("UID_KEY", UID_KEY);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads nothing may be gone before it is written to.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let run = Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    };
    let printed = format!("{}{}", run.stdout, run.stderr);
    assert!(!printed.contains(SECRET) && !printed.contains(UID_KEY), "{printed}");
    let signature = input.trim().rsplit('.').next().unwrap_or_default();
    let keeps = signature.len() < 16 || arguments.contains(&"--show-token") || !printed.contains(signature);
    assert!(keeps, "{printed}");
    run
}
