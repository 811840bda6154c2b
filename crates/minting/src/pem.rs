//! PEM (RFC 7468): one text with a label. Lines may have any length.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::KeyProblem;

/// How any PEM text begins.
const BEGIN: &str = "-----BEGIN ";

/// Whether a text means to be PEM.
pub(crate) fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with(BEGIN)
}

/// The label and the bytes of a PEM text.
pub(crate) fn read(text: &str) -> Result<(&str, Zeroizing<Vec<u8>>), KeyProblem> {
    let parts = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.split_once("-----")).and_then(|(label, rest)| {
        let (body, end) = rest.split_once("-----END ")?;
        (end.strip_suffix("-----") == Some(label)).then_some((label, body))
    });
    let (label, body) = parts.ok_or(KeyProblem::Malformed)?;
    let body: Zeroizing<String> = Zeroizing::new(body.chars().filter(|character| !character.is_ascii_whitespace()).collect());
    let bytes = STANDARD.decode(&**body).map(Zeroizing::new).map_err(|_| KeyProblem::Malformed)?;
    Ok((label, bytes))
}
