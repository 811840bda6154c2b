//! A proof that the sender holds the key that a token is bound to: the header `DPoP` (RFC 9449 section 4).
//!
//! In this order (section 4.3): one header, a signed text in compact form, its `typ`, its `alg` among those allowed, its `jwk` the
//! key that the token is bound to and nothing private, the signature, `ath`, `htm`, `htu`, `iat`, `jti`, the nonce where one is
//! asked for. Whether it was used before is for another to say.
//!
//! A signature is verified only where the key is that of a token which counts already: work for nothing is not to be had.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::origin::{Origin, read_uri};
use crate::{Digest, Dpop, thumbprint};
use portcullis_request::claim_set::{Claim, ClaimSet};
use portcullis_request::headers::Headers;
use portcullis_request::jose::{KeySet, Signatures, Token, strict_json};
use portcullis_request::rejection::Rejection;
use portcullis_request::request::Request;
use portcullis_request::time::UnixTime;

/// The header.
pub const DPOP: &str = "dpop";
/// The `typ`.
const TYPE: &str = "dpop+jwt";
/// The longest proof that is looked at: its key may be an RSA key of 4096 bits, and so its signature.
const MAX_PROOF_BYTES: usize = 6 * 1024;
/// The longest `jti`.
const MAX_ID_BYTES: usize = 256;

/// What a proof has to be for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The request.
    pub request: &'a Request,
    /// Its origins: the proof is for one of them.
    pub origins: &'a [Origin],
    /// The token beside which it stands.
    pub token: &'a [u8],
    /// The thumbprint of the key that the token is bound to.
    pub key: &'a Digest,
    /// The time.
    pub now: UnixTime,
}

/// A proof that counts, if it was not used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Its `jti`.
    pub id: String,
    /// The end of the time in which it counts.
    pub until: UnixTime,
}

/// Checks the proof of a request.
///
/// # Errors
/// [`Rejection::DpopProofMissing`], [`Rejection::DpopProofInvalid`], [`Rejection::TokenBindingMismatch`] for a proof of another
/// key, [`Rejection::DpopNonceRequired`].
pub fn check(asked: &Asked<'_>, dpop: &Dpop, signatures: &Signatures) -> Result<Proven, Rejection> {
    let header = asked.request.headers().single(DPOP).map_err(|_| Rejection::DpopProofInvalid)?;
    let proof = header.ok_or(Rejection::DpopProofMissing)?;
    let claims = read(proof, asked, dpop, signatures)?;
    let text = |name: &str| claims.get(name).and_then(Claim::as_str);
    let is_for_this = text("ath").is_some_and(|hash| is_hash_of(hash, asked.token))
        && text("htm").is_some_and(|method| asked.request.method() == Some(method))
        && text("htu").is_some_and(|uri| is_uri_of(uri, asked));
    let issued_at = claims.get("iat").and_then(time).filter(|issued_at| is_near(*issued_at, asked.now, dpop.window));
    let id = text("jti").filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES);
    let (Some(issued_at), Some(id), true) = (issued_at, id, is_for_this) else { return Err(Rejection::DpopProofInvalid) };
    let is_fresh = |nonces: &crate::nonces::Nonces| text("nonce").is_some_and(|nonce| nonces.accepts(nonce, asked.now));
    if !dpop.nonces.as_ref().is_none_or(is_fresh) {
        return Err(Rejection::DpopNonceRequired);
    }
    Ok(Proven { id: id.to_owned(), until: issued_at.saturating_add(dpop.window) })
}

/// The claims of a proof that the right key signed.
fn read(proof: &[u8], asked: &Asked<'_>, dpop: &Dpop, signatures: &Signatures) -> Result<ClaimSet, Rejection> {
    const INVALID: Rejection = Rejection::DpopProofInvalid;
    if proof.len() > MAX_PROOF_BYTES {
        return Err(INVALID);
    }
    let token = Token::parse(proof).map_err(|_| INVALID)?;
    if !dpop.algorithms.contains(token.algorithm()) {
        return Err(INVALID);
    }
    let header = jose_header(proof).ok_or(INVALID)?;
    let jwk = header.get("jwk").ok_or(INVALID)?;
    if header.get("typ").and_then(Value::as_str) != Some(TYPE) {
        return Err(INVALID);
    }
    let key = jwk.as_object().and_then(thumbprint::thumbprint).ok_or(INVALID)?;
    if key != *asked.key {
        return Err(Rejection::TokenBindingMismatch);
    }
    let keys = KeySet::of_jwk(jwk).map_err(|_| INVALID)?;
    let verified = keys.verify_with(signatures, token, dpop.algorithms).map_err(|_| INVALID)?;
    Ok(verified.into_claims())
}

fn jose_header(proof: &[u8]) -> Option<Map<String, Value>> {
    let header = URL_SAFE_NO_PAD.decode(proof.split(|byte| *byte == b'.').next()?).ok()?;
    match strict_json::parse(&header)? {
        Value::Object(header) => Some(header),
        _ => None,
    }
}

/// Whether a text is the SHA-256 of a token (section 4.2, `ath`).
fn is_hash_of(text: &str, token: &[u8]) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|hash| *hash == *Sha256::digest(token))
}

/// Whether a text is the URI of the request, without query and fragment.
fn is_uri_of(text: &str, asked: &Asked<'_>) -> bool {
    read_uri(text)
        .is_some_and(|(origin, path)| asked.origins.contains(&origin) && asked.request.path_text() == Some(path.as_str()))
}

/// A claim that is a time, which a token's reader has looked at.
fn time(claim: Claim<'_>) -> Option<UnixTime> {
    let Claim::Value(Value::Number(number)) = claim else { return None };
    let since_epoch = match number.as_u64() {
        Some(seconds) => Duration::from_secs(seconds),
        None => Duration::try_from_secs_f64(number.as_f64()?).ok()?,
    };
    Some(UnixTime::from_epoch(since_epoch))
}

fn is_near(time: UnixTime, now: UnixTime, window: Duration) -> bool {
    now.since(time).max(time.since(now)) <= window
}

/// Whether a request brings a proof.
#[must_use]
pub fn is_brought(headers: &Headers) -> bool {
    headers.all(DPOP).next().is_some()
}

#[cfg(test)]
mod tests;
