//! Envoy, or another program, as a process that cannot outlive its test.
//!
//! A shell stands between: it ends the program, by its own pid, when its standard input closes, which happens when the
//! [`Process`] is dropped and also when the test's process dies in any way. So an Envoy may be held in a `static`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, path::Path};

use anyhow::{Context, Result, ensure};

use crate::plugin::workspace;
use crate::poll::poll;
use crate::scratch::Scratch;

/// `sh -c GUARDIAN sh FOLDER KEEP COMMAND…`. Leaves the command's process id in `FOLDER/pid` and its status in `FOLDER/exit`; removes the folder in the end.
const GUARDIAN: &str = r#"
folder=$1; keep=$2; shift 2
exec 3<&0
"$@" </dev/null 3<&- &
envoy=$!
echo "$envoy" >"$folder/pid"
{ cat <&3; kill "$envoy"; sleep 5; kill -9 "$envoy"; } >/dev/null 2>&1 &
watcher=$!
wait "$envoy"
echo "$?" >"$folder/exit"
kill "$watcher"
cat <&3 >/dev/null
[ -n "$keep" ] || rm -rf "$folder"
"#;

/// The file with the output.
const LOG: &str = "output.log";
const FAREWELL: Duration = Duration::from_secs(10);

/// A running program with a folder of its own.
#[derive(Debug)]
pub(crate) struct Process {
    guardian: Child,
    scratch: Scratch,
}

/// The Envoy binary: `PORTCULLIS_ENVOY`, else the one that `make tools` installs.
pub(crate) fn binary() -> Result<PathBuf> {
    let path = env::var_os("PORTCULLIS_ENVOY").map_or_else(|| workspace().join(".tools/envoy/envoy"), PathBuf::from);
    ensure!(path.is_file(), "there is no Envoy at {}: run `make tools` first", path.display());
    Ok(path)
}

impl Process {
    /// Start Envoy in its folder.
    pub(crate) fn start(scratch: Scratch, arguments: &[&OsStr]) -> Result<Self> {
        Self::start_program(binary()?, scratch, arguments)
    }

    /// Start a program in its folder, with its output in a file there.
    pub(crate) fn start_program(program: PathBuf, scratch: Scratch, arguments: &[&OsStr]) -> Result<Self> {
        let log = File::create(scratch.path().join(LOG))?;
        let guardian = Command::new("sh")
            .args(["-c", GUARDIAN, "sh"])
            .arg(scratch.path())
            .arg(if Scratch::is_kept() { "keep" } else { "" })
            .arg(&program)
            .args(arguments)
            .current_dir(scratch.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self { guardian, scratch })
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// The status with which it ended, if it did.
    pub(crate) fn exit_status(&self) -> Option<i32> {
        fs::read_to_string(self.folder().join("exit")).ok()?.trim().parse().ok()
    }

    /// Ask it to end, as an operator does.
    ///
    /// # Errors
    /// When it has no process id.
    pub(crate) fn terminate(&self) -> Result<()> {
        let pid = fs::read_to_string(self.folder().join("pid")).context("no process id")?;
        let status = Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh", pid.trim()]).status()?;
        ensure!(status.success(), "the process cannot be ended");
        Ok(())
    }

    /// Everything that it wrote.
    pub(crate) fn log(&self) -> String {
        read_lossy(&self.folder().join(LOG))
    }

    /// The end of what it wrote.
    pub(crate) fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(12)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.guardian.stdin.take());
        let is_gone = poll("the end of Envoy", FAREWELL, || self.guardian.try_wait().ok().flatten());
        if let Err(error) = is_gone {
            eprintln!("{error}");
        }
    }
}

/// The text of a file, empty while there is none.
pub(crate) fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
