//! What an issuer encrypts, with libraries that we did not write: identifiers in claims, and whole tokens.

mod identifiers;
mod tokens;

use std::io::Write;
use std::process::{Command, Stdio};

use portcullis_testbed::workspace;
use serde_json::Value;

/// The Python that has the libraries, as `scripts/tools.sh jose` finds or installs them.
fn python() -> &'static str {
    let has = |python: &&str| {
        let imports = Command::new(python).args(["-c", "import cryptography, jwcrypto"]).stderr(Stdio::null()).status();
        imports.is_ok_and(|status| status.success())
    };
    let found = ["python3", "/usr/bin/python3"].into_iter().find(has);
    found.expect("no python3 with cryptography and jwcrypto: run `scripts/tools.sh jose` first")
}

/// What encrypt.py, beside this file, makes of these jobs.
fn made(jobs: &[Value]) -> Vec<Value> {
    let mut issuer = Command::new(python())
        .arg(workspace().join("tests/e2e/tests/encrypted/encrypt.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    issuer.stdin.take().unwrap().write_all(&serde_json::to_vec(jobs).unwrap()).unwrap();
    let output = issuer.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
