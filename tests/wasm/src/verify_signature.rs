//! The foreign function `verify_signature`: as Envoy 1.40 answers it, and as no proxy should.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::pkcs8::DecodePublicKey;
use prost::Message;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::status::Status;

/// How `verify_signature` answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifySignature {
    /// As Envoy does.
    Right,
    /// There is no such function: an older proxy, or another one.
    Absent,
    /// It is not among the plugin's capabilities.
    Restricted,
    /// Every signature is right.
    YesToAll,
    /// No signature is right.
    NoToAll,
    /// With nothing.
    Empty,
    /// With bytes that are no message.
    Garbage,
    /// With the right answer and 100 KiB behind it.
    Huge,
}

/// `envoy.source.extensions.common.wasm.VerifySignatureArguments`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Arguments {
    #[prost(string, tag = "1")]
    hash_function: String,
    #[prost(bytes = "vec", tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    text: Vec<u8>,
}

/// `envoy.source.extensions.common.wasm.VerifySignatureResult`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Verdict {
    #[prost(bool, tag = "1")]
    result: bool,
    #[prost(string, tag = "2")]
    error: String,
}

impl VerifySignature {
    /// Every manner.
    pub const ALL: [Self; 8] =
        [Self::Right, Self::Absent, Self::Restricted, Self::YesToAll, Self::NoToAll, Self::Empty, Self::Garbage, Self::Huge];

    pub(crate) fn answer(self, arguments: &[u8]) -> Result<Vec<u8>, Status> {
        let verdict = |is_right: bool| {
            let error = if is_right { String::new() } else { "Failed to verify digest. Error code: 0".to_owned() };
            Verdict { result: is_right, error }.encode_to_vec()
        };
        match self {
            Self::Right => Ok(verdict(is_right(arguments).ok_or(Status::BAD_ARGUMENT)?)),
            Self::Absent => Err(Status::NOT_FOUND),
            Self::Restricted => Err(Status::INTERNAL_FAILURE),
            Self::YesToAll => Ok(verdict(true)),
            Self::NoToAll => Ok(verdict(false)),
            Self::Empty => Ok(Vec::new()),
            Self::Garbage => Ok(vec![0xff; 37]),
            Self::Huge => Ok([verdict(true), vec![0; 100 * 1024]].concat()),
        }
    }
}

/// Whether the signature is right; `None` when the argument is no message or names no hash function.
fn is_right(arguments: &[u8]) -> Option<bool> {
    let Arguments { hash_function, public_key, signature, text } = Arguments::decode(arguments).ok()?;
    let hash = match hash_function.as_str() {
        "sha256" => Sha256::digest(&text).to_vec(),
        "sha384" => Sha384::digest(&text).to_vec(),
        "sha512" => Sha512::digest(&text).to_vec(),
        _ => return None,
    };
    let by_rsa = || {
        let key = rsa::PublicKey::from_public_key_der(&public_key).ok()?;
        Some(match hash.len() {
            32 => key.pkcs1v15_verify_prehash::<Sha256>(&hash, &signature).is_ok(),
            48 => key.pkcs1v15_verify_prehash::<Sha384>(&hash, &signature).is_ok(),
            _ => key.pkcs1v15_verify_prehash::<Sha512>(&hash, &signature).is_ok(),
        })
    };
    macro_rules! by_ecdsa {
        ($curve:ident) => {{
            let key = $curve::ecdsa::VerifyingKey::from_public_key_der(&public_key).ok();
            key.map(|key| {
                let signature = $curve::ecdsa::DerSignature::from_bytes(&signature);
                signature.is_ok_and(|signature| key.verify_prehash(&hash, &signature).is_ok())
            })
        }};
    }
    let verdict = by_rsa().or_else(|| by_ecdsa!(p256)).or_else(|| by_ecdsa!(p384)).or_else(|| by_ecdsa!(p521));
    Some(verdict.unwrap_or(false))
}
