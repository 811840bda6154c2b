//! Runs the command in a folder with files.

use std::io::Write;
use std::process::{Command, Stdio};

use portcullis_chain::{Chain, MacKey};

/// The key of the MACs, in the variable KEY and the file key.txt.
pub const KEY: &str = "S3CRET-of-thirty-two-bytes-or-more";

/// What a run printed, and how it exited.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// Runs `portcullis audit` with these files and standard input.
pub fn run(files: &[(&str, &[u8])], stdin: &[u8], arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in files.iter().chain([&("key.txt", format!("{KEY}\n").as_bytes())]) {
        std::fs::write(folder.path().join(name), contents).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.arg("audit").args(arguments).current_dir(folder.path()).env_clear().env("KEY", KEY).env("SHORT", "S3CRET");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that has seen enough does not read the rest.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    let output = child.wait_with_output().unwrap();
    let run = Run {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    };
    assert!(!format!("{run:?}").contains("S3CRET"), "{run:?}");
    run
}

/// A stream of three records and its end.
pub fn stream(name: &str) -> Vec<String> {
    let mut chain = Chain::new(MacKey::new(KEY.as_bytes()).unwrap(), name, None);
    let mut lines: Vec<String> = (1..=3).map(|seq| chain.seal(event(name, seq), seq, 0)).collect();
    lines.push(chain.close(format!(r#"{{"schema":"portcullis.audit.end/1","id":"{name}-4"}}"#), 4, 0));
    lines
}

pub fn event(stream: &str, seq: u64) -> String {
    format!(
        r#"{{"schema":"portcullis.audit/1","id":"{stream}-{seq}","time":"2026-11-25T20:0{seq}:00.000Z","action":"order.approve","object":"order/{seq}","outcome":"allowed","decision":{{"rule":"approve"}},"principal":{{"subject":"alice"}}}}"#
    )
}
