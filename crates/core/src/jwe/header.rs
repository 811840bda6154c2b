//! The header of an encrypted token (RFC 7516 section 4), read as far as it decides anything.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portcullis_encryption::{Agreement, ContentEncryption, KeyManagement};
use serde_json::{Map, Value};

use super::malformed::Malformed;
use crate::jose::strict_json;

/// Header parameters that change how a token is to be read.
const REFUSED_PARAMETERS: [&str; 3] = ["crit", "zip", "b64"];
/// What a `cty` may leave out.
const APPLICATION: &str = "application/";

/// What is used of a header.
pub(super) struct Header {
    pub management: KeyManagement,
    pub encryption: ContentEncryption,
    /// `kid`.
    pub key_id: Option<String>,
    /// What the sender brings to an agreement, where the algorithm is one.
    agreement: Option<Brought>,
}

/// The parts of an [`Agreement`].
struct Brought {
    x: Vec<u8>,
    y: Vec<u8>,
    apu: Vec<u8>,
    apv: Vec<u8>,
}

impl Header {
    /// Read the JSON of an encrypted token's first part.
    ///
    /// # Errors
    /// [`Malformed`], in this order: no JSON object; a parameter that is refused; `alg`, `enc`, `kid`, `typ`, `cty`, and where the
    /// algorithm is an agreement `epk`, `apu`, `apv`.
    pub fn read(json: &[u8]) -> Result<Self, Malformed> {
        let header = strict_json::parse(json).ok_or(Malformed::Header)?;
        let header = header.as_object().ok_or(Malformed::Header)?;
        if let Some(name) = REFUSED_PARAMETERS.into_iter().find(|name| header.contains_key(*name)) {
            return Err(Malformed::Parameter(name));
        }
        let management = management(text(header, "alg")?.ok_or(Malformed::ParameterType("alg"))?)?;
        let encryption = text(header, "enc")?.ok_or(Malformed::ParameterType("enc"))?;
        let encryption = ContentEncryption::JWE.into_iter().find(|known| known.as_str() == encryption);
        let encryption = encryption.ok_or(Malformed::EncryptionUnknown)?;
        let key_id = text(header, "kid")?.map(str::to_owned);
        text(header, "typ")?;
        if text(header, "cty")?.is_some_and(|content| !is_jwt(content)) {
            return Err(Malformed::ParameterType("cty"));
        }
        let agreement = management.is_agreement().then(|| Brought::read(header)).transpose()?;
        Ok(Self { management, encryption, key_id, agreement })
    }

    /// What the sender brings to an agreement.
    pub fn agreement(&self) -> Option<Agreement<'_>> {
        let Brought { x, y, apu, apv } = self.agreement.as_ref()?;
        Some(Agreement { x, y, apu, apv })
    }
}

impl Brought {
    fn read(header: &Map<String, Value>) -> Result<Self, Malformed> {
        let wrong = Malformed::ParameterType("epk");
        let epk = header.get("epk").and_then(Value::as_object).ok_or_else(|| wrong.clone())?;
        let is = |name: &str, expected: &str| epk.get(name).and_then(Value::as_str) == Some(expected);
        if !is("kty", "EC") || !is("crv", "P-256") || epk.contains_key("d") {
            return Err(wrong);
        }
        let coordinate = |name| epk.get(name).and_then(Value::as_str).and_then(decode).ok_or_else(|| wrong.clone());
        let party = |name| text(header, name)?.map_or(Ok(Vec::new()), |text| decode(text).ok_or(Malformed::ParameterType(name)));
        Ok(Self { x: coordinate("x")?, y: coordinate("y")?, apu: party("apu")?, apv: party("apv")? })
    }
}

fn management(name: &str) -> Result<KeyManagement, Malformed> {
    match name {
        "RSA1_5" => Err(Malformed::AlgorithmUnsafe("RSA1_5", "its padding tells too much")),
        _ if name.starts_with("PBES2-") => Err(Malformed::AlgorithmUnsafe("PBES2", "the sender would choose what it costs")),
        _ => KeyManagement::parse(name).ok_or(Malformed::AlgorithmUnknown),
    }
}

/// A parameter that is text, where it is there.
fn text<'a>(header: &'a Map<String, Value>, name: &'static str) -> Result<Option<&'a str>, Malformed> {
    header.get(name).map(|value| value.as_str().ok_or(Malformed::ParameterType(name))).transpose()
}

/// Whether this is the content type of a token in a token (RFC 7519 section 5.2).
fn is_jwt(content: &str) -> bool {
    let short = match content.split_at_checked(APPLICATION.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(APPLICATION) => rest,
        _ => content,
    };
    short.eq_ignore_ascii_case("jwt")
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
