//! Certificates of clients and servers, made by openssl at run time.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::scratch::Scratch;

/// A certificate that vouches for itself, with its private key.
#[derive(Debug)]
pub struct Certificate {
    scratch: Scratch,
}

impl Certificate {
    /// A new one, for a P-256 key.
    ///
    /// # Errors
    /// When openssl is missing or fails.
    pub fn generate(name: &str) -> Result<Self> {
        Self::generate_with(name, &[])
    }

    /// A new one that also bears this URI, as those of a mesh do.
    ///
    /// # Errors
    /// When openssl is missing or fails.
    pub fn generate_for(name: &str, uri: &str) -> Result<Self> {
        Self::generate_with(name, &["-addext", &format!("subjectAltName=URI:{uri}")])
    }

    fn generate_with(name: &str, more: &[&str]) -> Result<Self> {
        let certificate = Self { scratch: Scratch::new()? };
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj"])
            .arg(format!("/CN={name}"))
            .arg("-keyout")
            .arg(certificate.key_file())
            .arg("-out")
            .arg(certificate.file())
            .args(more)
            .output()
            .context("openssl cannot be started: run `make tools` first")?;
        ensure!(made.status.success(), "openssl made no certificate: {}", String::from_utf8_lossy(&made.stderr));
        Ok(certificate)
    }

    /// Where it lies, as PEM.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.scratch.path().join("certificate.pem")
    }

    /// Where its key lies, as PEM.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.scratch.path().join("key.pem")
    }

    /// Its bytes, as DER.
    ///
    /// # Errors
    /// When the file is gone.
    pub fn der(&self) -> Result<Vec<u8>> {
        let pem = fs::read_to_string(self.file())?;
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        Ok(STANDARD.decode(body)?)
    }
}
