//! Runs the command and compares all that comes of it.

use std::process::{Command, Stdio};

/// A value that no output may hold.
const SECRET: &str = "S3CRET-that-must-not-be-printed-anywhere";

/// What a run printed, and how it exited. The versions of configurations are taken out of the lines for people.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

/// Runs the command in an empty folder that holds `file`, with the variable KEY set.
pub fn run(file: &str, contents: &[u8], arguments: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(file), contents).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(arguments).current_dir(folder.path()).env_clear().env("KEY", SECRET);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let run = Run {
        stdout: without_versions(&String::from_utf8(output.stdout).unwrap()),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    };
    assert!(!format!("{run:?}").contains("S3CRET"), "{run:?}");
    run
}

/// The same without the version at the end of each line that says that something is right.
pub fn without_versions(stdout: &str) -> String {
    let line = |line: &str| match line.strip_prefix("ok: ") {
        None => format!("{line}\n"),
        Some(_) => {
            let (rest, version) = line.rsplit_once(", version ").unwrap();
            assert!(version.len() == 12 && u64::from_str_radix(version, 16).is_ok(), "{line}");
            format!("{rest}\n")
        }
    };
    stdout.lines().map(line).collect()
}

/// Checks `contents` in a file of this name and compares all of the output.
pub fn assert_check(case: &str, file: &str, contents: &str, stdout: &str, stderr: &str, code: i32) {
    let expected = Run { stdout: stdout.to_owned(), stderr: stderr.to_owned(), code };
    assert_eq!(run(file, contents.as_bytes(), &["check", file]), expected, "{case}");
}
