//! A directory of its own for one test.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

/// A temporary directory, removed when dropped. `PORTCULLIS_KEEP=1` in the environment keeps it.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new, empty directory.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("portcullis-{}-{number}", process::id()));
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => fs::create_dir_all(&path)?,
        }
        Ok(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether directories outlive their test, for a look at the logs.
    #[must_use]
    pub fn is_kept() -> bool {
        env::var_os("PORTCULLIS_KEEP").is_some()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !Self::is_kept() {
            // Whoever ended Envoy may have removed it already.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
