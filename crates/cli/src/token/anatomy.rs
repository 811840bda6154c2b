//! The parts of a token as far as they can be read, well formed or not. For showing only: what decides reads strictly.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use portcullis_core::time::UnixTime;
use serde_json::{Map, Value};

use crate::discretion::Discretion;
use crate::instant;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// The claims that are times.
const TIMES: [&str; 4] = ["exp", "nbf", "iat", "auth_time"];

/// What can be read of a token.
#[derive(Debug, Default)]
pub struct Anatomy {
    /// The header.
    pub header: Option<Map<String, Value>>,
    /// The claims.
    pub claims: Option<Map<String, Value>>,
    /// How many bytes the signature has.
    pub signature_length: Option<usize>,
}

impl Anatomy {
    /// What can be read of these bytes.
    pub fn of(token: &[u8]) -> Self {
        let mut parts = token.split(|byte| *byte == b'.');
        let mut object = || serde_json::from_slice(&decode(parts.next()?)?).ok();
        let (header, claims) = (object(), object());
        let signature_length = parts.next().and_then(decode).map(|bytes| bytes.len());
        Self { header, claims, signature_length }
    }

    /// A header parameter that is text.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.header.as_ref()?.get(name)?.as_str()
    }

    /// A claim that is text.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.claims.as_ref()?.get(name)?.as_str()
    }

    /// The lines that show it.
    pub fn lines(&self, discretion: &Discretion, now: UnixTime) -> Vec<String> {
        let mut lines = Vec::new();
        section(&mut lines, "header", self.header.as_ref(), |_, value| discretion.json(value));
        section(&mut lines, "claims", self.claims.as_ref(), |name, value| {
            let text = discretion.json(value);
            match time(name, value) {
                Some(time) => format!("{text}  {}, {}", instant::utc(time), instant::distance(time, now)),
                None => text,
            }
        });
        if let Some(length) = self.signature_length {
            lines.push(format!("signature\n  {length} bytes"));
        }
        lines
    }
}

/// The point in time that a claim names.
pub fn time(name: &str, value: &Value) -> Option<UnixTime> {
    TIMES
        .contains(&name)
        .then(|| value.as_f64())
        .flatten()
        .and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok().map(UnixTime::from_epoch))
}

fn section(lines: &mut Vec<String>, title: &str, members: Option<&Map<String, Value>>, show: impl Fn(&str, &Value) -> String) {
    let Some(members) = members else { return };
    lines.push(title.to_owned());
    let width = members.keys().map(|name| name.chars().count()).max().unwrap_or_default().min(20);
    lines.extend(members.iter().map(|(name, value)| format!("  {name:width$}  {}", show(name, value))));
}

fn decode(part: &[u8]) -> Option<Vec<u8>> {
    LENIENT.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};

    #[test]
    fn reads_what_can_be_read() {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for (case, token, header, claims, signature) in [
            ("well formed", format!("{}.{}.AQAB", part("{}"), part("{}")), true, true, Some(3)),
            ("padded", format!("{}.{}.AQ==", URL_SAFE.encode(r#"{"a":1}"#), part("{}")), true, true, Some(1)),
            ("claims are no JSON", format!("{}.{}.AQAB", part("{}"), part("x")), true, false, Some(3)),
            ("not signed", format!("{}.{}.", part("{}"), part("{}")), true, true, Some(0)),
            ("two parts", format!("{}.{}", part("{}"), part("{}")), true, true, None),
            ("nothing", String::new(), false, false, None),
            ("anything", "?.\u{ff}.!".to_owned(), false, false, None),
        ] {
            let anatomy = Anatomy::of(token.as_bytes());
            let found = (anatomy.header.is_some(), anatomy.claims.is_some(), anatomy.signature_length);
            assert_eq!(found, (header, claims, signature), "{case}");
        }
    }
}
