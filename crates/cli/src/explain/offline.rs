//! What a proxy would say of the client's connection, as the command line gives it. Nothing was used before.

use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::stage::{NotShared, NotTold, Over, SharedData, Surroundings, Written};
use sha2::{Digest, Sha256};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Surroundings without a proxy.
#[derive(Debug, Clone, Default)]
pub struct Offline {
    /// Whether the connection is encrypted; absent where the URL does not say.
    is_tls: Option<bool>,
    /// The SHA-256 of the client's certificate, in hexadecimal digits.
    certificate: Option<Vec<u8>>,
}

impl Offline {
    /// Those of a request to a URL, by a client that holds the certificate in a file.
    ///
    /// # Errors
    /// The file holds no certificate.
    pub fn of(url: &str, certificate: Option<&Path>) -> anyhow::Result<Self> {
        let is_tls = url.split_once("://").map(|(scheme, _)| scheme == "https");
        Ok(Self { is_tls, certificate: certificate.map(digest).transpose()? })
    }
}

/// The digest of the first certificate in a file of PEM.
fn digest(file: &Path) -> anyhow::Result<Vec<u8>> {
    let name = file.display();
    let pem = std::fs::read_to_string(file).with_context(|| format!("{name}: the certificate cannot be read"))?;
    let Some((body, _)) = pem.split_once(BEGIN).and_then(|(_, rest)| rest.split_once(END)) else {
        bail!("{name}: there is no `{BEGIN}`");
    };
    let der = STANDARD.decode(body.split_ascii_whitespace().collect::<String>());
    let der = der.with_context(|| format!("{name}: the certificate is not base64"))?;
    Ok(Sha256::digest(der).iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect())
}

impl SharedData for Offline {
    fn read(&mut self, _key: &str) -> Result<Option<(Vec<u8>, u32)>, NotShared> {
        Ok(None)
    }

    fn write(&mut self, _key: &str, _value: &[u8], _over: Over) -> Result<Written, NotShared> {
        Ok(Written::Done)
    }
}

impl Surroundings for Offline {
    fn is_tls(&mut self) -> Result<bool, NotTold> {
        self.is_tls.ok_or(NotTold)
    }

    fn client_certificate(&mut self) -> Result<Option<Vec<u8>>, NotTold> {
        Ok(self.certificate.clone())
    }
}
